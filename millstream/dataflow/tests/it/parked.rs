//! Workers that sleep until someone wakes them: SRC-23.
//!
//! These use real threads in `step_or_park(None)` and a runtime of their own: nothing here polls, so what
//! is not woken stays asleep. The time limit only turns a hang into a failure.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dataflow::{Hooks, Mutant, ShardInput, SourceOptions};
use parking_lot::Mutex;
use shard::{Client, ClientConfig, Frontier, Location, ShardId, Update};
use timely::communication::{Config, WorkerGuards};
use timely::dataflow::operators::{Inspect, Probe};

use crate::world::{CODEC, Watch};

/// How long a wake may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a mutant that never wakes is given.
const MUTANT_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, PartialEq, Eq)]
enum News {
    Row(u64),
    Frontier(usize, Option<u64>),
    Error(String),
    /// This worker's dataflow is uninstalled.
    Done(usize),
}

struct Sleepers {
    runtime: tokio::runtime::Runtime,
    client: Client,
    shard: ShardId,
    news: Receiver<News>,
    watch: Watch,
    /// Tells workers to drop everything at once.
    abandon: Arc<std::sync::atomic::AtomicBool>,
    /// Presses the buttons of a worker when something is sent.
    press: Vec<tokio::sync::watch::Sender<bool>>,
    _guards: WorkerGuards<()>,
    patience: Duration,
}

/// `workers` workers that follow an empty shard, parked whenever there is nothing to do.
fn sleepers(workers: usize, mutant: Mutant) -> Sleepers {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    let client = Client::new(Location::mem(), ClientConfig::manual(1_000_000, 3));
    let shard = client.fresh_shard();
    let (sender, news) = channel();
    let sender = Mutex::new(sender);
    let input = ShardInput {
        runtime: runtime.handle().clone(),
        client: client.clone(),
        shard,
        codec: CODEC.to_owned(),
    };
    let (presses, pressed): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| tokio::sync::watch::channel(false)).unzip();
    let handle = runtime.handle().clone();
    let abandon = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let abandoned = Arc::clone(&abandon);
    let watch = Watch::default();
    let (errors, counted) = (watch.clone(), watch.clone());
    let config = timely::Config {
        communication: Config::Process(workers),
        worker: timely::WorkerConfig::default(),
    };
    let guards = timely::execute(config, move |worker| {
        let index = worker.index();
        let sender = sender.lock().clone();
        let (input, errors) = (input.clone(), errors.clone());
        let error_sender = Mutex::new(sender.clone());
        let handler = dataflow::ErrorHandler::Signal(Arc::new(move |error| {
            let _ = error_sender.lock().send(News::Error(error.to_string()));
        }));
        let options = SourceOptions::new("parked", handler);
        let hooks = Hooks {
            counters: Some(Arc::clone(&errors.counters)),
            ..Hooks::mutant(mutant)
        };
        let rows = sender.clone();
        let (token, probe) = worker.dataflow::<u64, _, _>(|scope| {
            let source = dataflow::shard_source_hooked(scope, input, options, hooks);
            let (probe, _) = source
                .rows
                .inspect(move |(_, time, _)| drop(rows.send(News::Row(*time))))
                .probe();
            (source.token, probe)
        });
        // A task unparks this worker when it is told to press, as any command to a worker would.
        let mut order = pressed[index].clone();
        let thread = std::thread::current();
        let waker = order.clone();
        handle.spawn(async move {
            let mut waker = waker;
            let _ = waker.wait_for(|pressed| *pressed).await;
            thread.unpark();
        });
        let mut token = Some(token);
        let mut before = None;
        while worker.has_dataflows() {
            if abandoned.load(std::sync::atomic::Ordering::SeqCst) {
                let installed = worker.installed_dataflows();
                installed
                    .into_iter()
                    .for_each(|dataflow| worker.drop_dataflow(dataflow));
                continue;
            }
            let frontier = probe.with_frontier(|frontier| frontier.first().copied());
            if before != Some(frontier) {
                before = Some(frontier);
                let _ = sender.send(News::Frontier(index, frontier));
            }
            if *order.borrow_and_update() && token.is_some() {
                drop(token.take());
                continue;
            }
            worker.step_or_park(None);
        }
        let _ = sender.send(News::Done(index));
    })
    .expect("workers start");
    let patience = if mutant == Mutant::None {
        PATIENCE
    } else {
        MUTANT_PATIENCE
    };
    Sleepers {
        watch: counted,
        runtime,
        client,
        shard,
        news,
        abandon,
        press: presses,
        _guards: guards,
        patience,
    }
}

