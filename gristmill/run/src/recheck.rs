//! `check RUN`: what a folder still holds, judged again from the beginning: log, tracker and plan as they lie there, answers
//! decoded again, nothing connected to.

use crate::RunError;
use crate::causes::{Archive, Families, in_a_word, lost_in_a_crash, make, signature};
use crate::evidence;
use crate::fault::FaultKind;
use crate::judging::Compared;
use crate::known::Known;
use crate::life::{environment, history, judge, open_target, read_plan};
use crate::repairs::Repairs;
use crate::times::Times;
use check::Judged;
use history::artefact::Folder;
use history::log::{Ending, Reader, What};
use history::tracker::TrackerFile;
use history::verdict::{Cause, Sent};
use history::{Answered, Counts, Kind, Lts, Regenerate, Tick};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recheck {
    /// Answers that the folder holds and that say anything: an answer to BEGIN or to a savepoint does not.
    pub held: u64,
    /// Answers that were judged while the run lived; `None` where it left no verdict.
    pub of: Option<u64>,
    /// What was compared.
    pub counts: Counts,
    /// Findings by cause.
    pub causes: Vec<Cause>,
    /// What is damaged or forgotten, in words.
    pub notes: Vec<String>,
    /// Visits whose digests were regenerated and compared with the log's.
    pub regenerated: u64,
}

/// The answers that a run's folder still holds, in the order in which they were taken: all of a small run's.
pub fn answers(folder: &Folder) -> Result<Vec<Answered>, RunError> {
    let (held, _) = evidence::read(&folder.evidence()).map_err(RunError::evidence)?;
    Ok(held)
}

/// Judges again what a run's folder holds.
pub fn recheck(folder: &Folder) -> Result<Recheck, RunError> {
    judge_again(folder, &mut |_| Ok(()))
}

/// The visits that were at work when the run's process died, and their statements; and what the folder holds, judged again.
pub(crate) fn after_death(folder: &Folder) -> Result<(Vec<Lts>, Vec<Sent>, Recheck), RunError> {
    let mut at_work = Default::default();
    let recheck = judge_again(folder, &mut |archive| {
        at_work = crate::causes::at_work(archive)?;
        Ok(())
    })?;
    let (open, statements) = at_work;
    Ok((open, statements, recheck))
}

/// `first` sees where visits are found again.
fn judge_again(
    folder: &Folder,
    first: &mut dyn FnMut(&Archive<'_>) -> Result<(), RunError>,
) -> Result<Recheck, RunError> {
    let plan = read_plan(folder)?;
    if !folder.tracker().exists() {
        return Err(RunError::NeverBegan { run: folder.name() });
    }
    let target = open_target(&plan, &folder.target(), &environment(None), BTreeMap::new())?;
    let visits = history(&plan)?;
    let tracker = Arc::new(TrackerFile::open(&folder.tracker())?);
    let mut notes = Vec::new();
    let (regenerated, kills) = compare_digests(folder, visits.as_ref(), &mut notes)?;
    let (mut held, damaged) = evidence::read(&folder.evidence()).map_err(RunError::evidence)?;
    if damaged > 0 {
        notes.push(format!(
            "{damaged} segments of the ring of answers end in damage: read up to there"
        ));
    }
    held.sort_by_key(|a| a.span.answered);
    let times = plan
        .expires()
        .then(|| Times::read(folder.path()).map(Arc::new))
        .transpose()?;
    let repairs = Arc::new(Repairs::of(folder.path())?);
    let judge = judge(&plan, &visits, &tracker, target.as_ref(), times, repairs);
    let archive = Archive {
        history: visits.as_ref(),
        schema: &plan.schema,
        target: target.as_ref(),
        claim: &plan.claim,
        log_folder: &folder.log(),
        logged_until: if plan.is_checked() { Lts(u64::MAX) } else { Lts(0) },
    };
    first(&archive)?;
    let known = held.iter().map(|a| (a.address.lts, a.span.sent)).collect();
    for answered in evidence::calls::forgotten(&folder.evidence(), &known).map_err(RunError::evidence)? {
        judge.conclude(judge.explain(answered));
    }
    let floors = floors(&held);
    let mut compared = Compared::default();
    let mut causes = Families::default();
    for (answered, floor) in held.into_iter().zip(floors) {
        let said = in_a_word(&answered.answer);
        match judge.conclude(judge.explain(answered)) {
            Judged::Explained(e) => compared.explained(&e),
            Judged::NotCompared(why) => compared.not_compared(why),
            Judged::Broken(mut finding) => {
                compared.broken(&finding);
                if !causes.count(&finding) {
                    let repeats = signature(&finding);
                    if lost_in_a_crash(tracker.as_ref(), &kills, &finding) {
                        finding.kind = Kind::Durability;
                    }
                    let cause = make(&archive, *finding, Some(said), &Known::default())?;
                    causes.add(repeats, cause);
                }
            }
        }
        judge.floor(floor);
    }
    for finding in judge.finish() {
        if !causes.count(&finding) {
            let repeats = signature(&finding);
            causes.add(repeats, make(&archive, finding, None, &Known::default())?);
        }
    }
    let counts = compared.counts();
    Ok(Recheck {
        held: judged(&counts),
        of: folder.verdict()?.map(|v| judged(&v.counts)),
        counts,
        causes: causes.sorted(),
        notes,
        regenerated,
    })
}

/// Answers that were judged, to whatever end: what a folder holds and what its run saw are counted alike.
fn judged(counts: &Counts) -> u64 {
    counts.answers + counts.not_compared.values().sum::<u64>()
}

/// After each answer, the earliest snapshot of those that are still to come.
fn floors(answers: &[Answered]) -> Vec<Tick> {
    let mut floors = vec![Tick(u64::MAX); answers.len()];
    let mut least = Tick(u64::MAX);
    for (at, answered) in answers.iter().enumerate().rev() {
        floors[at] = least;
        least = least.min(answered.snapshot.sent);
    }
    floors
}

/// Every visit of the log is what it was when it was sent (F4): how many, and the ticks of the kills between them.
fn compare_digests(
    folder: &Folder,
    visits: &dyn Regenerate,
    notes: &mut Vec<String>,
) -> Result<(u64, Vec<Tick>), RunError> {
    let mut reader = Reader::open(&folder.log())?;
    let mut scratch = Vec::new();
    let (mut count, mut kills) = (0, Vec::new());
    for record in reader.by_ref() {
        if matches!(&record.what, What::Fault { name, .. } if name == FaultKind::Kill.name()) {
            kills.push(record.tick);
        }
        if let What::Invoke { lts, digest, .. } = record.what {
            let visit = visits.visit(lts).ok_or(RunError::Regenerated { lts })?;
            if visit.digest(&mut scratch) != digest {
                return Err(RunError::Regenerated { lts });
            }
            count += 1;
        }
    }
    if let Some(forgotten) = reader.forgotten() {
        notes.push(format!(
            "the log has forgotten its first {} records",
            forgotten.records
        ));
    }
    if let Some(ending) = reader.ending().filter(|e| !matches!(e, Ending::Closed)) {
        notes.push(format!("the log was not closed: {ending}"));
    }
    Ok((count, kills))
}
