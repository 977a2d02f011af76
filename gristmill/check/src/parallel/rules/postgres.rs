//! PostgreSQL's errors, by SQLSTATE and text (English messages, `lc_messages = C`).

use history::parallel::DataError as D;
use history::parallel::{Limit, Row, Rules, Type};

/// PostgreSQL, 13 to 18.
pub static POSTGRES: Rules = Rules {
    of: "PostgreSQL",
    rows: ROWS,
    one_writer: false,
    restricts: true,
    done_though_refused: &[],
    checks_references: true,
    remembers_schema: false,
    keeps_rest_of_index: false,
    asks_rights_of_plan: true,
    shows,
    schema_in_transactions: true,
    keeps_characteristics: false,
    names_primary: true,
    folds_case: false,
    name_bytes: 63,
};

/// As `format_type` writes it.
fn shows(ty: Type) -> Option<String> {
    let word = match ty {
        Type::Bool => "boolean",
        Type::Int2 => "smallint",
        Type::Int4 => "integer",
        Type::Int8 => "bigint",
        Type::Float4 => "real",
        Type::Float8 => "double precision",
        Type::Numeric(None) => "numeric",
        Type::Numeric(Some((precision, scale))) => return Some(format!("numeric({precision},{scale})")),
        Type::Text => "text",
        Type::Varchar(n) => return Some(format!("character varying({n})")),
        Type::Char(n) => return Some(format!("character({n})")),
        Type::Bytes => "bytea",
        Type::Date => "date",
        Type::Time => "time without time zone",
        Type::Timestamp => "timestamp without time zone",
        Type::TimestampTz => "timestamp with time zone",
        Type::Interval => "interval",
        Type::Uuid => "uuid",
        Type::Json => "json",
        Type::Jsonb => "jsonb",
        Type::Int4Array => "integer[]",
        Type::TextArray => "text[]",
        Type::Named(_) => return None,
    };
    Some(word.to_owned())
}

