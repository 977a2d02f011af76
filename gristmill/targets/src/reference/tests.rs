//! The reference passes the suite like any other target, and every lie is told where its table says.

use crate::conformance::{Stage, everything, two_tables};
use crate::flaws::{FLAWS, Flaw, Needs, Teller};
use crate::target::{Gone, Lie, OpenOptions, Request};
use history::{Answer, Discipline, Level, ReasonKind, Step, Visit};

#[test]
fn the_reference_passes_the_suite() {
    everything("reference:", &|n| OpenOptions::new("", format!("ref{n}")));
}

fn stage(lie: &str, per_million: u32) -> Stage {
    let lies = vec![Lie {
        name: lie.into(),
        per_million,
    }];
    Stage::new(
        "reference:",
        &OpenOptions {
            lies,
            ..OpenOptions::new("", "ref")
        },
        two_tables,
    )
}

/// Something for every lie: rows that are updated, deleted, ordered, limited, counted; visits of several rows.
const SCRIPT: &str = "1: insert t0/0/3 c4=100 c5=7; insert t0/0/4 c4=200; insert t0/0/5 c4=300 | commit
     2: update t0/0/3 c5=8 | commit
     3: update t0/0/3 c4=101 | commit
     4: delete t0/0/4 | auto
     5: read t0/0 select c2,c4,c5 order c2,c3 | auto
     6: read t0/0 select c4 order c2,c3 limit 1 | auto
     7: read t0/0 aggregate count,sum:c4 | auto
     8: read t0/0/3 select c4,c5 | auto
     9: upsert t0/0/3 c6=1 | auto
     10: read t0/0 select c4,c5,c6 order c2,c3 | auto";

#[test]
fn every_lie_of_the_store_is_told_and_its_honest_twin_is_silent() {
    let truth = stage("wrong_cell", 0).script(SCRIPT);
    for line in FLAWS
        .iter()
        .filter(|l| matches!(l.teller, Teller::Store | Teller::Anyone) && l.needs == Needs::Nothing)
        .filter(|l| l.disciplines.contains(&Discipline::Ordered))
    {
        let mut liar = stage(line.name, 1_000_000);
        let lies = liar.script(SCRIPT);
        assert_ne!(truth, lies, "{} changed nothing", line.name);
        assert!(liar.target.lies()[line.name] > 0, "{} was not counted", line.name);
        let mut honest = stage(line.name, 0);
        assert_eq!(truth, honest.script(SCRIPT), "{} at rate 0", line.name);
        assert!(honest.target.lies().is_empty());
    }
}

const STAMPED: &str = "
     1: upsert t0/0/3 c4=100 c5=2 | auto at 10 quorum
     2: update t0/0/3 c4=101 c5=9 | auto at 9 quorum
     3: update t0/0/3 c5=3 | auto at 10 quorum
     4: upsert t0/0/4 c4=7; upsert t0/0/8 c4=5 | batch at 11 quorum
     5: delete t0/0/4 | auto at 12 quorum
     6: upsert t0/0/0 c4=1; upsert t0/0/1 c4=1; upsert t0/0/5 c4=2; upsert t0/0/6 c4=2; upsert t0/0/7 c4=2 | batch at 11 quorum
     7: delete t0/0[0:1..3) | auto at 12 quorum
     8: delete t0/0[1:1..3) | auto at 12 quorum
     9: shared t0/0 c20=5 | auto at 13 quorum
     10: read t0/0 select c2,c4,c5,c20 order c2,-c3 stamps | auto at 0 one
     11: read t0/0 select c2,c4,c5,c20 order -c2,c3 limit 2 stamps | auto at 0 one
     12: read t0/0 select c3,c4 order c2,-c3 limit 2 | auto at 0 one
     13: read t0/0 aggregate count,max:c4 | auto at 0 one
     14: read t0/0/3 select c4,c5 | auto at 0 one
     15: read t0/0 select c2,c4,c5,c20 order c2,-c3 stamps | auto at 0 one";

fn stamped(lie: &str, per_million: u32) -> Stage {
    let options = OpenOptions {
        discipline: Discipline::Lww,
        lies: vec![Lie {
            name: lie.into(),
            per_million,
        }],
        ..OpenOptions::new("", "lww")
    };
    Stage::new("reference:", &options, two_tables)
}

