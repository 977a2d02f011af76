//! What travels between tasks and operators of a source.

use serde::{Deserialize, Serialize};
use shard::{ExchangeablePart, FetchedPart, Frontier, Lease, Position};

use crate::FlowError;

/// From the listen task to the descriptions operator.
#[derive(Debug)]
pub(crate) enum Message {
    /// Parts of one batch, each for its worker; their rows are at or after `at`.
    Parts {
        at: u64,
        parts: Vec<(Described, Option<Lease>)>,
    },
    /// No part will be described before this frontier. Closed is the last word of a source that ended.
    Progress(Frontier),
    /// The last word of a task that failed.
    Failed(FlowError),
}

/// A part and who is to fetch it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Described {
    /// Index of the worker over all processes.
    pub(crate) worker: u64,
    pub(crate) part: PartToRead,
}

/// What a worker is to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum PartToRead {
    /// A part of the shard; `audited`: a filter discarded it, none of its rows may pass.
    Stored {
        part: Box<ExchangeablePart>,
        audited: bool,
    },
    /// Stands for a part of which only the number of rows matters.
    Counted { row: Vec<u8>, time: u64, diff: i64 },
}

/// From the fetch operator to its task.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) time: u64,
    pub(crate) part: PartToRead,
}

/// From the fetch task to its operator.
#[derive(Debug)]
pub(crate) struct Response {
    /// The time of the request.
    pub(crate) time: u64,
    pub(crate) result: Result<PartInMemory, FlowError>,
}

/// A part to decode.
#[derive(Debug)]
pub(crate) struct PartInMemory {
    pub(crate) content: Content,
    /// Bytes it took in flight.
    pub(crate) bytes: u64,
    pub(crate) audited: bool,
    /// Counts the part as alive; dropped with it.
    pub(crate) _alive: crate::counters::Alive,
}

/// Rows that are there.
#[derive(Debug)]
pub(crate) enum Content {
    /// A part of the shard, decoded up to `position`.
    Stored {
        part: FetchedPart,
        name: String,
        position: Position,
    },
    /// One row that stands for many.
    Counted { row: Vec<u8>, time: u64, diff: i64 },
}

/// From the fetch operator to the decode operator of the same worker.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) time: u64,
    pub(crate) part: PartInMemory,
}
