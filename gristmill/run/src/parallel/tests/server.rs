//! A PostgreSQL of a test's own, with databases in which faults are planted, and an eye that acts while a run goes on.

use super::plan;
use crate::life::environment;
use crate::plan::Plan;
use history::parallel::{Answer, Said};
use history::{Progress, SessionId, Verdict, Watcher};
use std::sync::Arc;
use std::time::Duration;
use targets::target::OpenOptions;
use targets::{SqlSession, Target};

/// The server; it ends with this.
pub(super) struct Server {
    folder: tempfile::TempDir,
    _target: Arc<dyn Target>,
    port: String,
    password: String,
}

/// One of its databases.
pub(super) struct Database {
    pub(super) url: String,
    pub(super) password: String,
}

impl Server {
    pub(super) fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(folder.path(), "holder");
        let target = targets::open("postgres:local?set=fsync=off", &options).unwrap();
        target.facts().unwrap();
        let word = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join("postgres").join(name)).unwrap();
            text.trim().to_owned()
        };
        Server {
            port: word("port"),
            password: word("password"),
            folder,
            _target: target.into(),
        }
    }

    pub(super) fn database(&self, name: &str) -> Database {
        self.named("postgres").tell(&format!("CREATE DATABASE {name}"));
        self.named(name)
    }

    fn named(&self, name: &str) -> Database {
        Database {
            url: format!(
                "postgres://gristmill@127.0.0.1:{}/{name}?sslmode=disable",
                self.port
            ),
            password: self.password.clone(),
        }
    }

    pub(super) fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("runs")
    }
}

impl Database {
    pub(super) fn open(&self) -> Box<dyn SqlSession> {
        let options = OpenOptions {
            environment: environment(Some(&self.password)),
            ..OpenOptions::new(std::env::temp_dir(), "nobody")
        };
        let url = format!("{}&application_name=stranger", self.url);
        let target = targets::open(&url, &options).unwrap();
        target.sql().unwrap().open(SessionId(99)).unwrap()
    }

    /// Runs statements that must be done.
    pub(super) fn tell(&self, sql: &str) {
        told(self.open().as_mut(), sql);
    }

    /// A run in this database.
    pub(super) fn run(
        &self,
        store: &std::path::Path,
        keys: &str,
        see: impl FnMut(&Progress) + Send,
    ) -> Verdict {
        self.run_plan(&self.plan(keys), store, see)
    }

    pub(super) fn plan(&self, keys: &str) -> Plan {
        plan(&self.url, keys)
    }

    pub(super) fn run_plan(
        &self,
        plan: &Plan,
        store: &std::path::Path,
        see: impl FnMut(&Progress) + Send,
    ) -> Verdict {
        crate::run(plan, store, Some(&self.password), &mut Eye(see))
            .unwrap()
            .verdict
    }
}

/// Runs one text that must be done; its rows.
pub(super) fn told(session: &mut dyn SqlSession, sql: &str) -> Vec<Vec<Option<String>>> {
    let Answer { said, .. } = session.send(sql, None, true, Duration::from_secs(30));
    match said {
        Said::Done { rows, .. } => rows.map(|table| table.rows).unwrap_or_default(),
        said => panic!("{sql}: {said:?}"),
    }
}

/// Looks on, and acts.
pub(super) struct Eye<F>(pub(super) F);

impl<F: FnMut(&Progress) + Send> Watcher for Eye<F> {
    fn see(&mut self, progress: &Progress) {
        (self.0)(progress);
    }
}

/// Whether statements are running.
pub(super) fn is_load(progress: &Progress) -> bool {
    matches!(progress, Progress::Load { phase, .. } if phase == Progress::STATEMENTS)
}
