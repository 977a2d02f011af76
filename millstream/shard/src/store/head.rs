//! Consensus in object storage: one head object a key, changed by conditional put.
//!
//! The head `heads/{key}` holds the newest versions themselves and names immutable chunk objects with the
//! older retained ones. A compare-and-set reads the head and puts a new one on condition of the ETag it read.
//! One object per version with create-only puts would not do: truncation deletes version `s`, and a writer
//! that still expects `s - 1` makes `s` again (`tests.rs` shows the fork on such a store).
//!
//! Invariants:
//! 1. Every put of a head carries a fresh nonce, so that its ETag differs even where an ETag is a hash.
//! 2. The head is never deleted.
//! 3. A put that got no answer is decided by reading the head: the entry carries its attempt's nonce.
//! 4. Truncation puts the shortened head first and deletes chunks after.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::object::{Bucket, failure, list_all, read};
use super::{CasResult, Consensus, StoreError, Versioned, check_successor};
use crate::ids::{IdSource, SeqNo};
use crate::mutant::Mutant;

const MAGIC: &[u8; 5] = b"MSHD\x01";
/// Versions kept in the head itself before the older half moves to a chunk.
const INLINE_VERSIONS: usize = 256;
/// Bytes kept in the head itself before the older half moves to a chunk.
const INLINE_BYTES: usize = 256 << 10;
/// Tries of one compare-and-set after a put without an answer, before it is fenced off.
const TRIES: u32 = 4;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    seqno: SeqNo,
    /// Of the attempt that made this version.
    nonce: u128,
    data: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chunk {
    first: SeqNo,
    last: SeqNo,
    key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    nonce: u128,
    /// The first retained version.
    first: SeqNo,
    chunks: Vec<Chunk>,
    entries: Vec<Entry>,
}

impl Head {
    fn newest(&self) -> SeqNo {
        self.entries
            .last()
            .expect("a head holds its newest version")
            .seqno
    }

    fn encode(&self) -> Bytes {
        let out = postcard::to_extend(self, MAGIC.to_vec()).expect("heads have no unserializable parts");
        Bytes::from(out)
    }

    fn decode(bytes: &[u8]) -> Result<Head, StoreError> {
        bytes
            .strip_prefix(MAGIC)
            .and_then(|body| postcard::from_bytes(body).ok())
            .ok_or_else(|| {
                StoreError::determinate("a head object is damaged or newer than this program").permanent()
            })
    }
}

/// A [`Consensus`] in a bucket with conditional puts.
#[derive(Clone)]
pub struct HeadConsensus {
    core: Arc<Core>,
}

struct Core {
    bucket: Bucket,
    ids: IdSource,
    known: Mutex<BTreeMap<String, (String, SeqNo)>>,
    mutant: Mutant,
}

impl fmt::Debug for HeadConsensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadConsensus({})", self.core.bucket.prefix)
    }
}

/// How one conditional put ended.
enum Put {
    Done,
    /// The ETag was another: nothing happened.
    Stale,
    /// Nobody knows.
    Unanswered(StoreError),
}

impl HeadConsensus {
    /// Heads of this bucket.
    pub fn new(bucket: Bucket) -> HeadConsensus {
        HeadConsensus::with(bucket, Mutant::None)
    }

    pub(crate) fn with(bucket: Bucket, mutant: Mutant) -> HeadConsensus {
        let core = Core {
            bucket,
            ids: IdSource::random(),
            known: Mutex::default(),
            mutant,
        };
        HeadConsensus { core: Arc::new(core) }
    }

    async fn run<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<Core>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.core.bucket.runtime.run(work(Arc::clone(&self.core))).await
    }
}

impl Core {
    fn nonce(&self) -> u128 {
        if self.mutant == Mutant::ConstantHeadNonce {
            7
        } else {
            self.ids.fresh()
        }
    }

    async fn load(&self, key: &str) -> Result<Option<(Head, UpdateVersion)>, StoreError> {
        let path = self.bucket.path("heads", key);
        let Some((bytes, e_tag)) = read(&*self.bucket.heads, &path).await? else {
            return Ok(None);
        };
        Ok(Some((
            Head::decode(&bytes)?,
            UpdateVersion { e_tag, version: None },
        )))
    }

