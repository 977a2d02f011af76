//! Findings on their way from whoever made them to the verdict: repeats of one cause are one finding with a count (`families`).
//!
//! Invariants:
//! * G1 a finding of the judge is judged again from the recorded evidence before it is shown (F34); a disagreement is our
//!   own fault, never the database's.
//! * G2 every visit that a finding cites is regenerated and its digests compared with the log's (F4).

mod families;
mod statements;

use crate::RunError;
use crate::evidence;
use crate::known::Known;
use crate::world::World;
use check::{Judged, words};
pub(crate) use families::Families;
use history::verdict::Cause;
use history::{Certainty, Finding, Kind, Shape, Tick, Tracker};
use parking_lot::Mutex;
use statements::Statements;
pub(crate) use statements::in_a_word;
pub(crate) use statements::{Archive, at_work, sent_digest};

/// A finding that was not looked at yet.
struct Fresh {
    finding: Finding,
    /// Made by the judge, so the second judge must agree.
    judged: bool,
}

/// Where findings are gathered.
pub(crate) struct Causes {
    fresh: Mutex<Vec<Fresh>>,
    causes: Mutex<Families>,
    known: Known,
}

impl Causes {
    /// With what an earlier life of the worker had found.
    pub(crate) fn new(known: Known, before: Families) -> Causes {
        Causes {
            fresh: Mutex::new(Vec::new()),
            causes: Mutex::new(before),
            known,
        }
    }

    /// A finding that needs no second judge here: of the run's own (a refusal, a stall, a crash), or judged twice already.
    pub(crate) fn own(&self, finding: Finding) {
        self.fresh.lock().push(Fresh {
            finding,
            judged: false,
        });
    }

    /// A finding of the judge.
    pub(crate) fn judged(&self, finding: Finding) {
        self.fresh.lock().push(Fresh {
            finding,
            judged: true,
        });
    }

    /// Looks at what came in.
    pub(crate) fn gather(&self, world: &World) -> Result<(), RunError> {
        let fresh = std::mem::take(&mut *self.fresh.lock());
        for Fresh { finding, judged } in fresh {
            if self.causes.lock().count(&finding) {
                continue;
            }
            let signature = signature(&finding);
            let (finding, said) = if judged {
                judge_again(world, finding)?
            } else {
                (finding, None)
            };
            let cause = make(&world.archive(), finding, said, &self.known)?;
            self.causes.lock().add(signature, cause);
        }
        Ok(())
    }

    /// Findings that count against the database so far, each repeat included.
    pub(crate) fn total(&self) -> u64 {
        let fresh = self.fresh.lock().len() as u64;
        fresh
            + self
                .causes
                .lock()
                .iter()
                .filter(|c| !c.known)
                .map(|c| c.times)
                .sum::<u64>()
    }

    /// The causes that were found after the first `shown`, which is moved on.
    pub(crate) fn since(&self, shown: &mut usize) -> Vec<Cause> {
        let causes = self.causes.lock();
        let new: Vec<Cause> = causes.iter().skip(*shown).cloned().collect();
        *shown += new.len();
        new
    }

    /// Everything that was gathered, for the account.
    pub(crate) fn families(&self) -> Families {
        self.causes.lock().clone()
    }

    /// Every cause, most frequent first. Those that were tolerated more often than their entry allows no longer are.
    pub(crate) fn all(&self) -> Vec<Cause> {
        let mut all = self.causes.lock().sorted();
        for cause in &mut all {
            cause.known = self.known.tolerates(&cause.finding, cause.times);
        }
        all
    }
}

/// What repeats of one cause share. Refusals with different codes are different causes.
pub(crate) fn signature(finding: &Finding) -> String {
    match &finding.shape {
        Shape::Refused { code, .. } => format!("{}/{code}", finding.signature()),
        _ => finding.signature(),
    }
}

/// The second judge (G1): decodes the answers again, regenerates the visits, and must come to the same end.
fn judge_again(world: &World, mut finding: Finding) -> Result<(Finding, Option<String>), RunError> {
    let (held, _) = evidence::read(world.ring.dir()).map_err(RunError::evidence)?;
    let said = held
        .iter()
        .rev()
        .find(|a| a.address == finding.read)
        .map(|a| in_a_word(&a.answer));
    match world.judge.again(&mut held.into_iter(), &finding) {
        Judged::Broken(_) => {}
        Judged::Explained(_) => {
            return Err(RunError::Disagreement {
                signature: signature(&finding),
                read: finding.read,
            });
        }
        Judged::NotCompared(why) => {
            finding.certainty = Certainty::Likely;
            finding.doubt = format!("judged once: the second judge could not look again ({why})");
        }
    }
    if lost_in_a_crash(world.tracker.as_ref(), &world.faults.kills(), &finding) {
        finding.kind = Kind::Durability;
    }
    Ok((finding, said))
}

/// Whether the server was killed, at one of `kills`, between the acknowledgement of what is missing and the read that misses
/// it: then it is [`Kind::Durability`].
pub(crate) fn lost_in_a_crash(tracker: &dyn Tracker, kills: &[Tick], finding: &Finding) -> bool {
    if !matches!(
        finding.shape,
        Shape::MissingRow { .. } | Shape::WrongCell { .. } | Shape::ExtraRow { .. }
    ) {
        return false;
    }
    let Some(last) = finding.proof.iter().map(|lts| tracker.get(*lts).visible_by).max() else {
        return false;
    };
    kills
        .iter()
        .any(|kill| last < *kill && *kill < finding.snapshot.answered)
}

/// A cause of one finding; `said`: what came back for its statement, in a word.
pub(crate) fn make(
    archive: &Archive<'_>,
    finding: Finding,
    said: Option<String>,
    known: &Known,
) -> Result<Cause, RunError> {
    let statements = Statements::of(archive, &finding, said)?;
    let words = words(&finding, archive.schema, archive.claim);
    Ok(Cause {
        times: 1,
        known: known.tolerates(&finding, 1),
        statements,
        promised: words.promised,
        seen: words.seen,
        proof: words.proof,
        how_sure: words.how_sure,
        finding,
    })
}
