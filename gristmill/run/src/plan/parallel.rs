//! The part of a plan that is about the parallel workload, and how settings become one.

use super::mistake::{Mistake, nearest};
use super::{FORMAT, Length, Pace, Plan, PlanError, Settings, Stop};
use datagen::schema::Schema;
use datagen::stream::{Stream, draw};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;
use targets::target::Environment;
use targets::{Description, OpenOptions, Target, Unusable};
use workload::parallel::{
    Ceilings, Complexity, Feature, KINDS, PROFILES, Profile, Speech, shuns, silenced, swarm,
};
use workload::partitions::Config;

/// Everything of the parallel workload that a run is a function of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Parallel {
    /// Which families of actions there are.
    pub complexity: Complexity,
    /// What is done to the server meanwhile.
    pub scenario: Scenario,
    /// The catalogue is compared after so many milliseconds, again and again, and at the end.
    pub quiet_ms: u64,
    /// Whether the run draws which actions exist in it, and how often they come.
    #[serde(default)]
    pub swarm: bool,
    /// Weights of actions instead of their own: the profile's, then the swarm's, then what was asked for. 0: never.
    #[serde(default)]
    pub weights: BTreeMap<String, u32>,
    /// How many there may be of things.
    #[serde(default)]
    pub ceilings: Ceilings,
    /// Sessions draw from the five lists of the profile `reference`.
    #[serde(default)]
    pub lists: bool,
    /// Names of objects and columns are hard to write.
    #[serde(default)]
    pub naughty: bool,
    /// What this server cannot, or does not let this user do: the feature and why. Found when the run began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without: BTreeMap<String, String>,
    /// Known defects of the target that the run does not keep away from, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meet: Vec<String>,
}

/// Which workload a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Partitions, each with a model of every value.
    Partitions,
    /// Statements over a schema that changes.
    Parallel,
}

/// What is done to the server while statements run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Nothing.
    Regression,
    /// Statements are cancelled.
    Cancel,
    /// The server is killed and started again.
    Kill,
    /// Names are changed more often than anything else.
    Rename,
    /// The database is dumped under load, restored, compared, and run on.
    BackupRestore,
    /// A replica is promoted under load.
    ZeroDowntimeDeploy,
}

/// A complexity or `random`, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<T>(pub Option<T>);

const COMPLEXITIES: [(&str, Complexity); 4] = [
    ("read", Complexity::Read),
    ("dml", Complexity::Dml),
    ("ddl", Complexity::Ddl),
    ("ddl-only", Complexity::DdlOnly),
];

const SCENARIOS: [(&str, Scenario); 6] = [
    ("regression", Scenario::Regression),
    ("cancel", Scenario::Cancel),
    ("kill", Scenario::Kill),
    ("rename", Scenario::Rename),
    ("backup-restore", Scenario::BackupRestore),
    ("zero-downtime-deploy", Scenario::ZeroDowntimeDeploy),
];

/// Each scenario that can be run today: its name, what is done, and what a target must have for it.
pub fn scenarios() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    [
        ("regression", "nothing is done to the server", "any target"),
        (
            "cancel",
            "statements are cancelled: one session a look, whichever is drawn",
            "any target that can cancel",
        ),
        (
            "kill",
            "the server is killed (signal 9) and started again; what it acknowledged must be in its catalogue then",
            "a server of our own (:local)",
        ),
        (
            "rename",
            "nothing is done to the server; names are changed far more often than else",
            "any target but DuckDB, with --complexity ddl",
        ),
    ]
    .into_iter()
}

fn named<T: Copy>(all: &[(&str, T)], name: &str) -> Result<Asked<T>, ()> {
    if name == "random" {
        return Ok(Asked(None));
    }
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| Asked(Some(*value))).ok_or(())
}

impl FromStr for Asked<Complexity> {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        named(&COMPLEXITIES, name)
    }
}

impl FromStr for Asked<Scenario> {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        named(&SCENARIOS, name)
    }
}

impl FromStr for Work {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "partitions" => Ok(Work::Partitions),
            "parallel" => Ok(Work::Parallel),
            _ => Err(()),
        }
    }
}

/// What is drawn for a plan, by its number in [`Stream::Plan`].
mod drawn {
    pub(super) const COMPLEXITY: u64 = 11;
    pub(super) const SCENARIO: u64 = 12;
}

