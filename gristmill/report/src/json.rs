//! The verdict for programs: one JSON object, the same as `verdict.json`.

use history::Verdict;

/// The verdict as indented JSON, with a newline at its end.
pub fn verdict(verdict: &Verdict) -> String {
    let mut text = serde_json::to_string_pretty(verdict).expect("a verdict has only text keys");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use crate::testing::found;
    use history::Verdict;

    #[test]
    fn a_verdict_read_back_is_the_same() {
        let text = super::verdict(&found());
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), found());
        assert!(text.ends_with("}\n"));
    }
}
