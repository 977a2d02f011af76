//! Rows as people write and read them: JSON lines and CSV, one update a line.
//!
//! A row's bytes are printed as text where they are UTF-8, else in hexadecimal under `row_hex`. Must not know
//! shards.

use serde::{Deserialize, Serialize};
use shard::{Update, UpdateRef};

/// One line of JSON: `{"row": "text", "time": 7, "diff": 1}`; time and diff may be missing on input.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<i64>,
}

/// An update as one line of JSON.
pub(crate) fn to_json(update: UpdateRef<'_>) -> String {
    let text = std::str::from_utf8(update.row).ok().map(str::to_owned);
    let hex = text
        .is_none()
        .then(|| update.row.iter().map(|b| format!("{b:02x}")).collect());
    let line = Line {
        row: text,
        row_hex: hex,
        time: Some(update.time),
        diff: Some(update.diff),
    };
    serde_json::to_string(&line).expect("a line has no unserializable parts")
}

/// The inverse of [`to_json`]; `time` and `diff` default to `now` and 1.
pub(crate) fn from_json(text: &str, now: u64) -> Result<Update, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let row = match (line.row, line.row_hex) {
        (Some(row), None) => row.into_bytes(),
        (None, Some(hex)) => unhex(&hex).ok_or_else(|| format!("`{hex}` is not hexadecimal"))?,
        _ => return Err("a line has either `row` or `row_hex`".to_owned()),
    };
    Ok(Update::new(row, line.time.unwrap_or(now), line.diff.unwrap_or(1)))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok())
        .collect()
}

/// A line of CSV is a row as it stands; all at `now`, once.
pub(crate) fn from_csv(text: &str, now: u64) -> Update {
    Update::new(text, now, 1)
}

#[cfg(test)]
mod tests;