#[test]
fn every_lie_about_timestamps_is_told_and_its_honest_twin_is_silent() {
    let truth = stamped("wrong_cell", 0).script(STAMPED);
    for line in FLAWS
        .iter()
        .filter(|l| l.needs == Needs::Nothing && l.disciplines.contains(&Discipline::Lww))
        // What is added to counters is lied about in whole runs, on tables that have some.
        .filter(|l| !matches!(l.flaw, Flaw::LostIncrement | Flaw::AddedTwice))
    {
        let mut liar = stamped(line.name, 1_000_000);
        let lies = liar.script(STAMPED);
        assert_ne!(truth, lies, "{} changed nothing", line.name);
        assert!(liar.target.lies()[line.name] > 0, "{} was not counted", line.name);
        let mut honest = stamped(line.name, 0);
        assert_eq!(truth, honest.script(STAMPED), "{} at rate 0", line.name);
        assert!(honest.target.lies().is_empty());
    }
}

const CONDITIONAL: &str = "
     1: upsert t0/0/3 c4=100 | auto at 0 quorum if not-exists
     2: upsert t0/0/3 c4=101 | auto at 0 quorum if not-exists
     3: update t0/0/3 c4=102 | auto at 0 quorum if c4=100
     4: update t0/0/3 c4=103 | auto at 0 quorum if c4=100
     5: update t0/0/4 c4=1 | auto at 0 quorum if exists
     6: update t0/0/4 c4=1 | auto at 0 quorum if c4=null
     7: delete t0/0/3 | auto at 0 quorum if exists
     8: delete t0/0/3 | auto at 0 quorum if exists
     9: read t0/0 select c4 order c2,-c3 | auto at 0 serial";

