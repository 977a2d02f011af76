//! Bytes in order: up to seven leading bytes are the descriptor, the rest is its hash.

use super::{DomainError, Limits};
use crate::stream::mix;
use crate::value::Type;

/// Bytes in a prefix when the limits have room for it.
const PREFIX: u32 = 7;

/// Prefix of fixed length, suffix of any.
#[derive(Clone, Copy, Debug)]
pub(super) struct BytesBase {
    prefix: u32,
    max: u32,
}

impl BytesBase {
    pub(super) fn new(limits: &Limits) -> Result<BytesBase, DomainError> {
        let max = limits.bytes_max;
        if max == 0 && !limits.empty {
            return Err(DomainError::Empty {
                ty: Type::Bytes,
                name: "bytes_max",
            });
        }
        Ok(BytesBase {
            prefix: max.min(PREFIX),
            max,
        })
    }

    #[inline]
    pub(super) fn size(&self) -> u64 {
        1 << (8 * self.prefix)
    }

    #[inline]
    pub(super) fn write(&self, d: u64, into: &mut Vec<u8>) {
        let prefix = self.prefix as usize;
        let mut state = mix(d ^ 0x428a_2f98_d728_ae22);
        let start = into.len();
        into.extend_from_slice(&d.to_be_bytes()[8 - prefix..]);
        let mut left = super::text::suffix_length(state).min((self.max - self.prefix) as usize);
        while left > 0 {
            state = mix(state.wrapping_add(0x7137_4491_23ef_65cd));
            let take = left.min(8);
            into.extend_from_slice(&state.to_le_bytes()[..take]);
            left -= take;
        }
        debug_assert!(into.len() - start <= self.max as usize, "bytes keep their limit");
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Option<u64> {
        let prefix = bytes.get(..self.prefix as usize)?;
        let d = prefix.iter().fold(0, |d, byte| d << 8 | u64::from(*byte));
        let mut again = Vec::with_capacity(bytes.len());
        self.write(d, &mut again);
        (again == bytes).then_some(d)
    }

    /// How many of these bytes stand before `bytes`.
    pub(super) fn rank(&self, bytes: &[u8]) -> u64 {
        let prefix = self.prefix as usize;
        let (mut d, mut exact) = (0_u64, true);
        for i in 0..prefix {
            let byte = if exact { bytes.get(i).copied() } else { None };
            exact = byte.is_some();
            d = d << 8 | u64::from(byte.unwrap_or(0));
        }
        if !exact {
            return d;
        }
        let mut own = Vec::new();
        self.write(d, &mut own);
        d + u64::from(own.as_slice() < bytes)
    }
}
