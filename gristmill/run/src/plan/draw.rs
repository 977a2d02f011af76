//! Settings into a plan: everything that was not given is a default, or drawn from the seed. Nothing is connected to, unless the
//! tables are to be like those of a keyspace that is there.

use super::mistake::Mistake;
use super::parallel::Work;
use super::settings::{merge, unknown};
use super::tables::Given;
use super::{FORMAT, Length, Pace, Plan, Rate, Seed, Settings, Stop, split_password};
use crate::changing::{Changeable, changeable};
use crate::clock;
use crate::fault::{FaultKind, Needs};
use datagen::domain::Limits;
use datagen::schema::{Schema, Table};
use datagen::stream::{Stream, draw};
use datagen::value::Type;
use history::notation::HistoryFile;
use history::{Change, Discipline, Explicit, Misfit, Regenerate, Step};
use std::collections::BTreeMap;
use std::path::Path;
use targets::target::{Environment, Request};
use targets::{Lie, OpenOptions, Target, Unusable};
use workload::partitions::{Config, Lww, Shapes, TableOptions};

/// Why settings make no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The target does not exist or cannot do what is asked.
    #[error(transparent)]
    Target(#[from] Unusable),
    /// A written history that does not fit its schema.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Misfits(Vec<Misfit>),
    /// Mistakes in the settings, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Mistakes(Vec<Mistake>),
    /// The workload cannot be made from its configuration.
    #[error(transparent)]
    Workload(#[from] workload::partitions::Unusable),
}

const WITHOUT: &str = "it has no timestamp, and others have, or --discipline is lww: `| auto at 1000 quorum`";
const WITH: &str = "it has a timestamp, and others have none, or --discipline is ordered";

/// What the target cannot be asked of a written history, visit by visit.
fn unsaid(history: &Explicit, target: &dyn Target) -> Vec<Mistake> {
    let schema = history.schema(history::Lts(1));
    let wrong = history.lines().iter().filter_map(|line| {
        let said = Request::of(&line.visit).try_for_each(|request| target.says(&schema, &request));
        let what = format!("{} cannot be asked for {}", target.describe().url, said.err()?);
        Some(Mistake {
            place: format!("history, visit {}", line.visit.lts),
            what: format!("{what}: leave it out"),
        })
    });
    wrong.collect()
}

/// What is drawn for a plan, by its number in [`Stream::Plan`].
mod drawn {
    pub(super) const SWARM: u64 = 1;
    pub(super) const SCHEMA: u64 = 2;
}

impl Settings {
    /// The plan: of the same settings with the same seed always the same. Without a seed one is made from the time.
    pub fn plan(mut self, environment: &Environment) -> Result<Plan, PlanError> {
        if self.work == Some(Work::Parallel) {
            return self.plan_parallel(environment);
        }
        let seed = self
            .seed
            .or_else(|| self.seed_of_history())
            .unwrap_or_else(fresh_seed);
        let url = self.target.clone().unwrap_or_else(|| "sqlite:".to_owned());
        let prefix = format!("gm{seed}");
        let mut options = OpenOptions::new(std::env::temp_dir(), &prefix);
        options.environment = std::sync::Arc::clone(environment);
        options.seed = seed.0;
        options.lies = lies(&self.lies);
        options.discipline = self.discipline(&url);
        let discipline = options.discipline;
        let (url, mut left_out) = super::existing::of(&mut self, url, &options)?;
        let target = targets::open(&url, &options)?;
        let mut mistakes = Vec::new();
        let second = self.second(&options, &mut mistakes)?;
        let mut config = self.config(
            seed,
            (target.as_ref(), second.as_deref()),
            discipline,
            &mut mistakes,
        );
        let written = self.written(target.as_ref(), &mut mistakes);
        let lww = discipline == Discipline::Lww;
        let lines = written.iter().flat_map(|history| history.lines());
        let other = lines
            .filter(|line| line.visit.stamp.is_some() != lww)
            .map(|line| line.visit.lts);
        mistakes.extend(other.take(3).map(|lts| Mistake {
            place: format!("history, visit {lts}"),
            what: if lww { WITHOUT } else { WITH }.to_owned(),
        }));
        mistakes.extend(
            written
                .iter()
                .flat_map(|history| unsaid(history, target.as_ref())),
        );
        let sessions = match &written {
            Some(history) => history.sessions().max(1),
            None => self.sessions.unwrap_or(8),
        };
        self.check(target.as_ref(), sessions, &mut mistakes);
        mistakes.extend(self.only_parallel());
        if self.exclusion == Some(true) && discipline == Discipline::Ordered {
            mistakes.push(Mistake {
                place: "exclusion".to_owned(),
                what: "visits of one partition run one after another anyway: give it with --discipline lww"
                    .to_owned(),
            });
        }
        if self.stages.as_ref().is_some_and(super::Stages::is_timed) && self.against.is_some() {
            mistakes.push(Mistake {
                place: "stages".to_owned(),
                what: "a load whose length is a time forgets what became of visits on the second database: give its visits, or \
                       leave out --against"
                    .to_owned(),
            });
        }
        if self.stages.as_ref().is_some_and(super::Stages::asks_replicas) {
            mistakes.extend(each_node(target.as_ref(), &mut config));
        }
        let schema = match &written {
            Some(history) => Ok(history.schema(history::Lts(1)).as_ref().clone()),
            None => self
                .tables(seed, target.as_ref(), second.as_deref(), discipline)
                .map_err(|wrong| mistakes.extend(wrong)),
        };
        let schema = schema.and_then(|schema| match config.bookkeeping && written.is_none() {
            false => Ok(schema),
            true => super::tables::with_visits(schema, &config, &kept_by(target.as_ref(), second.as_deref()))
                .map_err(|wrong| mistakes.push(wrong)),
        });
        let schema = schema.and_then(|schema| match self.agent {
            None => Ok(schema),
            Some(_) => super::tables::with_agents(schema, &kept_by(target.as_ref(), None))
                .map_err(|wrong| mistakes.push(wrong)),
        });
        let (Ok(schema), true) = (schema, mistakes.is_empty()) else {
            return Err(PlanError::Mistakes(mistakes));
        };
        if config.bookkeeping {
            super::tables::leave_alone_visits(&schema, &mut config);
        }
        left_out.extend(super::existing::options_left_out(&schema, target.as_ref()));
        let changes = match &written {
            None => self
                .changes(&schema, &config, target.as_ref())
                .map_err(|mistake| PlanError::Mistakes(vec![mistake]))?,
            Some(_) => None,
        };
        let level = self.isolation.unwrap_or_else(|| target.default_level());
        let deadline_ms = self.deadline.map_or(10_000, |d| d.0);
        let pace = self.pace.unwrap_or(Pace::Free);
        let length = match (self.visits, self.time) {
            _ if written.is_some() => Length::Visits(written.as_ref().map_or(1, |h| h.last().0)),
            (Some(visits), _) => Length::Visits(visits),
            (None, None) if self.stages.is_some() => Length::Stages,
            (None, time) => Length::TimeMs(time.map_or(10_000, |t| t.0)),
        };
        Ok(Plan {
            format: FORMAT,
            seed,
            target: target.describe().url,
            against: second.as_ref().map(|second| second.describe().url),
            profile: match &written {
                Some(_) => "history".to_owned(),
                None => self.profile.unwrap_or_else(|| "default".to_owned()),
            },
            sessions,
            length,
            pace,
            rate: self.rate,
            discipline,
            exclusion: self.exclusion.unwrap_or(false),
            checkers: self.checkers.unwrap_or(1),
            stop: self.stop.unwrap_or(Stop::First),
            check: self.check.unwrap_or_default(),
            keep: self.keep.unwrap_or(false),
            agent: self.agent,
            stages: self.stages,
            retries: self.retries.unwrap_or(0),
            look_ahead: self.look_ahead.unwrap_or(8),
            deadline_ms,
            settle_ms: self.settle.map_or(10_000, |s| s.0),
            busy_ms: if pace == Pace::LockStep {
                0
            } else {
                self.busy.map_or(deadline_ms, |b| b.0)
            },
            log_bytes: self.log_bytes.unwrap_or(2 << 30),
            evidence_bytes: self.evidence_bytes.unwrap_or(64 << 20),
            model_bytes: self.model_bytes.unwrap_or(256 << 20),
            choices: self.choices.unwrap_or(4096),
            rejected_percent: self.rejected_percent.unwrap_or(20),
            not_compared_percent: self.not_compared_percent.unwrap_or(5),
            prefix,
            outside: self.outside.unwrap_or_default(),
            history: written.map(|h| h.lines().to_vec()),
            level,
            claim: target.claim(self.claim.unwrap_or(level)),
            faults: self.faults,
            faults_at: self.faults_at,
            changes,
            left_out,
            lies: self.lies,
            workload: Config {
                level,
                sessions,
                shapes: Shapes {
                    numeric_sums: config.shapes.numeric_sums && second.as_deref().is_none_or(numeric_sums),
                    ..config.shapes
                },
                ..config
            },
            schema,
            parallel: None,
        })
    }

    /// The columns that changes of the schema are about, where there are any.
    fn changes(
        &self,
        schema: &Schema,
        config: &Config,
        target: &dyn Target,
    ) -> Result<Option<Changeable>, Mistake> {
        let by_hand = self.faults_at.iter().map(|f| f.fault);
        let kinds: Vec<FaultKind> = self.faults.keys().copied().chain(by_hand).collect();
        if !kinds.iter().any(|kind| kind.is_visit()) {
            return Ok(None);
        }
        if config.bookkeeping && kinds.contains(&FaultKind::Alter) {
            return Err(Mistake {
                place: "bookkeeping".to_owned(),
                what: "every visit writes its column, a dropped one too: leave it out, or --fault alter"
                    .to_owned(),
            });
        }
        // The timestamps of lightweight transactions are the database's own.
        let conditional = |table: &Table| config.tables.get(&table.name).is_some_and(|t| t.conditional);
        let says = |change: &Change| {
            target
                .says(schema, &Request::Step(&Step::Change(*change)))
                .is_ok()
        };
        let found = changeable(schema, &conditional, &says);
        for (kind, columns) in [
            (FaultKind::Index, &found.indexed),
            (FaultKind::Alter, &found.dropped),
        ] {
            if kinds.contains(&kind) && columns.is_empty() {
                return Err(Mistake {
                    place: "fault".to_owned(),
                    what: format!(
                        "`{kind}` finds no column in the tables of the plan: give a schema with two regular columns that have an order"
                    ),
                });
            }
        }
        let only = |kind: FaultKind, columns: Vec<(u16, u16)>| {
            if kinds.contains(&kind) {
                columns
            } else {
                Vec::new()
            }
        };
        Ok(Some(Changeable {
            indexed: only(FaultKind::Index, found.indexed),
            dropped: only(FaultKind::Alter, found.dropped),
        }))
    }

    /// What is asked for; else what the written visits are of, else the target's own.
    fn discipline(&self, url: &str) -> Discipline {
        self.discipline.unwrap_or_else(|| match self.visits_of_history() {
            Some(true) => Discipline::Lww,
            Some(false) => Discipline::Ordered,
            None => targets::own_discipline(url),
        })
    }

    /// Whether the visits of the given history have timestamps.
    fn visits_of_history(&self) -> Option<bool> {
        let text = std::fs::read_to_string(self.history.as_deref()?).ok()?;
        let file = HistoryFile::parse(&text).ok()?;
        Some(file.lines.first()?.visit.stamp.is_some())
    }

    /// The profile, the swarm's draws, the keys given one by one.
    fn config(
        &self,
        seed: Seed,
        (target, second): (&dyn Target, Option<&dyn Target>),
        discipline: Discipline,
        mistakes: &mut Vec<Mistake>,
    ) -> Config {
        let name = self.profile.as_deref().unwrap_or("default");
        let Some(mut config) = Config::named(name) else {
            let names: Vec<&str> = workload::partitions::names().map(|(name, _)| name).collect();
            mistakes.push(Mistake {
                place: "profile".to_owned(),
                what: unknown("profile", name, names.into_iter()),
            });
            return Config::default();
        };
        if self.swarm == Some(true) {
            config = config.swarm(draw(seed.0, Stream::Plan, &[drawn::SWARM]));
        }
        config.shapes.numeric_sums = numeric_sums(target);
        if discipline == Discipline::Lww {
            config = config.lww();
            if target.describe().ring && second.is_none_or(|second| second.describe().ring) {
                config.shapes.numeric_sums = true;
                config.lww = config.lww.map(Lww::cql);
            }
            if let (Some(second), Some(lww)) = (second, &mut config.lww) {
                // Of nothing the one says 0, the other NULL.
                lww.sums = second.semantics().sums == target.semantics().sums;
            }
            if self.lightweight(target) {
                let options = TableOptions {
                    conditional: true,
                    ..TableOptions::default()
                };
                config
                    .tables
                    .insert(super::tables::CONDITIONAL.to_owned(), options);
            }
        }
        let mut table = toml::Table::try_from(&config).expect("plain data");
        merge(&mut table, self.workload.clone());
        match table.try_into::<Config>() {
            Ok(mut config) => {
                if config.lww.is_some() && discipline == Discipline::Ordered {
                    mistakes.push(Mistake {
                        place: "workload.lww".to_owned(),
                        what: "says how visits get their timestamps: give it with --discipline lww"
                            .to_owned(),
                    });
                    config.lww = None;
                }
                if let Some(bookkeeping) = self.bookkeeping {
                    config.bookkeeping = bookkeeping;
                }
                if config.bookkeeping {
                    // It needs a second statement, and a strict insert stands alone.
                    for visit in &mut config.visits {
                        visit.strict = false;
                    }
                }
                if let Some(agent) = self.agent {
                    config.share = Some(agent.share());
                    let options = TableOptions {
                        weight: Some(0),
                        ..TableOptions::default()
                    };
                    config.tables.insert(super::tables::AGENTS.to_owned(), options);
                }
                if let Some(percent) = self.reads {
                    mistakes.extend(super::ratio::set(&mut config.visits, percent).err());
                }
                mistakes.extend(config.check().into_iter().map(|m| Mistake {
                    place: format!("workload.{}", m.key),
                    what: format!("is {}: {}", m.value, m.remedy),
                }));
                config
            }
            Err(e) => {
                mistakes.push(Mistake {
                    place: "workload".to_owned(),
                    what: e.message().to_owned(),
                });
                config
            }
        }
    }

    fn check(&self, target: &dyn Target, sessions: u16, mistakes: &mut Vec<Mistake>) {
        let describe = target.describe();
        let mut mistake = |place: &str, what: String| {
            mistakes.push(Mistake {
                place: place.to_owned(),
                what,
            })
        };
        if describe.one_session && sessions > 1 {
            let what = format!(
                "{sessions} sessions on {}, which has room for one: give --sessions 1",
                describe.url
            );
            mistake("sessions", what);
        }
        if self.keep == Some(true) && (describe.scheme == "reference" || describe.one_session) {
            let what = format!(
                "{} has its data in memory: nothing is left of it that could be kept",
                describe.url
            );
            mistake("keep", what);
        }
        if self.agent.is_some() {
            if history::artefact::lives_in_folder(&describe.url) {
                let what = format!(
                    "{} is no other process's: name a database that all can reach, such as sqlite:FILE",
                    describe.url
                );
                mistake("agent", what);
            }
            for (given, what) in [
                (
                    self.seed.is_none(),
                    "all agents need the same seed: give --seed HEX",
                ),
                (
                    self.history.is_some(),
                    "a history names its partitions itself: leave out --history",
                ),
                (
                    self.faults.keys().any(|kind| kind.is_visit()),
                    "a table that one process changes is there for all: leave out --fault index and --fault alter",
                ),
                (
                    self.against.is_some(),
                    "two databases are compared by one process: leave out --against",
                ),
                (
                    self.pace == Some(Pace::LockStep),
                    "lock-step is for one process: leave out --pace",
                ),
            ] {
                if given {
                    mistake("agent", what.to_owned());
                }
            }
        }
        for (place, level) in [("isolation", self.isolation), ("claim", self.claim)] {
            if let Some(level) = level.filter(|l| !describe.levels.contains(l)) {
                let offered: Vec<&str> = describe.levels.iter().map(|l| super::level_name(*l)).collect();
                let name = super::level_name(level);
                mistake(
                    place,
                    format!(
                        "{} does not offer {name}: one of {}",
                        describe.scheme,
                        offered.join(", ")
                    ),
                );
            }
        }
        for kind in self
            .faults
            .keys()
            .copied()
            .chain(self.faults_at.iter().map(|f| f.fault))
        {
            if let Some(what) = impossible(kind, target) {
                mistake(
                    "fault",
                    format!("`{kind}` needs {what}, which {} is not", describe.url),
                );
            }
        }
    }

    /// The database that `--against` names, if it does.
    fn second(
        &self,
        options: &OpenOptions,
        mistakes: &mut Vec<Mistake>,
    ) -> Result<Option<Box<dyn Target>>, Unusable> {
        let Some(url) = &self.against else { return Ok(None) };
        let mut mistake = |what: &str| {
            mistakes.push(Mistake {
                place: "against".to_owned(),
                what: what.to_owned(),
            });
        };
        if split_password(url).1.is_some() {
            mistake("a URL with a password: give the password in GRISTMILL_AGAINST_PASSWORD");
        }
        if !self.faults.is_empty() || !self.faults_at.is_empty() {
            mistake("what a fault breaks in one database is whole in the other: leave out --fault");
        }
        let options = OpenOptions {
            lies: Vec::new(),
            ..options.clone()
        };
        let second = targets::open(url, &options)?;
        if second.describe().one_session && self.sessions.unwrap_or(8) > 1 {
            mistake("it has room for one session: give --sessions 1");
        }
        Ok(Some(second))
    }

    /// The history that `--history` names, on this target.
    fn written(&self, target: &dyn Target, mistakes: &mut Vec<Mistake>) -> Option<Explicit> {
        let path = self.history.as_deref()?;
        let others = [
            ("visits", self.visits.is_some()),
            ("time", self.time.is_some()),
            ("sessions", self.sessions.is_some()),
            ("profile", self.profile.is_some()),
            ("swarm", self.swarm.is_some()),
            ("schema", self.schema.is_some()),
            ("reads", self.reads.is_some()),
            ("stages", self.stages.is_some()),
        ];
        for (name, _) in others.into_iter().filter(|(_, given)| *given) {
            mistakes.push(Mistake {
                place: name.to_owned(),
                what: "a history has its own tables, sessions and visits: leave it out".to_owned(),
            });
        }
        super::history::read(Path::new(path), target)
            .map_err(|wrong| mistakes.extend(wrong))
            .ok()
    }

    /// The seed that the file of a history names. What is wrong with the file is said later.
    fn seed_of_history(&self) -> Option<Seed> {
        let text = std::fs::read_to_string(self.history.as_deref()?).ok()?;
        HistoryFile::parse(&text).ok()?.seed.map(Seed)
    }

    /// Whether the drawn tables have one for lightweight transactions: on the one target, where that has them.
    fn lightweight(&self, target: &dyn Target) -> bool {
        let drawn = self.schema.is_none() && self.schema_text.is_none();
        // Their order is not known any more after a load whose length is a time.
        let timed = self.stages.as_ref().is_some_and(super::Stages::is_timed);
        drawn && !timed && self.against.is_none() && target.describe().conditional
    }

    fn tables(
        &self,
        seed: Seed,
        target: &dyn Target,
        second: Option<&dyn Target>,
        discipline: Discipline,
    ) -> Result<Schema, Vec<Mistake>> {
        let drawn = draw(seed.0, Stream::Plan, &[drawn::SCHEMA]);
        let given = match (&self.schema, &self.schema_text) {
            (Some(path), _) => Some(Given::File(Path::new(path))),
            (None, Some((name, text))) => Some(Given::Ddl(name, text)),
            (None, None) => None,
        };
        super::tables::schema(
            drawn,
            given,
            &kept_by(target, second),
            discipline,
            self.lightweight(target),
        )
    }
}

/// The lies of a plan, as a target is told them.
pub(crate) fn lies(lies: &BTreeMap<String, Rate>) -> Vec<Lie> {
    lies.iter()
        .map(|(name, rate)| Lie {
            name: name.clone(),
            per_million: rate.per_million(),
        })
        .collect()
}

/// What a column can keep on the target, and on the second one if there is one (F20).
fn kept_by<'t>(
    target: &'t dyn Target,
    second: Option<&'t dyn Target>,
) -> impl Fn(Type) -> Option<Limits> + use<'t> {
    move |ty| {
        let first = target.limits(&ty)?;
        match second {
            None => Some(first),
            Some(second) => Some(first.intersect(&second.limits(&ty)?)),
        }
    }
}

