//! The reference where the greatest timestamp wins: what a write does, what a read sees, and the lies about both.
//!
//! Invariants:
//! * a request is applied or answered as a whole, under the lock of the world;
//! * a lie about a write is told only where it changes what the partition shows.

mod store;

use super::evaluate::{Source, Stamps, Twist, evaluate};
use super::session::ReferenceSession;
use super::{World, parts_of};
use crate::flaws::Flaw;
use crate::layout::{Place, TableLayout};
use history::{
    Address, Answer, Change, ChangeKind, Condition, Op, Part, Query, RowChoice, Rows, Stamp, Step,
};
use std::collections::{BTreeMap, BTreeSet};
pub(super) use store::Partitions;
use store::{Bend, Seen, SeenRow};

/// The lies about writes, in the order in which they are tried at one address.
const WRITES: [Flaw; 8] = [
    Flaw::LostUpdate,
    Flaw::TornCommit,
    Flaw::OlderWins,
    Flaw::TieWrong,
    Flaw::RangeOffByOne,
    Flaw::StaticLost,
    Flaw::LostIncrement,
    Flaw::AddedTwice,
];

/// The lies about the rows that a read sees.
const ROWS: [Flaw; 5] = [
    Flaw::ForgottenRow,
    Flaw::WrongCell,
    Flaw::WrongTimestamp,
    Flaw::ExtraRow,
    Flaw::ResurrectedRow,
];

impl ReferenceSession {
    /// The answer to a request with a timestamp: one write, one read, or a batch of writes.
    pub(super) fn stamped(&self, world: &mut World, at: Address, steps: &[Step], stamp: &Stamp) -> Answer {
        if let [Step::Read(query)] = steps {
            return Answer::Rows(self.stamped_read(world, at, query));
        }
        if let [Step::Change(change)] = steps {
            self.stamped_change(world, at, change, stamp.timestamp);
            return Answer::Affected(0);
        }
        let ops: Vec<&Op> = steps
            .iter()
            .map(|step| match step {
                Step::Write(op) => op,
                other => panic!("{other:?} in a batch of writes"),
            })
            .collect();
        if let (Some(condition), [op]) = (&stamp.condition, ops.as_slice()) {
            return Answer::Affected(u64::from(self.conditional(world, at, op, condition)));
        }
        for part in ops.iter().map(|op| op.part()).collect::<BTreeSet<Part>>() {
            let ops: Vec<&Op> = ops.iter().copied().filter(|op| op.part() == part).collect();
            self.stamped_write(world, at, part, &ops, stamp.timestamp);
        }
        Answer::Affected(u64::try_from(ops.len()).expect("fewer writes than 2^64"))
    }

    /// A lightweight transaction: looks and writes under one lock, at a timestamp of the server's own. Whether it says that it
    /// was done.
    fn conditional(&self, world: &mut World, at: Address, op: &Op, condition: &Condition) -> bool {
        let part = op.part();
        let table = self.renderer.layout().table(part.table);
        let row = op.row().expect("a lightweight transaction writes one row");
        let seen = world.stamped.of(part, table).seen(false);
        let stands = seen.rows.get(&row);
        let holds = match condition {
            Condition::NotExists => stands.is_none(),
            Condition::Exists => stands.is_some(),
            Condition::Equals { column, value } => {
                let Place::Regular(i) = table.place(*column) else {
                    panic!("{} is not a regular column", table.any(*column).name);
                };
                stands.and_then(|row| row.cells[i]) == *value
            }
        };
        let liar = &self.shared.liar;
        let ignored = !holds && liar.wants(Flaw::ConditionIgnored, at);
        if ignored {
            liar.tell(Flaw::ConditionIgnored, 1);
        }
        let done = holds || ignored;
        if done {
            world.clock += 1;
            let timestamp = world.clock;
            self.stamped_write(world, at, part, &[op], timestamp);
        }
        let denied = liar.wants(Flaw::ConditionDenied, at);
        if denied {
            liar.tell(Flaw::ConditionDenied, 1);
        }
        done != denied
    }

    /// A column that is dropped loses its cells up to the timestamp. That it is not there until it is added again is the
    /// plan's to know; and there is nothing that an index would make faster.
    fn stamped_change(&self, world: &mut World, at: Address, change: &Change, timestamp: i64) {
        if change.what != ChangeKind::DropColumn {
            return;
        }
        let table = self.renderer.layout().table(change.table);
        let liar = &self.shared.liar;
        if liar.wants(Flaw::ResurrectedColumn, at) && world.stamped.has_cells(table, change, timestamp) {
            liar.tell(Flaw::ResurrectedColumn, 1);
            return;
        }
        world.stamped.drop_column(table, change, timestamp);
    }

