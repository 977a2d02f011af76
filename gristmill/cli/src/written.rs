//! Tests as histories: a few abstract lines that hold for every table of a seed, on any target.
//!
//! ```no_run
//! use gristmill::{History, partition};
//!
//! History::new(7)
//!     .with(partition().inserts(10))
//!     .with(partition().number(0).simultaneously().random_order(|p| p.delete_partition().delete_range()))
//!     .with(partition().number(0).read())
//!     .holds("sqlite:");
//! ```
//! Small numbers name partitions and rows: row 0 of a partition is its first row in the order of its key, and numbers beyond
//! what a table has begin again from the first, so that a test fits every table. What is not said is drawn from the seed. The
//! tables are drawn from it too, unless they are given.
//!
//! Every statement's answer is compared with the model, as in any run; [`Steps::validate`] adds what only the author knows.
//!
//! Invariants:
//! * B1 a history is a function of its seed and its lines: the same visits on the same tables, each time.
//! * B2 visits begin in the order in which they were written down, each after all before it, but for those said to be
//!   [`Steps::beside`] the one before.

mod make;
mod now;
mod steps;

pub use make::Wrong;
pub use now::{Live, Seen};
pub use steps::{Steps, partition};

use crate::{Nobody, Plan, RunError, Settings, Status, Verdict, environment};
use ::run::plan::{Length, Stop};
use datagen::schema::{Schema, ddl};
use history::artefact::Folder;
use history::notation::HistoryFile;
use history::{Address, Answer};
use make::{Made, make};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use targets::OpenOptions;

/// A test's history.
#[derive(Clone, Default)]
pub struct History {
    seed: u64,
    parts: Vec<Part>,
    tables: Option<String>,
    settings: Vec<(Setting, String, String)>,
    folder: Option<PathBuf>,
}

#[derive(Clone)]
enum Part {
    Steps(Steps),
    /// So many generated visits.
    Generated(u64),
}

#[derive(Clone, Copy)]
enum Setting {
    Key,
    Fault,
    Lie,
}

/// What a history ended with.
#[derive(Debug)]
pub struct Held {
    /// The verdict: what was compared.
    pub verdict: Verdict,
    /// The history in the notation, as `gristmill run --history` reads it.
    pub history: String,
}

impl History {
    /// An empty history.
    pub fn new(seed: u64) -> History {
        History {
            seed,
            ..History::default()
        }
    }

    /// Adds what is done to one partition.
    #[must_use]
    pub fn with(mut self, steps: Steps) -> History {
        self.parts.push(Part::Steps(steps));
        self
    }

    /// Adds so many generated visits, on partitions of their own choice, two sessions at a time.
    #[must_use]
    pub fn generated(mut self, visits: u64) -> History {
        self.parts.push(Part::Generated(visits));
        self
    }

    /// On these tables (`CREATE TABLE …; CREATE INDEX …`) instead of drawn ones.
    #[must_use]
    pub fn tables(mut self, sql: &str) -> History {
        self.tables = Some(sql.to_owned());
        self
    }

