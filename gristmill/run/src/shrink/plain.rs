//! What can be made plainer in a case without anything being taken out of the plan: reads that ask for less, writes of fewer
//! cells, transactions of one statement, short values, first keys, numbers from 1.

use super::case::Case;
use super::cuts::{at, positions};
use super::search::Search;
use crate::RunError;
use datagen::domain::Domain;
use datagen::schema::ColumnId;
use datagen::universe::Universe;
use datagen::value::{Type, Value};
use history::{Cells, End, Extras, Line, Lts, Op, Part, Parts, Query, RowChoice, Select, Step, Visit};
use std::collections::{BTreeMap, BTreeSet};

/// Keys of a universe that are looked at for a short one.
const LOOKED_AT: u64 = 512;

impl Search<'_> {
    /// Makes plain what can be, until nothing can.
    pub(super) fn make_plain(&mut self) -> Result<(), RunError> {
        loop {
            let mut any = self.simpler_steps()?;
            any |= self.simpler_ends()?;
            any |= self.plain_values()?;
            any |= self.plain_keys()?;
            any |= self.plain_numbers()?;
            if !any || self.is_over() {
                return Ok(());
            }
        }
    }

    /// Every statement by a simpler one.
    fn simpler_steps(&mut self) -> Result<bool, RunError> {
        let mut any = false;
        let mut visit = 0;
        while visit < self.best().lines.len() {
            let mut step = 0;
            while step < self.best().lines[visit].visit.steps.len() {
                let simpler = match &self.best().lines[visit].visit.steps[step] {
                    Step::Read(query) => simpler_reads(query).into_iter().map(Step::Read).collect(),
                    Step::Write(op) => simpler_writes(op).into_iter().map(Step::Write).collect(),
                    Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => Vec::new(),
                };
                let mut taken = false;
                for plain in simpler {
                    let case = replaced(self.best(), visit, step, plain);
                    taken = taken || self.take(case)?;
                }
                any |= taken;
                // A step that became simpler may become simpler still.
                if !taken {
                    step += 1;
                }
            }
            visit += 1;
        }
        Ok(any)
    }

    /// A transaction of one statement becomes that statement, if that can be.
    fn simpler_ends(&mut self) -> Result<bool, RunError> {
        let mut any = false;
        for n in 0..self.best().lines.len() {
            let mut lines = self.best().lines.clone();
            if lines[n].visit.end == End::Commit && lines[n].visit.steps.len() == 1 {
                lines[n].visit.end = End::Autocommit;
                any |= self.take(self.best().with(lines))?;
            }
        }
        Ok(any)
    }

    /// All values at once, then one by one.
    fn plain_values(&mut self) -> Result<bool, RunError> {
        let cells = cells(self.best());
        let plainest = |case: &Case, at: &Cell| plain(case, at).into_iter().next();
        let all = cells
            .iter()
            .fold(self.best().clone(), |case, at| match plainest(&case, at) {
                Some(value) => with_value(&case, at, value),
                None => case,
            });
        let mut any = self.take(all)?;
        for at in cells {
            for value in plain(self.best(), &at) {
                if self.take(with_value(self.best(), &at, value))? {
                    any = true;
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Rows and partitions with short keys: all of a table at once, then one by one.
    fn plain_keys(&mut self) -> Result<bool, RunError> {
        let mut any = false;
        for table in 0..self.best().schema.tables.len() {
            let Ok(table) = u16::try_from(table) else { break };
            any |= self.plain_positions(table, &PARTITIONS)?;
            any |= self.plain_positions(table, &ROWS)?;
        }
        Ok(any)
    }

    fn plain_positions(&mut self, table: u16, kind: &Keys) -> Result<bool, RunError> {
        let used: Vec<u64> = (kind.used)(self.best(), table).into_iter().collect();
        let schema = std::sync::Arc::clone(&self.best().schema);
        let of = schema.table(table);
        let short = shortest((kind.universe)(of), used.len());
        if used.is_empty() || short.len() < used.len() {
            return Ok(false);
        }
        let all: BTreeMap<u64, u64> = used.iter().copied().zip(short.iter().copied()).collect();
        let mut any = self.take((kind.moved)(self.best(), table, &all))?;
        if any {
            return Ok(true);
        }
        for position in used {
            for to in short.iter().filter(|to| **to != position) {
                let one = BTreeMap::from([(position, *to)]);
                if self.take((kind.moved)(self.best(), table, &one))? {
                    any = true;
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Visits from 1, steps from 0.
    fn plain_numbers(&mut self) -> Result<bool, RunError> {
        let old = self.best().clone();
        let mut order: Vec<Lts> = old.lines.iter().map(|l| l.visit.lts).collect();
        order.sort_unstable();
        let new: BTreeMap<Lts, Lts> = order.into_iter().zip((1..).map(Lts)).collect();
        let lines = old.lines.iter().map(|line| {
            let visit = Visit {
                lts: new[&line.visit.lts],
                ..line.visit.clone()
            };
            let beside = line.beside.iter().map(|l| new[l]).collect();
            Line {
                beside,
                ..Line::new(line.session, visit)
            }
        });
        let mut case = old.with(lines.collect());
        for fault in &mut case.faults_at {
            let line = old.lines.iter().find(|l| l.visit.lts.0 == fault.lts);
            if let Some(step) = line.and_then(|l| l.numbers.iter().position(|n| *n == fault.step)) {
                fault.step = u16::try_from(step).expect("it was a step's number");
            }
            fault.lts = new.get(&Lts(fault.lts)).map_or(fault.lts, |lts| lts.0);
        }
        self.take(case)
    }
}

/// The case with another step in one place.
fn replaced(case: &Case, visit: usize, step: usize, by: Step) -> Case {
    let mut lines = case.lines.clone();
    lines[visit].visit.steps[step] = by;
    lines[visit].visit.writes = history::explicit::written(&lines[visit].visit.steps);
    case.with(lines)
}

/// Lists that are one shorter, the shortest first.
fn shorter<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.len() < 2 {
        return Vec::new();
    }
    let one = list.iter().map(|item| vec![item.clone()]);
    let less = (0..list.len()).filter(|_| list.len() > 2).map(|gone| {
        let kept = list.iter().enumerate().filter(|(n, _)| *n != gone);
        kept.map(|(_, item)| item.clone()).collect()
    });
    one.chain(less).collect()
}

/// Without each thing that only reads under `lww` say.
fn simpler_extras(query: &Query) -> [Extras; 4] {
    let all = query.extras;
    [
        Extras { stamps: false, ..all },
        Extras { ttls: false, ..all },
        Extras {
            per_partition: None,
            ..all
        },
        Extras { page: None, ..all },
    ]
}

fn simpler_reads(query: &Query) -> Vec<Query> {
    let same = || query.clone();
    let mut out = Vec::new();
    let mut add = |simpler: Query| {
        if simpler != *query {
            out.push(simpler);
        }
    };
    add(Query {
        filter: Vec::new(),
        ..same()
    });
    for filter in shorter(&query.filter) {
        add(Query { filter, ..same() });
    }
    add(Query {
        order: Vec::new(),
        limit: None,
        offset: 0,
        ..same()
    });
    add(Query {
        limit: None,
        offset: 0,
        ..same()
    });
    add(Query { offset: 0, ..same() });
    for order in shorter(&query.order) {
        add(Query { order, ..same() });
    }
    add(Query {
        from: history::From::Table,
        ..same()
    });
    if let Parts::In(parts) = &query.parts {
        for parts in shorter(parts) {
            let parts = match parts.as_slice() {
                [one] => Parts::One(*one),
                _ => Parts::In(parts),
            };
            add(Query { parts, ..same() });
        }
    }
    if let Parts::Ring { after, upto } = query.parts {
        for (after, upto) in [(None, None), (None, upto), (after, None)] {
            let parts = match (after, upto) {
                (None, None) => Parts::All,
                (after, upto) => Parts::Ring { after, upto },
            };
            add(Query { parts, ..same() });
        }
    }
    for extras in simpler_extras(query) {
        add(Query { extras, ..same() });
    }
    add(Query {
        rows: RowChoice::All,
        ..same()
    });
    match &query.rows {
        RowChoice::In(rows) => {
            for rows in shorter(rows) {
                let rows = match rows.as_slice() {
                    [one] => RowChoice::One(*one),
                    _ => RowChoice::In(rows),
                };
                add(Query { rows, ..same() });
            }
        }
        RowChoice::Slice(slice) => {
            for (lower, upper) in [(None, slice.upper), (slice.lower, None)] {
                let slice = datagen::universe::Slice {
                    lower,
                    upper,
                    ..slice.clone()
                };
                add(Query {
                    rows: RowChoice::Slice(slice),
                    ..same()
                });
            }
        }
        RowChoice::All | RowChoice::One(_) => {}
    }
    let selects: Vec<Select> = match &query.select {
        Select::Columns(all) => shorter(all).into_iter().map(Select::Columns).collect(),
        Select::Distinct(all) => shorter(all).into_iter().map(Select::Distinct).collect(),
        Select::Aggregates(all) => shorter(all).into_iter().map(Select::Aggregates).collect(),
        Select::Group { by, aggregates } => {
            let aggregates_less = std::iter::once(Vec::new())
                .chain(shorter(aggregates))
                .map(|aggregates| Select::Group {
                    by: by.clone(),
                    aggregates,
                });
            let by_less = shorter(by).into_iter().map(|by| Select::Group {
                by,
                aggregates: aggregates.clone(),
            });
            aggregates_less.chain(by_less).collect()
        }
    };
    for select in selects {
        add(Query { select, ..same() });
    }
    out
}

fn simpler_writes(op: &Op) -> Vec<Op> {
    match op {
        Op::DeleteCells { part, row, columns } => shorter(columns)
            .into_iter()
            .map(|columns| Op::DeleteCells {
                part: *part,
                row: *row,
                columns,
            })
            .collect(),
        // One element; one less.
        Op::Elements {
            part,
            row,
            column,
            elements,
        } => shorter(elements)
            .into_iter()
            .map(|elements| Op::Elements {
                part: *part,
                row: *row,
                column: *column,
                elements: elements.into(),
            })
            .collect(),
        // One counter; one less; one at a time.
        Op::Add { part, row, amounts } => {
            let fewer = shorter(amounts).into_iter().map(history::Amounts::from);
            let ones: history::Amounts = amounts.iter().map(|(id, _)| (*id, 1)).collect();
            fewer
                .chain((ones != *amounts).then_some(ones))
                .map(|amounts| Op::Add {
                    part: *part,
                    row: *row,
                    amounts,
                })
                .collect()
        }
        _ => {
            let Some(cells) = cells_of(op) else {
                return Vec::new();
            };
            let all: Vec<usize> = (0..cells.len()).collect();
            // None, where the operation can do without; one; one less.
            let fewer = std::iter::once(Vec::new()).chain(shorter(&all));
            fewer
                .filter(|kept| kept.len() < cells.len())
                .map(|kept| {
                    let mut op = op.clone();
                    if let Some(into) = cells_in(&mut op) {
                        *into = kept.iter().map(|n| cells[*n]).collect();
                    }
                    op
                })
                .collect()
        }
    }
}

fn cells_of(op: &Op) -> Option<&Cells> {
    match op {
        Op::Insert { cells, .. }
        | Op::Upsert { cells, .. }
        | Op::Update { cells, .. }
        | Op::Shared { cells, .. } => Some(cells),
        _ => None,
    }
}

fn cells_in(op: &mut Op) -> Option<&mut Cells> {
    match op {
        Op::Insert { cells, .. }
        | Op::Upsert { cells, .. }
        | Op::Update { cells, .. }
        | Op::Shared { cells, .. } => Some(cells),
        _ => None,
    }
}

/// A cell that is written: visit, step, place among the cells of the step.
struct Cell {
    visit: usize,
    step: usize,
    cell: usize,
}

fn cells(case: &Case) -> Vec<Cell> {
    let mut all = Vec::new();
    for (visit, line) in case.lines.iter().enumerate() {
        for (step, done) in line.visit.steps.iter().enumerate() {
            if let Step::Write(op) = done {
                let cells = cells_of(op).map_or(0, |cells| cells.len());
                all.extend((0..cells).map(|cell| Cell { visit, step, cell }));
            }
        }
    }
    all
}

fn op_at<'c>(case: &'c Case, at: &Cell) -> Option<(&'c Op, ColumnId, Option<u64>)> {
    match case.lines.get(at.visit)?.visit.steps.get(at.step)? {
        Step::Write(op) => {
            let (id, value) = *cells_of(op)?.get(at.cell)?;
            Some((op, id, value))
        }
        _ => None,
    }
}

/// Values that could stand in a cell, the plainest first, but for the one that does.
fn plain(case: &Case, at: &Cell) -> Vec<Option<u64>> {
    let Some((op, id, is)) = op_at(case, at) else {
        return Vec::new();
    };
    let table = case.schema.table(op.part().table);
    let values = plain_of(table.domain(id)).into_iter().map(Some);
    let null = table.column(id).nullable.then_some(None);
    values.chain(null).filter(|value| *value != is).collect()
}

fn with_value(case: &Case, at: &Cell, value: Option<u64>) -> Case {
    let mut lines = case.lines.clone();
    if let Some(Step::Write(op)) = lines[at.visit].visit.steps.get_mut(at.step)
        && let Some(cell) = cells_in(op).and_then(|cells| cells.get_mut(at.cell))
    {
        cell.1 = value;
    }
    case.with(lines)
}

/// Descriptors of values that say nothing by themselves.
fn plain_of(domain: &Domain) -> Vec<u64> {
    let ints = || [0, 1, 2, 7].map(Value::Int).to_vec();
    let values = match domain.ty() {
        Type::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Counter => ints(),
        Type::Float32 => [0.0, 1.0].map(Value::Float32).to_vec(),
        Type::Float64 => [0.0, 1.0].map(Value::Float64).to_vec(),
        Type::Numeric { scale, .. } => [0, 1]
            .map(|n| Value::Numeric(n * 10i128.pow(scale.into()), scale))
            .to_vec(),
        Type::Text | Type::Ascii => ["a", "b", "", "ab"].map(|t| Value::Text(t.into())).to_vec(),
        Type::Bytes => vec![Value::Bytes([1].into()), Value::Bytes([].into())],
        Type::Uuid => vec![Value::Uuid([0; 16])],
        Type::Date => [0, 1].map(Value::Date).to_vec(),
        Type::Time => vec![Value::Time(0)],
        Type::Timestamp => vec![Value::Timestamp(0)],
        Type::TimestampTz => vec![Value::TimestampTz(0)],
        Type::Varint => [0, 1].map(|n| Value::Numeric(n, 0)).to_vec(),
        // The least descriptors are plain enough.
        Type::Inet | Type::Decimal | Type::Duration | Type::TimeUuid | Type::Composite(_) => {
            let few = u64::try_from(domain.size().min(2)).expect("at most 2");
            (0..few).map(|d| domain.inflate(d)).collect()
        }
    };
    values.iter().filter_map(|value| domain.deflate(value)).collect()
}

/// Positions with the shortest keys, ascending; fewer where there are fewer keys.
fn shortest(universe: &Universe, many: usize) -> Vec<u64> {
    let looked_at = universe.len().min(LOOKED_AT);
    // Evenly over the universe: the least keys of a column are its most awkward ones.
    let step = universe.len() / looked_at;
    let length = |at: u64| -> usize { universe.inflate(at).iter().map(|v| v.to_string().len()).sum() };
    let mut all: Vec<(usize, u64)> = (0..looked_at).map(|n| (length(n * step), n * step)).collect();
    all.sort_unstable();
    let mut short: Vec<u64> = all.into_iter().take(many).map(|(_, at)| at).collect();
    short.sort_unstable();
    short
}

/// Rows, or partitions: which of a table are named, what they are chosen from, how they are exchanged.
struct Keys {
    used: fn(&Case, u16) -> BTreeSet<u64>,
    universe: fn(&datagen::schema::Table) -> &Universe,
    moved: fn(&Case, u16, &BTreeMap<u64, u64>) -> Case,
}

const PARTITIONS: Keys = Keys {
    used: |case, table| positions(case).remove(&table).unwrap_or_default(),
    universe: datagen::schema::Table::partitions,
    moved: |case, table, to| {
        let new = |position: u64| to.get(&position).copied().unwrap_or(position);
        changed(case, &|step| match step {
            Step::Write(op) if op.part().table == table => {
                let position = new(op.part().position);
                Step::Write(at(op, Part { table, position }))
            }
            Step::Read(query) if query.table == table => {
                let parts = match &query.parts {
                    Parts::One(p) => Parts::One(new(*p)),
                    Parts::In(all) => Parts::In(set(all, &new)),
                    Parts::All => Parts::All,
                    Parts::Ring { after, upto } => Parts::Ring {
                        after: after.map(&new),
                        upto: upto.map(&new),
                    },
                };
                Step::Read(Query {
                    parts,
                    ..query.clone()
                })
            }
            other => other.clone(),
        })
    },
};

const ROWS: Keys = Keys {
    used: |case, table| {
        let mut used = BTreeSet::new();
        for step in case.lines.iter().flat_map(|l| &l.visit.steps) {
            match step {
                Step::Write(op) if op.part().table == table => used.extend(op.row()),
                Step::Read(query) if query.table == table => match &query.rows {
                    RowChoice::One(row) => used.extend([*row]),
                    RowChoice::In(rows) => used.extend(rows),
                    RowChoice::All | RowChoice::Slice(_) => {}
                },
                _ => {}
            }
        }
        used
    },
    universe: datagen::schema::Table::rows,
    moved: |case, table, to| {
        let new = |row: u64| to.get(&row).copied().unwrap_or(row);
        changed(case, &|step| match step {
            Step::Write(op) if op.part().table == table => {
                let mut op = op.clone();
                match &mut op {
                    Op::Insert { row, .. }
                    | Op::Upsert { row, .. }
                    | Op::Update { row, .. }
                    | Op::DeleteRow { row, .. }
                    | Op::DeleteCells { row, .. }
                    | Op::Elements { row: Some(row), .. }
                    | Op::Add { row: Some(row), .. } => *row = new(*row),
                    Op::Elements { row: None, .. } | Op::Add { row: None, .. } => {}
                    Op::Shared { .. } | Op::DeleteSlice { .. } | Op::DeletePartition { .. } => {}
                }
                Step::Write(op)
            }
            Step::Read(query) if query.table == table => {
                let rows = match &query.rows {
                    RowChoice::One(row) => RowChoice::One(new(*row)),
                    RowChoice::In(rows) => RowChoice::In(set(rows, &new)),
                    other => other.clone(),
                };
                Step::Read(Query {
                    rows,
                    ..query.clone()
                })
            }
            other => other.clone(),
        })
    },
};

/// Ascending, none twice.
fn set(all: &[u64], new: &dyn Fn(u64) -> u64) -> Vec<u64> {
    let all: BTreeSet<u64> = all.iter().map(|p| new(*p)).collect();
    all.into_iter().collect()
}

fn changed(case: &Case, change: &dyn Fn(&Step) -> Step) -> Case {
    let lines = case.lines.iter().map(|line| {
        let steps: Vec<Step> = line.visit.steps.iter().map(change).collect();
        let writes = history::explicit::written(&steps);
        Line {
            visit: Visit {
                steps,
                writes,
                ..line.visit.clone()
            },
            ..line.clone()
        }
    });
    case.with(lines.collect())
}
