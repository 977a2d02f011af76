//! Lists whose elements are cells of their own: each pair of writes, in either order of arrival, with a flush between them and a
//! compaction after. Elements stand in the order in which the server named them, whatever their timestamps.

use super::World;
use super::elements::{FIRST, of, read, write};
use crate::target::Maintenance;
use datagen::schema::ColumnId;
use datagen::value::Value;
use history::Rows;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is written, how much older things must be to be deleted by it (`None`: it deletes nothing), what it adds in front and
/// behind. Element 0 of a list of truth values is false, 1 is true.
type Deed = (&'static str, Option<i64>, &'static [bool], &'static [bool]);

const DEEDS: [Deed; 10] = [
    ("update t0/P/0 c10=0", Some(1), &[], &[false]),
    ("update t0/P/0 c10=1", Some(1), &[], &[false, true]),
    ("update t0/P/0 c10=null", Some(1), &[], &[]),
    ("delete t0/P/0 c10", Some(0), &[], &[]),
    ("elements t0/P/0 c10 1=0", None, &[], &[true]),
    ("elements t0/P/0 c10 1=1", None, &[true], &[]),
    ("elements t0/P/0 c10 0=1,1=1", None, &[false, true], &[]),
    ("elements t0/P/0 c10 0=0,1=1", None, &[true], &[false]),
    ("delete t0/P/0", Some(0), &[], &[]),
    ("delete t0/P", Some(0), &[], &[]),
];

/// What two writes leave, one after the other, each at its timestamp.
fn left(writes: [(Deed, i64); 2]) -> Vec<bool> {
    let deletes = writes
        .iter()
        .filter_map(|((_, deletes, ..), at)| Some(at - (*deletes)?));
    let deleted = deletes.max();
    let mut list = VecDeque::new();
    for ((_, _, in_front, behind), at) in writes {
        if deleted.is_none_or(|deleted| at > deleted) {
            in_front
                .iter()
                .rev()
                .for_each(|element| list.push_front(*element));
            list.extend(behind);
        }
    }
    list.into()
}

pub(super) fn lists_stand_in_the_order_of_the_clock(world: &World<'_>) {
    let pairs = DEEDS.into_iter().flat_map(|a| DEEDS.map(|b| (a, b)));
    let times = [(5, 5), (5, 6), (6, 5)];
    let cases: Vec<[(Deed, i64); 2]> = pairs
        .flat_map(|(a, b)| times.map(|(x, y)| [(a, x), (b, y)]))
        .collect();
    let partitions = u32::try_from(cases.len()).unwrap();
    let mut stage = world.stage(|target| of(target, &["list<bool>"], partitions));
    let schema = Arc::clone(&stage.schema);
    let table = schema.table(0);
    for i in 0..2 {
        for (p, case) in cases.iter().enumerate() {
            let ((words, ..), at) = case[i];
            let words = words.replace("t0/P", &format!("t0/{p}"));
            write(&mut stage, &format!("1: {words} | auto at {at} one"));
        }
        if i == 0 {
            stage.target.maintain(Maintenance::Flush).unwrap();
        }
    }
    for again in [false, true] {
        for (p, case) in cases.iter().enumerate() {
            let list = left(*case);
            let mut expected = Rows::default();
            if !list.is_empty() {
                table.rows().inflate_into(0, &mut expected.bytes);
                let list = list.into_iter().map(Value::Bool).collect();
                Value::Composite(list).encode(&mut expected.bytes);
                expected.end_row();
            }
            assert_eq!(read(&mut stage, p, ColumnId(FIRST)), expected, "{case:?}");
        }
        if !again {
            stage.target.maintain(Maintenance::Flush).unwrap();
            stage.target.maintain(Maintenance::Compact).unwrap();
        }
    }
}
