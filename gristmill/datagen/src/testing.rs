//! What the tests of this crate share.

use serde_json::Value as Json;

/// The recorded numbers of Apache Cassandra Harry.
pub(crate) fn vectors() -> Json {
    serde_json::from_str(include_str!("../testdata/vectors.json")).unwrap()
}

/// A 64-bit number of the vectors, which are written as signed ones.
pub(crate) fn number(json: &Json) -> u64 {
    json.as_i64().unwrap().cast_unsigned()
}
