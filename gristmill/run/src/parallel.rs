//! The parallel workload: sessions that change the schema under each other's hands, every answer explained or found.
//!
//! ```text
//!   likely state ──▶ draw ──▶ op ──▶ bytes ──▶ trace ──▶ server ──▶ trace ──▶ model ──▶ expected, or a finding
//!        ▲                                                                     │
//!        └─────────────────────────────────────────────────────────────────────┘        quiet points: catalogue = model
//! ```
//!
//! This module has the threads, the clock and the files. It must not know what a statement says (`targets::parallel`), which ones
//! there are (`workload::parallel`), nor what an answer must be (`check::parallel`).
//!
//! Invariants:
//! * Z1 what a run does is in its trace, in an order that its ticks tell; with the trace it is judged and sent again.
//! * Z2 a run ends within a minute of its time, whatever the database does.
//! * Z3 the catalogue is compared only while nothing is open and nothing is unanswered.

mod again;
mod bare;
mod count;
mod disk;
mod floor;
mod gate;
mod lie;
mod lives;
mod memory;
mod plainer;
mod restart;
mod session;
mod shrink;
#[cfg(test)]
mod tests;
mod trace;
mod verdict;
mod watch;
mod words;

pub(crate) use again::Recorded;
pub use bare::{Bare, bare};
pub(crate) use lie::names as lies;
pub use lie::{LIES, Lie};
pub(crate) use shrink::shrink;
pub use trace::TraceError;
pub(crate) use trace::at_work;

use crate::RunError;
use crate::life::{Circumstances, open_target, targets_folder};
use crate::plan::{Length, Plan};
use crate::registry::Registry;
use check::parallel::{Model, Others};
use disk::Disk;
use floor::{Floor, Parts};
use history::artefact::Folder;
use history::parallel::{Op, Rules};
use history::progress::Planned;
use history::{Kind, Progress, SessionId, Span, Verdict, Watcher};
use restart::Kills;
use session::{Drawing, Preparing, Source};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use targets::Facts;
use targets::parallel::Language;
use trace::{Record, Trace};
use watch::Ending;
use workload::parallel::{Generator, REFUSED_AND_DONE, Speech};

/// Between two looks of whoever coordinates.
const LOOK: Duration = Duration::from_millis(20);
/// How often progress is shown.
const SHOW: Duration = Duration::from_millis(100);
/// Looks that make a second.
const LOOKS: usize = 10;
/// How long a quiet point is waited for.
const QUIET_PATIENCE: Duration = Duration::from_secs(30);
/// How long after a kill the catalogue is compared: sessions are at work again, and nothing of it has been folded away.
const AFTER_A_KILL: Duration = Duration::from_millis(500);
/// How often a question of ours is asked again where others interrupt.
const TRIES: u32 = 10;
/// The phase in which the server is ended in order and started again.
pub(crate) const RESTARTING: &str = "restarting the server";

/// What a target is to the three crates that know about targets of this workload.
#[derive(Clone, Copy)]
pub(crate) struct Tongue {
    pub(crate) language: &'static Language,
    pub(crate) speech: &'static Speech,
    pub(crate) rules: &'static Rules,
}

/// That of a scheme; `None`: it is not there yet.
pub(crate) fn tongue(scheme: &str) -> Option<Tongue> {
    match scheme {
        "postgres" => Some(Tongue {
            language: &targets::parallel::POSTGRES,
            speech: &workload::parallel::POSTGRES,
            rules: &check::parallel::POSTGRES,
        }),
        "mysql" => Some(Tongue {
            language: &targets::parallel::MARIADB,
            speech: &workload::parallel::MARIADB,
            rules: &check::parallel::MARIADB,
        }),
        "duckdb" => Some(Tongue {
            language: &targets::parallel::DUCKDB,
            speech: &workload::parallel::DUCKDB,
            rules: &check::parallel::DUCKDB,
        }),
        "sqlite" | "exec" => Some(Tongue {
            language: &targets::parallel::SQLITE,
            speech: &workload::parallel::SQLITE,
            rules: &check::parallel::SQLITE,
        }),
        _ => None,
    }
}

