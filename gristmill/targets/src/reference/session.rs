//! One session of the reference: a buffer, savepoints, a snapshot.

use super::evaluate::{Source, Twist, evaluate};
use super::store::{Changes, Key, Row};
use super::{Shared, World, parts_of};
use crate::Unusable;
use crate::dialect::{Renderer, refusal};
use crate::flaws::Flaw;
use crate::layout::TableLayout;
use crate::target::{Cancel, Executed, Identity, Request, Session};
use history::{
    Address, Answer, Cells, Level, Op, Part, Query, Reason, ReasonKind, RowChoice, Rows, SessionId, Step,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct ReferenceSession {
    pub(super) shared: Arc<Shared>,
    pub(super) renderer: Renderer,
    who: SessionId,
    serial: u64,
    incarnation: u64,
    autocommit: Level,
    transaction: Option<Transaction>,
    broken: bool,
}

struct Transaction {
    level: Level,
    /// What it reads; the present with each statement where `None`.
    snapshot: Option<u64>,
    buffer: Changes,
    savepoints: Vec<(u8, Changes)>,
    /// Partitions it read, and tables it read whole.
    read: BTreeSet<Part>,
    read_whole: BTreeSet<u16>,
    failed: bool,
    /// One statement that commits by itself, under the lock that it began under.
    autocommit: bool,
    /// Lies that are told if it commits.
    lost: u64,
}

impl Transaction {
    fn new(level: Level, snapshot: Option<u64>) -> Self {
        Self {
            level,
            snapshot,
            buffer: Changes::new(),
            savepoints: Vec::new(),
            read: BTreeSet::new(),
            read_whole: BTreeSet::new(),
            failed: false,
            autocommit: false,
            lost: 0,
        }
    }
}

/// What a row read resolves to: the own buffer above the committed store.
struct Sight<'a> {
    world: &'a World,
    at: u64,
    buffer: &'a Changes,
    /// Leaked writes of others, above the store and below the buffer.
    leaks: Option<&'a Changes>,
}

impl Sight<'_> {
    fn get(&self, key: Key) -> Option<Row> {
        if let Some(row) = self.buffer.get(&key) {
            return row.clone();
        }
        if let Some(row) = self.leaks.and_then(|l| l.get(&key)) {
            return row.clone();
        }
        self.world.store.get(key, self.at).cloned()
    }

    /// Every row between two keys, in their order.
    fn range(&self, from: Key, to: Key) -> Vec<(Key, Row)> {
        let mut rows: std::collections::BTreeMap<Key, Row> = self
            .world
            .store
            .range(from, to, self.at)
            .map(|(k, r)| (k, r.clone()))
            .collect();
        for changes in self.leaks.into_iter().chain([self.buffer]) {
            for (key, row) in changes.range(from..=to) {
                match row {
                    Some(row) => rows.insert(*key, row.clone()),
                    None => rows.remove(key),
                };
            }
        }
        rows.into_iter().collect()
    }
}

fn companion(part: Part) -> Key {
    Key { part, row: None }
}

fn row_key(part: Part, row: u64) -> Key {
    Key { part, row: Some(row) }
}

/// The ends of what a query or op reads of a partition, companion included; of the whole table without a partition.
fn ends(table: u16, part: Option<Part>) -> (Key, Key) {
    let (first, last) = match part {
        Some(part) => (part, part),
        None => (
            Part { table, position: 0 },
            Part {
                table,
                position: u64::MAX,
            },
        ),
    };
    (companion(first), row_key(last, u64::MAX))
}

fn reason(kind: ReasonKind, code: &str, text: &str) -> Reason {
    Reason {
        kind,
        code: code.into(),
        text: text.into(),
    }
}

