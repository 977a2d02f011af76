//! The load: sessions, faults and judging at once, and the loop that watches over them.

use super::Circumstances;
use super::left_over::LeftOver;
use crate::RunError;
use crate::against::Against;
use crate::fault;
use crate::inbox::Batch;
use crate::judging::Judging;
use crate::plan::Length;
use crate::session::{self, Tally};
use crate::world::World;
use history::progress::Planned;
use history::{Counts, Lts, Progress, SessionId, Watcher};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

/// What the load ended with.
pub(crate) struct Loaded {
    pub(crate) tally: Tally,
    pub(crate) counts: Counts,
    /// The last visit that was admitted.
    pub(crate) last: Lts,
    /// How long it ran.
    pub(crate) load: Duration,
    pub(crate) interrupted: bool,
    pub(crate) lies: BTreeMap<String, u64>,
    /// What had no room.
    pub(crate) disk_full: Option<String>,
    /// The time of a load of several stages is over: how many visits of the workload it took.
    pub(crate) stage: Option<u64>,
}

/// Frees every thread if this one panics.
struct Watch<'w>(&'w World);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abort();
        }
        self.0.inbox.close();
    }
}

pub(super) fn load(
    world: &World,
    left_over: &LeftOver,
    given: &Circumstances,
    watcher: &mut dyn Watcher,
) -> Result<Loaded, RunError> {
    // A run that is gone on with began in its first life.
    let began = if left_over.is_any() {
        Duration::ZERO
    } else {
        world.clock.elapsed()
    };
    session::settle_left_over(world, left_over)?;
    leave_again(world, left_over);
    std::thread::scope(|scope| {
        let _watch = Watch(world);
        let sessions: Vec<ScopedJoinHandle<'_, Tally>> = (1..=world.plan.sessions)
            .map(|number| scope.spawn(move || session::run(world, SessionId(number))))
            .collect();
        let over = || sessions.iter().all(ScopedJoinHandle::is_finished);
        let mut ticker = Ticker::new(world, given, began);
        let mut judging = Judging::new(world, left_over, scope);
        let judged = std::thread::scope(|inner| {
            inner.spawn(|| fault::serve(world, &over));
            loop {
                let ended = over();
                let any = judging.round();
                let any = match any {
                    Ok(any) => any,
                    Err(error) => {
                        world.fail(error);
                        world.inbox.close();
                        false
                    }
                };
                if (ticker.is_account_due() || judging.is_account_due())
                    && let Err(error) = judging.write_account()
                {
                    world.fail(error);
                }
                ticker.tick(&judging, watcher)?;
                if ended && !any {
                    judging.finish()?;
                    if ticker.stage.as_ref().is_some_and(|stage| stage.over) {
                        judging.write_account()?;
                    }
                    return Ok::<(), RunError>(());
                }
            }
        });
        if judged.is_err() {
            world.abort();
        }
        let load = ticker.load_ended.unwrap_or_else(|| world.clock.elapsed()) - began;
        let mut tally = Tally {
            writing: left_over.writing,
            ..Tally::default()
        };
        for session in sessions {
            tally.add(&session.join().map_err(|_| RunError::SessionDied)?);
        }
        judged?;
        if world.turnstile.forced() > 0 {
            let text = format!(
                "{} visits did not find their place in the record again",
                world.turnstile.forced()
            );
            watcher.see(&Progress::Note(text));
        }
        let mut disk_full = None;
        match world.failure() {
            None => {}
            Some(RunError::Away(unusable)) => world.doubt(format!(
                "the load ended early, the database went away and was not back within {} s: {}",
                world.plan.settle().as_secs(),
                unusable.complaint().what
            )),
            Some(error) if error.is_full_disk() => disk_full = Some(error.to_string()),
            Some(error) => return Err(error),
        }
        let last = world.turnstile.admitted();
        let stage = ticker.stage.filter(|stage| {
            let goes_on = disk_full.is_none() && !ticker.interrupted && !world.is_over();
            stage.over && goes_on && !world.plan.stop.reached(world.causes.total())
        });
        Ok(Loaded {
            stage: stage.map(|stage| (last.0 + 1).saturating_sub(stage.first.0)),
            tally,
            counts: judging.counts(),
            last,
            load,
            interrupted: ticker.interrupted,
            lies: world.lies(&left_over.account.lies),
            disk_full,
        })
    })
}

/// Answers of an earlier life go to the judge like those of this one; they lie in the ring already.
fn leave_again(world: &World, left_over: &LeftOver) {
    // They were counted; what comes is judged by them.
    for answered in &left_over.calls {
        world.judge.conclude(world.judge.explain(answered.clone()));
    }
    for (held, answered) in &left_over.answers {
        world.inbox.leave(Batch::again(*held, answered.clone()));
    }
}

/// What happens about ten times a second: the end of time, interrupts, notes, progress.
struct Ticker<'w> {
    world: &'w World,
    given: &'w Circumstances,
    began: Duration,
    next: Duration,
    next_account: Duration,
    /// Visits ended at the last looks, for the rate.
    looks: VecDeque<(Duration, u64)>,
    load_ended: Option<Duration>,
    interrupted: bool,
    said: Vec<String>,
    found: usize,
    /// Visits of all stages, where there are any.
    staged_visits: u64,
    stage: Option<Stage>,
}

/// A load whose length is a time.
struct Stage {
    first: Lts,
    time: Duration,
    /// When its first visit was admitted.
    since: Option<Duration>,
    over: bool,
}

