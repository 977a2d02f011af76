//! One command after another, and what each says of bad input.

use shard::{Client, ClientConfig, Frontier, Location, block_on};

use crate::{location, new_shard, run, stderr, stdout};

const LINES: &str = r#"{"row":"a","time":0}
{"row":"b","time":1,"diff":2}
{"row":"a","time":3,"diff":-1}
"#;

#[test]
fn what_was_appended_is_read_inspected_verified_and_survives_maintenance() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let at = |time: &str| stdout(&run(&["read", &location, &shard, "--as-of", time]));
    assert_eq!(at("0"), "{\"row\":\"a\",\"time\":0,\"diff\":1}\n");
    let newest = "{\"row\":\"b\",\"time\":3,\"diff\":2}\n";
    assert_eq!(stdout(&run(&["read", &location, &shard])), newest);
    for command in ["compact", "gc", "gc", "verify"] {
        let output = run(&[command, &location, &shard]);
        assert!(output.status.success(), "{command}: {}", stderr(&output));
    }
    assert_eq!(stdout(&run(&["read", &location, &shard])), newest);
    let listed = stdout(&run(&["list", &location]));
    assert!(
        listed.contains(&shard) && listed.contains("upper {4}"),
        "{listed}"
    );
    let seen = stdout(&run(&["inspect", &location, &shard]));
    assert!(
        seen.contains("codec text") && seen.contains("batch   [{0}, {4})"),
        "{seen}"
    );
    let document: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["inspect", &location, &shard, "--format", "json"]))).unwrap();
    assert_eq!(document["upper"], 4);
}

#[test]
fn tail_prints_what_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let output = run(&["tail", &location, &shard, "--as-of", "0", "--until", "3"]);
    let wanted =
        "{\"row\":\"a\",\"time\":3,\"diff\":-1}\n{\"row\":\"b\",\"time\":1,\"diff\":2}\n{\"progress\":4}\n";
    assert_eq!(stdout(&output), wanted, "{}", stderr(&output));
    // Nothing can be read less for it.
    let output = run(&["read", &location, &shard, "--as-of", "0"]);
    let wanted = "{\"row\":\"a\",\"time\":0,\"diff\":1}\n";
    assert_eq!(stdout(&output), wanted, "{}", stderr(&output));
}

#[test]
fn csv_is_appended_record_by_record() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let file = folder.path().join("records");
    let append = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&[
            "append",
            &location,
            &shard,
            "--format",
            "csv",
            file.to_str().unwrap(),
        ])
    };
    let output = append("7,\"two\nlines\"\n8,one\n");
    assert_eq!(
        stdout(&output),
        "{\"appended\":2,\"upper\":5}\n",
        "{}",
        stderr(&output)
    );
    let output = append("9,\"torn\n");
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("line 1: a quoted field begins here"),
        "{}",
        stderr(&output)
    );
    let there = stdout(&run(&["read", &location, &shard]));
    let wanted = "{\"row\":\"7,\\\"two\\nlines\\\"\",\"time\":4,\"diff\":1}";
    assert!(there.contains(wanted) && !there.contains("torn"), "{there}");
}

#[test]
fn the_location_can_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let output = crate::millstream(&["read", &shard, "--as-of", "0"])
        .env("MILLSTREAM_LOCATION", &location)
        .output()
        .unwrap();
    assert_eq!(
        stdout(&output),
        "{\"row\":\"a\",\"time\":0,\"diff\":1}\n",
        "{}",
        stderr(&output)
    );
}

