//! An answer that no choice of racing visits explains, made into a finding.

use super::explain::{Case, chosen};
use super::scene::Scene;
use super::trace::Told;
use crate::difference::{self, Candidate, Difference, candidate};
use crate::evaluate::{Plan, RowAt, explains, in_order, project, wrong_life};
use crate::judge::is_made_of_several;
use crate::layout::Source;
use crate::trace::Target;
use datagen::value::Value;
use history::{Finding, Query, Rows, Shape};

/// Choices that are looked at to name a difference.
const LOOKED_AT: u64 = 64;

fn named<'a>(case: &'a Case<'_>) -> difference::Case<'a> {
    difference::Case {
        answered: case.answered,
        visit: case.visit,
        plan: case.plan,
        rows: case.rows,
    }
}

/// The finding as it looks under one choice.
pub(crate) fn of_read(case: &Case<'_>, scene: &mut Scene<'_>, choice: &[bool]) -> Finding {
    if let Some((query, rows)) = without_ttls(case) {
        let plan = Plan::new(&query, case.table, &case.racing.semantics, true);
        let plain = Case {
            query: &query,
            rows: &rows,
            plan: &plan,
            ..*case
        };
        let rest = scene.under(choice, |views| explains(&plan, views, &rows));
        if rest == Some(true)
            && let Some(finding) = of_ttl(case, scene, choice)
        {
            return finding;
        }
        return of_read(&plain, scene, choice);
    }
    let found = scene.under(choice, |views| candidate(case.plan, views, 0));
    let Some(found) = found else {
        return of_read(case, scene, &[]);
    };
    tell(case, scene, choice, &found)
}

/// The finding under the choice that fits best, of those that were tried.
pub(crate) fn of_tried(case: &Case<'_>, scene: &mut Scene<'_>, vars: &[usize]) -> Finding {
    let all = scene.vars.len();
    let candidates: Vec<Candidate> = (0..(1u64 << vars.len()).min(LOOKED_AT))
        .filter_map(|mask| {
            let choice = chosen(all, vars, mask);
            scene.under(&choice, |views| candidate(case.plan, views, mask))
        })
        .collect();
    if candidates.is_empty() {
        return of_read(case, scene, &[]);
    }
    let best = named(case).best(&candidates);
    let choice = chosen(all, vars, best.mask);
    tell(case, scene, &choice, best)
}

/// The finding when each part of the answer has an explanation, and they disagree about a visit.
pub(crate) fn torn(case: &Case<'_>, scene: &mut Scene<'_>, var: usize) -> Finding {
    let visit = scene.vars[var].lts;
    let teller = Told::new(case, scene, &[]);
    let mut finding = named(case).finish(
        &teller,
        Difference::Told(Shape::Torn { visit }),
        difference::Spot::default(),
    );
    finding.part = Some(scene.parts()[scene.vars[var].place]);
    finding.proof = vec![visit];
    finding
}

/// The same without times to live; `None` where there are none, or the answer cannot be taken apart.
fn without_ttls(case: &Case<'_>) -> Option<(Query, Rows)> {
    if case.plan.ttls.is_empty() {
        return None;
    }
    let mut query = case.query.clone();
    query.extras.ttls = false;
    let kept = case.plan.width() - case.plan.ttls.len();
    let mut rows = Rows::default();
    for row in case.rows.iter() {
        let mut rest = row;
        for _ in 0..kept {
            Value::decode(&mut rest).ok()?;
        }
        rows.bytes.extend_from_slice(&row[..row.len() - rest.len()]);
        rows.end_row();
    }
    Some((query, rows))
}

/// The finding of the first wrong time to live, where everything else is right.
fn of_ttl(case: &Case<'_>, scene: &mut Scene<'_>, choice: &[bool]) -> Option<Finding> {
    let kept = case.plan.width() - case.plan.ttls.len();
    let wrong = scene.under(choice, |views| {
        // Rows that nothing puts in an order are told by the rest of them.
        let mut chosen = in_order(case.plan, views);
        let bytes_of = |row: RowAt| {
            let mut bytes = Vec::new();
            project(case.plan, views, row, &mut bytes);
            bytes
        };
        case.rows.iter().find_map(|bytes| {
            let mut rest = bytes;
            for _ in 0..kept {
                Value::decode(&mut rest).ok()?;
            }
            let plain = &bytes[..bytes.len() - rest.len()];
            let at = chosen.iter().position(|row| bytes_of(*row) == plain)?;
            let row = chosen.remove(at);
            let view = &views[row.view as usize];
            let (source, may, seen) = wrong_life(case.plan, view, row, rest)?;
            Some((view.part, row.position, source, may, seen))
        })
    });
    let (part, position, source, may, seen) = wrong.flatten()?;
    let column = match source {
        Source::Regular(c) => case.table.regular_id(c),
        Source::Shared(c) => case.table.shared_id(c),
        Source::PartKey(_) | Source::RowKey(_) => return None,
    };
    let shape = Shape::WrongTtl {
        expected: match may {
            None => "NULL".to_owned(),
            Some((fewest, most)) if fewest == most => format!("{most} s"),
            Some((fewest, most)) => format!("{fewest} to {most} s"),
        },
        actual: seen.map_or_else(|| "no number".to_owned(), |seen| seen.to_string()),
    };
    let row = match source {
        Source::Shared(_) => Target::Shared,
        _ => Target::Row(position),
    };
    let spot = difference::Spot::of_cell(part, row, column);
    let named = named(case);
    Some(named.finish(&Told::new(case, scene, choice), Difference::Told(shape), spot))
}

fn tell(case: &Case<'_>, scene: &mut Scene<'_>, choice: &[bool], found: &Candidate) -> Finding {
    let named = named(case);
    if let Some((difference, spot)) = named.unreadable(found) {
        return named.finish(&Told::new(case, scene, choice), difference, spot);
    }
    let (difference, mut spot) = named.name(found);
    if is_made_of_several(&case.query.select) {
        let left_out = scene.under(choice, |views| named.left_out(views)).flatten();
        spot = left_out.unwrap_or(spot);
    }
    named.finish(&Told::new(case, scene, choice), difference, spot)
}