impl ReferenceSession {
    pub(super) fn open(
        shared: &Arc<Shared>,
        who: SessionId,
        renderer: Renderer,
        autocommit: Level,
    ) -> Result<Self, Unusable> {
        let mut world = shared.world.lock();
        if world.down {
            let remedy = "restart it first";
            return Err(Unusable::server(
                "reference:",
                "it was killed and is not running",
                remedy,
            ));
        }
        world.serial += 1;
        let (serial, incarnation) = (world.serial, world.incarnation);
        world.open.insert(serial);
        drop(world);
        Ok(Self {
            shared: Arc::clone(shared),
            renderer,
            who,
            serial,
            incarnation,
            autocommit,
            transaction: None,
            broken: false,
        })
    }

    fn answer(&mut self, at: Address, request: &Request<'_>) -> Answer {
        if self.broken {
            return Answer::Refused(reason(ReasonKind::Disconnected, "08003", "the session is closed"));
        }
        let shared = Arc::clone(&self.shared);
        let mut world = shared.world.lock();
        if !world.open.contains(&self.serial) {
            self.broken = true;
            self.transaction = None;
            return Answer::Unknown(reason(
                ReasonKind::Disconnected,
                "08006",
                "the connection is gone",
            ));
        }
        match request {
            Request::Begin { level, .. } => {
                let snapshot = (*level > Level::ReadCommitted).then(|| world.store.hold(self.who));
                self.transaction = Some(Transaction::new(*level, snapshot));
                Answer::Affected(0)
            }
            Request::Commit => self.commit(&mut world, at),
            Request::Rollback => {
                self.end(&mut world);
                Answer::Affected(0)
            }
            Request::Step(step) => self.step(&mut world, at, step),
            Request::Stamped { steps, stamp, .. } => {
                refusal(request, true).unwrap_or_else(|| self.stamped(&mut world, at, steps, stamp))
            }
        }
    }

    /// Forgets the transaction.
    fn end(&mut self, world: &mut World) -> Option<Transaction> {
        world.store.release(self.who);
        world.leaks.remove(&self.who);
        self.transaction.take()
    }

    fn commit(&mut self, world: &mut World, at: Address) -> Answer {
        let Some(transaction) = self.end(world) else {
            return Answer::Affected(0);
        };
        if transaction.failed {
            let text = "the transaction had failed: COMMIT rolled it back";
            return Answer::Refused(reason(ReasonKind::RolledBack, "25P02", text));
        }
        if let Some(snapshot) = transaction.snapshot {
            let store = &world.store;
            let overwritten = transaction
                .buffer
                .keys()
                .any(|k| store.changed_after(k.part, snapshot));
            let outdated = transaction.level == Level::Serializable
                && !transaction.buffer.is_empty()
                && (transaction.read.iter().any(|p| store.changed_after(*p, snapshot))
                    || transaction
                        .read_whole
                        .iter()
                        .any(|t| store.table_changed_after(*t, snapshot)));
            if overwritten || outdated {
                let text = "could not serialize access due to a concurrent change";
                return Answer::Refused(reason(ReasonKind::Serialization, "40001", text));
            }
        }
        self.shared.liar.tell(Flaw::LostUpdate, transaction.lost);
        self.apply(world, at, transaction.buffer);
        Answer::Affected(0)
    }

    /// Makes changes visible: the end of every commit.
    fn apply(&self, world: &mut World, at: Address, mut changes: Changes) {
        let liar = &self.shared.liar;
        let end = Address {
            step: Address::END,
            ..at
        };
        if changes.len() > 1 && liar.wants(Flaw::TornCommit, end) {
            let half = changes
                .keys()
                .nth(changes.len() / 2)
                .copied()
                .expect("two at least");
            let now = world.store.now();
            let torn = changes.split_off(&half);
            let differs = torn
                .iter()
                .any(|(key, row)| world.store.get(*key, now) != row.as_ref());
            liar.tell(Flaw::TornCommit, u64::from(differs));
        }
        if changes.is_empty() {
            return;
        }
        let number = world.store.apply(at.lts, changes);
        if liar.wants(Flaw::LostOnCrash, end) {
            world.volatile.insert(number);
        }
    }

