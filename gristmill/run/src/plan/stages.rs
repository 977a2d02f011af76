//! Stages of a run as a text: `load 10000, validate, repeat 3`.

use super::{Millis, NotA};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// So many visits of the workload.
    Load(u64),
    /// Visits of the workload for so long; how many they were, once it is over.
    LoadFor(Millis, Option<u64>),
    /// Every partition written so far is read whole.
    Validate,
    /// The same of each node's own copy.
    ValidateReplicas,
}

/// Stages, one after another, and how often they are gone through. As text: `load 10000, validate, repeat 3`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stages {
    /// One round of them; at least one.
    pub round: Vec<Stage>,
    /// How many rounds; at least 1.
    pub rounds: u32,
}

/// What a text of stages must be.
const EXPECTED: &str = "stages such as `load 10000, validate, repeat 3`: load N or for a time (30s), validate and \
     validate-replicas in any order, then perhaps repeat N";
/// Visits of all loads together at most: their partitions are looked through before they are read.
const VISITS_MAX: u64 = 1 << 32;

impl Stages {
    /// How long the load lasts that is under way or comes next, of those whose length is a time.
    pub(crate) fn open(&self) -> Option<Millis> {
        self.round.iter().find_map(|stage| match stage {
            Stage::LoadFor(time, None) => Some(*time),
            _ => None,
        })
    }

    /// Whether any load's length is a time.
    pub(crate) fn is_timed(&self) -> bool {
        self.round.iter().any(|stage| matches!(stage, Stage::LoadFor(..)))
    }

    /// The same stages when the one that is [`Stages::open`] took so many visits: round after round, written out.
    pub(crate) fn close(&self, visits: u64) -> Stages {
        let mut closed = self.written_out();
        let first = closed.round.iter_mut().find_map(|stage| match stage {
            Stage::LoadFor(_, taken @ None) => Some(taken),
            _ => None,
        });
        if let Some(taken) = first {
            *taken = Some(visits);
        }
        closed
    }

    /// As they were given: what is known since then is left out.
    pub(crate) fn as_given(&self) -> Stages {
        if !self.is_timed() {
            return self.clone();
        }
        let mut given = self.written_out();
        for stage in &mut given.round {
            if let Stage::LoadFor(_, taken) = stage {
                *taken = None;
            }
        }
        given
    }

    fn written_out(&self) -> Stages {
        Stages {
            round: self.round.repeat(self.rounds as usize),
            rounds: 1,
        }
    }

    /// Whether each node is asked for its own copy.
    pub(crate) fn asks_replicas(&self) -> bool {
        self.round.contains(&Stage::ValidateReplicas)
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, stage) in self.round.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            match stage {
                Stage::Load(visits) => write!(f, "{comma}load {visits}")?,
                Stage::LoadFor(time, None) => write!(f, "{comma}load {time}")?,
                Stage::LoadFor(time, Some(visits)) => write!(f, "{comma}load {time} = {visits}")?,
                Stage::Validate => write!(f, "{comma}validate")?,
                Stage::ValidateReplicas => write!(f, "{comma}validate-replicas")?,
            }
        }
        if self.rounds > 1 {
            write!(f, ", repeat {}", self.rounds)?;
        }
        Ok(())
    }
}

impl FromStr for Stages {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Stages, NotA> {
        let no = || NotA { expected: EXPECTED };
        let mut stages = Stages {
            round: Vec::new(),
            rounds: 1,
        };
        let mut words = text.split(',').map(str::trim).peekable();
        while let Some(word) = words.next() {
            let number = |text: &str| text.trim().parse::<u64>().ok().filter(|n| *n > 0);
            if word == "validate" {
                stages.round.push(Stage::Validate);
            } else if word == "validate-replicas" {
                stages.round.push(Stage::ValidateReplicas);
            } else if let Some(length) = word.strip_prefix("load ") {
                stages.round.push(load(length).ok_or_else(no)?);
            } else if let (Some(rounds), None) = (word.strip_prefix("repeat "), words.peek()) {
                let rounds = number(rounds).and_then(|n| u32::try_from(n).ok());
                stages.rounds = rounds.ok_or_else(no)?;
            } else {
                return Err(no());
            }
        }
        let loads = stages.round.iter().map(|stage| match stage {
            Stage::Load(visits) => u128::from(*visits),
            // One at least; it is counted when it is over.
            Stage::LoadFor(_, None) => 1,
            Stage::LoadFor(_, Some(visits)) => u128::from(*visits),
            Stage::Validate | Stage::ValidateReplicas => 0,
        });
        let visits = loads.sum::<u128>() * u128::from(stages.rounds);
        if (visits == 0 && !stages.is_timed()) || visits > u128::from(VISITS_MAX) {
            return Err(no());
        }
        Ok(stages)
    }
}

/// `1000`, `30s`, `30s = 1201`.
fn load(text: &str) -> Option<Stage> {
    let (length, taken) = match text.split_once('=') {
        Some((time, visits)) => (time.trim(), Some(visits.trim().parse().ok()?)),
        None => (text.trim(), None),
    };
    if let (Ok(visits), None) = (length.parse::<u64>(), taken) {
        return (visits > 0).then_some(Stage::Load(visits));
    }
    let time = length.parse::<Millis>().ok().filter(|time| time.0 > 0)?;
    Some(Stage::LoadFor(time, taken))
}

impl TryFrom<String> for Stages {
    type Error = NotA;

    fn try_from(text: String) -> Result<Stages, NotA> {
        text.parse()
    }
}

impl From<Stages> for String {
    fn from(stages: Stages) -> String {
        stages.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_back_as_they_were_written() {
        for text in [
            "load 10000, validate",
            "load 1, validate, validate, load 7",
            "load 5, validate, repeat 3",
            "load 5, validate-replicas, repeat 2",
            "load 30s, validate, repeat 2",
            "load 1500ms = 0, validate, load 2m = 77, load 1",
        ] {
            let stages: Stages = text.parse().unwrap();
            assert_eq!(stages.to_string(), text);
        }
        for wrong in [
            "",
            "validate",
            "load",
            "load 0",
            "load 0s",
            "load 5 = 5",
            "load 5s = many",
            "load ten",
            "repeat 3, load 1",
            "load 1; validate",
            "load 1, repeat 0",
            "load 4294967296, repeat 2",
        ] {
            assert!(wrong.parse::<Stages>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_that_is_over_says_how_many_visits_it_took() {
        let given: Stages = "load 3s, validate, repeat 2".parse().unwrap();
        assert_eq!(given.open(), Some(Millis(3000)));
        let once = given.close(41);
        assert_eq!(once.to_string(), "load 3s = 41, validate, load 3s, validate");
        let twice = once.close(7);
        assert_eq!(twice.to_string(), "load 3s = 41, validate, load 3s = 7, validate");
        assert_eq!(twice.open(), None);
        assert_eq!(twice.as_given(), given.as_given());
    }
}
