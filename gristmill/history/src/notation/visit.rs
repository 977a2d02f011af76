//! Visits, steps, writes and queries as text.

use super::NotationError;
use super::ending;
use super::scan::{Scan, Scanned, joined};
use crate::explicit::written;
use crate::{
    Aggregate, Amounts, Cells, Change, ChangeKind, Extras, From, Level, Lts, Op, Part, Parts, Predicate,
    Query, Relation, RowChoice, Select, Step, Visit,
};
use datagen::schema::ColumnId;
use datagen::universe::Slice;
use datagen::value::Order;
use std::fmt;
use std::str::FromStr;

pub(super) const LEVELS: [(Level, &str); 5] = [
    (Level::ReadUncommitted, "read-uncommitted"),
    (Level::ReadCommitted, "read-committed"),
    (Level::RepeatableRead, "repeatable-read"),
    (Level::Snapshot, "snapshot"),
    (Level::Serializable, "serializable"),
];

/// Longer ones before those that they begin with.
const RELATIONS: [(Relation, &str); 9] = [
    (Relation::Ne, "<>"),
    (Relation::Le, "<="),
    (Relation::Ge, ">="),
    (Relation::Eq, "="),
    (Relation::Lt, "<"),
    (Relation::Gt, ">"),
    (Relation::ContainsEntry, " contains-entry "),
    (Relation::ContainsKey, " contains-key "),
    (Relation::Contains, " contains "),
];

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.lts)?;
        if self.level != Level::Serializable {
            let name = LEVELS
                .iter()
                .find(|(level, _)| *level == self.level)
                .expect("every level has a name")
                .1;
            write!(f, "@{name}")?;
        }
        if self.writes != written(&self.steps) {
            write!(f, " writes {}", joined(&self.writes, Part::to_string))?;
        }
        f.write_str(":")?;
        for (n, step) in self.steps.iter().enumerate() {
            write!(f, "{} {step}", if n == 0 { "" } else { ";" })?;
        }
        f.write_str(&ending::text(self.end, self.stamp.as_ref()))
    }
}

impl FromStr for Visit {
    type Err = NotationError;

    fn from_str(text: &str) -> Result<Visit, NotationError> {
        let scan = &mut Scan::new(text.trim());
        let lts = Lts(scan.number()?);
        let level = if scan.eat("@") {
            let word = scan.word()?;
            match LEVELS.iter().find(|(_, name)| *name == word) {
                Some((level, _)) => *level,
                None => return scan.fail("an isolation level before it"),
            }
        } else {
            Level::Serializable
        };
        let given = scan.eat(" writes ").then(|| parts_written(scan)).transpose()?;
        scan.expect(":")?;
        let mut steps = Vec::new();
        if !scan.peek(" |") {
            loop {
                scan.expect(" ")?;
                steps.push(step(scan)?);
                if !scan.eat(";") {
                    break;
                }
            }
        }
        let (end, stamp) = ending::ending(scan)?;
        scan.end()?;
        Ok(Visit {
            lts,
            level,
            writes: given.unwrap_or_else(|| written(&steps)),
            steps,
            end,
            stamp,
        })
    }
}

fn parts_written(scan: &mut Scan<'_>) -> Scanned<Vec<Part>> {
    if scan.peek(":") {
        Ok(Vec::new())
    } else {
        scan.list(part)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(op) => op.fmt(f),
            Self::Read(query) => query.fmt(f),
            Self::Savepoint(n) => write!(f, "savepoint {n}"),
            Self::RollbackTo(n) => write!(f, "rollback to {n}"),
            Self::Change(change) => {
                let column = column_text(&change.column);
                write!(f, "{} t{} {column}", change.what.name(), change.table)
            }
        }
    }
}