    fn step(&mut self, world: &mut World, at: Address, step: &Step) -> Answer {
        let autocommit = self.transaction.is_none();
        if autocommit {
            let alone = Transaction {
                autocommit: true,
                ..Transaction::new(self.autocommit, None)
            };
            self.transaction = Some(alone);
        }
        let mut transaction = self.transaction.take().expect("made above where there was none");
        let answer = self.step_inside(world, at, step, &mut transaction);
        if matches!(answer, Answer::Refused(_)) {
            transaction.failed = true;
        }
        if autocommit {
            if !transaction.failed {
                self.shared.liar.tell(Flaw::LostUpdate, transaction.lost);
                self.apply(world, at, transaction.buffer);
            }
        } else {
            self.transaction = Some(transaction);
        }
        answer
    }

    fn step_inside(&self, world: &mut World, at: Address, step: &Step, own: &mut Transaction) -> Answer {
        match step {
            Step::RollbackTo(name) => {
                let Some(i) = own.savepoints.iter().rposition(|(n, _)| n == name) else {
                    return Answer::Refused(reason(ReasonKind::Other, "3B001", "there is no such savepoint"));
                };
                own.savepoints.truncate(i + 1);
                own.buffer.clone_from(&own.savepoints[i].1);
                own.failed = false;
                if let Some(leak) = world.leaks.get_mut(&self.who) {
                    leak.retain(|key, _| own.buffer.contains_key(key));
                }
                Answer::Affected(0)
            }
            _ if own.failed => {
                let text = "the transaction has failed: nothing but ROLLBACK is done";
                Answer::Refused(reason(ReasonKind::InFailedTransaction, "25P02", text))
            }
            Step::Savepoint(name) => {
                own.savepoints.push((*name, own.buffer.clone()));
                Answer::Affected(0)
            }
            Step::Write(op) => self.write(world, at, op, own),
            Step::Read(query) => Answer::Rows(self.read(world, at, query, own)),
            // There is nothing that an index would make faster.
            Step::Change(_) => Answer::Affected(0),
        }
    }

    fn write(&self, world: &mut World, at: Address, op: &Op, own: &mut Transaction) -> Answer {
        let table = self.renderer.layout().table(op.part().table);
        let now = own.snapshot.unwrap_or_else(|| world.store.now());
        let sight = Sight {
            world,
            at: now,
            buffer: &own.buffer,
            leaks: None,
        };
        let part = op.part();
        let mut changes = Changes::new();
        let mut lost = 0;
        let affected = match op {
            Op::Insert {
                row, cells, strict, ..
            } => {
                let key = row_key(part, *row);
                if sight.get(key).is_none() {
                    changes.insert(key, Some(table.fill_regular(None, cells)));
                    1
                } else if *strict {
                    let text = format!("{part}/{row} exists");
                    return Answer::Refused(reason(ReasonKind::Duplicate, "23505", &text));
                } else {
                    0
                }
            }
            Op::Upsert { row, cells, .. } => {
                let key = row_key(part, *row);
                let base = self.base(&sight, at, key, cells, table, &mut lost);
                changes.insert(key, Some(table.fill_regular(base, cells)));
                1
            }
            Op::Update { row, cells, .. } => {
                let key = row_key(part, *row);
                match self.base(&sight, at, key, cells, table, &mut lost) {
                    None => 0,
                    base => {
                        changes.insert(key, Some(table.fill_regular(base, cells)));
                        1
                    }
                }
            }
            Op::DeleteCells { row, columns, .. } => {
                let cells: Cells = columns.iter().map(|c| (*c, None)).collect();
                let key = row_key(part, *row);
                match sight.get(key) {
                    None => 0,
                    base => {
                        changes.insert(key, Some(table.fill_regular(base, &cells)));
                        1
                    }
                }
            }
            Op::Shared { cells, .. } => {
                let key = companion(part);
                changes.insert(key, Some(table.fill_shared(sight.get(key), cells)));
                1
            }
            Op::Elements { .. } | Op::Add { .. } => {
                unreachable!("no column here has elements, or is a counter")
            }
            Op::DeleteRow { row, .. } => {
                let key = row_key(part, *row);
                let there = sight.get(key).is_some();
                if there {
                    changes.insert(key, None);
                }
                u64::from(there)
            }
            Op::DeleteSlice { slice, .. } => {
                let range = table.rows.universe.range(slice);
                let (from, to) = ends(part.table, Some(part));
                for (key, _) in sight.range(from, to) {
                    if key.row.is_some_and(|row| range.contains(&row)) {
                        changes.insert(key, None);
                    }
                }
                u64::try_from(changes.len()).expect("fewer rows than 2^64")
            }
            Op::DeletePartition { .. } => {
                let (from, to) = ends(part.table, Some(part));
                changes.extend(sight.range(from, to).into_iter().map(|(key, _)| (key, None)));
                u64::try_from(changes.len()).expect("fewer rows than 2^64")
            }
        };
        let liar = &self.shared.liar;
        if liar.wants(Flaw::DirtyRead, at) && !own.autocommit {
            world.leaks.entry(self.who).or_default().extend(changes.clone());
        } else if let Some(leak) = world.leaks.get_mut(&self.who) {
            leak.retain(|key, _| !changes.contains_key(key));
        }
        own.buffer.extend(changes);
        own.lost += lost;
        let more = u64::from(liar.wants(Flaw::WrongCount, at));
        liar.tell(Flaw::WrongCount, more);
        Answer::Affected(affected + more)
    }

