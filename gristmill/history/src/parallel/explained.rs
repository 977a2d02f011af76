//! What is asked of the model, what it answers, and what became of one answer of the server.

use crate::parallel::{At, DataError, Fault, Limit};
use crate::{Kind, SessionId, Span, Tick};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// C0: the server asks for a retry.
    Conflict,
    /// C1: a name vanished, moved or appeared.
    StaleName,
    /// C2: something needs or uses the object.
    Dependency,
    /// C3: the values.
    Data,
    /// C4: a right is missing.
    Privilege,
    /// C5: cancelled, timed out.
    Interrupt,
    /// C6: the session or server is gone.
    Connection,
    /// C7: memory, disk, connections.
    Resource,
    /// C8: our own statement is wrong.
    Tool,
    /// C9: the server's own fault.
    Internal,
}

impl Class {
    /// A word or two for a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::StaleName => "stale name",
            Self::Dependency => "dependency",
            Self::Data => "data",
            Self::Privilege => "privilege",
            Self::Interrupt => "interrupt",
            Self::Connection => "connection",
            Self::Resource => "resource",
            Self::Tool => "tool",
            Self::Internal => "internal",
        }
    }
}

/// What must be so for an error to be an expected one. A closed list (P18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// The name resolves to nothing.
    Gone,
    /// The name that the statement gives is somebody's.
    Taken,
    /// The name resolves to an object of another kind than the statement says.
    OtherKind,
    /// A column or constraint of that name is not there.
    PartGone,
    /// A column or constraint of that name may not have been there when the session last looked at the schema.
    PartUnseen,
    /// A column or constraint of that name is there.
    PartTaken,
    /// Something that the statement names has been changed.
    Redefined,
    /// What a view stands on is not there as it was when the view was made.
    Dangles,
    /// A key that is referred to may not be there by the name that the reference was made with.
    KeyUnsure,
    /// A column of that name is in a foreign key of its own table, as that was made.
    Refers,
    /// Something needs it.
    Dependents,
    /// Another session, or a cursor of this one, has it in use.
    InUse,
    /// The role lacks the right.
    Lacks,
    /// We interrupted it.
    FaultSent,
    /// A limit is in force.
    LimitInForce(Limit),
    /// Another session runs or holds something at the same time, and the level allows the conflict.
    Conflict,
    /// Another session runs or holds something at the same time, whatever the level.
    Overlap,
    /// The values can do it.
    CanRaise(DataError),
    /// The schema is being changed.
    CatalogRace,
    /// A type or function that it needs was dropped while that which needs it was made: the server locks neither.
    Orphaned,
    /// The transaction may not write.
    ReadOnly,
    /// The transaction had failed before.
    FailedTransaction,
    /// The statement is not taken where it is: inside a transaction, outside of one.
    TransactionState,
    /// A cursor, prepared statement or savepoint of that name is not there, or is there.
    SessionName,
    /// Our generator made a wrong statement.
    Tool,
    /// The target's limits of size, memory, connections.
    Resource,
    /// Nothing makes it right.
    Never,
}

