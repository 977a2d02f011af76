//! Runs whose visits leave their numbers beside what they write.

use super::{Seen, assert_clean, ending, plan};
use crate::life::{environment, open_target};
use crate::look::{Look, look};
use crate::plan::Plan;
use history::artefact::Folder;
use history::{
    Address, Answer, Consistency, Discipline, End, Lts, Op, Part, SessionId, Shape, Stamp, Step, Visit,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use targets::Request;

#[test]
fn lists_of_visits_are_compared_and_true() {
    let store = tempfile::tempdir().unwrap();
    for (url, flags) in [("sqlite:", "discipline=ordered"), ("sqlite:", "discipline=lww")] {
        let plan = plan(
            url,
            &format!("sessions=4 visits=500 bookkeeping=true keep=true {flags}"),
        );
        let lists = plan.schema.tables.iter().filter(|t| t.name.ends_with("_visits"));
        assert!(lists.count() > 0);
        let ended = ending(&plan, store.path());
        assert_clean(&ended.verdict);
        let folder = Folder::open(&ended.folder).unwrap();
        let looked = look(&folder, &Look::default(), &mut Seen::default()).unwrap();
        assert_eq!(looked.causes.len(), 0, "{:#?}", looked.causes);
    }
}

#[test]
fn a_visit_that_was_lost_is_missing_from_a_list() {
    let store = tempfile::tempdir().unwrap();
    for flags in ["discipline=ordered", "discipline=lww"] {
        let plan = plan(
            "sqlite:",
            &format!("sessions=2 visits=200 bookkeeping=true keep=true {flags}"),
        );
        let ended = ending(&plan, store.path());
        assert_clean(&ended.verdict);
        let (part, row) = some_entry(&plan);
        let target = open_target(
            &plan,
            &ended.folder.join("target"),
            &environment(None),
            BTreeMap::new(),
        )
        .unwrap();
        let mut session = target
            .connect(SessionId(1), &Arc::new(plan.schema.clone()))
            .unwrap();
        let gone = Visit {
            lts: Lts(999),
            level: plan.level,
            writes: vec![part],
            steps: vec![Step::Write(Op::DeleteRow { part, row })],
            end: End::Autocommit,
            stamp: (plan.discipline == Discipline::Lww).then_some(Stamp {
                timestamp: i64::MAX / 2,
                ttl: None,
                consistency: Consistency::Quorum,
                node: 0,
                condition: None,
            }),
        };
        let at = Address {
            lts: gone.lts,
            attempt: 0,
            step: 0,
        };
        for request in Request::of(&gone) {
            let answer = session.execute(at, &request, plan.deadline()).answer;
            assert!(matches!(answer, Answer::Affected(_)), "{answer:?}");
        }
        drop(session);
        let folder = Folder::open(&ended.folder).unwrap();
        let looked = look(&folder, &Look::default(), &mut Seen::default()).unwrap();
        let shapes: Vec<_> = looked
            .causes
            .iter()
            .map(|c| (&c.finding.shape, c.finding.part))
            .collect();
        assert!(
            shapes
                .iter()
                .any(|(shape, of)| matches!(shape, Shape::MissingRow { .. }) && *of == Some(part)),
            "{shapes:?}"
        );
    }
}

/// Where the first visit of the plan that writes left its number.
fn some_entry(plan: &Plan) -> (Part, u64) {
    let visits = crate::history(plan).unwrap();
    let entry = |op: &Op| plan.schema.table(op.part().table).name.ends_with("_visits");
    (1..=200)
        .filter_map(|lts| visits.visit(Lts(lts)))
        .filter(|visit| visit.end != End::Rollback)
        .flat_map(|visit| visit.steps)
        .find_map(|step| match step {
            Step::Write(op) if entry(&op) => Some((op.part(), op.row().unwrap())),
            _ => None,
        })
        .unwrap()
}
