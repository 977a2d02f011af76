//! `cassandra`: what checking costs on a node of our own: visits a second with checking beside the same plan with `--check none`.

use crate::rounds::{self, Turn, interleaved};
use crate::verified::{checked_by, plan_at};
use std::cell::Cell;
use targets::{OpenOptions, Upstream};

/// Few enough for three profiles to be over within five minutes.
const VISITS: u64 = 6_000;
/// Each with a run of either kind.
const ROUNDS: usize = 5;

/// Checked and unchecked runs in turn, all on one node.
pub(crate) fn run() {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = scratch.path().join("server");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let options = OpenOptions {
        discipline: history::Discipline::Lww,
        ..OpenOptions::new(&folder, "gmserver")
    };
    let node = targets::open("cassandra:local", &options).expect("the URL is a good one");
    let facts = match node.facts() {
        Ok(facts) => facts,
        Err(why) => return println!("{why}: left out"),
    };
    println!("{}: {:?}", facts.version, facts.settings);
    let Ok(Some(Upstream::Tcp(address))) = node.upstream() else {
        panic!("a node of our own listens somewhere")
    };
    let url = format!("cassandra://{}:{}", address.ip(), address.port());
    for profile in ["default", "write-heavy", "read-heavy"] {
        let plan = |check: &str| plan_at(&url, profile, VISITS, &[("check", check)]);
        let (all, none) = (plan("exhaustive"), plan("none"));
        let took = Cell::new(0.0);
        let per_second = |plan: &run::Plan| {
            VISITS as f64
                / checked_by(plan, scratch.path(), None, &|work: &mut dyn FnMut()| {
                    let seconds = rounds::seconds(work);
                    took.set(took.get() + seconds);
                    seconds
                })
        };
        let turns: Vec<Turn<'_>> = vec![
            ("checked", Box::new(|| per_second(&all))),
            ("not checked", Box::new(|| per_second(&none))),
        ];
        let series = interleaved(ROUNDS, turns);
        println!(
            "{}, profile {profile}, {} sessions, {VISITS} visits a turn, {:.0} s in all",
            facts.version,
            all.sessions,
            took.get()
        );
        for one in &series {
            rounds::print(one, 1e3, "k visits/s");
        }
        rounds::ratio(&series[0], &series[1], Some(0.9));
    }
}
