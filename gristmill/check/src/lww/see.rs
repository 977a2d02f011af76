//! Which visits a read must show, may show, must not show, where visits race.
//!
//! ```text
//!            b ──────── read ──────── e
//!  must ──┤                                acknowledged before b, and the consistency levels of both overlap
//!  may        ├───┤   ├──────              sent before e, and not that; or unknown
//!  must not                      ├──       sent after e, rejected, skipped
//! ```
//!
//! Levels overlap when the replicas that took the write and those that are asked must have one in common: their numbers
//! add up to more than there are replicas. With one replica, all do. After a repair that succeeded, whatever was acknowledged
//! before it began is on every replica, so that all later reads meet it at any level.

use crate::judged::Overlap;
use crate::span::STILL_OPEN;
use history::{Consistency, SessionId, Span, State, Tick, Track};

/// What a visit is to a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// With the tick from which on every reader like this one must see it: of its acknowledgement, or of a repair's end.
    Must(Tick),
    May(Overlap),
    /// Left nothing, for good.
    Not,
    /// Sent after the read was over, or not sent yet.
    Late,
}

/// To whom something is visible.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer {
    pub(crate) snapshot: Span,
    pub(crate) session: SessionId,
    /// How many replicas answer it.
    pub(crate) consistency: Consistency,
}

/// What the claim says of acknowledged writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    /// They are seen by everybody; else only by their own session.
    pub(crate) real_time: bool,
    /// How many replicas there are.
    pub(crate) replicas: u16,
}

impl Promise {
    /// The fewest replicas that must have taken a write for a read to meet it.
    pub(crate) fn need(&self, read: Consistency) -> u16 {
        (self.replicas + 1)
            .saturating_sub(read.replicas(self.replicas))
            .max(1)
    }

    /// What a visit is to a viewer; `level`: at which its writes were acknowledged, `spread`: when, before the viewer asked,
    /// all that was acknowledged by a tick was on every replica; both asked only where it matters. `Err`: the answer was handed
    /// over too early.
    pub(crate) fn sees(
        &self,
        lts: history::Lts,
        track: &Track,
        viewer: &Viewer,
        level: impl FnOnce() -> Option<Consistency>,
        spread: impl FnOnce(Tick) -> Option<Tick>,
    ) -> Result<Seen, &'static str> {
        let unknown = track.state == State::Unknown;
        match track.state {
            State::Waiting => return Ok(Seen::Late),
            State::Rejected | State::Skipped => return Ok(Seen::Not),
            _ if track.visible_from >= viewer.snapshot.answered => return Ok(Seen::Late),
            State::Open => return Err(STILL_OPEN),
            State::Unknown | State::Committed => {}
        }
        let mine = track.session == viewer.session;
        let before = !unknown && track.visible_by < viewer.snapshot.sent && (self.real_time || mine);
        let met = || {
            self.replicas <= 1 || level().is_none_or(|write| viewer.consistency.meets(write, self.replicas))
        };
        if before && met() {
            return Ok(Seen::Must(track.visible_by));
        }
        // Nobody who asked before the repair was over need see it.
        if let Some(done) = before.then(|| spread(track.visible_by)).flatten() {
            return Ok(Seen::Must(done));
        }
        Ok(Seen::May(Overlap {
            lts,
            from: track.visible_from,
            by: if unknown { Tick(u64::MAX) } else { track.visible_by },
            session: track.session,
            unknown,
        }))
    }
}
