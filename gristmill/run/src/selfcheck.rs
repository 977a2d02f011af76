//! Every judge is tried: each lie of the reference must be found within a stated number of visits, the truthful run of the
//! same plan must be silent, and the corruptor must be noticed in front of SQLite.
//!
//! Invariants:
//! * S1 a lie that was never told, or was told and not found, fails; so does a truthful run with a finding.
//! * S2 the truthful twin differs from the lying run in the lie alone: same seed, same visits, same faults.

use crate::RunError;
use crate::clock::Clock;
use crate::fault::FaultKind;
use crate::plan::{Asked, Pace, Rate, Seed, Settings, Stop, Work};
use history::{Discipline, Progress, Verdict, Watcher};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use targets::flaws::{FLAWS, Flaw, FlawLine, Needs, Teller};
use workload::parallel::Complexity;

/// A lie must be found within so many visits.
pub const VISITS_MAX: u64 = 2_000;
const SESSIONS: u16 = 8;

/// One trial: a lie, where it is told, how often it is tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Its name.
    pub lie: &'static str,
    /// Who tells it.
    pub target: &'static str,
    rate: Rate,
    fault: Option<(FaultKind, Rate)>,
    pace: Pace,
    profile: &'static str,
    discipline: Discipline,
    visits: u64,
    /// The workload's keys that differ, as TOML.
    workload: &'static str,
    /// Statements of the parallel workload instead of visits.
    parallel: bool,
}

/// Statements of the parallel workload in which one of its lies must be found.
const STATEMENTS_MAX: u64 = 3_000;

/// Timestamps that come in any order within a window: only then there are older writes to win, however busy the machine is.
const REGRESSIONS: &str = "lww.clock.policy = { regressions = { window = 200 } }";

/// Ranges that are deleted often: seldom has one a row at its end that nothing else covers, and that is read before it is written
/// again.
const RANGES: &str = "writes.delete-range = 30";

/// What became of one trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The lie.
    pub lie: String,
    /// Who told it, and under which discipline where it is not the usual one.
    pub target: String,
    /// How often.
    pub told: u64,
    /// What found it: the shape of the first finding.
    pub found: Option<String>,
    /// The visit whose answer was the first finding.
    pub first_after: Option<u64>,
    /// Visits of the truthful run.
    pub twin_visits: u64,
    /// Nothing was found in it.
    pub twin_silent: bool,
    /// Why the truthful run is no proof, if it is none: it compared too little.
    pub twin_doubts: Vec<String>,
}

impl Row {
    /// The lie was told and found, the truthful run was silent and compared enough.
    pub fn passed(&self) -> bool {
        self.told > 0 && self.found.is_some() && self.twin_silent && self.twin_doubts.is_empty()
    }
}

/// Every trial: what the reference can tell on the reference, what needs only the answer in front of SQLite too.
pub fn trials() -> Vec<Trial> {
    let seldom = Rate { num: 1, den: 50 };
    let of = |line: &FlawLine, target: &'static str| Trial {
        lie: line.name,
        target,
        discipline: Discipline::Ordered,
        visits: VISITS_MAX,
        workload: "",
        parallel: false,
        // A crash is rare by itself, so its lie is told whenever there is one; so is an update of a row that two visits
        // have written before, even where few rows get most of the visits, and a read with LIMIT of more rows than that.
        rate: match (line.needs, line.flaw) {
            (Needs::Crash | Needs::Change, _) => Rate { num: 1, den: 1 },
            (_, Flaw::LostUpdate | Flaw::IgnoredLimit) => Rate { num: 1, den: 5 },
            _ => seldom,
        },
        profile: if line.flaw == Flaw::LostUpdate {
            "hot"
        } else {
            "default"
        },
        fault: match line.needs {
            Needs::Crash => Some((FaultKind::Kill, Rate { num: 1, den: 200 })),
            Needs::Change => Some((FaultKind::Alter, Rate { num: 1, den: 40 })),
            Needs::Ring | Needs::Nothing | Needs::Partner | Needs::Conditional => None,
        },
        // A lie that needs a partner must not depend on how busy the machine is.
        pace: if line.needs == Needs::Partner {
            Pace::LockStep
        } else {
            Pace::Free
        },
    };
    let ordered = || {
        FLAWS
            .iter()
            .filter(|l| l.disciplines.contains(&Discipline::Ordered))
    };
    let reference = ordered()
        .filter(|l| matches!(l.teller, Teller::Store | Teller::Anyone))
        .map(|l| of(l, "reference:"));
    let sqlite = ordered()
        .filter(|l| l.teller != Teller::Store)
        .map(|l| of(l, "sqlite:"));
    // Under lww what is told of writes and of the rows of a read; what is done to an answer does not know the discipline.
    let lww = FLAWS
        .iter()
        .filter(|l| matches!(l.teller, Teller::Store | Teller::Anyone))
        .filter(|l| l.disciplines.contains(&Discipline::Lww))
        .map(|l| Trial {
            rate: match (l.needs, l.flaw) {
                (Needs::Crash | Needs::Change, _) => Rate { num: 1, den: 1 },
                // One table of several is for lightweight transactions.
                (Needs::Conditional, _) => Rate { num: 1, den: 5 },
                // Seldom is there what they are told of: a timestamp that does not rise, a deleted range with a row at its end.
                (_, Flaw::OlderWins | Flaw::RangeOffByOne) => Rate { num: 1, den: 1 },
                (_, Flaw::StaticLost | Flaw::LostIncrement | Flaw::AddedTwice) => Rate { num: 1, den: 2 },
                (_, Flaw::WrongCount | Flaw::IgnoredLimit | Flaw::TieWrong) => Rate { num: 1, den: 5 },
                _ => seldom,
            },
            discipline: Discipline::Lww,
            profile: "default",
            workload: match l.flaw {
                Flaw::OlderWins => REGRESSIONS,
                Flaw::RangeOffByOne => RANGES,
                _ => "",
            },
            ..of(l, "reference:")
        });
    // In front of SQLite, and in it, what says so of itself: the judge is the same, the answers are the views'.
    let lww_sqlite = FLAWS
        .iter()
        .filter(|l| l.teller != Teller::Store && l.needs == Needs::Nothing)
        .filter(|l| l.disciplines.contains(&Discipline::Lww))
        .map(|l| Trial {
            // Half as many visits, and not each has what can be lied about: a value that is alive, rows in an order.
            rate: Rate { num: 1, den: 5 },
            discipline: Discipline::Lww,
            profile: "default",
            // Views take their time, and none of these waits for anything rare.
            visits: VISITS_MAX / 2,
            ..of(l, "sqlite:")
        });
    reference
        .chain(sqlite)
        .chain(lww)
        .chain(lww_sqlite)
        .chain(parallel())
        .collect()
}

