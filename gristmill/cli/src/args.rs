//! The arguments, as data: from them come parsing, help, completions and the man page.
//!
//! The flags of a run are the keys of its settings (`run::plan::keys`): a key that arrives there is a flag here.

use crate::exit;
use crate::settings::variable;
use clap::builder::{PossibleValuesParser, Styles};
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use clap_complete::Shell;
use run::plan::keys;

/// Flags that are shown under `Workload and target`; the others are limits.
const MAIN: &[&str] = &[
    "seed",
    "time",
    "visits",
    "sessions",
    "rate",
    "reads",
    "stages",
    "check",
    "keep",
    "against",
    "agent",
    "workload",
    "complexity",
    "scenario",
    "profile",
    "swarm",
    "weights",
    "ceilings",
    "isolation",
    "claim",
    "pace",
    "discipline",
    "exclusion",
    "bookkeeping",
    "stop",
    "known",
    "schema",
    "history",
];

/// The default of `--tries`, as text.
static TRIES: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("gristmill")
        .version(gristmill::VERSION)
        .about("Puts a database through the mill: a concurrent workload from one seed, every answer checked.")
        .after_help(
            "Start here:\n  \
             gristmill run                          ten seconds on a temporary SQLite file\n  \
             gristmill run postgres://me@host/db    the same on your server; everything made is removed again\n  \
             gristmill selfcheck                    are the judges any good?\n\n\
             `gristmill help COMMAND` tells more, with examples.",
        )
        .after_long_help(format!("{}\n\n{}", START, exit_codes()))
        .styles(Styles::styled())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .infer_subcommands(false)
        .subcommands([
            run(),
            replay(),
            resume(),
            shrink(),
            check(),
            plan(),
            export(),
            selfcheck(),
            list(),
            clean(),
            report(),
            explain(),
            completions(),
            man(),
            worker(),
            duckdb_engine(),
        ])
}

const START: &str = "Start here:\n  \
     gristmill run                          ten seconds on a temporary SQLite file\n  \
     gristmill run postgres://me@host/db    the same on your server; everything made is removed again\n  \
     gristmill selfcheck                    are the judges any good?\n\n\
     Settings come from --config FILE, then the environment (GRISTMILL_SESSIONS is --sessions), then flags; the later wins.";

/// The exit codes as a paragraph.
fn exit_codes() -> String {
    let lines: Vec<String> = exit::ALL
        .iter()
        .map(|(exit, words)| format!("  {:>3}  {words}", *exit as u8))
        .collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

fn run() -> Command {
    settings_flags(Command::new("run").about("Runs a workload against a database and checks every answer"))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Say what would be created and which rights are missing; touch nothing"),
        )
        .arg(out())
        .arg(format())
        .arg(full())
        .after_long_help(format!(
            "Examples:\n  \
             gristmill run\n  \
             gristmill run --seed 7b3f0c --visits 10000 --sessions 1\n  \
             gristmill run postgres://me@localhost/test --time 5m --isolation repeatable-read\n  \
             gristmill run postgres:local --fault kill=1/2000 --fault cut-after-commit=1/500\n  \
             gristmill run postgres://me@localhost/test --rate 500/s --reads 80 --time 5m\n  \
             gristmill run reference: --lie lost_update=1/50      a database that lies: is it noticed?\n  \
             gristmill run --config run.toml --format json | jq .status\n\n\
             A password is taken from the URL, PGPASSWORD or the file that PGPASSFILE names, and never written down.\n\
             Ctrl-C once ends the load, checks what ran and gives its verdict; twice ends at once.\n\n{}",
            exit_codes()
        ))
}

