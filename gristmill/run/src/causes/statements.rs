//! The statements of a finding, as really sent: rendered again from the regenerated visits, once their digests agree with
//! what the log says was sent (F4).

use crate::RunError;
use crate::session::fold;
use datagen::schema::Schema;
use history::log::{Reader, What};
use history::verdict::Sent;
use history::{Address, Answer, Claim, Finding, Lts, Op, Outcome, Regenerate, SessionId, Shape, Step, Visit};
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
    /// The last visit that the log may know: 0 where nothing is checked.
    pub(crate) logged_until: Lts,
}

/// Renders findings.
pub(super) struct Statements;

/// Statements of one visit that are shown at most.
const SHOWN: usize = 12;

impl Statements {
    pub(super) fn of(
        archive: &Archive<'_>,
        finding: &Finding,
        said: Option<String>,
    ) -> Result<Vec<Sent>, RunError> {
        let mut cited: Vec<Lts> = finding.proof.clone();
        cited.push(finding.read.lts);
        let logged = look_up(archive, &cited)?;
        let mut statements = Vec::new();
        for lts in &finding.proof {
            if let Some(logged) = logged.get(lts) {
                let visit = agreed(archive, *lts, logged)?;
                statements.extend(of_visit(archive, &visit, logged, &Shown::Proof(finding)));
            }
        }
        let read = finding.read;
        if let Some(logged) = logged.get(&read.lts)
            && archive.history.visit(read.lts).is_some()
        {
            let visit = agreed(archive, read.lts, logged)?;
            let said = said.unwrap_or_else(|| in_words(finding));
            statements.extend(of_visit(archive, &visit, logged, &Shown::Read(read, said)));
        } else if read.lts > archive.logged_until
            && let Some(visit) = archive.history.visit(read.lts)
        {
            let logged = Logged {
                session: finding.session,
                attempt: read.attempt,
                invoked_ns: 0,
                digest: 0,
                completed: None,
            };
            let said = said.unwrap_or_else(|| in_words(finding));
            statements.extend(of_visit(archive, &visit, &logged, &Shown::Read(read, said)));
        }
        Ok(statements)
    }
}