impl Scenario {
    /// Its name.
    pub fn name(self) -> &'static str {
        let found = SCENARIOS.iter().find(|(_, scenario)| *scenario == self);
        found.map_or("", |(name, _)| name)
    }

    /// Those that a target can be put through today.
    fn possible(of: &Description) -> Vec<Scenario> {
        let mut all = vec![Scenario::Regression];
        if complexities(of).iter().any(|c| changes_schema(*c)) {
            all.push(Scenario::Rename);
        }
        if of.can_cancel {
            all.push(Scenario::Cancel);
        }
        if of.can_kill {
            all.push(Scenario::Kill);
        }
        all
    }
}

impl Parallel {
    /// In a few words, for the first line.
    pub fn words(&self) -> String {
        let name = complexity_name(self.complexity);
        match self.scenario {
            Scenario::Regression => format!("parallel, {name}"),
            scenario => format!("parallel, {name}, {}", scenario.name()),
        }
    }

    /// Whether tables and columns come and go.
    pub(crate) fn changes_schema(&self) -> bool {
        changes_schema(self.complexity)
    }

    /// Between two comparisons of the catalogue.
    pub(crate) fn quiet(&self) -> Duration {
        Duration::from_millis(self.quiet_ms)
    }

    /// What ops are drawn by.
    pub(crate) fn draws(&self, of: &Plan) -> workload::parallel::Plan {
        let others_restart = of.outside.iter().any(|told| told == "restart");
        workload::parallel::Plan {
            durable: self.scenario == Scenario::Kill || others_restart,
            ceilings: self.ceilings.clone(),
            weights: self.weights.clone(),
            lists: self.lists,
            naughty: self.naughty,
            without: self.features(),
            meet: self.meet.clone(),
            ..workload::parallel::Plan::new(of.seed.0, &format!("{}_", of.prefix), self.complexity)
        }
    }

    /// What is left out, as the workload knows it.
    fn features(&self) -> BTreeSet<Feature> {
        self.without
            .keys()
            .filter_map(|name| Feature::named(name))
            .collect()
    }

    /// Names of the actions that exist under this plan on such a target.
    pub(crate) fn actions(&self, speech: &'static Speech) -> impl Iterator<Item = &'static str> + use<> {
        let actions = workload::parallel::actions(self.complexity, speech, &self.features());
        let out: BTreeSet<_> = silenced(&self.weights).collect();
        let names = actions.into_iter().map(|kind| kind.name);
        let met = self.meet.clone();
        names.filter(move |name| !out.contains(name) && !shuns(speech, &met, name))
    }

    /// What the swarm made of the run, in words: the actions that the target has and this run has not.
    pub(crate) fn swarmed(&self, speech: &'static Speech) -> Option<String> {
        if !self.swarm {
            return None;
        }
        let all = workload::parallel::actions(self.complexity, speech, &self.features());
        let out: BTreeSet<_> = silenced(&self.weights).collect();
        let out = all.iter().map(|kind| kind.name).filter(|name| out.contains(name));
        let out: Vec<_> = out.collect();
        Some(format!(
            "{} of {} actions are not in this run: {}",
            out.len(),
            all.len(),
            out.join(", ")
        ))
    }

    /// Whether the run was told to meet a known defect.
    pub(crate) fn meets(&self, defect: &str) -> bool {
        self.meet.iter().any(|name| name == defect)
    }

    /// The known defects that the run keeps away from or allows for, in words.
    pub(crate) fn kept_away(&self, speech: &'static Speech) -> Option<String> {
        let all: Vec<String> = workload::parallel::avoided(speech, &self.meet)
            .filter(|defect| !defect.of_ddl || self.changes_schema())
            .map(|defect| format!("{} (--meet {0}: {})", defect.name, defect.words))
            .collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What the run leaves out, in words.
    pub(crate) fn left_out(&self, speech: &'static Speech) -> Vec<String> {
        let actions = workload::parallel::left_out(speech, &self.features());
        let mut out: Vec<String> = actions.into_iter().map(str::to_owned).collect();
        out.extend(self.without.iter().map(|(what, why)| format!("{what} ({why})")));
        out
    }
}

/// Whether tables and columns come and go.
fn changes_schema(complexity: Complexity) -> bool {
    matches!(complexity, Complexity::Ddl | Complexity::DdlOnly)
}

/// Those that a target can be put through: in DuckDB a snapshot shows the schema as it was, which the judge does not know.
fn complexities(of: &Description) -> Vec<Complexity> {
    let all = COMPLEXITIES.iter().map(|(_, complexity)| *complexity);
    all.filter(|c| of.scheme != "duckdb" || !changes_schema(*c))
        .collect()
}

/// The name of a complexity.
fn complexity_name(complexity: Complexity) -> &'static str {
    let found = COMPLEXITIES.iter().find(|(_, known)| *known == complexity);
    found.map_or("", |(name, _)| name)
}

/// Tables of a plan whose workload makes its own.
pub(super) fn no_tables() -> Schema {
    Schema { tables: Vec::new() }
}

/// Whether a plan has none.
pub(super) fn has_no_tables(schema: &Schema) -> bool {
    schema.tables.is_empty()
}

/// The ceilings with those that were asked for by name, and what is wrong with the others.
fn lowered_or_raised<'a>(
    of: &Ceilings,
    asked: impl Iterator<Item = (&'a String, &'a u32)>,
) -> (Ceilings, Vec<String>) {
    let Ok(serde_json::Value::Object(mut all)) = serde_json::to_value(of) else {
        panic!("ceilings are numbers by name");
    };
    let mut unknown = Vec::new();
    for (name, most) in asked {
        if let Some(ceiling) = all.get_mut(name) {
            *ceiling = (*most).into();
            continue;
        }
        let near = nearest(name, all.keys().map(String::as_str))
            .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        unknown.push(format!(
            "there is no ceiling `{name}`{near}: there are {}",
            names.join(", ")
        ));
    }
    let ceilings = serde_json::from_value(all.into()).expect("only numbers were changed");
    (ceilings, unknown)
}