pub(super) fn step(scan: &mut Scan<'_>) -> Scanned<Step> {
    if scan.eat("savepoint ") {
        return Ok(Step::Savepoint(scan.number()?));
    }
    if scan.eat("rollback to ") {
        return Ok(Step::RollbackTo(scan.number()?));
    }
    if scan.eat("read ") {
        return Ok(Step::Read(query(scan)?));
    }
    if let Some((what, _)) = ChangeKind::ALL.into_iter().find(|(_, name)| scan.eat(name)) {
        scan.expect(" t")?;
        let table = scan.number()?;
        scan.expect(" ")?;
        let column = column(scan)?;
        return Ok(Step::Change(Change { table, column, what }));
    }
    Ok(Step::Write(op(scan)?))
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert {
                part,
                row,
                cells,
                strict,
            } => {
                let name = if *strict { "insert!" } else { "insert" };
                write!(f, "{name} {part}/{row}{}", cells_text(cells))
            }
            Self::Upsert { part, row, cells } => write!(f, "upsert {part}/{row}{}", cells_text(cells)),
            Self::Update { part, row, cells } => write!(f, "update {part}/{row}{}", cells_text(cells)),
            Self::Shared { part, cells } => write!(f, "shared {part}{}", cells_text(cells)),
            Self::DeleteRow { part, row } => write!(f, "delete {part}/{row}"),
            Self::DeleteCells { part, row, columns } => {
                write!(f, "delete {part}/{row} {}", joined(columns, column_text))
            }
            Self::Elements {
                part,
                row,
                column,
                elements,
            } => {
                let row = row.map_or(String::new(), |row| format!("/{row}"));
                let element = |(slot, value): &(u16, Option<u64>)| match value {
                    Some(value) => format!("{slot}={value}"),
                    None => format!("{slot}=null"),
                };
                write!(
                    f,
                    "elements {part}{row} {} {}",
                    column_text(column),
                    joined(elements, element)
                )
            }
            Self::Add { part, row, amounts } => {
                let row = row.map_or(String::new(), |row| format!("/{row}"));
                let amount = |(column, n): &(ColumnId, i64)| format!(" c{}={n}", column.0);
                write!(
                    f,
                    "add {part}{row}{}",
                    amounts.iter().map(amount).collect::<String>()
                )
            }
            Self::DeleteSlice { part, slice } => write!(f, "delete {part}{}", slice_text(slice)),
            Self::DeletePartition { part } => write!(f, "delete {part}"),
        }
    }
}

/// What a step may begin with.
const WORDS: &str = "insert, insert!, upsert, update, elements, add, shared, delete, read, savepoint, rollback to, \
    create-index, drop-index, \
     drop-column or add-column";