/// Lies about single statements, each by itself; what is told of rows is for those who compare rows.
fn parallel() -> impl Iterator<Item = Trial> {
    let told = |name: &&crate::parallel::Lie| name.name.starts_with("invented");
    crate::parallel::LIES.iter().filter(told).map(|lie| Trial {
        lie: lie.name,
        target: "sqlite:",
        rate: Rate { num: 1, den: 2 },
        fault: None,
        pace: Pace::Free,
        profile: "default",
        discipline: Discipline::Ordered,
        visits: STATEMENTS_MAX,
        workload: "",
        parallel: true,
    })
}

/// Makes every trial, in folders below `scratch`, which is the caller's to remove; `seen` hears of each as it ends.
pub fn selfcheck(scratch: &Path, seed: Seed, seen: &mut dyn FnMut(&Row)) -> Result<Vec<Row>, RunError> {
    let mut rows = Vec::new();
    for (i, trial) in trials().iter().enumerate() {
        let row = trial.run(scratch, Seed(seed.0.wrapping_add(i as u64)))?;
        seen(&row);
        rows.push(row);
    }
    Ok(rows)
}

/// The same, and how long all of it took.
pub fn timed(
    scratch: &Path,
    seed: Seed,
    seen: &mut dyn FnMut(&Row),
) -> Result<(Vec<Row>, Duration), RunError> {
    let clock = Clock::start(Duration::ZERO);
    let rows = selfcheck(scratch, seed, seen)?;
    Ok((rows, clock.elapsed()))
}

impl Trial {
    /// The lying run and its truthful twin.
    pub fn run(&self, scratch: &Path, seed: Seed) -> Result<Row, RunError> {
        let lying = self.verdict(scratch, seed, true)?;
        let twin = self.verdict(scratch, seed, false)?;
        let first = lying.causes.iter().min_by_key(|c| c.finding.span.answered);
        Ok(Row {
            lie: self.lie.to_owned(),
            target: match self.discipline {
                _ if self.parallel => format!("{} parallel", self.target),
                Discipline::Ordered => self.target.to_owned(),
                Discipline::Lww => format!("{} lww", self.target),
            },
            told: lying.lies.get(self.lie).copied().unwrap_or(0),
            found: first.map(|c| c.finding.shape.name().to_owned()),
            first_after: first.map(|c| c.finding.read.lts.0),
            twin_visits: visits(&twin),
            twin_silent: twin.causes.is_empty(),
            twin_doubts: twin.doubts,
        })
    }

    fn verdict(&self, scratch: &Path, seed: Seed, lying: bool) -> Result<Verdict, RunError> {
        let lies = if lying {
            BTreeMap::from([(self.lie.to_owned(), self.rate)])
        } else {
            BTreeMap::new()
        };
        let settings = Settings {
            seed: Some(seed),
            target: Some(self.target.to_owned()),
            sessions: Some(SESSIONS),
            visits: Some(self.visits),
            stop: Some(Stop::First),
            lies,
            ..Settings::default()
        };
        let settings = if self.parallel {
            Settings {
                work: Some(Work::Parallel),
                // What is not there is asked for only where things are dropped.
                complexity: Some(Asked(Some(Complexity::Ddl))),
                // A lie is looked for by every action.
                swarm: Some(false),
                ..settings
            }
        } else {
            self.of_visits(settings)
        };
        let environment: targets::target::Environment = Arc::new(|name| std::env::var(name).ok());
        let plan = settings.plan(&environment)?;
        Ok(crate::run(&plan, scratch, None, &mut Nobody)?.verdict)
    }

    fn of_visits(&self, settings: Settings) -> Settings {
        Settings {
            discipline: Some(self.discipline),
            pace: Some(self.pace),
            profile: Some(self.profile.to_owned()),
            faults: self.fault.into_iter().collect(),
            workload: self.workload.parse().expect("TOML of ours"),
            ..settings
        }
    }
}

fn visits(verdict: &Verdict) -> u64 {
    verdict
        .visits
        .iter()
        .filter(|(what, _)| what.as_str() != "writing")
        .map(|(_, n)| n)
        .sum()
}

struct Nobody;

impl Watcher for Nobody {
    fn see(&mut self, _: &Progress) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lie_is_found_and_every_truthful_twin_is_silent() {
        let scratch = tempfile::tempdir().unwrap();
        let rows = selfcheck(scratch.path(), Seed(0x5e1f), &mut |_| {}).unwrap();
        let failed: Vec<&Row> = rows.iter().filter(|r| !r.passed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert_eq!(rows.len(), trials().len());
    }
}