    fn stamped_write(&self, world: &mut World, at: Address, part: Part, ops: &[&Op], timestamp: i64) {
        let table = self.renderer.layout().table(part.table);
        let liar = &self.shared.liar;
        if liar.is_honest() {
            let partition = world.stamped.of(part, table);
            ops.iter()
                .for_each(|op| partition.apply(table, op, timestamp, Bend::default()));
            return;
        }
        let before = world.stamped.of(part, table).clone();
        let with = |ops: &[&Op], bend: Bend| {
            let mut after = before.clone();
            ops.iter().for_each(|op| after.apply(table, op, timestamp, bend));
            after
        };
        let mut after = with(ops, Bend::default());
        let truth = after.seen(false);
        for flaw in WRITES {
            if !liar.wants(flaw, at) {
                continue;
            }
            let plain = Bend::default();
            let lie = match flaw {
                Flaw::LostUpdate => with(&[], plain),
                Flaw::TornCommit => with(&ops[..ops.len() / 2 + ops.len() % 2], plain),
                Flaw::OlderWins => with(
                    ops,
                    Bend {
                        older_wins: true,
                        ..plain
                    },
                ),
                Flaw::TieWrong => with(
                    ops,
                    Bend {
                        tie_wrong: true,
                        ..plain
                    },
                ),
                Flaw::RangeOffByOne => with(
                    ops,
                    Bend {
                        off_by_one: Some(liar.choice(flaw, at, 1)),
                        ..plain
                    },
                ),
                Flaw::LostIncrement | Flaw::AddedTwice => with(
                    ops,
                    Bend {
                        times: Some(if flaw == Flaw::AddedTwice { 2 } else { 0 }),
                        ..plain
                    },
                ),
                _ => with(
                    ops,
                    Bend {
                        no_statics: true,
                        ..plain
                    },
                ),
            };
            if lie.seen(false) != truth {
                liar.tell(flaw, 1);
                after = lie;
                break;
            }
        }
        if liar.wants(Flaw::LostOnCrash, at) {
            world.stamped.only_in_memory(part, &before);
        } else {
            let disk = world.stamped.on_disk(part);
            if let Some(disk) = disk {
                ops.iter()
                    .for_each(|op| disk.apply(table, op, timestamp, Bend::default()));
            }
        }
        world.stamped.set(part, after, before);
    }

    fn stamped_read(&self, world: &World, at: Address, query: &Query) -> Rows {
        let table = self.renderer.layout().table(query.table);
        let plain = Twist::default();
        let parts = match parts_of(query) {
            Some(parts) => parts,
            None => world.stamped.all(query.table),
        };
        let seen = |part: &Part| world.stamped.get(*part).map(|p| p.seen(false));
        let now: BTreeMap<Part, Seen> = parts.iter().filter_map(|p| Some((*p, seen(p)?))).collect();
        let answer = |seen: &BTreeMap<Part, Seen>, twist: Twist| {
            evaluate(table, query, &sources(table, query, seen), twist)
        };
        let truth = answer(&now, plain);
        let liar = &self.shared.liar;
        if liar.is_honest() {
            return truth;
        }
        let told = |flaw: Flaw, lie: Rows| {
            if lie == truth {
                return None;
            }
            liar.tell(flaw, 1);
            Some(lie)
        };
        let twists = [
            (
                Flaw::WrongCount,
                Twist {
                    count_one_more: true,
                    ..plain
                },
            ),
            (
                Flaw::IgnoredLimit,
                Twist {
                    no_limit: true,
                    ..plain
                },
            ),
            (
                Flaw::SwappedRows,
                Twist {
                    swap: Some(liar.choice(Flaw::SwappedRows, at, 1)),
                    ..plain
                },
            ),
        ];
        for (flaw, twist) in twists {
            if liar.wants(flaw, at)
                && let Some(lie) = told(flaw, answer(&now, twist))
            {
                return lie;
            }
        }
        if liar.wants(Flaw::StaleRead, at) {
            let before = |part: &Part| world.stamped.before(*part).map(|p| (*part, p.seen(false)));
            let stale: BTreeMap<Part, Seen> = parts.iter().filter_map(before).collect();
            if let Some(lie) = told(Flaw::StaleRead, answer(&stale, plain)) {
                return lie;
            }
        }
        for flaw in ROWS {
            if !liar.wants(flaw, at) {
                continue;
            }
            // A lie about a row that LIMIT cuts off, or about a column that is not asked for, changes nothing: others are tried.
            for try_ in 0..8 {
                let choice = liar.choice(flaw, at, 1 + try_);
                let mut twisted = now.clone();
                let told = twist(flaw, choice, world, table, query, &mut twisted)
                    .and_then(|()| told(flaw, answer(&twisted, plain)));
                if let Some(lie) = told {
                    return lie;
                }
            }
        }
        truth
    }
}