fn op(scan: &mut Scan<'_>) -> Scanned<Op> {
    if scan.eat("shared ") {
        return Ok(Op::Shared {
            part: part(scan)?,
            cells: cells(scan)?,
        });
    }
    if scan.eat("add ") {
        let part = part(scan)?;
        let row = scan.eat("/").then(|| scan.number()).transpose()?;
        let mut amounts = Amounts::new();
        while scan.peek(" c") {
            scan.expect(" ")?;
            let column = column(scan)?;
            scan.expect("=")?;
            amounts.push((column, scan.number()?));
        }
        return Ok(Op::Add { part, row, amounts });
    }
    if scan.eat("elements ") {
        let part = part(scan)?;
        let row = scan.eat("/").then(|| scan.number()).transpose()?;
        scan.expect(" ")?;
        let column = column(scan)?;
        scan.expect(" ")?;
        let elements = scan.list(|scan| {
            let slot = scan.number()?;
            scan.expect("=")?;
            let value = if scan.eat("null") {
                None
            } else {
                Some(scan.number()?)
            };
            Ok((slot, value))
        })?;
        return Ok(Op::Elements {
            part,
            row,
            column,
            elements: elements.into(),
        });
    }
    if scan.eat("delete ") {
        let part = part(scan)?;
        if scan.eat("/") {
            let row = scan.number()?;
            if !scan.peek(" c") {
                return Ok(Op::DeleteRow { part, row });
            }
            scan.expect(" ")?;
            return Ok(Op::DeleteCells {
                part,
                row,
                columns: scan.list(column)?,
            });
        }
        return Ok(match scan.peek("[") || scan.peek("(") {
            true => Op::DeleteSlice {
                part,
                slice: slice(scan)?,
            },
            false => Op::DeletePartition { part },
        });
    }
    let name = match ["insert! ", "insert ", "upsert ", "update "]
        .into_iter()
        .find(|name| scan.eat(name))
    {
        Some(name) => name.trim_end(),
        None => {
            return scan.fail(WORDS);
        }
    };
    let part = part(scan)?;
    scan.expect("/")?;
    let (row, cells) = (scan.number()?, cells(scan)?);
    Ok(match name {
        "upsert" => Op::Upsert { part, row, cells },
        "update" => Op::Update { part, row, cells },
        insert => Op::Insert {
            part,
            row,
            cells,
            strict: insert == "insert!",
        },
    })
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read t{}/", self.table)?;
        match &self.parts {
            Parts::One(part) => write!(f, "{part}")?,
            Parts::In(parts) => write!(f, "{{{}}}", joined(parts, u64::to_string))?,
            Parts::All => f.write_str("*")?,
            Parts::Ring { after, upto } => {
                let bound = |at: &Option<u64>| at.map_or_else(String::new, |at| at.to_string());
                write!(f, "ring{}..{}", bound(after), bound(upto))?;
            }
        }
        match &self.rows {
            RowChoice::All => {}
            RowChoice::One(row) => write!(f, "/{row}")?,
            RowChoice::In(rows) => write!(f, "/{{{}}}", joined(rows, u64::to_string))?,
            RowChoice::Slice(slice) => f.write_str(&slice_text(slice))?,
        }
        f.write_str(match self.from {
            From::Table => "",
            From::Shared => " of-shared",
            From::InnerJoin => " join",
            From::LeftJoin => " left-join",
        })?;
        match &self.select {
            Select::Columns(columns) => write!(f, " select {}", joined(columns, column_text))?,
            Select::Distinct(columns) => write!(f, " distinct {}", joined(columns, column_text))?,
            Select::Aggregates(all) => write!(f, " aggregate {}", joined(all, aggregate_text))?,
            Select::Group { by, aggregates } => {
                write!(f, " group {}", joined(by, column_text))?;
                if !aggregates.is_empty() {
                    write!(f, " with {}", joined(aggregates, aggregate_text))?;
                }
            }
        }
        if !self.filter.is_empty() {
            write!(f, " where {}", joined(&self.filter, predicate_text))?;
        }
        if !self.order.is_empty() {
            let term = |(column, order): &(ColumnId, Order)| {
                format!(
                    "{}{}",
                    if *order == Order::Desc { "-" } else { "" },
                    column_text(column)
                )
            };
            write!(f, " order {}", joined(&self.order, term))?;
        }
        if let Some(limit) = self.limit {
            write!(f, " limit {limit}")?;
        }
        if self.offset != 0 {
            write!(f, " offset {}", self.offset)?;
        }
        if let Some(n) = self.extras.per_partition {
            write!(f, " per-partition {n}")?;
        }
        if let Some(n) = self.extras.page {
            write!(f, " page {n}")?;
        }
        f.write_str(if self.extras.stamps { " stamps" } else { "" })?;
        f.write_str(if self.extras.ttls { " ttls" } else { "" })
    }
}

