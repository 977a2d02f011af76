//! MariaDB's errors, by its number (the SQLSTATE follows: `1146/42S02`) and English text.

use history::parallel::DataError as D;
use history::parallel::{Limit, Row, Rules, Type};

/// MariaDB, 10.6 to 11.8.
pub static MARIADB: Rules = Rules {
    of: "MariaDB",
    rows: ROWS,
    one_writer: false,
    restricts: false,
    done_though_refused: &["1205", "1213"],
    checks_references: true,
    remembers_schema: false,
    keeps_rest_of_index: true,
    asks_rights_of_plan: false,
    shows,
    schema_in_transactions: false,
    keeps_characteristics: true,
    names_primary: false,
    folds_case: false,
    name_bytes: 64,
};

/// As `information_schema.columns.column_type` writes it.
fn shows(ty: Type) -> Option<String> {
    let word = match ty {
        Type::Bool => "tinyint(1)",
        Type::Int2 => "smallint(6)",
        Type::Int4 => "int(11)",
        Type::Int8 => "bigint(20)",
        Type::Float8 => "double",
        Type::Numeric(Some((precision, scale))) => return Some(format!("decimal({precision},{scale})")),
        Type::Text => "varchar(200)",
        Type::Varchar(n) => return Some(format!("varchar({n})")),
        Type::Bytes => "varbinary(200)",
        Type::Date => "date",
        Type::Timestamp => "datetime(6)",
        _ => return None,
    };
    Some(word.to_owned())
}

