//! The process of one node: which jars, which java, its configuration, its arguments.
//!
//! Source of the settings: the `conf` folder of Cassandra 5.0's distribution, made small; each number was tried.

use super::Ports;
use crate::Unusable;
use crate::target::Environment;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The jars of one version.
pub(super) struct Jars {
    folder: PathBuf,
    /// The agent that serves JMX over HTTP, if it is among them.
    agent: Option<PathBuf>,
    /// The agent that measures objects, which versions before 5.0 do not start without.
    jamm: Option<PathBuf>,
}

const INSTALL: &str = "in a checkout: cargo xtask servers cassandra; else say where its jars are: cassandra:local?bin=DIR, \
                       or in CASSANDRA_HOME";

impl Jars {
    /// The jars that are asked for: in a folder, of a version, or the newest that is here.
    pub(super) fn find(
        url: &str,
        bin: Option<&Path>,
        version: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, Unusable> {
        if let Some(bin) = bin {
            return Self::of(bin)
                .or_else(|| Self::of(&bin.join("lib")))
                .ok_or_else(|| {
                    let what = format!("there is no Cassandra (cassandra-all-….jar) in {}", bin.display());
                    Unusable::usage(url, what, "name the folder of the server's jars")
                });
        }
        let home = environment("CASSANDRA_HOME").map(|h| PathBuf::from(h).join("lib"));
        if let Some(found) = home.as_deref().filter(|_| version.is_none()).and_then(Self::of) {
            return Ok(found);
        }
        let mut there: Vec<PathBuf> = installed();
        match version {
            Some(version) => there.retain(|f| f.file_name().is_some_and(|n| n == version)),
            None => there.sort_by_key(|f| numbers(f)),
        }
        there.pop().and_then(|folder| Self::of(&folder)).ok_or_else(|| {
            let what = match version {
                Some(version) => format!("Cassandra {version} is not installed here"),
                None => "no Cassandra is installed here".to_owned(),
            };
            Unusable::server(url, what, INSTALL)
        })
    }

    fn of(folder: &Path) -> Option<Self> {
        let jars: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
        let named = |start: &str| {
            let found = jars.iter().find(|jar| {
                let name = jar.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                name.starts_with(start) && name.ends_with(".jar")
            });
            found.cloned()
        };
        named("cassandra-all-").or_else(|| named("apache-cassandra-"))?;
        Some(Self {
            folder: std::path::absolute(folder).ok()?,
            agent: named("jolokia-agent-jvm-"),
            jamm: named("jamm-0.3"),
        })
    }
}

/// The folders `target/servers/cassandra/VERSION` above the working directory and above this program.
fn installed() -> Vec<PathBuf> {
    let from = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let above = from.iter().flatten().flat_map(|p| p.ancestors());
    let folders = above.flat_map(|a| [a.join("target/servers/cassandra"), a.join("servers/cassandra")]);
    folders
        .filter_map(|folder| fs::read_dir(folder).ok())
        .map(|entries| {
            entries
                .flatten()
                .map(|e| e.path())
                .filter(|p| Jars::of(p).is_some())
                .collect()
        })
        .find(|found: &Vec<PathBuf>| !found.is_empty())
        .unwrap_or_default()
}

/// Whether `cassandra:local` would find something to start.
pub(crate) fn is_installed() -> bool {
    !installed().is_empty()
}

/// The numbers in a folder's name: 5.0.10 stands after 5.0.9.
fn numbers(folder: &Path) -> Vec<u32> {
    let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.split(|c: char| !c.is_ascii_digit())
        .flat_map(str::parse)
        .collect()
}

/// `java`, of JAVA_HOME or of the path.
pub(super) fn program(url: &str, environment: &Environment) -> Result<PathBuf, Unusable> {
    let home = environment("JAVA_HOME").map(|h| PathBuf::from(h).join("bin/java"));
    let path = environment("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("java"));
    let found = home.into_iter().chain(on_path).find(|p| p.is_file());
    found.ok_or_else(|| {
        Unusable::server(
            url,
            "there is no java here",
            "install Java 17 (Debian: apt-get install default-jre-headless), or set JAVA_HOME",
        )
    })
}

/// Whether a text is a size as java reads it: `256m`.
pub(super) fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(['k', 'm', 'g', 'K', 'M', 'G']);
    text.len() == digits.len() + 1 && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The node's configuration: ours, then what the URL sets.
pub(super) fn yaml(
    own: IpAddr,
    seed: IpAddr,
    ports: Ports,
    nodes: u8,
    settings: &BTreeMap<String, String>,
) -> String {
    let Ports { cql, storage, .. } = ports;
    let seeds = format!(
        "[ {{ class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [ {{ seeds: \"{seed}:{storage}\" }} ] }} ]"
    );
    let (own, cql, storage) = (own.to_string(), cql.to_string(), storage.to_string());
    let hints = if nodes > 1 { "true" } else { "false" };
    // This one prefers the node that is asked, and needs no file.
    let snitch = if nodes > 1 {
        "RackInferringSnitch"
    } else {
        "SimpleSnitch"
    };
    let ours = [
        ("cluster_name", "gristmill"),
        ("num_tokens", "1"),
        ("partitioner", "org.apache.cassandra.dht.Murmur3Partitioner"),
        ("endpoint_snitch", snitch),
        ("dynamic_snitch", "false"),
        ("seed_provider", &seeds),
        ("listen_address", &own),
        ("rpc_address", &own),
        ("storage_port", &storage),
        ("native_transport_port", &cql),
        // Acknowledged is on disk.
        ("commitlog_sync", "batch"),
        ("commitlog_segment_size", "5MiB"),
        ("commitlog_total_space", "64MiB"),
        ("concurrent_compactors", "1"),
        ("compaction_throughput", "0MiB/s"),
        ("concurrent_reads", "8"),
        ("concurrent_writes", "16"),
        ("key_cache_size", "8MiB"),
        ("counter_cache_size", "0MiB"),
        ("file_cache_size", "32MiB"),
        ("networking_cache_size", "16MiB"),
        ("memtable_heap_space", "32MiB"),
        ("memtable_offheap_space", "32MiB"),
        ("auto_snapshot", "false"),
        ("hinted_handoff_enabled", hints),
        // Many index blocks in a partition: this shows defects of the read path.
        ("column_index_size", "1KiB"),
    ];
    let mut all: BTreeMap<&str, &str> = ours.into_iter().collect();
    all.extend(settings.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    all.iter().fold(String::new(), |mut text, (key, value)| {
        writeln!(text, "{key}: {value}").expect("a String takes everything");
        text
    })
}

/// One file, which is the process's output.
pub(super) const LOGBACK: &str = "\
<configuration>
  <appender name=\"OUT\" class=\"ch.qos.logback.core.ConsoleAppender\">
    <encoder><pattern>%-5level %date %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level=\"INFO\"><appender-ref ref=\"OUT\"/></root>
</configuration>
";

/// What a Java from 17 on must be told so that Cassandra may reach into it.
pub(super) const OPTIONS: &str = include_str!("java.options");

/// The arguments of `java`, to be started in the node's folder.
pub(super) fn arguments(
    jars: &Jars,
    heap: &str,
    own: IpAddr,
    ports: Ports,
    node: u8,
    nodes: u8,
) -> Vec<OsString> {
    let mut all: Vec<OsString> = [
        format!("-Xmx{heap}").as_str(),
        "-Xms64m",
        "-Xss256k",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-XX:MaxDirectMemorySize=256m",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.io.tmpdir=tmp",
        "-Djava.net.preferIPv4Stack=true",
        "@conf/java.options",
        "-Dcassandra.config=file:conf/cassandra.yaml",
        "-Dcassandra.storagedir=.",
        "-Dcassandra.logdir=.",
        "-Dlogback.configurationFile=file:conf/logback.xml",
        "-Dcassandra-foreground=true",
        "-Dcassandra.superuser_setup_delay_ms=0",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.shutdown_announce_in_ms=0",
        // Measuring it takes three seconds of every start.
        "-Dcassandra.memtable.row_overhead_size=180",
    ]
    .map(OsString::from)
    .to_vec();
    if nodes == 1 {
        all.extend(["-Dcassandra.ring_delay_ms=1", "-Dcassandra.load_ring_state=false"].map(OsString::from));
    } else {
        // Each owns the same share of the ring, without waiting for streams of data that nobody has.
        let share = u64::MAX / u64::from(nodes);
        let token = i64::MIN
            .wrapping_add(1)
            .wrapping_add((share * u64::from(node - 1)).cast_signed());
        all.push("-Dcassandra.ring_delay_ms=2000".into());
        all.push(format!("-Dcassandra.initial_token={token}").into());
        all.push("-Dcassandra.auto_bootstrap=false".into());
    }
    if let Some(agent) = &jars.agent {
        let place = format!("=host={own},port={},discoveryEnabled=false", ports.agent);
        all.push(concat("-javaagent:", agent, &place));
    }
    if let Some(jamm) = &jars.jamm {
        all.push(concat("-javaagent:", jamm, ""));
    }
    all.push("-cp".into());
    all.push(concat("", &jars.folder, "/*"));
    all.push("org.apache.cassandra.service.CassandraDaemon".into());
    all
}

fn concat(before: &str, path: &Path, after: &str) -> OsString {
    let mut text = OsString::from(before);
    text.push(path);
    text.push(after);
    text
}

/// The last complaint in a log, in one line.
pub(super) fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let complaint =
        |line: &&str| line.starts_with("ERROR") || line.contains("Exception") || line.starts_with("Error");
    let line = text.lines().rev().find(complaint).or_else(|| text.lines().last());
    line.unwrap_or("it said nothing").chars().take(300).collect()
}