/// What was at work when a process died: the visits that the log has begun and not ended, and their statements, of which
/// some may not have been sent.
pub(crate) fn at_work(archive: &Archive<'_>) -> Result<(Vec<Lts>, Vec<Sent>), RunError> {
    let mut begun: BTreeMap<SessionId, (Lts, Logged)> = BTreeMap::new();
    for record in Reader::open(archive.log_folder)? {
        let session = record.session;
        match record.what {
            What::Invoke { lts, attempt, digest } => {
                let logged = Logged {
                    session,
                    attempt,
                    invoked_ns: record.ns,
                    digest,
                    completed: None,
                };
                begun.insert(session, (lts, logged));
            }
            What::Complete { .. } => {
                begun.remove(&session);
            }
            _ => {}
        }
    }
    let mut statements = Vec::new();
    for (lts, logged) in begun.values() {
        let visit = agreed(archive, *lts, logged)?;
        statements.extend(of_visit(archive, &visit, logged, &Shown::All));
    }
    Ok((begun.into_values().map(|(lts, _)| lts).collect(), statements))
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

/// The digest of the first `steps` statements as they would be sent; a batch is one.
pub(crate) fn sent_digest(archive: &Archive<'_>, visit: &Visit, steps: usize) -> u64 {
    let mut renderer = archive.target.renderer(archive.schema);
    if let Some(stamped) = Request::stamped(visit) {
        return if steps == 0 {
            0
        } else {
            fold(0, renderer.render(&stamped))
        };
    }
    visit.steps[..steps]
        .iter()
        .fold(0, |sum, step| fold(sum, renderer.render(&Request::Step(step))))
}

/// One reading of the log for all cited visits; of each the last attempt.
fn look_up(archive: &Archive<'_>, cited: &[Lts]) -> Result<BTreeMap<Lts, Logged>, RunError> {
    let mut found: BTreeMap<Lts, Logged> = BTreeMap::new();
    if !archive.log_folder.exists() {
        return Ok(found);
    }
    let cited: Vec<Lts> = cited
        .iter()
        .copied()
        .filter(|lts| *lts <= archive.logged_until)
        .collect();
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

/// Which steps of a visit are shown.
enum Shown<'f> {
    /// Those that explain the finding.
    Proof(&'f Finding),
    /// All of them.
    All,
    /// The statement that the finding is about, with what came back for it.
    Read(Address, String),
}

fn of_visit(archive: &Archive<'_>, visit: &Visit, logged: &Logged, shown: &Shown<'_>) -> Vec<Sent> {
    let sent = logged
        .completed
        .as_ref()
        .map_or(visit.steps.len(), |c| usize::from(c.steps));
    let sent = match visit.stamp {
        // A batch is one statement of several steps.
        Some(_) if sent > 0 => visit.steps.len(),
        _ => sent,
    };
    let steps = &visit.steps[..sent];
    let chosen: Vec<&Step> = match shown {
        Shown::All => steps.iter().collect(),
        Shown::Read(read, _) => steps.get(usize::from(read.step)).into_iter().collect(),
        Shown::Proof(finding) => {
            let on_row: Vec<&Step> = steps
                .iter()
                .filter(|s| touches(archive.schema, s, finding, true))
                .collect();
            if on_row.is_empty() {
                steps
                    .iter()
                    .filter(|s| touches(archive.schema, s, finding, false))
                    .collect()
            } else {
                on_row
            }
        }
    };
    let outcome = match (shown, &logged.completed) {
        (Shown::Read(_, said), _) => said.clone(),
        (Shown::Proof(_) | Shown::All, Some(c)) => match c.outcome {
            Outcome::Committed => "ok".to_owned(),
            Outcome::Rejected => "rejected".to_owned(),
            Outcome::Unknown => "unknown".to_owned(),
        },
        (Shown::Proof(_) | Shown::All, None) => "no answer".to_owned(),
    };
    let texts = chosen
        .into_iter()
        .take(SHOWN)
        .flat_map(|s| archive.target.text(archive.schema, &Request::alone(visit, s)));
    texts
        .map(|sql| Sent {
            session: logged.session.0,
            lts: visit.lts.0,
            sql,
            outcome: outcome.clone(),
            sent_us: logged.invoked_ns / 1000,
            answered_us: logged.completed.as_ref().map_or(logged.invoked_ns, |c| c.ns) / 1000,
        })
        .collect()
}

/// Whether a step can have to do with a finding: it writes the partition, and, where it matters, the row.
fn touches(schema: &Schema, step: &Step, finding: &Finding, the_row: bool) -> bool {
    let op = match step {
        Step::Write(op) => op,
        Step::Savepoint(_) | Step::RollbackTo(_) => return !the_row,
        Step::Change(change) => return finding.part.is_none_or(|part| part.table == change.table),
        Step::Read(_) => return false,
    };
    if finding.part.is_some_and(|part| part != op.part()) {
        return false;
    }
    let Some(row) = finding.row.filter(|_| the_row) else {
        return !the_row || finding.row.is_none();
    };
    match op {
        Op::Insert { row: r, .. }
        | Op::Upsert { row: r, .. }
        | Op::Update { row: r, .. }
        | Op::DeleteRow { row: r, .. }
        | Op::DeleteCells { row: r, .. } => *r == row,
        Op::Elements { row: r, .. } | Op::Add { row: r, .. } => *r == Some(row),
        Op::DeleteSlice { part, slice } => schema.table(part.table).rows().range(slice).contains(&row),
        Op::DeletePartition { .. } => true,
        Op::Shared { .. } => false,
    }
}

/// What came back for the statement of a finding that no answer is held for.
fn in_words(finding: &Finding) -> String {
    match &finding.shape {
        Shape::Refused { code, .. } if !code.is_empty() => format!("refused {code}"),
        Shape::Refused { .. } | Shape::RefusedAbsent => "refused".to_owned(),
        Shape::Stalled { .. } | Shape::Died { .. } => "no answer".to_owned(),
        _ => "answered".to_owned(),
    }
}

/// An answer in a word: `ok`, `refused`, `unknown`, `4 rows`.
pub(crate) fn in_a_word(answer: &Answer) -> String {
    match answer {
        Answer::Rows(rows) if rows.len() == 1 => "1 row".to_owned(),
        Answer::Rows(rows) => format!("{} rows", rows.len()),
        Answer::Affected(1) => "1 row affected".to_owned(),
        Answer::Affected(n) => format!("{n} rows affected"),
        Answer::Refused(reason) if reason.code.is_empty() => "refused".to_owned(),
        Answer::Refused(reason) => format!("refused {}", reason.code),
        Answer::Unknown(_) => "unknown".to_owned(),
    }
}