    /// A key of the settings of a run, such as `isolation`.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> History {
        self.setting(Setting::Key, key, value)
    }

    /// A fault by rate, such as `kill` at `1/10`.
    #[must_use]
    pub fn fault(self, name: &str, rate: &str) -> History {
        self.setting(Setting::Fault, name, rate)
    }

    /// A lie by rate, such as `forgotten_row` at `1/1`: to see that the test can fail.
    #[must_use]
    pub fn lie(self, name: &str, rate: &str) -> History {
        self.setting(Setting::Lie, name, rate)
    }

    /// Where the folders of its runs lie, and stay; otherwise below the system's folder for temporary files, and only the
    /// folders of runs that fail stay.
    #[must_use]
    pub fn keep_in(mut self, folder: &Path) -> History {
        self.folder = Some(folder.to_owned());
        self
    }

    fn setting(mut self, kind: Setting, name: &str, value: &str) -> History {
        self.settings.push((kind, name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it against a target, whose URL is as on the command line, and compares every answer.
    ///
    /// # Errors
    /// What does not fit the tables, what ends a run without a verdict, a finding, a validator that says no.
    pub fn run(&self, target: &str) -> Result<Held, Wrong> {
        self.once(self.seed, target)
    }

    /// The same for so many seeds from its own on: other tables, rows and values each time.
    ///
    /// # Errors
    /// Those of [`History::run`], of the first seed that has one.
    pub fn run_for_seeds(&self, target: &str, seeds: u64) -> Result<(), Wrong> {
        (0..seeds).try_for_each(|n| self.once(self.seed.wrapping_add(n), target).map(drop))
    }

    /// [`History::run`], for tests.
    ///
    /// # Panics
    /// With the finding and the history, when it does not hold.
    pub fn holds(&self, target: &str) -> Held {
        self.run(target).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// [`History::run_for_seeds`], for tests.
    ///
    /// # Panics
    /// With the finding and the history, when it does not hold.
    pub fn holds_for_seeds(&self, target: &str, seeds: u64) {
        if let Err(wrong) = self.run_for_seeds(target, seeds) {
            panic!("{wrong}")
        }
    }

    /// Begins it on a target: what is written down so far is done, and then one part at a time, whose answers can be looked at
    /// before the next is made. Visits that are said to be beside others come after them here.
    ///
    /// # Errors
    /// Those of [`Live::now`].
    pub fn open(&self, target: &str) -> Result<Live, Wrong> {
        let plan = self.base(self.seed, target)?;
        let own = own_folder();
        let store = self.folder.clone().unwrap_or_else(|| own.clone());
        Live::begin(self, plan, self.folder.is_none().then_some(own), &store)
    }

    fn once(&self, seed: u64, target: &str) -> Result<Held, Wrong> {
        let plan = self.base(seed, target)?;
        let Made { lines, validators } = make(&self.parts, seed, &plan)?;
        let file = HistoryFile {
            seed: Some(seed),
            tables: plan
                .schema
                .tables
                .iter()
                .map(|t| t.definition().clone())
                .collect(),
            lines: lines.clone(),
            ..HistoryFile::default()
        };
        let history = file.to_string();
        let plan = Plan {
            sessions: lines.iter().map(|l| l.session.0).max().unwrap_or(1),
            length: Length::Visits(lines.iter().map(|l| l.visit.lts.0).max().unwrap_or(1)),
            stop: Stop::Never,
            profile: "history".to_owned(),
            history: Some(lines),
            ..plan
        };
        let own = own_folder();
        let store = self.folder.as_deref().unwrap_or(&own);
        let ending = crate::run_in(store, &plan, None, &mut Nobody)?;
        let wrong = judged(&ending.verdict, &ending.folder, &history, &validators)?;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        if self.folder.is_none() {
            std::fs::remove_dir_all(&own).map_err(|source| RunError::Io {
                what: own.display().to_string(),
                source,
            })?;
        }
        Ok(Held {
            verdict: ending.verdict,
            history,
        })
    }

    /// The plan of its settings, on its tables.
    fn base(&self, seed: u64, target: &str) -> Result<Plan, Wrong> {
        let mut settings = Settings {
            seed: Some(::run::plan::Seed(seed)),
            target: Some(target.to_owned()),
            ..Settings::default()
        };
        for (kind, name, value) in &self.settings {
            let set = match kind {
                Setting::Key => settings.set(name, value, name),
                Setting::Fault => settings.fault(&format!("{name}={value}"), "fault"),
                Setting::Lie => settings.lie(&format!("{name}={value}"), "lie"),
            };
            set.map_err(|mistake| Wrong::Plan(crate::PlanError::Mistakes(vec![mistake])))?;
        }
        let plan = settings.plan(&environment(None))?;
        let Some(sql) = &self.tables else { return Ok(plan) };
        let mut options = OpenOptions::new(std::env::temp_dir(), plan.prefix.clone());
        options.discipline = plan.discipline;
        let open = targets::open(target, &options).map_err(|e| Wrong::Plan(e.into()))?;
        let schema: Schema = ddl::read(sql, seed, &|ty| open.limits(&ty)).map_err(|all| {
            Wrong::Tables(all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        Ok(Plan { schema, ..plan })
    }
}

/// A folder below the system's that nobody else uses.
fn own_folder() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("gristmill-{}-{number}", std::process::id()))
}

/// What a run says of a history, and what its validators say.
fn judged(
    verdict: &Verdict,
    folder: &Path,
    history: &str,
    validators: &[make::Validator],
) -> Result<Option<Wrong>, Wrong> {
    if verdict.status != Status::Clean {
        let style = report::text::Style::default();
        let causes = verdict
            .causes
            .iter()
            .map(|c| report::text::finding(c, "RUN", style));
        let doubts = verdict.doubts.iter().map(|doubt| format!("unknown: {doubt}\n"));
        return Ok(Some(Wrong::Found {
            text: causes.chain(doubts).collect(),
            history: history.to_owned(),
            folder: folder.to_owned(),
        }));
    }
    if validators.is_empty() {
        return Ok(None);
    }
    let answers = ::run::recheck::answers(&Folder::open(folder).map_err(RunError::from)?)?;
    for validator in validators {
        let at = |a: &&history::Answered| {
            a.address
                == Address {
                    attempt: 0,
                    ..validator.at
                }
        };
        let said = match answers.iter().rfind(at).map(|a| &a.answer) {
            Some(Answer::Rows(rows)) => {
                let decoded = decoded(rows);
                (validator.check)(&decoded)
            }
            _ => Err("the read has no rows as its answer".to_owned()),
        };
        if let Err(said) = said {
            return Ok(Some(Wrong::Validator {
                name: validator.name.clone(),
                said,
                history: history.to_owned(),
            }));
        }
    }
    Ok(None)
}

/// The rows of an answer.
fn decoded(rows: &history::Rows) -> Vec<Vec<datagen::value::Value>> {
    let mut decoded = Vec::new();
    for mut row in rows.iter() {
        let mut values = Vec::new();
        while !row.is_empty() {
            let value = datagen::value::Value::decode(&mut row);
            values.push(value.expect("an answer that was judged can be read"));
        }
        decoded.push(values);
    }
    decoded
}
