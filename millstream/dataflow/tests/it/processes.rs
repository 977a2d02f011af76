//! Views kept by real processes over files and SQLite, killed with signal 9 and started again.
//!
//! Two arrangements of two processes with two workers each: one cluster that shares the work and talks over
//! TCP on loopback, and two replicas that know nothing of each other and write the same view. The judge is
//! this process's own record of what it fed, and a reader that shares nothing with the dead.
//!
//! A child is this program again; what it is to do comes in a variable, the order to end comes by its input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dataflow::{
    DataflowToken, ErrorHandler, Hooks, Mutant, ShardInput, SinkOptions, SourceOptions, View,
    WritePermission, shard_source, view_sink_hooked,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shard::{Client, ClientConfig, Frontier, Location, ReadHandle, Settings, ShardId, Update, WriteHandle};
use timely::communication::Config;

use crate::cluster::addresses;
use crate::world::CODEC;

/// What a worker says when it has found the others and its dataflow stands.
const FORMED: &str = "formed";
const ORDERS: &str = "MILLSTREAM_TEST_PROCESS";
const PROCESSES: usize = 2;
const THREADS: usize = 2;
/// Kills of each arrangement in the short form.
const KILLS: u64 = 4;
/// Turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same where a defect may hang.
const MUTANT_PATIENCE: Duration = Duration::from_secs(10);

/// SplitMix64's finaliser: a draw that depends on all bits of `x`.
fn draw(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Small parts, some inline and most stored; followed and rewritten without delay.
fn settings() -> Settings {
    let mut settings = Settings {
        inline_part_bytes: 150,
        listen_poll_ms: 10,
        listen_backoff_ms: 5,
        rollup_threshold: 16,
        ..Settings::default()
    };
    settings.compaction.min_inputs = 4;
    settings.compaction.min_parts = 4;
    settings.compaction.min_inline_inputs = 4;
    settings
}

fn client(url: &str) -> Client {
    let location = shard::block_on(Location::open(url)).expect("opens");
    let config = ClientConfig {
        settings: settings(),
        ..ClientConfig::default()
    };
    Client::new(location, config)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrangement {
    Cluster,
    Replicas,
}

/// The body of a child: keeps the view until told to end; does nothing unless a parent asks.
pub(crate) fn child() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).expect("supported");
    let orders: Vec<&str> = orders.split(';').collect();
    let [arrangement, index, addresses, url, input, output, as_of, mutant] = orders[..] else {
        panic!("eight orders, not {orders:?}");
    };
    let communication = match arrangement {
        "Cluster" => Config::Cluster {
            threads: THREADS,
            process: index.parse().expect("an index"),
            addresses: addresses.split(',').map(str::to_owned).collect(),
            report: false,
            zerocopy: false,
        },
        _ => Config::Process(THREADS),
    };
    let as_of = as_of.parse().expect("a time");
    let mutant = Mutant::ALL.iter().find(|known| format!("{known:?}") == mutant);
    let mutant = *mutant.expect("named by its parent");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build();
    let runtime = runtime.expect("a runtime");
    let client = client(url);
    let shard = |shard: &str| ShardInput {
        runtime: runtime.handle().clone(),
        client: client.clone(),
        shard: shard.parse::<ShardId>().expect("a shard"),
        codec: CODEC.to_owned(),
    };
    let (input, output) = (shard(input), shard(output));
    let end = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&end);
    std::thread::spawn(move || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("readable");
        ended.store(true, Ordering::SeqCst);
    });
    let config = timely::Config {
        communication,
        worker: timely::WorkerConfig::default(),
    };
    let guards = timely::execute(config, move |worker| {
        let (input, output) = (input.clone(), output.clone());
        let mut source_options = SourceOptions::new("input", ErrorHandler::Halt("source".to_owned()));
        source_options.as_of = Some(as_of);
        let sink_options = SinkOptions {
            name: "view".to_owned(),
            as_of,
            writes: WritePermission::Now,
            errors: ErrorHandler::Halt("sink".to_owned()),
        };
        let token = worker.dataflow::<u64, _, _>(|scope| {
            let source = shard_source(scope, input, source_options);
            let view = View {
                rows: source.rows,
                errors: source.errors,
                ends: source.ends,
                inputs: 1,
            };
            let sink = view_sink_hooked(scope, output, view, sink_options, Hooks::mutant(mutant));
            DataflowToken::new(vec![sink.token], vec![source.token])
        });
        println!("{FORMED}");
        let mut token = Some(token);
        while worker.has_dataflows() {
            if end.load(Ordering::SeqCst) {
                token = None;
            }
            worker.step_or_park(Some(Duration::from_millis(5)));
        }
        drop(token);
    });
    for worker in guards.expect("workers start").join() {
        worker.expect("a worker ends in order");
    }
}

