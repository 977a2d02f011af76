use shard::{Update, UpdateRef};

use super::{from_json, to_json};

#[test]
fn a_printed_update_is_read_back() {
    for update in [
        Update::new("text \"quoted\"\n", 7, -2),
        Update::new([0xff, 0], 0, 1),
        Update::new("", 1, 1),
    ] {
        let line = to_json(UpdateRef {
            row: &update.row,
            time: update.time,
            diff: update.diff,
        });
        assert!(!line.contains('\n'));
        assert_eq!(from_json(&line, 99).unwrap(), update);
    }
}

#[test]
fn a_line_that_is_no_update_says_why() {
    assert_eq!(from_json(r#"{"row":"a"}"#, 5).unwrap(), Update::new("a", 5, 1));
    for (line, wanted) in [
        ("{}", "either `row` or `row_hex`"),
        (r#"{"row":"a","when":1}"#, "unknown field `when`"),
        (r#"{"row_hex":"0g"}"#, "not hexadecimal"),
        ("nonsense", "expected"),
    ] {
        let error = from_json(line, 0).unwrap_err();
        assert!(error.contains(wanted), "{line}: {error}");
    }
}
