//! A finding of the parallel workload as the cause that verdicts, screens and `--known` understand.

use crate::known::Known;
use history::parallel::{Asked, Finding, Question, Tri};
use history::verdict::{Cause, Sent};
use history::{Address, Certainty, Kind, Lts, Shape};

/// The cause of one finding.
pub(crate) fn cause(finding: &Finding, known: &Known) -> Cause {
    let made = noun(finding);
    let how_sure = if finding.guess {
        "likely: true unless our table of this target's errors is wrong here: the row that decided is a guess"
            .to_owned()
    } else {
        "certain: nothing that ran, was pending or was done on purpose explains it".to_owned()
    };
    Cause {
        times: 1,
        known: known.tolerates(&made, 1),
        statements: vec![Sent {
            session: finding.at.session.0,
            lts: finding.at.op,
            sql: finding.sql.clone(),
            outcome: outcome(finding),
            sent_us: 0,
            answered_us: 0,
        }],
        promised: finding.promised.clone(),
        seen: finding.seen.clone(),
        proof: proof(finding),
        how_sure,
        finding: made,
    }
}

fn noun(finding: &Finding) -> history::Finding {
    history::Finding {
        kind: finding.kind,
        shape: shape(finding),
        read: Address {
            lts: Lts(finding.at.op),
            attempt: 0,
            step: 0,
        },
        session: finding.at.session,
        span: finding.span,
        snapshot: finding.span,
        action: action(finding),
        part: None,
        row: None,
        column: None,
        proof: Vec::new(),
        certainty: if finding.guess {
            Certainty::Likely
        } else {
            Certainty::Certain
        },
        doubt: if finding.guess {
            "our table of this target's errors is wrong here".to_owned()
        } else {
            String::new()
        },
    }
}

/// Interruptions that nobody here is the reason of are one cause, whatever they hit.
fn action(finding: &Finding) -> String {
    if finding
        .asked
        .iter()
        .any(|asked| asked.question == Question::FaultSent)
    {
        return super::lives::SERVER.to_owned();
    }
    finding.action.clone()
}

fn shape(finding: &Finding) -> Shape {
    match finding.kind {
        Kind::Hang => Shape::Stalled {
            waited_ms: 0,
            waiting_for: finding.text.clone(),
        },
        Kind::Crash => Shape::Died {
            how: finding.text.clone(),
        },
        Kind::Catalog | Kind::Isolation | Kind::Durability | Kind::Stream => Shape::Differs {
            check: finding.action.clone(),
            what: finding.seen.clone(),
        },
        Kind::WrongResult => Shape::Allowed {
            what: finding.promised.clone(),
        },
        Kind::UnexpectedError | Kind::Privilege if finding.code.is_empty() && finding.text.is_empty() => {
            Shape::Allowed {
                what: finding.seen.clone(),
            }
        }
        Kind::UnexpectedError | Kind::Privilege => Shape::Refused {
            code: finding.code.clone(),
            text: finding.text.clone(),
        },
    }
}

fn outcome(finding: &Finding) -> String {
    match (finding.code.as_str(), finding.text.as_str()) {
        ("", "") => "ok".to_owned(),
        ("", _) => "refused".to_owned(),
        (code, _) => format!("refused {code}"),
    }
}

/// What was asked of the model, and what stands around it: the absence too is evidence.
fn proof(finding: &Finding) -> String {
    let mut lines: Vec<String> = finding.asked.iter().map(asked).collect();
    lines.extend(finding.evidence.iter().cloned());
    if lines.is_empty() {
        lines.push("nothing else in the run is about it".to_owned());
    }
    lines.join("\n")
}

fn asked(asked: &Asked) -> String {
    let (word, causes) = match &asked.answer {
        Tri::Surely(causes) => ("surely", causes),
        Tri::Never(causes) => ("at no moment", causes),
        Tri::Possibly(causes) => ("possibly", causes),
    };
    let causes: Vec<String> = causes.iter().take(3).map(ToString::to_string).collect();
    let by = if causes.is_empty() {
        String::new()
    } else {
        format!(" ({})", causes.join("; "))
    };
    format!("{} ({}): {word}{by}", asked.question.words(), asked.about)
}
