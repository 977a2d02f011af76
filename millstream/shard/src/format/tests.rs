use bytes::Bytes;
use proptest::prelude::*;

use super::{Columns, PartError, PartView, Update, UpdateRef};

fn columns(updates: &[Update]) -> Columns {
    let mut out = Columns::default();
    updates.iter().for_each(|u| {
        out.push(UpdateRef {
            row: &u.row,
            time: u.time,
            diff: u.diff,
        })
    });
    out
}

fn updates() -> impl Strategy<Value = Vec<Update>> {
    let row = prop_oneof![
        Just(vec![]),
        Just(b"aa".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..9)
    ];
    let update =
        (row, prop_oneof![Just(7u64), any::<u64>()], -3i64..3).prop_map(|(r, t, d)| Update::new(r, t, d));
    proptest::collection::vec(update, 0..40)
}

proptest! {
    #[test]
    fn an_encoded_part_decodes_to_the_same_updates(updates in updates()) {
        let view = PartView::decode(columns(&updates).encode()).unwrap();
        let back: Vec<Update> =
            (0..view.len()).map(|i| view.get(i)).map(|u| Update::new(u.row, u.time, u.diff)).collect();
        prop_assert_eq!(back, updates);
    }

    #[test]
    fn consolidation_keeps_sums_and_sorts(updates in updates()) {
        let out = columns(&updates).consolidated();
        let mut sums = std::collections::BTreeMap::new();
        for u in &updates {
            *sums.entry((u.row.clone(), u.time)).or_insert(0i64) += u.diff;
        }
        sums.retain(|_, d| *d != 0);
        let got: Vec<_> =
            (0..out.len()).map(|i| out.get(i)).map(|u| ((u.row.to_vec(), u.time), u.diff)).collect();
        prop_assert_eq!(got, sums.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let whole = columns(&[Update::new("a", 1, 1), Update::new("bc", 2, -1)]).encode();
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x10;
        assert!(PartView::decode(Bytes::from(bytes)).is_err(), "byte {at}");
        assert!(PartView::decode(whole.slice(..at)).is_err(), "cut at {at}");
    }
    assert_eq!(
        PartView::decode(Bytes::new()).unwrap_err(),
        PartError::Damaged("it does not begin as a part")
    );
}
