use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{IdSource, ReaderId, SeqNo, ShardId};

proptest! {
    #[test]
    fn printed_ids_parse_back(bits: u128) {
        let id = ShardId::from_bits(bits);
        prop_assert_eq!(id.to_string().parse::<ShardId>().unwrap(), id);
    }
}

#[test]
fn an_id_of_another_kind_is_refused_by_name() {
    let shard = ShardId::from_bits(7).to_string();
    let error = shard.parse::<ReaderId>().unwrap_err();
    assert!(error.to_string().contains("is not a reader id"), "{error}");
}

#[test]
fn a_seeded_source_repeats_itself_and_never_an_id() {
    let (a, b) = (IdSource::seeded(7), IdSource::seeded(7));
    let drawn: Vec<u128> = (0..1000).map(|_| a.fresh()).collect();
    assert_eq!(drawn, (0..1000).map(|_| b.fresh()).collect::<Vec<_>>());
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
    assert_ne!(IdSource::seeded(8).fresh(), drawn[0]);
}

#[test]
fn version_numbers_end_where_bigint_ends() {
    assert_eq!(SeqNo::new(i64::MAX as u64), Some(SeqNo::MAX));
    assert_eq!(SeqNo::new(i64::MAX as u64 + 1), None);
    assert_eq!(SeqNo::FIRST.next().to_string(), "v2");
}
