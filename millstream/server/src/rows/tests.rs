use shard::{Update, UpdateRef};

use super::{Records, from_json, to_json};

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
        ("nonsense", "expected ident at column 2; a line is an object as"),
        (r#"{"row":"a","time":-1}"#, "invalid value: integer `-1`"),
    ] {
        let error = from_json(line, 0).unwrap_err();
        assert!(error.contains(wanted), "{line}: {error}");
    }
}

fn records(text: &str, csv: bool) -> Vec<Result<(usize, String), String>> {
    Records::of(Box::new(std::io::Cursor::new(text.to_owned())), csv).collect()
}

#[test]
fn a_quoted_field_of_csv_goes_over_several_lines() {
    let text = "id,note\r\n\n7,\"two\r\n\nlines, \"\"so\"\"\"\r\n8,5\" wide\n9,";
    let wanted = [
        (1, "id,note"),
        (3, "7,\"two\r\n\nlines, \"\"so\"\"\""),
        (6, "8,5\" wide"),
        (7, "9,"),
    ];
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(line, record)| Ok((*line, (*record).to_owned())))
        .collect();
    assert_eq!(records(text, true), wanted);
    // Two of seven lines are empty.
    assert_eq!(records(text, false).len(), 5);
}

#[test]
fn a_quote_that_is_never_closed_names_its_line() {
    let told = records("a\n\"b\nc\n", true);
    let wanted = "line 2: a quoted field begins here and does not end";
    assert_eq!(told[1], Err(wanted.to_owned()));
}
