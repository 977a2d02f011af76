//! Timely workers that move only when told to.
//!
//! Each worker lives on a thread of its own and runs one job at a time; the test waits for its answer.
//! So at most one thread is ever active, and a test's interleaving is what the test wrote.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use timely::WorkerConfig;
use timely::communication::{Config, WorkerGuards, initialize_from};
use timely::worker::Worker;

use crate::stage::Stage;

type Answer = Result<Box<dyn Any + Send>, Box<dyn Any + Send>>;
type Job = Box<dyn FnOnce(&mut Stage) -> Box<dyn Any + Send> + Send>;

struct Puppet {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
}

/// Workers of one (perhaps pretended) process.
pub(crate) struct Puppets {
    puppets: Vec<Puppet>,
    /// Joins the threads when dropped, after the senders of jobs above are gone.
    _guards: WorkerGuards<()>,
}

impl Puppets {
    /// `count` workers of one process.
    pub(crate) fn threads(count: usize) -> Puppets {
        Puppets::of(
            if count == 1 {
                Config::Thread
            } else {
                Config::Process(count)
            },
            0,
            count,
        )
    }

    /// `threads` workers of process number `process`, connected to the others by TCP on loopback.
    ///
    /// Waits until all processes are there; so each is made on a thread of its own.
    pub(crate) fn cluster(process: usize, threads: usize, addresses: Vec<String>) -> Puppets {
        let config = Config::Cluster {
            threads,
            process,
            addresses,
            report: false,
            zerocopy: false,
        };
        Puppets::of(config, process * threads, threads)
    }

    fn of(config: Config, first: usize, count: usize) -> Puppets {
        let (builders, others) = config.try_build().expect("loopback connects");
        let mut puppets = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..count {
            let (jobs, inbox) = channel::<Job>();
            let (outbox, answers) = channel::<Answer>();
            puppets.push(Puppet { jobs, answers });
            ends.push(Some((inbox, outbox)));
        }
        let ends = Mutex::new(ends);
        let guards = initialize_from(builders, others, move |allocator| {
            let worker = Worker::new(WorkerConfig::default(), allocator, None);
            let (inbox, outbox) = ends.lock()[worker.index() - first]
                .take()
                .expect("one thread a worker");
            let mut stage = Stage::new(worker);
            while let Ok(job) = inbox.recv() {
                let answer = catch_unwind(AssertUnwindSafe(|| job(&mut stage)));
                if outbox.send(answer).is_err() {
                    break;
                }
            }
        });
        Puppets {
            puppets,
            _guards: guards.expect("threads start"),
        }
    }

    /// Number of workers.
    pub(crate) fn len(&self) -> usize {
        self.puppets.len()
    }

    /// Runs `job` on one worker and waits for its answer; a panic there is a panic here.
    pub(crate) fn on<T: Send + 'static>(
        &self,
        worker: usize,
        job: impl FnOnce(&mut Stage) -> T + Send + 'static,
    ) -> T {
        let puppet = &self.puppets[worker];
        let job: Job = Box::new(move |stage| Box::new(job(stage)));
        puppet.jobs.send(job).expect("the worker thread lives");
        match puppet.answers.recv().expect("the worker thread lives") {
            Ok(answer) => *answer.downcast().expect("the job's own type"),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Runs the same job on every worker, in order of index.
    pub(crate) fn on_all<T: Send + 'static>(
        &self,
        job: impl Fn(&mut Stage) -> T + Send + Sync + Clone + 'static,
    ) -> Vec<T> {
        (0..self.len())
            .map(|worker| {
                let job = job.clone();
                self.on(worker, move |stage| job(stage))
            })
            .collect()
    }
}