impl Sleepers {
    #[track_caller]
    fn expect(&self, wanted: News) {
        loop {
            let news = self.news.recv_timeout(self.patience);
            let news = news.unwrap_or_else(|_| panic!("nobody woke up to say {wanted:?}"));
            let matches = match (&news, &wanted) {
                (News::Error(text), News::Error(part)) => text.contains(part.as_str()),
                (news, wanted) => news == wanted,
            };
            if matches {
                return;
            }
        }
    }

    fn append(&self, time: u64) {
        self.runtime.block_on(async {
            let writer = self
                .client
                .open_writer(self.shard, CODEC, "test")
                .await
                .expect("opens");
            let update = Update::new(format!("row {time}"), time, 1);
            writer
                .compare_and_append(&[update], Frontier::At(time), Frontier::At(time + 1))
                .await
                .expect("appends");
        });
    }

    /// Waits until no operator has run during a few exchanges with the store.
    fn idle(&self) {
        let schedules = || -> i64 {
            let counted = self.watch.counters.all();
            counted
                .iter()
                .filter(|(name, _)| name.starts_with("schedules"))
                .map(|(_, count)| count)
                .sum()
        };
        let mut quiet = 0;
        while quiet < 20 {
            let before = schedules();
            self.touch();
            quiet = if schedules() == before { quiet + 1 } else { 0 };
        }
    }

    /// Makes a new version of the shard without data.
    fn touch(&self) {
        self.runtime.block_on(async {
            let reader = self
                .client
                .open_leased_reader(self.shard, CODEC, "touch")
                .await
                .expect("opens");
            reader.expire().await.expect("expires");
        });
    }

    fn press_all(&self) {
        for press in &self.press {
            press.send_replace(true);
        }
    }
}

impl Drop for Sleepers {
    /// A mutant may never wake: its workers are told to give up, and unparked until they are gone.
    fn drop(&mut self) {
        self.abandon.store(true, std::sync::atomic::Ordering::SeqCst);
        self.press_all();
        loop {
            for guard in self._guards.guards() {
                guard.thread().unpark();
            }
            if self._guards.guards().iter().all(|guard| guard.is_finished()) {
                return;
            }
            std::thread::yield_now();
        }
    }
}

pub(crate) fn an_append_wakes_parked_workers(mutant: Mutant) {
    let world = sleepers(2, mutant);
    for time in 0..20 {
        world.append(time);
        world.expect(News::Row(time));
    }
    // Both workers learn of the progress.
    world.append(20);
    world.expect(News::Frontier(0, Some(21)));
    world.append(21);
    world.expect(News::Frontier(1, Some(22)));
    world.press_all();
    world.expect(News::Done(0));
}

pub(crate) fn a_press_on_another_worker_wakes_parked_workers(mutant: Mutant) {
    let world = sleepers(2, mutant);
    world.append(0);
    world.expect(News::Row(0));
    world.press[0].send_replace(true);
    // Worker 1 has pressed nothing yet; its own press ends both, so worker 0 must be woken by it.
    world.append(1);
    world.press[1].send_replace(true);
    world.expect(News::Done(0));
}

pub(crate) fn a_listen_error_wakes_parked_workers(mutant: Mutant) {
    let world = sleepers(2, mutant);
    world.append(0);
    world.expect(News::Row(0));
    world.expect(News::Frontier(0, Some(1)));
    world.idle();
    // The reader's lease runs out; the next batch finds that out.
    // Leases age by at most a minute a command.
    for _ in 0..17 {
        world.client.clock().advance(60_000);
        world.touch();
    }
    world.idle();
    world.append(1);
    world.expect(News::Error("lease".to_owned()));
    world.press_all();
    world.expect(News::Done(0));
}
