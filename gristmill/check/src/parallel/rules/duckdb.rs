//! DuckDB's errors, by the kind that stands before them and their first line.

use history::parallel::DataError as D;
use history::parallel::{Limit, Row, Rules, Type};

/// DuckDB, 1.5.
///
/// Changes of the schema are seen as rows are: by the snapshot that a transaction takes at its first touch. Two writers of one
/// thing conflict at once, and the second is refused; keys conflict at COMMIT, too.
pub static DUCKDB: Rules = Rules {
    of: "DuckDB",
    rows: ROWS,
    one_writer: false,
    done_though_refused: &[],
    restricts: false,
    checks_references: true,
    remembers_schema: true,
    keeps_rest_of_index: false,
    asks_rights_of_plan: false,
    shows,
    schema_in_transactions: true,
    keeps_characteristics: false,
    names_primary: false,
    folds_case: true,
    name_bytes: usize::MAX,
};

/// As `duckdb_columns` writes it.
fn shows(ty: Type) -> Option<String> {
    let word = match ty {
        Type::Bool => "BOOLEAN",
        Type::Int2 => "SMALLINT",
        Type::Int4 => "INTEGER",
        Type::Int8 => "BIGINT",
        Type::Float4 => "FLOAT",
        Type::Float8 => "DOUBLE",
        Type::Numeric(Some((precision, scale))) => return Some(format!("DECIMAL({precision},{scale})")),
        Type::Text | Type::Varchar(_) | Type::Char(_) => "VARCHAR",
        Type::Bytes => "BLOB",
        Type::Date => "DATE",
        Type::Timestamp => "TIMESTAMP",
        Type::Uuid => "UUID",
        _ => return None,
    };
    Some(word.to_owned())
}

