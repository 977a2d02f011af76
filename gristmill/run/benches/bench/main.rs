//! Gristmill's benchmarks, one program: `cargo xtask bench NAME` starts it with a name.

mod cassandra;
mod datagen;
mod model;
mod parallel;
mod rounds;
mod selfcheck;
mod verified;
mod visit;

/// As in the binary that people run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for name in &names {
        match name.as_str() {
            "datagen" => self::datagen::run(ROUNDS),
            "model" => model::run(ROUNDS),
            "lww" => model::lww(ROUNDS),
            "cql" => self::datagen::cql(ROUNDS),
            "cassandra" => cassandra::run(),
            "parallel" => parallel::run(ROUNDS),
            "selfcheck" => selfcheck::run(),
            "visit" => visit::run(ROUNDS),
            "verified" => verified::run(ROUNDS),
            other => panic!("no benchmark {other}"),
        }
    }
}
