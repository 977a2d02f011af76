//! One child process and its lines of JSON (docs/formats/exec.md).
//!
//! Invariants:
//! * a line is sent only when the one before was answered;
//! * a child that ended, that was late, or that said what is no answer is ended and never asked again.

use crate::process;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// What a child is told first.
#[derive(Debug, Serialize)]
pub(super) struct Hello<'a> {
    pub(super) hello: u8,
    pub(super) folder: &'a str,
    pub(super) prefix: &'a str,
    pub(super) session: u16,
    pub(super) busy_ms: u64,
}

/// What it answers.
#[derive(Debug, Deserialize)]
pub(super) struct Welcome {
    pub(super) speaks: String,
    #[serde(default)]
    pub(super) version: String,
}

#[derive(Serialize)]
struct Question<'a> {
    sql: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Json>,
}

/// What it says to a statement.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    #[serde(default)]
    pub(super) columns: Vec<String>,
    #[serde(default)]
    pub(super) rows: Vec<Vec<Cell>>,
    #[serde(default)]
    pub(super) changed: u64,
    #[serde(default)]
    pub(super) code: String,
    pub(super) error: Option<String>,
    pub(super) open: bool,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Json")]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl TryFrom<Json> for Cell {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        let bad = |json: &Json| format!("{json} is no cell");
        match &json {
            Json::Null => Ok(Self::Null),
            Json::String(text) => Ok(Self::Text(text.clone())),
            Json::Number(n) => n.as_i64().map(Self::Int).ok_or_else(|| bad(&json)),
            Json::Object(object) if object.len() == 1 => {
                let field = |name: &str| object.get(name).and_then(Json::as_str);
                let real = field("real").and_then(|text| text.parse().ok()).map(Self::Real);
                let blob = || field("blob").and_then(bytes).map(Self::Blob);
                real.or_else(blob).ok_or_else(|| bad(&json))
            }
            _ => Err(bad(&json)),
        }
    }
}

impl Cell {
    /// As it is written in a line.
    pub(super) fn json(&self) -> Json {
        let tagged = |tag: &str, text: String| {
            Json::Object(std::iter::once((tag.to_owned(), Json::String(text))).collect())
        };
        match self {
            Self::Null => Json::Null,
            Self::Int(v) => Json::from(*v),
            Self::Real(v) => tagged("real", format!("{v:?}")),
            Self::Text(v) => Json::String(v.clone()),
            Self::Blob(v) => {
                let digits = v.iter().map(|byte| format!("{byte:02x}"));
                tagged("blob", digits.collect())
            }
        }
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.is_ascii() && digits.len().is_multiple_of(2);
    let pair = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).ok();
    pairs.then(|| (0..digits.len()).step_by(2).map(pair).collect())?
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error("the program ended: {0}")]
    Ended(String),
    #[error("no answer within the deadline: the program was killed")]
    Late,
    #[error("the program said what is no answer, and was killed: {0}")]
    Garbled(String),
    #[error("the program cannot be started: {0}")]
    NotStarted(String),
}

pub(super) struct Child {
    process: Process,
    /// Closed to say that it is over.
    to: Option<ChildStdin>,
    from: Receiver<String>,
}

/// How long a child may take to greet.
const GREETING: Duration = Duration::from_secs(30);

/// How long a child may take to end.
const FAREWELL: Duration = Duration::from_secs(1);

