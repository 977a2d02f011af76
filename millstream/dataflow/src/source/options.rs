//! How a source reads its shard.

use std::fmt;
use std::sync::Arc;

use shard::{Frontier, PartStats};
use tokio::sync::watch;

use super::filter::FilterResult;
use crate::{ErrorHandler, Row};

/// Whether the contents at `as_of` come out at `as_of`, or only what changes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotMode {
    /// The contents at `as_of`, then every change.
    Include,
    /// Only changes after `as_of`.
    Exclude,
}

/// What the bytes of the shard's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCodec {
    /// Every row is data.
    Plain,
    /// The first byte says what the rest is: 0 data, 1 an error of the computation that wrote it.
    Tagged,
}

/// What the pushed-down expression makes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The row passes as it is.
    Keep,
    /// The row is filtered away.
    Drop,
    /// The row becomes this one.
    Become(Row),
    /// Evaluating the expression failed: an error in the data, not of the source.
    Error(Row),
}

/// Judges a part by its statistics; the frontier is the time of its description.
pub type PartFilter = Arc<dyn Fn(&PartStats, Frontier) -> FilterResult + Send + Sync>;
/// The filter and projection applied to each row while decoding.
pub type RowFilter = Arc<dyn Fn(&[u8]) -> Pushed + Send + Sync>;

/// Limits what is between the descriptions and the end of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLimit {
    /// Encoded bytes in flight; exceeded by at most one part.
    pub bytes: u64,
    /// Parts of times before this are not limited.
    pub from: u64,
}

/// When the source may begin to read. Its reader is registered, and holds history, before that.
#[derive(Clone, Debug)]
pub enum StartSignal {
    /// At once.
    Now,
    /// When the value becomes true. A sender that is dropped before never starts the source.
    When(watch::Receiver<bool>),
}

/// How a source reads. All workers must build it with equal options.
#[derive(Clone)]
pub struct SourceOptions {
    /// Names the operators and chooses the worker that listens.
    pub name: String,
    /// The first time of the output; the reader's since if not given.
    pub as_of: Option<u64>,
    /// What of `as_of` itself comes out.
    pub snapshot: SnapshotMode,
    /// No row at or after this comes out, and the source ends there.
    pub until: Frontier,
    /// What the rows are.
    pub codec: RowCodec,
    /// Parts it discards are not fetched.
    pub part_filter: Option<PartFilter>,
    /// Rows it drops do not come out.
    pub row_filter: Option<RowFilter>,
    /// Share of the discarded parts that is fetched to check the filter, in percent.
    pub audit_percent: u64,
    /// Bytes the audit may fetch before kept parts have earned more.
    pub audit_budget_bytes: u64,
    /// Bytes between two forwarded frontiers while catching up; 0 forwards each.
    pub coalesce_bytes: usize,
    /// Limit of what is in flight; none means the fetch memory alone limits.
    pub flow: Option<FlowLimit>,
    /// Rows decoded before other operators get their turn.
    pub decode_rows_max: usize,
    /// When reading begins.
    pub start: StartSignal,
    /// What to do about errors.
    pub errors: ErrorHandler,
    /// Spreads the parts over the workers.
    pub seed: u64,
}

impl SourceOptions {
    /// Everything from the reader's since on, without filter or limit.
    pub fn new(name: &str, errors: ErrorHandler) -> Self {
        SourceOptions {
            name: name.to_owned(),
            as_of: None,
            snapshot: SnapshotMode::Include,
            until: Frontier::Closed,
            codec: RowCodec::Plain,
            part_filter: None,
            row_filter: None,
            audit_percent: 1,
            audit_budget_bytes: 32 << 20,
            coalesce_bytes: 0,
            flow: None,
            decode_rows_max: 512,
            start: StartSignal::Now,
            errors,
            seed: 0,
        }
    }
}

impl fmt::Debug for SourceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceOptions")
            .field("name", &self.name)
            .field("as_of", &self.as_of)
            .field("snapshot", &self.snapshot)
            .field("until", &self.until)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}