const ROWS: &[Row] = rows! {
    // C0: conflicts. A deadlock undoes the transaction.
    "1213/*" "Deadlock found when trying to get lock; try restarting transaction" => Conflict, Overlap, Footprint, Tried;
    // At READ COMMITTED, too: what a statement reads for its values, its own snapshot shows; what it writes is newer.
    "1020/*" "Record has changed since last read in table '{}'; try restarting transaction" => Conflict, Overlap, Footprint, Tried;
    "1020/*" "Record has changed since last read in table '{}'" => Conflict, Overlap, Footprint, Documented;
    "1412/*" "Table definition has changed, please retry transaction" => Conflict, CatalogRace, Closure, Tried;
    "159/*" "InnoDB: insufficient history for index {}" => Conflict, CatalogRace, Closure, Tried;
    "1684/*" "Table {} was skipped since its definition is being modified by concurrent DDL statement"
        => StaleName, CatalogRace, Anywhere, Documented;
    "1615/*" "Prepared statement needs to be re-prepared" => StaleName, CatalogRace, Closure, Documented;
    // A lock that another session holds, for longer than the session waits.
    "1205/*" "Lock wait timeout exceeded; try restarting transaction" => Dependency, InUse, Footprint, Tried;
    // C1: names that moved.
    "1146/*" "Table '{name}' doesn't exist" => StaleName, Gone, Closure, Tried;
    "1146/*" "Table '{}' doesn't exist" => StaleName, Dangles, Closure, Tried;
    "1051/*" "Unknown table '{name}'" => StaleName, Gone, Footprint, Tried;
    "4092/*" "Unknown VIEW: '{name}'" => StaleName, Gone, Footprint, Tried;
    "1356/*" "View '{}' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them"
        => StaleName, Dangles, Closure, Tried;
    "1054/*" "Unknown column '{name}' in '{}'" => StaleName, PartGone, Closure, Tried;
    "1054/*" "Unknown column '{}' in '{}'" => StaleName, Dangles, Closure, Documented;
    // A column that a CHECK holds keeps its name.
    "1054/*" "Unknown column '{}' in 'CHECK'" => Dependency, CanRaise(D::Check), Footprint, Tried;
    "1072/*" "Key column '{name}' doesn't exist in table" => StaleName, PartGone, Footprint, Tried;
    // A column of a unique index over several is not dropped, and that is how it is said.
    "1072/*" "Key column '{name}' doesn't exist in table" => Dependency, Dependents, Footprint, Tried;
    "1091/*" "Can't DROP COLUMN `{name}`; check that it exists" => StaleName, PartGone, Footprint, Tried;
    "1091/*" "Can't DROP CONSTRAINT `{name}`; check that it exists" => StaleName, PartGone, Footprint, Tried;
    "1091/*" "Can't DROP FOREIGN KEY `{name}`; check that it exists" => StaleName, PartGone, Footprint, Documented;
    "1091/*" "Can't DROP INDEX `{name}`; check that it exists" => StaleName, Gone, Footprint, Tried;
    "1050/*" "Table '{name}' already exists" => StaleName, Taken, Footprint, Tried;
    "1060/*" "Duplicate column name '{name}'" => StaleName, PartTaken, Footprint, Tried;
    "1061/*" "Duplicate key name '{name}'" => StaleName, Taken, Footprint, Tried;
    "1347/*" "'{name}' is not of type '{}'" => StaleName, OtherKind, Footprint, Tried;
    "1288/*" "The target table {} of the {} is not updatable" => StaleName, OtherKind, Footprint, Documented;
    "1176/*" "Key '{name}' doesn't exist in table '{}'" => StaleName, Gone, Footprint, Documented;
    // Shapes that changed under a statement.
    "1136/*" "Column count doesn't match value count at row {}" => StaleName, Redefined, Footprint, Documented;
    "1353/*" "View's SELECT and view's field list have different column counts" => StaleName, Redefined, Closure, Documented;
    "1005/*" "Can't create table {} (errno: 150 \"Foreign key constraint is incorrectly formed\")"
        => StaleName, Gone, Footprint, Tried;
    "1005/*" "Can't create table {} (errno: 150 \"Foreign key constraint is incorrectly formed\")"
        => StaleName, PartGone, Footprint, Tried;
    "1005/*" "Can't create table {} (errno: 150 \"Foreign key constraint is incorrectly formed\")"
        => StaleName, Redefined, Footprint, Tried;
    // C2: dependents.
    "1451/*" "Cannot delete or update a parent row: a foreign key constraint fails {}" => Dependency, Dependents, Footprint, Tried;
    "1451/*" "Cannot delete or update a parent row: a foreign key constraint fails" => Dependency, Dependents, Footprint, Tried;
    "1217/*" "Cannot delete or update a parent row: a foreign key constraint fails" => Dependency, Dependents, Footprint, Documented;
    "1701/*" "Cannot truncate a table referenced in a foreign key constraint {}" => Dependency, Dependents, Footprint, Tried;
    "1443/*" "The definition of table '{}' prevents operation {} on table '{}'" => Dependency, Dependents, Footprint, Tried;
    "1553/*" "Cannot drop index '{}': needed in a foreign key constraint" => Dependency, CanRaise(D::ForeignKey), Footprint, Tried;
    "1828/*" "Cannot drop column '{}': needed in a foreign key constraint '{}'" => Dependency, Redefined, Footprint, Documented;
    "1829/*" "Cannot drop column '{}': needed in a foreign key constraint '{}' of table {}"
        => Dependency, Dependents, Footprint, Documented;
    // C3: values and constraints.
    "1062/*" "Duplicate entry '{}' for key '{}'" => Data, CanRaise(D::Unique), Footprint, Tried;
    "1048/*" "Column '{}' cannot be null" => Data, CanRaise(D::NotNull), Footprint, Tried;
    "1364/*" "Field '{}' doesn't have a default value" => Data, CanRaise(D::NotNull), Footprint, Tried;
    "1452/*" "Cannot add or update a child row: a foreign key constraint fails {}" => Data, CanRaise(D::ForeignKey), Footprint, Tried;
    "4025/*" "CONSTRAINT `{}` failed for {}" => Data, CanRaise(D::Check), Footprint, Tried;
    "1264/*" "Out of range value for column '{}' at row {}" => Data, CanRaise(D::NumericRange), Footprint, Tried;
    "1264/*" "Out of range value for column '{}' at row {}" => Data, Redefined, Footprint, Tried;
    "1690/*" "{} value is out of range in {}" => Data, CanRaise(D::NumericRange), Footprint, Tried;
    "1365/*" "Division by 0" => Data, CanRaise(D::DivisionByZero), Footprint, Tried;
    "1406/*" "Data too long for column '{}' at row {}" => Data, CanRaise(D::TooLong), Footprint, Tried;
    "1406/*" "Data too long for column '{}' at row {}" => Data, Redefined, Footprint, Tried;
    "1292/*" "Truncated incorrect {} value: '{}'" => Data, CanRaise(D::InvalidText), Footprint, Tried;
    "1366/*" "Incorrect {} value: '{}' for column {} at row {}" => Data, Redefined, Footprint, Documented;
    "1265/*" "Data truncated for column '{}' at row {}" => Data, Redefined, Footprint, Documented;
    "1242/*" "Subquery returns more than 1 row" => Data, CanRaise(D::Cardinality), Footprint, Documented;
    // C5: interrupts.
    "1317/*" "Query execution was interrupted" => Interrupt, FaultSent, Footprint, Tried;
    "1028/*" "Sort aborted: Query execution was interrupted" => Interrupt, FaultSent, Footprint, Documented;
    "1969/*" "Query execution was interrupted (max_statement_time exceeded)"
        => Interrupt, LimitInForce(Limit::Statement), Footprint, Documented;
    // C6: connections.
    "1927/*" "Connection was killed" => Connection, FaultSent, Footprint, Documented;
    "1053/*" "{}" => Connection, FaultSent, Footprint, Documented;
    "" "{}" => Connection, FaultSent, Footprint, Documented;
    // C7: resources.
    "1021/*" "{}" => Resource, Resource, Footprint, Documented;
    "1037/*" "{}" => Resource, Resource, Footprint, Documented;
    "1038/*" "{}" => Resource, Resource, Footprint, Documented;
    "1041/*" "{}" => Resource, Resource, Footprint, Documented;
    "1114/*" "{}" => Resource, Resource, Footprint, Documented;
    "1040/*" "{}" => Resource, Resource, Footprint, Documented;
    // C8: states and tools.
    "1792/*" "Cannot execute statement in a READ ONLY transaction" => Tool, ReadOnly, Footprint, Tried;
    "1568/*" "{}" => Tool, TransactionState, Footprint, Documented;
    "1305/*" "SAVEPOINT {name} does not exist" => Tool, SessionName, Footprint, Tried;
    "1064/*" "{}" => Tool, Tool, Footprint, Tried;
    "1305/*" "{}" => Tool, Tool, Footprint, Documented;
    "1052/*" "{}" => Tool, Tool, Footprint, Documented;
    "1093/*" "{}" => Tool, Tool, Footprint, Tried;
    "1111/*" "{}" => Tool, Tool, Footprint, Documented;
    "1221/*" "{}" => Tool, Tool, Footprint, Documented;
    "1222/*" "{}" => Tool, Tool, Footprint, Documented;
    "1235/*" "{}" => Tool, Tool, Footprint, Documented;
    "1247/*" "{}" => Tool, Tool, Footprint, Documented;
    "1267/*" "{}" => Tool, Tool, Footprint, Documented;
    "1367/*" "{}" => Tool, Tool, Footprint, Documented;
    "1525/*" "{}" => Tool, Tool, Footprint, Documented;
    "1582/*" "{}" => Tool, Tool, Footprint, Documented;
    "4018/*" "{}" => Tool, Tool, Footprint, Documented;
    "4078/*" "{}" => Tool, Tool, Footprint, Documented;
    "4079/*" "{}" => Tool, Tool, Footprint, Documented;
    // C9: damage.
    "1030/*" "{}" => Internal, Never, Footprint, Documented;
    "1034/*" "{}" => Internal, Never, Footprint, Documented;
    "1815/*" "{}" => Internal, Never, Footprint, Documented;
    "1180/*" "{}" => Internal, Never, Footprint, Documented;
};
