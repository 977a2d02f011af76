//! Several processes: two clusters of workers that talk over TCP on loopback, each with a client and a
//! runtime of its own. Messages between them are serialized as between machines.
//!
//! Sockets have threads of their own, so these tests step until a condition holds, never a fixed number of
//! times; then they step on and see that it stays so.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use dataflow::{Hooks, Mutant, RowCodec, ShardInput, SinkOptions, SourceOptions, WritePermission};
use shard::store::Blob;
use shard::store::mem::{MemBlob, MemConsensus};
use shard::{Client, ClientConfig, Frontier, Location, ShardId, Update};

use crate::freeze::rows_of;
use crate::gate::{Gate, Rule};
use crate::puppets::Puppets;
use crate::world::{CODEC, TURNS, Watch, sorted};

const PROCESSES: usize = 2;
const THREADS: usize = 2;
/// Rounds within which a condition must hold.
const ROUNDS_MAX: usize = 200_000;
/// Rounds for which it must then go on to hold.
const ROUNDS_AFTER: usize = 50;

struct Process {
    runtime: tokio::runtime::Runtime,
    client: Client,
    /// Taken on drop.
    workers: Option<Puppets>,
    watch: Watch,
    sink: Watch,
}

impl Process {
    fn workers(&self) -> &Puppets {
        self.workers.as_ref().expect("taken on drop only")
    }
}

/// The connections of a process end when those of the others do: all are dropped at the same time.
impl Drop for Cluster {
    fn drop(&mut self) {
        let ends: Vec<_> = self
            .processes
            .iter_mut()
            .filter_map(|process| process.workers.take())
            .map(|workers| std::thread::spawn(move || drop(workers)))
            .collect();
        for end in ends {
            // A worker's panic was relayed already.
            let _ = end.join();
        }
    }
}

struct Cluster {
    gate: Gate,
    shard: ShardId,
    output: ShardId,
    processes: Vec<Process>,
}

/// Addresses nobody listens on: the system's choice of ports, given back at once.
///
/// The host is this test process's own among the sixteen million of loopback, so that nobody else is given one
/// of these ports meanwhile, not even as the near end of a connection.
pub(crate) fn addresses() -> Vec<String> {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high | 0x80, middle, low);
    let listeners: Vec<TcpListener> = (0..PROCESSES)
        .map(|_| TcpListener::bind((host, 0)).expect("a free port"))
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound").to_string())
        .collect()
}

impl Cluster {
    fn new() -> Cluster {
        let gate = Gate::new(Arc::new(MemBlob::new()) as Arc<dyn Blob>);
        let location = Location::of("test", Arc::new(gate.clone()), Arc::new(MemConsensus::new()));
        let addresses = addresses();
        let starts: Vec<_> = (0..PROCESSES)
            .map(|process| {
                let addresses = addresses.clone();
                std::thread::spawn(move || Puppets::cluster(process, THREADS, addresses))
            })
            .collect();
        let processes: Vec<Process> = starts
            .into_iter()
            .zip(1..)
            .map(|(start, seed)| {
                let mut config = ClientConfig::manual(1_000_000, seed);
                config.settings.inline_part_bytes = 0;
                config.settings.inline_total_bytes = 0;
                config.settings.compaction.enabled = false;
                Process {
                    runtime: tokio::runtime::Builder::new_current_thread()
                        .build()
                        .expect("a runtime"),
                    client: Client::new(location.clone(), config),
                    workers: Some(start.join().expect("connects")),
                    watch: Watch::default(),
                    sink: Watch::default(),
                }
            })
            .collect();
        let (shard, output) = (
            processes[0].client.fresh_shard(),
            processes[0].client.fresh_shard(),
        );
        Cluster {
            gate,
            shard,
            output,
            processes,
        }
    }

