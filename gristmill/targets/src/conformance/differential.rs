//! Anything at all against the reference: drawn visits, the same on both, and the same answers.
//!
//! Where the order of an answer is not determined, rows are compared as a multiset; where a LIMIT cuts through that,
//! only their number is.

use super::stage::Stage;
use crate::target::OpenOptions;
use datagen::schema::{ColumnId, Definition, Schema, Table};
use datagen::stream::{Stream, below, draw};
use datagen::universe::{Slice, Universe};
use datagen::value::Order;
use history::{
    Aggregate, Answer, Cells, End, From, Level, Lts, Op, Part, Parts, Predicate, Query, Relation, RowChoice,
    Select, Step, Visit,
};

/// Plays `visits` drawn visits on the stage and on a reference of the same schema.
pub(crate) fn like_the_reference(stage: &mut Stage, seed: u64, visits: u64) {
    let options = OpenOptions::new("", "conform");
    let schema = Schema::clone(&stage.schema);
    let mut reference = Stage::new("reference:", &options, |_| schema);
    let nulls_differ = stage.target.semantics().nulls != reference.target.semantics().nulls;
    let (mut rows, mut refused) = (0, 0);
    for lts in 1..=visits {
        let mut dice = Dice { seed, lts, next: 0 };
        let visit = dice.visit(&stage.schema);
        let here = stage.play(0, &visit);
        let there = reference.play(0, &visit);
        assert_eq!(
            here.outcome, there.outcome,
            "{visit}\n{:?}\n{:?}",
            here.answers, there.answers
        );
        for (i, step) in visit.steps.iter().enumerate() {
            let (Some(a), Some(b)) = (here.answers.get(i), there.answers.get(i)) else {
                break;
            };
            match a {
                Answer::Rows(answer) => rows += answer.len(),
                Answer::Refused(_) => refused += 1,
                _ => {}
            }
            let text = stage.target.text(&stage.schema, &crate::Request::Step(step));
            assert!(
                alike(step, &stage.schema, a, b, nulls_differ),
                "{visit}\n{text:?}\n{a}\nreference: {b}"
            );
        }
    }
    assert!(
        rows > 200 && refused > 0,
        "{rows} rows and {refused} refusals prove little"
    );
}

/// Plays drawn visits on one set of tables with values apart, and their text for people on another set of the same
/// database; then both must hold the same. `run` runs one statement of text.
pub(crate) fn texts_mean_what_was_executed(
    url: &str,
    options: &dyn Fn(u32) -> OpenOptions,
    run: &mut dyn FnMut(&str),
) {
    let mut executed = Stage::new(url, &options(1), super::two_tables);
    let mut told = Stage::new(url, &options(2), super::two_tables);
    for lts in 1..=200 {
        let visit = Dice {
            seed: 77,
            lts,
            next: 0,
        }
        .visit(&executed.schema);
        let refused = |a: &Answer| matches!(a, Answer::Refused(_));
        if executed.play(0, &visit).answers.iter().any(refused) || visit.end == End::Rollback {
            continue;
        }
        for step in &visit.steps {
            if matches!(step, Step::Write(_) | Step::Read(_)) && !rolled_back_later(&visit) {
                told.target
                    .text(&told.schema, &crate::Request::Step(step))
                    .iter()
                    .for_each(|sql| run(sql));
            }
        }
        if rolled_back_later(&visit) {
            // Savepoints need a transaction; here the same is played with values apart.
            told.play(0, &visit);
        }
    }
    let mut rows = 0;
    for table in 0..2_u16 {
        let definition = executed.schema.table(table).clone();
        for from in [From::Table, From::Shared] {
            if from == From::Shared && definition.shared.is_empty() {
                continue;
            }
            let columns = readable(&definition, from);
            let order = columns.iter().map(|id| (*id, Order::Asc)).collect();
            let query = Query {
                extras: history::Extras::default(),
                table,
                from,
                parts: Parts::All,
                rows: RowChoice::All,
                filter: Vec::new(),
                select: Select::Columns(columns),
                order,
                limit: None,
                offset: 0,
            };
            let read = Step::Read(query);
            let a = executed.ask(0, (1, 0), &crate::Request::Step(&read));
            let b = told.ask(0, (1, 0), &crate::Request::Step(&read));
            assert_eq!(a.to_string(), b.to_string());
            if let Answer::Rows(all) = a {
                rows += all.len();
            }
        }
    }
    assert!(rows > 10, "nothing was left to compare");
}

