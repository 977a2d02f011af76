//! Locations that cannot be used: a full disk, a newer version's bytes, keys that are refused. Each is named with what to do,
//! by exit code 4, and loses nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use shard::ids::SeqNo;
use shard::store::{CasResult, Versioned};
use shard::{Client, ClientConfig, Frontier, Location, ShardId, Update, block_on};

use crate::servers::{PostgresServer, S3_KEYS, S3Server};
use crate::{location, new_shard, percent_encoded, run, s3_location, stderr, stdout};

const LINES: &str = "{\"row\":\"a\"}\n{\"row\":\"b\"}\n";

/// It said all of this and ended as unusable.
fn is_unusable(what: &str, output: &Output, wanted: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(4), "{what}: {said}{}", stdout(output));
    for words in wanted {
        assert!(said.contains(words), "{what}: `{words}` is not in {said}");
    }
}

/// A shell's words on a disk of so many KiB that ends with them; `$MILLSTREAM` is the binary. None, with a line that says so,
/// where nobody may mount one and CI does not insist.
fn on_a_small_disk(folder: &Path, kib: u32, words: &str) -> Option<String> {
    let script =
        format!("mkdir disk && mount -t tmpfs -o size={kib}k none disk && cd disk || exit 99\n{words}");
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &script])
        .current_dir(folder)
        .env("MILLSTREAM", env!("CARGO_BIN_EXE_millstream"))
        .env_remove("MILLSTREAM_LOCATION")
        .output();
    // 1 is unshare's own; the scripts end by 7.
    let why = match output {
        Ok(output) if output.status.code() == Some(7) => return Some(stdout(&output)),
        Ok(output) if !matches!(output.status.code(), Some(1 | 99)) => {
            panic!("{}{}", stdout(&output), stderr(&output))
        }
        Ok(output) => stderr(&output),
        Err(error) => error.to_string(),
    };
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI=true and no disk may be mounted: {why}"
    );
    println!("left out, no disk may be mounted here: {}", why.trim());
    None
}

/// Appends lines of `width` bytes until there is no room, makes room, and reads what was acknowledged.
fn filled(kib: u32, width: usize) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        r#"here="file:$PWD/location"
        head -c 200000 /dev/zero >ballast
        row=$(head -c {width} /dev/zero | tr '\0' x)
        shard=$(echo '{{"row":"first"}}' | "$MILLSTREAM" shard append "$here" new | head -n 1)
        n=0
        while [ $n -lt 2000 ]; do n=$((n + 1)); echo "{{\"row\":\"$n $row\"}}"; done |
            "$MILLSTREAM" shard append "$here" "$shard" --each >../acknowledged 2>../refused
        echo "append: $?"
        cat ../refused
        rm ballast
        echo "acknowledged: $(wc -l <../acknowledged)"
        echo "there: $("$MILLSTREAM" shard read "$here" "$shard" | grep -c ' x')"
        "$MILLSTREAM" shard verify "$here" "$shard" >../verified 2>&1; echo "verify: $?"
        cat ../verified
        echo '{{"row":"after"}}' | "$MILLSTREAM" shard append "$here" "$shard" >../after; echo "again: $?"
        exit 7"#
    );
    on_a_small_disk(folder.path(), kib, &words)
}

/// What was acknowledged is there, and at most the one append that was refused besides.
fn nothing_was_lost(said: &str) {
    let number = |name: &str| -> u64 {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.and_then(|n| n.trim().parse().ok())
            .unwrap_or_else(|| panic!("{name}: {said}"))
    };
    for (name, code) in [("append", 4), ("verify", 0), ("again", 0)] {
        assert_eq!(number(name), code, "{name}: {said}");
    }
    let (acknowledged, there) = (number("acknowledged"), number("there"));
    assert!(acknowledged > 0 && acknowledged < 2000, "{said}");
    assert!(there == acknowledged || there == acknowledged + 1, "{said}");
    assert!(said.contains("make room on that disk"), "{said}");
}

#[test]
fn a_disk_without_room_for_versions_is_named_and_loses_nothing() {
    let Some(said) = filled(3000, 300) else { return };
    nothing_was_lost(&said);
}

