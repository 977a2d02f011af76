//! From the words of a test to visits on the tables of a plan.

use super::Part as Portion;
use super::steps::{Act, Check, Column, Given, Item, Step as Asked, Steps};
use crate::{Plan, PlanError, RunError};
use datagen::domain::Rate;
use datagen::perm::Perm;
use datagen::schema::{ColumnId, Schema, Table};
use datagen::stream::{Stream, below, draw};
use datagen::universe::Slice;
use datagen::value::Value;
use history::{
    Address, Cells, Consistency, Discipline, End, Explicit, From, Line, Lts, Misfit, Op, Part, Parts, Query,
    Regenerate, RowChoice, Select, SessionId, Stamp, Step, Visit,
};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use workload::Partitions;

/// Rows that are drawn where none is named.
const ROWS: u64 = 16;
/// The timestamp before that of the first visit, where the greatest wins.
const BASE: i64 = 1_000_000_000;
/// Sessions of generated visits.
const SESSIONS: u16 = 2;

/// Why a history does not hold, or cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// An answer is not what it must be, or a doubt remains.
    #[error("{text}\nthe history (gristmill run --history FILE), its run in {}:\n{history}", folder.display())]
    Found {
        /// The findings and doubts, as on the screen.
        text: String,
        /// The history in the notation.
        history: String,
        /// The folder of the run.
        folder: PathBuf,
    },
    /// A validator of the test says no.
    #[error("validator `{name}`: {said}\nthe history:\n{history}")]
    Validator {
        /// Its name.
        name: String,
        /// What it says.
        said: String,
        /// The history in the notation.
        history: String,
    },
    /// The history names what the tables do not have.
    #[error("{0}")]
    Tables(String),
    /// Its visits do not fit its tables.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Misfits(Vec<Misfit>),
    /// No plan can be made of its settings.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The run did not come to a verdict.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// A check of one answer.
pub(super) struct Validator {
    pub(super) name: String,
    pub(super) at: Address,
    pub(super) check: Check,
}

/// The visits of a history.
pub(super) struct Made {
    pub(super) lines: Vec<Line>,
    pub(super) validators: Vec<Validator>,
}

pub(super) fn make(portions: &[Portion], seed: u64, plan: &Plan) -> Result<Made, Wrong> {
    let mut maker = Maker {
        seed,
        plan,
        schema: &plan.schema,
        lines: Vec::new(),
        validators: Vec::new(),
        draws: 0,
        generated: 0,
        timestamp: None,
        ttl: None,
    };
    let named: BTreeSet<u64> = portions
        .iter()
        .filter_map(|p| match p {
            Portion::Steps(steps) => steps.number,
            Portion::Generated(_) => None,
        })
        .collect();
    let mut fresh = (0..).filter(|n| !named.contains(n));
    for portion in portions {
        match portion {
            Portion::Generated(visits) => maker.generate(*visits)?,
            Portion::Steps(steps) => {
                let number = match steps.number {
                    Some(number) => number,
                    None => fresh.next().expect("numbers do not end"),
                };
                maker.partition(steps, number)?;
            }
        }
    }
    let Maker {
        lines, validators, ..
    } = maker;
    Explicit::new(Arc::new(plan.schema.clone()), lines.clone()).map_err(Wrong::Misfits)?;
    Ok(Made { lines, validators })
}

struct Maker<'a> {
    seed: u64,
    plan: &'a Plan,
    schema: &'a Schema,
    lines: Vec<Line>,
    validators: Vec<Validator>,
    draws: u64,
    generated: u64,
    timestamp: Option<i64>,
    ttl: Option<u32>,
}

/// The regular column whose elements a step is about: the one of the number that it names, or the first.
fn elements_of(table: &Table, asked: &Asked) -> Option<ColumnId> {
    // From a list nothing is taken.
    let adds = matches!(asked.act, Act::SetElement);
    let has = |id: &ColumnId| {
        table
            .domain(*id)
            .elements()
            .is_some_and(|e| adds || !e.are_listed())
    };
    let with: Vec<ColumnId> = table.regular.iter().map(|c| c.id).filter(has).collect();
    let named = asked.values.iter().find_map(|(column, _)| match column {
        Column::Numbered(number) => Some(*number),
        Column::Named(_) => None,
    });
    let at = named.unwrap_or(0) % with.len().max(1);
    with.get(at).copied()
}

