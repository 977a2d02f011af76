//! The search: one case after another, each smaller than the best so far, until none of them fails.

use super::attempt::{Attempts, EVIDENCE_BYTES, remove};
use super::case::{Case, Sizes};
use crate::RunError;
use crate::clock::Clock;
use crate::life::{environment, open_target};
use crate::plan::Plan;
use history::artefact::Folder;
use history::verdict::Cause;
use history::{Progress, Verdict, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use targets::{Request, Target};

/// Runs by which it is seen how surely the first case fails, after the one that did.
const SURE: u32 = 2;
/// Runs of one case at most, where failing takes luck.
const EACH_MAX: u32 = 8;
/// Visits of a case whose characters are counted: before, other things are taken out.
const COUNTED: usize = 64;

pub(super) struct Search<'a> {
    attempts: Attempts<'a>,
    base: Plan,
    class: String,
    target: Arc<dyn Target>,
    best: Case,
    size: Sizes,
    /// Cases that were the best before, as far as they are small: what is gone back to when luck made one the best.
    trail: Vec<Case>,
    /// Plans that were run and did not fail.
    in_vain: BTreeSet<u64>,
    /// Runs that a case gets before it is given up.
    each: u32,
    tries: u64,
    tries_max: u64,
    clock: &'a Clock,
    watcher: &'a mut dyn Watcher,
    cut_short: Option<&'static str>,
}