const ROWS: &[Row] = rows! {
    // C0: conflicts. What another transaction has written since the snapshot, or is writing.
    "TransactionContext" "Conflict on update!" => Conflict, Overlap, Footprint, Tried;
    "TransactionContext" "Conflict on tuple deletion!" => Conflict, Overlap, Footprint, Documented;
    "TransactionContext" "Transaction conflict: {}" => Conflict, Overlap, Footprint, Tried;
    "TransactionContext" "Failed to commit: {}" => Conflict, Overlap, Footprint, Tried;
    "TransactionContext" "Catalog write-write conflict on {}" => Conflict, CatalogRace, Closure, Tried;
    // C1: names that moved.
    "Catalog" "Table with name {name} does not exist!" => StaleName, Gone, Closure, Tried;
    "Catalog" "View with name {name} does not exist!" => StaleName, Gone, Closure, Tried;
    "Catalog" "Index with name {name} does not exist!" => StaleName, Gone, Footprint, Tried;
    "Catalog" "Schema with name {name} does not exist!" => StaleName, Gone, Footprint, Tried;
    "Catalog" "Table with name \"{name}\" already exists!" => StaleName, Taken, Footprint, Tried;
    "Catalog" "View with name \"{name}\" already exists!" => StaleName, Taken, Footprint, Tried;
    "Catalog" "Index with name \"{name}\" already exists!" => StaleName, Taken, Footprint, Tried;
    "Catalog" "Schema with name \"{name}\" already exists!" => StaleName, Taken, Footprint, Tried;
    "Catalog" "Existing object {name} is of type {}, trying to {}" => StaleName, OtherKind, Footprint, Tried;
    "Catalog" "{name} is not an table" => StaleName, OtherKind, Footprint, Tried;
    "Catalog" "Column with name {name} already exists!" => StaleName, PartTaken, Footprint, Tried;
    "Binder" "Table \"{other}\" does not have a column with name \"{name}\"" => StaleName, PartGone, Footprint, Tried;
    "Binder" "Table \"{}\" does not have a column named \"{name}\"" => StaleName, PartGone, Closure, Tried;
    "Binder" "Referenced column \"{name}\" not found in FROM clause!" => StaleName, PartGone, Closure, Tried;
    "Binder" "Referenced update column {name} not found in table!" => StaleName, PartGone, Footprint, Tried;
    "Binder" "Can only update base table" => StaleName, OtherKind, Footprint, Tried;
    "Binder" "Can only delete from base table" => StaleName, OtherKind, Footprint, Tried;
    "Binder" "can only create an index on a base table" => StaleName, OtherKind, Footprint, Tried;
    "Binder" "table {} has {} columns but {} values were supplied" => StaleName, Redefined, Footprint, Tried;
    "Binder" "Contents of view were altered: {}" => StaleName, Redefined, Closure, Documented;
    // What others need.
    "Catalog" "Cannot drop this column: {}" => Dependency, Dependents, Footprint, Tried;
    "Catalog" "Could not drop the table because this table is main key table of the table \"{}\"" => Dependency, Dependents, Footprint, Tried;
    "Dependency" "Cannot drop entry \"{name}\" because there are entries that depend on it.{}" => Dependency, Dependents, Footprint, Tried;
    "Dependency" "Cannot alter entry \"{name}\" because there are entries that depend on it.{}" => Dependency, Dependents, Footprint, Tried;
    // C3: values and constraints.
    "Constraint" "Duplicate key {} violates primary key constraint." => Data, CanRaise(D::Unique), Footprint, Tried;
    "Constraint" "Duplicate key {} violates unique constraint." => Data, CanRaise(D::Unique), Footprint, Tried;
    "Constraint" "PRIMARY KEY or UNIQUE constraint violation: duplicate key {}" => Data, CanRaise(D::Unique), Footprint, Tried;
    "Constraint" "NOT NULL constraint failed: {}" => Data, CanRaise(D::NotNull), Footprint, Tried;
    "Constraint" "CHECK constraint failed on table {}" => Data, CanRaise(D::Check), Footprint, Tried;
    "Constraint" "Violates foreign key constraint because key {} does not exist in the referenced table"
        => Data, CanRaise(D::ForeignKey), Footprint, Tried;
    "Constraint" "Violates foreign key constraint because key {} is still referenced by a foreign key in a different table{}"
        => Data, CanRaise(D::ForeignKey), Footprint, Tried;
    // TRUNCATE, of which the values say nothing.
    "Constraint" "Violates foreign key constraint because key {} is still referenced by a foreign key in a different table{}"
        => Dependency, Dependents, Footprint, Tried;
    "Out of Range" "Overflow {}" => Data, CanRaise(D::NumericRange), Footprint, Tried;
    "Out of Range" "Date out of range{}" => Data, CanRaise(D::DatetimeRange), Footprint, Tried;
    "Conversion" "Could not convert string {} to INT{}" => Data, CanRaise(D::InvalidText), Footprint, Tried;
    "Conversion" "Type INT64 with value {} can't be cast because the value is out of range for the destination type {}"
        => Data, CanRaise(D::NumericRange), Footprint, Tried;
    "Conversion" "Type INT32 with value {} can't be cast to the destination type INT64{}"
        => Data, CanRaise(D::DatetimeRange), Footprint, Tried;
    "Conversion" "Can't get TIME of infinite TIMESTAMP" => Data, CanRaise(D::DatetimeRange), Footprint, Tried;
    "Conversion" "invalid date field format: {}" => Data, CanRaise(D::InvalidDatetime), Footprint, Tried;
    // C5: interrupts.
    "INTERRUPT" "Interrupted!" => Interrupt, FaultSent, Footprint, Tried;
    "INTERRUPT" "Interrupted!" => Interrupt, LimitInForce(Limit::Statement), Footprint, Tried;
    // C6: our own connection.
    "" "{}" => Connection, FaultSent, Footprint, Documented;
    // C7: resources.
    "Out of Memory" "{}" => Resource, Resource, Footprint, Documented;
    // C8: states and tools.
    "TransactionContext" "Current transaction is aborted (please ROLLBACK)" => Tool, FailedTransaction, Footprint, Tried;
    "TransactionContext" "cannot start a transaction within a transaction" => Tool, TransactionState, Footprint, Tried;
    "TransactionContext" "cannot commit - no transaction is active" => Tool, TransactionState, Footprint, Tried;
    "TransactionContext" "cannot rollback - no transaction is active" => Tool, TransactionState, Footprint, Tried;
    "Parser" "{}" => Tool, Tool, Footprint, Tried;
    "Not implemented" "{}" => Tool, Tool, Footprint, Tried;
    "Binder" "{}" => Tool, Tool, Footprint, Guess;
    "Invalid Input" "{}" => Tool, Tool, Footprint, Guess;
    // C9: damage.
    "INTERNAL" "{}" => Internal, Never, Footprint, Documented;
    "FATAL" "{}" => Internal, Never, Footprint, Documented;
    "IO" "{}" => Internal, Never, Footprint, Documented;
    "Serialization" "{}" => Internal, Never, Footprint, Documented;
};