/// A running child.
struct Process {
    pid: Pid,
    input: ChildStdin,
    status: Receiver<ExitStatus>,
    /// Something for each worker whose dataflow stands.
    formed: Receiver<()>,
    /// What it said on standard error.
    said: PathBuf,
}

impl Process {
    fn kill(&self) {
        // It may have ended by itself.
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    /// Waits until all its workers have found those of the other processes, which they try for ever.
    #[track_caller]
    fn await_formed(&self) {
        for _ in 0..THREADS {
            let formed = self.formed.recv_timeout(PATIENCE);
            formed.unwrap_or_else(|_| panic!("process {} finds no others", self.pid));
        }
    }

    #[track_caller]
    fn wait(&self) -> ExitStatus {
        let status = self.status.recv_timeout(PATIENCE);
        status.unwrap_or_else(|_| panic!("process {} does not end", self.pid))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An input that grows, an output, and the record of what was fed.
struct Theatre {
    folder: tempfile::TempDir,
    url: String,
    runtime: tokio::runtime::Runtime,
    feeder: WriteHandle,
    watcher: WriteHandle,
    /// They hold the history of both shards for the judge.
    holds: (ReadHandle, ReadHandle),
    fed: Vec<Update>,
    upper: u64,
    seed: u64,
    lives: u64,
    mutant: Mutant,
}

impl Theatre {
    fn new(mutant: Mutant) -> Theatre {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("file:{}", folder.path().join("location").display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.expect("a runtime");
        let client = client(&url);
        let (input, output) = (client.fresh_shard(), client.fresh_shard());
        let open = |shard| {
            let writer = runtime.block_on(client.open_writer(shard, CODEC, "theatre"));
            let reader = runtime.block_on(client.open_leased_reader(shard, CODEC, "theatre"));
            (writer.expect("opens"), reader.expect("opens"))
        };
        let ((feeder, input_hold), (watcher, output_hold)) = (open(input), open(output));
        Theatre {
            folder,
            url,
            runtime,
            feeder,
            watcher,
            holds: (input_hold, output_hold),
            fed: Vec::new(),
            upper: 0,
            seed: 1,
            lives: 0,
            mutant,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.seed += 1;
        draw(self.seed) % below
    }

    /// Appends one random batch to the input: rows that come, grow, shrink and go.
    fn feed(&mut self) {
        let lower = self.upper;
        let upper = lower + 1 + self.draw(3);
        let mut batch = Vec::new();
        for _ in 0..self.draw(8) {
            let row = format!("row {} {}", self.draw(9), "x".repeat(self.draw(40) as usize));
            let time = lower + self.draw(upper - lower);
            let diff = if self.draw(3) == 0 { -1 } else { 1 };
            batch.push(Update::new(row, time, diff));
        }
        let appended = self
            .feeder
            .compare_and_append(&batch, Frontier::At(lower), Frontier::At(upper));
        self.runtime.block_on(appended).expect("appends");
        self.fed.extend(batch);
        self.upper = upper;
    }

    fn feed_some(&mut self, most: u64) {
        for _ in 0..=self.draw(most) {
            self.feed();
        }
    }

    fn output_upper(&self) -> Frontier {
        self.runtime
            .block_on(self.watcher.fetch_upper())
            .expect("readable")
    }

    /// Waits until the output has come to where the input is.
    #[track_caller]
    fn await_output(&self, running: &[&Process]) {
        let patience = if self.mutant == Mutant::None {
            PATIENCE
        } else {
            MUTANT_PATIENCE
        };
        let behind = Frontier::At(self.upper - 1);
        let waited = self.runtime.block_on(async {
            tokio::time::timeout(patience, self.watcher.wait_for_upper_past(behind)).await
        });
        let Ok(upper) = waited else {
            for process in running {
                eprintln!("{}", std::fs::read_to_string(&process.said).unwrap_or_default());
            }
            panic!(
                "the output stays at {}, the input is at {}",
                self.output_upper(),
                self.upper
            );
        };
        assert_eq!(
            upper.expect("readable"),
            Frontier::At(self.upper),
            "never ahead of the input"
        );
    }

    fn spawn(&mut self, arrangement: Arrangement, index: usize, addresses: &[String], as_of: u64) -> Process {
        self.lives += 1;
        let said = self.folder.path().join(format!("said by {}", self.lives));
        let (input, output) = (self.feeder.shard(), self.watcher.shard());
        let orders = format!(
            "{arrangement:?};{index};{};{};{input};{output};{as_of};{:?}",
            addresses.join(","),
            self.url,
            self.mutant
        );
        let mut child = Command::new(std::env::current_exe().expect("a test knows itself"))
            .args(["--exact", "child_of_the_processes_tests", "--nocapture"])
            .env(ORDERS, orders)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&said).expect("creates"))
            .spawn()
            .expect("starts");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, formed) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.ends_with(FORMED) && sender.send(()).is_err() {
                    return;
                }
            }
        });
        let (sender, status) = channel();
        std::thread::spawn(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(child.wait().expect("a child"));
        });
        Process {
            pid,
            input,
            status,
            formed,
            said,
        }
    }

    /// A cluster of all processes, from the last complete time of the output on.
    fn spawn_cluster(&mut self) -> Vec<Process> {
        let as_of = self.restart_time();
        let addresses = addresses();
        (0..PROCESSES)
            .map(|index| self.spawn(Arrangement::Cluster, index, &addresses, as_of))
            .collect()
    }

    fn spawn_replica(&mut self, index: usize) -> Process {
        let as_of = self.restart_time();
        self.spawn(Arrangement::Replicas, index, &[], as_of)
    }

    fn restart_time(&self) -> u64 {
        self.output_upper()
            .time()
            .expect("nobody closed it")
            .saturating_sub(1)
    }

    /// Tells processes to end; they must do it in order, and leave the output as it is.
    fn end_in_order(&self, processes: Vec<Process>) {
        let before = self.output_upper();
        for process in &processes {
            let mut input = &process.input;
            writeln!(input, "end").expect("it reads");
        }
        for process in &processes {
            let status = process.wait();
            let said = std::fs::read_to_string(&process.said).unwrap_or_default();
            assert!(status.success(), "{status}: {said}");
        }
        assert_eq!(
            self.output_upper(),
            before,
            "the end of a process is not the end of a view"
        );
    }

    fn contents(&self, reader: &ReadHandle, time: u64) -> BTreeMap<Vec<u8>, i64> {
        let updates = self.runtime.block_on(reader.snapshot_and_fetch(time));
        let mut sums = BTreeMap::new();
        for update in updates.expect("readable") {
            *sums.entry(update.row).or_insert(0) += update.diff;
        }
        sums
    }

    /// Asserts that both shards hold what was fed at every time before `end`.
    #[track_caller]
    fn expect_equal(&self, end: u64) {
        let (input, output) = &self.holds;
        for time in 0..end {
            let mut plain: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
            for update in self.fed.iter().filter(|update| update.time <= time) {
                *plain.entry(update.row.clone()).or_insert(0) += update.diff;
            }
            plain.retain(|_, count| *count != 0);
            let tagged = plain
                .iter()
                .map(|(row, count)| ([&[0], row.as_slice()].concat(), *count));
            assert_eq!(
                self.contents(output, time),
                tagged.collect(),
                "the output at {time} of {end}"
            );
            assert_eq!(self.contents(input, time), plain, "the input at {time} of {end}");
        }
    }
}

