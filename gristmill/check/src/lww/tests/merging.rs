//! Small histories, every order of application, every application twice: one content, and the twin's.

use crate::layout::{Layouts, Source, TableLayout};
use crate::lww::cell::Kind;
use crate::lww::cells::Area;
use crate::lww::effects::{effects, merge, stamp, writes};
use crate::lww::merged::{Dirty, Merged};
use crate::lww::remains::remains;
use crate::testkit::draw::Draws;
use crate::testkit::race::draw_write;
use crate::testkit::{composites, counters, schema, semantics};
use crate::twin::race::{Race, written};
use crate::twin::state::Content;
use datagen::schema::Schema;
use history::{Change, ChangeKind, End, Lts, Part, Semantics, Stamp, Step, Ties, Visit};
use std::collections::BTreeSet;

const HISTORIES: u64 = 2_000;

fn ties(seed: u64) -> Semantics {
    Semantics {
        ties: if seed.is_multiple_of(2) {
            Ties::Greatest
        } else {
            Ties::GreatestBytes
        },
        ..semantics()
    }
}

/// Every order of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(n - 1) {
        for at in 0..n {
            let mut order = shorter.clone();
            order.insert(at, n - 1);
            all.push(order);
        }
    }
    all
}

fn visits(seed: u64, most: usize, schema: &Schema) -> (Part, Vec<Visit>) {
    let mut draws = Draws::new(seed);
    let part = Part {
        table: u16::from(draws.one_in(3)),
        position: 0,
    };
    let n = 1 + draws.below(most);
    let times = 1 + draws.below(5);
    let mut visits: Vec<Visit> = (0..n)
        .map(|i| draw_write(&mut draws, schema, part, Lts(i as u64 + 1), times))
        .collect();
    if draws.one_in(4) && !schema.table(part.table).counts() {
        let at = draws.below(n);
        visits[at] = drop_column(&mut draws, schema, part.table, &visits[at]);
    }
    (part, visits)
}

/// A visit that drops a column of the table, regular or shared, in place of another.
fn drop_column(draws: &mut Draws, schema: &Schema, table: u16, of: &Visit) -> Visit {
    let table_of = schema.table(table);
    let columns: Vec<_> = table_of
        .regular
        .iter()
        .chain(&table_of.shared)
        .map(|c| c.id)
        .filter(|id| table_of.domain(*id).elements().is_none())
        .collect();
    let change = Change {
        table,
        column: draws.pick(&columns),
        what: ChangeKind::DropColumn,
    };
    Visit {
        writes: Vec::new(),
        steps: vec![Step::Change(change)],
        end: End::Autocommit,
        ..of.clone()
    }
}

/// What is visible, in the twin's words; expiring values live, but for those of `expired`.
fn visible(merged: &Merged, table: &TableLayout, expired: &BTreeSet<Lts>) -> Content {
    let mut content = Content::default();
    let gone: Vec<bool> = merged
        .expiries()
        .iter()
        .map(|e| expired.contains(&e.lts))
        .collect();
    let alive = |cell: &crate::lww::cell::Cell| {
        matches!(cell.kind, Kind::Value | Kind::Sum)
            && (cell.expiring == 0 || !expired.contains(&merged.expiries()[cell.expiring as usize - 1].lts))
    };
    for (position, slot) in merged.rows() {
        let cells = merged.row(*slot);
        if !cells.iter().any(alive) {
            continue;
        }
        let line = content.rows.entry(*position).or_default();
        for c in 0..table.regular_count() {
            let Some((d, at)) = Area::row(table).shown(cells, c, &gone) else {
                continue;
            };
            let id = table.regular_id(c);
            line.insert(id, table.regular_domain(c).inflate(d));
            if table.is_one_cell(Source::Regular(c)) {
                content.stamps.insert((Some(*position), id), at);
            }
        }
    }
    for c in 0..table.shared_count() {
        let Some((d, at)) = Area::shared(table).shown(merged.shared(), c, &gone) else {
            continue;
        };
        let id = table.shared_id(c);
        let line = content.shared.get_or_insert_default();
        line.insert(id, table.shared_domain(c).inflate(d));
        if table.is_one_cell(Source::Shared(c)) {
            content.stamps.insert((None, id), at);
        }
    }
    content
}

