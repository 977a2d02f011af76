//! How fast the shard source is, as ratios within one run, each beside what it could be.
//!
//! `cargo bench -p millstream-dataflow [-- NAME …]`; names: scaling, concurrency, latency, processes. Rounds
//! are interleaved, a figure is the median of its rounds. The machine may be busy with other things: where that
//! matters, what the threads of this process stood waiting for a core is measured and told apart.

mod concurrency;
mod latency;
mod processes;
mod scaling;
mod stage;

/// As in the `millstream` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTS: &[(&str, fn())] = &[
    ("scaling", scaling::run),
    ("concurrency", concurrency::run),
    ("latency", latency::run),
    ("processes", processes::run),
];

fn main() {
    if processes::child() {
        return;
    }
    // Cargo passes options of its own; the name of the whole is a name too.
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let all = names.is_empty() || names.iter().all(|name| name == "dataflow");
    let unknown = |name: &&String| *name != "dataflow" && !PARTS.iter().any(|(part, _)| part == name);
    if let Some(name) = names.iter().find(unknown) {
        let known: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
        eprintln!(
            "no benchmark `{name}` of the source; there are {}",
            known.join(", ")
        );
        std::process::exit(2);
    }
    for (part, run) in PARTS {
        if all || names.iter().any(|name| name == part) {
            run();
        }
    }
}
