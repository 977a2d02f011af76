//! Screens that are tables: selfcheck, dry run, lists.

use super::{Style, Tone, counted, number, pad, span};
use crate::words;
use history::Status;
use history::artefact::Listed;
use unicode_width::UnicodeWidthStr;

/// One lie and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfcheckRow {
    /// Its name.
    pub lie: String,
    /// The target that told it.
    pub target: String,
    /// How often it was told.
    pub told: u64,
    /// The shape of the first finding; `None`: nobody found it.
    pub found: Option<String>,
    /// Visits until it was found.
    pub first_after: Option<u64>,
    /// Visits of the truthful run of the same plan.
    pub twin_visits: u64,
    /// The truthful run had no finding.
    pub twin_silent: bool,
    /// Why the truthful run proves nothing, if it does not.
    pub twin_doubts: Vec<String>,
}

/// The columns of `gristmill selfcheck` are this wide, so that rows can be printed as they come.
const SELFCHECK: [usize; 5] = [16, 10, 5, 22, 12];

/// The head of the table of `gristmill selfcheck`.
pub fn selfcheck_head(style: Style) -> String {
    let head = ["lie", "told by", "told", "found as", "first after"].map(str::to_owned);
    style.paint(Tone::Label, selfcheck_line(head, "truthful twin").trim_end()) + "\n"
}

/// One row of it.
pub fn selfcheck_row(row: &SelfcheckRow, style: Style) -> String {
    let found = row
        .found
        .clone()
        .unwrap_or_else(|| if row.told == 0 { "NEVER TOLD" } else { "NOT FOUND" }.to_owned());
    let first = row
        .first_after
        .map_or_else(String::new, |n| counted(n, "visit", "visits"));
    let silent = if row.twin_silent { "silent" } else { "CRIED WOLF" };
    let mut twin = format!("{silent}, {}", counted(row.twin_visits, "visit", "visits"));
    if !row.twin_doubts.is_empty() {
        twin += &format!("; DOUBTS: {}", row.twin_doubts.join("; "));
    }
    let line = selfcheck_line(
        [
            row.lie.clone(),
            row.target.clone(),
            number(row.told),
            found,
            first,
        ],
        &twin,
    );
    let bad = row.found.is_none() || !row.twin_silent || !row.twin_doubts.is_empty();
    if bad {
        style.paint(Tone::Bad, line.trim_end()) + "\n"
    } else {
        line
    }
}

fn selfcheck_line(cells: [String; 5], last: &str) -> String {
    let mut line = String::from("  ");
    for (n, (cell, width)) in cells.iter().zip(SELFCHECK).enumerate() {
        // Numbers stand to the right.
        let fill = " ".repeat(width.saturating_sub(cell.width()));
        line += &if n == 2 {
            format!(" {fill}{cell} ")
        } else {
            format!(" {cell}{fill} ")
        };
    }
    line + " " + last + "\n"
}

/// The last line of it.
pub fn selfcheck_end(rows: &[SelfcheckRow], total_ms: u64, style: Style) -> String {
    let count = |of: &dyn Fn(&SelfcheckRow) -> bool| rows.iter().filter(|row| of(row)).count() as u64;
    let mute = count(&|r| r.told > 0 && r.found.is_none());
    let untold = count(&|r| r.told == 0);
    let wolves = count(&|r| !r.twin_silent);
    let doubtful = count(&|r| r.twin_silent && !r.twin_doubts.is_empty());
    let faults = [
        (mute, "lie was not found", "lies were not found"),
        (untold, "lie was never told", "lies were never told"),
        (wolves, "truthful run had a finding", "truthful runs had findings"),
        (
            doubtful,
            "truthful run proves nothing",
            "truthful runs prove nothing",
        ),
    ];
    let faults: Vec<String> = faults
        .iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| counted(*n, one, many))
        .collect();
    let words = if faults.is_empty() {
        style.paint(Tone::Good, "every judge can speak, none cries wolf")
    } else {
        style.paint(Tone::Bad, &faults.join(", "))
    };
    format!("   {words}        {}\n", span(total_ms, false))
}

