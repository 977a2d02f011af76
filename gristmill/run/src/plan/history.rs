//! A written history from its file, with every mistake named by line, column and remedy.

use super::mistake::{Mistake, nearest};
use history::Explicit;
use history::notation::{FileError, HistoryFile};
use std::path::Path;
use std::sync::Arc;
use targets::Target;

/// Reads a file; columns that it gives no limits get those of the target.
pub(super) fn read(path: &Path, target: &dyn Target) -> Result<Explicit, Vec<Mistake>> {
    let file = path.display();
    let mistake = |place: String, what: String| Mistake { place, what };
    let whole = |what: String| vec![mistake(file.to_string(), what)];
    let text = std::fs::read_to_string(path).map_err(|e| whole(e.to_string()))?;
    let read = HistoryFile::parse(&text).map_err(|all| -> Vec<Mistake> {
        let named = |e: &FileError| {
            mistake(
                format!("{file}, line {}, column {}", e.line, e.column),
                format!("{}{}", e.what, near(e)),
            )
        };
        all.iter().map(named).collect()
    })?;
    if read.lines.is_empty() {
        return Err(whole(
            "it has no visit: write one such as `s1 1: read t0/0 select c2 | auto`".to_owned(),
        ));
    }
    let schema = read.schema(&|ty| target.limits(&ty)).map_err(whole)?;
    Explicit::new(Arc::new(schema), read.lines).map_err(|all| {
        let named =
            |m: &history::Misfit| mistake(format!("{file}, line {}", read.places[m.line]), m.to_string());
        all.iter().map(named).collect()
    })
}

/// The nearest word that could stand there.
fn near(error: &FileError) -> String {
    let words = error
        .expected
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '!' | '_')))
        .filter(|word| word.len() > 1);
    match nearest(&error.word, words) {
        Some(near) if !error.word.is_empty() && near != error.word => format!(" (did you mean `{near}`?)"),
        _ => String::new(),
    }
}