/// The action's name for the table of times.
fn words_of(op: &Op) -> &'static str {
    match &op.kind {
        Cow::Borrowed(name) => name,
        Cow::Owned(name) => workload::parallel::KINDS
            .iter()
            .map(|kind| kind.name)
            .find(|known| known == name)
            .unwrap_or("an action of another version"),
    }
}

/// One life in a folder that holds a plan of this workload: runs it, or the recorded statements of another run, and writes the
/// verdict.
pub(crate) fn live(
    folder: &Folder,
    plan: Plan,
    given: &Circumstances,
    watcher: &mut dyn Watcher,
) -> Result<Verdict, RunError> {
    let mut parallel = plan
        .parallel
        .clone()
        .expect("who calls has seen that the plan is of this workload");
    let files = targets_folder(folder)?;
    let target = open_target(&plan, &files, &given.environment, BTreeMap::new())?;
    let tongue = tongue(target.describe().scheme).ok_or_else(|| unsuited(&plan))?;
    let facts = target.facts()?;
    if !facts.rights_missing.is_empty() {
        return Err(RunError::Target(targets::Unusable::server(
            target.describe().url,
            format!("this user lacks {}", facts.rights_missing.join(", ")),
            "grant it, or use a user that has it",
        )));
    }
    if let Some(why) = &facts.pooler {
        return Err(RunError::Target(targets::Unusable::usage(
            target.describe().url,
            format!("a connection pooler stands in between ({why}): no session can be told from another"),
            "give the address of the server itself",
        )));
    }
    let loose = facts
        .settings
        .get(targets::DOUBLE_QUOTED)
        .is_some_and(|word| word == "on");
    if loose && parallel.changes_schema() {
        return Err(RunError::Target(targets::Unusable::usage(
            target.describe().url,
            "it takes a name in double quotes that is no column for a text, so that a missing column is no error",
            "switch SQLITE_DBCONFIG_DQS_DML and …_DDL off in the program, or use --complexity read or dml",
        )));
    }
    let sql = target.sql().ok_or_else(|| unsuited(&plan))?;
    let cannot = sql.cannot()?.into_iter();
    parallel.without = cannot.map(|(what, why)| (what.to_owned(), why)).collect();
    let there = sql.catalog()?;
    if let Some(object) = there.objects.first() {
        let url = target.describe().url;
        return Err(RunError::Target(targets::Unusable::server(
            url.clone(),
            format!("{} {} exists already", object.kind.name(), object.name),
            format!("gristmill clean {url}"),
        )));
    }
    let registry = Registry::open(folder)?;
    registry.note(&plan.target, &plan.prefix, &[])?;
    let trace = Trace::create(folder, plan.digest(), plan.log_bytes)?;
    let floor = Arc::new(Floor::new(Parts {
        parallel,
        tongue,
        again: given.recorded.is_some(),
        target,
        model: model(&plan, tongue),
        trace,
        known: given.known.clone(),
        disk: Disk::of(&files),
        plan,
    }));
    floor.lives.expect(floor.target.incarnation()?);
    watcher.see(&started(&floor, &facts, folder, given.recorded.is_some()));
    let loaded = load(&floor, given, watcher)?;
    let clean = Clean { registry, folder };
    clean.finish(&floor, verdict::make(&floor, &facts, &loaded))
}

/// A model that knows the level of the run, and what others do meanwhile.
fn model(plan: &Plan, tongue: Tongue) -> Model {
    let they = |what: &str| plan.outside.iter().any(|told| told == what);
    let mut model = Model::new(tongue.rules);
    let parallel = plan.parallel.as_ref();
    if parallel.is_some_and(|parallel| parallel.meets(REFUSED_AND_DONE)) {
        model.takes_at_its_word();
    }
    model.at_level(plan.level);
    model.outside(Others {
        cancel: they("cancel"),
        terminate: they("terminate"),
        restart: they("restart"),
    });
    model
}

fn unsuited(plan: &Plan) -> RunError {
    RunError::Target(targets::Unusable::usage(
        plan.target.clone(),
        "it takes no statements as text",
        "the parallel workload runs on sqlite:, postgres:, mysql: and exec:",
    ))
}

/// What the load ended with.
pub(crate) struct Loaded {
    pub(crate) load: Duration,
    pub(crate) interrupted: bool,
    /// What was looked at before and after the last restart, where there was one.
    pub(crate) restarted: Option<String>,
    /// Of a run of recorded statements: how many answers were not the recorded ones.
    pub(crate) again: Option<again::Compared>,
}

