use super::Compared;
use check::Explanation;

fn explained(kinds: &[&'static str]) -> Explanation {
    Explanation {
        kinds: kinds.iter().copied().collect(),
        ..Explanation::default()
    }
}

#[test]
fn a_batch_is_one_answer_and_exercises_each_kind_of_its_writes() {
    let mut compared = Compared::default();
    for kinds in [&["upsert", "delete-row"][..], &["delete-row"], &[]] {
        compared.explained(&explained(kinds));
    }
    let counts = compared.counts();
    assert_eq!(counts.answers, 2);
    let exercised: Vec<(&str, u64)> = counts.exercised.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    assert_eq!(exercised, [("delete-row", 2), ("upsert", 1)]);
}