fn pick(n: usize, choice: u64) -> Option<usize> {
    let n = u64::try_from(n).expect("an index fits");
    (n > 0).then(|| usize::try_from(choice % n).expect("an index fits"))
}

/// One row of what is read forgotten, changed, invented or brought back; `None` where there is none.
fn twist(
    flaw: Flaw,
    choice: u64,
    world: &World,
    table: &TableLayout,
    query: &Query,
    seen: &mut BTreeMap<Part, Seen>,
) -> Option<()> {
    let chosen = |row: u64| match &query.rows {
        RowChoice::All => true,
        RowChoice::One(one) => *one == row,
        RowChoice::In(list) => list.contains(&row),
        RowChoice::Slice(slice) => table.rows.universe.range(slice).contains(&row),
    };
    let rows: Vec<(Part, u64)> = seen
        .iter()
        .flat_map(|(part, seen)| seen.rows.keys().map(|row| (*part, *row)))
        .filter(|(_, row)| chosen(*row))
        .collect();
    let one = || pick(rows.len(), choice).map(|i| rows[i]);
    let at = |n: usize| pick(n, choice >> 32);
    match flaw {
        Flaw::ForgottenRow => {
            let (part, row) = one()?;
            seen.get_mut(&part)?.rows.remove(&row);
        }
        Flaw::WrongCell => {
            let (part, row) = one()?;
            let row = seen.get_mut(&part)?.rows.get_mut(&row)?;
            let i = at(row.cells.len())?;
            row.cells[i] = table.regular[i].other_descriptor(row.cells[i]);
        }
        Flaw::WrongTimestamp => {
            let (part, row) = one()?;
            let row = seen.get_mut(&part)?.rows.get_mut(&row)?;
            let i = at(row.stamps.len())?;
            row.stamps[i] = Some(row.stamps[i]? ^ 1);
        }
        Flaw::ExtraRow => {
            let (part, row) = one()?;
            let universe = &table.rows.universe;
            let extra = (0..16).map(|i| (choice >> 8).wrapping_add(i) % universe.len());
            let taken = &seen.get(&part)?.rows;
            let extra = extra
                .into_iter()
                .find(|row| chosen(*row) && !taken.contains_key(row))?;
            let like = taken.get(&row)?.clone();
            seen.get_mut(&part)?.rows.insert(extra, like);
        }
        _ => {
            let undead = seen.keys().filter_map(|part| {
                let all = world.stamped.get(*part)?.seen(true);
                Some((*part, all))
            });
            let mut back = Vec::new();
            for (part, all) in undead {
                for (row, cells) in all.rows {
                    if chosen(row) && seen[&part].rows.get(&row) != Some(&cells) {
                        back.push((part, row, cells));
                    }
                }
            }
            let (part, row, cells) = back.swap_remove(pick(back.len(), choice)?);
            seen.get_mut(&part)?.rows.insert(row, cells);
        }
    }
    Some(())
}

/// What a query reads, in the order of partitions and rows. A partition that has nothing but shared cells is one row where
/// whole partitions are asked for without a condition.
fn sources(table: &TableLayout, query: &Query, seen: &BTreeMap<Part, Seen>) -> Vec<Source> {
    let mut out = Vec::new();
    for (part, seen) in seen {
        let source = |row: Option<u64>, regular: Option<&SeenRow>| Source {
            partition: part.position,
            row,
            regular: regular.map(|r| r.cells.clone()),
            shared: Some(seen.shared.cells.clone()),
            stamps: Some(Stamps {
                regular: regular.map_or_else(|| vec![None; table.regular.len()], |r| r.stamps.clone()),
                shared: seen.shared.stamps.clone(),
            }),
        };
        out.extend(
            seen.rows
                .iter()
                .map(|(row, cells)| source(Some(*row), Some(cells))),
        );
        let alone = seen.rows.is_empty() && seen.shared.cells.iter().any(Option::is_some);
        if query.rows.is_every() && query.filter.is_empty() && alone {
            out.push(source(None, None));
        }
    }
    out
}
