//! SQLite's errors, by extended result code and text.

use history::parallel::DataError as D;
use history::parallel::{Limit, Row, Rules};

/// SQLite 3.35 and later, in WAL mode.
pub static SQLITE: Rules = Rules {
    of: "SQLite",
    rows: ROWS,
    one_writer: true,
    restricts: false,
    done_though_refused: &[],
    checks_references: false,
    remembers_schema: true,
    keeps_rest_of_index: false,
    asks_rights_of_plan: false,
    shows: |_| None,
    schema_in_transactions: true,
    keeps_characteristics: false,
    names_primary: true,
    folds_case: true,
    name_bytes: usize::MAX,
};

const ROWS: &[Row] = rows! {
    // C1: names that moved. All of SQLITE_ERROR (1), told apart by their text. A view is resolved when it is read, and ALTER
    // TABLE reads every view and trigger of the schema.
    "1" "no such table: {name}" => StaleName, Gone, Closure, Tried;
    "1" "no such view: {name}" => StaleName, Gone, Closure, Tried;
    "1" "no such index: {name}" => StaleName, Gone, Closure, Tried;
    "1" "no such trigger: {name}" => StaleName, Gone, Closure, Tried;
    "1" "no such column: {name}" => StaleName, PartGone, Closure, Tried;
    "1" "no such column: {}" => StaleName, Redefined, Closure, Tried;
    "1" "no such column: \"{name}\"" => StaleName, PartGone, Footprint, Tried;
    "1" "no such column: \"\"{name}\"\"" => StaleName, PartGone, Footprint, Tried;
    "1" "no such column: \"\"{name}\"\"" => StaleName, PartUnseen, Footprint, Tried;
    "1" "table {other} has no column named {name}" => StaleName, PartGone, Footprint, Tried;
    "1" "unknown column \"{name}\" in foreign key definition" => StaleName, PartGone, Footprint, Tried;
    "1" "error in view {}: no such table: {name}" => StaleName, Gone, Anywhere, Tried;
    "1" "error in view {} after {}: no such table: {name}" => StaleName, Gone, Anywhere, Tried;
    "1" "error in view {}: no such column: {name}" => StaleName, PartGone, Anywhere, Tried;
    "1" "error in view {} after {}: no such column: {name}" => StaleName, PartGone, Anywhere, Tried;
    "1" "error in view {}: {}" => Dependency, Dependents, Anywhere, Tried;
    "1" "error in view {} after {}: {}" => Dependency, Dependents, Anywhere, Tried;
    "1" "error in trigger {}" => Dependency, Dependents, Anywhere, Tried;
    "1" "error in index {} after {}" => Dependency, Dependents, Footprint, Tried;
    "1" "error in table {} after {}: unknown column \"{name}\" in foreign key definition" => Dependency, Refers, Footprint, Tried;
    "1" "error in table {} after {}" => Dependency, Redefined, Footprint, Tried;
    "1" "cannot drop column \"{}\": {}" => Dependency, Redefined, Footprint, Tried;
    "1" "table {name} already exists" => StaleName, Taken, Footprint, Tried;
    "1" "table \"{name}\" already exists" => StaleName, Taken, Footprint, Tried;
    "1" "view {name} already exists" => StaleName, Taken, Footprint, Tried;
    "1" "view \"{name}\" already exists" => StaleName, Taken, Footprint, Tried;
    "1" "index {name} already exists" => StaleName, Taken, Footprint, Tried;
    "1" "trigger {name} already exists" => StaleName, Taken, Footprint, Tried;
    "1" "there is already {} named {name}" => StaleName, Taken, Footprint, Tried;
    "1" "there is already another table or index with this name: {name}" => StaleName, Taken, Footprint, Tried;
    "1" "duplicate column name: {name}" => StaleName, PartTaken, Footprint, Tried;
    "1" "use DROP {} to delete {} {name}" => StaleName, OtherKind, Footprint, Tried;
    "1" "cannot modify {name} because it is a view" => StaleName, OtherKind, Footprint, Tried;
    "1" "view {name} may not be {}" => StaleName, OtherKind, Footprint, Tried;
    "1" "views may not be indexed" => StaleName, OtherKind, Footprint, Tried;
    // The same, where the schema changed once more while the statement was prepared again.
    "17" "no such table: {name}" => StaleName, Gone, Closure, Tried;
    "17" "no such column: {name}" => StaleName, PartGone, Closure, Documented;
    "17" "no such column: {}" => StaleName, Redefined, Closure, Documented;
    "17" "{}" => StaleName, Overlap, Footprint, Documented;
    "17" "database schema {}" => StaleName, CatalogRace, Anywhere, Tried;
    // C2: somebody else writes.
    "5" "database is locked" => Dependency, InUse, Footprint, Tried;
    "517" "database is locked" => Conflict, Overlap, Footprint, Tried;
    "261" "database is locked" => Dependency, InUse, Footprint, Tried;
    "773" "database is locked" => Dependency, InUse, Footprint, Tried;
    "6" "database table is locked{}" => Dependency, InUse, Footprint, Tried;
    "262" "database table is locked{}" => Dependency, InUse, Footprint, Tried;
    // C3: values and constraints.
    "2067" "UNIQUE constraint failed: {}" => Data, CanRaise(D::Unique), Footprint, Tried;
    "1555" "UNIQUE constraint failed: {}" => Data, CanRaise(D::Unique), Footprint, Tried;
    "2579" "UNIQUE constraint failed: {}" => Data, CanRaise(D::Unique), Footprint, Tried;
    "1299" "NOT NULL constraint failed: {}" => Data, CanRaise(D::NotNull), Footprint, Tried;
    "787" "FOREIGN KEY constraint failed" => Dependency, Dependents, Footprint, Tried;
    "1811" "FOREIGN KEY constraint failed" => Dependency, Dependents, Footprint, Documented;
    "787" "FOREIGN KEY constraint failed" => Data, CanRaise(D::ForeignKey), Footprint, Tried;
    "275" "CHECK constraint failed: {}" => Data, CanRaise(D::Check), Footprint, Tried;
    "1" "foreign key mismatch - {}" => Data, KeyUnsure, Closure, Tried;
    "1" "foreign key mismatch - {}" => Data, Redefined, Closure, Tried;
    "3091" "cannot store {}" => Data, CanRaise(D::Mismatch), Footprint, Tried;
    "20" "datatype mismatch" => Data, CanRaise(D::Mismatch), Footprint, Tried;
    "1" "integer overflow" => Data, CanRaise(D::NumericRange), Footprint, Tried;
    "18" "string or blob too big" => Data, CanRaise(D::TooBig), Footprint, Tried;
    "1" "malformed JSON" => Data, CanRaise(D::Json), Footprint, Tried;
    "1" "bad JSON path: {}" => Data, CanRaise(D::Json), Footprint, Tried;
    "1" "JSON path error near {}" => Data, CanRaise(D::Json), Footprint, Tried;
    "1" "LIKE or GLOB pattern too complex" => Data, CanRaise(D::Complexity), Footprint, Documented;
    "1" "Expression tree is too large {}" => Data, CanRaise(D::Complexity), Footprint, Documented;
    "1" "cannot drop {} column: {}" => Tool, Tool, Footprint, Documented;
    "1" "Cannot add a NOT NULL column with default value NULL" => Tool, Tool, Footprint, Tried;
    // C5: interrupts.
    "9" "interrupted" => Interrupt, FaultSent, Footprint, Tried;
    "9" "interrupted" => Interrupt, LimitInForce(Limit::Statement), Footprint, Tried;
    // C6: our own connection.
    "" "{}" => Connection, FaultSent, Footprint, Documented;
    // C7: resources.
    "13" "database or disk is full" => Resource, Resource, Footprint, Documented;
    "7" "out of memory" => Resource, Resource, Footprint, Documented;
    // C8: states and tools.
    "1" "cannot start a transaction within a transaction" => Tool, TransactionState, Footprint, Tried;
    "1" "cannot commit - no transaction is active" => Tool, TransactionState, Footprint, Tried;
    "1" "cannot rollback - no transaction is active" => Tool, TransactionState, Footprint, Tried;
    "1" "cannot VACUUM from within a transaction" => Tool, TransactionState, Footprint, Tried;
    "1" "cannot VACUUM - SQL statements in progress" => Dependency, InUse, Footprint, Tried;
    "1" "no such savepoint: {name}" => Tool, SessionName, Footprint, Tried;
    "8" "attempt to write a readonly database" => Tool, ReadOnly, Footprint, Tried;
    // A number of values that no longer fits the columns.
    "1" "table {} has {} columns but {} values were supplied" => StaleName, Redefined, Footprint, Tried;
    "1" "{} values for {} columns" => StaleName, Redefined, Footprint, Tried;
    "1" "expected {} columns for '{}' but got {}" => StaleName, Redefined, Closure, Tried;
    "1" "near {}: syntax error" => Tool, Tool, Footprint, Tried;
    "1" "incomplete input" => Tool, Tool, Footprint, Tried;
    "1" "no such function: {}" => Tool, Tool, Footprint, Tried;
    "1" "wrong number of arguments to function {}" => Tool, Tool, Footprint, Tried;
    "1" "misuse of aggregate{}" => Tool, Tool, Footprint, Tried;
    "1" "misuse of window function {}" => Tool, Tool, Footprint, Tried;
    "1" "ambiguous column name: {}" => Tool, Tool, Footprint, Tried;
    "1" "SELECTs to the left and right of {}" => Tool, Tool, Footprint, Tried;
    "1" "sub-select returns {}" => Tool, Tool, Footprint, Tried;
    "1" "{} ORDER BY term {}" => Tool, Tool, Footprint, Tried;
    "1" "row value misused" => Tool, Tool, Footprint, Tried;
    "1" "{}" => Tool, Tool, Footprint, Guess;
    // C9: damage.
    "11" "{}" => Internal, Never, Footprint, Documented;
    "10" "{}" => Internal, Never, Footprint, Documented;
    "2" "{}" => Internal, Never, Footprint, Documented;
};
