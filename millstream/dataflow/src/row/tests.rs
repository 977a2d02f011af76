use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::cursor::cursor_list;
use differential_dataflow::trace::implementations::BatchContainer;
use differential_dataflow::trace::{Cursor, TraceReader};
use proptest::prelude::*;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Input;
use timely::progress::Antichain;

use super::*;

fn rows() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..40)
}

proptest! {
    #[test]
    fn packed_rows_come_back_as_they_went_in(rows in rows()) {
        let mut packed = RowContainer::with_capacity(0);
        for row in &rows {
            packed.push_own(&Row::from(row.as_slice()));
        }
        prop_assert_eq!(packed.len(), rows.len());
        let mut scratch = Row::default();
        for (i, row) in rows.iter().enumerate() {
            prop_assert_eq!(packed.index(i).as_bytes(), row.as_slice());
            RowContainer::clone_onto(packed.index(i), &mut scratch);
            prop_assert_eq!(&scratch, &RowContainer::into_owned(packed.index(i)));
        }
    }

    #[test]
    fn packed_rows_are_ordered_as_byte_strings(a in prop::collection::vec(any::<u8>(), 0..6),
                                               b in prop::collection::vec(any::<u8>(), 0..6)) {
        let (one, other) = (Row::from(a.as_slice()), Row::from(b.as_slice()));
        prop_assert_eq!(RowRef::from(&one).cmp(&RowRef::from(&other)), a.cmp(&b));
        prop_assert_eq!(one.cmp(&other), a.cmp(&b));
        prop_assert_eq!(RowRef::from(&one) == &other, a == b);
    }
}

/// What an arrangement of `updates` by row holds, in its own order.
fn arranged(updates: Vec<(Row, u64, i64)>) -> Vec<(Row, Vec<(u64, i64)>)> {
    timely::execute_directly(move |worker| {
        let (mut input, mut trace) = worker.dataflow::<u64, _, _>(|scope| {
            let (input, stream) = scope.new_input::<Vec<((Row, ()), u64, i64)>>();
            let arranged =
                arrange_core::<_, _, RowBatcher, RowSpine>(stream, Pipeline, "Arrange", RowBatcher::new);
            (input, arranged.trace)
        });
        for (row, time, diff) in updates {
            input.send(((row, ()), time, diff));
        }
        input.advance_to(100);
        for _ in 0..8 {
            worker.step();
        }
        let batches = trace
            .batches_through(Antichain::from_elem(100).borrow())
            .expect("sealed through 100");
        let (mut cursor, storage) = cursor_list(batches);
        let mut found = Vec::new();
        while cursor.key_valid(&storage) {
            let mut history = Vec::new();
            while cursor.val_valid(&storage) {
                cursor.map_times(&storage, |time, diff| history.push((*time, *diff)));
                cursor.step_val(&storage);
            }
            history.sort();
            found.push((RowContainer::into_owned(cursor.key(&storage)), history));
            cursor.step_key(&storage);
        }
        found
    })
}

#[test]
fn an_arrangement_holds_rows_of_different_lengths_in_byte_order() {
    let updates = vec![
        (Row::from("pear"), 3, 1),
        (Row::from(""), 1, 1),
        (Row::from("fig"), 2, 2),
        (Row::from("pear"), 4, -1),
        (Row::from("pea"), 1, 1),
        (Row::from("fig"), 2, -2),
    ];
    let expected = vec![
        (Row::from(""), vec![(1, 1)]),
        (Row::from("pea"), vec![(1, 1)]),
        (Row::from("pear"), vec![(3, 1), (4, -1)]),
    ];
    assert_eq!(arranged(updates), expected);
}
