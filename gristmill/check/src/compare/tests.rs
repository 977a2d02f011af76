use super::fits;
use crate::evaluate::Expected;
use crate::testkit::draw::Draws;
use history::Rows;

fn rows(names: &[u8]) -> Rows {
    let mut rows = Rows::default();
    for name in names {
        rows.bytes.push(*name);
        rows.end_row();
    }
    rows
}

/// Every order of the rows that keeps the sort keys ascending, cut to the window.
fn allowed(groups: &[Vec<u8>], window: (usize, usize)) -> Vec<Vec<u8>> {
    let mut orders = vec![Vec::new()];
    for group in groups {
        orders = orders
            .iter()
            .flat_map(|head| {
                permutations(group)
                    .into_iter()
                    .map(|p| [head.clone(), p].concat())
            })
            .collect();
    }
    orders
        .into_iter()
        .map(|o| o[window.0..window.1].to_vec())
        .collect()
}

fn permutations(of: &[u8]) -> Vec<Vec<u8>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    (0..of.len())
        .flat_map(|i| {
            let mut rest = of.to_vec();
            let first = rest.remove(i);
            permutations(&rest)
                .into_iter()
                .map(move |p| [vec![first], p].concat())
        })
        .collect()
}

#[test]
fn an_answer_fits_exactly_when_some_order_of_the_ties_gives_it() {
    let (mut yes, mut no) = (0, 0);
    for seed in 0..4_000 {
        let mut draws = Draws::new(seed);
        let name = |draws: &mut Draws| b'a' + u8::try_from(draws.below(3)).expect("small");
        let groups: Vec<Vec<u8>> = (0..draws.below(4))
            .map(|_| (0..=draws.below(2)).map(|_| name(&mut draws)).collect())
            .collect();
        let all: Vec<u8> = groups.concat();
        let from = draws.below(all.len() + 1);
        let to = from + draws.below(all.len() - from + 1);
        let ends: Vec<usize> = groups
            .iter()
            .scan(0, |at, g| {
                *at += g.len();
                Some(*at)
            })
            .collect();
        let expected = Expected::of_rows(
            rows(&all),
            if ends.is_empty() { vec![0] } else { ends },
            (from, to),
        );
        let mut answer = all[from..to].to_vec();
        for _ in 0..draws.below(3) {
            if !answer.is_empty() {
                let i = draws.below(answer.len());
                if draws.one_in(2) {
                    answer[i] = name(&mut draws)
                } else {
                    let j = draws.below(answer.len());
                    answer.swap(i, j)
                }
            }
        }
        let right = allowed(&groups, (from, to)).contains(&answer);
        assert_eq!(
            fits(&expected, &rows(&answer)),
            right,
            "seed {seed}: {groups:?} {from}..{to} {answer:?}"
        );
        if right { yes += 1 } else { no += 1 }
    }
    assert!(yes > 300 && no > 300, "{yes} fit, {no} do not");
}
