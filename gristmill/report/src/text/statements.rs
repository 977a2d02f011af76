//! The closing block of a run of the parallel workload: what its statements did, what explained the refusals, what was not
//! exercised.

use super::{Style, counted, number, percent};
use history::Verdict;
use history::verdict::{ErrorCount, Statements};
use std::collections::BTreeMap;

/// Sorts of error that a closing block shows; `gristmill report` shows all.
const ERRORS: usize = 5;

/// The lines between the first one and what every run has.
pub(super) fn lines(v: &Verdict, of: &Statements, style: Style) -> String {
    let mut out = String::new();
    let classes = ErrorCount::by_class(&of.errors);
    let failed: u64 = classes.iter().map(|(_, n)| n).sum();
    let by: Vec<String> = classes
        .iter()
        .map(|(class, n)| format!("{class} {}", number(*n)))
        .collect();
    let mut text = format!(
        "{} of {}",
        counted(failed, "failure", "failures"),
        counted(v.counts.answers, "answer", "answers")
    );
    if !by.is_empty() {
        text += &format!(": {}", by.join(", "));
    }
    out += &style.labelled("judged", &text);
    let text = match of.quiet {
        0 => "compared at no moment".to_owned(),
        n => format!(
            "compared {}, {} in all",
            counted(n, "time", "times"),
            counted(of.objects, "object", "objects")
        ),
    };
    out += &style.labelled("catalogue", &text);
    out += &style.labelled("oracles", &oracles(v, of));
    let families: Vec<String> = of
        .families
        .iter()
        .map(|(name, n)| {
            format!(
                "{name} {}",
                percent(*n, v.counts.answers).unwrap_or_else(|| "0 %".to_owned())
            )
        })
        .collect();
    let done = of.actions.values().filter(|action| action.done > 0).count() as u64;
    let exist = (of.actions.len() + of.never_tried.len()) as u64;
    let text = format!(
        "{} of {} done at least once ({})",
        number(done),
        counted(exist, "action", "actions"),
        families.join(", ")
    );
    out += &style.labelled("exercised", &text);
    for (names, words) in [(&of.never_tried, "never tried"), (&of.never_done, "never done")] {
        if !names.is_empty() {
            out += &style.labelled("", &format!("{words}: {}", names.join(", ")));
        }
    }
    for (n, error) in of.errors.iter().take(ERRORS).enumerate() {
        out += &style.labelled(if n == 0 { "errors" } else { "" }, &sort(error));
    }
    if of.errors.len() > ERRORS {
        let more = of.errors.len() - ERRORS;
        let text = format!(
            "and {}: `gristmill report RUN`",
            counted(more as u64, "sort more", "sorts more")
        );
        out += &style.labelled("", &text);
    }
    if let Some(text) = v.setup.get("replayed") {
        out += &style.labelled("replayed", text);
    }
    if let Some(text) = v.setup.get("not quiet") {
        out += &style.labelled("not quiet", text);
    }
    out
}

/// `1,204 compared (norec 80, where 77, …), 12 void (refused 10, …), 7 % of the sessions' time`
fn oracles(v: &Verdict, of: &Statements) -> String {
    let compared: u64 = of.oracles.values().map(|o| o.compared).sum();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (why, n) in of.oracles.values().flat_map(|o| &o.void) {
        *reasons.entry(why).or_default() += n;
    }
    let list = |all: Vec<String>| match all.is_empty() {
        true => String::new(),
        false => format!(" ({})", all.join(", ")),
    };
    let by = of.oracles.iter().filter(|(_, o)| o.compared > 0);
    let by = by.map(|(name, o)| format!("{} {}", name.trim_start_matches("oracle-"), number(o.compared)));
    let why = reasons.iter().map(|(why, n)| format!("{why} {}", number(*n)));
    let mut text = format!(
        "{} compared{}, {} void{}",
        number(compared),
        list(by.collect()),
        number(reasons.values().sum()),
        list(why.collect())
    );
    if let Some(share) = v.setup.get("oracles") {
        text += &format!(", {share}");
    }
    text
}

/// `42P01 stale name, the name is gone: 803`
fn sort(error: &ErrorCount) -> String {
    let code = if error.code.is_empty() {
        "no code"
    } else {
        &error.code
    };
    let witness = if error.witness.is_empty() {
        String::new()
    } else {
        format!(", {}", error.witness)
    };
    format!("{code} {}{witness}: {}", error.class, number(error.count))
}

/// The tables of `gristmill report`: actions, then errors with an example each; empty for other workloads.
pub fn statements(v: &Verdict, style: Style) -> String {
    let Some(of) = &v.statements else {
        return String::new();
    };
    let mut lines = vec![
        ["action", "attempts", "done", "refused", "unknown"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (name, n) in &of.actions {
        let cells = [n.attempts, n.done, n.refused, n.unknown].map(number);
        lines.push(std::iter::once(name.clone()).chain(cells).collect());
    }
    let mut out = format!("\n{}", super::table(&lines, &[1, 2, 3, 4], style));
    for error in &of.errors {
        out += &format!("\n{}\n   {}\n   {}\n", sort(error), error.text, error.sql);
    }
    out
}
