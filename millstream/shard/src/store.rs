//! The outside world: two services, and the three ways in which they can fail.
//!
//! [`Consensus`] maps a key to a short log of versions and commits one more by compare-and-set; [`Blob`]
//! maps a key to bytes. Must not know what the bytes mean.
//!
//! Invariants every implementation keeps (the conformance suite in `store/conformance.rs` checks them):
//! 1. At most one compare-and-set with the same expectation ever commits, also after truncation and
//!    across restarts.
//! 2. A committed version, and a blob that was set, is durable before the call returns.
//! 3. Retained versions are contiguous.
//! 4. A blob is seen whole or not at all.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::ids::SeqNo;

#[cfg(test)]
pub(crate) mod conformance;
pub mod file;
pub mod head;
pub mod mem;
pub mod object;
mod pool;
pub mod postgres;
mod runtime;
#[cfg(test)]
pub(crate) mod servers;
pub mod sqlite;

/// What is known about an operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The operation certainly did not happen.
    Determinate,
    /// The operation may have happened, may not have, or may still happen later.
    Indeterminate,
}

/// A failure of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", if *.permanent { " (will not heal by itself)" } else { "" })]
pub struct StoreError {
    /// Whether the operation can have happened.
    pub class: ErrorClass,
    /// Whether trying again is useless until a human acts: no permission, no bucket, a full disk.
    pub permanent: bool,
    /// What happened, in the store's words, without passwords.
    pub message: String,
}

impl StoreError {
    /// It certainly did not happen.
    pub fn determinate(message: impl fmt::Display) -> StoreError {
        StoreError {
            class: ErrorClass::Determinate,
            permanent: false,
            message: message.to_string(),
        }
    }

    /// It may or may not have happened.
    pub fn indeterminate(message: impl fmt::Display) -> StoreError {
        StoreError {
            class: ErrorClass::Indeterminate,
            permanent: false,
            message: message.to_string(),
        }
    }

    /// The same failure, marked as one that will not heal by itself.
    pub fn permanent(self) -> StoreError {
        StoreError {
            permanent: true,
            ..self
        }
    }

    /// Whether the operation certainly did not happen.
    pub fn is_determinate(&self) -> bool {
        self.class == ErrorClass::Determinate
    }
}

/// One version of a key in [`Consensus`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// Its number.
    pub seqno: SeqNo,
    /// Its bytes.
    pub data: Bytes,
}

/// The answer to a compare-and-set that reached a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasResult {
    /// The version is committed and durable.
    Committed,
    /// The newest version is not the expected one; nothing changed.
    ExpectationMismatch,
}

/// Every key and its newest version number, in key order.
pub type Heads = Arc<Vec<(String, SeqNo)>>;

/// A map from key to a contiguous log of versions.
#[async_trait]
pub trait Consensus: fmt::Debug + Send + Sync {
    /// The newest version of `key`, or none.
    async fn head(&self, key: &str) -> Result<Option<Versioned>, StoreError>;

    /// Commits `new` if and only if the newest version is `expected` (none: the key has no versions).
    ///
    /// `new.seqno` must be the successor of `expected` ([`SeqNo::FIRST`] after none); anything else is a
    /// determinate error. Dropping the future does not withdraw the request.
    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<SeqNo>,
        new: Versioned,
    ) -> Result<CasResult, StoreError>;

    /// All retained versions with number `>= from`, ascending, the oldest `limit` of them.
    async fn scan(&self, key: &str, from: SeqNo, limit: usize) -> Result<Vec<Versioned>, StoreError>;

    /// Deletes all versions with number `< to`; answers how many, if known. The newest always stays.
    ///
    /// Idempotent. An unknown key, and `to` beyond the newest version, are determinate errors.
    async fn truncate(&self, key: &str, to: SeqNo) -> Result<Option<usize>, StoreError>;

    /// Every key and its newest version number, in key order: one call a location serves all waiters.
    async fn heads(&self) -> Result<Vec<(String, SeqNo)>, StoreError>;

    /// [`Consensus::heads`], shared: a store that can tell at little cost that nothing was committed since answers
    /// the same allocation again.
    async fn heads_shared(&self) -> Result<Heads, StoreError> {
        Ok(Arc::new(self.heads().await?))
    }
}

/// A blob that stays open while it is read piece by piece.
pub trait OpenBlob: fmt::Debug + Send {
    /// The bytes at `range`, as far as the blob goes, and their CRC-32C. None if they would have to be waited for, or
    /// cannot be read: [`Blob::get_piece`] waits, and says why.
    fn piece_at_once(&mut self, range: Range<u64>) -> Option<(Bytes, u32)>;
}

/// A map from key to bytes; a key is written once.
#[async_trait]
pub trait Blob: fmt::Debug + Send + Sync {
    /// The bytes of `key`, or none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// [`Blob::get`] and the CRC-32C of the bytes: a store that reads them in pieces sums up each while the
    /// processor's cache still holds it.
    async fn get_summed(&self, key: &str) -> Result<Option<(Bytes, u32)>, StoreError> {
        let got = self.get(key).await?;
        Ok(got.map(|bytes| {
            let sum = crc32c::crc32c(&bytes);
            (bytes, sum)
        }))
    }

    /// Whether a piece of a blob costs no more here than its bytes, so that a big blob is better read in pieces.
    fn reads_pieces(&self) -> bool {
        false
    }

    /// The bytes of `key` at `range`, as far as the blob goes, and their CRC-32C; or none.
    async fn get_piece(&self, key: &str, range: Range<u64>) -> Result<Option<(Bytes, u32)>, StoreError> {
        let got = self.get(key).await?;
        Ok(got.map(|bytes| {
            let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
            let piece = bytes.slice(at(range.start)..at(range.end));
            let sum = crc32c::crc32c(&piece);
            (piece, sum)
        }))
    }

    /// [`Blob::get_piece`] of each of `ranges`, in their order: one wait for all of them where a store can do that.
    async fn get_pieces(
        &self,
        key: &str,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<Vec<(Bytes, u32)>>, StoreError> {
        let mut pieces = Vec::with_capacity(ranges.len());
        for range in ranges {
            let Some(piece) = self.get_piece(key, range).await? else {
                return Ok(None);
            };
            pieces.push(piece);
        }
        Ok(Some(pieces))
    }

    /// Opens `key` for reading pieces of it without waiting; none if it is not there or this store cannot do that.
    async fn open_pieces(&self, _key: &str) -> Result<Option<Box<dyn OpenBlob>>, StoreError> {
        Ok(None)
    }

    /// Sets `key`, atomically and durably.
    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError>;

    /// Deletes `key`; answers its size if it existed. Not finding it is success.
    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError>;

    /// Every key that starts with `prefix`, with its size in bytes, in key order.
    ///
    /// For people, tests and leak checks: no correctness depends on it.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError>;
}

/// The check of arguments every [`Consensus`] makes: versions grow by one from [`SeqNo::FIRST`].
pub(crate) fn check_successor(expected: Option<SeqNo>, new: SeqNo) -> Result<(), StoreError> {
    let wanted = expected.map_or(SeqNo::FIRST, SeqNo::next);
    if new == wanted {
        Ok(())
    } else {
        Err(StoreError::determinate(format!(
            "version {new} does not follow {}",
            show(expected)
        )))
    }
}

fn show(expected: Option<SeqNo>) -> String {
    expected.map_or_else(|| "nothing".to_owned(), |seqno| seqno.to_string())
}
