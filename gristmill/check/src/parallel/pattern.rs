//! Whole-text patterns with captures: `relation "{name}" does not exist`.

use smallvec::SmallVec;

/// The texts at `{name}` and `{other}`, in order, if the whole text fits. `{}` stands for anything. Shortest fit first.
pub(super) fn captures<'t>(pattern: &str, text: &'t str) -> Option<SmallVec<[&'t str; 2]>> {
    let mut found = SmallVec::new();
    fits(pattern, text, &mut found).then(|| {
        found.reverse();
        found
    })
}

/// Captures are pushed from the end.
fn fits<'t>(pattern: &str, text: &'t str, found: &mut SmallVec<[&'t str; 2]>) -> bool {
    let hole = ["{name}", "{other}", "{}"]
        .into_iter()
        .filter_map(|hole| pattern.find(hole).map(|at| (at, hole)))
        .min();
    let Some((at, hole)) = hole else {
        return pattern == text;
    };
    let (before, after) = (&pattern[..at], &pattern[at + hole.len()..]);
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    let ends = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
    for end in ends {
        if fits(after, &rest[end..], found) {
            if hole != "{}" {
                found.push(&rest[..end]);
            }
            return true;
        }
    }
    false
}

/// Whether a row's code stands for the server's: equal, or a prefix before `*`.
pub(super) fn is_code(row: &str, code: &str) -> bool {
    match row.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => row == code,
    }
}

/// Whether a captured text means the kept name: as it is, quoted, below a schema or alias, or with arguments.
pub(super) fn means(captured: &str, kept: &str, folds_case: bool) -> bool {
    let plain = |s: &str| {
        let s = s.replace('"', "");
        if folds_case { s.to_lowercase() } else { s }
    };
    let (captured, kept) = (plain(captured), plain(kept));
    let captured = match captured.find('(') {
        Some(at) if !kept.contains('(') => &captured[..at],
        _ => captured.as_str(),
    };
    captured == kept
        || captured
            .strip_suffix(kept.as_str())
            .is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_fit() {
        let row = "relation \"{name}\" does not exist";
        assert_eq!(
            captures(row, "relation \"t 1\" does not exist").as_deref(),
            Some(&["t 1"][..])
        );
        assert_eq!(
            captures(row, "internal error: relation \"t\" does not exist"),
            None
        );
        assert_eq!(
            captures(row, "relation \"t\" does not exist, says the disk"),
            None
        );
        let two = "column \"{name}\" of relation \"{other}\" {}";
        assert_eq!(
            captures(two, "column \"c\" of relation \"t\" does not exist").as_deref(),
            Some(&["c", "t"][..])
        );
    }

    #[test]
    fn a_name_is_known_quoted_or_below_something_and_not_by_its_end() {
        for text in ["t1", "\"t1\"", "s.t1", "\"s\".\"t1\"", "t1(integer)"] {
            assert!(means(text, "t1", false), "{text}");
        }
        assert!(!means("at1", "t1", false));
        assert!(!means("T1", "t1", false) && means("T1", "t1", true));
    }
}
