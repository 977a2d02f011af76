//! The little that is not a function of the plan: what became of each visit, and when it could be seen.

use crate::{Lts, SessionId, Tick};

/// Where a visit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    Waiting,
    /// Begun, not ended. Its COMMIT may have been sent (`visible_from` is set).
    Open,
    /// Its effects are there.
    Committed,
    /// It left nothing: refused, or rolled back by plan.
    Rejected,
    /// Never begun: one of its partitions was retired.
    Skipped,
    /// Its end was sent and no answer came; not settled (yet, or for good).
    Unknown,
}

/// What the tracker holds of one visit. `visible_from ≤ point of visibility ≤ visible_by` for a committed one (F2, F7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// Where it stands.
    pub state: State,
    /// The attempt this is about, from 0.
    pub attempt: u8,
    /// Who did it.
    pub session: SessionId,
    /// The tick before its COMMIT (or autocommit statement) was sent; `Tick(u64::MAX)` while it was not.
    pub visible_from: Tick,
    /// The tick after it was acknowledged (or settled as committed); `Tick(u64::MAX)` while it was not.
    pub visible_by: Tick,
}

/// Read access to the tracks of a run; `run` owns the one that is written.
pub trait Tracker: Send + Sync {
    /// The track of a visit; `Waiting` where nothing is known.
    fn get(&self, lts: Lts) -> Track;
    /// The tick at which an unknown visit was settled, if it was unknown and is settled.
    fn settled(&self, lts: Lts) -> Option<Tick>;
}
