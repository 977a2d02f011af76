//! What a run would send, without connecting: the visits of its plan as statements or in the notation.

use crate::Plan;
use crate::dry::options;
use history::{Lts, Visit};
use targets::target::Environment;
use targets::{Request, Target, Unusable};

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
    let history =
        run::history(plan).expect("a plan's visits were checked against its schema when it was made");
    let mut next = history.from(Lts(1));
    while let Some(lts) = next.filter(|lts| lts.0 <= upto) {
        next = history.from(Lts(lts.0 + 1));
        let Some(visit) = history.visit(lts) else { continue };
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