#[test]
fn a_disk_without_room_for_blobs_is_named_and_loses_nothing() {
    let Some(said) = filled(6000, 60_000) else { return };
    nothing_was_lost(&said);
    assert!(said.contains("/location/"), "it names the file: {said}");
}

#[test]
fn a_log_that_newer_software_wrote_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard = new_shard(&location, folder.path(), LINES);
    let versions = || {
        let opened = block_on(Location::open(&location)).unwrap();
        block_on(opened.consensus().scan(&shard, SeqNo::ZERO, 1000)).unwrap()
    };
    let newest = versions().pop().unwrap();
    // A version of a format that is yet to come: byte 4 is its number.
    let mut data = newest.data.to_vec();
    data[4] = 9;
    let next = Versioned {
        seqno: newest.seqno.next(),
        data: data.into(),
    };
    let opened = block_on(Location::open(&location)).unwrap();
    let put = opened
        .consensus()
        .compare_and_set(&shard, Some(newest.seqno), next);
    assert_eq!(block_on(put).unwrap(), CasResult::Committed);
    drop(opened);
    let before = versions();
    let lines = folder.path().join("lines");
    for words in [
        vec!["read"],
        vec!["inspect"],
        vec!["verify"],
        vec!["compact"],
        vec!["gc"],
        vec!["append", lines.to_str().unwrap()],
    ] {
        let mut arguments = vec![words[0], &location, &shard];
        arguments.extend(&words[1..]);
        let wanted = [shard.as_str(), "version 9", "upgrade this program"];
        is_unusable(words[0], &run(&arguments), &wanted);
    }
    let listed = run(&["list", &location]);
    assert!(
        listed.status.success() && stdout(&listed).contains("unreadable"),
        "{}",
        stdout(&listed)
    );
    assert_eq!(versions(), before, "nobody wrote to it");
}

/// The only part of a location of files.
fn part_of(folder: &Path) -> PathBuf {
    let mut parts = Vec::new();
    for folder in std::fs::read_dir(folder.join("location/blobs")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            parts.push(file.unwrap().path());
        }
    }
    parts.retain(|path| path.to_string_lossy().contains("%2fp%2f"));
    let [part] = parts.as_slice() else {
        panic!("one part: {parts:?}")
    };
    part.clone()
}

#[test]
fn a_part_that_newer_software_wrote_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let location = location(folder.path());
    let shard: ShardId = new_shard(&location, folder.path(), LINES).parse().unwrap();
    // Stored as the newer software would, and appended under the checksum it has.
    block_on(async {
        let client = Client::new(Location::open(&location).await.unwrap(), ClientConfig::default());
        let writer = client.open_writer(shard, "text", "test").await.unwrap();
        let (lower, upper) = (Frontier::At(1), Frontier::At(2));
        let update = Update::new("x".repeat(5000), 1, 1);
        let batch = writer.batch(&[update], lower, upper).await.unwrap();
        let path = part_of(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len() - 8;
        let old = bytes[end..end + 4].to_vec();
        bytes[4] = 9;
        let sum = crc32c::crc32c(&bytes[..end]).to_le_bytes();
        bytes[end..end + 4].copy_from_slice(&sum);
        std::fs::write(&path, &bytes).unwrap();
        let varint = |sum: &[u8]| {
            let mut rest = u32::from_le_bytes(sum.try_into().unwrap());
            let mut out = Vec::new();
            while rest >= 0x80 {
                out.push((rest & 0x7f) as u8 | 0x80);
                rest >>= 7;
            }
            out.push(rest as u8);
            out
        };
        let (old, new) = (varint(&old), varint(&sum));
        let written = batch.into_bytes();
        let at = written
            .windows(old.len())
            .position(|bytes| bytes == old)
            .expect("a batch knows the sum of its part");
        let changed = [&written[..at], &new, &written[at + old.len()..]].concat();
        let batch = writer.batch_from_bytes(&changed).unwrap();
        writer
            .compare_and_append_batches(vec![batch], lower, upper)
            .await
            .unwrap();
    });
    let shard = shard.to_string();
    let before = std::fs::read(part_of(folder.path())).unwrap();
    for command in ["read", "compact", "verify"] {
        let wanted = [shard.as_str(), "part", "9", "upgrade"];
        is_unusable(command, &run(&[command, &location, &shard]), &wanted);
    }
    assert_eq!(
        std::fs::read(part_of(folder.path())).unwrap(),
        before,
        "it is as it was"
    );
    // What this version can read is read.
    let output = run(&["read", &location, &shard, "--as-of", "0"]);
    assert_eq!(stdout(&output).lines().count(), 2, "{}", stderr(&output));
}