fn query(scan: &mut Scan<'_>) -> Scanned<Query> {
    scan.expect("t")?;
    let table = scan.number()?;
    scan.expect("/")?;
    let parts = if scan.eat("*") {
        Parts::All
    } else if scan.eat("ring") {
        ring(scan)?
    } else if scan.peek("{") {
        Parts::In(numbers(scan)?)
    } else {
        Parts::One(scan.number()?)
    };
    let rows = if scan.eat("/") {
        if scan.peek("{") {
            RowChoice::In(numbers(scan)?)
        } else {
            RowChoice::One(scan.number()?)
        }
    } else if scan.peek("[") || scan.peek("(") {
        RowChoice::Slice(slice(scan)?)
    } else {
        RowChoice::All
    };
    let from = if scan.eat(" of-shared") {
        From::Shared
    } else if scan.eat(" join") {
        From::InnerJoin
    } else if scan.eat(" left-join") {
        From::LeftJoin
    } else {
        From::Table
    };
    let select = if scan.eat(" select ") {
        Select::Columns(scan.list(column)?)
    } else if scan.eat(" distinct ") {
        Select::Distinct(scan.list(column)?)
    } else if scan.eat(" aggregate ") {
        Select::Aggregates(scan.list(aggregate)?)
    } else if scan.eat(" group ") {
        let by = scan.list(column)?;
        Select::Group {
            by,
            aggregates: if scan.eat(" with ") {
                scan.list(aggregate)?
            } else {
                Vec::new()
            },
        }
    } else {
        return scan.fail(" select, distinct, aggregate or group");
    };
    let filter = if scan.eat(" where ") {
        scan.list(predicate)?
    } else {
        Vec::new()
    };
    let order = if scan.eat(" order ") {
        scan.list(|scan| {
            let order = if scan.eat("-") { Order::Desc } else { Order::Asc };
            Ok((column(scan)?, order))
        })?
    } else {
        Vec::new()
    };
    let limit = if scan.eat(" limit ") {
        Some(scan.number()?)
    } else {
        None
    };
    let offset = if scan.eat(" offset ") { scan.number()? } else { 0 };
    Ok(Query {
        table,
        from,
        parts,
        rows,
        filter,
        select,
        order,
        limit,
        offset,
        extras: extras(scan)?,
    })
}

fn extras(scan: &mut Scan<'_>) -> Scanned<Extras> {
    Ok(Extras {
        per_partition: scan.eat(" per-partition ").then(|| scan.number()).transpose()?,
        page: scan.eat(" page ").then(|| scan.number()).transpose()?,
        stamps: scan.eat(" stamps"),
        ttls: scan.eat(" ttls"),
    })
}

/// `ring3..7`: above the token of partition 3, at most that of 7.
fn ring(scan: &mut Scan<'_>) -> Scanned<Parts> {
    let after = if scan.peek("..") {
        None
    } else {
        Some(scan.number()?)
    };
    scan.expect("..")?;
    let ends = [" ", "/", "[", "("].iter().any(|next| scan.peek(next));
    let upto = if ends { None } else { Some(scan.number()?) };
    Ok(Parts::Ring { after, upto })
}

fn numbers(scan: &mut Scan<'_>) -> Scanned<Vec<u64>> {
    scan.expect("{")?;
    let all = if scan.peek("}") {
        Vec::new()
    } else {
        scan.list(Scan::number)?
    };
    scan.expect("}")?;
    Ok(all)
}

fn part(scan: &mut Scan<'_>) -> Scanned<Part> {
    scan.expect("t")?;
    let table = scan.number()?;
    scan.expect("/")?;
    Ok(Part {
        table,
        position: scan.number()?,
    })
}

fn column_text(column: &ColumnId) -> String {
    format!("c{}", column.0)
}

pub(super) fn column(scan: &mut Scan<'_>) -> Scanned<ColumnId> {
    scan.expect("c")?;
    Ok(ColumnId(scan.number()?))
}

fn cells_text(cells: &Cells) -> String {
    let cell = |(column, value): &(ColumnId, Option<u64>)| match value {
        Some(value) => format!(" c{}={value}", column.0),
        None => format!(" c{}=null", column.0),
    };
    cells.iter().map(cell).collect()
}

fn cells(scan: &mut Scan<'_>) -> Scanned<Cells> {
    let mut all = Cells::new();
    while scan.peek(" c") {
        scan.expect(" ")?;
        let column = column(scan)?;
        scan.expect("=")?;
        all.push((
            column,
            if scan.eat("null") {
                None
            } else {
                Some(scan.number()?)
            },
        ));
    }
    Ok(all)
}

