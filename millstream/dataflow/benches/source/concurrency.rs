//! Parts of 1 MB from a store that takes 20 ms to answer, with 1, 4 and 16 fetches under way: as many times the
//! sequential rate, until the cores that decode are the limit. That limit is the rate over a store that answers
//! at once.

use std::time::Duration;

use crate::stage::{Bench, ROUNDS, decimal, median};

const PARTS: u64 = 128;
const ROWS: u64 = 1_000;
const ROW_BYTES: usize = 1_000;

pub(crate) fn run() {
    let (slow, quick) = (Bench::new(Duration::from_millis(20)), Bench::new(Duration::ZERO));
    for bench in [&slow, &quick] {
        bench.fill(PARTS, ROWS, ROW_BYTES);
    }
    let rate = |bench: &Bench, fetches: usize| {
        let settings = bench.client.settings();
        settings.update(&mut |settings| settings.fetch_concurrency = fetches);
        PARTS * 1_000_000 / bench.read(1, PARTS).wall
    };
    rate(&quick, 16);
    let rounds: Vec<[u64; 4]> = (0..ROUNDS)
        .map(|_| [rate(&slow, 1), rate(&slow, 4), rate(&slow, 16), rate(&quick, 16)])
        .collect();
    let column = |index: usize| median(rounds.iter().map(|round| round[index]).collect());
    let limit = column(3);
    println!(
        "concurrency  parts of 1 MB, 20 ms each: {} a second one by one; {limit} a second from a store that answers at once",
        column(0)
    );
    for (index, fetches) in [(1, 4), (2, 16)] {
        let of_ideal = rounds
            .iter()
            .map(|round| 1000 * round[index] / (fetches * round[0]));
        let of_limit = rounds.iter().map(|round| 1000 * round[index] / round[3]);
        println!(
            "concurrency  {fetches:2} under way: {} a second, {} of {fetches} times one by one (wanted 0.80), {} of the limit",
            column(index),
            decimal(median(of_ideal.collect())),
            decimal(median(of_limit.collect())),
        );
    }
}
