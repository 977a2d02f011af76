//! What a run would send, without connecting: the visits of its plan as statements or in the notation.

use crate::Plan;
use crate::dry::options;
use history::{Explicit, Lts, Regenerate, Visit};
use std::sync::Arc;
use targets::target::Environment;
use targets::{Request, Target, Unusable};
use workload::Partitions;

/// How visits are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The statements of the plan's target, with their values.
    Sql,
    /// One line a visit: see `history::notation`.
    Notation,
}

/// Gives the text of the visits 1 to `upto` to `each`, one after the other. Ends early when `each` says `false`.
///
/// Panics where the plan's workload does not fit its schema: a plan that was made by [`crate::Settings::plan`] does.
pub fn statements(
    plan: &Plan,
    environment: &Environment,
    upto: u64,
    form: Form,
    each: &mut dyn FnMut(String) -> bool,
) -> Result<(), Unusable> {
    let target = targets::open(&plan.target, &options(plan, environment))?;
    let history = history(plan);
    for visit in (1..=upto).filter_map(|lts| history.visit(Lts(lts))) {
        let text = match form {
            Form::Notation => format!("{visit}\n"),
            Form::Sql => sql(&visit, target.as_ref(), plan),
        };
        if !each(text) {
            return Ok(());
        }
    }
    Ok(())
}

/// The visits of a plan.
fn history(plan: &Plan) -> Box<dyn Regenerate> {
    const CHECKED: &str = "a plan's visits were checked against its schema when it was made";
    let schema = Arc::new(plan.schema.clone());
    match &plan.history {
        Some(lines) => Box::new(Explicit::new(schema, lines.clone()).expect(CHECKED)),
        None => Box::new(Partitions::new(plan.workload.clone(), plan.seed.0, schema).expect(CHECKED)),
    }
}

/// A comment that names the visit, then its statements.
fn sql(visit: &Visit, target: &dyn Target, plan: &Plan) -> String {
    let mut out = format!("-- visit {}\n", visit.lts);
    for statement in Request::of(visit).flat_map(|request| target.text(&plan.schema, &request)) {
        out += statement.trim_end_matches(';');
        out += ";\n";
    }
    out.push('\n');
    out
}
