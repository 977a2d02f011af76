//! Rows a second on two workers, against two cores divided by the CPU time a row takes on one worker. Below 0.8
//! the source waits instead of working.

use std::time::Duration;

use crate::stage::{Bench, ROUNDS, decimal, median};

/// So many that chance deals the workers equal shares, within a percent, and that the start of a dataflow does not count.
const BATCHES: u64 = 1024;
const ROWS: u64 = 4_000;
const ROW_BYTES: usize = 100;

pub(crate) fn run() {
    let bench = Bench::new(Duration::ZERO);
    bench.fill(BATCHES, ROWS, ROW_BYTES);
    let total = BATCHES * ROWS;
    bench.read(2, BATCHES);
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| (bench.read(1, BATCHES), bench.read(2, BATCHES)))
        .collect();
    let figure = |figure: &dyn Fn(usize) -> u64| median((0..ROUNDS).map(figure).collect());
    println!(
        "scaling      {} rows of {ROW_BYTES} bytes; 1 worker {} rows/s, {} ns CPU a row; 2 workers {} rows/s, {} ns CPU a row",
        total,
        figure(&|i| total * 1_000_000 / rounds[i].0.wall),
        figure(&|i| rounds[i].0.cpu * 1000 / total),
        figure(&|i| total * 1_000_000 / rounds[i].1.wall),
        figure(&|i| rounds[i].1.cpu * 1000 / total),
    );
    // Two cores could do it in half the CPU time of one worker.
    println!(
        "scaling      2 workers reach {} of 2 cores (wanted 0.80); {} without the time in the queue for a core",
        decimal(figure(&|i| 1000 * (rounds[i].0.cpu / 2) / rounds[i].1.wall)),
        decimal(figure(
            &|i| 1000 * (rounds[i].0.cpu / 2) / rounds[i].1.wall_alone()
        )),
    );
}
