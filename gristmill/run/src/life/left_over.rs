//! What an earlier life of the worker left undone: visits that were open when it died, answers that nobody judged.

use crate::RunError;
use crate::account::Account;
use crate::evidence::{Held, calls};
use crate::fault::FaultKind;
use history::artefact::Folder;
use history::log::{Reader, What};
use history::tracker::TrackerFile;
use history::{Answered, Lts, Regenerate, SessionId, State, Tick, Tracker};
use std::collections::BTreeMap;
use std::path::Path;
use targets::Identity;

/// Of an earlier life.
#[derive(Debug)]
pub(crate) struct LeftOver {
    /// The first visit that is not done.
    pub(crate) first: Lts,
    /// Visits that were begun and not ended, or ended unknown.
    pub(crate) open: Vec<Lts>,
    /// Answers that are held: those that are in the account are judged again for what later ones rest on, not counted.
    pub(crate) answers: Vec<(Held, Answered)>,
    /// Answers of lightweight transactions that are not held any more.
    pub(crate) calls: Vec<Answered>,
    /// Visits that ended, or were settled first thing in this life; of them, those that wrote.
    pub(crate) ended: u64,
    pub(crate) writing: u64,
    /// What is counted already.
    pub(crate) account: Account,
    /// Faults that were done, by name, and the ticks of those that killed the database.
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) kills: Vec<Tick>,
    /// The last server session of each session.
    pub(crate) identities: BTreeMap<u16, Identity>,
}

/// Answers of lightweight transactions that these do not hold.
fn forgotten(dir: &Path, held: &[(Held, Answered)]) -> Result<Vec<Answered>, RunError> {
    let held = held.iter().map(|(_, a)| (a.address.lts, a.span.sent)).collect();
    calls::forgotten(dir, &held).map_err(RunError::evidence)
}

impl LeftOver {
    pub(super) fn of(
        tracker: &TrackerFile,
        answers: Vec<(Held, Answered)>,
        folder: &Folder,
        visits: &dyn Regenerate,
    ) -> Result<LeftOver, RunError> {
        let highest = tracker.highest();
        if highest == Lts(0) {
            return Ok(LeftOver {
                first: Lts(1),
                open: Vec::new(),
                answers,
                calls: Vec::new(),
                ended: 0,
                writing: 0,
                account: Account::default(),
                faults: BTreeMap::new(),
                kills: Vec::new(),
                identities: BTreeMap::new(),
            });
        }
        let mut first = None;
        let mut open = Vec::new();
        let (mut ended, mut writing) = (0, 0);
        for lts in (1..=highest.0).map(Lts) {
            let state = tracker.get(lts).state;
            if !matches!(state, State::Waiting | State::Skipped) {
                ended += 1;
                writing += u64::from(visits.visit(lts).is_some_and(|v| !v.writes.is_empty()));
            }
            match state {
                State::Waiting => first = first.or(Some(lts)),
                State::Open | State::Unknown => open.push(lts),
                State::Committed | State::Rejected | State::Skipped => {}
            }
        }
        let (mut identities, mut faults, mut kills) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for record in Reader::open(&folder.log())? {
            match record.what {
                What::Fault { name, .. } => {
                    if name == FaultKind::Kill.name() {
                        kills.push(record.tick);
                    }
                    *faults.entry(name).or_default() += 1;
                }
                What::Connected {
                    identity,
                    incarnation,
                } => {
                    let (process, started) = identity.split_once(' ').unwrap_or((&identity, ""));
                    let identity = Identity {
                        session: record.session,
                        process: process.parse().unwrap_or(0),
                        started: started.to_owned(),
                        incarnation,
                    };
                    identities.insert(record.session.0, identity);
                }
                _ => {}
            }
        }
        Ok(LeftOver {
            first: first.unwrap_or(Lts(highest.0 + 1)),
            open,
            calls: forgotten(&folder.evidence(), &answers)?,
            answers,
            ended,
            writing,
            account: Account::read(&folder.evidence())?,
            faults,
            kills,
            identities,
        })
    }

    /// Whether there was an earlier life that did anything.
    pub(crate) fn is_any(&self) -> bool {
        self.ended > 0
    }

    /// The server session that did a visit.
    pub(crate) fn identity(&self, session: SessionId) -> Option<&Identity> {
        self.identities.get(&session.0)
    }
}
