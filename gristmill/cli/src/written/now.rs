//! A history that is done while it is written: each of its parts is sent, answered and judged before the next one is made, so
//! that the test looks at what came back first.

use super::make::{Made, make};
use super::{History, Part, Steps, Wrong};
use crate::Plan;
use ::run::stepping::Stepping;
use datagen::value::Value;
use history::notation::HistoryFile;
use history::{Answer, Line};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A history under way on a target: [`History::open`].
pub struct Live {
    seed: u64,
    plan: Plan,
    parts: Vec<Part>,
    lines: Vec<Line>,
    named: BTreeSet<u64>,
    stepping: Stepping,
    /// Removed at the end, with what is in it.
    own: Option<PathBuf>,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The rows of each read, in the order of the reads.
    pub reads: Vec<Vec<Vec<Value>>>,
    /// Statements that the database refused, in its own words.
    pub refused: Vec<String>,
}

impl Seen {
    /// The rows of the last read; none where nothing was read.
    pub fn rows(&self) -> &[Vec<Value>] {
        self.reads.last().map_or(&[], Vec::as_slice)
    }
}

impl Live {
    pub(super) fn begin(
        history: &History,
        plan: Plan,
        own: Option<PathBuf>,
        store: &std::path::Path,
    ) -> Result<Live, Wrong> {
        // Sessions are as many as the steps to come name.
        let plan = Plan {
            sessions: 64,
            history: Some(Vec::new()),
            ..plan
        };
        let mut live = Live {
            seed: history.seed,
            stepping: Stepping::begin(&plan, store, None)?,
            plan,
            parts: Vec::new(),
            lines: Vec::new(),
            named: BTreeSet::new(),
            own,
        };
        for part in &history.parts {
            live.part(part.clone())?;
        }
        Ok(live)
    }

    /// Does these steps now, one visit after another, and compares every answer. Steps that name no partition are on one that
    /// nothing before them was on.
    ///
    /// # Errors
    /// What does not fit the tables, a finding, a validator that says no, a visit that nobody knows the end of.
    pub fn now(&mut self, steps: Steps) -> Result<Seen, Wrong> {
        self.part(Part::Steps(steps))
    }

    /// Does so many generated visits now.
    ///
    /// # Errors
    /// Those of [`Live::now`].
    pub fn generated(&mut self, visits: u64) -> Result<Seen, Wrong> {
        self.part(Part::Generated(visits))
    }

    /// What was done so far, in the notation, as `gristmill run --history` reads it.
    pub fn history(&self) -> String {
        let tables = self.plan.schema.tables.iter().map(|t| t.definition().clone());
        let file = HistoryFile {
            seed: Some(self.seed),
            tables: tables.collect(),
            lines: self.lines.clone(),
            ..HistoryFile::default()
        };
        file.to_string()
    }

    /// Removes what was made: how many answers were compared.
    ///
    /// # Errors
    /// The target does not let it go.
    pub fn close(self) -> Result<u64, Wrong> {
        let compared = self.stepping.compared();
        self.stepping.end()?;
        if let Some(own) = self.own {
            let removed = std::fs::remove_dir_all(&own);
            removed.map_err(|source| crate::RunError::Io {
                what: own.display().to_string(),
                source,
            })?;
        }
        Ok(compared)
    }

    fn part(&mut self, mut part: Part) -> Result<Seen, Wrong> {
        if let Part::Steps(steps) = &mut part {
            let fresh = || {
                (0..)
                    .find(|n| !self.named.contains(n))
                    .expect("numbers do not end")
            };
            self.named.insert(*steps.number.get_or_insert_with(fresh));
        }
        self.parts.push(part);
        // Draws are made in the order of the parts: those before come out as they did.
        let Made { lines, validators } = make(&self.parts, self.seed, &self.plan)?;
        let done = self.lines.len();
        let mut seen = Seen::default();
        for line in &lines[done..] {
            self.lines.push(line.clone());
            let step = self.stepping.visit(line.clone())?;
            if let Some(cause) = &step.cause {
                let text = report::text::finding(cause, "RUN", report::text::Style::default());
                return Err(Wrong::Found {
                    text,
                    history: self.history(),
                    folder: self.stepping.folder().to_owned(),
                });
            }
            for answered in &step.answers {
                match &answered.answer {
                    Answer::Rows(rows) => {
                        let decoded = super::decoded(rows);
                        for validator in validators.iter().filter(|v| v.at == answered.address) {
                            (validator.check)(&decoded).map_err(|said| Wrong::Validator {
                                name: validator.name.clone(),
                                said,
                                history: self.history(),
                            })?;
                        }
                        seen.reads.push(decoded);
                    }
                    Answer::Refused(reason) | Answer::Unknown(reason) => {
                        seen.refused.push(reason.text.clone())
                    }
                    Answer::Affected(_) => {}
                }
            }
        }
        Ok(seen)
    }
}
