//! One of several processes that put the same tables through the mill: `2/4`.

use super::NotA;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use workload::partitions::Share;

/// Agents of one data set at most.
const AGENTS_MAX: u16 = 1000;
/// What it must be.
pub(super) const EXPECTED: &str = "a number and of how many, such as 2/4";

/// Which of how many. All of them are given the same seed and the same settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Agent {
    /// Counted from 1; the first makes the tables.
    pub index: u16,
    /// How many there are, at least 2.
    pub of: u16,
}

impl Agent {
    /// The partitions that are its own.
    pub(crate) fn share(self) -> Share {
        Share {
            index: self.index,
            of: self.of,
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Agent {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Agent, NotA> {
        let no = || NotA { expected: EXPECTED };
        let (index, of) = text.split_once('/').ok_or_else(no)?;
        match (index.trim().parse(), of.trim().parse()) {
            (Ok(index), Ok(of)) if (1..=of).contains(&index) && (2..=AGENTS_MAX).contains(&of) => {
                Ok(Agent { index, of })
            }
            _ => Err(no()),
        }
    }
}

impl TryFrom<String> for Agent {
    type Error = NotA;

    fn try_from(text: String) -> Result<Agent, NotA> {
        text.parse()
    }
}

impl From<Agent> for String {
    fn from(agent: Agent) -> String {
        agent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_read_back_as_it_was_written() {
        for text in ["1/2", "2/2", "7/1000"] {
            assert_eq!(text.parse::<Agent>().unwrap().to_string(), text);
        }
        for wrong in ["", "1", "1/1", "0/2", "3/2", "1/1001", "a/2", "1/2/3"] {
            assert!(wrong.parse::<Agent>().is_err(), "{wrong}");
        }
    }
}
