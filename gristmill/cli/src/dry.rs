//! What a run would make on its target, and whether it may: looks, touches nothing.

use crate::Plan;
use targets::target::Environment;
use targets::{OpenOptions, Unusable};

/// What a run would do to a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DryRun {
    /// The run in a few words: seed, server, sessions.
    pub head: Vec<String>,
    /// The statements that would make its objects.
    pub creates: Vec<String>,
    /// Rights that a run needs and the user has not.
    pub rights_missing: Vec<String>,
    /// What else should be known before: a pooler, what is left out.
    pub notes: Vec<String>,
}

/// Connects once, to learn the server's version and our rights.
pub fn dry_run(plan: &Plan, environment: &Environment) -> Result<DryRun, Unusable> {
    let target = targets::open(&plan.target, &options(plan, environment))?;
    let facts = target.facts()?;
    let describe = target.describe();
    let words = if describe.words.is_empty() {
        String::new()
    } else {
        format!(" ({})", describe.words)
    };
    let left_out = target
        .left_out()
        .into_iter()
        .map(|what| format!("left out: {what}"));
    Ok(DryRun {
        head: vec![
            format!("seed {}", plan.seed),
            format!("{}{words}", facts.version),
            format!("{} sessions", plan.sessions),
        ],
        creates: target.plan_of_objects(&plan.schema),
        rights_missing: facts.rights_missing,
        notes: facts.pooler.into_iter().chain(left_out).collect(),
    })
}

/// How the target of a plan is opened outside a run.
pub(crate) fn options(plan: &Plan, environment: &Environment) -> OpenOptions {
    let mut options = OpenOptions::new(std::env::temp_dir(), plan.prefix.clone());
    options.sessions = plan.sessions;
    options.seed = plan.seed.0;
    options.level = Some(plan.level);
    options.discipline = plan.discipline;
    options.environment = std::sync::Arc::clone(environment);
    options
}