    /// What an update starts from: the row, or, for `lost_update`, the row before the last visit that wrote it.
    fn base(
        &self,
        sight: &Sight<'_>,
        at: Address,
        key: Key,
        cells: &Cells,
        table: &TableLayout,
        lost: &mut u64,
    ) -> Option<Row> {
        let truth = sight.get(key)?;
        if !self.shared.liar.wants(Flaw::LostUpdate, at) || sight.buffer.contains_key(&key) {
            return Some(truth);
        }
        let Some(older) = sight.world.store.before_last(key, sight.at).cloned() else {
            return Some(truth);
        };
        let fill = |row: Row| table.fill_regular(Some(row), cells);
        if fill(older.clone()) == fill(truth.clone()) {
            return Some(truth);
        }
        *lost += 1;
        Some(older)
    }

    fn read(&self, world: &World, at: Address, query: &Query, own: &mut Transaction) -> Rows {
        let table = self.renderer.layout().table(query.table);
        let parts = parts_of(query);
        match &parts {
            Some(parts) => own.read.extend(parts.iter().copied()),
            None => {
                own.read_whole.insert(query.table);
            }
        }
        let now = own.snapshot.unwrap_or_else(|| world.store.now());
        let sight = Sight {
            world,
            at: now,
            buffer: &own.buffer,
            leaks: None,
        };
        let sources = sources(&sight, query, parts.as_deref());
        let truth = evaluate(table, query, &sources, Twist::default());
        if self.shared.liar.is_honest() {
            return truth;
        }
        self.lie(&sight, at, query, parts.as_deref(), sources, truth)
    }