#[test]
fn bad_input_is_named_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let bad = folder.path().join("bad");
    std::fs::write(&bad, "{\"row\":\"x\"}\n{\"rows\":1}\n").unwrap();
    let late = folder.path().join("late");
    std::fs::write(&late, "{\"row\":\"x\",\"time\":1}\n").unwrap();
    let fresh = "s00000000-0000-0000-0000-000000000001";
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["read", &location, "nonsense"],
            3,
            "`nonsense` is not a shard id",
        ),
        (&["read", &location, fresh], 3, "there is no shard"),
        (
            &["read", &location, &shard, "--as-of", "9"],
            3,
            "time 9 is not complete yet",
        ),
        (&["read", "ftp://x/", &shard], 3, "`ftp` is not known"),
        (&["append", "file:/proc/nowhere/at/all", "new"], 4, "cannot make"),
        (
            &["read", "file:/proc/nowhere/at/all", &shard],
            3,
            "there is no location here",
        ),
        (&["append", &location, fresh, "/dev/null"], 3, "there is no shard"),
        (
            &["list", "file:relative"],
            3,
            "`file:relative` is no location: the folder must be absolute",
        ),
        (
            &["list", "s3://b/p?endpoint=nonsense"],
            3,
            "endpoint `nonsense` is not http://",
        ),
        (&["read", &location], 3, "which shard of"),
        (&["read", &shard], 3, "MILLSTREAM_LOCATION is not set"),
        (&["read", &location, &shard, "more"], 3, "more"),
        (
            &["append", &location, &shard, "/"],
            3,
            "cannot read /: it is a folder",
        ),
        (&["append", &location, &shard, "/dev/null", "more"], 3, "more"),
        (
            &["append", &location, &shard, bad.to_str().unwrap()],
            3,
            "line 2: unknown field `rows`",
        ),
        (
            &["append", &location, &shard, late.to_str().unwrap()],
            3,
            "time 1 is complete",
        ),
        (
            &[
                "append",
                &location,
                &shard,
                "--codec",
                "json",
                bad.to_str().unwrap(),
            ],
            3,
            "codec `text`, not `json`",
        ),
        (
            &["append", &location, &shard, "/no/such/file"],
            3,
            "cannot read /no/such/file",
        ),
        (
            &["read", &location, &shard, "--as-of", "-1"],
            3,
            "invalid value '-1'",
        ),
        (&["frobnicate"], 3, "frobnicate"),
    ];
    for (arguments, code, wanted) in cases {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(wanted),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    assert_eq!(
        stdout(&run(&["read", &location, &shard])),
        "{\"row\":\"b\",\"time\":3,\"diff\":2}\n"
    );
    let nothing = run(&["append", &location, &shard, "/dev/null"]);
    assert_eq!(nothing.status.code(), Some(0), "{}", stderr(&nothing));
    assert_eq!(stdout(&nothing), "{\"appended\":0,\"upper\":4}\n");
    // Nothing is made of a file that is refused, not even the shard.
    let output = run(&["append", &location, "new", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    let listed = stdout(&run(&["list", &location]));
    assert_eq!(listed.lines().count(), 1, "{listed}");
}

#[test]
fn a_closed_shard_and_compacted_history_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let opened = block_on(async {
        let client = Client::new(Location::open(&location).await.unwrap(), ClientConfig::default());
        let reader = client
            .open_leased_reader(shard.parse().unwrap(), "text", "test")
            .await
            .unwrap();
        reader.downgrade_since(Frontier::At(2)).await.unwrap();
        reader.expire().await
    });
    opened.unwrap();
    let output = run(&["read", &location, &shard, "--as-of", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let wanted = "cannot be read at 1: history before {2} is compacted away";
    assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    let last = folder.path().join("last");
    std::fs::write(&last, format!("{{\"row\":\"end\",\"time\":{}}}\n", u64::MAX)).unwrap();
    let append = || run(&["append", &location, &shard, last.to_str().unwrap()]);
    assert!(append().status.success());
    let output = append();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("is closed"), "{}", stderr(&output));
}

#[test]
fn a_damaged_or_missing_part_is_named_and_verify_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let lines = format!("{{\"row\":\"{}\"}}\n", "x".repeat(5000));
    let shard = new_shard(&location, folder.path(), &lines);
    let mut parts = Vec::new();
    for folder in std::fs::read_dir(folder.path().join("location/blobs")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            parts.push(file.unwrap().path());
        }
    }
    parts.retain(|path| path.to_string_lossy().contains("%2fp%2f"));
    let [part] = parts.as_slice() else {
        panic!("one part: {parts:?}")
    };
    let whole = std::fs::read(part).unwrap();
    let mut bytes = whole.clone();
    bytes[100] ^= 1;
    std::fs::write(part, &bytes).unwrap();
    for (command, code) in [("read", 4), ("tail", 4), ("verify", 1)] {
        let output = run(&[command, &location, &shard]);
        assert_eq!(output.status.code(), Some(code), "{command}: {}", stderr(&output));
        let said = stdout(&output) + &stderr(&output);
        assert!(
            said.contains("checksum differs") && said.contains("/p/"),
            "{command}: {said}"
        );
    }
    std::fs::remove_file(part).unwrap();
    for (command, code) in [("read", 4), ("tail", 4), ("verify", 1)] {
        let output = run(&[command, &location, &shard]);
        assert_eq!(output.status.code(), Some(code), "{command}: {}", stderr(&output));
        let said = stdout(&output) + &stderr(&output);
        assert!(said.contains("missing"), "{command}: {said}");
    }
}

#[test]
fn two_locations_mixed_up_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::create_dir_all(&a).unwrap();
    std::fs::create_dir_all(&b).unwrap();
    let (at_a, at_b) = (location(&a), location(&b));
    new_shard(&at_a, &a, LINES);
    new_shard(&at_b, &b, LINES);
    std::fs::rename(a.join("location/blobs"), a.join("old")).unwrap();
    std::fs::rename(b.join("location/blobs"), a.join("location/blobs")).unwrap();
    let output = run(&["list", &at_a]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr(&output).contains("do not belong together"),
        "{}",
        stderr(&output)
    );
}
