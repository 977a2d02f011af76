//! Which visits a snapshot must show, may show, must not show.
//!
//! Over the writers of one partition, in the order of the plan (which `ordered` makes the order of time):
//!
//! ```text
//!            b ──────── snapshot ──────── e
//!  must ──┤                                    acknowledged before b
//!  may        ├───┤  ├───┤       ├──────────── COMMIT sent before e, not acknowledged before b; or unknown
//!  must not                           ├──      COMMIT sent after e, rejected, rolled back, skipped
//! ```

use crate::judged::Overlap;
use history::{Claim, Lts, SessionId, Span, State, Tick, Tracker};

/// Why an answer cannot be compared: it was handed over too early (F5).
pub(crate) const STILL_OPEN: &str = "a visit that overlaps it is still open";

/// What a writer of a partition is to a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// With the tick of its acknowledgement.
    Must(Tick),
    May(Overlap),
    /// Left nothing that this snapshot may show.
    Not,
    /// Neither this one nor any later writer of the partition: it is still to come, or its end was sent after the snapshot
    /// was over, and `ordered` begins no writer before its predecessor in the partition is done.
    End,
}

/// To whom something is visible.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer {
    pub(crate) snapshot: Span,
    pub(crate) session: SessionId,
    /// The visit that asks, where the partition is its own: everything before it must, nothing after it may.
    pub(crate) own: Option<Lts>,
    /// A visit that is taken for unknown whatever the tracker says: it is being settled.
    pub(crate) unknown: Option<Lts>,
}

impl Viewer {
    /// What a writer is to this viewer. `Err`: the answer was handed over too early.
    pub(crate) fn sees(&self, lts: Lts, tracker: &dyn Tracker, claim: &Claim) -> Result<Seen, &'static str> {
        if self.own.is_some_and(|own| lts >= own) {
            return Ok(Seen::End);
        }
        let mut track = tracker.get(lts);
        if self.unknown == Some(lts) {
            track.state = State::Unknown;
        }
        let span = self.snapshot;
        let before = |by: Tick| self.own.is_some() || by < span.sent;
        Ok(match track.state {
            State::Waiting => Seen::End,
            State::Rejected | State::Skipped => Seen::Not,
            State::Committed if track.visible_from >= span.answered && self.own.is_none() => Seen::End,
            State::Committed
                if before(track.visible_by) && (claim.real_time || self.is_mine(track.session)) =>
            {
                Seen::Must(track.visible_by)
            }
            State::Committed => Seen::May(Overlap {
                lts,
                from: track.visible_from,
                by: if claim.real_time {
                    track.visible_by
                } else {
                    Tick(u64::MAX)
                },
                session: track.session,
                unknown: false,
            }),
            State::Open | State::Unknown if track.visible_from >= span.answered => Seen::End,
            State::Open => return Err(STILL_OPEN),
            State::Unknown => Seen::May(Overlap {
                lts,
                from: track.visible_from,
                by: Tick(u64::MAX),
                session: track.session,
                unknown: true,
            }),
        })
    }

    fn is_mine(&self, session: SessionId) -> bool {
        self.own.is_some() || session == self.session
    }
}