fn slice_text(slice: &Slice) -> String {
    let (open, lower) = match slice.lower {
        Some((digit, inclusive)) => (if inclusive { "[" } else { "(" }, digit.to_string()),
        None => ("[", String::new()),
    };
    let (close, upper) = match slice.upper {
        Some((digit, inclusive)) => (if inclusive { "]" } else { ")" }, digit.to_string()),
        None => ("]", String::new()),
    };
    format!(
        "{open}{}:{lower}..{upper}{close}",
        joined(&slice.prefix, u32::to_string)
    )
}

fn slice(scan: &mut Scan<'_>) -> Scanned<Slice> {
    let from_included = scan.eat("[");
    if !from_included {
        scan.expect("(")?;
    }
    let prefix = if scan.peek(":") {
        Vec::new()
    } else {
        scan.list(Scan::number)?
    };
    scan.expect(":")?;
    let lower = if scan.peek("..") {
        None
    } else {
        Some(scan.number()?)
    };
    scan.expect("..")?;
    let upper = if scan.peek("]") || scan.peek(")") {
        None
    } else {
        Some(scan.number()?)
    };
    let to_included = scan.eat("]");
    if !to_included {
        scan.expect(")")?;
    }
    Ok(Slice {
        prefix,
        lower: lower.map(|d| (d, from_included)),
        upper: upper.map(|d| (d, to_included)),
    })
}

fn aggregate_text(aggregate: &Aggregate) -> String {
    match aggregate {
        Aggregate::CountRows => "count".to_owned(),
        Aggregate::Count(c) => format!("count:c{}", c.0),
        Aggregate::Min(c) => format!("min:c{}", c.0),
        Aggregate::Max(c) => format!("max:c{}", c.0),
        Aggregate::Sum(c) => format!("sum:c{}", c.0),
        Aggregate::Avg(c) => format!("avg:c{}", c.0),
    }
}

fn aggregate(scan: &mut Scan<'_>) -> Scanned<Aggregate> {
    let name = scan.word()?;
    if name == "count" && !scan.peek(":") {
        return Ok(Aggregate::CountRows);
    }
    scan.expect(":")?;
    let column = column(scan)?;
    Ok(match name {
        "count" => Aggregate::Count(column),
        "min" => Aggregate::Min(column),
        "max" => Aggregate::Max(column),
        "sum" => Aggregate::Sum(column),
        "avg" => Aggregate::Avg(column),
        _ => return scan.fail("count, min, max, sum or avg before it"),
    })
}

fn predicate_text(predicate: &Predicate) -> String {
    let column = column_text(&predicate.column);
    match RELATIONS
        .iter()
        .find(|(relation, _)| *relation == predicate.relation)
    {
        Some((_, sign)) => format!("{column}{sign}{}", predicate.value),
        None if predicate.relation == Relation::IsNull => {
            format!("{column} is-null{}", unused(predicate.value))
        }
        None => format!("{column} is-not-null{}", unused(predicate.value)),
    }
}

/// The null tests have a value that nothing uses; it is shown where it is not 0, so that nothing is lost (N1).
fn unused(value: u64) -> String {
    if value == 0 {
        String::new()
    } else {
        format!(":{value}")
    }
}

fn predicate(scan: &mut Scan<'_>) -> Scanned<Predicate> {
    let column = column(scan)?;
    for (text, relation) in [
        (" is-null", Relation::IsNull),
        (" is-not-null", Relation::IsNotNull),
    ] {
        if scan.eat(text) {
            let value = if scan.eat(":") { scan.number()? } else { 0 };
            return Ok(Predicate {
                column,
                relation,
                value,
            });
        }
    }
    match RELATIONS.iter().find(|(_, sign)| scan.eat(sign)) {
        Some((relation, _)) => Ok(Predicate {
            column,
            relation: *relation,
            value: scan.number()?,
        }),
        None => scan.fail("a comparison"),
    }
}
