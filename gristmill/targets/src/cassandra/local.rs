//! A throw-away cluster from the jars on this machine: in the folder of the run, on loopback, as small as it gets.
//!
//! ```text
//!   FOLDER/cassandra/   ports  n1/{conf/ data/ log}  n2/…
//! ```
//!
//! Started by its first use; found running by a second target of the same folder in this process; started again from its
//! files after our own crash. Ends with the last target, or by the system when this process dies. Node `i` listens on
//! 127.0.0.`i`, all of them on the same ports.
//!
//! Invariants:
//! * P1 the ports never change in the life of a folder;
//! * P2 what is acknowledged is on disk: `commitlog_sync: batch` unless the URL says otherwise. Durability is judged.
//! * P3 of several nodes, a read at level one answers the copy of the node that is asked, if it keeps one.

mod java;
#[cfg(test)]
mod tests;

use super::client::Client;
use super::config::{Config, Words};
use super::jolokia;
use crate::Unusable;
use crate::process;
use crate::target::{Maintenance, OpenOptions};
use crate::throwaway;
use crate::url::{decode, split_query};
use java::Jars;
pub(crate) use java::is_installed;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(20);
/// Pauses until a node that starts or stops is given up: three minutes, for machines that do much else.
const PAUSES_MAX: u32 = 9_000;
const NODES_MAX: u8 = 3;

const REMEDY: &str = "known are nodes (1 to 3), version, bin (a folder of jars), heap (256m), set (name=value of cassandra.yaml), \
                      rf, dc, consistency, serial, with";

/// One folder's cluster.
pub(super) struct Local {
    url: String,
    folder: PathBuf,
    jars: Wanted,
    nodes: u8,
    heap: String,
    settings: BTreeMap<String, String>,
    words: Words,
    environment: crate::target::Environment,
    state: Mutex<State>,
}

/// Which jars are asked for.
struct Wanted {
    bin: Option<PathBuf>,
    version: Option<String>,
}

#[derive(Default)]
struct State {
    children: Vec<Child>,
    config: Option<Arc<Config>>,
    ports: Option<Ports>,
    /// Killed on purpose: not to be started by anything but a restart.
    down: bool,
}

/// The same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ports {
    cql: u16,
    storage: u16,
    agent: u16,
}

static LOCALS: throwaway::Shared<Local> = throwaway::Shared::new();