/// A cluster cannot go on without one of its processes: the others must end with an error, never with
/// progress, and a new cluster continues.
pub(crate) fn a_cluster_that_loses_a_process(mutant: Mutant) {
    let mut theatre = Theatre::new(mutant);
    theatre.feed_some(3);
    let kills = crate::asked("FLOW_KILLS", KILLS);
    for life in 0..kills {
        let processes = theatre.spawn_cluster();
        processes.iter().for_each(Process::await_formed);
        // Every other cluster dies while it still catches up.
        if life % 2 == 0 {
            theatre.await_output(&processes.iter().collect::<Vec<_>>());
        }
        theatre.feed_some(5);
        let victim = theatre.draw(2) as usize;
        processes[victim].kill();
        theatre.feed_some(2);
        let survivor = processes[1 - victim].wait();
        assert!(!survivor.success(), "a cluster without a process is not well");
        assert!(theatre.output_upper() <= Frontier::At(theatre.upper));
    }
    let processes = theatre.spawn_cluster();
    theatre.await_output(&processes.iter().collect::<Vec<_>>());
    theatre.expect_equal(theatre.upper);
    theatre.end_in_order(processes);
    // The end of the input is another matter.
    let processes = theatre.spawn_cluster();
    let closing = theatre
        .feeder
        .compare_and_append(&[], Frontier::At(theatre.upper), Frontier::Closed);
    theatre.runtime.block_on(closing).expect("appends");
    let waited = theatre.runtime.block_on(async {
        let closed = theatre.watcher.wait_for_upper_past(Frontier::At(u64::MAX));
        tokio::time::timeout(PATIENCE, closed).await
    });
    assert_eq!(waited.expect("in time").expect("readable"), Frontier::Closed);
    theatre.end_in_order(processes);
    println!(
        "a cluster of {PROCESSES} x {THREADS}: {kills} kills, {} times right",
        theatre.upper
    );
}

