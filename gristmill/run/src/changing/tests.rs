use super::*;
use crate::life::history;
use crate::plan::Settings;
use std::collections::BTreeSet;

fn plan(target: &str, flags: &[(&str, &str)], faults: &[&str]) -> Plan {
    let mut settings = Settings {
        target: Some(target.to_owned()),
        ..Settings::default()
    };
    settings.set("seed", "7b3f0c", "test").unwrap();
    for (key, value) in flags {
        settings.set(key, value, "test").unwrap();
    }
    for fault in faults {
        settings.fault(fault, "test").unwrap();
    }
    settings.plan(&crate::life::environment(None)).unwrap()
}

fn lww(faults: &[&str]) -> Plan {
    plan("reference:", &[("discipline", "lww"), ("visits", "4000")], faults)
}

/// The changes of a history, by number.
fn changes(visits: &dyn Regenerate, upto: u64) -> Vec<(Lts, Change, i64)> {
    let of = |lts: u64| {
        let visit = visits.visit(Lts(lts))?;
        let stamp = visit.stamp.map_or(0, |stamp| stamp.timestamp);
        visit.change().map(|change| (visit.lts, *change, stamp))
    };
    (1..=upto).filter_map(of).collect()
}

#[test]
fn what_is_away_is_named_by_nobody_and_comes_back() {
    let plan = lww(&["alter=1/60"]);
    let visits = history(&plan).unwrap();
    let changes = changes(&*visits, 4000);
    assert!(changes.len() > 30, "{changes:?}");
    let mut away: BTreeSet<(u16, ColumnId)> = BTreeSet::new();
    let mut upto: BTreeMap<(u16, ColumnId), i64> = BTreeMap::new();
    let mut named_again = 0;
    let mut at = changes.iter().peekable();
    for lts in (1..=4000).map(Lts) {
        let Some(visit) = visits.visit(lts) else { continue };
        assert_eq!(visit.lts, lts);
        if let Some((_, change, timestamp)) = at.next_if(|(n, ..)| *n == lts) {
            let key = (change.table, change.column);
            let fits = match change.what {
                ChangeKind::DropColumn => upto.insert(key, *timestamp) < Some(*timestamp) && away.insert(key),
                _ => away.remove(&key),
            };
            assert!(fits, "{lts}: {change:?}");
            assert!(
                visits
                    .away(change.table, lts)
                    .iter()
                    .eq(away.iter().filter(|k| k.0 == key.0).map(|k| &k.1))
            );
        }
        for (table, column) in &away {
            assert!(!visit.names(*table, *column), "{visit}");
        }
        for ((table, column), upto) in &upto {
            let writes = !visit.writes.is_empty() && visit.names(*table, *column);
            assert!(!writes || visit.stamp.unwrap().timestamp > *upto, "{visit}");
            named_again += u64::from(writes && !away.contains(&(*table, *column)));
        }
    }
    assert!(named_again > 100, "{named_again}");
}

#[test]
fn a_drop_deletes_up_to_the_greatest_timestamp_before_it() {
    let plan = lww(&["alter=1/60"]);
    let visits = history(&plan).unwrap();
    for (lts, change, timestamp) in changes(&*visits, 2000) {
        let before = (1..lts.0).filter_map(|n| visits.visit(Lts(n)));
        let greatest = before
            .filter(|v| v.change().is_none())
            .filter_map(|v| Some(v.stamp?.timestamp))
            .max();
        if change.what == ChangeKind::DropColumn {
            // A visit that gave way may have had a greater one.
            assert!(greatest.is_none_or(|g| g <= timestamp), "{lts}");
        }
    }
}

#[test]
fn writers_of_a_partition_are_found_both_ways_with_the_drops_of_its_table() {
    let plan = lww(&["alter=1/40", "index=1/50"]);
    let visits = history(&plan).unwrap();
    let drops: Vec<(Lts, u16)> = changes(&*visits, 1500)
        .iter()
        .filter(|(_, change, _)| change.what == ChangeKind::DropColumn)
        .map(|(lts, change, _)| (*lts, change.table))
        .collect();
    let mut parts = BTreeSet::new();
    for lts in (1..=1500).map(Lts) {
        parts.extend(visits.visit(lts).into_iter().flat_map(|visit| visit.writes));
    }
    for part in parts.into_iter().take(40) {
        let mut forward = Vec::new();
        let mut at = Lts(0);
        while let Some(next) = visits.writer_after(part, at).filter(|lts| lts.0 <= 1500) {
            forward.push(next);
            at = next;
        }
        let mut backward = Vec::new();
        let mut at = Lts(1501);
        while let Some(before) = visits.writer_before(part, at) {
            backward.push(before);
            at = before;
        }
        backward.reverse();
        assert_eq!(forward, backward, "{part}");
        let of_table = drops.iter().filter(|(_, table)| *table == part.table);
        assert!(of_table.clone().all(|(lts, _)| forward.contains(lts)), "{part}");
        let mut many = Vec::new();
        while let Some(last) = many.last().copied().or(Some(Lts(0))).filter(|l| l.0 <= 1500) {
            let length = many.len();
            visits.writers_after(part, last, &mut many);
            if many.len() == length {
                break;
            }
        }
        many.retain(|lts| lts.0 <= 1500);
        assert_eq!(many, forward, "{part}");
    }
}

