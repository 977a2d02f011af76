//! One candidate: what is left of a run, and how large that is.

use crate::fault::FaultKind;
use crate::plan::{FaultAt, Length, Plan, Rate, Stop};
use datagen::schema::Schema;
use history::{Explicit, Line, Lts, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use workload::partitions::Config;

/// What is left of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) schema: Arc<Schema>,
    pub(super) lines: Vec<Line>,
    pub(super) faults: BTreeMap<FaultKind, Rate>,
    pub(super) faults_at: Vec<FaultAt>,
    pub(super) lies: BTreeMap<String, Rate>,
}

/// How large a case is. Compared in this order: what comes first weighs more than everything after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sizes {
    /// Visits.
    pub visits: usize,
    /// Their statements, savepoints included.
    pub steps: usize,
    /// Sessions.
    pub sessions: usize,
    /// Faults, and lies of the target.
    pub faults: usize,
    /// Tables.
    pub tables: usize,
    /// Their columns and indexes.
    pub columns: usize,
    /// Pairs of visits that may be open at once.
    pub overlaps: usize,
    /// Characters of the statements, with their values.
    pub characters: usize,
    /// The numbers of visits and steps, added.
    pub numbers: u64,
}

impl Case {
    /// The written visits on the tables of a plan, with its faults and lies.
    pub(super) fn new(plan: &Plan, lines: Vec<Line>) -> Case {
        Case {
            schema: Arc::new(plan.schema.clone()),
            lines,
            // Changes of the schema are visits by now.
            faults: plan
                .faults
                .iter()
                .map(|(k, r)| (*k, *r))
                .filter(|(k, _)| !k.is_visit())
                .collect(),
            faults_at: plan
                .faults_at
                .iter()
                .copied()
                .filter(|f| !f.fault.is_visit())
                .collect(),
            lies: plan.lies.clone(),
        }
        .tidy()
    }

    /// The same with other lines.
    pub(super) fn with(&self, lines: Vec<Line>) -> Case {
        Case {
            lines,
            ..self.clone()
        }
    }

    /// Sessions numbered from 1 as they come up, overlaps and faults only between what is there (E3).
    pub(super) fn tidy(mut self) -> Case {
        let mut numbers: BTreeMap<SessionId, SessionId> = BTreeMap::new();
        let mut open: BTreeMap<Lts, SessionId> = BTreeMap::new();
        for line in &mut self.lines {
            let next = u16::try_from(numbers.len() + 1).expect("there are at most 65535 sessions");
            line.session = *numbers.entry(line.session).or_insert(SessionId(next));
            let me = line.session;
            line.beside
                .retain(|lts| open.get(lts).is_some_and(|session| *session != me));
            open.retain(|lts, _| line.beside.contains(lts));
            open.insert(line.visit.lts, me);
        }
        let there: BTreeSet<u64> = self.lines.iter().map(|l| l.visit.lts.0).collect();
        self.faults_at.retain(|f| there.contains(&f.lts));
        self
    }

    /// Whether it is a history at all.
    pub(super) fn is_valid(&self) -> bool {
        !self.lines.is_empty() && Explicit::new(Arc::clone(&self.schema), self.lines.clone()).is_ok()
    }

    /// The plan of a run of it: everything else as in the run that it comes from.
    pub(super) fn plan(&self, base: &Plan) -> Plan {
        let last = self.lines.iter().map(|l| l.visit.lts.0).max().unwrap_or(1);
        let sessions = self.lines.iter().map(|l| l.session.0).max().unwrap_or(1);
        Plan {
            sessions,
            length: Length::Visits(last),
            // Its own finding may not be the first.
            stop: Stop::Never,
            checkers: 0,
            history: Some(self.lines.clone()),
            stages: None,
            agent: None,
            changes: None,
            rate: None,
            keep: false,
            faults: self.faults.clone(),
            faults_at: self.faults_at.clone(),
            lies: self.lies.clone(),
            profile: "history".to_owned(),
            workload: Config {
                level: base.level,
                sessions,
                ..Config::default()
            },
            schema: self.schema.as_ref().clone(),
            ..base.clone()
        }
    }

    /// All but the characters.
    pub(super) fn sizes(&self) -> Sizes {
        let visits = self.lines.iter().map(|l| &l.visit);
        let sessions: BTreeSet<SessionId> = self.lines.iter().map(|l| l.session).collect();
        Sizes {
            visits: self.lines.len(),
            steps: visits.map(|v| v.steps.len()).sum(),
            sessions: sessions.len(),
            faults: self.faults.len() + self.faults_at.len() + self.lies.len(),
            tables: self.schema.tables.len(),
            columns: self
                .schema
                .tables
                .iter()
                .map(|t| t.columns().count() + t.indexes.len())
                .sum(),
            overlaps: self.lines.iter().map(|l| l.beside.len()).sum(),
            characters: 0,
            numbers: self
                .lines
                .iter()
                .map(|l| l.visit.lts.0 + l.numbers.iter().map(|n| u64::from(*n)).sum::<u64>())
                .sum(),
        }
    }
}
