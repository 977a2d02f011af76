//! `gristmill run`, and the hidden `worker` that it starts.

use super::report::write_pages;
use super::{json, store, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use crate::settings::{gather, plain};
use clap::ArgMatches;
use gristmill::{DryRun, Request, RunError, dry_run, environment};
use history::artefact::{Folder, KEEP};
use history::progress::Progress;
use history::{Verdict, Watcher};
use report::text::{Screen, verdict};
use run::Plan;
use run::plan::{Length, keys};
use run::supervisor::{Ended, Failure, Supervision, interrupts, supervise};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let settings = gather(given, out)?;
    let known = settings.known.clone();
    let Request { plan, password } = Request::new(settings)?;
    plan.left_out
        .iter()
        .for_each(|what| out.remark(&format!("left out of the schema: {what}")));
    if given.get_flag("dry-run") {
        return dry(&plan, password.as_deref(), out);
    }
    let mut head = Vec::new();
    let ended = supervised(
        text(given, "out"),
        password.as_deref(),
        known.as_deref(),
        &mut |with| {
            watched(given, out, &mut head, &mut |watcher| {
                supervise(&plan, with, watcher)
            })
        },
    )?;
    let again = |ended: &Verdict| again(given, &plan, &ended.visits);
    let exit = conclude(given, out, ended, &head, &again)?;
    store(given).prune(KEEP, false)?;
    Ok(exit)
}

/// Does `work` before the eyes of whoever sits there; `head` gets the run's first line.
pub(super) fn watched(
    given: &ArgMatches,
    out: &mut Out,
    head: &mut Vec<String>,
    work: &mut dyn FnMut(&mut dyn Watcher) -> Result<Ended, RunError>,
) -> Result<Ended, RunError> {
    // A JSON run draws on standard error, where somebody looks at it.
    let (style, live) = if json(given) {
        out.aside()
    } else {
        (out.style(), out.live())
    };
    let stream: Box<dyn io::Write + Send> = if json(given) {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    };
    let mut screen = Screen::new(stream, style, live);
    let ended = work(&mut Watching {
        screen: (live || !json(given)).then_some(&mut screen),
        head,
    });
    out.noted(screen.finish().filter(|_| !json(given)));
    ended
}

/// Writes down and prints what a run ended with. `again` is the command that does it once more.
pub(super) fn conclude(
    given: &ArgMatches,
    out: &mut Out,
    ended: Ended,
    head: &[String],
    again: &dyn Fn(&Verdict) -> String,
) -> Result<Exit, Problem> {
    Ok(match ended {
        Ended::Verdict(ending) => {
            let folder = Folder::open(&ending.folder)?;
            let mut ending = *ending;
            let words = again(&ending.verdict);
            let setup = &mut ending.verdict.setup;
            setup.insert("head".to_owned(), head.join(" · "));
            setup.insert("again".to_owned(), words);
            setup.insert("folder".to_owned(), folder.path().display().to_string());
            gristmill::VERSION.clone_into(&mut ending.verdict.gristmill);
            folder.write_verdict(&ending.verdict)?;
            write_pages(&folder, &ending.verdict)?;
            if json(given) {
                out.print(&report::json::verdict(&ending.verdict));
            } else {
                out.print(&verdict(&ending.verdict, out.style()));
            }
            ending.verdict.status.into()
        }
        Ended::Killed { folder } => killed(&folder, out),
        Ended::Failed(failure) => return Err(failed(failure)),
    })
}

