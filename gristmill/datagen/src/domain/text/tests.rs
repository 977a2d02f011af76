use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn ten_characters_at_once_are_the_same_text(bits: u64, text_bytes_max in 1_u32..60) {
        let limits = Limits { text_bytes_max, ..Limits::default() };
        let base = TextBase::new(&limits, false).expect("there are texts that short");
        let d = bits % base.size();
        let (mut short, mut any) = (b"before".to_vec(), b"before".to_vec());
        if base.write_short(d, &mut short) {
            base.write_any(d, &mut any);
        }
        prop_assert_eq!(short, any, "descriptor {} of at most {} bytes", d, text_bytes_max);
    }
}

/// The property above would hold of a function that never does anything.
#[test]
fn most_ascii_texts_are_written_at_once() {
    let base = TextBase::new(&Limits::default(), false).expect("there are texts");
    let short = (0..1000)
        .filter(|&n| base.write_short(mix(n) % base.size(), &mut Vec::new()))
        .count();
    assert!(short > 980, "{short} of 1000");
}
