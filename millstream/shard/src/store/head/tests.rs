//! Heads over a bucket in memory and over versitygw, and the fork of the naive store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as ObjectResult,
};

use super::{Core, HeadConsensus};
use crate::ids::SeqNo;
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::object::{Bucket, ObjectBlob, S3Options};
use crate::store::servers::{S3_KEYS, S3Server};
use crate::store::{CasResult, Consensus, Versioned, conformance};
use crate::tests::museum;

fn version(number: u64, data: &'static str) -> Versioned {
    Versioned {
        seqno: SeqNo::new(number).unwrap(),
        data: Bytes::from_static(data.as_bytes()),
    }
}

fn seqno(number: u64) -> SeqNo {
    SeqNo::new(number).unwrap()
}

#[test]
fn a_bucket_in_memory_is_a_consensus_and_a_blob_store() {
    let bucket = Bucket::in_memory();
    let open = || Arc::new(HeadConsensus::new(bucket.clone()));
    block_on(conformance::consensus(open(), &mut || open())).unwrap();
    let open = || Arc::new(ObjectBlob::new(bucket.clone()));
    block_on(conformance::blob(open(), &mut || open())).unwrap();
}

#[test]
fn versions_that_moved_to_chunks_are_scanned_and_truncated() {
    let store = HeadConsensus::new(Bucket::in_memory());
    block_on(async {
        for number in 1..=700u64 {
            let expected = (number > 1).then(|| seqno(number - 1));
            let answer = store.compare_and_set("k", expected, version(number, "x")).await;
            assert_eq!(answer, Ok(CasResult::Committed), "{number}");
        }
        let all = store.scan("k", SeqNo::ZERO, 1000).await.unwrap();
        assert_eq!(
            all.iter().map(|v| v.seqno.get()).collect::<Vec<_>>(),
            (1..=700).collect::<Vec<_>>()
        );
        assert_eq!(store.scan("k", seqno(120), 3).await.unwrap().len(), 3);
        assert_eq!(store.truncate("k", seqno(400)).await, Ok(Some(399)));
        let left = store.scan("k", SeqNo::ZERO, 1000).await.unwrap();
        assert_eq!(
            left.iter().map(|v| v.seqno.get()).collect::<Vec<_>>(),
            (400..=700).collect::<Vec<_>>()
        );
    });
}

/// A store whose next puts apply and lose their answer, or are lost; ETags are hashes of the bytes.
struct Flaky {
    inner: InMemory,
    lose_answers: AtomicU32,
    lose_puts: AtomicU32,
}

impl fmt::Debug for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flaky")
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flaky")
    }
}

fn no_answer() -> Error {
    Error::Generic {
        store: "flaky",
        source: "connection reset".into(),
    }
}

fn take(counter: &AtomicU32) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
        .is_ok()
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> ObjectResult<PutResult> {
        if take(&self.lose_puts) {
            return Err(no_answer());
        }
        let done = self.inner.put_opts(at, payload, options).await?;
        if take(&self.lose_answers) {
            return Err(no_answer());
        }
        Ok(done)
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> ObjectResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> ObjectResult<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, ObjectResult<Path>>,
    ) -> BoxStream<'static, ObjectResult<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, ObjectResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> ObjectResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> ObjectResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn flaky(lose_answers: u32, lose_puts: u32) -> Bucket {
    let store: Arc<dyn ObjectStore> = Arc::new(Flaky {
        inner: InMemory::new(),
        lose_answers: AtomicU32::new(lose_answers),
        lose_puts: AtomicU32::new(lose_puts),
    });
    Bucket {
        blobs: Arc::clone(&store),
        heads: store,
        ..Bucket::in_memory()
    }
}

