//! Damage is done where it is drawn, counted where it is done, and nothing else changes.

use super::damage::damaged;
use crate::conformance::{Stage, two_tables};
use crate::flaws::{FLAWS, Flaw, Needs, Teller};
use crate::layout::Layouts;
use crate::target::{Lie, OpenOptions, Request};
use datagen::schema::Schema;
use datagen::value::Value;
use history::{Address, Answer, Discipline, Lts, SessionId, Visit};
use std::sync::Arc;
use std::time::Duration;

const SCRIPT: &[&str] = &[
    "1: upsert t0/0/3 c4=100 c5=null | auto",
    "2: upsert t0/0/4 c4=200 c5=3 | auto",
    "3: upsert t0/0/5 c4=300 c5=4 | auto",
    "4: read t0/0 select c2,c3,c4,c5 order c2,c3 | auto",
    "5: read t0/0 aggregate count,sum:c4 | auto",
    "6: read t0/0 group c4 with count order c4 | auto",
];

fn answers(url: &str, lies: &[(&str, u32)]) -> (Vec<Answer>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let lies = lies
        .iter()
        .map(|(name, rate)| Lie {
            name: (*name).into(),
            per_million: *rate,
        })
        .collect();
    let options = OpenOptions {
        lies,
        ..OpenOptions::new(folder.path(), "gmc")
    };
    let target = crate::open(url, &options).unwrap();
    let schema: Arc<Schema> = Arc::new(crate::conformance::two_tables(&*target));
    target.prepare(&schema).unwrap();
    let mut session = target.connect(SessionId(1), &schema).unwrap();
    let answers = SCRIPT
        .iter()
        .map(|line| {
            let visit: Visit = line.parse().unwrap();
            let at = Address {
                lts: Lts(visit.lts.0),
                attempt: 0,
                step: 0,
            };
            session
                .execute(at, &Request::Step(&visit.steps[0]), Duration::from_secs(9))
                .answer
        })
        .collect();
    (answers, target.lies().values().sum())
}

#[test]
fn every_lie_about_an_answer_is_told_on_sqlite_and_counted() {
    let (truth, told) = answers("sqlite:", &[]);
    assert_eq!(told, 0);
    let ordered = FLAWS
        .iter()
        .filter(|l| matches!(l.teller, Teller::Anyone | Teller::Corruptor))
        .filter(|l| l.disciplines.contains(&Discipline::Ordered));
    for line in ordered {
        let (lies, told) = answers("sqlite:", &[(line.name, 1_000_000)]);
        let differ = truth.iter().zip(&lies).filter(|(a, b)| a != b).count();
        assert!(told > 0, "{} was never told", line.name);
        assert_eq!(u64::try_from(differ).unwrap(), told, "{}: {lies:?}", line.name);
        assert_eq!(
            answers("sqlite:", &[(line.name, 0)]),
            (truth.clone(), 0),
            "{}",
            line.name
        );
    }
}

#[test]
fn every_lie_about_a_stamped_answer_is_told_on_sqlite() {
    let play = |lie: &str, per_million| {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            discipline: Discipline::Lww,
            lies: vec![Lie {
                name: lie.into(),
                per_million,
            }],
            ..OpenOptions::new(folder.path(), "gmc")
        };
        let mut stage = Stage::new("sqlite:", &options, two_tables);
        let answers = stage.script(
            "1: upsert t0/0/3 c4=100 c5=null | auto at 5 one
             2: upsert t0/0/4 c4=200 c5=3; upsert t0/0/8 c4=100 | batch at 6 one
             3: read t0/0 select c2,c3,c4,c5 order c2,-c3 stamps | auto at 0 one
             4: read t0/0 aggregate count,max:c4 | auto at 0 one",
        );
        (answers, stage.target.lies().values().sum::<u64>())
    };
    let truth = play("wrong_cell", 0);
    let tellers = FLAWS
        .iter()
        .filter(|l| matches!(l.teller, Teller::Anyone | Teller::Corruptor))
        .filter(|l| l.disciplines.contains(&Discipline::Lww) && l.needs == Needs::Nothing);
    for line in tellers {
        let (lies, told) = play(line.name, 1_000_000);
        assert!(told > 0, "{} was never told", line.name);
        assert_ne!(lies, truth.0, "{}", line.name);
        assert_eq!(play(line.name, 0), truth, "{}", line.name);
    }
}

#[test]
fn a_wrong_time_to_live_is_another_one_and_nothing_else() {
    let target = crate::open("reference:", &OpenOptions::new(std::env::temp_dir(), "gmc")).unwrap();
    let schema = two_tables(&*target);
    let layout = Layouts::new("gmc").of(&schema);
    let visit: Visit = "1: read t0/0 select c2,c4,c5 stamps ttls | auto at 0 one"
        .parse()
        .unwrap();
    let history::Step::Read(query) = &visit.steps[0] else {
        panic!("it is a read")
    };
    let cells = [
        Value::Int(1),
        Value::Int(2),
        Value::Null,
        Value::Int(9),
        Value::Null,
        Value::Int(60),
        Value::Null,
    ];
    let mut rows = history::Rows::default();
    cells.iter().for_each(|cell| cell.encode(&mut rows.bytes));
    rows.end_row();
    for choice in 0..8 {
        let told = damaged(Flaw::WrongTtl, choice, layout.table(0), query, &rows).unwrap();
        let mut bytes = told.row(0);
        let seen: Vec<Value> = cells.iter().map(|_| Value::decode(&mut bytes).unwrap()).collect();
        assert_eq!(seen[..5], cells[..5]);
        assert_ne!(seen[5..], cells[5..]);
    }
}

