//! Rounds of two things in turn, so that what disturbs one disturbs the other.

use std::sync::{Condvar, Mutex};

use shard::Clock;

/// How often each of the two runs, at least.
pub(crate) const ROUNDS: usize = 5;

pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let began = Clock::monotonic_us();
    work();
    (Clock::monotonic_us() - began) as f64 / 1e6
}

/// Microseconds of the machine's clock: the same for all its processes, unlike [`Clock::monotonic_us`].
pub(crate) fn machine_us() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    let now = nix::time::clock_gettime(clock).expect("every machine has this clock");
    (now.tv_sec() as u64) * 1_000_000 + now.tv_nsec() as u64 / 1000
}

/// CPU seconds of this process.
pub(crate) fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("usage");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

pub(crate) fn percentile(values: &mut [f64], of_hundred: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * of_hundred / 100).min(values.len() - 1)]
}

/// Seconds of ours and theirs, round by round.
#[derive(Default)]
pub(crate) struct Rounds {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Rounds {
    pub(crate) fn ours(&mut self, work: impl FnOnce()) {
        self.ours.push(seconds(work));
    }

    pub(crate) fn theirs(&mut self, work: impl FnOnce()) {
        self.theirs.push(seconds(work));
    }

    /// Units a second of ours and of theirs, from the median round.
    pub(crate) fn rates(&self, units: f64) -> (f64, f64) {
        (
            units / percentile(&mut self.ours.clone(), 50),
            units / percentile(&mut self.theirs.clone(), 50),
        )
    }

    /// The median of the rounds' ratios, theirs ÷ ours in time, and how far the rounds lie apart.
    pub(crate) fn ratio(&self, wanted: f64) -> String {
        let mut ratios: Vec<f64> = self.theirs.iter().zip(&self.ours).map(|(t, o)| t / o).collect();
        let median = percentile(&mut ratios, 50);
        format!(
            "ratio {median:.2} ({:.2} to {:.2} in {} rounds; wanted {wanted})",
            ratios[0],
            ratios[ratios.len() - 1],
            ratios.len()
        )
    }
}

/// Lets threads go on in order.
#[derive(Default)]
pub(crate) struct Turns {
    next: Mutex<u64>,
    changed: Condvar,
}

impl Turns {
    /// Does `work` when all turns before this one were taken.
    pub(crate) fn take(&self, turn: u64, work: impl FnOnce()) {
        let next = self.next.lock().expect("nobody panicked");
        let mut next = self
            .changed
            .wait_while(next, |next| *next != turn)
            .expect("nobody panicked");
        work();
        *next += 1;
        self.changed.notify_all();
    }
}
