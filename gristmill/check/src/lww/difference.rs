//! An answer that no choice of racing visits explains, made into a finding.

use super::explain::{Case, chosen};
use super::scene::Scene;
use super::trace::Told;
use crate::difference::{self, Candidate, Difference, candidate};
use crate::judge::is_made_of_several;
use history::{Finding, Shape};

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