#[test]
fn keys_that_are_refused_a_bucket_that_is_not_there_and_a_service_that_is_not_up_are_named() {
    let Some(s3) = S3Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let location = s3_location(&s3, "keys", None);
    let shard = new_shard(&location, folder.path(), LINES);
    let with = |id: &str, secret: &str, endpoint: &str, bucket: &str| {
        let endpoint = percent_encoded(endpoint);
        format!("s3://{bucket}/some/prefix?endpoint={endpoint}&access_key_id={id}&secret_access_key={secret}")
    };
    let (id, secret) = S3_KEYS;
    let endpoint = s3.endpoint();
    for (id, secret, code) in [
        (id, "wrongwrong", "SignatureDoesNotMatch"),
        ("nobody", secret, "the service refuses us"),
    ] {
        let wrong = with(id, secret, &endpoint, "keys");
        let append = folder.path().join("lines");
        for arguments in [
            vec!["list", wrong.as_str()],
            vec!["read", &wrong, &shard],
            vec!["append", &wrong, "new", append.to_str().unwrap()],
        ] {
            let output = run(&arguments);
            let wanted = [
                "s3://keys/some/prefix",
                code,
                "check access_key_id and secret_access_key",
            ];
            is_unusable(arguments[0], &output, &wanted);
            assert!(!stderr(&output).contains(secret), "no secret is printed");
        }
    }
    let output = run(&[
        "append",
        &with(id, secret, &endpoint, "no-such-bucket"),
        "new",
        "/dev/null",
    ]);
    is_unusable(
        "append",
        &output,
        &["no-such-bucket", "there is no such bucket", "make it"],
    );
    let output = run(&["list", &with(id, secret, "http://127.0.0.1:1", "keys")]);
    is_unusable("list", &output, &["127.0.0.1:1"]);
    let output = run(&["read", &location, &shard]);
    assert_eq!(stdout(&output).lines().count(), 2, "{}", stderr(&output));
}

#[test]
fn a_half_configured_bucket_and_a_database_that_is_not_there_are_named() {
    let bucket = format!("s3://b/p?endpoint={}", percent_encoded("http://127.0.0.1:1"));
    let keys = "&access_key_id=a&secret_access_key=hush";
    let consensus = |url: &str| format!("{bucket}{keys}&consensus={}", percent_encoded(url));
    let without_keys = crate::millstream(&["list", &bucket])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .output()
        .unwrap();
    assert_eq!(without_keys.status.code(), Some(3), "{}", stderr(&without_keys));
    assert!(
        stderr(&without_keys).contains("it has no `access_key_id`"),
        "{}",
        stderr(&without_keys)
    );
    // Without an endpoint it is a bucket at AWS, whose machines hand out keys; this one does not.
    let nobody_has_keys = crate::millstream(&["list", "s3://b/p"])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let wanted = ["there are no keys", "access_key_id", "AWS_ACCESS_KEY_ID"];
    is_unusable("list", &nobody_has_keys, &wanted);
    let mut cases = vec![(
        consensus("postgres://me:hush@127.0.0.1:1/shards"),
        vec!["127.0.0.1", "refused"],
    )];
    let postgres = PostgresServer::start();
    if let Some(postgres) = &postgres {
        cases.push((
            consensus(&postgres.url("nothing")),
            vec!["database \"nothing\" does not exist"],
        ));
    }
    for (location, wanted) in &cases {
        let output = run(&["list", location]);
        is_unusable("list", &output, wanted);
        assert!(!stderr(&output).contains("hush"), "{}", stderr(&output));
    }
}