/// The result, run again and again.
pub(super) struct Measured {
    pub(super) times: u32,
    pub(super) again: u32,
    /// The first run of it that failed: its folder, its verdict, the finding.
    pub(super) failed: Option<(Folder, Verdict, Cause)>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        attempts: Attempts<'a>,
        base: &Plan,
        class: &str,
        tries_max: u64,
        clock: &'a Clock,
        watcher: &'a mut dyn Watcher,
    ) -> Result<Search<'a>, RunError> {
        let honest = Plan {
            lies: BTreeMap::new(),
            ..base.clone()
        };
        let target = open_target(
            &honest,
            &std::env::temp_dir(),
            &environment(None),
            BTreeMap::new(),
        )?;
        Ok(Search {
            attempts,
            base: base.clone(),
            class: class.to_owned(),
            target,
            best: Case::new(base, Vec::new()),
            size: Sizes::default(),
            trail: Vec::new(),
            in_vain: BTreeSet::new(),
            each: 1,
            tries: 0,
            tries_max,
            clock,
            watcher,
            cut_short: None,
        })
    }

    pub(super) fn best(&self) -> &Case {
        &self.best
    }

    /// Statements are written as this target writes them.
    pub(super) fn target(&self) -> &dyn Target {
        self.target.as_ref()
    }

    pub(super) fn tries(&self) -> u64 {
        self.tries
    }

    /// Why it ended early, if it did.
    pub(super) fn cut_short(&self) -> Option<&'static str> {
        self.cut_short
    }

    /// Begins with the first of these cases that fails; `false`: none did.
    pub(super) fn begin(&mut self, cases: &mut dyn Iterator<Item = Case>) -> Result<bool, RunError> {
        // A case of a few visits that does not fail at once is not what a race needs: each gets a second run.
        self.each = if self.base.sessions > 1 { 2 } else { 1 };
        for case in cases.filter(Case::is_valid) {
            if !self.fails(&case)? {
                continue;
            }
            let mut again = 0;
            for _ in 0..SURE {
                again += u32::from(self.once(&case)?);
            }
            self.each = if again == SURE { 1 } else { EACH_MAX / (again + 1) };
            self.size = self.measured(&case);
            self.best = case;
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes out and makes plain until nothing is left that could be.
    pub(super) fn run(&mut self) -> Result<(), RunError> {
        loop {
            let before = self.size;
            self.take_out()?;
            self.make_plain()?;
            if self.size == before || self.is_over() {
                return Ok(());
            }
        }
    }

    /// Takes the case if it is valid, smaller, and fails.
    pub(super) fn take(&mut self, case: Case) -> Result<bool, RunError> {
        if self.is_over() {
            return Ok(false);
        }
        let case = case.tidy();
        let size = self.measured(&case);
        if size >= self.size || !case.is_valid() || !self.fails(&case)? || !self.fails_as_surely(&case)? {
            return Ok(false);
        }
        let before = std::mem::replace(&mut self.best, case);
        if before.lines.len() <= COUNTED {
            self.trail.push(before);
        }
        self.size = size;
        self.show();
        Ok(true)
    }

    /// Whether it is time to end.
    pub(super) fn is_over(&mut self) -> bool {
        if self.attempts.interrupted() {
            self.cut_short = Some("interrupted");
        } else if self.tries >= self.tries_max {
            self.cut_short = Some("the limit of tries was reached");
        }
        self.cut_short.is_some()
    }

    /// Runs the best case so often; the folder of the first run that fails stays at `path`. A best case that never fails was
    /// taken by luck: the one before it is the best again.
    pub(super) fn measure(&mut self, path: &Path, times: u32) -> Result<Measured, RunError> {
        loop {
            let measured = self.measure_best(path, times)?;
            if measured.failed.is_some() || self.attempts.interrupted() {
                return Ok(measured);
            }
            let Some(before) = self.trail.pop() else {
                return Ok(measured);
            };
            self.size = self.measured(&before);
            self.best = before;
            self.show();
        }
    }

    fn measure_best(&mut self, path: &Path, times: u32) -> Result<Measured, RunError> {
        remove(path)?;
        let plan = self.best.plan(&self.base);
        let mut measured = Measured {
            times: 0,
            again: 0,
            failed: None,
        };
        while measured.times < times.max(1) {
            measured.times += 1;
            if measured.failed.is_some() {
                measured.again += u32::from(self.attempts.fails(&plan)?.is_some());
            } else {
                let (folder, verdict, found) = self.attempts.keep(&plan, path)?;
                match found {
                    Some(cause) => {
                        measured.again += 1;
                        measured.failed = Some((folder, verdict, cause));
                    }
                    None => remove(path)?,
                }
            }
            if self.attempts.interrupted() && measured.failed.is_some() {
                break;
            }
        }
        Ok(measured)
    }

    fn fails(&mut self, case: &Case) -> Result<bool, RunError> {
        let digest = case.plan(&self.base).digest();
        if self.in_vain.contains(&digest) {
            return Ok(false);
        }
        for _ in 0..self.each {
            if self.once(case)? {
                return Ok(true);
            }
        }
        self.in_vain.insert(digest);
        Ok(false)
    }

    /// Whether a case of several sessions, which has failed once, does so again as the first case did: always where that one
    /// always did, else once more. Otherwise each smaller case would need a little more luck than the one before.
    fn fails_as_surely(&mut self, case: &Case) -> Result<bool, RunError> {
        if case.sizes().sessions <= 1 {
            return Ok(true);
        }
        let holds = if self.each > 1 {
            self.fails(case)?
        } else {
            let mut holds = true;
            for _ in 0..SURE {
                holds = holds && self.once(case)?;
            }
            holds
        };
        if !holds {
            self.in_vain.insert(case.plan(&self.base).digest());
        }
        Ok(holds)
    }

    fn once(&mut self, case: &Case) -> Result<bool, RunError> {
        self.tries += 1;
        let plan = case.plan(&self.base);
        let plan = Plan {
            evidence_bytes: plan.evidence_bytes.min(EVIDENCE_BYTES),
            ..plan
        };
        let failed = self.attempts.fails(&plan)?.is_some();
        self.show();
        Ok(failed)
    }

    fn show(&mut self) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.watcher.see(&Progress::Shrinking {
            visits: count(self.size.visits),
            sessions: count(self.size.sessions),
            statements: count(self.size.steps),
            tries: self.tries,
            elapsed_ms: u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            class: self.class.clone(),
        });
    }

    /// With its characters, where it is small enough for them to matter.
    fn measured(&self, case: &Case) -> Sizes {
        let sizes = case.sizes();
        if sizes.visits > COUNTED || !case.is_valid() {
            return sizes;
        }
        let texts = case.lines.iter().flat_map(|line| {
            let ends = matches!(line.visit.end, history::End::Commit | history::End::Rollback);
            let steps = line.visit.steps.iter();
            let text = |step| self.target.text(&case.schema, &Request::alone(&line.visit, step));
            let written: usize = steps.flat_map(text).map(|sql| sql.chars().count()).sum();
            [written, if ends { "BEGIN; COMMIT; ".len() } else { 0 }]
        });
        Sizes {
            characters: texts.sum(),
            ..sizes
        }
    }
}

#[cfg(test)]
mod tests;