const ROWS: &[Row] = rows! {
    // C0: conflicts.
    "40001" "could not serialize access due to {}" => Conflict, Conflict, Footprint, Tried;
    "40P01" "deadlock detected" => Conflict, Overlap, Footprint, Tried;
    // C1: names that moved.
    "42P01" "relation \"{name}\" does not exist" => StaleName, Gone, Closure, Tried;
    "42P01" "table \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42P01" "view \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42P01" "materialized view \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42P01" "sequence \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42P01" "index \"{name}\" does not exist" => StaleName, Gone, Footprint, Documented;
    "42P01" "missing FROM-clause entry for table \"{}\"" => Tool, Tool, Footprint, Documented;
    "42P01" "invalid reference to FROM-clause entry for table \"{}\"" => Tool, Tool, Footprint, Documented;
    "42P01" "could not open relation with OID {}" => StaleName, CatalogRace, Footprint, Documented;
    "42703" "column \"{name}\" of relation \"{other}\" does not exist" => StaleName, PartGone, Footprint, Tried;
    "42703" "column \"{name}\" does not exist" => StaleName, PartGone, Footprint, Tried;
    "42703" "column {name} does not exist" => StaleName, PartGone, Footprint, Tried;
    "42703" "column \"{name}\" named in key does not exist" => StaleName, PartGone, Footprint, Documented;
    "42703" "column \"{name}\" referenced in foreign key constraint does not exist" => StaleName, PartGone, Footprint, Tried;
    "42703" "attribute {} of relation \"{name}\" does not exist" => StaleName, Redefined, Closure, Documented;
    "42703" "record \"{}\" has no field \"{}\"" => StaleName, Redefined, Footprint, Documented;
    "42704" "index \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42704" "type \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42704" "role \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "42704" "role {} was concurrently dropped" => StaleName, CatalogRace, Footprint, Tried;
    "42704" "role {} was concurrently dropped" => StaleName, Lacks, Closure, Tried;
    "42704" "role with OID {} does not exist" => StaleName, Lacks, Closure, Documented;
    "22023" "role \"{name}\" does not exist" => StaleName, Gone, Footprint, Documented;
    "42704" "constraint \"{name}\" of relation \"{other}\" does not exist" => StaleName, PartGone, Footprint, Tried;
    "42704" "constraint \"{name}\" for table \"{other}\" does not exist" => StaleName, PartGone, Footprint, Documented;
    "42704" "trigger \"{name}\" for table \"{other}\" does not exist" => StaleName, Gone, Footprint, Documented;
    "42704" "index \"{name}\" for table \"{other}\" does not exist" => StaleName, Gone, Footprint, Documented;
    "42704" "schema \"{name}\" does not exist" => StaleName, Gone, Footprint, Documented;
    "42883" "function {name} does not exist" => StaleName, Gone, Closure, Tried;
    "42883" "could not find a function named \"{name}\"" => StaleName, Gone, Footprint, Documented;
    "42704" "trigger \"{name}\" for table \"{other}\" does not exist" => StaleName, Redefined, Closure, Documented;
    "23514" "value for domain {} violates check constraint \"{}\"" => Data, CanRaise(D::Check), Footprint, Tried;
    "22P02" "invalid input value for enum {}" => StaleName, Redefined, Footprint, Documented;
    "42704" "type with OID {} does not exist" => StaleName, CatalogRace, Closure, Documented;
    "42883" "function with OID {} does not exist" => StaleName, CatalogRace, Closure, Documented;
    "42710" "enum label \"{}\" already exists" => Tool, Tool, Footprint, Documented;
    "42809" "\"{name}\" is a {}" => StaleName, OtherKind, Footprint, Documented;
    "42883" "function {} does not exist" => StaleName, Redefined, Footprint, Tried;
    "42883" "operator does not exist: {}" => StaleName, Redefined, Footprint, Tried;
    "42883" "{}" => Tool, Tool, Footprint, Tried;
    "0A000" "cannot alter type of a column used by a view or rule" => Dependency, Redefined, Footprint, Tried;
    "3F000" "schema \"{name}\" does not exist" => StaleName, Gone, Footprint, Tried;
    "3F000" "schema with OID {} does not exist" => StaleName, CatalogRace, Footprint, Documented;
    "3D000" "database \"{name}\" does not exist" => StaleName, Gone, Footprint, Documented;
    "42P07" "relation \"{name}\" already exists" => StaleName, Taken, Footprint, Tried;
    "42P06" "schema \"{name}\" already exists" => StaleName, Taken, Footprint, Tried;
    "42P04" "database \"{name}\" already exists" => StaleName, Taken, Footprint, Documented;
    "42710" "constraint \"{name}\" for relation \"{other}\" already exists" => StaleName, PartTaken, Footprint, Tried;
    "42710" "{} \"{name}\" already exists" => StaleName, Taken, Footprint, Tried;
    "42710" "trigger \"{name}\" for relation \"{other}\" already exists" => StaleName, Taken, Footprint, Documented;
    "42723" "function \"{name}\" already exists with same argument types" => StaleName, Taken, Footprint, Documented;
    "42701" "column \"{name}\" of relation \"{other}\" already exists" => StaleName, PartTaken, Footprint, Tried;
    "42701" "column \"{name}\" specified more than once" => Tool, Tool, Footprint, Documented;
    "42809" "\"{name}\" is not {}" => StaleName, OtherKind, Footprint, Tried;
    "42809" "cannot change {} \"{name}\"" => StaleName, OtherKind, Footprint, Documented;
    // The catalogue's own unique indexes, when two make the same name at once.
    "23505" "duplicate key value violates unique constraint \"pg_class_relname_nsp_index\"" => StaleName, Taken, Footprint, Tried;
    "23505" "duplicate key value violates unique constraint \"pg_type_typname_nsp_index\"" => StaleName, Taken, Footprint, Tried;
    "23505" "duplicate key value violates unique constraint \"pg_namespace_nspname_index\"" => StaleName, Taken, Footprint, Tried;
    "23505" "duplicate key value violates unique constraint \"pg_authid_rolname_index\"" => StaleName, Taken, Footprint, Tried;
    "23505" "duplicate key value violates unique constraint \"pg_constraint_conrelid_contypid_conname_index\""
        => StaleName, PartTaken, Footprint, Documented;
    "23505" "duplicate key value violates unique constraint \"pg_attribute_relid_attnam_index\""
        => StaleName, PartTaken, Footprint, Documented;
    "23505" "duplicate key value violates unique constraint \"pg_proc_proname_args_nsp_index\""
        => StaleName, Taken, Footprint, Documented;
    "23505" "duplicate key value violates unique constraint \"pg_{}\"" => StaleName, CatalogRace, Closure, Tried;
    // Shapes that changed under a statement.
    "42601" "INSERT has more expressions than target columns" => StaleName, Redefined, Footprint, Tried;
    "42601" "INSERT has more target columns than expressions" => StaleName, Redefined, Footprint, Tried;
    "42804" "{}" => StaleName, Redefined, Footprint, Tried;
    "42P16" "{}" => StaleName, Redefined, Footprint, Tried;
    "42830" "{}" => StaleName, Redefined, Footprint, Tried;
    "0A000" "cannot cluster on {} index \"{name}\"" => StaleName, Redefined, Footprint, Documented;
    "42P10" "there is no unique or exclusion constraint matching the ON CONFLICT specification" => StaleName, PartGone, Footprint, Tried;
    "42P10" "{}" => StaleName, Redefined, Footprint, Documented;
    "42846" "{}" => StaleName, Redefined, Footprint, Documented;
    "42P16" "multiple primary keys for table \"{name}\" are not allowed" => StaleName, Redefined, Footprint, Documented;
    "0A000" "cached plan must not change result type" => StaleName, Redefined, Footprint, Tried;
    "0A000" "cannot alter type of a column used by a generated column" => Tool, Tool, Footprint, Documented;
    "0A000" "cannot alter type of a column used by a view or rule" => Dependency, Dependents, Footprint, Tried;
    "0A000" "cannot alter type of a column used {}" => Dependency, Dependents, Footprint, Tried;
    "0A000" "cannot truncate a table referenced in a foreign key constraint" => Dependency, Dependents, Footprint, Tried;
    "55000" "cannot insert into view \"{name}\"" => StaleName, OtherKind, Footprint, Documented;
    // C2: dependents, use.
    "2BP01" "cannot drop {} because other objects depend on it" => Dependency, Dependents, Footprint, Tried;
    "2BP01" "cannot drop desired object(s) because other objects depend on them" => Dependency, Dependents, Footprint, Documented;
    "2BP01" "role \"{name}\" cannot be dropped because some objects depend on it" => Dependency, Dependents, Footprint, Tried;
    "2BP01" "cannot drop index {} because constraint {} on table {} requires it" => Tool, Tool, Footprint, Documented;
    "55006" "cannot {} \"{name}\" because it is being used by active queries in this session" => Dependency, InUse, Closure, Tried;
    "55006" "cannot {} \"{name}\" because it has pending trigger events" => Dependency, InUse, Closure, Documented;
    "55006" "{}" => Dependency, InUse, Closure, Tried;
    "55000" "materialized view \"{name}\" has not been populated" => Dependency, Redefined, Closure, Tried;
    "55000" "cannot refresh materialized view \"{name}\" concurrently" => Dependency, Redefined, Closure, Tried;
    "55000" "cannot refresh materialized view \"{name}\" concurrently" => Dependency, Dependents, Closure, Tried;
    "55000" "currval of sequence \"{name}\" is not yet defined in this session" => Tool, Tool, Footprint, Documented;
    "0LP01" "{}" => Dependency, CatalogRace, Closure, Documented;
    // C3: values and constraints.
    "23505" "duplicate key value violates unique constraint \"{}\"" => Data, CanRaise(D::Unique), Footprint, Tried;
    "23505" "could not create unique index \"{}\"" => Data, CanRaise(D::Unique), Footprint, Tried;
    "23502" "null value in column \"{}\" of relation \"{}\" violates not-null constraint" => Data, CanRaise(D::NotNull), Footprint, Tried;
    "23502" "column \"{}\" of relation \"{}\" contains null values" => Data, CanRaise(D::NotNull), Footprint, Tried;
    "23502" "domain {} does not allow null values" => Data, CanRaise(D::NotNull), Footprint, Documented;
    "23503" "{} violates foreign key constraint \"{}\"" => Data, CanRaise(D::ForeignKey), Footprint, Tried;
    "23503" "{} violates foreign key constraint \"{}\" on table \"{}\"" => Data, CanRaise(D::ForeignKey), Footprint, Tried;
    "23514" "{} violates check constraint \"{}\"" => Data, CanRaise(D::Check), Footprint, Tried;
    "23514" "check constraint \"{}\" of relation \"{}\" is violated by some row" => Data, CanRaise(D::Check), Footprint, Tried;
    "44000" "{}" => Data, CanRaise(D::Check), Footprint, Documented;
    // A value that fits a column may not fit the type that it has meanwhile.
    "22003" "{}" => Data, CanRaise(D::NumericRange), Footprint, Tried;
    "22003" "{}" => Data, Redefined, Footprint, Tried;
    "22012" "division by zero" => Data, CanRaise(D::DivisionByZero), Footprint, Tried;
    "22008" "{}" => Data, CanRaise(D::DatetimeRange), Footprint, Tried;
    "22008" "{}" => Data, Redefined, Footprint, Tried;
    "22015" "{}" => Data, CanRaise(D::DatetimeRange), Footprint, Documented;
    "22007" "{}" => Data, CanRaise(D::InvalidDatetime), Footprint, Tried;
    "22009" "time zone displacement out of range: {}" => Data, CanRaise(D::InvalidDatetime), Footprint, Tried;
    "22007" "{}" => Data, Redefined, Footprint, Tried;
    "22P02" "{}" => Data, CanRaise(D::InvalidText), Footprint, Tried;
    "22P02" "{}" => Data, Redefined, Footprint, Tried;
    "22P03" "{}" => Data, CanRaise(D::InvalidText), Footprint, Documented;
    "22023" "{}" => Data, CanRaise(D::InvalidParameter), Footprint, Tried;
    "22011" "{}" => Data, CanRaise(D::Substring), Footprint, Tried;
    "2201B" "{}" => Data, CanRaise(D::RegularExpression), Footprint, Tried;
    "22025" "{}" => Data, CanRaise(D::RegularExpression), Footprint, Documented;
    "2201E" "{}" => Data, CanRaise(D::Logarithm), Footprint, Tried;
    "2201F" "{}" => Data, CanRaise(D::Power), Footprint, Tried;
    "2201W" "{}" => Data, CanRaise(D::RowCount), Footprint, Tried;
    "2201X" "{}" => Data, CanRaise(D::RowCount), Footprint, Tried;
    "2201G" "{}" => Data, CanRaise(D::WidthBucket), Footprint, Documented;
    "22001" "{}" => Data, CanRaise(D::TooLong), Footprint, Tried;
    "22001" "{}" => Data, Redefined, Footprint, Tried;
    "22021" "{}" => Data, CanRaise(D::Encoding), Footprint, Documented;
    "2202E" "{}" => Data, CanRaise(D::Array), Footprint, Documented;
    "2203*" "{}" => Data, CanRaise(D::Json), Footprint, Documented;
    "22P04" "{}" => StaleName, Redefined, Footprint, Documented;
    "21000" "{}" => Data, CanRaise(D::Cardinality), Footprint, Tried;
    "54000" "{}" => Data, CanRaise(D::TooBig), Footprint, Documented;
    "54001" "{}" => Data, CanRaise(D::Complexity), Footprint, Documented;
    "54023" "{}" => Tool, Tool, Footprint, Documented;
    "54011" "{}" => Data, CanRaise(D::Complexity), Footprint, Documented;
    // C4: rights.
    "42501" "permission denied for {} {name}" => Privilege, Lacks, Closure, Tried;
    "42501" "must be owner of {} {name}" => Privilege, Lacks, Closure, Tried;
    "42501" "{}" => Privilege, Lacks, Closure, Tried;
    // C5: interrupts.
    "57014" "canceling statement due to user request" => Interrupt, FaultSent, Footprint, Tried;
    "57014" "canceling statement due to statement timeout" => Interrupt, LimitInForce(Limit::Statement), Footprint, Tried;
    "55P03" "canceling statement due to lock timeout" => Interrupt, LimitInForce(Limit::Lock), Footprint, Tried;
    "55P03" "could not obtain lock on {}" => Interrupt, Overlap, Footprint, Tried;
    "25P03" "terminating connection due to idle-in-transaction timeout"
        => Interrupt, LimitInForce(Limit::IdleInTransaction), Footprint, Documented;
    // C6: connections.
    "57P01" "{}" => Connection, FaultSent, Footprint, Tried;
    "57P02" "{}" => Connection, FaultSent, Footprint, Tried;
    "57P03" "{}" => Connection, FaultSent, Footprint, Tried;
    "08*" "{}" => Connection, FaultSent, Footprint, Documented;
    "" "{}" => Connection, FaultSent, Footprint, Tried;
    // C7: resources.
    "53*" "{}" => Resource, Resource, Footprint, Documented;
    // C8: states and tools.
    "25P02" "current transaction is aborted, commands ignored until end of transaction block"
        => Tool, FailedTransaction, Footprint, Tried;
    "25006" "cannot execute {} in a read-only transaction" => Tool, ReadOnly, Footprint, Tried;
    "25001" "{}" => Tool, TransactionState, Footprint, Tried;
    "25P01" "{}" => Tool, TransactionState, Footprint, Tried;
    "3B001" "savepoint \"{name}\" does not exist" => Tool, SessionName, Footprint, Documented;
    "26000" "prepared statement \"{name}\" does not exist" => Tool, SessionName, Footprint, Tried;
    "34000" "cursor \"{name}\" does not exist" => Tool, SessionName, Footprint, Tried;
    "42P05" "prepared statement \"{name}\" already exists" => Tool, SessionName, Footprint, Tried;
    "42P03" "cursor \"{name}\" already exists" => Tool, SessionName, Footprint, Documented;
    "42601" "{}" => Tool, Tool, Footprint, Tried;
    "42804" "{}" => Tool, Tool, Footprint, Tried;
    "42803" "{}" => Tool, Tool, Footprint, Documented;
    "42P1*" "{}" => Tool, Tool, Footprint, Tried;
    "42702" "{}" => Tool, Tool, Footprint, Documented;
    "42725" "{}" => Tool, Tool, Footprint, Documented;
    "42846" "{}" => Tool, Tool, Footprint, Tried;
    "42830" "{}" => Tool, Tool, Footprint, Tried;
    "42P2*" "{}" => Tool, Tool, Footprint, Documented;
    "42611" "{}" => Tool, Tool, Footprint, Documented;
    "42809" "{}" => Tool, Tool, Footprint, Documented;
    "0A000" "{}" => Tool, Tool, Footprint, Documented;
    "42P17" "{}" => Tool, Tool, Footprint, Guess;
    "428C9" "{}" => Tool, Tool, Footprint, Guess;
    // C9: internal; only these few are the work of a change of the catalogue at the same time.
    "XX000" "tuple concurrently updated" => StaleName, CatalogRace, Closure, Tried;
    "XX000" "tuple concurrently deleted" => StaleName, CatalogRace, Closure, Tried;
    "XX000" "could not open relation with OID {}" => StaleName, CatalogRace, Closure, Tried;
    "42P01" "relation with OID {} does not exist" => StaleName, CatalogRace, Closure, Documented;
    // Neither a type nor a function is locked by what is made of it: dropped at the same time, it leaves that behind.
    "42704" "type with OID {} does not exist" => StaleName, Orphaned, Closure, Tried;
    "XX000" "cache lookup failed for type {}" => StaleName, Orphaned, Closure, Tried;
    "XX000" "cache lookup failed for function {}" => StaleName, Orphaned, Closure, Documented;
    "XX000" "cache lookup failed for {}" => StaleName, CatalogRace, Closure, Tried;
    // A change of type spells out the constraints again, as of the snapshot of its transaction.
    "XX000" "could not find tuple for constraint {}" => StaleName, CatalogRace, Closure, Tried;
    "XX000" "could not find tuple for default ACL {}" => StaleName, CatalogRace, Closure, Documented;
    "XX000" "relation {} was concurrently dropped" => StaleName, CatalogRace, Anywhere, Documented;
    "XX*" "{}" => Internal, Never, Footprint, Tried;
    "58*" "{}" => Internal, Never, Footprint, Documented;
};
