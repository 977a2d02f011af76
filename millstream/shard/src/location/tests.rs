//! Opening: URLs, redaction, and locations that were mixed up (H7, H18).

use std::sync::Arc;

use super::{Location, LocationError, redact};
use crate::ids::IdSource;
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::mem::{MemBlob, MemConsensus};
use crate::store::object::S3Options;
use crate::testing::faulty::{Fate, Faulty};
use crate::testing::sim::Sim;
use crate::{Client, ClientConfig, Clock, Frontier, Update};

fn of(blob: &MemBlob, consensus: &MemConsensus) -> Location {
    Location::of("test:", Arc::new(blob.clone()), Arc::new(consensus.clone()))
}

pub(crate) fn mixtures_are_refused(mutant: Mutant) -> Result<(), String> {
    let (blob_a, consensus_a) = (MemBlob::new(), MemConsensus::new());
    let (blob_b, consensus_b) = (MemBlob::new(), MemConsensus::new());
    let open = |blob: &MemBlob, consensus: &MemConsensus, seed| {
        block_on(of(blob, consensus).identify(&IdSource::seeded(seed), mutant))
    };
    open(&blob_a, &consensus_a, 1).map_err(|e| e.to_string())?;
    open(&blob_b, &consensus_b, 2).map_err(|e| e.to_string())?;
    open(&blob_a, &consensus_a, 3).map_err(|e| format!("opened again: {e}"))?;
    let cases = [
        ("blobs of another", &blob_b, &consensus_a),
        ("blobs gone", &MemBlob::new(), &consensus_a),
        ("consensus gone", &blob_a, &MemConsensus::new()),
    ];
    for (what, blob, consensus) in cases {
        match open(blob, consensus, 4) {
            Err(LocationError::MixedUp { .. }) => {}
            other => return Err(format!("{what}: answered {other:?}")),
        }
    }
    Ok(())
}

/// An opener that dies after any of its operations leaves a location that the next one opens.
#[test]
fn h_7_an_interrupted_first_opening_is_continued() {
    for nth in 0..10 {
        let stores = Faulty::new();
        let mut count = 0;
        stores.script(move |_| {
            count += 1;
            if count == nth + 1 {
                Fate::DiesAfter
            } else {
                Fate::Pass
            }
        });
        let mut sim = Sim::new(Clock::manual(0));
        let location = stores.location();
        let first = sim.spawn(async move { location.identify(&IdSource::seeded(1), Mutant::None).await });
        sim.settle();
        sim.abort(first.task());
        let location = stores.another_process().location();
        let second = sim.run(async move { location.identify(&IdSource::seeded(2), Mutant::None).await });
        second.unwrap_or_else(|e| panic!("died after {nth}: {e}"));
    }
}

#[test]
fn h_18_passwords_are_redacted_everywhere() {
    let url = "s3://bucket/p?endpoint=http://me:hush@host:1&secret_access_key=hush\
               &consensus=postgres%3A%2F%2Fuser%3Ahush%40db%2Fx%3Fsslmode%3Drequire%26password%3Dhush";
    let shown = redact(url);
    assert!(!shown.contains("hush"), "{shown}");
    assert!(shown.contains("db") && shown.contains("user"), "{shown}");
    assert!(!redact("not a url with hush@host").contains("hush"));
    let error = block_on(Location::open("ftp://me:hush@host/")).unwrap_err();
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[test]
fn a_folder_is_a_location_that_outlives_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("deep/er").display());
    let shard = block_on(async {
        let client = Client::new(Location::open(&url).await.unwrap(), ClientConfig::default());
        let shard = client.fresh_shard();
        let writer = client.open_writer(shard, "utf8", "test").await.unwrap();
        let updates = [Update::new("x".repeat(5000), 0, 1), Update::new("y", 0, 1)];
        writer
            .compare_and_append(&updates, Frontier::At(0), Frontier::At(1))
            .await
            .unwrap();
        shard
    });
    block_on(async {
        let client = Client::new(Location::open(&url).await.unwrap(), ClientConfig::default());
        let reader = client.open_leased_reader(shard, "utf8", "test").await.unwrap();
        assert_eq!(reader.snapshot_and_fetch(0).await.unwrap().len(), 2);
    });
}

#[test]
fn who_only_looks_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("new").display());
    let error = block_on(Location::open_existing(&url)).unwrap_err();
    assert!(matches!(error, LocationError::Absent { .. }), "{error}");
    assert!(!folder.path().join("new").exists(), "it was made");
    block_on(Location::open(&url)).unwrap();
    block_on(Location::open_existing(&url)).unwrap();
}

#[test]
fn a_url_that_is_none_of_ours_says_what_is() {
    for (url, wanted) in [
        ("", "is no location: it does not begin as one"),
        ("/tmp/mill", "a folder is written file:/tmp/mill"),
        ("ftp://x/", "`ftp` is not known"),
        ("s3:", "is no location"),
        ("file:relative/folder", "must be absolute"),
    ] {
        let error = block_on(Location::open(url)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{url}: {error}");
    }
}

#[test]
fn a_bucket_without_keys_is_half_configured_but_at_aws() {
    let at = |endpoint: Option<&str>, id: Option<&str>, secret: Option<&str>| S3Options {
        bucket: "b".to_owned(),
        endpoint: endpoint.map(str::to_owned),
        access_key_id: id.map(str::to_owned),
        secret_access_key: secret.map(str::to_owned),
        ..S3Options::default()
    };
    let (here, aws) = (
        Some("http://127.0.0.1:9"),
        Some("https://s3.eu-west-1.amazonaws.com"),
    );
    for (options, set, lacks) in [
        (at(here, Some("i"), Some("s")), "", None),
        (at(here, Some("i"), None), "", Some("secret_access_key")),
        (at(here, Some("i"), None), "AWS_SECRET_ACCESS_KEY", None),
        (at(aws, None, Some("s")), "", Some("access_key_id")),
        (at(here, None, None), "", Some("access_key_id")),
        (at(here, None, None), "AWS_WEB_IDENTITY_TOKEN_FILE", None),
        (at(aws, None, None), "", None),
        (at(None, None, None), "", None),
    ] {
        let said = super::half_configured(&options, &|name| name == set);
        match lacks {
            None => assert_eq!(said, None, "{options:?}"),
            Some(what) => assert!(said.unwrap().contains(&format!("no `{what}`")), "{options:?}"),
        }
    }
}
