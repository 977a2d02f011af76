//! What goes wrong in a source or sink, and what is done about it: report, and stand still.
//!
//! 1. An error is never progress: whoever reports one keeps its capabilities.
//! 2. Leaving an operator drops its capabilities, and others read that as "complete up to here"; so an
//!    operator whose handler returns stays and does nothing more.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use shard::{Frontier, ShardId};

/// The exit code of a process whose source or sink was told to halt on errors.
pub const HALT_EXIT_CODE: i32 = 4;

/// An error of the storage as it was; [`FlowError::cause`] gives it back.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a source or sink stopped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FlowError {
    /// The shard could not be opened, read, listened to or written.
    #[error("{operator}: {}{cause}", unless_named("shard ", shard, cause))]
    Shard {
        /// Name of the source or sink.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// What the storage says.
        cause: Cause,
    },
    /// The history asked for is gone.
    #[error(
        "{operator}: shard {shard} cannot be read as of {as_of}: its since is {since}; choose an as_of at or after it"
    )]
    AsOfBeforeSince {
        /// Name of the source.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// The time asked for.
        as_of: u64,
        /// The earliest readable frontier.
        since: Frontier,
    },
    /// A part is missing, damaged or cannot be fetched.
    #[error(
        "{operator}: frozen at {time}: {}{}{cause}",
        unless_named("shard ", shard, cause),
        unless_named("part ", part, cause)
    )]
    Fetch {
        /// Name of the source.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// Key of the part.
        part: String,
        /// The time at which the source stands still.
        time: u64,
        /// What the storage says.
        cause: Cause,
    },
    /// A part's lease ran out before the part was fetched; the storage may have deleted it.
    #[error(
        "{operator}: frozen at {time}: shard {shard}: part {part}: lease expired: \
         the reader was silent for longer than its lease; restart the dataflow"
    )]
    LeaseExpired {
        /// Name of the source.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// Key of the part.
        part: String,
        /// The time at which the source stands still.
        time: u64,
    },
    /// The bytes of a part arrived whole but are not rows of the expected encoding.
    #[error("{operator}: frozen at {time}: shard {shard}: part {part} does not decode: {cause}")]
    Decode {
        /// Name of the source.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// Key of the part.
        part: String,
        /// The time at which the source stands still.
        time: u64,
        /// What was found.
        cause: String,
    },
    /// A task ended without a last word: it panicked.
    #[error("{operator}: the {task} task died; see its panic message")]
    TaskDied {
        /// Name of the source or sink.
        operator: String,
        /// Which task.
        task: &'static str,
    },
    /// The output shard ends before the sink's as_of: writing would leave a gap.
    #[error(
        "{operator}: shard {shard} ends at {upper}, before as_of {as_of}: writing would leave a gap; choose an as_of of at most {upper}"
    )]
    Gap {
        /// Name of the sink.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// Where the shard ends.
        upper: Frontier,
        /// Where the sink would have begun.
        as_of: u64,
    },
    /// The output shard was closed while it did not equal the view, so nothing can correct it.
    #[error(
        "{operator}: shard {shard} is closed and differs from the view at {time}: \
         nothing can be written to it any more; keep the view in a new shard"
    )]
    ClosedOtherwise {
        /// Name of the sink.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// The first time at which the difference was found.
        time: u64,
    },
    /// The output shard holds data that can no longer be read back, so it cannot be corrected.
    #[error(
        "{operator}: shard {shard} cannot be read back: its since {since} is not before its upper {upper}"
    )]
    Unreadable {
        /// Name of the sink.
        operator: String,
        /// The shard.
        shard: ShardId,
        /// Its since.
        since: Frontier,
        /// Its upper.
        upper: Frontier,
    },
}

impl FlowError {
    /// The storage's error behind this one: a `shard::ShardError`, `ReadError`, `FetchError`, `AppendError`,
    /// `BuildError` or `UsageError`, to be told apart by downcasting.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            FlowError::Shard { cause, .. } | FlowError::Fetch { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}

/// "`kind``name`: ", or nothing where the words of `cause` name it themselves.
fn unless_named(kind: &str, name: &dyn fmt::Display, cause: &Cause) -> String {
    let name = name.to_string();
    if cause.to_string().contains(&name) {
        return String::new();
    }
    format!("{kind}{name}: ")
}

/// What to do about an error.
#[derive(Clone)]
pub enum ErrorHandler {
    /// End the process with [`HALT_EXIT_CODE`] and the error on standard error; the name says whose.
    Halt(String),
    /// Call back; the operator then stands still until its dataflow is taken down.
    Signal(Arc<dyn Fn(&FlowError) + Send + Sync>),
}

impl ErrorHandler {
    /// Reports `error`. Does not return under [`ErrorHandler::Halt`]; under `Signal` the caller freezes.
    pub(crate) fn report(&self, error: &FlowError) {
        match self {
            ErrorHandler::Halt(name) => {
                eprintln!("{name}: halting: {error}");
                std::process::exit(HALT_EXIT_CODE);
            }
            ErrorHandler::Signal(callback) => callback(error),
        }
    }
}

/// A bug was caught in the act and no frontier may be trusted any more: says so and ends the process at once.
///
/// Not a panic: that ends one worker's thread, while the others of its process and of the cluster go on.
pub(crate) fn abort(operator: &str, bug: &str) -> ! {
    eprintln!("{operator}: aborting: {bug}");
    std::process::abort();
}

impl fmt::Debug for ErrorHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorHandler::Halt(name) => write!(f, "Halt({name:?})"),
            ErrorHandler::Signal(_) => f.write_str("Signal"),
        }
    }
}
