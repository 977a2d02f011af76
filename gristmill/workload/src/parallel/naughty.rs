//! Names that are hard to write: quotes, keywords, blanks, other alphabets, signs that nobody sees, and as long as a name can be.
//!
//! * N1 a name begins as every other one does, with the run's prefix and its address: it stays unique, and clean-up finds it.
//! * N2 what a target refuses as a name is not in its list.

use super::speech::{MARIA, Speech};

/// What stands at the end of a name.
const TAILS: &[&str] = &[
    "\"",
    "\"\"",
    "\"; select 1; --",
    "'",
    "''",
    "`",
    "\\",
    "\\\"",
    " a blank",
    "  two",
    "\ttab",
    ".dot",
    "..",
    "(",
    ")",
    "[]",
    "{}",
    "{name}",
    "%",
    "%s%n",
    "$1",
    "$$",
    ":x",
    "?",
    "@",
    "#",
    "--",
    "/*",
    "*/",
    ";",
    ",",
    "=",
    " select",
    " from",
    " null",
    " order by 1",
    "UPPER",
    "MiXed",
    "1e9",
    "é",
    "e\u{301}",
    "ß",
    "İ",
    "ı",
    "Ω",
    "Кириллица",
    "ελληνικά",
    "עברית",
    "العربية",
    "\u{202e}rtl",
    "\u{200b}",
    "\u{feff}",
    "\u{a0}",
    "日本語",
    "한국어",
    "𝔘𝔫𝔦",
    "🦀",
    "👩‍👩‍👧",
    " ",
    LONG,
    LONG_WIDE,
];

/// Fills a name to the last byte.
const LONG: &str = "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
/// The same, where the last character may not fit.
const LONG_WIDE: &str = "_日日日日日日日日日日日日日日日日日日日日日日日日日日日日";

/// The end of a name; the bits say which.
pub(crate) fn tail(speech: &Speech, bits: u64) -> &'static str {
    let count = u64::try_from(TAILS.len()).expect("a short list");
    let tail = TAILS[usize::try_from(bits % count).expect("below the length of a list")];
    if fits(speech, tail) { tail } else { "" }
}

/// MariaDB has names of the basic plane only, without a blank at the end.
fn fits(speech: &Speech, tail: &str) -> bool {
    let basic = tail.chars().all(|c| u32::from(c) < 0x1_0000);
    speech.bit != MARIA || (basic && !tail.ends_with(' '))
}

#[cfg(test)]
mod tests {
    use super::super::{MARIADB, POSTGRES};
    use super::*;

    #[test]
    fn every_tail_comes_and_mariadb_gets_none_that_it_refuses() {
        let of = |speech| {
            (0..TAILS.len() as u64)
                .map(|i| tail(speech, i))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&POSTGRES), TAILS);
        assert!(
            of(&MARIADB)
                .iter()
                .all(|t| !t.ends_with(' ') && !t.contains('🦀'))
        );
        assert!(of(&MARIADB).contains(&"\""));
    }
}
