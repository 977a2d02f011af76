//! `gristmill list`: what this program knows, and the runs that are there.

use super::{store, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use crate::settings::variable;
use clap::ArgMatches;
use datagen::value::Type;
use report::text::{runs, table};
use run::fault::FAULTS;
use run::parallel::{LIES, Lie};
use run::plan::{keys, scenarios};
use std::path::PathBuf;
use targets::{FLAWS, OpenOptions, SCHEMES, Teller};

pub(super) fn list(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let style = out.style();
    let lines = match text(given, "what") {
        "targets" => rows(SCHEMES.iter().map(|s| [s.form, s.words])),
        "workloads" => workloads(),
        "actions" => actions(),
        "lies" => FLAWS
            .iter()
            .map(lie)
            .chain(LIES.iter().map(of_statements))
            .collect(),
        "scenarios" => rows(scenarios().map(|(name, words, wants)| [name, words, wants])),
        "defects" => rows(
            workload::parallel::DEFECTS
                .iter()
                .map(|d| [d.name, d.of, d.words]),
        ),
        "profiles" => profiles(),
        "faults" => rows(FAULTS.iter().map(|f| [f.name, f.words])),
        "keys" => keys()
            .iter()
            .map(|k| vec![k.name.to_owned(), variable(k.name), k.words.to_owned()])
            .collect(),
        "runs" => {
            out.print(&runs(&store(given).list()?, style));
            return Ok(Exit::Clean);
        }
        _ => return types(given.get_one::<String>("target").map(String::as_str), out),
    };
    out.print(&table(&lines, &[], style));
    Ok(Exit::Clean)
}

fn rows<'a, const N: usize>(of: impl Iterator<Item = [&'a str; N]>) -> Vec<Vec<String>> {
    of.map(|row| row.map(str::to_owned).to_vec()).collect()
}

/// The workload, then the profiles it can be drawn from.
fn workloads() -> Vec<Vec<String>> {
    let head = [[
        "partitions".to_owned(),
        "every read is compared with a model of its partition; profiles:".to_owned(),
    ]
    .to_vec()];
    let parallel = vec![
        "parallel".to_owned(),
        "statements over a schema that changes under them, every answer explained or found (sqlite, postgres)".to_owned(),
    ];
    let profiles =
        workload::partitions::names().map(|(name, words)| vec![format!("  {name}"), words.to_owned()]);
    head.into_iter().chain(profiles).chain([parallel]).collect()
}

/// The profiles of both workloads.
fn profiles() -> Vec<Vec<String>> {
    let partitions = workload::partitions::names().map(|(name, words)| ["partitions", name, words]);
    let parallel = workload::parallel::PROFILES
        .iter()
        .map(|p| ["parallel", p.name, p.words]);
    rows(partitions.chain(parallel))
}

/// What each workload does, as verdicts count it.
fn actions() -> Vec<Vec<String>> {
    let partitions = ACTIONS
        .iter()
        .map(|(name, words)| ["partitions", name, words].map(str::to_owned).to_vec());
    let parallel = workload::parallel::KINDS
        .iter()
        .map(|kind| ["parallel", kind.name, kind.words].map(str::to_owned).to_vec());
    partitions.chain(parallel).collect()
}

fn lie(line: &targets::FlawLine) -> Vec<String> {
    let teller = match line.teller {
        Teller::Store => "reference",
        Teller::Anyone => "any target",
        Teller::Corruptor => "any, about its answers",
        Teller::Database => "any, in the database",
    };
    vec![line.name.to_owned(), teller.to_owned(), line.does.to_owned()]
}

/// A lie that sessions of the parallel workload tell.
fn of_statements(lie: &Lie) -> Vec<String> {
    [lie.name, "parallel workload", lie.words]
        .map(str::to_owned)
        .to_vec()
}

/// Kinds of statement of the partitions workload, as verdicts count them.
const ACTIONS: [(&str, &str); 26] = [
    ("insert", "INSERT, nothing where the row exists"),
    ("insert-strict", "INSERT, refused where the row exists"),
    ("upsert", "INSERT, or UPDATE where the row exists"),
    ("update", "UPDATE of some or all columns of a row"),
    ("shared", "upsert of the columns that a partition's rows share"),
    ("delete-row", "DELETE of a row"),
    ("delete-cells", "UPDATE that sets columns of a row to NULL"),
    (
        "elements",
        "UPDATE or DELETE of single elements of a set or map, or fields of a user-defined type; a list added to at either end (Cassandra)",
    ),
    ("add", "UPDATE that adds to counters (Cassandra)"),
    ("delete-slice", "DELETE of rows from or up to a key"),
    ("delete-range", "DELETE of rows between two keys"),
    ("delete-partition", "DELETE of a partition and its shared columns"),
    ("read-row", "SELECT of a row by its whole key"),
    ("read-in", "SELECT of rows by IN"),
    ("read-slice", "SELECT of rows from or up to a key"),
    ("read-range", "SELECT of rows between two keys"),
    ("read-partition", "SELECT of a partition"),
    ("read-partitions", "SELECT of several partitions by IN"),
    ("read-table", "SELECT of a whole table"),
    ("read-limit", "SELECT with ORDER BY, LIMIT, OFFSET"),
    ("read-predicate", "SELECT by conditions on regular columns"),
    ("read-shared", "SELECT of shared columns"),
    ("read-join", "SELECT of rows joined with their shared columns"),
    ("read-aggregate", "SELECT of count, min, max, sum"),
    ("read-group", "SELECT with GROUP BY"),
    ("read-distinct", "SELECT DISTINCT"),
];

/// Which types each target offers, then what each leaves out.
fn types(target: Option<&str>, out: &mut Out) -> Result<Exit, Problem> {
    let options = |url: &str| {
        let mut options = OpenOptions::new(PathBuf::new(), "gmlist");
        options.discipline = targets::own_discipline(url);
        options
    };
    let mut urls = Vec::new();
    let mut opened = Vec::new();
    match target {
        Some(url) => {
            opened.push(targets::open(url, &options(url))?);
            urls.push(url.to_owned());
        }
        None => {
            for scheme in SCHEMES {
                // A form with places to fill in is no URL; its own server is, and is not started by being asked for types.
                let filled = !scheme.form.contains("://");
                let url = if filled {
                    scheme.form.to_owned()
                } else {
                    format!("{}:local", scheme.name)
                };
                opened.push(targets::open(&url, &options(&url))?);
                urls.push(format!("{}:", scheme.name));
            }
        }
    }
    let mut lines = vec![
        std::iter::once("type")
            .chain(urls.iter().map(String::as_str))
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    ];
    for ty in Type::ALL
        .into_iter()
        .chain([Type::Counter])
        .chain(Type::composites())
    {
        let offers = opened
            .iter()
            .map(|t| if t.limits(&ty).is_some() { "yes" } else { "-" }.to_owned());
        lines.push(std::iter::once(ty.to_string()).chain(offers).collect());
    }
    out.print(&table(&lines, &[], out.style()));
    let left_out = urls.iter().zip(&opened).flat_map(|(url, target)| {
        target
            .left_out()
            .into_iter()
            .map(|what| vec![url.clone(), format!("leaves out {what}")])
    });
    let left_out: Vec<_> = left_out.collect();
    if !left_out.is_empty() {
        out.print(&format!("\n{}", table(&left_out, &[], out.style())));
    }
    Ok(Exit::Clean)
}
