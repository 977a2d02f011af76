//! Stages of a run as a text: `load 10000, validate, repeat 3`.

use super::NotA;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// So many visits of the workload.
    Load(u64),
    /// Every partition written so far is read whole.
    Validate,
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
const EXPECTED: &str = "stages such as `load 10000, validate, repeat 3`: load N and validate in any order, then perhaps repeat N";
/// Visits of all loads together at most: their partitions are looked through before they are read.
const VISITS_MAX: u64 = 1 << 32;

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, stage) in self.round.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            match stage {
                Stage::Load(visits) => write!(f, "{comma}load {visits}")?,
                Stage::Validate => write!(f, "{comma}validate")?,
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
            } else if let Some(visits) = word.strip_prefix("load ") {
                stages.round.push(Stage::Load(number(visits).ok_or_else(no)?));
            } else if let (Some(rounds), None) = (word.strip_prefix("repeat "), words.peek()) {
                let rounds = number(rounds).and_then(|n| u32::try_from(n).ok());
                stages.rounds = rounds.ok_or_else(no)?;
            } else {
                return Err(no());
            }
        }
        let loads = stages.round.iter().map(|stage| match stage {
            Stage::Load(visits) => u128::from(*visits),
            Stage::Validate => 0,
        });
        let visits = loads.sum::<u128>() * u128::from(stages.rounds);
        if visits == 0 || visits > u128::from(VISITS_MAX) {
            return Err(no());
        }
        Ok(stages)
    }
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
        ] {
            let stages: Stages = text.parse().unwrap();
            assert_eq!(stages.to_string(), text);
        }
        for wrong in [
            "",
            "validate",
            "load",
            "load 0",
            "load ten",
            "repeat 3, load 1",
            "load 1; validate",
            "load 1, repeat 0",
            "load 4294967296, repeat 2",
        ] {
            assert!(wrong.parse::<Stages>().is_err(), "{wrong}");
        }
    }
}