impl Child {
    /// Starts the command and greets it.
    pub(super) fn start(command: &str, hello: &Hello<'_>) -> Result<(Self, Welcome), Lost> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec {command}"));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process =
            process::spawn(shell, Signal::SIGKILL).map_err(|e| Lost::NotStarted(e.to_string()))?;
        let out = process.stdout.take().expect("it was asked to be piped");
        let to = process.stdin.take();
        let (lines, from) = channel();
        std::thread::Builder::new()
            .name("exec".to_owned())
            .spawn(move || {
                for line in BufReader::new(out).lines() {
                    let Ok(line) = line else { break };
                    if lines.send(line).is_err() {
                        break;
                    }
                }
            })
            .expect("a thread can be started");
        let mut child = Self { process, to, from };
        let line = match child.exchange(hello, GREETING) {
            // It may have spoken without listening: what it said tells more than that it ended.
            Err(Lost::Ended(how)) => child.from.recv_timeout(FAREWELL).map_err(|_| Lost::Ended(how))?,
            answered => answered?,
        };
        let welcome = child.read(&line)?;
        Ok((child, welcome))
    }

    /// One statement with its values.
    pub(super) fn ask(&mut self, sql: &str, params: Vec<Json>, deadline: Duration) -> Result<Reply, Lost> {
        let line = self.exchange(&Question { sql, params }, deadline)?;
        let reply: Reply = self.read(&line)?;
        if reply.rows.iter().any(|row| row.len() != reply.columns.len()) {
            return Err(self.garbled(&line, "a row has not as many cells as there are columns"));
        }
        Ok(reply)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn exchange(&mut self, what: &impl Serialize, deadline: Duration) -> Result<String, Lost> {
        let mut line = serde_json::to_string(what).expect("texts and numbers can be written");
        line.push('\n');
        let sent = self.to.as_mut().map(|to| to.write_all(line.as_bytes()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.ended());
        }
        match self.from.recv_timeout(deadline) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(Lost::Late)
            }
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, line: &str) -> Result<T, Lost> {
        serde_json::from_str(line).map_err(|e| self.garbled(line, &e.to_string()))
    }

    fn garbled(&mut self, line: &str, why: &str) -> Lost {
        self.kill();
        let short: String = line.chars().take(200).collect();
        Lost::Garbled(format!("{why}: {short}"))
    }

    /// It has closed its output: it has ended, or will at once.
    fn ended(&mut self) -> Lost {
        self.to = None;
        match self.end() {
            Some(status) => Lost::Ended(words(status)),
            None => Lost::Garbled("it closed its standard output and went on".to_owned()),
        }
    }

    /// Waits for its end a little, and ends it then. `None`: it had to be killed.
    fn end(&mut self) -> Option<ExitStatus> {
        let step = Duration::from_millis(5);
        let mut left = FAREWELL;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if !left.is_zero() => {
                    process::pause(step);
                    left = left.saturating_sub(step);
                }
                Ok(None) | Err(_) => break,
            }
        }
        self.kill();
        None
    }

    fn kill(&mut self) {
        self.to = None;
        // The only errors are of a process that has ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.to.take().is_some() {
            self.end();
        }
    }
}

fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("by signal {signal}"),
        (None, Some(code)) => format!("with exit code {code}"),
        (None, None) => "nobody knows how".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_comes_back_from_its_line() {
        let cells = [
            Cell::Null,
            Cell::Int(i64::MIN),
            Cell::Int(i64::MAX),
            Cell::Real(0.1),
            Cell::Real(-0.0),
            Cell::Real(5e-324),
            Cell::Real(f64::INFINITY),
            Cell::Real(1.0),
            Cell::Text("'\u{0}\"\\ 🦀\n".to_owned()),
            Cell::Blob(vec![0, 255]),
            Cell::Blob(Vec::new()),
        ];
        for cell in cells {
            let line = cell.json().to_string();
            assert_eq!(serde_json::from_str::<Cell>(&line).unwrap(), cell, "{line}");
        }
    }

    #[test]
    fn what_is_no_cell_is_said() {
        for line in [
            "1.5",
            "true",
            "[1]",
            "{}",
            r#"{"real": 1}"#,
            r#"{"blob": "0"}"#,
            r#"{"blob": "é"}"#,
            "9223372036854775808",
        ] {
            let error = serde_json::from_str::<Cell>(line).unwrap_err().to_string();
            assert!(error.contains("is no cell"), "{error}");
        }
    }
}