/// Where steps are done.
struct Place<'a> {
    table: &'a Table,
    part: Part,
}

impl Maker<'_> {
    fn draw(&mut self, stream: Stream) -> u64 {
        self.draws += 1;
        draw(self.seed, stream, &[u64::MAX, self.draws])
    }

    fn partition(&mut self, steps: &Steps, number: u64) -> Result<(), Wrong> {
        let tables = self.schema.tables.len();
        if usize::from(steps.table) >= tables {
            return Err(Wrong::Tables(format!(
                "there is no table {}: there are {tables}, from 0",
                steps.table
            )));
        }
        let table = self.schema.table(steps.table).clone();
        let part = Part {
            table: steps.table,
            position: number % table.partitions().len(),
        };
        let place = Place { table: &table, part };
        (self.timestamp, self.ttl) = (steps.timestamp, steps.ttl);
        let items = self.ordered(&steps.items);
        let mut first = steps.beside;
        if steps.together {
            let all = flat(&items);
            return self.visit(&place, &all, steps.session, &mut first, true);
        }
        for item in &items {
            match item {
                Item::Step(step) => self.visit(
                    &place,
                    std::slice::from_ref(step),
                    steps.session,
                    &mut first,
                    true,
                )?,
                Item::Batch(items, commits) => {
                    let all = flat(&self.ordered(items));
                    self.visit(&place, &all, steps.session, &mut first, *commits)?;
                }
                Item::Shuffled(_) => unreachable!("they were put in order"),
            }
        }
        Ok(())
    }

    /// Without shuffles: each is in its order.
    fn ordered(&mut self, items: &[Item]) -> Vec<Item> {
        let mut out = Vec::new();
        for item in items {
            match item {
                Item::Shuffled(inner) if !inner.is_empty() => {
                    let inner = self.ordered(inner);
                    let many = u64::try_from(inner.len()).expect("a list fits");
                    let order = Perm::new(self.draw(Stream::StepOrder), many);
                    let at = |n| usize::try_from(order.at(n)).expect("below the length");
                    out.extend((0..many).map(|n| inner[at(n)].clone()));
                }
                Item::Shuffled(_) => {}
                Item::Batch(inner, commits) => out.push(Item::Batch(self.ordered(inner), *commits)),
                Item::Step(step) => out.push(Item::Step(step.clone())),
            }
        }
        out
    }

    fn visit(
        &mut self,
        place: &Place<'_>,
        asked: &[Asked],
        session: u16,
        beside: &mut bool,
        commits: bool,
    ) -> Result<(), Wrong> {
        if self.plan.discipline == Discipline::Lww {
            return self.stamped(place, asked, session, beside, commits);
        }
        let lts = self.next();
        let mut steps = Vec::new();
        for (one, number) in asked.iter().zip(0..) {
            let at = Address {
                lts,
                attempt: 0,
                step: number,
            };
            steps.push(self.step(place, one)?);
            let checks = one.validators.iter().map(|(name, check)| Validator {
                name: name.clone(),
                at,
                check: Arc::clone(check),
            });
            self.validators.extend(checks);
        }
        let two = |step: &Step| {
            matches!(step, Step::Write(Op::DeletePartition { .. })) && !place.table.shared.is_empty()
        };
        let end = match (steps.as_slice(), commits) {
            ([], _) => return Ok(()),
            (_, false) => End::Rollback,
            ([one], true) if !two(one) => End::Autocommit,
            _ => End::Commit,
        };
        self.line(SessionId(session), steps, end, lts, std::mem::take(beside));
        Ok(())
    }

    /// Where the greatest timestamp wins, writes that stand together are one batch, and each read is a visit.
    fn stamped(
        &mut self,
        place: &Place<'_>,
        asked: &[Asked],
        session: u16,
        beside: &mut bool,
        commits: bool,
    ) -> Result<(), Wrong> {
        if !commits {
            let what =
                "nothing is rolled back where the greatest timestamp wins: leave `rolled_back` out there";
            return Err(Wrong::Tables(what.to_owned()));
        }
        let mut together: Vec<Step> = Vec::new();
        for one in asked {
            let step = match self.step(place, one)? {
                // A row that is there is written over: there is no looking first without a lightweight transaction.
                Step::Write(Op::Insert { part, row, cells, .. }) => {
                    Step::Write(Op::Upsert { part, row, cells })
                }
                // Shared cells come with the rows.
                Step::Read(query) if query.from == From::Shared => Step::Read(Query {
                    from: From::Table,
                    ..query
                }),
                step => step,
            };
            if let Step::Write(_) = step {
                together.push(step);
                continue;
            }
            self.batch(std::mem::take(&mut together), session, beside);
            let lts = self.next();
            let at = Address {
                lts,
                attempt: 0,
                step: 0,
            };
            let checks = one.validators.iter().map(|(name, check)| Validator {
                name: name.clone(),
                at,
                check: Arc::clone(check),
            });
            self.validators.extend(checks);
            self.line(
                SessionId(session),
                vec![step],
                End::Autocommit,
                lts,
                std::mem::take(beside),
            );
        }
        self.batch(together, session, beside);
        Ok(())
    }

    fn batch(&mut self, writes: Vec<Step>, session: u16, beside: &mut bool) {
        let end = match writes.len() {
            0 => return,
            1 => End::Autocommit,
            _ => End::Batch { logged: false },
        };
        let lts = self.next();
        self.line(SessionId(session), writes, end, lts, std::mem::take(beside));
    }

    /// What a visit says beside its steps; `None` but where the greatest timestamp wins.
    fn stamp(&self, lts: Lts) -> Option<Stamp> {
        (self.plan.discipline == Discipline::Lww).then(|| Stamp {
            condition: None,
            timestamp: self
                .timestamp
                .unwrap_or_else(|| BASE + i64::try_from(lts.0).expect("a history is short")),
            ttl: self.ttl,
            consistency: Consistency::Quorum,
            node: 0,
        })
    }

    fn next(&self) -> Lts {
        Lts(self.lines.last().map_or(0, |l| l.visit.lts.0) + 1)
    }

    fn line(&mut self, session: SessionId, steps: Vec<Step>, end: End, lts: Lts, beside: bool) {
        let visit = Visit {
            stamp: self.stamp(lts),
            lts,
            level: self.plan.level,
            writes: history::explicit::written(&steps),
            steps,
            end,
        };
        let before = self.lines.last().filter(|l| beside && l.session != session);
        let beside = before.map(|l| l.visit.lts).into_iter().collect();
        self.lines.push(Line {
            beside,
            ..Line::new(session, visit)
        });
    }

    /// Visits of the plan's workload, where they left off.
    fn generate(&mut self, visits: u64) -> Result<(), Wrong> {
        let schema = Arc::new(self.schema.clone());
        let workload =
            Partitions::new(self.plan.workload.clone(), self.seed, schema).map_err(PlanError::from)?;
        for _ in 0..visits {
            self.generated += 1;
            let Some(visit) = workload.visit(Lts(self.generated)) else {
                continue;
            };
            let lts = self.next();
            let session =
                SessionId(1 + u16::try_from(self.generated % u64::from(SESSIONS)).expect("it is small"));
            (self.timestamp, self.ttl) = (None, None);
            self.line(session, visit.steps, visit.end, lts, true);
        }
        Ok(())
    }

    /// One element of a column whose elements are cells of their own, set to a value or taken out.
    fn elements(&mut self, table: &Table, part: Part, row: u64, asked: &Asked) -> Step {
        let column = elements_of(table, asked).expect("looked at before");
        let elements = table.domain(column).elements().expect("it has some");
        let slots = u64::try_from(elements.slots()).expect("few elements");
        let given = asked.values.iter().find_map(|(_, value)| match value {
            Given::Numbered(number) => Some(*number),
            Given::Exactly(_) => None,
        });
        let drawn = self.draw(Stream::Value);
        let slot = given.unwrap_or_else(|| below(drawn, slots)) % slots;
        let values = elements.values(usize::try_from(slot).expect("few elements"));
        let value = below(self.draw(Stream::Value), values.max(1));
        let element = u16::try_from(slot).expect("few elements");
        let to = matches!(asked.act, Act::SetElement).then_some(value);
        Step::Write(Op::Elements {
            part,
            row: Some(row),
            column,
            elements: std::iter::once((element, to)).collect(),
        })
    }

    fn step(&mut self, place: &Place<'_>, asked: &Asked) -> Result<Step, Wrong> {
        let Place { table, part } = *place;
        let rows = table.rows().len();
        let row = match asked.row {
            Some(row) => row % rows,
            None => below(self.draw(Stream::Row), rows.min(ROWS)),
        };
        Ok(match &asked.act {
            Act::Insert => Step::Write(Op::Insert {
                part,
                row,
                cells: self.cells(table, false, asked)?,
                strict: false,
            }),
            Act::Upsert => Step::Write(Op::Upsert {
                part,
                row,
                cells: self.cells(table, false, asked)?,
            }),
            Act::Shared if !table.shared.is_empty() => Step::Write(Op::Shared {
                part,
                cells: self.cells(table, true, asked)?,
            }),
            Act::Shared => Step::Write(Op::Upsert {
                part,
                row,
                cells: self.cells(table, false, asked)?,
            }),
            Act::DeleteCells if table.regular.iter().any(|c| c.nullable) => {
                let columns = table.regular.iter().filter(|c| c.nullable).map(|c| c.id);
                Step::Write(Op::DeleteCells {
                    part,
                    row,
                    columns: columns.collect(),
                })
            }
            Act::SetElement | Act::RemoveElement
                if self.plan.discipline == Discipline::Lww && elements_of(table, asked).is_some() =>
            {
                self.elements(table, part, row, asked)
            }
            Act::Update | Act::DeleteCells | Act::SetElement | Act::RemoveElement
                if !table.regular.is_empty() =>
            {
                Step::Write(Op::Update {
                    part,
                    row,
                    cells: self.cells(table, false, asked)?,
                })
            }
            Act::Update | Act::DeleteCells | Act::SetElement | Act::RemoveElement => {
                Step::Write(Op::Upsert {
                    part,
                    row,
                    cells: Cells::new(),
                })
            }
            Act::DeleteRange | Act::DeleteSlice if table.clustering.is_empty() => {
                Step::Write(Op::DeleteRow { part, row })
            }
            Act::DeleteRange | Act::DeleteSlice => Step::Write(Op::DeleteSlice {
                part,
                slice: self.slice(table, row, asked),
            }),
            Act::DeleteRow => Step::Write(Op::DeleteRow { part, row }),
            Act::DeletePartition => Step::Write(Op::DeletePartition { part }),
            Act::Read => read(place, From::Table, RowChoice::All),
            Act::ReadShared if !table.shared.is_empty() => read(place, From::Shared, RowChoice::All),
            Act::ReadShared => read(place, From::Table, RowChoice::All),
            Act::ReadRow => read(place, From::Table, RowChoice::One(row)),
            Act::ReadRange if table.clustering.is_empty() => read(place, From::Table, RowChoice::All),
            Act::ReadRange => {
                let slice = self.slice(table, row, asked);
                read(place, From::Table, RowChoice::Slice(slice))
            }
            Act::Ask(query) => Step::Read(query(table, part)),
        })
    }

    /// From the row on to another: a prefix that is the first one's, then both ends of one column, or one.
    fn slice(&mut self, table: &Table, row: u64, asked: &Asked) -> Slice {
        let universe = table.rows();
        let to = match asked.to {
            Some(to) => to % universe.len(),
            None => below(self.draw(Stream::Bounds), universe.len().min(ROWS)),
        };
        let (first, last) = (row.min(to), row.max(to));
        let columns = universe.columns();
        let same = (0..columns).take_while(|j| universe.digit(first, *j) == universe.digit(last, *j));
        // The last column at most: a whole key has no column left for bounds.
        let deep = same.count().min(columns - 1);
        let bound = |at: u64| Some((universe.digit(at, deep), true));
        let one_end = matches!(asked.act, Act::DeleteSlice);
        let from = !one_end || self.draw(Stream::Bounds) & 1 == 0;
        Slice {
            prefix: (0..deep).map(|j| universe.digit(first, j)).collect(),
            lower: from.then(|| bound(first)).flatten(),
            upper: (!one_end || !from).then(|| bound(last)).flatten(),
        }
    }

    /// A value for every column: given, or drawn.
    fn cells(&mut self, table: &Table, shared: bool, asked: &Asked) -> Result<Cells, Wrong> {
        let columns = if shared { &table.shared } else { &table.regular };
        let mut cells = Cells::new();
        for column in columns {
            let domain = table.domain(column.id);
            let null = column.nullable && self.draw(Stream::Null).is_multiple_of(8);
            let rate = Rate::new(1, 8).expect("an eighth is a rate");
            let drawn = domain.draw(self.draw(Stream::Value), rate);
            cells.push((column.id, (!null).then_some(drawn)));
        }
        cells.sort_unstable_by_key(|(id, _)| *id);
        for (which, given) in &asked.values {
            let id: ColumnId = match which {
                Column::Numbered(_) if columns.is_empty() => continue,
                Column::Numbered(n) => columns[n % columns.len()].id,
                Column::Named(name) => match columns.iter().find(|c| c.name == *name) {
                    Some(column) => column.id,
                    None => {
                        let known: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
                        return Err(Wrong::Tables(format!(
                            "table `{}` has no column `{name}` to set: there are {}",
                            table.name,
                            known.join(", ")
                        )));
                    }
                },
            };
            let domain = table.domain(id);
            let value = match given {
                Given::Numbered(n) => {
                    Some(u64::try_from(u128::from(*n) % domain.size()).expect("it is below n"))
                }
                Given::Exactly(Value::Null) => None,
                Given::Exactly(value) => match domain.deflate(value) {
                    Some(descriptor) => Some(descriptor),
                    None => {
                        let name = &table.column(id).name;
                        return Err(Wrong::Tables(format!(
                            "{value} is no value of column `{name}` ({}) on this target",
                            domain.ty()
                        )));
                    }
                },
            };
            if let Some(cell) = cells.iter_mut().find(|(c, _)| *c == id) {
                cell.1 = value;
            }
        }
        Ok(cells)
    }
}

/// The steps of nested items, one after another.
fn flat(items: &[Item]) -> Vec<Asked> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Step(step) => out.push(step.clone()),
            Item::Batch(inner, _) | Item::Shuffled(inner) => out.extend(flat(inner)),
        }
    }
    out
}

fn read(place: &Place<'_>, from: From, rows: RowChoice) -> Step {
    let table = place.table;
    let columns: Vec<ColumnId> = match from {
        From::Shared => table.shared.iter().map(|c| c.id).collect(),
        _ => {
            let keys = table.clustering.iter().map(|k| k.column.id);
            let cells = table.regular.iter().map(|c| c.id);
            let all: Vec<ColumnId> = keys.chain(cells).collect();
            if all.is_empty() {
                table.partition.iter().map(|k| k.column.id).collect()
            } else {
                all
            }
        }
    };
    Step::Read(Query {
        extras: history::Extras::default(),
        table: place.part.table,
        from,
        parts: Parts::One(place.part.position),
        rows,
        filter: Vec::new(),
        select: Select::Columns(columns),
        order: Vec::new(),
        limit: None,
        offset: 0,
    })
}
