//! Given tables, exact values, a read of the author's own, and what only the author knows: the sum stays the same.

use gristmill::ask::{Aggregate, From, Part, Parts, Query, RowChoice, Select, Table, Value};
use gristmill::{History, partition};

const TABLES: &str = "CREATE TABLE accounts (
    bank INTEGER NOT NULL,
    account SMALLINT NOT NULL,
    balance BIGINT NOT NULL,
    PRIMARY KEY (bank, account)
);";

pub(crate) fn history() -> History {
    let balance = |n: i64| Value::Int(n);
    History::new(4)
        .tables(TABLES)
        .with(partition().number(0).batch(|p| {
            p.insert_row(1)
                .set("balance", balance(70))
                .insert_row(2)
                .set("balance", balance(30))
        }))
        .with(
            partition()
                .number(0)
                .ask(total)
                .validate("the sum is 100", is_hundred),
        )
        .with(partition().number(0).batch(|p| {
            p.update_row(1)
                .set("balance", balance(45))
                .update_row(2)
                .set("balance", balance(55))
        }))
        .with(
            partition()
                .number(0)
                .session(2)
                .beside()
                .ask(total)
                .validate("the sum is 100", is_hundred),
        )
}

fn total(table: &Table, part: Part) -> Query {
    let balance = table
        .regular
        .iter()
        .find(|c| c.name == "balance")
        .expect("the table has it")
        .id;
    Query {
        extras: history::Extras::default(),
        table: part.table,
        from: From::Table,
        parts: Parts::One(part.position),
        rows: RowChoice::All,
        filter: Vec::new(),
        select: Select::Aggregates(vec![Aggregate::Min(balance), Aggregate::Max(balance)]),
        order: Vec::new(),
        limit: None,
        offset: 0,
    }
}

fn is_hundred(rows: &[Vec<Value>]) -> Result<(), String> {
    match rows {
        [row] => match row.as_slice() {
            [Value::Int(least), Value::Int(most)] if least + most == 100 => Ok(()),
            other => Err(format!("two accounts of 100 together, not {other:?}")),
        },
        other => Err(format!("one row, not {}", other.len())),
    }
}
