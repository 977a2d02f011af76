//! Real servers for tests: started in a temporary folder, on loopback, unprivileged, and ended with the test.
//!
//! A server that is not installed skips its tests with a printed line, unless `CI` is `true`. Knows nothing of this
//! crate: the tests of the `millstream` binary include this file too.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A free port; the window until the server takes it is a risk a test can take.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn missing(what: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{what} is not installed, and this is CI"
    );
    println!("skipped: {what} is not installed");
}

/// Between two looks at a server that starts; nobody tells when it is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Looks until a server is given up: a minute.
const LOOKS: u32 = 3000;

/// Waits until something listens; panics with the server's log after a while.
fn await_port(port: u16, child: &mut Child, log: &Path) {
    for look in 0.. {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        let gone = child.try_wait().unwrap().is_some();
        assert!(
            !gone && look < LOOKS,
            "no server: {}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

/// Makes a server die with us, however we die.
#[expect(
    unsafe_code,
    reason = "the only way to set a child's parent-death signal before it starts"
)]
fn dies_with_us(command: &mut Command, signal: Signal) {
    // SAFETY: prctl(PR_SET_PDEATHSIG) is async-signal-safe and touches nothing of the parent.
    unsafe {
        command.pre_exec(move || nix::sys::prctl::set_pdeathsig(signal).map_err(std::io::Error::from));
    }
}

/// The folder of PostgreSQL's programs: as `pg_config` says, or Debian's newest.
fn postgres() -> Option<PathBuf> {
    let said = Command::new("pg_config").arg("--bindir").output();
    let said = said.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|e| e.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let mut all = said.into_iter().chain(versions.into_iter().rev());
    all.find(|bin| bin.join("initdb").exists())
}

/// A PostgreSQL of its own.
pub(crate) struct PostgresServer {
    child: Child,
    port: u16,
    bin: PathBuf,
    _folder: TempDir,
}

impl PostgresServer {
    pub(crate) fn start() -> Option<PostgresServer> {
        let Some(bin) = postgres() else {
            missing("PostgreSQL");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("shard-pg").tempdir().unwrap();
        let root = nix::unistd::geteuid().is_root();
        let nobody = nix::unistd::User::from_name("nobody")
            .unwrap()
            .expect("there is a nobody");
        if root {
            nix::unistd::chown(folder.path(), Some(nobody.uid), Some(nobody.gid)).unwrap();
        }
        let as_nobody = |program: &str| {
            let mut command = Command::new(bin.join(program));
            if root {
                command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
            }
            command.current_dir(folder.path()).stdin(Stdio::null());
            command
        };
        let data = folder.path().join("data");
        let made = as_nobody("initdb")
            .arg("-D")
            .arg(&data)
            .args([
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = port();
        let log = folder.path().join("log");
        let out = std::fs::File::create(&log).unwrap();
        let mut command = as_nobody("postgres");
        command
            .arg("-D")
            .arg(&data)
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", folder.path().display()),
            "max_connections=100".to_owned(),
            "shared_buffers=32MB".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        dies_with_us(&mut command, Signal::SIGQUIT);
        let mut child = command.spawn().unwrap();
        await_port(port, &mut child, &log);
        let server = PostgresServer {
            child,
            port,
            bin,
            _folder: folder,
        };
        server.await_ready();
        Some(server)
    }

    /// The port is open before the server answers: "starting up" goes by.
    fn await_ready(&self) {
        for look in 0.. {
            let ready = Command::new(self.bin.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", &format!("--port={}", self.port)])
                .status()
                .unwrap();
            if ready.success() {
                return;
            }
            assert!(look < LOOKS, "PostgreSQL does not get ready");
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// The URL of one of its databases; `postgres` is there.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, Signal::SIGINT);
        let _ = self.child.wait();
    }
}

/// versitygw: named by `VERSITYGW`, where `cargo xtask test --install` puts it, or on the path.
fn versitygw() -> Option<PathBuf> {
    let named = std::env::var_os("VERSITYGW").map(PathBuf::from);
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/servers/bin/versitygw");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("versitygw"));
    let all = named.into_iter().chain([ours]).chain(on_path);
    all.into_iter().find(|program| program.is_file())
}

/// A versitygw of its own.
pub(crate) struct S3Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl S3Server {
    pub(crate) fn start() -> Option<S3Server> {
        let Some(program) = versitygw() else {
            missing("versitygw");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = port();
        let log = folder.path().join("log");
        let out = std::fs::File::create(&log).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mut command = Command::new(&program);
        command
            .env("ROOT_ACCESS_KEY", S3_KEYS.0)
            .env("ROOT_SECRET_KEY", S3_KEYS.1)
            .args(["--port", &format!("127.0.0.1:{port}"), "--quiet", "posix"])
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        dies_with_us(&mut command, Signal::SIGKILL);
        let mut child = command.spawn().unwrap();
        await_port(port, &mut child, &log);
        Some(S3Server { child, port, folder })
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket, which is a folder.
    pub(crate) fn make_bucket(&self, name: &str) {
        std::fs::create_dir_all(self.folder.path().join("data").join(name)).unwrap();
    }
}

/// The names of versitygw's only account.
pub(crate) const S3_KEYS: (&str, &str) = ("test", "testtest");

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