    async fn put(&self, key: &str, head: &Head, on: Option<UpdateVersion>) -> Put {
        let path = self.bucket.path("heads", key);
        let mode = on.map_or(PutMode::Create, PutMode::Update);
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        match self
            .bucket
            .heads
            .put_opts(&path, PutPayload::from_bytes(head.encode()), options)
            .await
        {
            Ok(_) => Put::Done,
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotFound { .. }) => {
                Put::Stale
            }
            // S3 answers 409 to a put that lost against another in flight: nothing happened.
            Err(error) if error.to_string().contains("409") => Put::Stale,
            Err(error) => Put::Unanswered(failure(&error)),
        }
    }

    /// Moves the older half of a full head's versions to a chunk object; the chunk is durable before the head
    /// that names it is put.
    async fn spill(&self, key: &str, head: &mut Head) -> Result<(), StoreError> {
        let bytes: usize = head.entries.iter().map(|e| e.data.len()).sum();
        if head.entries.len() <= INLINE_VERSIONS && (bytes <= INLINE_BYTES || head.entries.len() < 3) {
            return Ok(());
        }
        let rest = head.entries.split_off(head.entries.len() / 2);
        let old = std::mem::replace(&mut head.entries, rest);
        let (Some(first), Some(last)) = (old.first(), old.last()) else {
            return Ok(());
        };
        let chunk = Chunk {
            first: first.seqno,
            last: last.seqno,
            key: format!("{key}/{:020}-{:032x}", first.seqno.get(), self.ids.fresh()),
        };
        let path = self.bucket.path("versions", &chunk.key);
        let bytes = postcard::to_allocvec(&old).expect("entries have no unserializable parts");
        self.bucket
            .blobs
            .put(&path, PutPayload::from(bytes))
            .await
            .map_err(|e| failure(&e))?;
        head.chunks.push(chunk);
        Ok(())
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        let attempt = self.ids.fresh();
        let mut doubt: Option<StoreError> = None;
        let mut tries = 0;
        loop {
            let loaded = match self.load(key).await {
                Ok(loaded) => loaded,
                Err(error) => return Err(doubt.unwrap_or_else(|| StoreError::determinate(error))),
            };
            let newest = loaded.as_ref().map(|(head, _)| head.newest());
            if let Some(error) = &doubt
                && newest >= Some(new.seqno)
            {
                let head = &loaded.as_ref().expect("there is a newest").0;
                return match self.entry(head, new.seqno).await? {
                    Some(entry) if entry.nonce == attempt => Ok(CasResult::Committed),
                    Some(_) => Ok(CasResult::ExpectationMismatch),
                    None => Err(error.clone()),
                };
            }
            if newest != expected {
                return Ok(CasResult::ExpectationMismatch);
            }
            tries += 1;
            if tries > TRIES
                && let Some(error) = doubt
            {
                return Err(self.fence(key, loaded, error).await);
            }
            let (mut head, on) = match loaded {
                None => (
                    Head {
                        nonce: 0,
                        first: new.seqno,
                        chunks: vec![],
                        entries: vec![],
                    },
                    None,
                ),
                Some((head, on)) => (head, Some(on)),
            };
            head.nonce = self.nonce();
            head.entries.push(Entry {
                seqno: new.seqno,
                nonce: attempt,
                data: new.data.clone(),
            });
            self.spill(key, &mut head)
                .await
                .map_err(|e| doubt.clone().unwrap_or_else(|| StoreError::determinate(e)))?;
            match self.put(key, &head, on).await {
                Put::Done => return Ok(CasResult::Committed),
                // A truncation or a fence changed the ETag, or another version won: look again.
                Put::Stale => {}
                Put::Unanswered(error) if error.is_determinate() => return Err(doubt.unwrap_or(error)),
                Put::Unanswered(error) => doubt = Some(error),
            }
        }
    }

    /// Changes the head's ETag so that a put still on its way cannot take effect any more.
    async fn fence(&self, key: &str, loaded: Option<(Head, UpdateVersion)>, error: StoreError) -> StoreError {
        let Some((mut head, on)) = loaded else {
            return error;
        };
        head.nonce = self.nonce();
        match self.put(key, &head, Some(on)).await {
            Put::Done => StoreError::determinate(format!("given up and fenced off: {error}")),
            Put::Stale | Put::Unanswered(_) => error,
        }
    }

    /// The entry of one version, from the head or its chunk; none if truncated.
    async fn entry(&self, head: &Head, seqno: SeqNo) -> Result<Option<Entry>, StoreError> {
        if seqno < head.first {
            return Ok(None);
        }
        if let Some(entry) = head.entries.iter().find(|e| e.seqno == seqno) {
            return Ok(Some(entry.clone()));
        }
        let Some(chunk) = head.chunks.iter().find(|c| c.first <= seqno && seqno <= c.last) else {
            return Ok(None);
        };
        let entries = self.chunk(chunk).await?;
        Ok(entries.and_then(|entries| entries.into_iter().find(|e| e.seqno == seqno)))
    }

    async fn chunk(&self, chunk: &Chunk) -> Result<Option<Vec<Entry>>, StoreError> {
        let path = self.bucket.path("versions", &chunk.key);
        let Some((bytes, _)) = read(&*self.bucket.blobs, &path).await? else {
            return Ok(None);
        };
        postcard::from_bytes(&bytes)
            .map(Some)
            .map_err(|e| StoreError::determinate(format!("chunk {path} is damaged: {e}")).permanent())
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        'again: loop {
            let Some((head, _)) = self.load(key).await? else {
                return Ok(Vec::new());
            };
            let from = from.max(head.first);
            let mut found: Vec<Entry> = Vec::new();
            for chunk in head.chunks.iter().filter(|chunk| chunk.last >= from) {
                if found.len() >= limit {
                    break;
                }
                match self.chunk(chunk).await? {
                    Some(entries) => found.extend(entries.into_iter().filter(|e| e.seqno >= from)),
                    // Truncated since the head was read.
                    None => continue 'again,
                }
            }
            found.extend(head.entries.into_iter().filter(|e| e.seqno >= from));
            found.truncate(limit);
            return Ok(found
                .into_iter()
                .map(|e| Versioned {
                    seqno: e.seqno,
                    data: e.data,
                })
                .collect());
        }
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        loop {
            let Some((mut head, on)) = self.load(key).await? else {
                return Err(StoreError::determinate(format!("truncate of unknown key {key}")));
            };
            if to > head.newest() {
                let text = format!("truncate to {to} is beyond the newest, {}", head.newest());
                return Err(StoreError::determinate(text));
            }
            if to <= head.first {
                return Ok(Some(0));
            }
            let deleted = usize::try_from(to.get() - head.first.get()).expect("versions are counted");
            let (gone, kept) = head.chunks.into_iter().partition(|chunk: &Chunk| chunk.last < to);
            head.chunks = kept;
            head.entries.retain(|e| e.seqno >= to);
            head.first = to;
            head.nonce = self.nonce();
            match self.put(key, &head, Some(on)).await {
                Put::Done => {}
                Put::Stale => continue,
                Put::Unanswered(error) => return Err(error),
            }
            for chunk in &gone {
                let path = self.bucket.path("versions", &chunk.key);
                match self.bucket.blobs.delete(&path).await {
                    // What cannot be deleted now is a chunk nobody names: it leaks, no more.
                    Ok(()) | Err(_) => {}
                }
            }
            return Ok(Some(deleted));
        }
    }

    /// One LIST tells which heads changed; only those are read.
    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        let root = self.bucket.path("heads", "");
        let mut out = Vec::new();
        for (path, _, etag) in list_all(&*self.bucket.heads, &root).await? {
            let key = path
                .strip_prefix(root.as_ref())
                .unwrap_or(&path)
                .trim_start_matches('/')
                .to_owned();
            let etag = etag.unwrap_or_default();
            let known = self
                .known
                .lock()
                .get(&key)
                .filter(|(tag, _)| *tag == etag && !etag.is_empty())
                .cloned();
            let seqno = match known {
                Some((_, seqno)) => seqno,
                None => {
                    let Some((head, on)) = self.load(&key).await? else {
                        continue;
                    };
                    let newest = head.newest();
                    self.known
                        .lock()
                        .insert(key.clone(), (on.e_tag.unwrap_or_default(), newest));
                    newest
                }
            };
            out.push((key, seqno));
        }
        out.sort();
        Ok(out)
    }
}

#[async_trait]
impl Consensus for HeadConsensus {
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        let key = key.to_owned();
        self.run(|core| async move {
            let loaded = core.load(&key).await?;
            Ok(loaded
                .and_then(|(head, _)| head.entries.last().cloned())
                .map(|e| Versioned {
                    seqno: e.seqno,
                    data: e.data,
                }))
        })
        .await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError> {
        check_successor(expected, new.seqno)?;
        let key = key.to_owned();
        self.run(|core| async move { core.compare_and_set(&key, expected, new).await })
            .await
    }

    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError> {
        let key = key.to_owned();
        self.run(|core| async move { core.scan(&key, from, limit).await })
            .await
    }

    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError> {
        let key = key.to_owned();
        self.run(|core| async move { core.truncate(&key, to).await })
            .await
    }

    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError> {
        self.run(|core| async move { core.heads().await }).await
    }
}

#[cfg(test)]
pub(crate) mod tests;