/// A replica goes on alone when the other is killed, which comes back and catches up.
pub(crate) fn replicas_killed_in_turn(mutant: Mutant) {
    let mut theatre = Theatre::new(mutant);
    theatre.feed_some(3);
    let mut replicas = vec![theatre.spawn_replica(0), theatre.spawn_replica(1)];
    theatre.await_output(&[&replicas[0], &replicas[1]]);
    let kills = crate::asked("FLOW_KILLS", KILLS);
    for _ in 0..kills {
        theatre.feed_some(5);
        let victim = theatre.draw(2) as usize;
        replicas[victim].kill();
        assert!(!replicas[victim].wait().success());
        theatre.feed_some(3);
        theatre.await_output(&[&replicas[1 - victim]]);
        theatre.expect_equal(theatre.upper);
        replicas[victim] = theatre.spawn_replica(victim);
        // So long that the new one takes part in the race.
        theatre.feed_some(8);
        theatre.await_output(&[&replicas[0], &replicas[1]]);
    }
    theatre.expect_equal(theatre.upper);
    theatre.end_in_order(replicas);
    println!(
        "two replicas of {THREADS} workers: {kills} kills, {} times right",
        theatre.upper
    );
}

/// Runs a scene as the product is, then with a sink that forgets what the shard holds, which must fail.
fn prove(scene: fn(Mutant)) {
    scene(Mutant::None);
    let survived = std::panic::catch_unwind(|| scene(Mutant::NothingReadBack)).is_ok();
    assert!(!survived, "the mutant survives");
}

#[test]
fn a_cluster_with_a_killed_process_stops_and_a_new_one_continues() {
    prove(a_cluster_that_loses_a_process);
}

#[test]
fn a_killed_replica_comes_back_while_the_other_goes_on() {
    prove(replicas_killed_in_turn);
}
