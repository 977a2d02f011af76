//! A server that is killed while sessions are at it, and one that is ended in order when they are done: what it acknowledged must
//! be there afterwards.
//!
//! Invariants:
//! * K1 the model knows of a kill before it is done, and of the next server before a session is judged by it.
//! * K2 between the two looks at the rows of an orderly restart nothing of ours writes.

use super::floor::Floor;
use super::lives::SERVER;
use crate::RunError;
use crate::plan::Scenario;
use datagen::stream::{Stream, draw};
use history::parallel::{At, Fault, Finding, Said, SeenKind};
use history::{Kind, SessionId, Span};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use targets::target::Control;
use targets::{Sql, Unusable};

/// What is drawn of the kills, by its number in [`Stream::Plan`].
const KILLS: u64 = 14;
/// Statements between two kills: at least so many, and at most so many more.
const APART: (u64, u64) = (400, 1_600);

/// The kill scenario: after how many statements the next one is due.
pub(super) struct Kills {
    number: u64,
    next: u64,
}

impl Kills {
    /// The first is drawn by the plan. None where the scenario is another one.
    pub(super) fn of(floor: &Floor) -> Option<Kills> {
        let is = floor.parallel.scenario == Scenario::Kill && !floor.again;
        is.then(|| Kills {
            number: 0,
            next: apart(floor, 0),
        })
    }

    /// Kills the server and starts it again, if it is time; `true`: done.
    pub(super) fn strike(&mut self, floor: &Floor) -> Result<bool, RunError> {
        if floor.counts.statements.load(Ordering::Relaxed) < self.next {
            return Ok(false);
        }
        let control = control(floor)?;
        floor.lives.end();
        floor.strike(Fault::Kill, "kill")?;
        control.kill9()?;
        control.restart()?;
        floor.lives.expect(floor.target.incarnation()?);
        self.number += 1;
        self.next = floor.counts.statements.load(Ordering::Relaxed) + apart(floor, self.number);
        Ok(true)
    }
}

fn apart(floor: &Floor, number: u64) -> u64 {
    APART.0 + draw(floor.plan.seed.0, Stream::Plan, &[KILLS, number]) % APART.1
}

fn control(floor: &Floor) -> Result<std::sync::Arc<dyn Control>, RunError> {
    floor.target.control().ok_or_else(|| {
        RunError::Target(Unusable::usage(
            floor.target.describe().url,
            "its server is not ours to end",
            "leave out --scenario kill",
        ))
    })
}

/// What one table or materialized view held.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    /// Its rows, sorted; counted only where they were too many to be kept.
    Rows(u64, Vec<Vec<Option<String>>>),
    /// It could not be read: the server's code.
    Refused(String),
}

/// Everything of ours that holds rows, by its name as it is written.
struct Holding(BTreeMap<String, Held>);

impl Holding {
    fn read(floor: &Floor) -> Result<Holding, Unusable> {
        let sql: &dyn Sql = floor.target.sql().expect("the plan was made for such a target");
        let language = floor.tongue.language;
        let mut session = sql.open(SessionId(0))?;
        let mut all = BTreeMap::new();
        for object in sql.catalog()?.objects {
            let holds = matches!(object.kind, SeenKind::Table | SeenKind::MaterializedView);
            if !holds || object.temporary {
                continue;
            }
            let mut name = language.quote_name(&object.name);
            if !object.namespace.is_empty() {
                name = format!("{}.{name}", language.quote_name(&object.namespace));
            }
            let answer = session.send(
                &format!("SELECT * FROM {name}"),
                None,
                true,
                floor.plan.deadline(),
            );
            let held = match answer.said {
                Said::Done { rows, .. } => {
                    let table = rows.unwrap_or_default();
                    let mut rows = if table.whole { table.rows } else { Vec::new() };
                    rows.sort_unstable();
                    Held::Rows(table.count, rows)
                }
                Said::Refused { code, .. } => Held::Refused(code),
                Said::Unknown { text, .. } => {
                    let url = floor.target.describe().url;
                    return Err(Unusable::server(url, text, ""));
                }
            };
            all.insert(name, held);
        }
        Ok(Holding(all))
    }