/// Does `work` with a supervision: this program as the worker's, Ctrl-C heard.
pub(super) fn supervised<T>(
    store: &str,
    password: Option<&str>,
    known: Option<&str>,
    work: &mut dyn FnMut(&Supervision<'_>) -> Result<T, RunError>,
) -> Result<T, Problem> {
    let program = std::env::current_exe();
    let program = program.map_err(|e| Problem::ours(format!("cannot find this program: {}", plain(&e))))?;
    let interrupts = interrupts();
    let interrupts =
        interrupts.map_err(|e| Problem::ours(format!("cannot listen for signals: {}", plain(&e))))?;
    let with = Supervision {
        store: Path::new(store),
        program: &program,
        password,
        known: known.map(Path::new),
        schedule_of: None,
        interrupts,
    };
    Ok(work(&with)?)
}

/// The second Ctrl-C.
pub(super) fn killed(folder: &Path, out: &Out) -> Exit {
    out.complain(
        "interrupted twice: ended at once",
        &format!(
            "what ran is in {0}; `gristmill resume {0}` goes on with it",
            folder.display()
        ),
    );
    Exit::Interrupted
}

/// A run without a verdict.
pub(super) fn failed(failure: Failure) -> Problem {
    Problem {
        exit: Exit::of(failure.code),
        lines: vec![(failure.message, failure.remedy)],
    }
}

/// The command that runs this again, as nearly as a command can: the flags as they were given, the seed and the visits as
/// they came to be. Settings of a file or of the environment are still needed.
fn again(given: &ArgMatches, plan: &Plan, visits: &BTreeMap<String, u64>) -> String {
    let all: u64 = visits
        .iter()
        .filter(|(name, _)| *name != "writing")
        .map(|(_, n)| n)
        .sum();
    let mut command = "gristmill run".to_owned();
    if plan.target != "sqlite:" {
        command += &format!(" {}", quoted(&plan.target));
    }
    command += &match (&plan.history, &plan.parallel, plan.length) {
        (Some(_), ..) => format!(" --seed {}", plan.seed),
        (None, Some(_), Length::Visits(statements)) => format!(
            " --seed {} --visits {statements} --sessions {}",
            plan.seed, plan.sessions
        ),
        // What is said depends on what was answered: the time is as good as any number.
        (None, Some(_), Length::TimeMs(ms)) => {
            format!(" --seed {} --time {ms}ms --sessions {}", plan.seed, plan.sessions)
        }
        (None, ..) => format!(
            " --seed {} --visits {all} --sessions {}",
            plan.seed, plan.sessions
        ),
    };
    let fixed = ["target", "seed", "time", "visits", "sessions"];
    let flags = keys()
        .iter()
        .map(|key| key.name)
        .filter(|name| !fixed.contains(name));
    for name in flags.chain(["config", "harry", "fault", "lie"]) {
        for value in given.get_many::<String>(name).into_iter().flatten() {
            command += &match (name, value.as_str()) {
                ("keep", "true") => " --keep".to_owned(),
                ("keep", value) => format!(" --keep={}", quoted(value)),
                (name, value) => format!(" --{name} {}", quoted(value)),
            };
        }
    }
    command
}

/// A word of a shell: in quotes where it needs them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=:/.,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Passes on what it sees, and keeps the first line.
struct Watching<'a> {
    screen: Option<&'a mut Screen<Box<dyn io::Write + Send>>>,
    head: &'a mut Vec<String>,
}

impl Watcher for Watching<'_> {
    fn see(&mut self, progress: &Progress) {
        if let Progress::Started { head, .. } = progress {
            self.head.clone_from(head);
        }
        if let Some(screen) = &mut self.screen {
            screen.see(progress);
        }
    }
}

fn dry(plan: &Plan, password: Option<&str>, out: &mut Out) -> Result<Exit, Problem> {
    let DryRun {
        head,
        creates,
        rights_missing,
        notes,
    } = dry_run(plan, &environment(password))?;
    let missing = !rights_missing.is_empty();
    let dry = report::text::DryRun {
        head,
        creates,
        rights_missing,
        notes,
    };
    out.print(&report::text::dry_run(&dry, out.style()));
    Ok(if missing { Exit::Target } else { Exit::Clean })
}

/// The child process: everything it says goes through its supervisor.
pub(super) fn worker(given: &ArgMatches) -> ExitCode {
    let orders = run::worker::Orders {
        folder: text(given, "folder").into(),
        schedule_of: given.get_one::<String>("schedule-of").map(Into::into),
    };
    run::worker::main(&orders)
}