fn rolled_back_later(visit: &Visit) -> bool {
    visit.steps.iter().any(|s| matches!(s, Step::RollbackTo(_)))
}

fn alike(step: &Step, schema: &Schema, a: &Answer, b: &Answer, nulls_differ: bool) -> bool {
    let (Answer::Rows(a), Answer::Rows(b)) = (a, b) else {
        return match (a, b) {
            (Answer::Refused(a), Answer::Refused(b)) => a.kind == b.kind,
            _ => a == b,
        };
    };
    let Step::Read(query) = step else { return false };
    let table = schema.table(query.table);
    let nullable = |id: &ColumnId| table.column(*id).nullable || query.from == From::LeftJoin;
    let unclear = nulls_differ && query.order.iter().any(|(id, _)| nullable(id));
    if total(query, table) && !unclear {
        return a == b;
    }
    if query.limit.is_some() {
        return a.len() == b.len();
    }
    let sorted = |rows: &history::Rows| {
        let mut all: Vec<Vec<u8>> = rows.iter().map(<[u8]>::to_vec).collect();
        all.sort();
        all
    };
    sorted(a) == sorted(b)
}

/// Whether ORDER BY leaves no two rows of the answer equal.
fn total(query: &Query, table: &Table) -> bool {
    let sorted = |ids: Vec<ColumnId>| ids.iter().all(|id| query.order.iter().any(|(by, _)| by == id));
    match &query.select {
        Select::Columns(_) => {
            let one_row = query.from == From::Shared;
            let parts = table.partition.iter().map(|k| k.column.id);
            let rows = table.clustering.iter().map(|k| k.column.id).filter(|_| !one_row);
            sorted(parts.chain(rows).collect())
        }
        Select::Distinct(ids) | Select::Group { by: ids, .. } => sorted(ids.clone()),
        Select::Aggregates(_) => true,
    }
}

/// Numbers of one visit, in the order they are asked for.
struct Dice {
    seed: u64,
    lts: u64,
    next: u64,
}

impl Dice {
    fn bits(&mut self) -> u64 {
        self.next += 1;
        draw(self.seed, Stream::Sample, &[self.lts, self.next])
    }

    fn below(&mut self, n: u64) -> u64 {
        below(self.bits(), n)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        let n = self.below(u64::try_from(list.len()).unwrap());
        list[usize::try_from(n).unwrap()].clone()
    }

    fn some<T: Clone>(&mut self, list: &[T]) -> Vec<T> {
        let mut some: Vec<T> = list.iter().filter(|_| self.below(2) == 0).cloned().collect();
        if some.is_empty() {
            some.push(self.of(list));
        }
        some
    }

    fn visit(&mut self, schema: &Schema) -> Visit {
        let end = self.of(&[
            End::Autocommit,
            End::Autocommit,
            End::Commit,
            End::Commit,
            End::Rollback,
        ]);
        let count = if end == End::Autocommit {
            1
        } else {
            1 + self.below(6)
        };
        let mut steps = Vec::new();
        let mut named = false;
        for _ in 0..count {
            let table = u16::from(self.one_in(3));
            let step = match self.below(10) {
                0 if end != End::Autocommit && named => Step::RollbackTo(1),
                0 | 1 if end != End::Autocommit => {
                    named = true;
                    Step::Savepoint(1)
                }
                2..=5 => Step::Read(self.query(table, schema.table(table))),
                _ => Step::Write(self.op(table, schema.table(table), end, steps.is_empty())),
            };
            steps.push(step);
        }
        let mut writes: Vec<Part> = steps
            .iter()
            .filter_map(|s| match s {
                Step::Write(op) => Some(op.part()),
                _ => None,
            })
            .collect();
        writes.sort();
        writes.dedup();
        Visit {
            stamp: None,
            lts: Lts(self.lts),
            level: Level::Serializable,
            writes,
            steps,
            end,
        }
    }