/// How much more often a name is changed where that is the scenario.
const RENAMES: u32 = 10;
/// Length of a run that says nothing: ten seconds, as elsewhere.
const TIME_MS: u64 = 10_000;
/// Between two quiet points.
const QUIET_MS: u64 = 5_000;
/// A statement that SQLite holds up by a lock is refused after so many milliseconds: every writer waits for every other one.
const BUSY_MS: u64 = 1_000;

impl Settings {
    /// The plan of the parallel workload.
    pub(super) fn plan_parallel(self, environment: &Environment) -> Result<Plan, PlanError> {
        let seed = self.seed.unwrap_or_else(super::draw::fresh_seed);
        let url = self.target.clone().unwrap_or_else(|| "sqlite:".to_owned());
        let prefix = format!("gm{seed}");
        let mut options = OpenOptions::new(std::env::temp_dir(), &prefix);
        options.environment = std::sync::Arc::clone(environment);
        options.seed = seed.0;
        let target = targets::open(&url, &options)?;
        let describe = target.describe();
        if target.sql().is_none() || crate::parallel::tongue(describe.scheme).is_none() {
            return Err(PlanError::Target(Unusable::usage(
                describe.url,
                "it takes no statements of the parallel workload",
                "use sqlite:, postgres:, mysql: or exec:, or leave out --workload",
            )));
        }
        let sessions = self.sessions.unwrap_or(8);
        let mut mistakes = self.unfit(target.as_ref());
        let mut mistake = |place: &str, what: String| {
            mistakes.push(Mistake {
                place: place.to_owned(),
                what,
            });
        };
        if describe.one_session {
            let what = format!(
                "{} has room for one session, and the catalogue is read by another: use sqlite:",
                describe.url
            );
            mistake("target", what);
        }
        let random = |what, n: usize| {
            let at = draw(seed.0, Stream::Plan, &[what]) % n as u64;
            usize::try_from(at).expect("below a length")
        };
        let renames = self.scenario == Some(Asked(Some(Scenario::Rename)));
        let can = complexities(&describe);
        let complexity = match self.complexity {
            None if renames && can.contains(&Complexity::Ddl) => Complexity::Ddl,
            None => Complexity::Dml,
            Some(Asked(Some(complexity))) => complexity,
            Some(Asked(None)) => can[random(drawn::COMPLEXITY, can.len())],
        };
        if !can.contains(&complexity) {
            let names: Vec<&str> = can.iter().map(|c| complexity_name(*c)).collect();
            let what = format!(
                "{} can be put through {}: its changes of the schema are seen by snapshots, which the judge does not know yet",
                describe.url,
                names.join(" and ")
            );
            mistake("complexity", what);
        }
        let ddl = changes_schema(complexity);
        let possible = Scenario::possible(&describe);
        let scenario = match self.scenario {
            None => Scenario::Regression,
            Some(Asked(Some(scenario))) => scenario,
            Some(Asked(None)) => {
                let fits = possible.iter().filter(|s| ddl || **s != Scenario::Rename);
                let fits: Vec<Scenario> = fits.copied().collect();
                fits[random(drawn::SCENARIO, fits.len())]
            }
        };
        if scenario == Scenario::Rename && possible.contains(&scenario) && !ddl {
            let what = format!(
                "`rename` changes names, which complexity {} never does: give --complexity ddl",
                complexity_name(complexity)
            );
            mistake("scenario", what);
        }
        if !possible.contains(&scenario) {
            let names: Vec<&str> = possible.iter().map(|s| s.name()).collect();
            let what = format!(
                "`{}` cannot be done on {}: it can do {}",
                scenario.name(),
                describe.url,
                names.join(", ")
            );
            mistake("scenario", what);
        }
        let name = self.profile.clone().unwrap_or_else(|| "default".to_owned());
        let profile = Profile::named(&name).unwrap_or(&PROFILES[0]);
        let asked = self.weights.clone().unwrap_or_default();
        let known = || KINDS.iter().map(|kind| kind.name);
        for action in asked
            .keys()
            .filter(|action| known().all(|known| known != *action))
        {
            let near = nearest(action, known())
                .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
            let what = format!("there is no action `{action}`{near}: see gristmill list actions");
            mistake("weights", what);
        }
        let (ceilings, unknown) = lowered_or_raised(&profile.ceilings(), self.ceilings.iter().flatten());
        unknown.into_iter().for_each(|what| mistake("ceilings", what));
        if !mistakes.is_empty() {
            return Err(PlanError::Mistakes(mistakes));
        }
        let swarms = self.swarm.unwrap_or(!profile.lists);
        let mut weights = profile.weights();
        if swarms && let Some(tongue) = crate::parallel::tongue(describe.scheme) {
            weights = swarm(seed.0, complexity, tongue.speech, &weights);
        }
        if scenario == Scenario::Rename {
            let moves = |name: &str| name.starts_with("rename-") || name.starts_with("move-");
            let often = KINDS.iter().filter(|kind| moves(kind.name));
            weights.extend(often.map(|kind| (kind.name.to_owned(), kind.weight * RENAMES)));
        }
        weights.extend(asked);
        let level = self.isolation.unwrap_or_else(|| target.default_level());
        let deadline_ms = self.deadline.map_or(10_000, |d| d.0);
        let workload = Config::default();
        Ok(Plan {
            format: FORMAT,
            seed,
            target: describe.url,
            against: None,
            profile: name,
            sessions,
            length: match (self.visits, self.time) {
                (Some(statements), _) => Length::Visits(statements),
                (None, time) => Length::TimeMs(time.map_or(TIME_MS, |t| t.0)),
            },
            pace: Pace::Free,
            rate: None,
            discipline: history::Discipline::Ordered,
            exclusion: false,
            checkers: 0,
            stop: self.stop.unwrap_or(Stop::First),
            check: history::Check::default(),
            keep: self.keep.unwrap_or(false),
            agent: None,
            stages: None,
            retries: 0,
            look_ahead: 1,
            deadline_ms,
            settle_ms: self.settle.map_or(10_000, |s| s.0),
            busy_ms: self.busy.map_or(BUSY_MS, |b| b.0),
            log_bytes: self.log_bytes.unwrap_or(2 << 30),
            evidence_bytes: 1 << 20,
            model_bytes: self.model_bytes.unwrap_or(256 << 20),
            choices: 1,
            rejected_percent: self.rejected_percent.unwrap_or(20),
            not_compared_percent: self.not_compared_percent.unwrap_or(5),
            prefix,
            outside: self.outside.clone().unwrap_or_default(),
            left_out: Vec::new(),
            history: None,
            level,
            claim: target.claim(level),
            faults: std::collections::BTreeMap::new(),
            faults_at: Vec::new(),
            changes: None,
            lies: self.lies.clone(),
            workload,
            schema: no_tables(),
            parallel: Some(Parallel {
                complexity,
                scenario,
                quiet_ms: QUIET_MS,
                swarm: swarms,
                weights,
                ceilings,
                lists: profile.lists,
                naughty: profile.naughty,
                without: BTreeMap::new(),
                meet: self.meet.clone().unwrap_or_default(),
            }),
        })
    }

