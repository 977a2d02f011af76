//! The statements of a finding, as really sent: rendered again from the regenerated visits, once their digests agree with
//! what the log says was sent (F4).

use crate::RunError;
use crate::session::fold;
use datagen::schema::Schema;
use history::log::{Reader, What};
use history::verdict::Sent;
use history::{Address, Claim, Finding, Lts, Outcome, Regenerate, SessionId, Step, Visit};
use std::collections::BTreeMap;
use std::path::Path;
use targets::{Request, Target};

/// What the log says of one attempt.
#[derive(Debug, Clone)]
struct Logged {
    session: SessionId,
    attempt: u8,
    invoked_ns: u64,
    digest: u64,
    completed: Option<Completed>,
}

#[derive(Debug, Clone, Copy)]
struct Completed {
    ns: u64,
    outcome: Outcome,
    steps: u16,
    sent: u64,
}

/// Where the visits of a run are found again: a run that lives, or a folder.
#[derive(Clone, Copy)]
pub(crate) struct Archive<'a> {
    pub(crate) history: &'a dyn Regenerate,
    pub(crate) schema: &'a Schema,
    pub(crate) target: &'a dyn Target,
    pub(crate) claim: &'a Claim,
    pub(crate) log_folder: &'a Path,
}

/// Renders findings.
pub(super) struct Statements;

/// Statements of one visit that are shown at most.
const SHOWN: usize = 12;

impl Statements {
    pub(super) fn of(archive: &Archive<'_>, finding: &Finding) -> Result<Vec<Sent>, RunError> {
        let mut cited: Vec<Lts> = finding.proof.clone();
        cited.push(finding.read.lts);
        let logged = look_up(archive, &cited)?;
        let mut statements = Vec::new();
        for lts in &finding.proof {
            if let Some(logged) = logged.get(lts) {
                let visit = agreed(archive, *lts, logged)?;
                statements.extend(of_visit(archive, &visit, logged, None, finding));
            }
        }
        let read = finding.read;
        if let Some(logged) = logged.get(&read.lts)
            && archive.history.visit(read.lts).is_some()
        {
            let visit = agreed(archive, read.lts, logged)?;
            statements.extend(of_visit(archive, &visit, logged, Some(read), finding));
        }
        Ok(statements)
    }
}

/// The visit regenerated, its digests compared with the log's (G2).
fn agreed(archive: &Archive<'_>, lts: Lts, logged: &Logged) -> Result<Visit, RunError> {
    let visit = archive.history.visit(lts).ok_or(RunError::Regenerated { lts })?;
    if visit.digest(&mut Vec::new()) != logged.digest {
        return Err(RunError::Regenerated { lts });
    }
    if let Some(completed) = &logged.completed
        && sent_digest(archive, &visit, usize::from(completed.steps)) != completed.sent
    {
        return Err(RunError::Regenerated { lts });
    }
    Ok(visit)
}

/// The digest of the first `steps` steps as they would be sent.
pub(crate) fn sent_digest(archive: &Archive<'_>, visit: &Visit, steps: usize) -> u64 {
    visit.steps[..steps].iter().fold(0, |sum, step| {
        fold(sum, archive.target.digest(archive.schema, &Request::Step(step)))
    })
}

/// One reading of the log for all cited visits; of each the last attempt.
fn look_up(archive: &Archive<'_>, cited: &[Lts]) -> Result<BTreeMap<Lts, Logged>, RunError> {
    let mut found: BTreeMap<Lts, Logged> = BTreeMap::new();
    for record in Reader::open(archive.log_folder)? {
        match record.what {
            What::Invoke { lts, attempt, digest } if cited.contains(&lts) => {
                let session = record.session;
                found.insert(
                    lts,
                    Logged {
                        session,
                        attempt,
                        invoked_ns: record.ns,
                        digest,
                        completed: None,
                    },
                );
            }
            What::Complete {
                lts,
                attempt,
                outcome,
                statements,
                sent,
                ..
            } if cited.contains(&lts) => {
                if let Some(logged) = found.get_mut(&lts).filter(|l| l.attempt == attempt) {
                    logged.completed = Some(Completed {
                        ns: record.ns,
                        outcome,
                        steps: statements,
                        sent,
                    });
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn of_visit(
    archive: &Archive<'_>,
    visit: &Visit,
    logged: &Logged,
    only: Option<Address>,
    finding: &Finding,
) -> Vec<Sent> {
    let sent = logged
        .completed
        .as_ref()
        .map_or(visit.steps.len(), |c| usize::from(c.steps));
    let outcome = match (only, &logged.completed) {
        (Some(_), _) => said(finding),
        (None, Some(c)) => match c.outcome {
            Outcome::Committed => "ok".to_owned(),
            Outcome::Rejected => "rejected".to_owned(),
            Outcome::Unknown => "unknown".to_owned(),
        },
        (None, None) => "no answer".to_owned(),
    };
    let mut statements = Vec::new();
    for (step, number) in visit.steps[..sent].iter().zip(0u16..) {
        let shown = match (only, step, finding.part) {
            (Some(read), ..) => read.step == number,
            (None, Step::Write(op), Some(part)) => op.part() == part,
            (None, Step::Write(_), None) | (None, Step::Savepoint(_) | Step::RollbackTo(_), _) => true,
            (None, Step::Read(_), _) => false,
        };
        if !shown || statements.len() >= SHOWN {
            continue;
        }
        for sql in archive.target.text(archive.schema, &Request::Step(step)) {
            statements.push(Sent {
                session: logged.session.0,
                lts: visit.lts.0,
                sql,
                outcome: outcome.clone(),
                sent_us: logged.invoked_ns / 1000,
                answered_us: logged.completed.as_ref().map_or(logged.invoked_ns, |c| c.ns) / 1000,
            });
        }
    }
    statements
}

/// What came back for the statement that the finding is about, in a word.
fn said(finding: &Finding) -> String {
    use history::Shape;
    match &finding.shape {
        Shape::Refused { code, .. } if code.is_empty() => "refused".to_owned(),
        Shape::Refused { code, .. } => format!("refused {code}"),
        Shape::RefusedAbsent => "refused: duplicate".to_owned(),
        Shape::WrongAffected { actual, .. } => format!("{actual} rows affected"),
        Shape::WrongCount { actual, .. } => format!("{actual} rows"),
        Shape::Stalled { .. } | Shape::Died { .. } => "no answer".to_owned(),
        _ => "answered".to_owned(),
    }
}
