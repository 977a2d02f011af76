//! An error, matched with the target's rows: code, whole text, question, witness (P18).

use super::model::Model;
use super::pattern::{captures, is_code};
use super::print;
use super::questions::{Case, is_spent_by};
use super::session::InFlight;
use history::parallel::{Asked, Cause, Class, Explained, Finding, Question, Row, Source};
use history::{Kind, Span};
use smallvec::SmallVec;

/// The server's code for a session that was ended by order: nothing has crashed.
const ENDED: &str = "57P01";

/// What explains the error (or the missing answer), and spends the fault that does.
pub(super) fn explain(model: &mut Model, flight: &InFlight, span: Span, said: (&str, &str)) -> Explained {
    let (code, text) = said;
    let mut asked: Vec<Asked> = Vec::new();
    let mut ours = false;
    // A row for any text speaks only where none knows the text.
    let mut known = false;
    let mut guess = false;
    let mut class = None;
    let mut spent = None;
    let mut found = None;
    for row in model.rules.rows {
        if !is_code(row.code, code) {
            continue;
        }
        let Some(names) = captures(row.pattern, text) else {
            continue;
        };
        let any_text = row.pattern == "{}";
        if any_text && known {
            continue;
        }
        known |= !any_text;
        class.get_or_insert(row.class);
        guess |= row.source == Source::Guess;
        if row.question == Question::Tool {
            ours = true;
            continue;
        }
        let evidence = ask(model, flight, span, row, &names);
        let explains = evidence.answer.can_be();
        if explains {
            if row.question == Question::FaultSent {
                spent = Some(row.class);
            }
            found = Some((row.class, row.question, evidence));
            break;
        }
        if !asked.contains(&evidence) {
            asked.push(evidence);
        }
    }
    if let Some(class) = spent {
        let session = model
            .sessions
            .get_mut(&flight.op.at.session)
            .expect("it sent the op");
        if let Some(i) = session
            .faults
            .iter()
            .position(|f| f.at < span.answered && is_spent_by(f.fault, class))
        {
            session.faults.remove(i);
        }
    }
    if let Some((class, question, evidence)) = found {
        return Explained::Expected {
            class,
            question,
            causes: nearest(evidence.answer.causes(), span),
            aimed: flight.op.aim.is_some_and(|a| a.question == question),
        };
    }
    if ours {
        return Explained::Ours {
            code: code.to_owned(),
            text: text.to_owned(),
        };
    }
    let kind = match class {
        // Somebody ended the session; that is no crash.
        Some(Class::Connection) if code == ENDED => Kind::UnexpectedError,
        Some(Class::Connection) => Kind::Crash,
        Some(Class::Privilege) => Kind::Privilege,
        _ => Kind::UnexpectedError,
    };
    let promised = match asked.as_slice() {
        [] => "no row of the target's errors knows this one: it is not an error of a statement like this"
            .to_owned(),
        asked => {
            let questions: Vec<String> = asked.iter().map(|a| a.question.words()).collect();
            format!(
                "this error is right only if {}; nothing in the run makes it so",
                questions.join(", or if ")
            )
        }
    };
    let seen = if code.is_empty() {
        text.to_owned()
    } else {
        format!("{code}: {text}")
    };
    Explained::Broken(Box::new(Finding {
        kind,
        signature: format!("{kind:?}/{code}/{}/{}", flight.op.kind, without_names(text)),
        at: flight.op.at,
        action: flight.op.kind.to_string(),
        span,
        sql: flight.sql.to_string(),
        code: code.to_owned(),
        text: text.to_owned(),
        promised,
        seen,
        evidence: print::evidence(model, flight, span, &asked),
        asked,
        guess,
    }))
}

fn ask(model: &Model, flight: &InFlight, span: Span, row: &Row, names: &[&str]) -> Asked {
    let case = Case {
        model,
        flight,
        span,
        by: flight.op.at.session,
        names,
        scope: row.names,
        class: row.class,
    };
    case.ask(row.question)
}

/// At most three causes, the latest before the answer first.
fn nearest(causes: &[Cause], span: Span) -> Vec<Cause> {
    let mut causes: SmallVec<[&Cause; 4]> = causes.iter().collect();
    let when = |cause: &Cause| match cause {
        Cause::Op { until, from, .. } => until.unwrap_or(span.answered).max(*from),
        Cause::Base(at) | Cause::Fault(_, at) => *at,
        Cause::Session { .. } | Cause::Limit(..) | Cause::Statement | Cause::Others => span.answered,
    };
    causes.sort_by_key(|c| std::cmp::Reverse(when(c)));
    causes.into_iter().take(3).cloned().collect()
}

/// A text without what differs from time to time: quoted parts and digits.
pub fn without_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(q) if c == q => {
                quote = None;
                out.push(c);
            }
            Some(_) => {}
            None if c == '"' => {
                quote = Some(c);
                out.push(c);
            }
            None if c.is_ascii_digit() => {
                if !out.ends_with('#') {
                    out.push('#');
                }
            }
            None => out.push(c),
        }
    }
    out
}