/// Whether the target computes `sum` over numerics exactly.
fn numeric_sums(target: &dyn Target) -> bool {
    matches!(target.describe().scheme, "reference" | "postgres" | "mysql")
}

/// Has the nodes of the target asked in turn. The mistake: it has one copy of everything.
fn each_node(target: &dyn Target, config: &mut Config) -> Option<Mistake> {
    let replicas = target.semantics().replicas;
    match &mut config.lww {
        Some(lww) if replicas > 1 => {
            lww.nodes = lww.nodes.max(replicas);
            None
        }
        _ => Some(Mistake {
            place: "stages".to_owned(),
            what: format!(
                "validate-replicas asks each node for its own copy, and {} keeps one of everything: name a cluster, such as \
                 cassandra:local?nodes=2",
                target.describe().url
            ),
        }),
    }
}

/// A seed from the time: six hexadecimal digits, easy to say.
pub(super) fn fresh_seed() -> Seed {
    let address = [clock::unix_nanoseconds(), u64::from(std::process::id())];
    Seed(draw(0, Stream::Plan, &address) >> 40)
}

/// What a fault needs and the target has not.
fn impossible(kind: FaultKind, target: &dyn Target) -> Option<&'static str> {
    let describe = target.describe();
    let (has, what) = match kind.fault().needs {
        Needs::Proxy => (describe.can_proxy, "a server that is reached by a connection"),
        Needs::Cancel => (describe.can_cancel, "a server whose statements can be cancelled"),
        Needs::Terminate => (describe.can_terminate, "a server whose sessions can be ended"),
        // SQLite on a file dies with the worker, which is started again from the folder.
        Needs::Kill => (
            describe.can_kill || (describe.scheme == "sqlite" && !describe.one_session),
            match describe.scheme {
                "cassandra" => "a server of our own, such as cassandra:local",
                "mysql" => "a server of our own, such as mysql:local",
                _ => "a server of our own, such as postgres:local",
            },
        ),
        Needs::Maintain(what) => (
            describe.maintains.contains(&what),
            match describe.scheme {
                "cassandra" => "a server that can be told to do that, such as cassandra:local",
                _ => "a server that can be told to do that",
            },
        ),
        Needs::Change(what) => (
            describe.changes.contains(&what),
            "a database whose tables change so while visits go on",
        ),
    };
    (!has).then_some(what)
}
