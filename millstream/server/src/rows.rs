//! Rows as people write and read them: JSON lines and CSV, one update a record.
//!
//! A row's bytes are printed as text where they are UTF-8, else in hexadecimal under `row_hex`. Must not know
//! shards.

use std::io::BufRead;

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
    let line: Line = serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let what = said
            .split_once(" at line 1 ")
            .map_or(said.as_str(), |(what, _)| what);
        format!(
            "{what} at column {}; a line is an object as {{\"row\":\"text\",\"time\":7,\"diff\":1}}",
            error.column()
        )
    })?;
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

/// A record of CSV is a row as it stands; all at `now`, once.
pub(crate) fn from_csv(text: &str, now: u64) -> Update {
    Update::new(text, now, 1)
}

/// What a text consists of: its lines, or the records of CSV, in which a quoted field may go over several lines. Empty
/// ones are passed over.
pub(crate) struct Records {
    source: Box<dyn BufRead>,
    csv: bool,
    /// Lines read so far.
    lines: usize,
}

impl Records {
    /// The lines of `source`, or its records if it is `csv`.
    pub(crate) fn of(source: Box<dyn BufRead>, csv: bool) -> Records {
        Records {
            source,
            csv,
            lines: 0,
        }
    }

    /// The bytes of the next record with their line end, and how many lines they are; none at the end.
    fn read(&mut self) -> Result<Option<(Vec<u8>, usize)>, String> {
        let (mut record, mut lines, mut field) = (Vec::new(), 0, Field::Start);
        loop {
            let seen = record.len();
            let read = self.source.read_until(b'\n', &mut record);
            if read.map_err(|error| error.to_string())? == 0 {
                return match lines {
                    0 => Ok(None),
                    _ => Err("a quoted field begins here and does not end".to_owned()),
                };
            }
            lines += 1;
            field = record[seen..].iter().fold(field, |field, byte| field.then(*byte));
            if !(self.csv && field == Field::Quoted) {
                return Ok(Some((record, lines)));
            }
        }
    }
}

impl Iterator for Records {
    /// The number of its first line, and what it says without the line's end; or what is wrong and where.
    type Item = Result<(usize, String), String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let number = self.lines + 1;
            let (mut record, lines) = match self.read() {
                Ok(read) => read?,
                Err(why) => return Some(Err(format!("line {number}: {why}"))),
            };
            self.lines += lines;
            for end in [b'\n', b'\r'] {
                record.pop_if(|last| *last == end);
            }
            if !record.is_empty() {
                let text = String::from_utf8(record).map_err(|_| format!("line {number}: it is not UTF-8"));
                return Some(text.map(|text| (number, text)));
            }
        }
    }
}

/// Where in a field of CSV (RFC 4180, commas between them) a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Start,
    Plain,
    Quoted,
    /// After a quote inside quotes: the end, or the first half of a quote that is meant.
    Ending,
}

impl Field {
    fn then(self, byte: u8) -> Field {
        match (self, byte) {
            (Field::Start | Field::Ending, b'"') => Field::Quoted,
            (Field::Quoted, b'"') => Field::Ending,
            (Field::Quoted, _) => Field::Quoted,
            (_, b',') => Field::Start,
            _ => Field::Plain,
        }
    }
}

#[cfg(test)]
mod tests;
