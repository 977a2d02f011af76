//! Real servers for tests: started in a temporary folder, on loopback, unprivileged, and ended with the test.
//!
//! A server that is not installed skips its tests with a printed line, unless `CI` is `true`.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::object::{Bucket, S3Options};
use crate::clock::Clock;

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

/// Waits until something listens; panics with the server's log after a while.
fn await_port(port: u16, child: &mut Child, log: &Path) {
    let clock = Clock::system();
    let began = Clock::monotonic_us();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let gone = child.try_wait().unwrap().is_some();
        let late = Clock::monotonic_us() - began > 60_000_000;
        assert!(
            !gone && !late,
            "no server: {}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
        crate::rt::block_on(clock.sleep(20));
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

/// A PostgreSQL of its own.
pub(crate) struct PostgresServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl PostgresServer {
    pub(crate) fn start() -> Option<PostgresServer> {
        let bin = Command::new("pg_config")
            .arg("--bindir")
            .output()
            .ok()
            .filter(|out| out.status.success());
        let bin = bin.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
        let bin = bin.unwrap_or_else(|| PathBuf::from("/usr/lib/postgresql/15/bin"));
        if !bin.join("initdb").exists() {
            missing("PostgreSQL");
            return None;
        }
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
            _folder: folder,
        };
        server.await_ready();
        Some(server)
    }

    /// The port is open before the server answers: "starting up" goes by.
    fn await_ready(&self) {
        let clock = Clock::system();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let began = Clock::monotonic_us();
        loop {
            let connected = runtime.block_on(tokio_postgres::connect(&self.url(), tokio_postgres::NoTls));
            match connected {
                Ok(_) => return,
                Err(error) => assert!(Clock::monotonic_us() - began < 60_000_000, "PostgreSQL: {error}"),
            }
            crate::rt::block_on(clock.sleep(20));
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    pub(crate) fn url_of(&self, database: &str) -> String {
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

/// A versitygw of its own; found on the path or named by `VERSITYGW`.
pub(crate) struct S3Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl S3Server {
    pub(crate) fn start() -> Option<S3Server> {
        let program = std::env::var("VERSITYGW").unwrap_or_else(|_| "versitygw".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let port = port();
        let log = folder.path().join("log");
        let out = std::fs::File::create(&log).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mut command = Command::new(&program);
        command
            .env("ROOT_ACCESS_KEY", "test")
            .env("ROOT_SECRET_KEY", "testtest")
            .args(["--port", &format!("127.0.0.1:{port}"), "--quiet", "posix"])
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        dies_with_us(&mut command, Signal::SIGKILL);
        let Ok(mut child) = command.spawn() else {
            // Not yet installed by `cargo xtask test`: left out everywhere, and said.
            println!("versitygw is not on this machine (VERSITYGW names it): its tests are left out");
            return None;
        };
        await_port(port, &mut child, &log);
        Some(S3Server { child, port, folder })
    }

    /// The options of a fresh bucket.
    pub(crate) fn options(&self, bucket: &str) -> S3Options {
        std::fs::create_dir_all(self.folder.path().join("data").join(bucket)).unwrap();
        S3Options {
            bucket: bucket.to_owned(),
            prefix: "some/prefix".to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            region: None,
            access_key_id: Some("test".to_owned()),
            secret_access_key: Some("testtest".to_owned()),
        }
    }

    pub(crate) fn bucket(&self, bucket: &str) -> Bucket {
        Bucket::s3(&self.options(bucket)).unwrap()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