#[test]
fn every_order_of_application_leaves_what_the_twin_says() {
    let (mut ties_met, mut doubts) = (0, 0);
    for seed in 0..HISTORIES {
        let most = if seed % 100 == 0 { 6 } else { 4 };
        let schema = match seed % 4 {
            0 | 2 => schema(),
            1 => composites(),
            _ => counters(),
        };
        let (part, visits) = visits(seed, most, &schema);
        let semantics = ties(seed / 7);
        let layout = Layouts::default().of(&schema);
        let table = layout.table(part.table);
        let mut first = None;
        for order in orders(visits.len()) {
            let mut merged = Merged::new(table, semantics.ties);
            // What is added to counters is added each time.
            let again = if table.counts() { 0 } else { order.len() };
            for i in order.iter().chain(order.iter().rev().take(again)) {
                merge(&mut merged, table, part, &visits[*i], None);
            }
            let content = merged.content();
            match &first {
                None => first = Some((content, merged)),
                Some((other, _)) => assert_eq!(*other, content, "seed {seed}, order {order:?}: {visits:#?}"),
            }
        }
        let (content, merged) = first.expect("there is one order");
        let stamps: BTreeSet<i64> = visits.iter().map(|v| stamp(v).timestamp).collect();
        ties_met += u64::from(stamps.len() < visits.len());
        // By effects, recorded, with something else taken back in between.
        let mut other = Merged::new(table, semantics.ties);
        other.record();
        for (i, visit) in visits.iter().enumerate() {
            let mark = other.mark();
            for next in visits[i..].iter().rev() {
                merge(&mut other, table, part, next, None);
            }
            other.undo(mark);
            let expiring = other.expiring(visit.lts, stamp(visit).ttl);
            for effect in effects(table, visit, part, expiring) {
                other.take(table, &effect, &mut Dirty::default());
            }
            if i % 2 == 0 {
                other.settle(other.mark());
            }
        }
        assert_eq!(content, other.content(), "seed {seed}: {visits:#?}");
        let writes: Vec<_> = visits.iter().flat_map(|v| written(v, part)).collect();
        let mut draws = Draws::new(seed ^ 0x77);
        let expired: BTreeSet<Lts> = visits.iter().map(|v| v.lts).filter(|_| draws.one_in(3)).collect();
        let race = Race {
            table: schema.table(part.table),
            writes: &writes,
            expired: &expired,
            semantics: &semantics,
        };
        let Some(theirs) = race.content() else {
            doubts += 1;
            continue;
        };
        let ours = visible(&merged, table, &expired);
        assert_eq!(ours.rows, theirs.rows, "seed {seed}: {visits:#?}");
        assert_eq!(ours.shared, theirs.shared, "seed {seed}: {visits:#?}");
        assert_eq!(ours.stamps, theirs.stamps, "seed {seed}: {visits:#?}");
    }
    assert!(
        ties_met > HISTORIES / 4 && doubts > 3,
        "{ties_met} ties, {doubts} doubts"
    );
}

#[test]
fn what_remains_leaves_the_same_when_it_is_written_alone() {
    let (schemas, layouts) = ([schema(), composites(), counters()], Layouts::default());
    let (mut told, mut several) = (0, 0);
    for seed in 0..HISTORIES {
        let ties = ties(seed).ties;
        let schema = &schemas[[0, 1, 1, 2, 0][usize::try_from(seed % 5).expect("below 5")]];
        let layout = layouts.of(schema);
        let (part, visits) = visits(seed, 7, schema);
        let table = layout.table(part.table);
        let mut merged = Merged::new(table, ties);
        for visit in &visits {
            for op in writes(visit, part) {
                merged.apply(table, visit.lts, op, stamp(visit), None);
            }
        }
        let Ok(remains) = remains(table, &merged, part) else {
            continue;
        };
        let mut alone = Merged::new(table, ties);
        // In whatever order they are written.
        for (n, write) in remains.iter().rev().enumerate() {
            let given = Stamp {
                timestamp: write.timestamp,
                ttl: write.ttl,
                condition: None,
                ..*stamp(&visits[0])
            };
            alone.apply(table, Lts(100 + n as u64), &write.op, &given, None);
        }
        let none = BTreeSet::new();
        let (left, was) = (visible(&alone, table, &none), visible(&merged, table, &none));
        let words = || format!("seed {seed}: {visits:?} leaves {remains:?}");
        assert_eq!(left.rows, was.rows, "{}", words());
        assert_eq!(left.shared, was.shared, "{}", words());
        assert_eq!(left.stamps, was.stamps, "{}", words());
        told += 1;
        several += u64::from(remains.len() > 2);
    }
    assert!(
        told > HISTORIES / 2 && several > HISTORIES / 20,
        "{told}, {several}"
    );
}
