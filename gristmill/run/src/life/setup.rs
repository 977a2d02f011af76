//! From a folder to a world in which sessions can run, and back to an empty server.

use super::left_over::LeftOver;
use super::load::Loaded;
use super::{Circumstances, head};
use crate::RunError;
use crate::against::Against;
use crate::agents::Meeting;
use crate::baton::Baton;
use crate::causes::Causes;
use crate::changing::Changing;
use crate::clean;
use crate::clock::Clock;
use crate::evidence::{self, Held, Ring};
use crate::fault::proxy::{Proxy, Upstream};
use crate::fault::{self, Faults, Needs, addresses};
use crate::plan::{Length, Pace, Plan};
use crate::registry::Registry;
use crate::repairs::Repairs;
use crate::replay::Schedule;
use crate::staged::{Replicas, Staged};
use crate::ticks::Ticks;
use crate::times::Times;
use crate::turnstile::{self, Exclusion, Turnstile};
use crate::verdict;
use crate::world::{Parts, World};
use check::Judge;
use datagen::schema::ColumnId;
use history::artefact::Folder;
use history::log::{Header, Limits, Record, What, Writer};
use history::tracker::TrackerFile;
use history::{
    Claim, Discipline, Explicit, Lts, Progress, Regenerate, SessionId, State, Status, Tracker, Verdict,
    Watcher,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use targets::target::Environment;
use targets::{Facts, OpenOptions, Target};
use workload::Partitions;

/// A world and what was learnt while it was made.
pub(crate) struct Setup {
    pub(crate) world: World,
    pub(crate) facts: Facts,
    pub(crate) left_over: LeftOver,
    registry: Registry,
    meeting: Option<Meeting>,
}

/// Segments of the log are of this size, or of a third of its limit where that is less.
const LOG_SEGMENT: u64 = 4 << 20;
/// They are whole blocks.
const LOG_BLOCK: u64 = 64 << 10;

/// Opens the target of a plan, as a run in `folder` uses it.
pub(crate) fn open_target(
    plan: &Plan,
    folder: &Path,
    environment: &Environment,
    through: BTreeMap<SessionId, std::net::SocketAddr>,
) -> Result<Arc<dyn Target>, RunError> {
    let mut options = OpenOptions::new(folder, &plan.prefix);
    options.sessions = plan.sessions;
    options.seed = plan.seed.0;
    if plan.parallel.is_none() {
        // Those of the parallel workload are told by its own sessions.
        options.lies = crate::plan::lies(&plan.lies);
    }
    options.level = Some(plan.level);
    options.discipline = plan.discipline;
    options.lock_step = plan.pace == Pace::LockStep;
    options.busy = Duration::from_millis(plan.busy_ms);
    options.through = through;
    options.environment = Arc::clone(environment);
    Ok(Arc::from(targets::open(&plan.target, &options)?))
}

/// Where the files of a run's target lie.
pub(crate) fn targets_folder(folder: &Folder) -> Result<PathBuf, RunError> {
    let path = folder.target();
    std::fs::create_dir_all(&path).map_err(|e| RunError::io(path.display().to_string(), e))?;
    Ok(path)
}

/// The visits of a plan: those that are written in it, or those that its workload makes, in stages where it has some.
pub fn history(plan: &Plan) -> Result<Arc<dyn Regenerate>, RunError> {
    let base = match staged(plan)? {
        Some(staged) => staged as Arc<dyn Regenerate>,
        None => one_load(plan)?,
    };
    Ok(changed(&Changing::of(plan, &base), base))
}

/// The visits as the plan's faults change them.
fn changed(changing: &Option<Arc<Changing>>, base: Arc<dyn Regenerate>) -> Arc<dyn Regenerate> {
    match changing {
        Some(changing) => Arc::clone(changing) as Arc<dyn Regenerate>,
        None => base,
    }
}

/// The stages of a plan, if it has any.
fn staged(plan: &Plan) -> Result<Option<Arc<Staged>>, RunError> {
    let Some(stages) = &plan.stages else {
        return Ok(None);
    };
    Ok(Some(Arc::new(Staged::new(
        one_load(plan)?,
        stages.clone(),
        replicas(plan),
    ))))
}

/// How each node of a plan's target is asked for its own copy.
pub(crate) fn replicas(plan: &Plan) -> Replicas {
    let Some(lww) = &plan.workload.lww else {
        return Replicas::default();
    };
    let conditional = |name: &str| plan.workload.tables.get(name).is_some_and(|t| t.conditional);
    let tables = (0..).zip(&plan.schema.tables);
    Replicas {
        nodes: lww.nodes,
        but: tables
            .filter(|(_, t)| conditional(&t.name))
            .map(|(n, _)| n)
            .collect(),
    }
}

/// The visits of a plan, its stages left out.
fn one_load(plan: &Plan) -> Result<Arc<dyn Regenerate>, RunError> {
    if plan.parallel.is_some() {
        return Err(RunError::NoVisits);
    }
    if plan.history.is_some() {
        return Ok(explicit(plan)?);
    }
    let partitions = Partitions::new(plan.workload.clone(), plan.seed.0, Arc::new(plan.schema.clone()));
    Ok(Arc::new(partitions.map_err(crate::plan::PlanError::from)?))
}

/// The written visits of a plan that has them.
fn explicit(plan: &Plan) -> Result<Arc<Explicit>, RunError> {
    let lines = plan.history.clone().unwrap_or_default();
    let made = Explicit::new(Arc::new(plan.schema.clone()), lines);
    Ok(Arc::new(made.map_err(crate::plan::PlanError::Misfits)?))
}

/// The judge of a plan's answers, as a run and whoever judges its folder again use it.
pub(crate) fn judge(
    plan: &Plan,
    visits: &Arc<dyn Regenerate>,
    tracker: &Arc<TrackerFile>,
    target: &dyn Target,
    times: Option<Arc<Times>>,
    repairs: Arc<Repairs>,
) -> Judge {
    let tracker = Arc::clone(tracker) as Arc<dyn Tracker>;
    let judge = judge_of(plan, plan.claim, visits, tracker, target);
    let judge = judge.with_repairs(Arc::new(move |by, asked| repairs.between(by, asked)));
    match times {
        None => judge,
        Some(times) => judge.with_clock(Arc::new(move |tick| times.at(tick)), plan.expiry_slack()),
    }
}

/// The same for another claim, and for another record of what became of the visits.
pub(crate) fn judge_of(
    plan: &Plan,
    claim: Claim,
    visits: &Arc<dyn Regenerate>,
    tracker: Arc<dyn Tracker>,
    target: &dyn Target,
) -> Judge {
    Judge::new(
        Arc::clone(visits),
        tracker,
        claim,
        target.semantics(),
        check::Options {
            bytes_max: usize::try_from(plan.model_bytes).unwrap_or(usize::MAX),
            choices_max: plan.choices,
            discipline: plan.discipline,
            check: plan.check,
            displacement: plan
                .workload
                .lww
                .as_ref()
                .filter(|_| plan.history.is_none())
                .map_or(i64::MAX, |lww| lww.clock.displacement()),
            sessions: (u32::from(plan.sessions) + plan.look_ahead).max(256),
            indexed: plan
                .changes
                .iter()
                .flat_map(|changes| &changes.indexed)
                .map(|(table, column)| (*table, ColumnId(*column)))
                .collect(),
            ..check::Options::default()
        },
    )
}

/// `before`: the target as this life had it until now, whose data may be in memory.
pub(super) fn set_up(
    folder: &Folder,
    plan: Plan,
    given: &Circumstances,
    before: Option<Arc<dyn Target>>,
    watcher: &mut dyn Watcher,
) -> Result<Setup, RunError> {
    let mut faults = fault::Schedule::new(plan.seed.0, &plan.faults, &plan.faults_at);
    let files = targets_folder(folder)?;
    let mut target = match &before {
        Some(target) => Arc::clone(target),
        None => open_target(&plan, &files, &given.environment, BTreeMap::new())?,
    };
    let facts = target.facts()?;
    if facts.pooler.is_some() {
        // A process that we ended or cancelled might be doing somebody else's work by then.
        faults = fault::Schedule::default();
    }
    let proxies = proxies(&faults, &plan, target.as_ref())?;
    if !proxies.is_empty() {
        target = open_target(&plan, &files, &given.environment, addresses(&proxies))?;
    }
    let staged = staged(&plan)?;
    let base = match &staged {
        Some(staged) => Arc::clone(staged) as Arc<dyn Regenerate>,
        None => one_load(&plan)?,
    };
    let changing = Changing::of(&plan, &base);
    let visits = changed(&changing, base);
    let overlaps = match (&given.schedule, &plan.history) {
        (None, Some(lines)) => Some(Arc::new(Schedule::written(lines))),
        (recorded, _) => recorded.clone(),
    };
    let schema = Arc::new(plan.schema.clone());
    let against = Against::open(&plan, folder, &given.environment, target.as_ref())?;
    let registry = Registry::open(folder)?;
    let meeting = Meeting::of(&plan, &files, &given.environment)?;
    let recorded = Recorded::read(folder, &plan)?;
    if recorded.is_new() {
        let again = registry.open_entry().is_some();
        let here = again && meeting.as_ref().is_some_and(Meeting::has_come);
        let makes = meeting.as_ref().is_none_or(Meeting::makes_tables) && !here;
        if again && makes {
            // An earlier life was killed before its first visit: what it had made is ours, and empty.
            target.cleanup()?;
        }
        registry.note(&plan.target, &plan.prefix, &target.plan_of_objects(&schema))?;
        if makes {
            target.prepare(&schema)?;
        }
        if let Some(meeting) = meeting.as_ref().filter(|_| !here) {
            if !makes {
                let text = "waiting for agent 1, which makes the tables".to_owned();
                watcher.see(&Progress::Note(text));
            }
            if let Err(error) = meeting.come(&given.interrupt) {
                // What is there is not ours to remove.
                registry.done()?;
                return Err(error);
            }
        }
        if let Some(against) = &against {
            registry.note(against.url(), &plan.prefix, &against.objects())?;
            against.prepare()?;
        }
    }
    let Recorded {
        log,
        tracker,
        held,
        next_tick,
        ns,
    } = recorded;
    if let Some(against) = &against {
        against.go_on(&tracker, visits.as_ref())?;
    }
    let times = plan
        .expires()
        .then(|| Times::open(folder.path()).map(Arc::new))
        .transpose()?;
    let ticks = Ticks::new(Arc::new(AtomicU64::new(next_tick)), plan.sessions).timed(times.clone());
    let clock = Clock::start(Duration::from_nanos(ns));
    let mut left_over = LeftOver::of(&tracker, held, folder, visits.as_ref())?;
    if before.is_some() {
        // It goes on counting them itself.
        left_over.account.lies.clear();
    }
    let repairs = Arc::new(Repairs::of(folder.path())?);
    let judge = judge(
        &plan,
        &visits,
        &tracker,
        target.as_ref(),
        times,
        Arc::clone(&repairs),
    );
    let mut held = left_over.answers.iter().map(|(held, _)| *held);
    let ring = Ring::open(&folder.evidence(), plan.evidence_bytes, &mut held)
        .map_err(|e| RunError::evidence_in(&folder.evidence(), e))?;
    let deadline = plan.deadline();
    let sessions = plan.sessions;
    let world = World::new(Parts {
        clock,
        ticks,
        turnstile: turnstile(&plan, &visits, &changing, &tracker, left_over.first, overlaps),
        history: visits,
        staged,
        changing,
        schema,
        target,
        log,
        log_folder: folder.log(),
        tracker,
        judge,
        baton: (plan.pace == Pace::LockStep).then(|| Baton::new(plan.seed.0, sessions)),
        ring,
        faults: Faults::new(clock, faults, proxies, sessions, deadline),
        causes: Causes::new(given.known.clone(), left_over.account.causes.clone()),
        against,
        repairs,
        plan,
    });
    world.go_on_from(&left_over);
    world.faults.restore(&left_over.faults, &left_over.kills);
    if let Some(why) = &facts.pooler {
        world.pooled(why);
    }
    Ok(Setup {
        world,
        facts,
        left_over,
        registry,
        meeting,
    })
}

/// A proxy for each session, where the plan has faults that need one.
fn proxies(
    schedule: &fault::Schedule,
    plan: &Plan,
    target: &dyn Target,
) -> Result<BTreeMap<u16, Proxy>, RunError> {
    if !schedule.kinds().any(|k| k.fault().needs == Needs::Proxy) {
        return Ok(BTreeMap::new());
    }
    let Some(upstream) = target.upstream()? else {
        return Ok(BTreeMap::new());
    };
    let upstream = match upstream {
        targets::Upstream::Tcp(address) => Upstream::Tcp(address),
        targets::Upstream::Unix(path) => Upstream::Unix(path),
    };
    (1..=plan.sessions)
        .map(|session| Ok((session, Proxy::start(upstream.clone())?)))
        .collect::<Result<_, std::io::Error>>()
        .map_err(|e| RunError::io("a fault proxy cannot listen", e))
}

/// Visits that a replay may hold back for their place in the record.
const REPLAY_WINDOW: usize = 1 << 16;

fn turnstile(
    plan: &Plan,
    visits: &Arc<dyn Regenerate>,
    changing: &Option<Arc<Changing>>,
    tracker: &Arc<TrackerFile>,
    first: Lts,
    schedule: Option<Arc<Schedule>>,
) -> Turnstile {
    let last = match plan.length {
        Length::Visits(n) => Lts(n),
        Length::TimeMs(_) | Length::Stages => Lts(u64::MAX),
    };
    let (skips, dones) = (Arc::clone(tracker), Arc::clone(tracker));
    let done_until = tracker.highest();
    let changing = changing.clone();
    Turnstile::new(
        Arc::clone(visits),
        turnstile::Options {
            first,
            last,
            look_ahead: match schedule {
                Some(_) => REPLAY_WINDOW,
                None => usize::from(plan.sessions) * plan.look_ahead as usize,
            },
            skipped: Box::new(move |lts| {
                // Without room for sixteen bytes the run is about to end anyway.
                if skips.reserve(lts).is_ok() {
                    skips.skip(lts);
                }
            }),
            done: Box::new(move |lts| dones.get(lts).state != State::Waiting),
            done_until,
            schedule,
            follows: Box::new(move |lts| changing.as_ref().is_some_and(|c| c.after(lts).is_some())),
            exclusion: match (plan.discipline, plan.exclusion) {
                (Discipline::Ordered, _) => Exclusion::Writers,
                (Discipline::Lww, true) => Exclusion::All,
                (Discipline::Lww, false) => Exclusion::None,
            },
        },
    )
}

/// What a folder holds of earlier lives.
struct Recorded {
    log: Writer,
    tracker: Arc<TrackerFile>,
    held: Vec<(Held, history::Answered)>,
    next_tick: u64,
    ns: u64,
}

impl Recorded {
    fn read(folder: &Folder, plan: &Plan) -> Result<Recorded, RunError> {
        let header = Header {
            run: folder.name(),
            plan: plan.digest(),
        };
        let limits = Limits {
            segment_bytes: (plan.log_bytes / 3 / LOG_BLOCK * LOG_BLOCK).clamp(LOG_BLOCK, LOG_SEGMENT),
            bytes_max: plan.log_bytes.max(3 * LOG_BLOCK),
        };
        if !folder.tracker().exists() {
            let tracker = Arc::new(TrackerFile::create(&folder.tracker())?);
            let log = Writer::create(&folder.log(), header, limits)?;
            return Ok(Recorded {
                log,
                tracker,
                held: Vec::new(),
                next_tick: 1,
                ns: 0,
            });
        }
        let tracker = Arc::new(TrackerFile::open(&folder.tracker())?);
        let mut ns = 0;
        let (log, resumed) =
            Writer::resume(&folder.log(), header, limits, &mut |r: &Record| ns = ns.max(r.ns))?;
        let (held, _) = evidence::read_placed(&folder.evidence()).map_err(RunError::evidence)?;
        let mut last = resumed.last_tick.0;
        last = held.iter().map(|(_, a)| a.span.answered.0).fold(last, u64::max);
        for lts in (1..=tracker.highest().0).map(Lts) {
            let track = tracker.get(lts);
            for tick in [track.visible_from.0, track.visible_by.0] {
                last = if tick == u64::MAX { last } else { last.max(tick) };
            }
        }
        // A worker may have drawn ticks that it wrote nowhere: as many as its sessions could take between two records.
        let next_tick = last + 1 + 2 * u64::from(plan.sessions);
        let taken = Recorded {
            log,
            tracker,
            held,
            next_tick,
            ns,
        };
        let tick = std::cell::Cell::new(next_tick);
        taken.log.append(
            SessionId(0),
            ns,
            &|| {
                tick.set(tick.get() + 1);
                history::Tick(tick.get() - 1)
            },
            &What::Resumed {
                records: resumed.records,
            },
        )?;
        Ok(Recorded {
            next_tick: tick.get(),
            ..taken
        })
    }

    /// Whether nothing was ever done here.
    fn is_new(&self) -> bool {
        self.ns == 0 && self.tracker.highest() == Lts(0)
    }
}

impl Setup {
    /// Cleans the server up, closes the log, and puts the verdict together.
    pub(super) fn finish(self, folder: &Folder, loaded: Loaded) -> Result<Verdict, RunError> {
        let Setup {
            world,
            facts,
            registry,
            meeting,
            ..
        } = self;
        let admitted = loaded.last;
        let mut verdict = verdict::make(&world, &facts, &head::setup(&world.plan), loaded);
        if let (Ok(file), true) = (std::fs::metadata(folder.tracker()), admitted > Lts(0)) {
            let (bytes, visits) = (file.len(), admitted.0);
            let words = format!(
                "{bytes} bytes for {visits} visits, {} a visit",
                bytes.div_ceil(visits)
            );
            verdict.setup.insert("tracker".to_owned(), words);
        }
        world.log.close(world.clock.ns(), &|| world.ticks.take())?;
        // What lies in the run's folder stays there as it was at the finding.
        if let Some(against) = &world.against {
            let (words, any) = against.words();
            verdict.setup.insert("against".to_owned(), words);
            if !any {
                let doubt = format!("no answer was compared with {}", against.url());
                verdict.doubts.push(doubt);
                verdict.status = verdict.status.max(Status::Unknown);
            }
        }
        let last = meeting.as_ref().is_none_or(|meeting| gone(meeting, &mut verdict));
        if world.plan.keep {
            verdict.setup.insert("kept".to_owned(), kept(&world));
        } else if last && (verdict.status != Status::Finding || !head::lives_in_folder(&world.plan.target)) {
            let second = world.against.as_ref().map_or(Ok(()), Against::cleanup);
            match world.target.cleanup() {
                Ok(_) => {
                    second?;
                    registry.done()?;
                    if meeting.is_some() {
                        clean::others(folder, &world.plan)?;
                    }
                }
                // The server may be what was found wanting: that must not cost the verdict.
                Err(unusable) => {
                    verdict.doubts.push(format!(
                        "what was made is still there ({}): gristmill clean {} removes it",
                        unusable.complaint().what,
                        world.plan.target
                    ));
                    verdict.status = verdict.status.max(Status::Unknown);
                }
            }
        }
        Ok(verdict)
    }
}

/// An agent says that it goes: whether it is the last one out.
fn gone(meeting: &Meeting, verdict: &mut Verdict) -> bool {
    let others = match meeting.go() {
        Ok(others) if others.is_empty() => return true,
        Ok(others) => others,
        Err(error) => {
            verdict
                .doubts
                .push(format!("the other agents were not told that it is done: {error}"));
            verdict.status = verdict.status.max(Status::Unknown);
            return false;
        }
    };
    let names: Vec<String> = others.iter().map(u16::to_string).collect();
    let who = match names.as_slice() {
        [one] => format!("agent {one} is"),
        several => format!("agents {} are", several.join(", ")),
    };
    let words = format!("the last one out removes what was made: {who} not done");
    verdict.setup.insert("agents".to_owned(), words);
    false
}

/// What is left on the database, and for whom.
fn kept(world: &World) -> String {
    format!(
        "what {0} made is still on {1} (gristmill check compares it, gristmill clean {1} removes it)",
        world.plan.prefix, world.plan.target
    )
}