    fn rows(&self) -> u64 {
        self.0
            .values()
            .map(|held| match held {
                Held::Rows(count, _) => *count,
                Held::Refused(_) => 0,
            })
            .sum()
    }

    /// What is not as it was, a sentence each.
    fn differs(&self, after: &Holding) -> Vec<(String, String)> {
        let shown = |held: Option<&Held>| match held {
            None => "nothing of that name".to_owned(),
            Some(Held::Refused(code)) => format!("a refusal ({code})"),
            Some(Held::Rows(count, _)) => format!("{count} rows"),
        };
        let one = |(name, held): (&String, &Held)| {
            let now = after.0.get(name);
            (now != Some(held)).then(|| {
                let mut seen = format!("{} before, {} after", shown(Some(held)), shown(now));
                if let (Held::Rows(was, _), Some(Held::Rows(is, _))) = (held, now)
                    && was == is
                {
                    seen += ", not the same ones";
                }
                (name.clone(), seen)
            })
        };
        self.0.iter().filter_map(one).collect()
    }
}

/// Ends the server in order and starts it again, between two looks at all rows: `before` is told when the first look is over.
/// Gives words for the verdict.
pub(super) fn sanity(floor: &Floor, before: &mut dyn FnMut()) -> Result<String, RunError> {
    let held = Holding::read(floor)?;
    before();
    floor.lives.end();
    control(floor)?.restart()?;
    floor.lives.expect(floor.target.incarnation()?);
    let after = Holding::read(floor)?;
    let now = floor.ticks.now();
    for (name, seen) in held.differs(&after) {
        floor.find(&Finding {
            kind: Kind::Durability,
            signature: format!("durability/{SERVER}"),
            at: At {
                session: SessionId(0),
                op: 0,
            },
            action: "restart".to_owned(),
            span: Span {
                sent: now,
                answered: now,
            },
            sql: format!("SELECT * FROM {name}"),
            code: String::new(),
            text: String::new(),
            promised: format!(
                "{name} holds the same rows after the server was ended in order and started again"
            ),
            seen,
            asked: Vec::new(),
            evidence: vec!["nothing of this run wrote in between".to_owned()],
            guess: false,
        });
    }
    Ok(format!(
        "{} tables with {} rows, looked at before and after",
        held.0.len(),
        held.rows()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(all: &[(&str, Held)]) -> Holding {
        let copy = |held: &Held| match held {
            Held::Rows(n, rows) => Held::Rows(*n, rows.clone()),
            Held::Refused(code) => Held::Refused(code.clone()),
        };
        Holding(
            all.iter()
                .map(|(n, held)| ((*n).to_owned(), copy(held)))
                .collect(),
        )
    }

    fn rows(cells: &[&str]) -> Held {
        let rows = cells.iter().map(|c| vec![Some((*c).to_owned())]).collect();
        Held::Rows(cells.len() as u64, rows)
    }

    #[test]
    fn a_row_that_is_lost_changed_or_more_is_told_and_what_is_the_same_is_not() {
        let before = holding(&[("t", rows(&["1", "2"])), ("m", Held::Refused("55000".into()))]);
        assert!(before.differs(&before).is_empty());
        assert_eq!(before.rows(), 2);
        for after in [
            holding(&[("t", rows(&["1"])), ("m", Held::Refused("55000".into()))]),
            holding(&[("t", rows(&["1", "3"])), ("m", Held::Refused("55000".into()))]),
            holding(&[("t", rows(&["1", "2"])), ("m", rows(&[]))]),
            holding(&[("m", Held::Refused("55000".into()))]),
        ] {
            assert_eq!(before.differs(&after).len(), 1);
        }
    }
}
