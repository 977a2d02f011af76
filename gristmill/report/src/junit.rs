//! The verdict for build servers: one suite; a case for each kind of statement that was compared, for each cause, and for
//! the doubts.

use crate::{text, words};
use history::{Status, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// `junit.xml`. A cause is a failure (a tolerated one is skipped, with its words), doubts are an error: so the build is red
/// exactly when the exit code is not 0.
pub fn verdict(verdict: &Verdict) -> String {
    let mut suite = TestSuite::new(format!("gristmill {}", verdict.target));
    suite.set_time(Duration::from_millis(verdict.load_ms));
    for (name, value) in [
        ("seed", &verdict.seed),
        ("server", &verdict.server),
        ("driver", &verdict.driver),
        ("gristmill", &verdict.gristmill),
    ] {
        suite.add_property((name, value.as_str()));
    }
    for (kind, times) in &verdict.counts.exercised {
        let mut case = case(kind, "compared", TestCaseStatus::success());
        case.set_system_out(format!("{} answers compared", text::number(*times)));
        suite.add_test_case(case);
    }
    for (n, cause) in verdict.causes.iter().enumerate() {
        let words = text::finding(cause, &verdict.seed, text::Style::default());
        let title = words::title(&cause.finding);
        let status = if cause.known {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("tolerated by --known: {title}"));
            status
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_message(title)
                .set_type(words::kind(cause.finding.kind))
                .set_description(words);
            status
        };
        let name = format!("{} {}", n + 1, cause.finding.signature());
        suite.add_test_case(case(&name, "findings", status));
    }
    if verdict.status == Status::Unchecked {
        let mut status = TestCaseStatus::skipped();
        status.set_message("nothing was compared: --check none");
        suite.add_test_case(case("answers are compared", "verdict", status));
    }
    let doubts = if verdict.doubts.is_empty() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_message("too little was compared, or a doubt remains")
            .set_type("unknown");
        status.set_description(verdict.doubts.join("\n"));
        status
    };
    suite.add_test_case(case("no doubt remains", "verdict", doubts));
    let mut report = Report::new("gristmill");
    report.set_time(Duration::from_millis(verdict.load_ms));
    report.add_test_suite(suite);
    report.to_string().expect("text is made fit for XML by the crate")
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

#[cfg(test)]
mod tests {
    use crate::testing::{clean, found};
    use expect_test::expect;

    #[test]
    fn a_finding_is_a_failure_and_a_tolerated_one_is_skipped() {
        let mut verdict = found();
        verdict.causes[0].statements.clear();
        verdict.causes[0].seen = "a row is missing".into();
        let mut known = verdict.causes[0].clone();
        known.known = true;
        verdict.causes.push(known);
        verdict.counts.exercised.retain(|kind, _| kind == "insert");
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="gristmill" tests="4" failures="1" errors="0" time="10.003">
                <testsuite name="gristmill sqlite:" tests="4" disabled="1" errors="0" failures="1" time="10.003">
                    <properties>
                        <property name="seed" value="7b3f0c"/>
                        <property name="server" value="SQLite 3.54.1"/>
                        <property name="driver" value="rusqlite 0.41"/>
                        <property name="gristmill" value="0.1.0 (880902b1f3)"/>
                    </properties>
                    <testcase name="insert" classname="compared">
                        <system-out>71,000 answers compared</system-out>
                    </testcase>
                    <testcase name="1 WrongResult/missing row/read-range" classname="findings">
                        <failure message="wrong result: a range read forgets a row" type="wrong result">FOUND   wrong result: a range read forgets a row   3 times, one cause
               promised   what was acknowledged before a read began is in it (read committed, real time)
               seen       a row is missing
               proof      visit 3998 inserted it and was acknowledged 91 ms before; nothing removed it
               rerun      gristmill replay 7b3f0c
               how sure   certain: judged twice, no visit of this partition was open or unknown
            </failure>
                    </testcase>
                    <testcase name="2 WrongResult/missing row/read-range" classname="findings">
                        <skipped message="tolerated by --known: wrong result: a range read forgets a row"/>
                    </testcase>
                    <testcase name="no doubt remains" classname="verdict">
                    </testcase>
                </testsuite>
            </testsuites>
        "#]]
        .assert_eq(&super::verdict(&verdict));
    }

    #[test]
    fn a_clean_run_has_no_failure_and_a_doubt_is_an_error() {
        let xml = super::verdict(&clean());
        assert!(xml.contains("failures=\"0\" errors=\"0\""), "{xml}");
        let mut doubtful = clean();
        doubtful
            .doubts
            .push("only 3 answers were compared\u{1b}[31m & <no more>".into());
        let xml = super::verdict(&doubtful);
        assert!(xml.contains("failures=\"0\" errors=\"1\""), "{xml}");
        assert!(
            xml.contains("&amp; &lt;no more&gt;") && !xml.contains('\u{1b}'),
            "{xml}"
        );
    }
}
