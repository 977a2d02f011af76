//! `parallel`: how many statements of the parallel workload one thread draws and writes, on views of a schema that changes.

use crate::rounds::{self, Turn, cpu_seconds, interleaved};
use check::parallel::Model;
use history::parallel::{Answer, FrameOp, Rules, Said, TxState, View};
use history::{SessionId, Tick};
use std::hint::black_box;
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