/// What `--dry-run` shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DryRun {
    /// The first line of the run, in parts.
    pub head: Vec<String>,
    /// Statements that would make the objects.
    pub creates: Vec<String>,
    /// Rights that are missing, in words.
    pub rights_missing: Vec<String>,
    /// Anything else that a person should know before: a pooler, what is left out.
    pub notes: Vec<String>,
}

/// What a run would create, and which rights are missing.
pub fn dry_run(dry: &DryRun, style: Style) -> String {
    let mut out = super::head(&dry.head, style);
    out += &format!(
        "would create, and remove at the end, {}:\n",
        counted(dry.creates.len() as u64, "object", "objects")
    );
    for statement in &dry.creates {
        for line in statement.lines() {
            out += &format!("   {line}\n");
        }
    }
    for note in &dry.notes {
        out += &style.labelled("note", note);
    }
    if dry.rights_missing.is_empty() {
        out += &format!(
            "{}\n",
            style.paint(Tone::Good, "nothing was touched; no right is missing")
        );
    } else {
        for right in &dry.rights_missing {
            out += &style.labelled("missing", right);
        }
        out += &format!(
            "{}\n",
            style.paint(
                Tone::Bad,
                "nothing was touched; a run would fail for want of rights"
            )
        );
    }
    out
}

/// What came of running a run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// How often it was run.
    pub times: u64,
    /// How often it ended as the record did: with one of its findings, or clean where it has none.
    pub again: u64,
    /// What the record found.
    pub recorded: Vec<String>,
    /// What it did not find, and how often that was found now.
    pub others: Vec<(String, u64)>,
}

/// `fails 3 of 10 times   wrong result, …`
pub fn replayed(replay: &Replayed, style: Style) -> String {
    let times = |n: u64| format!("{} of {}", number(n), counted(replay.times, "time", "times"));
    let mut out = match (replay.recorded.is_empty(), replay.again) {
        (true, n) => format!(
            "{} {}, as the run was\n",
            style.paint(Tone::Good, "clean"),
            times(n)
        ),
        (false, 0) => {
            format!(
                "{} {}: what was found does not come back\n",
                style.paint(Tone::Doubt, "passes"),
                times(replay.times)
            )
        }
        (false, n) => format!("{} {}\n", style.paint(Tone::Bad, "fails"), times(n)),
    };
    for signature in &replay.recorded {
        out += &style.labelled("recorded", &words::signature(signature));
    }
    for (signature, n) in &replay.others {
        out += &style.labelled(
            "also found",
            &format!("{}, {}", words::signature(signature), times(*n)),
        );
    }
    out
}

/// The runs of a store.
pub fn runs(all: &[Listed], style: Style) -> String {
    let lines: Vec<Vec<String>> = all
        .iter()
        .map(|run| {
            let word = match (run.alive, run.status) {
                (true, _) => "runs",
                (false, Some(Status::Clean)) => "clean",
                (false, Some(Status::Unchecked)) => "not checked",
                (false, Some(Status::Unknown)) => "unknown",
                (false, Some(Status::Finding)) => "found",
                (false, None) => "did not end",
            };
            vec![run.name.clone(), word.to_owned()]
        })
        .collect();
    table(&lines, &[], style)
}

/// Lines of cells, aligned; columns whose index is in `right` to the right. The last column is wrapped on terminals.
pub fn table(lines: &[Vec<String>], right: &[usize], style: Style) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        lines
            .iter()
            .filter_map(|l| l.get(column))
            .map(|cell| cell.width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::from("   ");
        for (column, cell) in line.iter().enumerate() {
            let last = column + 1 == columns;
            if right.contains(&column) {
                text += &" ".repeat(widths[column] - cell.width());
                text += cell;
            } else if last {
                let indent = text.width();
                text += &style.wrapped(cell, indent).join(&format!("\n{:indent$}", ""));
            } else {
                text += &pad(cell, widths[column]);
            }
            if !last {
                text += "   ";
            }
        }
        out += text.trim_end();
        out.push('\n');
    }
    out
}