    /// What was asked for and means nothing here, or is not built: each is said.
    fn unfit(&self, target: &dyn Target) -> Vec<Mistake> {
        let given = [
            ("pace", self.pace == Some(Pace::LockStep)),
            ("rate", self.rate.is_some()),
            ("reads", self.reads.is_some()),
            ("discipline", self.discipline.is_some()),
            ("exclusion", self.exclusion.is_some()),
            ("bookkeeping", self.bookkeeping.is_some()),
            ("claim", self.claim.is_some()),
            ("check", self.check.is_some()),
            ("against", self.against.is_some()),
            ("agent", self.agent.is_some()),
            ("stages", self.stages.is_some()),
            ("retries", self.retries.is_some()),
            ("schema", self.schema.is_some()),
            ("history", self.history.is_some()),
            ("fault", !self.faults.is_empty() || !self.faults_at.is_empty()),
            ("workload", !self.workload.is_empty()),
        ];
        let mut mistakes: Vec<Mistake> = given
            .iter()
            .filter(|(_, given)| *given)
            .map(|(place, _)| Mistake {
                place: (*place).to_owned(),
                what: format!("the parallel workload has no `{place}` yet: leave it out"),
            })
            .collect();
        if let Some(name) = self
            .profile
            .as_deref()
            .filter(|name| Profile::named(name).is_none())
        {
            let names: Vec<&str> = PROFILES.iter().map(|p| p.name).collect();
            mistakes.push(Mistake {
                place: "profile".to_owned(),
                what: format!(
                    "the parallel workload has no profile `{name}`: it has {}",
                    names.join(", ")
                ),
            });
        }
        let known: Vec<&str> = crate::parallel::lies().collect();
        for name in self.lies.keys().filter(|name| !known.contains(&name.as_str())) {
            mistakes.push(Mistake {
                place: "lie".to_owned(),
                what: format!(
                    "the parallel workload tells no `{name}`: it tells {}",
                    known.join(", ")
                ),
            });
        }
        let describe = target.describe();
        if let Some(level) = self.isolation.filter(|level| !describe.levels.contains(level)) {
            mistakes.push(Mistake {
                place: "isolation".to_owned(),
                what: format!("{} has no level {}", describe.url, super::level_name(level)),
            });
        }
        mistakes
    }

