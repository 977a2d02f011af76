//! The first line of a run's screen, and its parts for the verdict.

use super::setup::Setup;
use crate::plan::{Pace, Plan, level_name};
use history::artefact::Folder;
pub(crate) use history::artefact::lives_in_folder;
use history::{Claim, Discipline, Progress};
use std::collections::BTreeMap;

pub(super) fn started(setup: &Setup, folder: &Folder) -> Progress {
    let world = &setup.world;
    let describe = world.target.describe();
    let parts = self::setup(&world.plan);
    let mut server = setup.facts.version.to_lowercase();
    if !describe.words.is_empty() {
        server = format!("{server} ({})", describe.words);
    }
    let head = vec![
        format!("seed {}", world.plan.seed),
        server,
        parts["sessions"].clone(),
        parts["workload"].clone(),
        if world.plan.is_checked() {
            format!("claim: {}", parts["claim"])
        } else {
            "not checked".to_owned()
        },
    ];
    Progress::Started {
        head,
        folder: folder.path().display().to_string(),
    }
}

/// Sessions, workload, level, claim, in words.
pub(crate) fn setup(plan: &Plan) -> BTreeMap<String, String> {
    let sessions = match plan.sessions {
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    };
    let pace = match plan.pace {
        Pace::Free => "free",
        Pace::LockStep => "lock-step",
    };
    let discipline = match (plan.discipline, plan.exclusion) {
        (Discipline::Ordered, _) => "ordered",
        (Discipline::Lww, false) => "lww",
        (Discipline::Lww, true) => "lww without races",
    };
    let workload = match plan.profile.as_str() {
        _ if plan.history.is_some() => match plan.history.iter().flatten().count() {
            1 => format!("a history of 1 visit, {discipline}"),
            n => format!("a history of {n} visits, {discipline}"),
        },
        "default" => format!("partitions, {discipline}"),
        profile => format!("partitions ({profile}), {discipline}"),
    };
    let workload = match plan.agent {
        Some(agent) => format!("{workload}, agent {} of {}", agent.index, agent.of),
        None => workload,
    };
    let left_out = (!plan.left_out.is_empty()).then(|| ("schema left out", plan.left_out.join("; ")));
    [
        ("sessions", sessions),
        ("pace", pace.to_owned()),
        ("workload", workload),
        ("profile", plan.profile.clone()),
        ("discipline", discipline.to_owned()),
        ("level", level_name(plan.level).to_owned()),
        ("claim", claim(&plan.claim)),
    ]
    .into_iter()
    .chain(left_out)
    .map(|(k, v)| (k.to_owned(), v))
    .collect()
}

fn claim(claim: &Claim) -> String {
    let level = level_name(claim.level).replace('-', " ");
    if claim.real_time {
        level
    } else {
        format!("{level}, not real time")
    }
}
