//! From the acknowledgement of an append to its row out of the source, in one process over memory; beside the
//! same way for a message through a channel to a thread that waits for it.

use std::sync::mpsc::{Receiver, channel};

use dataflow::{SourceOptions, shard_source};
use parking_lot::Mutex;
use shard::{Clock, Frontier, Update};
use timely::dataflow::operators::{Inspect, Probe};

use crate::stage::{Bench, CODEC, panicking, percentile};

const APPENDS: u64 = 4_000;
/// Alternates with the other way after so many.
const TURN: u64 = 100;

pub(crate) fn run() {
    let bench = Bench::new(std::time::Duration::ZERO);
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let input = bench.input();
    let worker = timely::execute(timely::Config::thread(), move |worker| {
        let sender = sender.lock().clone();
        let input = input.clone();
        let (token, probe) = worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source(scope, input, SourceOptions::new("latency", panicking()));
            let rows = source
                .rows
                .inspect(move |_| sender.send(Clock::monotonic_us()).expect("the bench listens"));
            (source.token, rows.probe().0)
        });
        while probe.less_than(&APPENDS) {
            worker.step_or_park(None);
        }
        drop(token);
    })
    .expect("a worker starts");
    let writer = bench.client.open_writer(bench.shard, CODEC, "bench");
    let writer = bench.runtime.block_on(writer).expect("opens");
    let (ball, received) = channel::<()>();
    let (echo, echoed) = channel();
    let other = std::thread::spawn(move || {
        while received.recv().is_ok() {
            echo.send(Clock::monotonic_us()).expect("the bench listens");
        }
    });
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let since =
        |acknowledged: u64, came: &Receiver<u64>| came.recv().expect("it comes").saturating_sub(acknowledged);
    for time in 0..APPENDS {
        let update = Update::new(vec![b'x'; 100], time, 1);
        let appended = writer.compare_and_append(
            std::slice::from_ref(&update),
            Frontier::At(time),
            Frontier::At(time + 1),
        );
        bench.runtime.block_on(appended).expect("appends");
        ours.push(since(Clock::monotonic_us(), &seen));
        if time % TURN == TURN - 1 {
            for _ in 0..TURN {
                ball.send(()).expect("it listens");
                bare.push(since(Clock::monotonic_us(), &echoed));
            }
        }
    }
    drop(ball);
    other.join().expect("it ends");
    drop(worker);
    println!(
        "latency      over memory, {APPENDS} appends: median {} us (wanted 2000), p99 {} us; a channel to a waiting thread: median {} us, p99 {} us",
        percentile(ours.clone(), 50),
        percentile(ours, 99),
        percentile(bare.clone(), 50),
        percentile(bare, 99),
    );
}
