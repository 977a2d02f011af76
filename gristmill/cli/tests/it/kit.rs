//! Running the binary in a folder of its own, and what it said.

use expect_test::Expect;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder in which the binary is run, with nothing of the caller's environment but PATH.
pub(crate) struct Desk {
    dir: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.said(self.command(args).output().unwrap())
    }

    pub(crate) fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        self.said(
            self.command(args)
                .envs(environment.iter().copied())
                .output()
                .unwrap(),
        )
    }

    pub(crate) fn said(&self, output: Output) -> Said {
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(self.path().to_str().unwrap(), "DIR")
        };
        Said {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// What a run of the binary said.
#[derive(Debug)]
pub(crate) struct Said {
    /// `None`: ended by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Exit code, standard error, standard output, each line behind a sign.
    pub(crate) fn check(&self, expected: Expect) {
        let lines =
            |sign: &str, text: &str| -> String { text.lines().map(|l| format!("{sign} {l}\n")).collect() };
        let code = self
            .code
            .map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        expected.assert_eq(&format!(
            "exit {code}\n{}{}",
            lines("!", &self.err),
            lines("|", &self.out)
        ));
        assert!(
            !self.err.contains("panicked") && !self.err.contains("RUST_BACKTRACE"),
            "{}",
            self.err
        );
    }
}

/// Waits until `ready` gives something, looking again and again while other threads and processes run; panics when it
/// never does.
pub(crate) fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2_000_000 {
        if let Some(found) = ready() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("waited in vain for {what}");
}