    /// What was asked for and belongs to the parallel workload only.
    pub(super) fn only_parallel(&self) -> Vec<Mistake> {
        [
            ("complexity", self.complexity.is_some()),
            ("scenario", self.scenario.is_some()),
            ("meet", self.meet.is_some()),
            ("weights", self.weights.is_some()),
            ("ceilings", self.ceilings.is_some()),
        ]
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(place, _)| Mistake {
            place: place.to_owned(),
            what: "it belongs to the parallel workload: give --workload parallel".to_owned(),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn settings(keys: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in [("workload", "parallel"), ("seed", "7")].iter().chain(keys) {
            settings.set(key, value, key).unwrap();
        }
        settings
    }

    fn plan(keys: &[(&str, &str)]) -> Result<Plan, PlanError> {
        settings(keys).plan(&(Arc::new(|_: &str| None) as Environment))
    }

    #[test]
    fn a_plan_of_the_parallel_workload_comes_back_from_its_file() {
        for keys in [
            &[("target", "sqlite:")][..],
            &[
                ("target", "postgres://u@h/d"),
                ("complexity", "read"),
                ("scenario", "cancel"),
            ],
            &[
                ("complexity", "random"),
                ("scenario", "random"),
                ("visits", "100"),
            ],
            &[("profile", "reference"), ("weights", "insert=3,delete=0")],
            &[
                ("profile", "wide"),
                ("swarm", "off"),
                ("ceilings", "tables=3,rows=50"),
            ],
        ] {
            let plan = plan(keys).unwrap();
            assert_eq!(Plan::read(&plan.write()).unwrap(), plan);
            assert!(plan.parallel.is_some());
        }
    }

    #[test]
    fn what_is_drawn_is_what_the_target_can_do() {
        let drawn: BTreeSet<&str> = (0..40)
            .map(|seed| {
                let seed = format!("{seed:x}");
                let keys = [
                    ("seed", seed.as_str()),
                    ("target", "duckdb:"),
                    ("complexity", "random"),
                    ("scenario", "random"),
                ];
                complexity_name(plan(&keys).unwrap().parallel.unwrap().complexity)
            })
            .collect();
        assert_eq!(drawn, BTreeSet::from(["dml", "read"]));
    }

    #[test]
    fn weights_that_were_asked_for_stand_over_the_swarm_and_the_profile() {
        let of = |keys: &[(&str, &str)]| plan(keys).unwrap().parallel.unwrap();
        let calm = of(&[("swarm", "off")]);
        assert!(calm.weights.is_empty(), "{:?}", calm.weights);
        let swarm = of(&[("complexity", "ddl")]);
        assert!(
            swarm.swarm && swarm.weights.values().any(|w| *w == 0),
            "{:?}",
            swarm.weights
        );
        let asked = of(&[("complexity", "ddl"), ("weights", "insert=0,select=77")]);
        assert_eq!((asked.weights["insert"], asked.weights["select"]), (0, 77));
        let rest = |of: &Parallel| {
            let mut weights = of.weights.clone();
            weights.retain(|name, _| name != "insert" && name != "select");
            weights
        };
        assert_eq!(rest(&asked), rest(&swarm));
    }

    #[test]
    fn ceilings_that_were_asked_for_stand_over_the_profile() {
        let of = |keys: &[(&str, &str)]| plan(keys).unwrap().parallel.unwrap().ceilings;
        let many = of(&[("profile", "many")]);
        let asked = of(&[
            ("profile", "many"),
            ("ceilings", "materialized-views=7,rows=8,statements=9"),
        ]);
        assert_eq!(
            (asked.materialized_views, asked.rows, asked.statements),
            (7, 8, 9)
        );
        let one = of(&[("profile", "many"), ("ceilings", "columns=3")]);
        assert_eq!((one.columns, one.tables), (3, many.tables));
    }

    #[test]
    fn what_is_not_there_is_refused_by_name_with_the_remedy() {
        for (keys, word) in [
            (&[("target", "reference:")][..], "takes no statements"),
            (&[("target", "sqlite::memory:")], "room for one session"),
            (&[("scenario", "kill")], "regression, rename, cancel"),
            (
                &[("target", "postgres://u@h/d"), ("scenario", "kill")],
                "regression, rename, cancel",
            ),
            (
                &[("scenario", "rename"), ("complexity", "dml")],
                "give --complexity ddl",
            ),
            (
                &[("target", "duckdb:"), ("complexity", "ddl")],
                "through read and dml",
            ),
            (
                &[("target", "duckdb:"), ("scenario", "rename")],
                "it can do regression, cancel, kill",
            ),
            (&[("profile", "narrow")], "it has default, reference, many"),
            (&[("weights", "inser=3")], "did you mean `insert`?"),
            (&[("ceilings", "table=3")], "did you mean `tables`?"),
            (&[("discipline", "lww")], "no `discipline` yet"),
        ] {
            let error = plan(keys).unwrap_err().to_string();
            assert!(
                error.contains(word) || format!("{error:?}").contains(word),
                "{error}"
            );
        }
        let mut lying = settings(&[]);
        lying.lie("torn-commit", "lie").unwrap();
        let error = lying
            .plan(&(Arc::new(|_: &str| None) as Environment))
            .unwrap_err();
        assert!(error.to_string().contains("invented_error"), "{error}");
        let mut settings = Settings::default();
        settings.set("complexity", "ddl", "complexity").unwrap();
        let error = settings
            .plan(&(Arc::new(|_: &str| None) as Environment))
            .unwrap_err();
        assert!(error.to_string().contains("--workload parallel"), "{error}");
    }
}