fn load(floor: &Arc<Floor>, given: &Circumstances, watcher: &mut dyn Watcher) -> Result<Loaded, RunError> {
    let record = given.recorded.clone();
    let mut first: Box<dyn Source> = match &record {
        Some(record) => Box::new(again::Again::new(record, SessionId(0))),
        None => Box::new(Preparing::new(generator(floor, SessionId(0)))),
    };
    session::prepare(floor, first.as_mut())?;
    let sources: Vec<Box<dyn Source>> = (1..=floor.plan.sessions)
        .map(|number| source(floor, SessionId(number), record.as_ref()))
        .collect();
    let began = floor.clock.elapsed();
    let mut threads = Vec::new();
    for (number, mut source) in (1..).zip(sources) {
        let floor = Arc::clone(floor);
        let spawned = thread::Builder::new()
            .name(format!("session {number}"))
            .spawn(move || session::run(&floor, SessionId(number), source.as_mut()));
        threads.push(spawned.map_err(|e| RunError::io("a session cannot be started", e))?);
    }
    {
        let floor = Arc::clone(floor);
        let spawned = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch::watch(&floor));
        threads.push(spawned.map_err(|e| RunError::io("the watch cannot be started", e))?);
    }
    let mut coordinator = Coordinator::new(floor, given, began, record.is_some());
    let given_up = coordinator.run(watcher)?;
    let load = coordinator.ended.unwrap_or_else(|| floor.clock.elapsed()) - began;
    if !given_up {
        for thread in threads {
            thread.join().map_err(|_| RunError::SessionDied)?;
        }
        if floor.failure_is_none() && !record.is_some_and(|record| record.is_cut()) {
            coordinator.compare()?;
            coordinator.sanity_restart(watcher)?;
        }
    }
    coordinator.show(watcher);
    if let Some(error) = floor.failure() {
        return Err(error);
    }
    Ok(Loaded {
        load,
        interrupted: coordinator.interrupted,
        restarted: coordinator.restarted,
        again: given.recorded.as_ref().map(|record| record.compared()),
    })
}

fn source(floor: &Floor, me: SessionId, record: Option<&Arc<Recorded>>) -> Box<dyn Source> {
    match record {
        Some(record) => Box::new(again::Again::new(record, me)),
        None => Box::new(Drawing::new(floor, generator(floor, me), me)),
    }
}

fn generator(floor: &Floor, me: SessionId) -> Generator {
    let mut plan = floor.parallel.draws(&floor.plan);
    // A statement by itself has the plan's level; above, one that waited behind a rewrite sees an empty table (P33).
    if !floor.tongue.rules.one_writer && floor.plan.level != history::Level::ReadCommitted {
        plan.weights.insert("oracle-foreign".to_owned(), 0);
    }
    Generator::new(plan, floor.tongue.speech, me.0)
}

fn started(floor: &Floor, facts: &Facts, folder: &Folder, again: bool) -> Progress {
    let describe = floor.target.describe();
    let mut server = facts.version.to_lowercase();
    if !describe.words.is_empty() {
        server = format!("{server} ({})", describe.words);
    }
    let sessions = match floor.plan.sessions {
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    };
    Progress::Started {
        head: vec![
            format!("seed {}", floor.plan.seed),
            server,
            sessions,
            floor.parallel.words(),
            if again {
                "recorded statements again".to_owned()
            } else {
                "every answer explained or found".to_owned()
            },
        ],
        folder: folder.path().display().to_string(),
    }
}

/// Time, quiet points, the end: what happens between the sessions.
struct Coordinator<'f> {
    floor: &'f Floor,
    given: &'f Circumstances,
    began: Duration,
    /// Its statements are recorded ones: they end by themselves.
    again: bool,
    next_show: Duration,
    next_quiet: Duration,
    /// Since when sessions are asked to be quiet.
    asked: Option<Duration>,
    looks: VecDeque<(Duration, u64)>,
    ended: Option<Duration>,
    ending: Option<Ending>,
    interrupted: bool,
    kills: Option<Kills>,
    /// The server was killed since the catalogue was compared.
    killed: bool,
    restarted: Option<String>,
    said: Vec<String>,
    shown: usize,
}