#[test]
fn what_is_done_to_the_server_is_followed_by_a_read_of_what_was_written_before() {
    for (target, faults) in [("sqlite:", ["flush=1/40"]), ("reference:", ["index=1/40"])] {
        let plan = plan(target, &[("visits", "2000")], &faults);
        let base = crate::life::history(&Plan {
            faults: BTreeMap::new(),
            ..plan.clone()
        });
        let base = base.unwrap();
        let changing = Changing::of(&plan, &base).unwrap();
        let mut reads = 0;
        for lts in (1..=2000).map(Lts) {
            if changing.after(lts).is_none() {
                continue;
            }
            reads += 1;
            let visit = changing.visit(lts).unwrap();
            let [Step::Read(query)] = visit.steps.as_slice() else {
                panic!("{visit}")
            };
            let Parts::One(position) = query.parts else {
                panic!("{visit}")
            };
            let part = Part {
                table: query.table,
                position,
            };
            let written = |n| base.visit(Lts(n)).is_some_and(|v| v.writes.contains(&part));
            assert!((1..lts.0).any(written), "{visit}");
        }
        assert!(reads > 20, "{target}: {reads}");
    }
}

#[test]
fn reads_look_for_values_by_the_index_while_there_is_one() {
    let plan = lww(&["index=1/100"]);
    let base = history(&Plan {
        faults: BTreeMap::new(),
        ..plan.clone()
    });
    let changing = Changing::of(&plan, &base.unwrap()).unwrap();
    let by_index = (1..=4000).filter(|lts| changing.is_by_index(Lts(*lts)));
    assert!(by_index.count() > 15);
}

#[test]
fn under_lww_what_an_index_may_answer_is_asked_for_in_no_order() {
    let ordered = |faults: &[&str]| {
        let plan = lww(faults);
        let changeable = lww(&["index=1/60"]).changes.unwrap();
        let visits = history(&plan).unwrap();
        let all = (1..=4000).filter_map(|n| visits.visit(Lts(n)));
        let of = |step: &Step| {
            let Step::Read(query) = step else { return false };
            let indexed = |p: &Predicate| changeable.indexed.contains(&(query.table, p.column.0));
            query.filter.iter().any(indexed) && (!query.order.is_empty() || query.limit.is_some())
        };
        all.filter(|visit| visit.steps.iter().any(of)).count()
    };
    assert!(ordered(&[]) > 5, "without an index they are");
    assert_eq!(ordered(&["index=1/60"]), 0);
}

#[test]
fn without_such_faults_nothing_gives_way() {
    let plan = lww(&[]);
    let base = history(&plan).unwrap();
    assert!(Changing::of(&plan, &base).is_none());
    assert_eq!(plan.changes, None);
}

#[test]
fn tables_of_lightweight_transactions_are_read_in_their_order_even_where_no_visit_reads_them() {
    let flags = [("discipline", "lww"), ("visits", "2000"), ("reads", "0")];
    let plan = plan("reference:", &flags, &[]);
    let base = history(&plan).unwrap();
    let asked = whole::asked(&*base, plan.schema.tables.len());
    let (mut serial, mut plain) = (0, 0);
    for visit in (1..=2000).filter_map(|n| base.visit(Lts(n))) {
        let conditional = visit.stamp.unwrap().condition.is_some();
        for part in &visit.writes {
            let read = asked[usize::from(part.table)].stamp.unwrap();
            assert_eq!(read.consistency == Consistency::Serial, conditional, "{visit}");
            assert_eq!(read.condition, None);
            serial += u64::from(conditional);
            plain += u64::from(!conditional);
        }
    }
    assert!(serial > 10 && plain > 10, "{serial} {plain}");
}