    /// A descriptor: often one of a few, so that predicates and duplicates hit.
    fn descriptor(&mut self, table: &Table, id: ColumnId) -> u64 {
        let domain = table.domain(id);
        let n = u64::try_from(domain.size().min(u128::from(u64::MAX))).unwrap();
        match self.below(4) {
            0 if !domain.specials().is_empty() => self.of(domain.specials()),
            1 => self.below(n),
            _ => self.below(n.min(5)) * (n / 5).max(1) % n,
        }
    }

    fn cells(&mut self, table: &Table, columns: &[ColumnId]) -> Cells {
        let mut cells = Cells::new();
        for id in columns {
            let value = if self.one_in(5) {
                None
            } else {
                Some(self.descriptor(table, *id))
            };
            cells.push((*id, value));
        }
        cells
    }

    fn op(&mut self, number: u16, table: &Table, end: End, first: bool) -> Op {
        let part = Part {
            table: number,
            position: self.below(table.partitions().len()),
        };
        let row = self.below(table.rows().len());
        let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
        let shared: Vec<ColumnId> = table.shared.iter().map(|c| c.id).collect();
        match self.below(16) {
            0..=5 => {
                let columns = self.some(&regular);
                let strict = first && self.one_in(2);
                Op::Insert {
                    part,
                    row,
                    cells: self.cells(table, &columns),
                    strict,
                }
            }
            6 | 7 => {
                let columns = if self.one_in(6) {
                    Vec::new()
                } else {
                    self.some(&regular)
                };
                Op::Upsert {
                    part,
                    row,
                    cells: self.cells(table, &columns),
                }
            }
            8 | 9 => {
                let columns = self.some(&regular);
                Op::Update {
                    part,
                    row,
                    cells: self.cells(table, &columns),
                }
            }
            10 | 11 if !shared.is_empty() => {
                let columns = self.some(&shared);
                Op::Shared {
                    part,
                    cells: self.cells(table, &columns),
                }
            }
            12 if !table.clustering.is_empty() => Op::DeleteSlice {
                part,
                slice: self.slice(table.rows()),
            },
            13 => Op::DeleteCells {
                part,
                row,
                columns: self.some(&regular),
            },
            14 if self.one_in(5) && (end != End::Autocommit || shared.is_empty()) => {
                Op::DeletePartition { part }
            }
            _ => Op::DeleteRow { part, row },
        }
    }

    fn slice(&mut self, universe: &Universe) -> Slice {
        let depth = usize::try_from(self.below(u64::try_from(universe.columns()).unwrap())).unwrap();
        let at = self.below(universe.len());
        let prefix: Vec<u32> = (0..depth).map(|j| universe.digit(at, j)).collect();
        let mut bound = || {
            let digit = universe.digit(self.below(universe.len()), depth);
            (!self.one_in(3)).then(|| (digit, self.one_in(2)))
        };
        Slice {
            prefix,
            lower: bound(),
            upper: bound(),
        }
    }