    /// The first lie that is wanted here and changes the answer; the truth if there is none.
    fn lie(
        &self,
        sight: &Sight<'_>,
        at: Address,
        query: &Query,
        parts: Option<&[Part]>,
        sources: Vec<Source>,
        truth: Rows,
    ) -> Rows {
        let liar = &self.shared.liar;
        let table = self.renderer.layout().table(query.table);
        let told = |flaw: Flaw, answer: Rows| {
            if answer == truth {
                return None;
            }
            liar.tell(flaw, 1);
            Some(answer)
        };
        let plain = Twist::default();
        let twist = |flaw: Flaw| match flaw {
            Flaw::WrongCount => Twist {
                count_one_more: true,
                ..plain
            },
            Flaw::IgnoredLimit => Twist {
                no_limit: true,
                ..plain
            },
            _ => Twist {
                swap: Some(liar.choice(Flaw::SwappedRows, at, 1)),
                ..plain
            },
        };
        for flaw in [Flaw::WrongCount, Flaw::IgnoredLimit, Flaw::SwappedRows] {
            if liar.wants(flaw, at)
                && let Some(lie) = told(flaw, evaluate(table, query, &sources, twist(flaw)))
            {
                return lie;
            }
        }
        if liar.wants(Flaw::StaleRead, at)
            && let Some(parts) = parts
            && let Some(before) = sight
                .world
                .store
                .before_last_change(&parts.iter().copied().collect())
        {
            let stale = Sight {
                at: before.min(sight.at),
                ..*sight
            };
            let answer = evaluate(table, query, &self::sources(&stale, query, Some(parts)), plain);
            if let Some(lie) = told(Flaw::StaleRead, answer) {
                return lie;
            }
        }
        for (who, leak) in &sight.world.leaks {
            let dirty = Sight {
                leaks: Some(leak),
                ..*sight
            };
            if *who != self.who
                && let Some(lie) = told(
                    Flaw::DirtyRead,
                    evaluate(table, query, &self::sources(&dirty, query, parts), plain),
                )
            {
                return lie;
            }
        }
        for flaw in [
            Flaw::ForgottenRow,
            Flaw::WrongCell,
            Flaw::ExtraRow,
            Flaw::ResurrectedRow,
        ] {
            if !liar.wants(flaw, at) {
                continue;
            }
            // A lie about a row that LIMIT cuts off changes nothing: a few others are tried.
            for try_ in 0..4 {
                let choice = liar.choice(flaw, at, 1 + try_);
                if let Some(twisted) = self.twisted(flaw, choice, sight, query, parts, &sources)
                    && let Some(lie) = told(flaw, evaluate(table, query, &twisted, plain))
                {
                    return lie;
                }
            }
        }
        truth
    }

    /// The rows of the read with one of them forgotten, changed, invented or brought back.
    fn twisted(
        &self,
        flaw: Flaw,
        choice: u64,
        sight: &Sight<'_>,
        query: &Query,
        parts: Option<&[Part]>,
        sources: &[Source],
    ) -> Option<Vec<Source>> {
        let table = self.renderer.layout().table(query.table);
        let pick = |n: usize| -> Option<usize> {
            let n = u64::try_from(n).expect("an index fits").checked_sub(1)?;
            usize::try_from(choice % (n + 1)).ok()
        };
        let chosen: Vec<usize> = (0..sources.len())
            .filter(|i| match (&query.rows, sources[*i].row) {
                (RowChoice::One(one), Some(row)) => *one == row,
                (RowChoice::In(list), Some(row)) => list.contains(&row),
                (RowChoice::Slice(slice), Some(row)) => table.rows.universe.range(slice).contains(&row),
                _ => true,
            })
            .collect();
        let mut twisted = sources.to_vec();
        match flaw {
            Flaw::ForgottenRow => {
                twisted.remove(chosen[pick(chosen.len())?]);
            }
            Flaw::WrongCell => {
                let source = &mut twisted[chosen[pick(chosen.len())?]];
                let (cells, columns) = match (&mut source.regular, &mut source.shared) {
                    (Some(cells), _) if !cells.is_empty() => (cells, &table.regular),
                    (_, Some(cells)) if !cells.is_empty() => (cells, &table.shared),
                    _ => return None,
                };
                let i = usize::try_from(choice >> 32).expect("32 bits fit") % cells.len();
                cells[i] = columns[i].other_descriptor(cells[i]);
            }
            Flaw::ExtraRow => {
                let mut extra = sources.get(pick(sources.len())?)?.clone();
                let taken: BTreeSet<Option<u64>> = sources
                    .iter()
                    .filter(|s| s.partition == extra.partition)
                    .map(|s| s.row)
                    .collect();
                let range = match &query.rows {
                    RowChoice::Slice(slice) => table.rows.universe.range(slice),
                    RowChoice::All if extra.row.is_some() => 0..table.rows.universe.len(),
                    _ => return None,
                };
                let width = (range.end - range.start).max(1);
                let free = (0..16).map(|i| range.start + (choice >> 8).wrapping_add(i) % width);
                let free = free.filter(|row| range.contains(row));
                extra.row = Some(free.into_iter().find(|row| !taken.contains(&Some(*row)))?);
                twisted.push(extra);
                twisted.sort_by_key(|s| (s.partition, s.row));
            }
            _ => {
                let mut dead = Vec::new();
                let spans: Vec<(Key, Key)> = match parts {
                    Some(parts) => parts.iter().map(|p| ends(query.table, Some(*p))).collect(),
                    None => vec![ends(query.table, None)],
                };
                for (from, to) in spans {
                    let shared = query.from == history::From::Shared;
                    for (key, row) in sight.world.store.deleted(from, to, sight.at) {
                        if key.row.is_none() == shared && sight.get(key).is_none() {
                            dead.push((key, row.clone()));
                        }
                    }
                }
                let (key, row) = dead.get(pick(dead.len())?)?.clone();
                twisted.push(match key.row {
                    Some(at) => Source {
                        partition: key.part.position,
                        row: Some(at),
                        regular: Some(row),
                        shared: joined(query).then(|| sight.get(companion(key.part))).flatten(),
                        stamps: None,
                    },
                    None => Source {
                        partition: key.part.position,
                        row: None,
                        regular: None,
                        shared: Some(row),
                        stamps: None,
                    },
                });
                twisted.sort_by_key(|s| (s.partition, s.row));
            }
        }
        Some(twisted)
    }
}