#[test]
fn a_lightweight_transaction_is_done_where_its_condition_holds_and_lies_about_it_are_told() {
    let truth = stamped("wrong_cell", 0).script(CONDITIONAL);
    expect_test::expect![[r#"
        1: affected 1 -> Committed
        2: affected 0 -> Committed
        3: affected 1 -> Committed
        4: affected 0 -> Committed
        5: affected 0 -> Committed
        6: affected 1 -> Committed
        7: affected 1 -> Committed
        8: affected 0 -> Committed
        9: rows (-32767) -> Committed
    "#]]
    .assert_eq(&truth);
    for line in FLAWS.iter().filter(|l| l.needs == Needs::Conditional) {
        let mut liar = stamped(line.name, 1_000_000);
        assert_ne!(truth, liar.script(CONDITIONAL), "{} changed nothing", line.name);
        assert!(liar.target.lies()[line.name] > 0, "{} was not counted", line.name);
        let mut honest = stamped(line.name, 0);
        assert_eq!(truth, honest.script(CONDITIONAL), "{} at rate 0", line.name);
    }
}

#[test]
fn a_lie_of_the_other_discipline_is_refused() {
    let lies = |name: &str| {
        vec![Lie {
            name: name.into(),
            per_million: 1,
        }]
    };
    let ordered = OpenOptions {
        lies: lies("older_wins"),
        ..OpenOptions::new("", "ref")
    };
    let error = crate::open("reference:", &ordered).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot use --lie older_wins: it cannot be told under discipline ordered"
    );
    let lww = OpenOptions {
        lies: lies("dirty_read"),
        discipline: Discipline::Lww,
        ..OpenOptions::new("", "ref")
    };
    assert!(crate::open("reference:", &lww).is_err());
}

#[test]
fn the_greatest_timestamp_wins_in_the_reference() {
    crate::conformance::greatest_timestamp_wins("reference:", &|n| OpenOptions::new("", format!("ref{n}")));
}

#[test]
fn a_crash_with_lost_on_crash_takes_stamped_writes() {
    for (rate, left) in [(0, "rows (-32668)"), (1_000_000, "rows")] {
        let mut stage = stamped("lost_on_crash", rate);
        stage.script("1: upsert t0/0/3 c4=100 | auto at 5 quorum");
        let control = stage.target.control().unwrap();
        control.kill9().unwrap();
        control.restart().unwrap();
        let again = stage.connect();
        let read: Visit = "2: read t0/0 select c4 | auto at 0 quorum".parse().unwrap();
        let answer = stage.ask(again, (2, 0), &Request::stamped(&read).unwrap());
        assert_eq!(answer.to_string(), left);
        let told = stage.target.lies().get("lost_on_crash").copied().unwrap_or(0);
        assert_eq!(told, u64::from(rate > 0));
    }
}

#[test]
fn a_lie_is_drawn_by_its_address_and_by_nothing_else() {
    let reads = "5: read t0/0 select c2,c4,c5 order c2,c3 | auto
         8: read t0/0/3 select c4,c5 | auto";
    let writes: String = SCRIPT.lines().take(4).collect::<Vec<_>>().join("\n");
    for seed_line in ["forgotten_row", "wrong_cell"] {
        let mut plain = stage(seed_line, 500_000);
        plain.script(&writes);
        let first = plain.script(reads);
        let mut with_others = stage(seed_line, 500_000);
        with_others.script(&writes);
        with_others.script("20: read t0/1 select c4 | auto");
        assert_eq!(first, with_others.script(reads));
    }
}

fn step(text: &str) -> Step {
    let visit: Visit = format!("1: {text} | auto").parse().unwrap();
    visit.steps.into_iter().next().unwrap()
}

#[test]
fn dirty_read_shows_a_write_before_its_commit_and_takes_it_back() {
    for (rate, seen) in [(0, "rows"), (1_000_000, "rows (-32668)")] {
        let mut stage = stage("dirty_read", rate);
        let reader = stage.connect();
        let read = step("read t0/0 select c4");
        let begin = Request::Begin {
            level: Level::Snapshot,
            writes: true,
        };
        stage.ask(0, (1, 0), &begin);
        stage.ask(0, (1, 1), &Request::Step(&step("insert t0/0/3 c4=100")));
        assert_eq!(stage.ask(reader, (2, 0), &Request::Step(&read)).to_string(), seen);
        stage.ask(0, (1, 2), &Request::Rollback);
        assert_eq!(
            stage.ask(reader, (3, 0), &Request::Step(&read)).to_string(),
            "rows"
        );
        assert_eq!(
            stage.target.lies().get("dirty_read").copied().unwrap_or(0),
            u64::from(rate > 0)
        );
    }
}

#[test]
fn a_crash_takes_open_transactions_and_with_lost_on_crash_committed_ones() {
    for (rate, left) in [(0, "rows (-32668)"), (1_000_000, "rows")] {
        let mut stage = stage("lost_on_crash", rate);
        let before = stage.target.incarnation().unwrap();
        stage.script("1: insert t0/0/3 c4=100 | commit");
        let open = stage.connect();
        stage.ask(
            open,
            (2, 0),
            &Request::Begin {
                level: Level::Snapshot,
                writes: true,
            },
        );
        stage.ask(open, (2, 1), &Request::Step(&step("insert t0/0/4 c4=101")));
        let who = stage.session(open).identity();
        let control = stage.target.control().unwrap();
        control.kill9().unwrap();
        assert!(
            stage.target.connect(who.session, &stage.schema).is_err(),
            "it is down"
        );
        control.restart().unwrap();
        assert_ne!(before, stage.target.incarnation().unwrap());
        let lost = stage.ask(open, (2, 2), &Request::Commit);
        assert!(matches!(lost, Answer::Unknown(r) if r.kind == ReasonKind::Disconnected));
        assert!(stage.session(open).broken());
        assert_eq!(stage.target.gone(&who), Gone::Gone);
        let fresh = stage.connect();
        let read = step("read t0/0 select c4");
        assert_eq!(stage.ask(fresh, (3, 0), &Request::Step(&read)).to_string(), left);
        assert_eq!(
            stage.target.lies().get("lost_on_crash").copied().unwrap_or(0),
            u64::from(rate > 0)
        );
    }
}

#[test]
fn a_commit_that_would_overwrite_what_changed_since_is_refused() {
    let mut stage = stage("wrong_cell", 0);
    let other = stage.connect();
    stage.script("1: insert t0/0/3 c4=100 | auto");
    for session in [0, other] {
        stage.ask(
            session,
            (2, 0),
            &Request::Begin {
                level: Level::Snapshot,
                writes: true,
            },
        );
        stage.ask(session, (2, 1), &Request::Step(&step("update t0/0/3 c4=1")));
    }
    assert!(matches!(
        stage.ask(0, (2, 2), &Request::Commit),
        Answer::Affected(0)
    ));
    let second = stage.ask(other, (2, 2), &Request::Commit);
    assert!(matches!(second, Answer::Refused(r) if r.kind == ReasonKind::Serialization));
}
