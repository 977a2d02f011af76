//! The table: what was sent and answered, and what became of the visit.

use super::{Ended, Ending, Rules, outcome};
use expect_test::{Expect, expect};
use history::{Answer, End, Reason, ReasonKind};

/// `begin+ step+ step- commit?`: `+` done, `-` refused, `?` unknown. `auto step+` has no transaction.
fn check(line: &str, expected: &Expect) {
    let reason = || Reason {
        kind: ReasonKind::Other,
        code: String::new(),
        text: String::new(),
    };
    let (auto, words) = match line.strip_prefix("auto") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let answers: Vec<(&str, Answer)> = words
        .split_whitespace()
        .map(|word| {
            let (name, mark) = word.split_at(word.len() - 1);
            let answer = match mark {
                "+" => Answer::Affected(0),
                "-" => Answer::Refused(reason()),
                "?" => Answer::Unknown(reason()),
                other => panic!("{other} in {line}"),
            };
            (name, answer)
        })
        .collect();
    let begin = answers.iter().find(|(n, _)| *n == "begin").map(|(_, a)| a);
    let steps: Vec<&Answer> = answers
        .iter()
        .filter(|(n, _)| *n == "step")
        .map(|(_, a)| a)
        .collect();
    let ends: Vec<(Ending, &Answer)> = answers
        .iter()
        .filter_map(|(n, a)| match *n {
            "commit" => Some((Ending::Commit, a)),
            "rollback" => Some((Ending::Rollback, a)),
            _ => None,
        })
        .collect();
    let end = if auto { End::Autocommit } else { End::Commit };
    let mut out = String::new();
    for scheme in ["postgres", "sqlite"] {
        let what = Ended {
            end,
            begin,
            steps: &steps,
            ends: &ends,
        };
        out.push_str(&format!("{scheme} {:?}  ", outcome(Rules::of(scheme), what)));
    }
    expected.assert_eq(out.trim_end());
}

#[test]
fn an_autocommit_statement_is_what_its_answer_says() {
    check("auto", &expect!["postgres Rejected  sqlite Rejected"]);
    check("auto step+", &expect!["postgres Committed  sqlite Committed"]);
    check("auto step-", &expect!["postgres Rejected  sqlite Rejected"]);
    check("auto step?", &expect!["postgres Unknown  sqlite Unknown"]);
}

#[test]
fn an_acknowledged_commit_is_committed_and_a_lost_answer_is_unknown() {
    check(
        "begin+ step+ commit+",
        &expect!["postgres Committed  sqlite Committed"],
    );
    check(
        "begin+ step+ commit?",
        &expect!["postgres Unknown  sqlite Unknown"],
    );
}

#[test]
fn a_refused_commit_ends_the_transaction_on_postgres_but_not_on_sqlite() {
    check(
        "begin+ step+ commit-",
        &expect!["postgres Rejected  sqlite Unknown"],
    );
    check(
        "begin+ step+ commit- rollback+",
        &expect!["postgres Rejected  sqlite Rejected"],
    );
    check(
        "begin+ step+ commit- rollback?",
        &expect!["postgres Rejected  sqlite Unknown"],
    );
    check(
        "begin+ step+ commit- commit+",
        &expect!["postgres Rejected  sqlite Committed"],
    );
}

#[test]
fn without_a_commit_nothing_can_have_happened() {
    check("begin+ step? ", &expect!["postgres Rejected  sqlite Rejected"]);
    check(
        "begin+ step- rollback+",
        &expect!["postgres Rejected  sqlite Rejected"],
    );
    check(
        "begin+ step- rollback?",
        &expect!["postgres Rejected  sqlite Rejected"],
    );
    check(
        "begin+ step+ rollback+",
        &expect!["postgres Rejected  sqlite Rejected"],
    );
    check("", &expect!["postgres Rejected  sqlite Rejected"]);
    check("begin-", &expect!["postgres Rejected  sqlite Rejected"]);
    check("begin?", &expect!["postgres Rejected  sqlite Rejected"]);
}

#[test]
fn steps_after_a_begin_that_was_not_acknowledged_may_have_committed_by_themselves() {
    check(
        "begin? step+ commit+",
        &expect!["postgres Unknown  sqlite Unknown"],
    );
    check("begin- step+", &expect!["postgres Unknown  sqlite Unknown"]);
}
