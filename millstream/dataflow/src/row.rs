//! Rows: byte strings whose byte order is the order of the data.
//!
//! Why: the engine has one row type, so that no operator is generic over what it carries and one set
//! of arrangements serves every plan. What the bytes mean is the business of the plan; nothing in this
//! crate looks inside.
//!
//! 1. Rows are compared as byte strings, everywhere: in operators, in arrangements, in shards.
//! 2. In an arrangement rows lie one after another in one buffer ([`RowContainer`]).

use std::fmt;

use differential_dataflow::batcher::merge::MergeBatcher;
use differential_dataflow::batcher::merge::chunker::ContainerChunker;
use differential_dataflow::batcher::merge::vec::VecMerger;
use differential_dataflow::trace::implementations::OffsetList;
use differential_dataflow::trace::implementations::ord_neu::{OrdKeyBatch, OrdKeyBuilder};
use differential_dataflow::trace::implementations::ord_neu::{OrdValBatch, OrdValBuilder};
use differential_dataflow::trace::implementations::spine_fueled::Spine;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::rc::Rc;

mod container;
pub use container::{RowContainer, RowRef};

/// One owned row: bytes, compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Row(Box<[u8]>);

impl Row {
    /// The bytes of the row.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes `self` equal to `bytes`; keeps the allocation when the length does not change.
    pub fn overwrite(&mut self, bytes: &[u8]) {
        if self.0.len() == bytes.len() {
            self.0.copy_from_slice(bytes);
        } else {
            self.0 = bytes.into();
        }
    }
}

impl From<&[u8]> for Row {
    fn from(bytes: &[u8]) -> Self {
        Row(bytes.into())
    }
}

impl From<&str> for Row {
    fn from(text: &str) -> Self {
        Row(text.as_bytes().into())
    }
}

impl From<Vec<u8>> for Row {
    fn from(bytes: Vec<u8>) -> Self {
        Row(bytes.into_boxed_slice())
    }
}

/// Printed as text where the bytes are text, with escapes elsewhere.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a row")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Row, E> {
                Ok(Row::from(bytes))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Row, E> {
                Ok(Row::from(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// An update of a collection: row, time, change of multiplicity.
pub type RowUpdate = (Row, u64, i64);

/// Layout of an arrangement by row alone.
pub type RowLayout = (RowContainer, Vec<()>, Vec<u64>, Vec<i64>, OffsetList);
/// Layout of an arrangement from row to row.
pub type RowRowLayout = (RowContainer, RowContainer, Vec<u64>, Vec<i64>, OffsetList);

/// The trace of a collection arranged by row.
pub type RowSpine = Spine<Rc<OrdKeyBatch<RowLayout>>>;
/// Builds the batches of a [`RowSpine`].
pub type RowBuilder = OrdKeyBuilder<RowLayout, Vec<((Row, ()), u64, i64)>>;
/// Sorts and consolidates what goes into a [`RowSpine`].
pub type RowBatcher =
    MergeBatcher<ContainerChunker<Vec<((Row, ()), u64, i64)>>, VecMerger<(Row, ()), u64, i64>, RowBuilder>;

/// The trace of a collection arranged from row to row.
pub type RowRowSpine = Spine<Rc<OrdValBatch<RowRowLayout>>>;
/// Builds the batches of a [`RowRowSpine`].
pub type RowRowBuilder = OrdValBuilder<RowRowLayout, Vec<((Row, Row), u64, i64)>>;
/// Sorts and consolidates what goes into a [`RowRowSpine`].
pub type RowRowBatcher = MergeBatcher<
    ContainerChunker<Vec<((Row, Row), u64, i64)>>,
    VecMerger<(Row, Row), u64, i64>,
    RowRowBuilder,
>;

#[cfg(test)]
mod tests;
