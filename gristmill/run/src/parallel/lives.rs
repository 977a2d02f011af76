//! Which lives of the server are no surprise: the one that a run began with, and those that it began itself.
//!
//! Invariants:
//! * L1 a life that the run did not begin, and was not told of (`outside`), is a crash, said once.
//! * L2 what a session sees of a life may be a part of it: a server that has just begun may not list all its processes yet.

use super::floor::Floor;
use history::parallel::{At, Finding};
use history::{Kind, SessionId, Span};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use targets::Identity;

/// The action that is named where the server as a whole is meant.
pub(crate) const SERVER: &str = "server";

/// The lives.
#[derive(Default)]
pub(crate) struct Lives(Mutex<State>);

#[derive(Default)]
struct State {
    known: BTreeSet<String>,
    /// We are about to end one and to begin another.
    ours: bool,
}

impl State {
    fn knows(&self, life: &str) -> bool {
        let same = |known: &String| known.starts_with(life) || life.starts_with(known.as_str());
        self.known.iter().any(same)
    }
}

impl Lives {
    /// A life that is as it should be.
    pub(crate) fn expect(&self, life: String) {
        let mut state = self.0.lock();
        state.known.insert(life);
        state.ours = false;
    }

    /// Whatever comes next is our doing, until [`Lives::expect`] says which life it is.
    pub(crate) fn end(&self) {
        self.0.lock().ours = true;
    }

    /// Whether a life that a session has met is a surprise, the first time.
    fn surprises(&self, life: &str) -> bool {
        let mut state = self.0.lock();
        let surprise = !state.knows(life) && !state.ours;
        if surprise {
            state.known.insert(life.to_owned());
        }
        surprise
    }
}

impl Floor {
    /// A session has connected: is it the server that it should be?
    pub(crate) fn meets(&self, identity: &Identity) {
        let told = self.plan.outside.iter().any(|what| what == "restart");
        if !self.lives.surprises(&identity.incarnation) || told {
            return;
        }
        let now = self.ticks.now();
        self.find(&Finding {
            kind: Kind::Crash,
            signature: format!("crash/{SERVER}"),
            at: At {
                session: SessionId(identity.session.0),
                op: 0,
            },
            action: SERVER.to_owned(),
            span: Span {
                sent: now,
                answered: now,
            },
            sql: String::new(),
            code: String::new(),
            text: format!("another server answers than before: {}", identity.incarnation),
            promised:
                "the server ends when we end it, or when we are told that others do (--outside restart)"
                    .to_owned(),
            seen: format!(
                "session {} met a server that began at {}, and nothing of the run has ended the one before",
                identity.session.0, identity.incarnation
            ),
            asked: Vec::new(),
            evidence: Vec::new(),
            guess: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_surprise_once_unless_we_began_it_or_see_a_part_of_it() {
        let lives = Lives::default();
        lives.expect("10:00 a".to_owned());
        assert!(!lives.surprises("10:00 a"));
        assert!(!lives.surprises("10:00"), "a part of it");
        assert!(lives.surprises("10:00 b"), "its workers began again");
        assert!(!lives.surprises("10:00 b"), "said once");
        lives.end();
        assert!(!lives.surprises("11:00"), "we are at it");
        lives.expect("11:00 c".to_owned());
        assert!(!lives.surprises("11:00 c"));
        assert!(lives.surprises("12:00"));
    }
}
