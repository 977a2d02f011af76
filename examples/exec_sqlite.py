#!/usr/bin/env python3
"""A child for `gristmill run 'exec:python3 examples/exec_sqlite.py'`: Python's own SQLite. See docs/formats/exec.md."""
import json
import sqlite3
import sys


def cell(value):
    """A value of SQLite as a cell."""
    if isinstance(value, float):
        return {"real": repr(value)}
    if isinstance(value, bytes):
        return {"blob": value.hex()}
    return value


def value(cell):
    """A cell as a value of SQLite."""
    if isinstance(cell, dict):
        return float(cell["real"]) if "real" in cell else bytes.fromhex(cell["blob"])
    return cell


def answer(connection, asked):
    """One statement, and what came of it."""
    before = connection.total_changes
    try:
        cursor = connection.execute(asked["sql"], [value(c) for c in asked.get("params", [])])
        columns = [d[0] for d in cursor.description or []]
        rows = [[cell(v) for v in row] for row in cursor.fetchall()]
        changed = cursor.rowcount if connection.total_changes > before else 0
        return {"columns": columns, "rows": rows, "changed": max(changed, 0)}
    except (sqlite3.Error, sqlite3.Warning) as error:
        return {"code": str(getattr(error, "sqlite_errorcode", "")), "error": str(error)}


def main():
    hello = json.loads(sys.stdin.readline())
    path = hello["folder"] + "/data.sqlite"
    connection = sqlite3.connect(path, timeout=hello["busy_ms"] / 1000, isolation_level=None)
    if hasattr(connection, "setconfig"):  # Python 3.12: "x" is a name, never a text
        for setting in (sqlite3.SQLITE_DBCONFIG_DQS_DML, sqlite3.SQLITE_DBCONFIG_DQS_DDL):
            connection.setconfig(setting, False)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    connection.execute("PRAGMA journal_mode = WAL")
    print(json.dumps({"speaks": "sqlite", "version": f"SQLite {sqlite3.sqlite_version} (Python)"}), flush=True)
    for line in sys.stdin:
        said = answer(connection, json.loads(line))
        print(json.dumps({**said, "open": connection.in_transaction}), flush=True)


main()
