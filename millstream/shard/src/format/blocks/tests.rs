use bytes::Bytes;
use proptest::prelude::*;

use super::{FORMAT, HEAD, TAIL, begins, decode, encode, table};
use crate::format::{Columns, PartError, PartView, Update, UpdateRef, checksum};

fn columns(updates: &[Update]) -> Columns {
    let mut out = Columns::default();
    for update in updates {
        let (row, time, diff) = (update.row.as_slice(), update.time, update.diff);
        out.push(UpdateRef { row, time, diff });
    }
    out
}

fn updates_of(views: &[PartView]) -> Vec<Update> {
    let updates = views
        .iter()
        .flat_map(|view| (0..view.len()).map(|at| view.get(at)));
    updates.map(|u| Update::new(u.row, u.time, u.diff)).collect()
}

/// As a reader does that takes the table first and then one block after another.
fn decode_in_pieces(part: &Bytes) -> Result<Vec<PartView>, PartError> {
    let tail = &part[part.len().saturating_sub(TAIL)..];
    let head = &part[..HEAD.min(part.len())];
    let Some((_, blocks)) = table(tail, part.len() as u64).filter(|(format, _)| begins(head, *format)) else {
        return Err(PartError::Damaged("no table"));
    };
    let open = |block: &super::Block| {
        let bytes = part.slice(block.at.start as usize..block.at.end as usize);
        let sum = crc32c::crc32c(&bytes);
        block.decode(bytes, sum)
    };
    blocks.iter().map(open).collect()
}

proptest! {
    #[test]
    fn a_part_in_blocks_decodes_to_the_same_updates(
        updates in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..9), prop_oneof![Just(7u64), any::<u64>()], -3i64..3)
                .prop_map(|(row, time, diff)| Update::new(row, time, diff)),
            0..40,
        ),
        target in 1usize..400,
    ) {
        let part = encode(&columns(&updates), target);
        let whole = decode(&part, crc32c::crc32c(&part)).unwrap();
        prop_assert_eq!(&updates_of(&whole), &updates);
        if whole.len() > 1 {
            prop_assert_eq!(updates_of(&decode_in_pieces(&part).unwrap()), updates);
        } else if !begins(&part[..HEAD], FORMAT) {
            prop_assert_eq!(part, columns(&updates).encode());
        }
    }
}

fn three_blocks() -> Bytes {
    let updates: Vec<Update> = (0..9).map(|n| Update::new(format!("row {n}"), n, 1)).collect();
    let part = encode(&columns(&updates), 60);
    assert_eq!(decode(&part, crc32c::crc32c(&part)).unwrap().len(), 3);
    part
}

#[test]
fn every_flipped_byte_of_a_part_in_blocks_is_noticed() {
    let whole = three_blocks();
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x10;
        let bytes = Bytes::from(bytes);
        assert!(decode(&bytes, crc32c::crc32c(&bytes)).is_err(), "byte {at}");
        // The last eight bytes are the checksum of the whole, which a reader of pieces compares with the state's.
        assert!(
            decode_in_pieces(&bytes).is_err() || at + 8 >= whole.len(),
            "byte {at} in pieces"
        );
        let cut = whole.slice(..at);
        assert!(decode(&cut, crc32c::crc32c(&cut)).is_err(), "cut at {at}");
        assert!(decode_in_pieces(&cut).is_err(), "cut at {at} in pieces");
    }
}

/// A shard's state knows a part by this checksum: under another part's key it must differ.
#[test]
fn parts_of_other_updates_have_other_checksums() {
    let sums: std::collections::BTreeSet<u32> = (0..100)
        .map(|number| {
            let updates: Vec<Update> = (0..9)
                .map(|n| Update::new(format!("row {number:02} {n}"), n, 1))
                .collect();
            let part = encode(&columns(&updates), 60);
            assert!(begins(&part[..HEAD], FORMAT));
            checksum(&part).unwrap()
        })
        .collect();
    assert_eq!(sums.len(), 100);
}

#[test]
fn a_block_of_another_part_is_noticed() {
    let (one, mut other) = (three_blocks(), Vec::new());
    let updates: Vec<Update> = (0..9).map(|n| Update::new(format!("ROW {n}"), n, 1)).collect();
    other.extend_from_slice(&encode(&columns(&updates), 60));
    let block = table(&one, one.len() as u64).unwrap().1[1].clone();
    let at = block.at.start as usize..block.at.end as usize;
    other[at.clone()].copy_from_slice(&one[at]);
    assert_eq!(
        decode_in_pieces(&Bytes::from(other)).unwrap_err(),
        PartError::Damaged("a block is not the one in its table")
    );
}

/// The check that a program made which knew format 1 alone.
#[test]
fn a_program_that_knows_one_block_sees_a_newer_format() {
    let part = three_blocks();
    assert_eq!(
        PartView::decode(part).unwrap_err(),
        PartError::Newer { found: 3, ours: 3 }
    );
}
