//! `parallel`: how many statements of the parallel workload one thread draws and writes, on views of a schema that changes; and what a
//! run costs on PostgreSQL beside its own statements sent bare.

use crate::rounds::{self, Series, Turn, cpu_seconds, interleaved};
use crate::verified::{Nobody, Server, plan_at};
use check::parallel::Model;
use history::parallel::{Answer, FrameOp, Rules, Said, TxState, View};
use history::verdict::ErrorCount;
use history::{SessionId, Tick};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use targets::parallel::{Language, render};
use workload::parallel::{Complexity, Generator, Plan, Speech};

/// Ops that make the views.
const OPS: u64 = 4_000;
/// Statements of one turn.
const STATEMENTS: usize = 40_000;
/// What the issue asks for.
const GOAL: f64 = 50_000.0;

/// What one session sees while it draws and everything succeeds, at every eighth op of the second half.
fn views(generator: &Generator, rules: &'static Rules) -> Vec<(View, u64)> {
    let session = SessionId(1);
    let mut model = Model::new(rules);
    model.opened(session, 1, Tick(0));
    let mut state = TxState::Idle;
    let mut views = Vec::new();
    for number in 1..=OPS {
        let view = model.view(session);
        let op = Arc::new(generator.draw(&view, number));
        if number > OPS / 2 && number.is_multiple_of(8) {
            views.push((view, number));
        }
        match op.frame() {
            Some(FrameOp::Begin { .. }) => state = TxState::Open,
            Some(FrameOp::Commit | FrameOp::Rollback) => state = TxState::Idle,
            _ => {}
        }
        let text: Arc<str> = Arc::from("");
        model.sent(&op, &text, Tick(2 * number));
        let said = Said::Done {
            tag: String::new(),
            affected: None,
            rows: None,
        };
        model.answered(session, Tick(2 * number + 1), &Answer { said, state });
    }
    views
}

/// Runs it.
pub(crate) fn run(rounds: usize) {
    drawn(rounds);
    beside_bare(rounds);
}

/// Statements of a run on PostgreSQL, and of the same sent bare.
const VISITS: u64 = 12_000;
/// What the issue asks for.
const BARE_GOAL: f64 = 0.8;

/// Checked, then the same trace bare, in statements a second that succeeded in both; oracles are in neither number.
fn beside_bare(rounds: usize) {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let Some(server) = Server::start(scratch.path()) else {
        println!("PostgreSQL: no server binaries on this machine, left out");
        return;
    };
    for complexity in ["dml", "ddl"] {
        beside(rounds, complexity, &server, scratch.path());
    }
}

fn beside(rounds: usize, complexity: &str, server: &Server, scratch: &Path) {
    let password = Some(server.password.as_str());
    let (mut checked, mut bare, mut last) = (Series::new("checked"), Series::new("bare"), None);
    for round in 0..=rounds {
        // A seed of its own for each round.
        let seed = format!("be{round:x}");
        let more = [
            ("seed", seed.as_str()),
            ("workload", "parallel"),
            ("complexity", complexity),
            ("stop", "never"),
        ];
        let plan = plan_at(&server.url, "default", VISITS, &more);
        let ended = run::run(&plan, scratch, password, &mut Nobody).expect("a run ends");
        let again = run::parallel::bare(&ended.folder, password).expect("its trace can be sent again");
        if round > 0 {
            let both = again.both as f64;
            checked.add(both * 1e3 / ended.verdict.load_ms.max(1) as f64);
            bare.add(both * 1e9 / again.ns.max(1) as f64);
        }
        last = Some((ended.verdict, again));
    }
    let (verdict, again) = last.expect("there was a round");
    println!("PostgreSQL, {complexity}, {VISITS} statements, 8 sessions");
    rounds::print(&checked, 1.0, "statements/s");
    rounds::print(&bare, 1.0, "statements/s");
    rounds::ratio(&checked, &bare, Some(BARE_GOAL));
    println!(
        "  the last round: {} of {} statements succeeded in both, {} were oracles ({})",
        again.both, again.sent, again.oracles, verdict.setup["oracles"]
    );
    let counts = verdict
        .statements
        .as_ref()
        .expect("a run of this workload counts statements");
    let all: u64 = verdict.visits.values().sum();
    let failed = verdict.visits["rejected"];
    println!(
        "  failed without being aimed at: {failed} of {all} statements, {:.1} % (goal < 15 %)",
        failed as f64 * 100.0 / all.max(1) as f64
    );
    let words: Vec<String> = ErrorCount::by_class(&counts.errors)
        .iter()
        .map(|(class, count)| format!("{class} {count}"))
        .collect();
    println!(
        "  errors by class, those that were aimed at too: {}",
        words.join(", ")
    );
    if !verdict.causes.is_empty() {
        println!("  with {} findings", verdict.causes.len());
    }
}

fn drawn(rounds: usize) {
    let targets: [(&'static str, &'static Speech, &'static Language, &'static Rules); 2] = [
        (
            "PostgreSQL: statements drawn and written",
            &workload::parallel::POSTGRES,
            &targets::parallel::POSTGRES,
            &check::parallel::POSTGRES,
        ),
        (
            "SQLite: statements drawn and written",
            &workload::parallel::SQLITE,
            &targets::parallel::SQLITE,
            &check::parallel::SQLITE,
        ),
    ];
    let made: Vec<_> = targets
        .iter()
        .map(|(name, speech, language, rules)| {
            let generator = Generator::new(Plan::new(1, "gm_", Complexity::Ddl), speech, 1);
            let views = views(&generator, rules);
            (*name, generator, views, *language)
        })
        .collect();
    let turns: Vec<Turn<'_>> = made
        .iter()
        .map(|(name, generator, views, language)| {
            let turn = move || {
                let seconds = cpu_seconds(|| {
                    for i in 0..STATEMENTS {
                        let (view, number) = &views[i % views.len()];
                        let round = u64::try_from(i / views.len()).expect("few rounds") * OPS;
                        let op = generator.draw(view, number + round);
                        black_box(render(&op, language));
                    }
                });
                STATEMENTS as f64 / seconds
            };
            let turn: Turn<'_> = (*name, Box::new(turn));
            turn
        })
        .collect();
    let series = interleaved(rounds, turns);
    println!(
        "parallel: {STATEMENTS} statements a turn, one thread, its CPU time, median (least – greatest) of {rounds}"
    );
    for series in &series {
        rounds::print(series, 1_000.0, "thousand/s");
        rounds::goal(series, GOAL, 1_000.0, "thousand/s");
    }
}
