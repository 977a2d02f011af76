//! The solver against all combinations.

use super::{Site, Solution, Unsolved, solve};
use crate::testkit::draw::Draws;
use std::collections::BTreeSet;

fn draw_sites(draws: &mut Draws, vars: usize) -> Vec<Site> {
    (0..=draws.below(5))
        .map(|_| {
            let mut of: Vec<usize> = (0..vars).filter(|_| draws.one_in(3)).collect();
            if of.is_empty() {
                of.push(draws.below(vars));
            }
            let allowed = (0..1u64 << of.len()).filter(|_| !draws.one_in(3)).collect();
            Site { vars: of, allowed }
        })
        .collect()
}

fn holds(site: &Site, choice: u64) -> bool {
    let bit = |(i, var): (usize, &usize)| (choice >> var & 1) << i;
    let mask = site.vars.iter().enumerate().map(bit).fold(0, |a, b| a | b);
    site.allowed.contains(&mask)
}

/// Every choice that a solution stands for.
fn choices(solution: &Solution, vars: usize) -> BTreeSet<u64> {
    let fits = |choice: &u64| {
        let fixed = solution
            .fixed
            .iter()
            .enumerate()
            .all(|(var, f)| f.is_none_or(|yes| (choice >> var & 1 == 1) == yes));
        fixed
            && solution.groups.iter().all(|group| {
                let bit = |(i, var): (usize, &usize)| (choice >> var & 1) << i;
                let mask = group.vars.iter().enumerate().map(bit).fold(0, |a, b| a | b);
                group.masks.contains(&mask)
            })
    };
    (0..1u64 << vars).filter(fits).collect()
}

#[test]
fn the_solver_finds_what_all_combinations_find() {
    let (mut solved, mut torn) = (0, 0);
    for seed in 0..20_000 {
        let mut draws = Draws::new(seed);
        let vars = 1 + draws.below(7);
        let sites = draw_sites(&mut draws, vars);
        let all: BTreeSet<u64> = (0..1u64 << vars)
            .filter(|choice| sites.iter().all(|s| holds(s, *choice)))
            .collect();
        match solve(vars, sites.clone(), 4096) {
            Ok(solution) => {
                solved += 1;
                assert_eq!(choices(&solution, vars), all, "seed {seed}");
                let one = solution.one();
                let one = (0..vars).fold(0, |a, var| a | u64::from(one[var]) << var);
                assert!(all.contains(&one), "seed {seed}");
                let certain: BTreeSet<usize> = solution.certain().collect();
                for var in 0..vars {
                    let always = all.iter().all(|c| c >> var & 1 == 1);
                    assert_eq!(certain.contains(&var), always, "seed {seed}, {var}");
                }
                let required: Vec<usize> = (0..vars).filter(|_| draws.one_in(3)).collect();
                let admits = all.iter().any(|c| required.iter().all(|var| c >> var & 1 == 1));
                assert_eq!(solution.admits(&required), admits, "seed {seed}");
            }
            Err(Unsolved::Site(at)) => assert!(sites[at].allowed.is_empty()),
            Err(Unsolved::Torn(_)) => {
                torn += 1;
                assert!(all.is_empty(), "seed {seed}");
            }
            Err(Unsolved::TooMany) => panic!("seed {seed}: few variables are not too many"),
        }
    }
    assert!(solved > 1_000 && torn > 1_000, "{solved} solved, {torn} torn");
}
