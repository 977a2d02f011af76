//! The proof of a finding in lines: what was asked, what each name may have meant, who was near, who overlapped (P21).

use super::binding::bound;
use super::groups::Fate;
use super::model::Model;
use super::session::InFlight;
use history::parallel::{Asked, Cause, Target, Tri};
use history::{Span, Tick};

/// Ops near in time that are printed.
const NEAR: usize = 3;
/// Columns of the drawing.
const WIDTH: u64 = 40;

/// The lines, most telling first.
pub(super) fn evidence(model: &Model, flight: &InFlight, span: Span, asked: &[Asked]) -> Vec<String> {
    let mut lines = Vec::new();
    for a in asked {
        let answer = match &a.answer {
            Tri::Surely(_) => "surely",
            Tri::Never(_) => "never",
            Tri::Possibly(_) => "possibly",
        };
        let about = if a.about.is_empty() {
            String::new()
        } else {
            format!(" [{}]", a.about)
        };
        lines.push(format!("asked: {}{about}: {answer}", a.question.words()));
        lines.extend(
            a.answer
                .causes()
                .iter()
                .take(NEAR)
                .map(|c| format!("  by {}", cause(model, c))),
        );
    }
    names(model, flight, span, &mut lines);
    near(model, flight, span, &mut lines);
    state(model, flight, &mut lines);
    drawing(model, flight, span, &mut lines);
    lines
}

/// A witness with the text of its op, where that is still known.
pub(super) fn cause(model: &Model, cause: &Cause) -> String {
    let Cause::Op { at, .. } = cause else {
        return cause.to_string();
    };
    let sql = model
        .groups
        .iter()
        .flat_map(|(_, g)| &g.ops)
        .find(|(op, _, _)| op.at == *at)
        .map(|(_, sql, _)| sql);
    match sql {
        Some(sql) => format!("{cause}: {}", short(sql)),
        None => cause.to_string(),
    }
}

fn names(model: &Model, flight: &InFlight, span: Span, lines: &mut Vec<String>) {
    for target in &flight.op.slots {
        match target {
            Target::Object { object, name } => {
                let binding = bound(&model.facts, &model.groups, name, span, flight.op.at.session);
                let mut meant: Vec<String> = binding.objects.iter().map(ToString::to_string).collect();
                if binding.can_lack {
                    meant.push("nothing".to_owned());
                }
                lines.push(format!(
                    "name \"{name}\" was drawn as {object}, may mean {}",
                    meant.join(" or ")
                ));
                lines.extend(
                    binding
                        .causes
                        .iter()
                        .take(NEAR)
                        .map(|c| format!("  {}", cause(model, c))),
                );
            }
            Target::New { object, name } => lines.push(format!("name \"{name}\" is to be {object}'s")),
            Target::Free(name) => lines.push(format!("name \"{name}\" was drawn as nobody's")),
            Target::Part { .. } => {}
        }
    }
}

/// The groups nearest in time that touch what the statement names; without any, the nearest of all.
fn near(model: &Model, flight: &InFlight, span: Span, lines: &mut Vec<String>) {
    let named: Vec<_> = flight
        .op
        .slots
        .iter()
        .filter_map(|t| match t {
            Target::Object { object, .. } => Some(*object),
            _ => None,
        })
        .collect();
    let distance = |until: Option<Tick>, from: Tick| {
        let until = until.unwrap_or(span.answered);
        if until < span.sent {
            span.sent.0 - until.0
        } else {
            from.0.saturating_sub(span.answered.0)
        }
    };
    let mut groups: Vec<_> = model
        .groups
        .iter()
        .filter(|(_, g)| !g.ops.is_empty())
        .map(|(_, g)| {
            let touches = g.wrote.iter().any(|(id, _)| named.contains(id));
            (!touches, distance(g.until, g.from), g)
        })
        .collect();
    groups.sort_by_key(|(other, distance, _)| (*other, *distance));
    for (other, _, group) in groups.into_iter().take(NEAR) {
        let fate = match group.fate {
            Fate::Open => "not committed",
            Fate::Sent => "on its way",
            Fate::Committed => "committed",
            Fate::Unknown => "unknown",
        };
        let until = group.until.map_or_else(|| "…".to_owned(), |t| t.0.to_string());
        let what = if other { "near" } else { "near, same object" };
        for (op, sql, _) in group.ops.iter().take(NEAR) {
            lines.push(format!(
                "{what}: {} [{}, {until}] {fate}: {}",
                op.at,
                group.from.0,
                short(sql)
            ));
        }
    }
}

fn state(model: &Model, flight: &InFlight, lines: &mut Vec<String>) {
    let session = &model.sessions[&flight.op.at.session];
    let view = &session.view;
    let mut parts = vec![format!("transaction {:?}", view.tx)];
    if let Some(level) = view.level {
        parts.push(format!("level {level:?}"));
    }
    if let Some(role) = view.role {
        parts.push(format!("as {role}"));
    }
    parts.extend(
        view.limits
            .iter()
            .map(|(limit, ms)| format!("{limit:?} limit {ms} ms")),
    );
    parts.extend(
        session
            .faults
            .iter()
            .map(|f| format!("{} at {} not spent", f.fault, f.at.0)),
    );
    lines.push(format!("{}: {}", flight.op.at.session, parts.join(", ")));
}

/// Who worked at the same time, as bars under the statement's own.
fn drawing(model: &Model, flight: &InFlight, span: Span, lines: &mut Vec<String>) {
    let width = (span.answered.0 - span.sent.0).max(1);
    let bar = |from: Tick, until: Tick| {
        let column = |t: Tick| (t.0.clamp(span.sent.0, span.answered.0) - span.sent.0) * WIDTH / width;
        let (a, b) = (column(from), column(until).max(column(from) + 1));
        (0..WIDTH)
            .map(|i| if i >= a && i < b { '=' } else { ' ' })
            .collect::<String>()
    };
    lines.push(format!(
        "{:>5} |{}| {}",
        flight.op.at.session.to_string(),
        bar(span.sent, span.answered),
        short(&flight.sql)
    ));
    for (id, session) in &model.sessions {
        if *id == flight.op.at.session {
            continue;
        }
        for past in session.past.iter().filter(|p| p.span.overlaps(&span)).take(NEAR) {
            lines.push(format!(
                "{:>5} |{}| {} … {}",
                id.to_string(),
                bar(past.span.sent, past.span.answered),
                past.at,
                short(&past.sql)
            ));
        }
        if let Some((since, at)) = session.busy {
            let sql = session.in_flight.as_ref().map_or("", |f| &f.sql);
            lines.push(format!(
                "{:>5} |{}| {at} … {}",
                id.to_string(),
                bar(since, span.answered),
                short(sql)
            ));
        }
    }
}

/// The text on one line, cut at 120 characters.
fn short(sql: &str) -> String {
    let line: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(120) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