/// TARGET, `--config`, one flag for every key, `--fault`, `--lie`.
fn settings_flags(command: Command) -> Command {
    let mut command = command
        .arg(
            Arg::new("target")
                .value_name("TARGET")
                .value_hint(ValueHint::Url)
                .help("The database, as a URL: see `gristmill list targets` (default: sqlite:)"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .help("Settings as TOML, under those of the environment and of flags"),
        )
        .arg(
            Arg::new("harry")
                .long("harry")
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .help("A configuration of Apache Cassandra Harry, under all other settings; what has no counterpart is named"),
        );
    for key in keys().iter().filter(|key| key.name != "target") {
        let heading = if MAIN.contains(&key.name) {
            "What to run"
        } else {
            "Limits"
        };
        let hint = if matches!(key.name, "known" | "schema" | "history") {
            ValueHint::FilePath
        } else {
            ValueHint::Other
        };
        let arg = Arg::new(key.name);
        // As a flag alone it says yes.
        let arg = match key.name {
            "keep" => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true"),
            _ => arg,
        };
        command = command.arg(
            arg.long(key.name)
                .value_name(value_name(key.name))
                .value_hint(hint)
                .help_heading(heading)
                .allow_hyphen_values(true)
                .help(capital(key.words))
                .long_help(format!(
                    "{}; {}. In the environment: {}",
                    capital(key.words),
                    key.expected,
                    variable(key.name)
                )),
        );
    }
    let repeated = |name: &'static str, value, help| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .action(ArgAction::Append)
            .help_heading("Faults and lies")
            .help(help)
    };
    command
        .arg(repeated(
            "fault",
            "NAME=RATE",
            "Do this to the database while it runs, such as cancel=1/1000; repeat for more",
        ))
        .arg(repeated(
            "lie",
            "NAME[=RATE]",
            "Let the reference, or a corruptor before any target, tell this lie; repeat for more",
        ))
}

fn value_name(key: &str) -> &'static str {
    match key {
        "seed" => "HEX",
        "time" | "deadline" | "settle" | "busy" => "DURATION",
        "profile" => "NAME",
        "pace" => "PACE",
        "rate" => "N/s",
        "reads" => "PERCENT",
        "discipline" => "ordered|lww",
        "isolation" | "claim" => "LEVEL",
        "stop" => "first|never|N",
        "swarm" => "on|off",
        "exclusion" | "bookkeeping" | "keep" => "BOOL",
        "check" => "SETTING",
        "against" => "URL",
        "agent" => "N/OF",
        "stages" => "LIST",
        "known" | "schema" | "history" => "FILE",
        "outside" | "meet" | "weights" | "ceilings" => "LIST",
        _ => "N",
    }
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn out() -> Arg {
    Arg::new("out")
        .long("out")
        .value_name("DIR")
        .value_hint(ValueHint::DirPath)
        .env("GRISTMILL_OUT")
        .default_value(history::artefact::STORE)
        .help("Where the folders of runs lie")
}

fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["text", "json"]))
        .default_value("text")
        .help("What standard output gets: text for people, or the verdict as one JSON object")
}

fn full() -> Arg {
    Arg::new("full")
        .long("full")
        .action(ArgAction::SetTrue)
        .help("Show the statements of a finding whole, however wide the terminal is")
}

fn the_run(help: &'static str) -> Arg {
    Arg::new("run")
        .value_name("RUN")
        .required(true)
        .value_hint(ValueHint::DirPath)
        .help(help)
}

/// The target of a run that exists, where it is to be reached again.
fn target_again() -> Arg {
    Arg::new("target")
        .long("target")
        .value_name("URL")
        .value_hint(ValueHint::Url)
        .help("The database, where its password is needed again (it is never written down)")
}

fn replay() -> Command {
    Command::new("replay")
        .about("Runs the plan of a run again, with the overlaps that were recorded")
        .arg(the_run("A run: its name, `latest`, or its folder"))
        .arg(target_again())
        .arg(
            Arg::new("times")
                .long("times")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=10_000))
                .default_value("1")
                .help("How often"),
        )
        .arg(out())
        .arg(full())
        .after_long_help("Example:\n  gristmill replay latest --times 10\n\nExits with 1 when a finding of the run comes back.")
}

fn resume() -> Command {
    Command::new("resume")
        .about("Goes on with a run that was killed before its verdict")
        .long_about(
            "Goes on with a run that was killed before its verdict: settles the visits that were open by asking the \
             database, does the rest of the plan, and judges all of it. What was counted is counted once.",
        )
        .arg(the_run("A run: its name, `latest`, or its folder"))
        .arg(target_again())
        .arg(out())
        .arg(full())
        .arg(format())
        .after_long_help("Example:\n  gristmill resume latest\n\nExits like run.")
}

