//! Immediate execution: what a read brings back decides what is done next. A stack of rows is emptied from its end, one row at a
//! time, until nothing is left.

use gristmill::{History, Wrong, partition};

/// How many rows were there, and how many answers were compared.
pub(crate) fn run(history: &History, target: &str) -> Result<(usize, u64), Wrong> {
    let mut live = history.open(target)?;
    let filled = live.now(partition().number(0).inserts(6).set_elements(2).read())?;
    let mut left = filled.rows().len();
    for row in 0..64 {
        if left == 0 {
            break;
        }
        let now = live.now(
            partition()
                .number(0)
                .delete_row(row)
                .remove_element_of(row)
                .delete_row(row)
                .read(),
        )?;
        assert!(now.rows().len() <= left, "a deletion adds no row");
        left = now.rows().len();
    }
    assert_eq!(left, 0, "every row was deleted");
    Ok((filled.rows().len(), live.close()?))
}

pub(crate) fn history() -> History {
    History::new(6)
}