#[test]
fn h_3_a_put_without_an_answer_is_decided_by_the_head() {
    for (lose_answers, lose_puts) in [(1, 0), (0, 1), (0, 3), (1, 2)] {
        let store = HeadConsensus::new(flaky(lose_answers, lose_puts));
        let first = block_on(store.compare_and_set("k", None, version(1, "a")));
        assert_eq!(
            first,
            Ok(CasResult::Committed),
            "{lose_answers} answers, {lose_puts} puts lost"
        );
        let all = block_on(store.scan("k", SeqNo::ZERO, 9)).unwrap();
        assert_eq!(all, [version(1, "a")]);
    }
    // Lost for longer than is tried: fenced off, so the answer is that it did not happen.
    let bucket = flaky(0, 0);
    let store = HeadConsensus::new(bucket.clone());
    block_on(store.compare_and_set("k", None, version(1, "a"))).unwrap();
    let lost = Bucket {
        heads: flaky(0, 99).heads,
        ..bucket
    };
    let error = block_on(HeadConsensus::new(lost).compare_and_set("k", None, version(1, "b"))).unwrap_err();
    assert!(!error.is_determinate(), "{error}");
}

/// Two heads of the same content must not share an ETag where an ETag is a hash: a truncation and a put back
/// would let a stale writer through. Each put of the same head has other bytes.
pub(crate) fn every_put_has_other_bytes(mutant: Mutant) -> Result<(), String> {
    let store = HeadConsensus::with(Bucket::in_memory(), mutant);
    let core: &Core = &store.core;
    if core.nonce() == core.nonce() {
        return Err("two puts carry one nonce".to_owned());
    }
    Ok(())
}

/// One object per version, made by create-only puts, deleted by truncation: the design that forks.
async fn naive_cas(store: &InMemory, number: u64) -> CasResult {
    let path = Path::from(format!("k/{number}"));
    let options = PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };
    match store
        .put_opts(&path, PutPayload::from_static(b"x"), options)
        .await
    {
        Ok(_) => CasResult::Committed,
        Err(_) => CasResult::ExpectationMismatch,
    }
}

#[test]
fn heads_of_every_format_are_read() {
    let head = super::Head {
        nonce: 0x71,
        first: seqno(3),
        chunks: vec![super::Chunk {
            first: seqno(3),
            last: seqno(5),
            key: "k/3-72".to_owned(),
        }],
        entries: vec![super::Entry {
            seqno: seqno(6),
            nonce: 0x73,
            data: Bytes::from_static(b"six"),
        }],
    };
    museum::is_newest("head-v1.hex", &head.encode());
    assert_eq!(super::Head::decode(&museum::exhibit("head-v1.hex")), Ok(head));
}

#[test]
fn create_only_with_deletion_forks_and_heads_do_not() {
    block_on(async {
        let naive = InMemory::new();
        for number in 1..=5 {
            assert_eq!(naive_cas(&naive, number).await, CasResult::Committed);
        }
        for number in 1..=3u64 {
            naive.delete(&Path::from(format!("k/{number}"))).await.unwrap();
        }
        // A writer that paused since it saw version 2 makes version 3 again: a dead branch, acknowledged.
        assert_eq!(naive_cas(&naive, 3).await, CasResult::Committed);
        let ours = HeadConsensus::new(Bucket::in_memory());
        for number in 1..=5u64 {
            let expected = (number > 1).then(|| seqno(number - 1));
            ours.compare_and_set("k", expected, version(number, "x"))
                .await
                .unwrap();
        }
        ours.truncate("k", seqno(4)).await.unwrap();
        let stale = ours
            .compare_and_set("k", Some(seqno(2)), version(3, "fork"))
            .await;
        assert_eq!(stale, Ok(CasResult::ExpectationMismatch));
    });
}

#[test]
fn versitygw_is_a_consensus_and_a_blob_store() {
    let Some(server) = S3Server::start() else {
        return;
    };
    server.make_bucket("conformance");
    let bucket = Bucket::s3(&S3Options {
        bucket: "conformance".to_owned(),
        prefix: "some/prefix".to_owned(),
        endpoint: Some(server.endpoint()),
        region: None,
        access_key_id: Some(S3_KEYS.0.to_owned()),
        secret_access_key: Some(S3_KEYS.1.to_owned()),
    })
    .unwrap();
    let open = || Arc::new(HeadConsensus::new(bucket.clone()));
    block_on(conformance::consensus(open(), &mut || open())).unwrap();
    let open = || Arc::new(ObjectBlob::new(bucket.clone()));
    block_on(conformance::blob(open(), &mut || open())).unwrap();
}