fn shrink() -> Command {
    Command::new("shrink")
        .about("Makes a finding small: takes out of its run whatever it fails without")
        .arg(the_run("A run with a finding: its name, `latest`, or its folder"))
        .arg(
            Arg::new("finding")
                .long("finding")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Which finding of the run, counted from 1 (default: the first that is not tolerated)"),
        )
        .arg(
            Arg::new("times")
                .long("times")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=10_000))
                .default_value("10")
                .help("How often the result is run, to say how often it fails"),
        )
        .arg(
            Arg::new("tries")
                .long("tries")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .default_value(TRIES.get_or_init(|| run::shrink::TRIES_MAX.to_string()).as_str())
                .help("Runs that are tried at most"),
        )
        .arg(target_again())
        .arg(out())
        .after_long_help(
            "Examples:\n  \
             gristmill shrink latest\n  \
             gristmill shrink 7b3f0c --finding 2 --times 100\n\n\
             The result is a run of its own in the folder `shrunk` of the run: `gristmill replay` runs it again, `history.mill` is \
             read by `gristmill run --history`, `tables.sql` and `sessionN.sql` are pasted into the database's own shell.\n\
             Ctrl-C ends the search with what it has. Exits with 1 when the result fails, with 2 when the finding did not come back.",
        )
}

fn check() -> Command {
    Command::new("check")
        .about("Judges the answers of a run once more, and what a database still holds of it")
        .long_about(
            "Judges once more the answers that a run's folder still holds. Where the run left its data on the database \
             (--keep), or where --database, --at or --target ask for it, every partition that the run wrote is read too, \
             forward and reversed, and compared with the state after the run's last visit, or after the visit that --at names.",
        )
        .arg(the_run("A run: its name, `latest`, or its folder; or the folder of an exported data set"))
        .arg(
            Arg::new("database")
                .long("database")
                .action(ArgAction::SetTrue)
                .help("Look at the database though the run was not told to leave its data there"),
        )
        .arg(
            Arg::new("answers")
                .long("answers")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["database", "at", "target", "replicas"])
                .help("Judge the answers only: connect to nothing"),
        )
        .arg(
            Arg::new("replicas")
                .long("replicas")
                .action(ArgAction::SetTrue)
                .help("Ask each node for its own copy: what was acknowledged by all must be in every one"),
        )
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("LTS")
                .value_parser(value_parser!(u64).range(1..))
                .help("Compare the database with the state after this visit: that of a run that ended there"),
        )
        .arg(target_again().help("The database that holds the data, where it is another one or needs its password"))
        .arg(out())
        .arg(format())
        .arg(full())
        .after_long_help(
            "Examples:\n  \
             gristmill check latest\n  \
             gristmill run postgres://me@host/db --check none --keep --visits 100000 && gristmill check latest\n  \
             gristmill check latest --at 5000 --target sqlite:restored.db\n\n\
             A password is taken from the URL of --target, PGPASSWORD or the file that PGPASSFILE names.",
        )
}

fn plan() -> Command {
    settings_flags(Command::new("plan").about("Shows what a run would send, without connecting to anything"))
        .arg(
            Arg::new("as")
                .long("as")
                .value_name("FORM")
                .value_parser(PossibleValuesParser::new(["sql", "notation", "toml"]))
                .default_value("sql")
                .help("Statements, visits in one line each, or the plan itself"),
        )
        .after_long_help(
            "Examples:\n  \
             gristmill plan --seed 7b3f0c --visits 20\n  \
             gristmill plan postgres: --as notation --visits 100\n  \
             gristmill plan --as toml > run.toml       every default and draw",
        )
}

fn export() -> Command {
    let command =
        Command::new("export").about("Writes the data set of a plan or a run as files, without a database");
    settings_flags(command)
        .mut_arg("target", |arg| {
            arg.value_name("TARGET|RUN")
                .help("The database that the files are for, as a URL; or a run: its name, `latest`, or its folder")
        })
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("LTS")
                .value_parser(value_parser!(u64).range(1..))
                .help("The state after this visit (default: after the last)"),
        )
        .arg(
            Arg::new("as")
                .long("as")
                .value_name("FORM")
                .value_parser(PossibleValuesParser::new(["csv", "insert", "statements", "cql"]))
                .default_value("insert")
                .help(
                    "csv: a file a table for the database's bulk loader; insert: the rows as INSERT statements; statements \
                     (cql is the same): every write that led there",
                ),
        )
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("DIR")
                .required(true)
                .value_hint(ValueHint::DirPath)
                .help("The folder to make for the files"),
        )
        .arg(out())
        .after_long_help(
            "Examples:\n  \
             gristmill export sqlite: --seed 7b3f0c --visits 100000 --to data\n  \
             gristmill export postgres: --seed 7b3f0c --at 5000 --as csv --to data && (cd data; psql -f load.sql)\n  \
             gristmill export latest --at 5000 --to data && gristmill check data --target sqlite:mine.db\n\n\
             Equal settings make equal bytes. The folder is the folder of a plan, too: `check` compares a database into which \
             its files were loaded.",
        )
}

