//! The files of a run's folder that are made from its verdict: `junit.xml`, and for each cause its data, its words and one
//! script a session.

use crate::{junit, text};
use history::Verdict;
use history::verdict::{Cause, Sent};
use std::collections::BTreeMap;

/// Name (relative to the run's folder) and content of every file. `run` is what `gristmill replay` takes.
pub fn pages(verdict: &Verdict, run: &str) -> Vec<(String, String)> {
    let mut pages = vec![("junit.xml".to_owned(), junit::verdict(verdict))];
    for (n, cause) in verdict.causes.iter().enumerate() {
        let folder = format!(
            "findings/{}-{}",
            n + 1,
            cause.finding.shape.name().replace(' ', "-")
        );
        let mut data = serde_json::to_string_pretty(cause).expect("a cause has only text keys");
        data.push('\n');
        pages.push((format!("{folder}/finding.json"), data));
        pages.push((
            format!("{folder}/finding.txt"),
            text::finding(cause, run, text::Style::default()),
        ));
        for (session, script) in scripts(cause) {
            pages.push((format!("{folder}/session{session}.sql"), script));
        }
    }
    pages
}

/// The statements of the proof, one script a session, each with when it was sent and what came back.
fn scripts(cause: &Cause) -> BTreeMap<u16, String> {
    let mut scripts: BTreeMap<u16, String> = BTreeMap::new();
    for sent in &cause.statements {
        let script = scripts.entry(sent.session).or_insert_with(|| {
            format!(
                "-- session {}; times are milliseconds since the run began\n",
                sent.session
            )
        });
        *script += &statement(sent);
    }
    scripts
}

fn statement(sent: &Sent) -> String {
    let ms = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
    let end = if sent.sql.trim_end().ends_with(';') {
        ""
    } else {
        ";"
    };
    let (from, to) = (ms(sent.sent_us), ms(sent.answered_us));
    let outcome = sent.outcome.replace('\n', " ");
    format!(
        "\n-- visit {}, {from} to {to}: {outcome}\n{}{end}\n",
        sent.lts, sent.sql
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::found;
    use expect_test::expect;

    #[test]
    fn each_session_of_a_finding_has_its_script() {
        let pages = super::pages(&found(), "7b3f0c");
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "junit.xml",
                "findings/1-missing-row/finding.json",
                "findings/1-missing-row/finding.txt",
                "findings/1-missing-row/session1.sql",
                "findings/1-missing-row/session3.sql",
            ]
        );
        expect![[r#"
            -- session 3; times are milliseconds since the run began

            -- visit 4012, 11204.000 to 11205.100: 4 rows
            SELECT c1, c2, v0 FROM gm7b3f_t0 WHERE p = 17 AND c1 >= 5 ORDER BY c1, c2;
        "#]]
        .assert_eq(&pages[4].1);
    }
}
