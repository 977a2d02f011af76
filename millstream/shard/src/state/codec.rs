//! Bytes of states and diffs: magic, format version, software version, checksum, postcard body.
//!
//! Layout in `docs/formats/shard-state.md`. Must not know where the bytes go.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::diff::StateDiff;
use super::{APPLIER_VERSION, State};

const ROLLUP_MAGIC: [u8; 4] = *b"MSRU";
const DIFF_MAGIC: [u8; 4] = *b"MSDF";
/// The layout of this file's bytes.
const FORMAT: u8 = 1;
const HEADER: usize = 4 + 1 + 4 + 4;

/// Bytes that are not a state or a diff we can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not ours, cut short, or a bit flipped.
    #[error("damaged {what}: {why}")]
    Damaged {
        /// `rollup` or `diff`.
        what: &'static str,
        /// What does not hold.
        why: String,
    },
    /// Written by newer software; this one must not touch it.
    #[error("{what} was written by version {found}, this is version {ours}: upgrade this program")]
    Newer {
        /// `rollup`, `diff` or `part`.
        what: &'static str,
        /// The version in the bytes.
        found: u32,
        /// The greatest version we read.
        ours: u32,
    },
}

/// The bytes of a full state.
pub fn encode_rollup(state: &State) -> Vec<u8> {
    encode(ROLLUP_MAGIC, state.applier_version, state)
}

/// The inverse of [`encode_rollup`].
pub fn decode_rollup(bytes: &[u8]) -> Result<State, DecodeError> {
    decode("rollup", ROLLUP_MAGIC, bytes)
}

/// The bytes of a diff.
pub fn encode_diff(diff: &StateDiff) -> Vec<u8> {
    encode(DIFF_MAGIC, diff.applier_version, diff)
}

/// The inverse of [`encode_diff`].
pub fn decode_diff(bytes: &[u8]) -> Result<StateDiff, DecodeError> {
    decode("diff", DIFF_MAGIC, bytes)
}

fn encode<T: Serialize>(magic: [u8; 4], applier_version: u32, value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&magic);
    out.push(FORMAT);
    out.extend_from_slice(&applier_version.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut out = postcard::to_extend(value, out).expect("states have no unserializable parts");
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[..HEADER - 4]), &out[HEADER..]);
    out[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode<T: DeserializeOwned>(what: &'static str, magic: [u8; 4], bytes: &[u8]) -> Result<T, DecodeError> {
    let damaged = |why: &str| DecodeError::Damaged {
        what,
        why: why.to_owned(),
    };
    if bytes.len() < HEADER || bytes[..4] != magic {
        return Err(damaged("it does not begin as one"));
    }
    if bytes[4] > FORMAT {
        return Err(DecodeError::Newer {
            what,
            found: u32::from(bytes[4]),
            ours: u32::from(FORMAT),
        });
    }
    let crc = u32::from_le_bytes(bytes[HEADER - 4..HEADER].try_into().expect("four bytes"));
    if crc != crc32c::crc32c_append(crc32c::crc32c(&bytes[..HEADER - 4]), &bytes[HEADER..]) {
        return Err(damaged("checksum differs"));
    }
    let applier = u32::from_le_bytes(bytes[5..9].try_into().expect("four bytes"));
    if applier > APPLIER_VERSION {
        return Err(DecodeError::Newer {
            what,
            found: applier,
            ours: APPLIER_VERSION,
        });
    }
    postcard::from_bytes(&bytes[HEADER..]).map_err(|error| DecodeError::Damaged {
        what,
        why: error.to_string(),
    })
}
