//! Key tuples as positions in an order-preserving universe.

/// Which keys: digits of the leading columns that must be equal, and bounds on the next column.
///
/// Digits are per column, in the column's own order (a DESC column's digit 0 is its greatest value); so a slice is an
/// interval of positions. A bound is (digit, inclusive).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Slice {
    /// Digits of the columns that are fixed.
    pub prefix: Vec<u32>,
    /// Where the next column begins; `None`: at its first digit.
    pub lower: Option<(u32, bool)>,
    /// Where the next column ends; `None`: at its last digit.
    pub upper: Option<(u32, bool)>,
}
