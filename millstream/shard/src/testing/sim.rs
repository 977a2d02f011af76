//! A single-threaded executor that lets the test say who moves next.
//!
//! Invariants:
//! 1. The same choices give the same run.
//! 2. A task that is aborted is dropped where it stands, like a process that dies.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use crate::clock::Clock;

/// Polls after which a scenario is taken to run in circles.
const STEPS_MAX: u64 = 300_000;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ready: Arc<Flag>,
}

/// Where a spawned task leaves its result.
#[derive(Debug)]
pub struct Outcome<T> {
    slot: Arc<Mutex<Option<T>>>,
    task: usize,
}

impl<T> Outcome<T> {
    /// The result, if the task has ended.
    pub fn take(&self) -> Option<T> {
        self.slot.lock().take()
    }

    /// Whether the task has ended and its result was not taken.
    pub fn is_ready(&self) -> bool {
        self.slot.lock().is_some()
    }

    /// The task's number, for [`Sim::abort`].
    pub fn task(&self) -> usize {
        self.task
    }
}

/// Tasks, and the clock they share.
pub struct Sim {
    tasks: Vec<Task>,
    clock: Clock,
    /// Polls done so far.
    pub steps: u64,
}

impl Sim {
    /// No tasks yet; `clock` is moved when everyone waits.
    pub fn new(clock: Clock) -> Sim {
        Sim {
            tasks: Vec::new(),
            clock,
            steps: 0,
        }
    }

    /// Adds a task; it does not run before the next step.
    pub fn spawn<T: Send + 'static>(
        &mut self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Outcome<T> {
        let slot = Arc::new(Mutex::new(None));
        let out = Arc::clone(&slot);
        let boxed = Box::pin(async move {
            let value = future.await;
            *out.lock() = Some(value);
        });
        self.tasks.push(Task {
            future: Some(boxed),
            ready: Arc::new(Flag(AtomicBool::new(true))),
        });
        Outcome {
            slot,
            task: self.tasks.len() - 1,
        }
    }

    /// Drops a task where it stands.
    pub fn abort(&mut self, task: usize) {
        self.tasks[task].future = None;
    }

    /// Tasks that would move if polled.
    pub fn ready(&self) -> Vec<usize> {
        let live = self.tasks.iter().enumerate().filter(|(_, t)| t.future.is_some());
        live.filter(|(_, t)| t.ready.0.load(Ordering::SeqCst))
            .map(|(index, _)| index)
            .collect()
    }

    /// Whether every task has ended or was aborted.
    pub fn is_done(&self) -> bool {
        self.tasks.iter().all(|task| task.future.is_none())
    }

    /// Polls one task.
    pub fn poll(&mut self, task: usize) {
        let task = &mut self.tasks[task];
        let Some(future) = task.future.as_mut() else {
            return;
        };
        task.ready.0.store(false, Ordering::SeqCst);
        self.steps += 1;
        assert!(self.steps < STEPS_MAX, "the tasks run in circles");
        let waker = Waker::from(Arc::clone(&task.ready));
        if future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(()) {
            task.future = None;
        }
    }

    /// Runs until nobody can move without time passing; `choose` picks among the ready ones.
    pub fn settle_by(&mut self, choose: &mut dyn FnMut(&[usize]) -> usize) {
        loop {
            let ready = self.ready();
            if ready.is_empty() {
                return;
            }
            let pick = ready[choose(&ready) % ready.len()];
            self.poll(pick);
        }
    }

    /// Runs until nobody can move without time passing, the earliest spawned first.
    pub fn settle(&mut self) {
        self.settle_by(&mut |_| 0);
    }

    /// Runs until all tasks are done, moving the clock whenever everyone waits for it.
    ///
    /// # Panics
    /// If tasks are left that wait for nothing that will come.
    pub fn finish(&mut self) {
        self.finish_by(&mut |_| 0);
    }

    /// [`Sim::finish`], with a choice of who moves.
    pub fn finish_by(&mut self, choose: &mut dyn FnMut(&[usize]) -> usize) {
        loop {
            self.settle_by(choose);
            if self.is_done() {
                return;
            }
            self.wait_for_clock();
        }
    }

    /// Runs one future to its end while `stalled` does not move.
    pub fn run_others<T: Send + 'static>(
        &mut self,
        future: impl Future<Output = T> + Send + 'static,
        stalled: usize,
    ) -> T {
        let outcome = self.spawn(future);
        loop {
            while let Some(task) = self.ready().into_iter().find(|task| *task != stalled) {
                self.poll(task);
            }
            if let Some(value) = outcome.take() {
                return value;
            }
            self.wait_for_clock();
        }
    }

    /// Lets at most `ms` pass until a task is done; says so if that is not enough.
    pub fn finish_at_most(&mut self, ms: u64, task: usize) -> Result<(), String> {
        let end = self.clock.now_ms() + ms;
        loop {
            self.settle();
            if self.tasks[task].future.is_none() {
                return Ok(());
            }
            match self.clock.next_deadline_ms() {
                Some(deadline) if deadline <= end => self.clock.advance(deadline - self.clock.now_ms()),
                _ => return Err(format!("not done within {ms} ms")),
            }
        }
    }

    fn wait_for_clock(&self) {
        let deadline = self
            .clock
            .next_deadline_ms()
            .expect("everyone waits for something that never comes");
        self.clock.advance(deadline.saturating_sub(self.clock.now_ms()));
    }

    /// Runs one future to its end, with everyone else moving as they can.
    pub fn run<T: Send + 'static>(&mut self, future: impl Future<Output = T> + Send + 'static) -> T {
        let outcome = self.spawn(future);
        loop {
            self.settle();
            if let Some(value) = outcome.take() {
                return value;
            }
            self.wait_for_clock();
        }
    }
}
