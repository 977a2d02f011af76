//! Harry's runners and visitors: who writes, who reads, how long.

use super::Reading;
use super::yaml::{Entry, Node, Value};
use crate::plan::{Millis, Stage, Stages};

const RUNNERS: [&str; 5] = ["single", "sequential", "concurrent", "staged", "up_to_lts"];
const VISITORS: [&str; 12] = [
    "mutating",
    "logging",
    "fault_injecting",
    "corrupt",
    "sampler",
    "validate_all_partitions",
    "validate_recent_partitions",
    "parallel_validate_recent_partitions",
    "validate_random_partitions",
    "repair_and_validate_local_states",
    "in_jvm_token_aware",
    "lts_tracking",
];

impl Reading<'_> {
    pub(super) fn runner(&mut self, entry: &Entry) {
        let Some(which) = self.choice(&entry.node, "runner", &RUNNERS) else {
            return;
        };
        if which.key == "staged" {
            return self.staged(which);
        }
        let concurrent = which.key == "concurrent";
        if !concurrent {
            self.settings.sessions = Some(1);
        }
        let mut known = vec!["run_time", "run_time_unit"];
        known.push(if concurrent { "visitor_pools" } else { "visitors" });
        let (mut time, mut unit) = (None, None);
        for key in self.map(&which.node, &which.key) {
            match key.key.as_str() {
                "run_time" => time = self.number::<u64>(key),
                "run_time_unit" => {
                    unit = self.scalar(key, "a unit such as SECONDS, MINUTES, HOURS", milliseconds)
                }
                "max_lts" if which.key == "up_to_lts" => self.settings.visits = self.number(key),
                "visitors" if !concurrent => self.visitors(&key.node),
                "visitor_pools" if concurrent => self.pools(&key.node),
                _ => self.unknown(key, &known),
            }
        }
        match (time, unit) {
            (Some(time), Some(unit)) if self.settings.visits.is_none() && time > 0 => {
                self.settings.time = Some(Millis(time.saturating_mul(unit)));
            }
            (Some(_), None) => self.mistake(which.line, "`run_time` needs a run_time_unit".to_owned()),
            _ => {}
        }
    }

    fn list<'a>(&mut self, node: &'a Node, what: &str) -> &'a [Node] {
        match &node.value {
            Value::List(list) => list,
            _ => {
                self.mistake(node.line, format!("`{what}` is a list"));
                &[]
            }
        }
    }

    fn visitors(&mut self, node: &Node) {
        for visitor in self.list(node, "visitors") {
            self.visitor(visitor, 1);
        }
    }

    /// Pools that write are sessions; pools that read are sessions that read.
    fn pools(&mut self, node: &Node) {
        let mut sessions: u16 = 0;
        for pool in self.list(node, "visitor_pools") {
            let (mut concurrency, mut visitor) = (1, None);
            for key in self.map(pool, "visitor_pools") {
                match key.key.as_str() {
                    "prefix" => {}
                    "concurrency" => concurrency = self.number::<u16>(key).unwrap_or(1),
                    "visitor" => visitor = Some(&key.node),
                    _ => self.unknown(key, &["prefix", "concurrency", "visitor"]),
                }
            }
            sessions = sessions.saturating_add(concurrency);
            match visitor {
                Some(visitor) => self.visitor(visitor, u32::from(concurrency)),
                None => self.mistake(pool.line, "a pool needs a visitor".to_owned()),
            }
        }
        if sessions > 0 {
            self.settings.sessions = Some(sessions);
            self.remark(
                node.line,
                format!("visitor_pools: {sessions} sessions, each of which writes and reads"),
            );
        }
    }

    fn visitor(&mut self, node: &Node, times: u32) {
        let Some(which) = self.choice(node, "visitor", &VISITORS) else {
            return;
        };
        let (line, name) = (which.line, which.key.as_str());
        let mut partitions = 1;
        let mut queries = 1;
        for key in self.map(&which.node, name) {
            match key.key.as_str() {
                "partition_count" => partitions = self.number::<u32>(key).unwrap_or(1),
                "queries_per_partition" | "queries" => queries = self.number::<u32>(key).unwrap_or(1),
                "trigger_after" => self.remark(
                    key.line,
                    "trigger_after: no counterpart: reads are spread over the run",
                ),
                "model" => self.model(key),
                "concurrency" | "row_visitor" | "query_logger" | "logger" | "sample_partitions"
                | "consistency_level" | "rf" | "iterations" => {}
                _ => self.unknown(
                    key,
                    &[
                        "partition_count",
                        "queries_per_partition",
                        "trigger_after",
                        "model",
                        "concurrency",
                        "row_visitor",
                        "query_logger",
                        "logger",
                        "sample_partitions",
                    ],
                ),
            }
        }
        let reads = partitions.saturating_mul(queries).saturating_mul(times);
        match name {
            "mutating" | "logging" | "lts_tracking" => {}
            "validate_recent_partitions" | "parallel_validate_recent_partitions" => self.reads.push(("recent", reads)),
            "validate_random_partitions" => self.reads.push(("retired", reads)),
            "validate_all_partitions" => self.remark(
                line,
                "validate_all_partitions: give --stages `load N, validate`, or `gristmill check` after a run with --keep",
            ),
            "corrupt" => self.remark(line, "corrupt: give --lie NAME, see `gristmill list lies`"),
            "fault_injecting" => self.remark(line, "fault_injecting: give --fault NAME=RATE, see `gristmill list faults`"),
            other => self.remark(line, format!("{other}: no counterpart")),
        }
    }

    fn model(&mut self, entry: &Entry) {
        let known = [
            "quiescent_checker",
            "quiescent_local_state_checker",
            "exhaustive_checker",
            "visible_rows_checker",
            "no_op",
        ];
        let Some(which) = self.choice(&entry.node, "model", &known) else {
            return;
        };
        if which.key != "quiescent_checker" && which.key != "exhaustive_checker" {
            self.remark(
                which.line,
                format!("model {}: every answer is compared (see --check)", which.key),
            );
        }
    }

    /// Runners that only load are a load of a thousand visits, those that validate everything a validation.
    fn staged(&mut self, which: &Entry) {
        let mut round = Vec::new();
        for key in self.map(&which.node, "staged") {
            match key.key.as_str() {
                "stages" => {
                    for stage in self.list(&key.node, "stages") {
                        let Some(runner) = self.choice(stage, "stages", &RUNNERS) else {
                            continue;
                        };
                        let text = format!("{:?}", runner.node);
                        let validates = text.contains("validate_all_partitions");
                        round.push(if validates {
                            Stage::Validate
                        } else {
                            Stage::Load(STAGE)
                        });
                    }
                }
                "run_time" | "run_time_unit" => self.remark(
                    key.line,
                    format!("{}: Harry's staged runner does not end by it either", key.key),
                ),
                _ => self.unknown(key, &["stages", "run_time", "run_time_unit"]),
            }
        }
        if round.is_empty() {
            return self.mistake(which.line, "`staged` needs stages".to_owned());
        }
        self.remark(
            which.line,
            format!("staged: a load is {STAGE} visits here, not a time: --stages says otherwise"),
        );
        if round.iter().any(|stage| matches!(stage, Stage::Load(_))) {
            self.settings.stages = Some(Stages { round, rounds: 1 });
        }
    }
}

/// Visits of a load whose length was a time.
const STAGE: u64 = 1000;

/// A unit of time in milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    Some(match text {
        "MILLISECONDS" => 1,
        "SECONDS" => 1_000,
        "MINUTES" => 60_000,
        "HOURS" => 3_600_000,
        "DAYS" => 86_400_000,
        _ => return None,
    })
}
