//! Screens that are tables: selfcheck, dry run, lists.

use super::{Style, Tone, counted, number, pad, span};
use history::Status;
use history::artefact::Listed;
use unicode_width::UnicodeWidthStr;

/// One lie and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfcheckRow {
    /// Its name.
    pub lie: String,
    /// How often it was told.
    pub told: u64,
    /// Which judge found it; `None`: nobody did.
    pub found_by: Option<String>,
    /// Visits until it was found.
    pub first_after: Option<u64>,
    /// Visits of the truthful run of the same plan.
    pub twin_visits: u64,
    /// The truthful run had no finding.
    pub twin_silent: bool,
}

/// The table of `gristmill selfcheck`.
pub fn selfcheck(rows: &[SelfcheckRow], total_ms: u64, style: Style) -> String {
    let head = ["lie", "told", "found by", "first after", "truthful twin"]
        .map(str::to_owned)
        .to_vec();
    let body = rows.iter().map(|row| {
        let found = row
            .found_by
            .clone()
            .unwrap_or_else(|| if row.told == 0 { "never told" } else { "NOBODY" }.to_owned());
        let first = row
            .first_after
            .map_or_else(String::new, |n| counted(n, "visit", "visits"));
        let silent = if row.twin_silent { "silent" } else { "CRIED WOLF" };
        let twin = format!("{silent}, {}", counted(row.twin_visits, "visit", "visits"));
        vec![row.lie.clone(), number(row.told), found, first, twin]
    });
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let mut out = table(&lines, &[1], style);
    let mute = rows.iter().filter(|r| r.found_by.is_none()).count() as u64;
    let wolves = rows.iter().filter(|r| !r.twin_silent).count() as u64;
    let (tone, words) = match (mute, wolves) {
        (0, 0) => (Tone::Good, "every judge can speak, none cries wolf".to_owned()),
        (mute, 0) => (
            Tone::Bad,
            format!("{} not found", counted(mute, "lie was", "lies were")),
        ),
        (0, wolves) => (
            Tone::Bad,
            format!("{} cried wolf", counted(wolves, "judge", "judges")),
        ),
        (mute, wolves) => {
            let judges = counted(wolves, "judge", "judges");
            (
                Tone::Bad,
                format!(
                    "{} not found, {judges} cried wolf",
                    counted(mute, "lie was", "lies were")
                ),
            )
        }
    };
    out += &format!(
        "   {}        {}\n",
        style.paint(tone, &words),
        span(total_ms, false)
    );
    out
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

/// How often a replay failed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// What was replayed.
    pub run: String,
    /// Times it was run.
    pub times: u64,
    /// Times with each of the run's causes: its signature, and how often.
    pub again: Vec<(String, u64)>,
    /// Times with another finding.
    pub others: u64,
}

/// `fails 3 of 10 times`, a line a cause.
pub fn replayed(replay: &Replayed, style: Style) -> String {
    let mut out = String::new();
    let times = |n: u64| format!("{} of {}", number(n), counted(replay.times, "time", "times"));
    for (signature, n) in &replay.again {
        let (tone, word) = if *n > 0 {
            (Tone::Bad, "fails")
        } else {
            (Tone::Good, "passes")
        };
        let shown = if *n > 0 { *n } else { replay.times };
        out += &format!("{} {}   {signature}\n", style.paint(tone, word), times(shown));
    }
    if replay.again.is_empty() {
        let (tone, word) = if replay.others > 0 {
            (Tone::Bad, "fails")
        } else {
            (Tone::Good, "passes")
        };
        let shown = if replay.others > 0 {
            replay.others
        } else {
            replay.times
        };
        out += &format!(
            "{} {}   {} had no finding\n",
            style.paint(tone, word),
            times(shown),
            replay.run
        );
    } else if replay.others > 0 {
        out += &style.labelled("besides", &format!("another finding, {}", times(replay.others)));
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