impl Question {
    /// A few words: "the name is gone".
    pub fn words(self) -> String {
        let fixed = match self {
            Self::Gone => "the name is gone",
            Self::Taken => "the name is taken",
            Self::OtherKind => "the name is of something else",
            Self::PartGone => "the column or constraint is gone",
            Self::PartUnseen => "the session had not yet seen the column or constraint",
            Self::PartTaken => "the column or constraint is there",
            Self::Redefined => "it was changed",
            Self::Dangles => "what a view stands on has changed",
            Self::Refers => "it is in a foreign key of its table",
            Self::KeyUnsure => {
                "the key that is referred to was renamed, perhaps while the reference was made"
            }
            Self::Dependents => "something needs it",
            Self::InUse => "it is in use",
            Self::Lacks => "the role lacks the right",
            Self::FaultSent => "we interrupted it",
            Self::LimitInForce(Limit::Statement) => "a statement timeout is in force",
            Self::LimitInForce(Limit::Lock) => "a lock timeout is in force",
            Self::LimitInForce(Limit::IdleInTransaction) => "an idle timeout is in force",
            Self::Conflict => "another session conflicts at this level",
            Self::Overlap => "another session is at work",
            Self::CanRaise(error) => return format!("the values can do it ({error:?})"),
            Self::CatalogRace => "the schema is being changed",
            Self::Orphaned => "a type or function that it needs was dropped under it",
            Self::ReadOnly => "the transaction may not write",
            Self::FailedTransaction => "the transaction had failed",
            Self::TransactionState => "it is not taken in this state of the transaction",
            Self::SessionName => "a name of the session",
            Self::Tool => "our statement is wrong",
            Self::Resource => "a limit of the target",
            Self::Never => "nothing makes it right",
        };
        fixed.to_owned()
    }
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// An op of the run, with the span in which it may have taken effect.
    Op {
        /// Which.
        at: At,
        /// From when on.
        from: Tick,
        /// Until when; `None`: still open, or unknown.
        until: Option<Tick>,
    },
    /// A session that was at work in a span.
    Session {
        /// Who.
        session: SessionId,
        /// What it ran, the first of them.
        at: At,
    },
    /// What we did to it.
    Fault(Fault, Tick),
    /// A limit, and the op that set it; `None`: of the run's own setting.
    Limit(Limit, Option<At>),
    /// So it was from the beginning, or so the catalogue said at that tick.
    Base(Tick),
    /// Others do such things to the server, as whoever runs us said.
    Others,
    /// A part of the statement itself.
    Statement,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op {
                at,
                from,
                until: Some(until),
            } => write!(f, "{at} at [{}, {}]", from.0, until.0),
            Self::Op {
                at,
                from,
                until: None,
            } => write!(f, "{at} from {} on", from.0),
            Self::Session { session, at } => write!(f, "{session} at work with {at}"),
            Self::Fault(fault, tick) => write!(f, "{fault} at {}", tick.0),
            Self::Limit(limit, Some(at)) => write!(f, "{limit:?} limit set by {at}"),
            Self::Limit(limit, None) => write!(f, "{limit:?} limit of the run"),
            Self::Base(tick) => write!(f, "settled at {}", tick.0),
            Self::Others => f.write_str("others, as `outside` says"),
            Self::Statement => f.write_str("the statement itself"),
        }
    }
}

/// The three answers to a question about a span of ticks (P8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tri {
    /// At every moment of it.
    Surely(Vec<Cause>),
    /// At no moment of it; with what made it so.
    Never(Vec<Cause>),
    /// At some moment in some order of what is pending.
    Possibly(Vec<Cause>),
}

impl Tri {
    /// Whether it can be.
    pub fn can_be(&self) -> bool {
        !matches!(self, Self::Never(_))
    }

    /// Whether it can be otherwise.
    pub fn can_fail(&self) -> bool {
        !matches!(self, Self::Surely(_))
    }

    /// The witnesses.
    pub fn causes(&self) -> &[Cause] {
        match self {
            Self::Surely(causes) | Self::Never(causes) | Self::Possibly(causes) => causes,
        }
    }
}

/// One question that was asked about one answer of the server: evidence, for presence as for absence (P21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What.
    pub question: Question,
    /// About what, for a person: `table "t3"`.
    pub about: String,
    /// The answer.
    pub answer: Tri,
}

/// A broken promise of the parallel workload: data, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What sort.
    pub kind: Kind,
    /// What repeats of one cause share: kind, code or check, kind of action, text without names (P47).
    pub signature: String,
    /// Whose answer.
    pub at: At,
    /// The action's name, or the check's.
    pub action: String,
    /// When.
    pub span: Span,
    /// The statement.
    pub sql: String,
    /// The server's code, or "".
    pub code: String,
    /// The server's words, or "".
    pub text: String,
    /// What had to be, in a sentence.
    pub promised: String,
    /// What was, in a sentence.
    pub seen: String,
    /// What was asked.
    pub asked: Vec<Asked>,
    /// The proof in lines: candidates of each name, ops nearest in time, a drawing of overlaps.
    pub evidence: Vec<String>,
    /// Whether a row that is a guess decided it.
    pub guess: bool,
}

/// What became of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Explained {
    /// Done, and it could be done.
    Done,
    /// Refused or unknown, and something in the run explains it.
    Expected {
        /// What it is about.
        class: Class,
        /// Which question was answered.
        question: Question,
        /// By what, the nearest in time first, at most three.
        causes: Vec<Cause>,
        /// Whether the failure was drawn on purpose.
        aimed: bool,
    },
    /// Our generator made a wrong statement (C8): counted, with a ceiling of its own.
    Ours {
        /// The server's code.
        code: String,
        /// The server's words.
        text: String,
    },
    /// Nothing explains it.
    Broken(Box<Finding>),
}