fn joined(query: &Query) -> bool {
    matches!(query.from, history::From::InnerJoin | history::From::LeftJoin)
}

/// What a query reads, in the order of partitions and rows, before its conditions.
fn sources(sight: &Sight<'_>, query: &Query, parts: Option<&[Part]>) -> Vec<Source> {
    let spans: Vec<(Key, Key)> = match parts {
        Some(parts) => parts.iter().map(|p| ends(query.table, Some(*p))).collect(),
        None => vec![ends(query.table, None)],
    };
    let mut out = Vec::new();
    for (from, to) in spans {
        for (key, row) in sight.range(from, to) {
            let partition = key.part.position;
            match (key.row, query.from) {
                (None, history::From::Shared) => {
                    out.push(Source {
                        partition,
                        row: None,
                        regular: None,
                        shared: Some(row),
                        stamps: None,
                    });
                }
                (Some(at), history::From::Table) => {
                    out.push(Source {
                        partition,
                        row: Some(at),
                        regular: Some(row),
                        shared: None,
                        stamps: None,
                    });
                }
                (Some(at), history::From::InnerJoin | history::From::LeftJoin) => {
                    let shared = sight.get(companion(key.part));
                    out.push(Source {
                        partition,
                        row: Some(at),
                        regular: Some(row),
                        shared,
                        stamps: None,
                    });
                }
                (None, _) | (Some(_), history::From::Shared) => {}
            }
        }
    }
    out
}

impl Session for ReferenceSession {
    fn execute(&mut self, at: Address, request: &Request<'_>, _: Duration) -> Executed {
        let digest = self.renderer.render(request);
        let answer = self.answer(at, request);
        Executed { answer, digest }
    }

    fn identity(&self) -> Identity {
        Identity {
            session: self.who,
            process: self.serial,
            started: self.serial.to_string(),
            incarnation: self.incarnation.to_string(),
        }
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        None
    }

    fn broken(&self) -> bool {
        self.broken
    }
}

impl Drop for ReferenceSession {
    fn drop(&mut self) {
        let mut world = self.shared.world.lock();
        if world.open.remove(&self.serial) {
            world.store.release(self.who);
            world.leaks.remove(&self.who);
        }
    }
}