#[test]
fn a_hidden_element_is_the_last_of_a_collection_and_nothing_else() {
    let given =
        "CREATE TABLE t (p int, c int, n int, l frozen<list<int>>, m map<int, text>, PRIMARY KEY (p, c));";
    let limits = |_| Some(datagen::domain::Limits::default());
    let schema = datagen::schema::ddl::read(given, 3, &limits).unwrap();
    let layout = Layouts::new("gmc").of(&schema);
    let visit: Visit = "1: read t0/0 select c2,c3,c4 | auto at 0 one".parse().unwrap();
    let history::Step::Read(query) = &visit.steps[0] else {
        panic!("it is a read")
    };
    let composite = |parts: &[Value]| Value::Composite(parts.to_vec().into_boxed_slice());
    let row = |cells: &[Value]| {
        let mut rows = history::Rows::default();
        cells.iter().for_each(|cell| cell.encode(&mut rows.bytes));
        rows.end_row();
        rows
    };
    let (one, two) = (Value::Int(1), Value::Int(2));
    let pair = [one.clone(), Value::Text("a".into())];
    let cells = [
        one.clone(),
        composite(&[one.clone(), two.clone()]),
        composite(&pair),
    ];
    let told: Vec<history::Rows> = (0..2)
        .map(|choice| damaged(Flaw::HiddenElement, choice, layout.table(0), query, &row(&cells)).unwrap())
        .collect();
    let expected = [
        row(&[
            one.clone(),
            composite(std::slice::from_ref(&one)),
            cells[2].clone(),
        ]),
        row(&[one.clone(), cells[1].clone(), Value::Null]),
    ];
    assert_eq!(told, expected);
    let nothing = row(&[one, Value::Null, Value::Null]);
    assert_eq!(
        damaged(Flaw::HiddenElement, 0, layout.table(0), query, &nothing),
        None
    );
}

#[test]
fn the_reference_can_tell_what_only_the_corruptor_knows() {
    let (truth, _) = answers("reference:", &[]);
    let (lies, told) = answers("reference:", &[("duplicated_row", 1_000_000)]);
    assert!(told > 0 && truth != lies);
}

#[test]
fn a_lie_of_the_store_is_refused_on_a_real_database() {
    let lies = vec![Lie {
        name: "lost_update".into(),
        per_million: 1,
    }];
    let options = OpenOptions {
        lies,
        ..OpenOptions::new("", "gmc")
    };
    let error = crate::open("sqlite::memory:", &options).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot use --lie lost_update: sqlite::memory: cannot tell it"
    );
    assert!(error.complaint().remedy.contains("wrong_cell"), "{error:?}");
    let options = OpenOptions {
        lies: vec![Lie {
            name: "x".into(),
            per_million: 1,
        }],
        ..options
    };
    let error = crate::open("postgres://h/d", &options).err().unwrap();
    assert_eq!(error.to_string(), "cannot use --lie x: there is no such lie");
    let options = OpenOptions {
        discipline: Discipline::Lww,
        lies: vec![Lie {
            name: "condition_denied".into(),
            per_million: 1,
        }],
        ..options
    };
    let error = crate::open("sqlite::memory:", &options).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot use --lie condition_denied: sqlite::memory: has no lightweight transactions"
    );
}

#[test]
fn a_lie_in_the_database_is_there_for_everyone() {
    for discipline in [Discipline::Ordered, Discipline::Lww] {
        let stamp = |at| match discipline {
            Discipline::Ordered => String::new(),
            Discipline::Lww => format!(" at {at} one"),
        };
        let writes = format!(
            "1: upsert t0/0/3 c4=100 c5=null | auto{}
             2: upsert t0/0/4 c4=200 c5=3 | auto{}",
            stamp(5),
            stamp(6)
        );
        let read = format!("3: read t0/0 select c2,c3,c4,c5 order c2,-c3 | auto{}", stamp(0));
        let play = |lie: &str, per_million| {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}/given.db", folder.path().display());
            let honest = OpenOptions {
                discipline,
                ..OpenOptions::new(folder.path(), "gmc")
            };
            let lies = vec![Lie {
                name: lie.into(),
                per_million,
            }];
            let options = OpenOptions {
                lies,
                ..honest.clone()
            };
            let mut stage = Stage::new(&url, &options, two_tables);
            stage.script(&writes);
            let seen = stage.script(&read);
            let told = stage.target.lies().values().sum::<u64>();
            let visit: Visit = read.parse().unwrap();
            let other = crate::open(&url, &honest).unwrap();
            let mut other = other.connect(SessionId(9), &stage.schema).unwrap();
            let at = Address {
                lts: Lts(9),
                attempt: 0,
                step: 0,
            };
            let request = Request::of(&visit).next().unwrap();
            let by_others = other.execute(at, &request, Duration::from_secs(9)).answer;
            (seen, by_others.to_string(), told)
        };
        let truth = play("wrong_cell", 0);
        for line in FLAWS.iter().filter(|l| l.teller == Teller::Database) {
            let (seen, by_others, told) = play(line.name, 1_000_000);
            assert_eq!(told, 1, "{}", line.name);
            assert_ne!(seen, truth.0, "{}", line.name);
            assert!(seen.contains(&by_others), "{}: {seen} {by_others}", line.name);
            assert_eq!(play(line.name, 0), truth, "{}", line.name);
        }
    }
    let options = OpenOptions {
        lies: vec![Lie {
            name: "db_hide_row".into(),
            per_million: 1,
        }],
        ..OpenOptions::new("", "gmc")
    };
    let error = crate::open("sqlite::memory:", &options).err().unwrap();
    assert!(error.to_string().contains("second connection"), "{error}");
}