fn selfcheck() -> Command {
    Command::new("selfcheck")
        .about("Tries the judges: is every lie found, is every truthful run passed?")
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("HEX")
                .help("Where every draw comes from"),
        )
}

fn list() -> Command {
    Command::new("list")
        .about("Lists what this program knows, or the runs that are there")
        .arg(
            Arg::new("what")
                .value_name("WHAT")
                .required(true)
                .value_parser(PossibleValuesParser::new([
                    "targets",
                    "workloads",
                    "actions",
                    "lies",
                    "faults",
                    "scenarios",
                    "defects",
                    "profiles",
                    "types",
                    "keys",
                    "runs",
                ]))
                .help("What to list"),
        )
        .arg(
            Arg::new("target")
                .value_name("TARGET")
                .value_hint(ValueHint::Url)
                .help("For `types`: of this target only"),
        )
        .arg(out())
}

fn clean() -> Command {
    Command::new("clean")
        .about("Removes what runs that were killed left on a target, or old folders of runs")
        .arg(
            Arg::new("target")
                .value_name("TARGET")
                .value_hint(ValueHint::Url)
                .required_unless_present("runs")
                .help("The database that is to be cleaned"),
        )
        .arg(
            Arg::new("runs")
                .long("runs")
                .action(ArgAction::SetTrue)
                .conflicts_with("target")
                .help("Remove folders of runs without a finding instead"),
        )
        .arg(
            Arg::new("keep")
                .long("keep")
                .value_name("N")
                .requires("runs")
                .value_parser(value_parser!(usize))
                .default_value("0")
                .help("Keep so many of the latest"),
        )
        .arg(
            Arg::new("findings")
                .long("findings")
                .action(ArgAction::SetTrue)
                .requires("runs")
                .help("Remove those with findings too"),
        )
        .arg(out())
        .after_long_help(
            "Examples:\n  \
             gristmill clean postgres://me@host/db     after a kill: only what our registry names is removed\n  \
             gristmill clean --runs --keep 5",
        )
}

fn report() -> Command {
    Command::new("report")
        .about("Prints the verdict of a run again with its latencies, and writes the files of its findings")
        .arg(the_run("A run: its name, `latest`, or its folder"))
        .arg(out())
        .arg(format())
        .arg(full())
}

fn explain() -> Command {
    Command::new("explain")
        .about("Says what a kind or shape of finding means, and what to do")
        .arg(
            Arg::new("kind")
                .value_name("KIND")
                .help("A word of the verdict, such as missing-row; none: all of them"),
        )
}

fn completions() -> Command {
    Command::new("completions")
        .about("Prints completions for a shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("Which shell"),
        )
        .after_long_help(
            "Example:\n  gristmill completions bash > ~/.local/share/bash-completion/completions/gristmill",
        )
}

fn man() -> Command {
    Command::new("man")
        .about("Prints the man page, or writes those of all commands")
        .arg(
            Arg::new("dir")
                .long("dir")
                .value_name("DIR")
                .value_hint(ValueHint::DirPath)
                .help("Write gristmill.1 and one page a command here"),
        )
}

/// What the DuckDB target starts; not for people.
fn duckdb_engine() -> Command {
    Command::new(targets::DUCKDB_ENGINE).hide(true)
}

/// What a supervisor starts; not for people.
fn worker() -> Command {
    Command::new("worker")
        .hide(true)
        .arg(Arg::new("folder").required(true))
        .arg(Arg::new("schedule-of").long("schedule-of").value_name("DIR"))
}