impl<'f> Coordinator<'f> {
    fn new(floor: &'f Floor, given: &'f Circumstances, began: Duration, again: bool) -> Coordinator<'f> {
        Coordinator {
            floor,
            given,
            began,
            again,
            next_show: began,
            next_quiet: began + floor.parallel.quiet(),
            asked: None,
            looks: VecDeque::new(),
            ended: None,
            ending: None,
            interrupted: false,
            kills: Kills::of(floor),
            killed: false,
            restarted: None,
            said: Vec::new(),
            shown: 0,
        }
    }

    /// Until every session has ended; `true`: until nobody waits for them any more.
    fn run(&mut self, watcher: &mut dyn Watcher) -> Result<bool, RunError> {
        let floor = self.floor;
        loop {
            let now = floor.clock.elapsed();
            if floor.gate.ended() >= floor.plan.sessions {
                self.ended.get_or_insert(now);
                return Ok(false);
            }
            self.end_load(now);
            if let Some(ending) = &mut self.ending
                && ending.press(floor)?
            {
                floor.doubt("the run's sessions did not end: they were left behind".to_owned());
                return Ok(true);
            }
            self.quiet(now)?;
            self.kill()?;
            if now >= self.next_show {
                self.next_show = now + SHOW;
                self.show(watcher);
                floor.memory.sample(floor);
                floor.disk.sample();
                watcher.see(&self.progress(now));
            }
            floor.gate.pause(LOOK);
        }
    }

    fn end_load(&mut self, now: Duration) {
        let floor = self.floor;
        let time_is_up = !self.again
            && matches!(floor.plan.length, Length::TimeMs(ms) if now - self.began >= Duration::from_millis(ms));
        let interrupted = self.given.interrupt.load(Ordering::SeqCst);
        let enough = floor.plan.stop.reached(floor.found.total());
        if (time_is_up || interrupted || enough) && !floor.gate.is_stopped() {
            floor.gate.stop();
            self.interrupted = interrupted;
        }
        if floor.gate.is_stopped() && self.ending.is_none() {
            self.ended = Some(now);
            self.ending = Some(Ending::new(&floor.clock));
        }
    }

    /// Asks for a quiet point when it is time, and reads the catalogue when it has come.
    fn quiet(&mut self, now: Duration) -> Result<(), RunError> {
        let floor = self.floor;
        if self.again || floor.gate.is_stopped() {
            return Ok(());
        }
        match self.asked {
            None if now >= self.next_quiet => {
                floor.gate.close();
                self.asked = Some(now);
            }
            None => {}
            Some(_) if floor.gate.is_quiet() => {
                let compared = self.compare();
                self.go_on();
                compared?;
            }
            Some(asked) if now - asked > QUIET_PATIENCE => {
                floor.counts.loud();
                self.go_on();
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// The kill scenario. What was acknowledged is looked for soon afterwards.
    fn kill(&mut self) -> Result<(), RunError> {
        let floor = self.floor;
        if self.asked.is_some() || floor.gate.is_stopped() {
            return Ok(());
        }
        if let Some(kills) = &mut self.kills
            && kills.strike(floor)?
        {
            self.killed = true;
            self.next_quiet = floor.clock.elapsed() + AFTER_A_KILL;
        }
        Ok(())
    }

    /// Where the server is ours: ended in order and started again, everything is still there.
    fn sanity_restart(&mut self, watcher: &mut dyn Watcher) -> Result<(), RunError> {
        let floor = self.floor;
        if self.again || self.interrupted || !floor.target.describe().can_kill {
            return Ok(());
        }
        let now = floor.clock.elapsed();
        let mut progress = self.progress(now);
        if let Progress::Load { phase, .. } = &mut progress {
            RESTARTING.clone_into(phase);
        }
        match restart::sanity(floor, &mut || watcher.see(&progress)) {
            Ok(words) => self.restarted = Some(words),
            Err(RunError::Target(unusable)) => {
                let what = &unusable.complaint().what;
                floor.doubt(format!(
                    "the server was not seen again after it was ended in order: {what}"
                ));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.killed = true;
        self.compare()
    }

    fn go_on(&mut self) {
        self.asked = None;
        self.next_quiet = self.floor.clock.elapsed() + self.floor.parallel.quiet();
        self.floor.gate.open();
    }

    /// The catalogue against the model (Z3).
    fn compare(&mut self) -> Result<(), RunError> {
        let floor = self.floor;
        let sql = floor.target.sql().expect("the plan was made for such a target");
        let sent = floor.ticks.take();
        let seen = match self.asked_again(|| sql.catalog()) {
            Ok(seen) => seen,
            Err(unusable) => {
                floor.doubt(format!(
                    "the catalogue could not be read: {}",
                    unusable.complaint().what
                ));
                return Ok(());
            }
        };
        let answered = floor.ticks.take();
        floor.counts.quiet(seen.objects.len() as u64);
        let found = floor.model.lock().reconcile(&seen, Span { sent, answered });
        let killed = std::mem::take(&mut self.killed);
        for mut finding in found {
            if killed && finding.signature.ends_with("missing") {
                finding.kind = Kind::Durability;
                finding.promised += ", though the server was ended and began again";
            }
            floor.find(&finding);
        }
        let record = Record::Quiet { sent, answered, seen };
        floor.trace.write(&record, None)
    }

    /// A question on a connection that others may have interrupted.
    fn asked_again<T>(&self, ask: impl Fn() -> Result<T, targets::Unusable>) -> Result<T, targets::Unusable> {
        for _ in 0..TRIES {
            match ask() {
                Err(_) if !self.floor.plan.outside.is_empty() => self.floor.gate.pause(LOOK),
                answer => return answer,
            }
        }
        ask()
    }

    /// Notes and findings since the last look.
    fn show(&mut self, watcher: &mut dyn Watcher) {
        for note in std::mem::take(&mut *self.floor.notes.lock()) {
            if !self.said.contains(&note) {
                watcher.see(&Progress::Note(note.clone()));
                self.said.push(note);
            }
        }
        let causes: Vec<_> = {
            let causes = self.floor.found.causes.lock();
            causes.iter().skip(self.shown).cloned().collect()
        };
        self.shown += causes.len();
        for cause in causes {
            watcher.see(&Progress::Found(Box::new(cause)));
        }
    }

    fn progress(&mut self, now: Duration) -> Progress {
        let floor = self.floor;
        let statements = floor.counts.statements.load(Ordering::Relaxed);
        self.looks.push_back((now, statements));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        let (then, before) = self.looks[0];
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Progress::Load {
            visits: statements,
            rate: (statements - before) * 1000 / ms(now - then).max(1),
            checked: statements,
            behind_ms: 0,
            findings: floor.found.total(),
            elapsed_ms: ms(now - self.began),
            of: match floor.plan.length {
                Length::TimeMs(ms) => Planned::Time(ms),
                Length::Visits(n) => Planned::Visits(n),
                Length::Stages => Planned::Visits(statements),
            },
            phase: if self.ending.is_some() {
                "ending what is open".to_owned()
            } else {
                Progress::STATEMENTS.to_owned()
            },
            beside: floor
                .counts
                .glance()
                .into_iter()
                .chain(floor.memory.glance())
                .chain(floor.disk.glance())
                .collect(),
        }
    }
}

/// What is done when the sessions have ended.
struct Clean<'f> {
    registry: Registry,
    folder: &'f Folder,
}

impl Clean<'_> {
    fn finish(self, floor: &Floor, mut verdict: Verdict) -> Result<Verdict, RunError> {
        let in_folder = history::artefact::lives_in_folder(&floor.plan.target);
        if floor.plan.keep {
            let (prefix, url) = (&floor.plan.prefix, &floor.plan.target);
            let words = format!("what {prefix} made is still on {url} (gristmill clean {url} removes it)");
            verdict.setup.insert("kept".to_owned(), words);
        } else if verdict.status != history::Status::Finding || !in_folder {
            match floor.target.cleanup() {
                Ok(_) => self.registry.done()?,
                Err(unusable) => {
                    verdict.doubts.push(format!(
                        "what was made is still there ({}): gristmill clean {} removes it",
                        unusable.complaint().what,
                        floor.plan.target
                    ));
                    verdict.status = verdict.status.max(history::Status::Unknown);
                }
            }
        }
        self.folder.write_verdict(&verdict)?;
        Ok(verdict)
    }
}