impl Local {
    /// The cluster of the folder; starts nothing. Errors: parameters.
    pub(super) fn of(url: &str, options: &OpenOptions) -> Result<Arc<Self>, Unusable> {
        let bad = |what: String, remedy: &str| Unusable::usage(url, what, remedy);
        let mut jars = Wanted {
            bin: None,
            version: None,
        };
        let (mut nodes, mut heap, mut rf) = (1, "256m".to_owned(), None);
        let (mut settings, mut words) = (BTreeMap::new(), Words::default());
        for (key, value) in split_query(url.split_once('?').map_or("", |(_, query)| query)) {
            let value = decode(value).ok_or_else(|| bad(format!("`{value}` is not percent-encoded"), ""))?;
            match key {
                "bin" => jars.bin = Some(PathBuf::from(value)),
                "version" => jars.version = Some(value),
                "nodes" => {
                    nodes = value
                        .parse()
                        .ok()
                        .filter(|n| (1..=NODES_MAX).contains(n))
                        .ok_or_else(|| bad(format!("nodes={value} is too few or too many"), "give 1 to 3"))?;
                }
                "heap" if java::is_size(&value) => heap = value,
                "heap" => {
                    return Err(bad(
                        format!("heap={value} is no size"),
                        "write one such as 256m or 1g",
                    ));
                }
                "set" => match value.split_once('=') {
                    Some((name, value)) => drop(settings.insert(name.to_owned(), value.to_owned())),
                    None => return Err(bad(format!("set={value} sets nothing"), "write set=name=value")),
                },
                "rf" => {
                    words.take(url, key, &value)?;
                    rf = Some(words.rf);
                }
                other => {
                    if !words.take(url, other, &value)? {
                        return Err(bad(format!("unknown parameter `{other}`"), REMEDY));
                    }
                }
            }
        }
        words.rf = rf.unwrap_or_else(|| nodes.into());
        if nodes > 1 {
            // What a node answers at level one is its own copy: nobody else is asked, however long it takes.
            words.with.push("speculative_retry = 'NONE'".to_owned());
        }
        if words.rf > u16::from(nodes) {
            return Err(bad(
                format!("rf={} needs as many nodes", words.rf),
                "give nodes= too",
            ));
        }
        let folder = throwaway::folder(options, "cassandra");
        let new = || Self {
            url: url.to_owned(),
            folder: folder.clone(),
            jars,
            nodes,
            heap,
            settings,
            words,
            environment: Arc::clone(&options.environment),
            state: Mutex::default(),
        };
        Ok(LOCALS.find(|local| local.folder == folder, new))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn nodes(&self) -> u8 {
        self.nodes
    }

    pub(super) fn is_running(&self) -> bool {
        !self.state.lock().children.is_empty()
    }

    /// Where it listens; starts it the first time.
    pub(super) fn config(&self) -> Result<Arc<Config>, Unusable> {
        let mut state = self.state.lock();
        if let Some(config) = &state.config
            && (!state.children.is_empty() || state.down)
        {
            return Ok(Arc::clone(config));
        }
        self.start(&mut state)
    }

    /// Ends every node at once.
    pub(super) fn kill9(&self) -> Result<(), Unusable> {
        let mut state = self.state.lock();
        state.down = true;
        for child in &state.children {
            process::signal(child.id(), Signal::SIGKILL);
        }
        state.children.drain(..).try_for_each(|mut child| {
            let waited = child.wait();
            waited
                .map(drop)
                .map_err(|e| self.broken("it cannot be waited for", &e))
        })
    }

    /// Starts it from its files, and waits until it answers. What still runs is killed: a node takes seconds to stop.
    pub(super) fn restart(&self) -> Result<(), Unusable> {
        self.kill9()?;
        self.start(&mut self.state.lock()).map(drop)
    }

    /// Ends every node in order: it flushes and says goodbye to the others, which takes seconds.
    fn stop(&self) {
        let mut state = self.state.lock();
        state.down = true;
        for child in &state.children {
            process::signal(child.id(), Signal::SIGTERM);
        }
        for mut child in state.children.drain(..) {
            for _ in 0..PAUSES_MAX {
                if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                    break;
                }
                process::pause(PAUSE);
            }
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Flushes, compacts or repairs the tables of a keyspace on every node, or starts all nodes again, and waits until
    /// that is done.
    pub(super) fn maintain(&self, what: Maintenance, keyspace: &str) -> Result<(), Unusable> {
        if what == Maintenance::Restart {
            self.stop();
            return self.start(&mut self.state.lock()).map(drop);
        }
        let ports = self.state.lock().ports;
        let Some(ports) = ports else { return Ok(()) };
        for node in 1..=self.nodes {
            let agent = SocketAddr::new(address(node), ports.agent);
            let done = match what {
                Maintenance::Flush => jolokia::operate(
                    agent,
                    "forceKeyspaceFlush(java.lang.String,[Ljava.lang.String;)",
                    &format!(r#"["{keyspace}",[]]"#),
                ),
                Maintenance::Compact => jolokia::operate(
                    agent,
                    "forceKeyspaceCompaction(boolean,java.lang.String,[Ljava.lang.String;)",
                    &format!(r#"[false,"{keyspace}",[]]"#),
                ),
                Maintenance::Repair | Maintenance::Restart => repair(agent, keyspace),
            };
            done.map_err(|what| {
                let remedy = "flush, compact and repair need the Jolokia agent beside the server's jars: cargo xtask servers cassandra";
                Unusable::server(self.url.clone(), what, remedy)
            })?;
        }
        Ok(())
    }

    /// What a run is told about the processes: how long the nodes took to start, and how much memory they hold now.
    pub(super) fn costs(&self) -> Vec<(String, String)> {
        let state = self.state.lock();
        let resident: u64 = state
            .children
            .iter()
            .filter_map(|c| process::resident_kib(c.id()))
            .sum();
        let started = fs::read_to_string(self.folder.join("started")).unwrap_or_default();
        let mut out = vec![
            ("local: nodes".to_owned(), self.nodes.to_string()),
            ("local: heap".to_owned(), self.heap.clone()),
        ];
        if resident > 0 {
            out.push(("local: memory".to_owned(), format!("{} MB", resident / 1024)));
        }
        if !started.is_empty() {
            out.push(("local: started in".to_owned(), started));
        }
        out
    }

    fn broken(&self, what: &str, error: &io::Error) -> Unusable {
        Unusable::server(self.url.clone(), format!("{what}: {error}"), "")
    }

    fn start(&self, state: &mut State) -> Result<Arc<Config>, Unusable> {
        let jars = Jars::find(
            &self.url,
            self.jars.bin.as_deref(),
            self.jars.version.as_deref(),
            &self.environment,
        )?;
        let program = java::program(&self.url, &self.environment)?;
        let ports = self.ports().map_err(|e| self.broken("no port is free", &e))?;
        state.ports = Some(ports);
        // The first one is the others' seed.
        for node in 1..=self.nodes {
            let child = self.spawn(node, &program, &jars, ports)?;
            state.children.push(child);
            if node == 1 {
                self.await_port(state, node, ports)?;
            }
        }
        for node in 2..=self.nodes {
            self.await_port(state, node, ports)?;
        }
        let config = Arc::new(self.reach(ports)?);
        self.await_answer(state, &config)?;
        if let Some(seconds) = state.children.first().and_then(|c| process::age(c.id())) {
            drop(fs::write(self.folder.join("started"), format!("{seconds:.1} s")));
        }
        state.config = Some(Arc::clone(&config));
        state.down = false;
        Ok(config)
    }

    /// How it is reached. A server that asks for passwords knows one user by itself.
    fn reach(&self, ports: Ports) -> Result<Config, Unusable> {
        let hosts: Vec<String> = (1..=self.nodes)
            .map(|n| format!("{}:{}", address(n), ports.cql))
            .collect();
        let guarded = self
            .settings
            .get("authenticator")
            .is_some_and(|a| a.contains("Password"));
        let who = if guarded { "cassandra:cassandra@" } else { "" };
        let mut config = Config::parse(
            &format!("cassandra://{who}{}", hosts.join(",")),
            &self.environment,
        )?;
        config.words.clone_from(&self.words);
        config.shown.clone_from(&self.url);
        Ok(config)
    }

    fn spawn(&self, node: u8, program: &Path, jars: &Jars, ports: Ports) -> Result<Child, Unusable> {
        let home = self.folder.join(format!("n{node}"));
        let prepared = || -> io::Result<Command> {
            fs::create_dir_all(home.join("conf"))?;
            fs::create_dir_all(home.join("tmp"))?;
            await_end_of_old(&home);
            let yaml = java::yaml(address(node), address(1), ports, self.nodes, &self.settings);
            fs::write(home.join("conf/cassandra.yaml"), yaml)?;
            fs::write(home.join("conf/logback.xml"), java::LOGBACK)?;
            fs::write(home.join("conf/java.options"), java::OPTIONS)?;
            let mut command = throwaway::command(program, &home, "log")?;
            // What is no ASCII in its own messages, too.
            command.env("LC_ALL", "C.UTF-8").args(java::arguments(
                jars,
                &self.heap,
                address(node),
                ports,
                node,
                self.nodes,
            ));
            Ok(command)
        };
        let command = prepared().map_err(|e| self.broken(&home.display().to_string(), &e))?;
        let child = process::spawn(command, Signal::SIGKILL)
            .map_err(|e| self.broken("java cannot be started", &e))?;
        fs::write(home.join("pid"), child.id().to_string())
            .map_err(|e| self.broken(&home.display().to_string(), &e))?;
        Ok(child)
    }

    /// Until a node's port is open, the process ends, or the time is over.
    fn await_port(&self, state: &mut State, node: u8, ports: Ports) -> Result<(), Unusable> {
        let at = SocketAddr::new(address(node), ports.cql);
        for _ in 0..PAUSES_MAX {
            if TcpStream::connect(at).is_ok() {
                return Ok(());
            }
            self.still_there(state, node)?;
            process::pause(PAUSE);
        }
        self.give_up(state, node)
    }

    /// Until CQL is answered: a node that has just made its users refuses them for a moment.
    fn await_answer(&self, state: &mut State, config: &Config) -> Result<(), Unusable> {
        for _ in 0..PAUSES_MAX / 10 {
            if let Ok(client) = Client::connect(config, None, None)
                && client.nodes() == usize::from(self.nodes)
            {
                return Ok(());
            }
            self.still_there(state, 1)?;
            process::pause(PAUSE * 5);
        }
        self.give_up(state, 1)
    }

    fn still_there(&self, state: &mut State, node: u8) -> Result<(), Unusable> {
        let Ok(Some(status)) = state.children[usize::from(node) - 1].try_wait() else {
            return Ok(());
        };
        let log = self.log(node);
        let what = format!("Cassandra ended at once ({status}): {}", java::last_words(&log));
        self.clear(state);
        Err(Unusable::server(
            self.url.clone(),
            what,
            format!("see {}", log.display()),
        ))
    }

    fn give_up(&self, state: &mut State, node: u8) -> Result<(), Unusable> {
        self.clear(state);
        let remedy = format!("see {}", self.log(node).display());
        Err(Unusable::server(
            self.url.clone(),
            "Cassandra did not answer for three minutes",
            remedy,
        ))
    }

    fn clear(&self, state: &mut State) {
        for mut child in state.children.drain(..) {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn log(&self, node: u8) -> PathBuf {
        self.folder.join(format!("n{node}/log"))
    }

    /// Free ports the first time, the same ones ever after.
    fn ports(&self) -> io::Result<Ports> {
        let file = self.folder.join("ports");
        let known = fs::read_to_string(&file).unwrap_or_default();
        if let [cql, storage, agent] = known
            .split_whitespace()
            .flat_map(str::parse)
            .collect::<Vec<u16>>()[..]
        {
            return Ok(Ports { cql, storage, agent });
        }
        fs::create_dir_all(&self.folder)?;
        // Held until all are found, so that no two are the same.
        let mut held = Vec::new();
        let mut ports = Vec::new();
        for port in throwaway::ports()? {
            let Ok(first) = TcpListener::bind((address(1), port)) else {
                continue;
            };
            let port = first.local_addr()?.port();
            let others: io::Result<Vec<TcpListener>> = (2..=self.nodes)
                .map(|n| TcpListener::bind((address(n), port)))
                .collect();
            held.push(first);
            if let Ok(others) = others {
                held.extend(others);
                ports.push(port);
            }
            if let [cql, storage, agent] = ports[..] {
                fs::write(&file, format!("{cql} {storage} {agent}"))?;
                return Ok(Ports { cql, storage, agent });
            }
        }
        Err(io::Error::other("no port is free on every address"))
    }
}

/// Where node `n` listens.
fn address(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, n))
}

/// A full repair, to its end; of one replica there is nothing to repair. A node that has just come back takes clients before the
/// others hold it to be alive, and is waited for.
fn repair(agent: SocketAddr, keyspace: &str) -> Result<String, String> {
    let mut left = PAUSES_MAX;
    loop {
        match repair_once(agent, keyspace) {
            Err(why) if why.contains("not alive") && left > 0 => {
                left -= 1;
                process::pause(PAUSE);
            }
            ended => return ended,
        }
    }
}

/// Asks for a full repair and waits for its end.
fn repair_once(agent: SocketAddr, keyspace: &str) -> Result<String, String> {
    let options =
        r#"{"parallelism":"sequential","primaryRange":"false","incremental":"false","jobThreads":"1"}"#;
    let command = jolokia::operate(
        agent,
        "repairAsync(java.lang.String,java.util.Map)",
        &format!(r#"["{keyspace}",{options}]"#),
    )?;
    let number: u32 = command
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|n| n.parse().ok())
        .ok_or("the repair has no number")?;
    if number == 0 {
        return Ok(command);
    }
    for _ in 0..PAUSES_MAX {
        let status = jolokia::operate(agent, "getParentRepairStatus(int)", &format!("[{number}]"))?;
        if status.contains("COMPLETED") {
            return Ok(status);
        }
        if status.contains("FAILED") {
            return Err(format!(
                "the repair failed: {}",
                status.chars().take(300).collect::<String>()
            ));
        }
        process::pause(PAUSE);
    }
    Err("the repair did not end".to_owned())
}

/// A node of an earlier life of ours got its signal when we died; it may need a moment.
fn await_end_of_old(home: &Path) {
    let Some(pid) = fs::read_to_string(home.join("pid"))
        .ok()
        .and_then(|t| t.trim().parse::<u32>().ok())
    else {
        return;
    };
    // The number may be somebody else's by now.
    let ours = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        process::is_alive(pid)
            && String::from_utf8_lossy(&line).contains("CassandraDaemon")
            && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == home)
    };
    if ours() {
        process::signal(pid, Signal::SIGKILL);
    }
    for _ in 0..PAUSES_MAX {
        if !ours() {
            return;
        }
        process::pause(PAUSE);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // Nobody will look at its files again: it need not put them in order.
        for mut child in self.state.lock().children.drain(..) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