    fn query(&mut self, number: u16, table: &Table) -> Query {
        let partitions = table.partitions().len();
        let parts = match self.below(4) {
            0 => Parts::All,
            1 => {
                let mut list: Vec<u64> = (0..=self.below(3)).map(|_| self.below(partitions)).collect();
                list.sort_unstable();
                list.dedup();
                Parts::In(list)
            }
            _ => Parts::One(self.below(partitions)),
        };
        let froms: &[From] = match table.shared.is_empty() {
            true => &[From::Table],
            false => &[
                From::Table,
                From::Table,
                From::Shared,
                From::InnerJoin,
                From::LeftJoin,
            ],
        };
        let from = self.of(froms);
        let rows = match self.below(4) {
            _ if from == From::Shared || table.clustering.is_empty() => RowChoice::All,
            0 => RowChoice::One(self.below(table.rows().len())),
            1 => {
                let mut list: Vec<u64> = (0..=self.below(4))
                    .map(|_| self.below(table.rows().len()))
                    .collect();
                list.sort_unstable();
                list.dedup();
                RowChoice::In(list)
            }
            2 => RowChoice::Slice(self.slice(table.rows())),
            _ => RowChoice::All,
        };
        let readable = readable(table, from);
        let cells: Vec<ColumnId> = readable
            .iter()
            .copied()
            .filter(|id| table.column(*id).nullable)
            .collect();
        let mut filter = Vec::new();
        while self.one_in(3) {
            let column = self.of(&cells);
            let all = [
                Relation::Eq,
                Relation::Ne,
                Relation::Lt,
                Relation::Le,
                Relation::Gt,
                Relation::Ge,
                Relation::IsNull,
                Relation::IsNotNull,
            ];
            filter.push(Predicate {
                column,
                relation: self.of(&all),
                value: self.descriptor(table, column),
            });
        }
        // Where equal must mean identical (F19).
        let sharp: Vec<ColumnId> = readable
            .iter()
            .copied()
            .filter(|id| table.column(*id).limits.identity)
            .collect();
        let plain = sharp.is_empty();
        let select = match self.below(6) {
            0 if !plain => Select::Distinct(self.some(&sharp)),
            1 if !plain => Select::Aggregates(self.aggregates(table, &sharp)),
            2 if !plain => {
                let by = self.some(&sharp);
                Select::Group {
                    aggregates: self.aggregates(table, &sharp),
                    by,
                }
            }
            _ => Select::Columns(self.some(&readable)),
        };
        let sortable = match &select {
            Select::Columns(_) => readable.clone(),
            Select::Distinct(ids) | Select::Group { by: ids, .. } => ids.clone(),
            Select::Aggregates(_) => Vec::new(),
        };
        let mut order = Vec::new();
        if !sortable.is_empty() && self.below(3) > 0 {
            let ids = if self.one_in(2) {
                sortable.clone()
            } else {
                self.some(&sortable)
            };
            order = ids
                .into_iter()
                .map(|id| (id, self.of(&[Order::Asc, Order::Desc])))
                .collect();
        }
        let limit = (!order.is_empty() && self.one_in(2)).then(|| u32::try_from(self.below(6)).unwrap());
        let offset = if limit.is_some() {
            u32::try_from(self.below(3)).unwrap()
        } else {
            0
        };
        Query {
            extras: history::Extras::default(),
            table: number,
            from,
            parts,
            rows,
            filter,
            select,
            order,
            limit,
            offset,
        }
    }

    fn aggregates(&mut self, table: &Table, columns: &[ColumnId]) -> Vec<Aggregate> {
        (0..=self.below(3))
            .map(|_| {
                let id = self.of(columns);
                match self.below(5) {
                    0 => Aggregate::CountRows,
                    1 => Aggregate::Count(id),
                    2 => Aggregate::Min(id),
                    3 if table.column(id).ty.sums() => Aggregate::Sum(id),
                    _ => Aggregate::Max(id),
                }
            })
            .collect()
    }
}

/// The columns that a query may name.
fn readable(table: &Definition, from: From) -> Vec<ColumnId> {
    let keys = table.partition.iter().map(|k| k.column.id);
    let clustering = table.clustering.iter().map(|k| k.column.id);
    let regular = table.regular.iter().map(|c| c.id);
    let shared = table.shared.iter().map(|c| c.id);
    match from {
        From::Table => keys.chain(clustering).chain(regular).collect(),
        From::Shared => keys.chain(shared).collect(),
        From::InnerJoin | From::LeftJoin => keys.chain(clustering).chain(regular).chain(shared).collect(),
    }
}
