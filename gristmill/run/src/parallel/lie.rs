//! Lies told between the server and the judge: what the judge of statements must notice, or it sleeps.
//!
//! A lie is drawn by (session, op) and its own name, so that what is left out of a recorded run moves none. The trace has what was
//! told, not what was true.
//!
//! Invariants:
//! * Y1 a lie is told where the truth is another, and counted then only.
//! * Y2 with no lies in the plan every answer is the server's.

use crate::plan::Rate;
use datagen::stream::{Stream, draw};
use history::parallel::{Answer, Op, Said, Target, TxState};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// What is drawn of the lies, by its number in [`Stream::Plan`], with the number of the lie.
const LIES_DRAWN: u64 = 15;

/// One lie.
pub struct Lie {
    /// Its name in plans.
    pub name: &'static str,
    /// What is told.
    pub words: &'static str,
    number: u64,
    tell: fn(&Liar, &Op, &Answer) -> Option<Said>,
}

/// Every lie of the parallel workload. The last one is told of rows: only what compares rows can find it.
pub static LIES: &[Lie] = &[
    Lie {
        name: "invented_error",
        words: "a read or write that was done is answered by an error that its target knows, and that nothing explains",
        number: 1,
        tell: invented_error,
    },
    Lie {
        name: "invented_success",
        words: "a statement that was refused because something is not there is answered as done",
        number: 2,
        tell: invented_success,
    },
    Lie {
        name: "dropped_row",
        words: "the last row of an answer is left out",
        number: 3,
        tell: dropped_row,
    },
];

/// Names of the lies.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|lie| lie.name)
}

/// Who tells them.
pub(crate) struct Liar {
    seed: u64,
    scheme: &'static str,
    lies: Vec<(&'static Lie, Rate)>,
    told: Mutex<BTreeMap<String, u64>>,
}

impl Liar {
    /// With the lies of a plan, on such a target.
    pub(crate) fn new(seed: u64, scheme: &'static str, lies: &BTreeMap<String, Rate>) -> Liar {
        let known = |(name, rate): (&String, &Rate)| {
            let lie = LIES.iter().find(|lie| lie.name == name)?;
            Some((lie, *rate))
        };
        Liar {
            seed,
            scheme,
            lies: lies.iter().filter_map(known).collect(),
            told: Mutex::default(),
        }
    }

    /// The answer, or what is told instead.
    pub(crate) fn tell(&self, op: &Op, mut answer: Answer) -> Answer {
        for (lie, rate) in &self.lies {
            let address = [LIES_DRAWN, lie.number, u64::from(op.at.session.0), op.at.op];
            let told = draw(self.seed, Stream::Plan, &address) % rate.den.max(1) < rate.num;
            if told && let Some(said) = (lie.tell)(self, op, &answer) {
                answer.said = said;
                *self.told.lock().entry(lie.name.to_owned()).or_default() += 1;
                break;
            }
        }
        answer
    }

    /// How often each was told.
    pub(crate) fn told(&self) -> BTreeMap<String, u64> {
        let told = self.told.lock();
        let of = |(lie, _): &(&Lie, Rate)| {
            let n = told.get(lie.name).copied().unwrap_or(0);
            (lie.name.to_owned(), n)
        };
        self.lies.iter().map(of).collect()
    }
}

/// The first object that the op names.
fn named(op: &Op) -> Option<&str> {
    op.slots.iter().find_map(|target| match target {
        Target::Object { name, .. } => Some(name.kept.as_str()),
        _ => None,
    })
}

fn invented_error(liar: &Liar, op: &Op, answer: &Answer) -> Option<Said> {
    let done = matches!(answer.said, Said::Done { .. });
    if !done || op.changes_schema() || op.frame().is_some() {
        return None;
    }
    let name = named(op)?;
    let (code, text) = match liar.scheme {
        "sqlite" => ("1", format!("no such table: {name}")),
        "duckdb" => ("Catalog", format!("Table with name {name} does not exist!")),
        "mysql" => ("1146", format!("Table '{name}' doesn't exist")),
        _ => ("42P01", format!("relation \"{name}\" does not exist")),
    };
    Some(Said::Refused {
        code: code.to_owned(),
        text,
        detail: String::new(),
    })
}

/// What refusals of names that are not there say.
const GONE: [&str; 3] = ["no such ", "does not exist", "doesn't exist"];

/// Outside of transactions only: what a refusal did to one is shown by the wire.
fn invented_success(_: &Liar, op: &Op, answer: &Answer) -> Option<Said> {
    let Said::Refused { text, .. } = &answer.said else {
        return None;
    };
    let gone = GONE.iter().any(|words| text.contains(words));
    let told = gone && op.frame().is_none() && answer.state == TxState::Idle;
    told.then(|| Said::Done {
        tag: String::new(),
        affected: None,
        rows: None,
    })
}

fn dropped_row(_: &Liar, _: &Op, answer: &Answer) -> Option<Said> {
    let Said::Done {
        tag,
        affected,
        rows: Some(table),
    } = &answer.said
    else {
        return None;
    };
    let mut table = table.clone();
    table.count = table.count.checked_sub(1)?;
    table.digest = !table.digest;
    table.rows.pop();
    Some(Said::Done {
        tag: tag.clone(),
        affected: *affected,
        rows: Some(table),
    })
}