impl Stage {
    /// That of the stages of a run, if one is to come.
    fn of(world: &World) -> Option<Stage> {
        let (staged, stages) = (world.staged.as_ref()?, world.plan.stages.as_ref()?);
        Some(Stage {
            time: Duration::from_millis(stages.open()?.0),
            first: staged.open()?,
            since: None,
            over: false,
        })
    }

    /// Whether its time is up.
    fn is_over(&mut self, admitted: Lts, now: Duration) -> bool {
        if admitted >= self.first {
            let since = *self.since.get_or_insert(now);
            self.over |= now - since >= self.time;
        }
        self.over
    }
}

const TICK: Duration = Duration::from_millis(100);
/// How often the account is written when nobody asks for it.
const ACCOUNT: Duration = Duration::from_secs(1);
/// Looks that make a second.
const LOOKS: usize = 10;

impl<'w> Ticker<'w> {
    fn new(world: &'w World, given: &'w Circumstances, began: Duration) -> Ticker<'w> {
        Ticker {
            world,
            given,
            began,
            next: began,
            next_account: began + ACCOUNT,
            looks: VecDeque::new(),
            load_ended: None,
            interrupted: false,
            said: Vec::new(),
            found: 0,
            stage: Stage::of(world),
            staged_visits: match (&world.staged, world.plan.length) {
                (Some(staged), Length::Stages) => staged.visits(),
                _ => 0,
            },
        }
    }

    fn tick(&mut self, judging: &Judging<'_>, watcher: &mut dyn Watcher) -> Result<(), RunError> {
        let world = self.world;
        let now = world.clock.elapsed();
        if self.load_ended.is_none() {
            self.end_load(now);
        }
        for finding in world.against.iter().flat_map(Against::found) {
            world.causes.own(finding);
        }
        world.causes.gather(world)?;
        if world.plan.stop.reached(world.causes.total()) {
            world.turnstile.stop();
        }
        self.show_findings(watcher);
        if now < self.next {
            return Ok(());
        }
        self.next = now + TICK;
        for note in std::mem::take(&mut *world.notes.lock()) {
            if !self.said.contains(&note) {
                watcher.see(&Progress::Note(note.clone()));
                self.said.push(note);
            }
        }
        watcher.see(&self.progress(judging, now));
        Ok(())
    }

    fn is_account_due(&mut self) -> bool {
        let now = self.world.clock.elapsed();
        let due = now >= self.next_account;
        if due {
            self.next_account = now + ACCOUNT;
        }
        due
    }

    fn end_load(&mut self, now: Duration) {
        let world = self.world;
        let time_is_up =
            matches!(world.plan.length, Length::TimeMs(ms) if now - self.began >= Duration::from_millis(ms));
        let interrupted = self.given.interrupt.load(Ordering::SeqCst);
        let admitted = world.turnstile.admitted();
        let stage_is_over = self
            .stage
            .as_mut()
            .is_some_and(|stage| stage.is_over(admitted, now));
        if time_is_up || stage_is_over || interrupted {
            world.turnstile.stop();
            self.interrupted = interrupted;
        }
        if time_is_up || stage_is_over || interrupted || world.is_over() || world.turnstile.is_stopped() {
            self.load_ended = Some(now);
        }
    }

    fn show_findings(&mut self, watcher: &mut dyn Watcher) {
        for cause in self.world.causes.since(&mut self.found) {
            watcher.see(&Progress::Found(Box::new(cause)));
        }
    }

    fn progress(&mut self, judging: &Judging<'_>, now: Duration) -> Progress {
        let world = self.world;
        let visits = world.ended.load(Ordering::Relaxed);
        self.looks.push_back((now, visits));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        let (then, before) = self.looks[0];
        let ms = u64::try_from((now - then).as_millis()).unwrap_or(u64::MAX).max(1);
        let stage = self
            .stage
            .as_ref()
            .and_then(|stage| Some((stage.time, stage.since?)));
        let since = stage.map_or(self.began, |(_, since)| since);
        let behind_ms = judging
            .waits_since()
            .map_or(0, |since| world.clock.ns().saturating_sub(since) / 1_000_000);
        Progress::Load {
            visits,
            rate: (visits - before) * 1000 / ms,
            checked: judging.checked(),
            behind_ms,
            findings: world.causes.total(),
            elapsed_ms: u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX),
            of: match world.plan.length {
                Length::Stages if let Some((time, _)) = stage => {
                    Planned::Time(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
                }
                Length::TimeMs(ms) => Planned::Time(ms),
                Length::Visits(n) => Planned::Visits(n),
                Length::Stages => Planned::Visits(self.staged_visits),
            },
            phase: self.phase(),
            beside: Vec::new(),
        }
    }
    /// What it is doing, as [`Progress::Load`] says it.
    fn phase(&self) -> String {
        let world = self.world;
        if self.load_ended.is_some() && world.plan.is_checked() {
            return "judging what is left".to_owned();
        }
        let at = world.turnstile.admitted();
        let validation = world.staged.as_ref().and_then(|staged| staged.validation(at));
        match validation.filter(|(first, _)| *first <= at) {
            Some((first, last)) => format!(
                "validating, read {} of {}",
                at.0 - first.0 + 1,
                last.0 - first.0 + 1
            ),
            None if world.plan.is_checked() => "load".to_owned(),
            None => Progress::UNCHECKED.to_owned(),
        }
    }
}