    fn append(&self, process: usize, time: u64) {
        let process = &self.processes[process];
        process.runtime.block_on(async {
            let writer = process
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

    fn input(&self, process: &Process, shard: ShardId) -> ShardInput {
        ShardInput {
            runtime: process.runtime.handle().clone(),
            client: process.client.clone(),
            shard,
            codec: CODEC.to_owned(),
        }
    }

    fn install_source(&self) {
        for process in &self.processes {
            let input = self.input(process, self.shard);
            let options = SourceOptions::new("clustered", process.watch.handler());
            let hooks = Hooks {
                counters: Some(Arc::clone(&process.watch.counters)),
                ..Hooks::mutant(Mutant::None)
            };
            process
                .workers()
                .on_all(move |stage| stage.install(input.clone(), options.clone(), hooks.clone()));
        }
    }

    fn round(&self) {
        for process in &self.processes {
            process.runtime.block_on(async {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
            });
            process.workers().on_all(|stage| stage.step());
            // Each process learns of the other's writes by looking at the store now and then.
            process.client.clock().advance(20);
        }
    }

    /// Runs until `holds`, and on for a while, during which it must go on to hold.
    #[track_caller]
    fn run_until(&self, what: &str, holds: &dyn Fn(&Cluster) -> bool) {
        let mut rounds = 0;
        while !holds(self) {
            self.round();
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "never: {what}");
        }
        for _ in 0..ROUNDS_AFTER {
            self.round();
            assert!(holds(self), "no longer: {what}");
        }
    }

    fn frontiers(&self) -> Vec<Option<u64>> {
        self.processes
            .iter()
            .flat_map(|process| process.workers().on_all(|stage| stage.flows[0].frontier()))
            .collect()
    }

    fn rows(&self) -> Vec<(u64, String, i64)> {
        let rows = self
            .processes
            .iter()
            .flat_map(|process| process.workers().on_all(|stage| stage.flows[0].rows()));
        sorted(rows.flatten().collect())
    }

    fn installed(&self) -> usize {
        let installed = |process: &Process| {
            process
                .workers()
                .on_all(|stage| stage.worker.installed_dataflows().len())
        };
        self.processes.iter().flat_map(installed).sum()
    }
}

fn everywhere(frontier: Option<u64>) -> Vec<Option<u64>> {
    vec![frontier; PROCESSES * THREADS]
}

#[test]
fn a_source_spreads_over_processes_and_ends_together() {
    let cluster = Cluster::new();
    for time in 0..12 {
        cluster.append(0, time);
    }
    cluster.install_source();
    cluster.run_until("everything read", &|cluster| {
        cluster.frontiers() == everywhere(Some(12))
    });
    cluster.append(1, 12);
    cluster.run_until("the other's write read", &|cluster| {
        cluster.frontiers() == everywhere(Some(13))
    });
    assert_eq!(cluster.rows(), rows_of(0..13));
    let busy = cluster
        .processes
        .iter()
        .filter(|process| process.watch.counters.fetches_finished.get() > 0)
        .count();
    assert_eq!(busy, PROCESSES, "parts are fetched in every process");
    // One process lets go: nothing moves. Then the other.
    cluster.processes[0]
        .workers()
        .on_all(|stage| drop(stage.flows[0].token.take()));
    for _ in 0..ROUNDS_AFTER {
        cluster.round();
        assert_eq!(cluster.frontiers(), everywhere(Some(13)));
    }
    cluster.processes[1]
        .workers()
        .on_all(|stage| drop(stage.flows[0].token.take()));
    cluster.run_until("all uninstalled", &|cluster| cluster.installed() == 0);
}

#[test]
fn a_missing_part_freezes_every_process_at_its_time() {
    let cluster = Cluster::new();
    for time in 0..12 {
        cluster.append(0, time);
    }
    let key = {
        let process = &cluster.processes[0];
        process.runtime.block_on(async {
            let reader = process
                .client
                .open_leased_reader(cluster.shard, CODEC, "keys")
                .await
                .expect("opens");
            let parts = reader.snapshot(11).await.expect("readable");
            let part = parts
                .iter()
                .find(|part| part.part().desc().lower == Frontier::At(5))
                .expect("one a time");
            part.part().key().expect("not inline").to_owned()
        })
    };
    cluster.gate.set(&key, Rule::Missing);
    cluster.install_source();
    cluster.run_until("frozen at 5", &|cluster| {
        cluster.frontiers() == everywhere(Some(5))
    });
    let before: Vec<_> = cluster
        .rows()
        .into_iter()
        .filter(|(time, _, _)| *time < 5)
        .collect();
    assert_eq!(before, rows_of(0..5));
    assert_eq!(
        cluster
            .processes
            .iter()
            .map(|process| process.watch.errors().len())
            .sum::<usize>(),
        1
    );
}

#[test]
fn a_view_is_written_by_workers_of_all_processes() {
    let cluster = Cluster::new();
    for time in 0..6 {
        cluster.append(0, time);
    }
    for process in &cluster.processes {
        let (input, output) = (
            cluster.input(process, cluster.shard),
            cluster.input(process, cluster.output),
        );
        let mut source = SourceOptions::new("clustered", process.watch.handler());
        source.codec = RowCodec::Plain;
        let sink = SinkOptions {
            name: "view".to_owned(),
            as_of: 0,
            writes: WritePermission::Now,
            errors: process.sink.handler(),
        };
        let hooks = |watch: &Watch| Hooks {
            counters: Some(Arc::clone(&watch.counters)),
            ..Hooks::default()
        };
        let hooks = (hooks(&process.watch), hooks(&process.sink));
        process.workers().on_all(move |stage| {
            stage.install_mill(
                (input.clone(), output.clone()),
                (source.clone(), sink.clone()),
                hooks.clone(),
            );
        });
    }
    let upper = |cluster: &Cluster| {
        let process = &cluster.processes[0];
        process
            .runtime
            .block_on(process.client.recent_upper(cluster.output, CODEC))
            .expect("readable")
    };
    cluster.run_until("written", &|cluster| upper(cluster) == Frontier::At(6));
    cluster.append(1, 6);
    cluster.run_until("followed", &|cluster| upper(cluster) == Frontier::At(7));
    let process = &cluster.processes[1];
    let contents = process.runtime.block_on(async {
        let reader = process
            .client
            .open_leased_reader(cluster.output, CODEC, "judge")
            .await
            .expect("opens");
        reader.snapshot_and_fetch(6).await.expect("readable")
    });
    let mut rows: Vec<String> = contents
        .iter()
        .map(|u| String::from_utf8_lossy(&u.row[1..]).into_owned())
        .collect();
    rows.sort();
    assert_eq!(rows, (0..7).map(|time| format!("row {time}")).collect::<Vec<_>>());
}
