//! What is done to one partition, in the words of a test.

use datagen::schema::Table;
use datagen::value::Value;
use history::{Part, Query};
use std::fmt;
use std::sync::Arc;

/// What a validator is given: the rows of an answer.
pub(super) type Check = Arc<dyn Fn(&[Vec<Value>]) -> Result<(), String> + Send + Sync>;
/// A read that the author writes.
pub(super) type Asking = Arc<dyn Fn(&Table, Part) -> Query + Send + Sync>;

/// Steps on one partition, one visit each, in the order in which they are written, until something else is said.
#[derive(Clone, Default)]
pub struct Steps {
    pub(super) number: Option<u64>,
    pub(super) table: u16,
    pub(super) together: bool,
    pub(super) session: u16,
    pub(super) beside: bool,
    pub(super) timestamp: Option<i64>,
    pub(super) ttl: Option<u32>,
    pub(super) items: Vec<Item>,
}

#[derive(Clone)]
pub(super) enum Item {
    Step(Step),
    /// One transaction, and whether it commits.
    Batch(Vec<Item>, bool),
    /// In an order drawn from the seed.
    Shuffled(Vec<Item>),
}

#[derive(Clone)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) row: Option<u64>,
    pub(super) to: Option<u64>,
    pub(super) values: Vec<(Column, Given)>,
    pub(super) validators: Vec<(String, Check)>,
}

#[derive(Clone)]
pub(super) enum Act {
    Insert,
    Upsert,
    Update,
    Shared,
    DeleteRow,
    DeleteCells,
    SetElement,
    RemoveElement,
    DeleteRange,
    DeleteSlice,
    DeletePartition,
    Read,
    ReadRow,
    ReadRange,
    ReadShared,
    Ask(Asking),
}

/// A column that the author names.
#[derive(Clone)]
pub(super) enum Column {
    /// By its name.
    Named(String),
    /// The n-th regular column (shared, for shared writes), from 0; beyond the last, from the first again.
    Numbered(usize),
}

/// A value that the author gives.
#[derive(Clone)]
pub(super) enum Given {
    Exactly(Value),
    /// The n-th value of the column, in its order; beyond the last, from the first again.
    Numbered(u64),
}

/// Steps on a partition that no other steps name, unless [`Steps::number`] says which.
pub fn partition() -> Steps {
    Steps {
        session: 1,
        ..Steps::default()
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident, $at:ident, $plural:ident => $act:ident;)*) => {
        impl Steps {
            $(
                $(#[$doc])*
                ///
                /// A row drawn from the seed.
                #[must_use]
                pub fn $name(self) -> Steps {
                    self.step(Act::$act, None, None)
                }

                $(#[$doc])*
                ///
                /// The row of this number.
                #[must_use]
                pub fn $at(self, row: u64) -> Steps {
                    self.step(Act::$act, Some(row), None)
                }

                $(#[$doc])*
                ///
                /// So many times, the rows drawn from the seed.
                #[must_use]
                pub fn $plural(self, times: u64) -> Steps {
                    (0..times).fold(self, |steps, _| steps.step(Act::$act, None, None))
                }
            )*
        }
    };
}

steps! {
    /// INSERT that does nothing where the row exists.
    insert, insert_row, inserts => Insert;
    /// INSERT … ON CONFLICT DO UPDATE.
    upsert, upsert_row, upserts => Upsert;
    /// UPDATE of a row, all its columns.
    update, update_row, updates => Update;
    /// DELETE of a row.
    delete, delete_row, deletes => DeleteRow;
    /// UPDATE that sets some columns to NULL; an update where none may be NULL.
    delete_cells, delete_cells_of, delete_cells_times => DeleteCells;
    /// UPDATE that sets one element of a set, map or user-defined type of a row where the greatest timestamp wins: the others stay.
    /// An update of the row where its table has no such column, or with discipline `ordered`. The first such column; another one,
    /// and which value, says [`Steps::value`].
    set_element, set_element_of, set_elements => SetElement;
    /// The same, taking an element out.
    remove_element, remove_element_of, remove_elements => RemoveElement;
    /// DELETE of the rows between two, by a prefix of the key and bounds on both ends of one column.
    delete_range, delete_range_at, delete_ranges => DeleteRange;
    /// DELETE of the rows from one on, or up to one.
    delete_slice, delete_slice_at, delete_slices => DeleteSlice;
    /// SELECT of one row.
    read_any_row, read_row, read_rows => ReadRow;
    /// SELECT of the rows between two.
    read_range, read_range_at, read_ranges => ReadRange;
}

impl Steps {
    /// On the partition of this number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Steps {
        self.number = Some(number);
        self
    }

    /// On the table of this number (0).
    #[must_use]
    pub fn of_table(mut self, table: u16) -> Steps {
        self.table = table;
        self
    }

    /// By the session of this number (1).
    #[must_use]
    pub fn session(mut self, session: u16) -> Steps {
        self.session = session;
        self
    }

    /// The first visit of these may begin before what was written last by another session has ended.
    #[must_use]
    pub fn beside(mut self) -> Steps {
        self.beside = true;
        self
    }

    /// Where the greatest timestamp wins (Cassandra, or discipline `lww`): its writes have this one instead of one that rises
    /// with the visits. Others of the same timestamp are ties, greater ones win whenever they come.
    #[must_use]
    pub fn at(mut self, timestamp: i64) -> Steps {
        self.timestamp = Some(timestamp);
        self
    }

    /// Where the greatest timestamp wins: what it writes lives so many seconds.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Steps {
        self.ttl = Some(seconds);
        self
    }

    /// All steps are one transaction.
    #[must_use]
    pub fn simultaneously(mut self) -> Steps {
        self.together = true;
        self
    }

    /// Each step is a visit of its own, which it is unless something else is said.
    #[must_use]
    pub fn sequentially(mut self) -> Steps {
        self.together = false;
        self
    }

    /// These steps in an order drawn from the seed.
    #[must_use]
    pub fn random_order(mut self, steps: impl FnOnce(Steps) -> Steps) -> Steps {
        self.items.push(Item::Shuffled(steps(Steps::default()).items));
        self
    }

    /// These steps in the order in which they are written: inside [`Steps::random_order`] they stay together.
    #[must_use]
    pub fn strict_order(mut self, steps: impl FnOnce(Steps) -> Steps) -> Steps {
        self.items.extend(steps(Steps::default()).items);
        self
    }

    /// These steps as one transaction.
    #[must_use]
    pub fn batch(mut self, steps: impl FnOnce(Steps) -> Steps) -> Steps {
        self.items.push(Item::Batch(steps(Steps::default()).items, true));
        self
    }

    /// These steps as one transaction that is rolled back.
    #[must_use]
    pub fn rolled_back(mut self, steps: impl FnOnce(Steps) -> Steps) -> Steps {
        self.items.push(Item::Batch(steps(Steps::default()).items, false));
        self
    }

    /// Write of the columns that all rows of the partition share; an upsert where the table has none.
    #[must_use]
    pub fn shared(self) -> Steps {
        self.step(Act::Shared, None, None)
    }

    /// DELETE of the partition.
    #[must_use]
    pub fn delete_partition(self) -> Steps {
        self.step(Act::DeletePartition, None, None)
    }

    /// DELETE of the partition, so many times.
    #[must_use]
    pub fn delete_partitions(self, times: u64) -> Steps {
        (0..times).fold(self, |steps, _| steps.delete_partition())
    }

    /// DELETE of the rows from the one of number `from` to that of number `to`, both included where the key has one column.
    #[must_use]
    pub fn delete_rows_between(self, from: u64, to: u64) -> Steps {
        self.step(Act::DeleteRange, Some(from), Some(to))
    }

    /// SELECT of the whole partition.
    #[must_use]
    pub fn read(self) -> Steps {
        self.step(Act::Read, None, None)
    }

    /// SELECT of the shared columns; of the partition where the table has none.
    #[must_use]
    pub fn read_shared(self) -> Steps {
        self.step(Act::ReadShared, None, None)
    }

    /// A read of the author's own, made for the table and the partition when they are known.
    #[must_use]
    pub fn ask(self, query: impl Fn(&Table, Part) -> Query + Send + Sync + 'static) -> Steps {
        self.step(Act::Ask(Arc::new(query)), None, None)
    }

    /// The step before sets this column to exactly this value. `NULL` is [`Value::Null`].
    #[must_use]
    pub fn set(self, column: &str, value: Value) -> Steps {
        self.given(Column::Named(column.to_owned()), Given::Exactly(value))
    }

    /// The step before sets its column of this number to the column's value of that number: the same numbers, the same value.
    #[must_use]
    pub fn value(self, column: usize, number: u64) -> Steps {
        self.given(Column::Numbered(column), Given::Numbered(number))
    }

    /// The answer of the read before must be as `check` says, besides what the model says of it.
    ///
    /// # Panics
    /// When there is no step before.
    #[must_use]
    pub fn validate(
        mut self,
        name: &str,
        check: impl Fn(&[Vec<Value>]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Steps {
        self.last().validators.push((name.to_owned(), Arc::new(check)));
        self
    }

    fn given(mut self, column: Column, value: Given) -> Steps {
        self.last().values.push((column, value));
        self
    }

    fn last(&mut self) -> &mut Step {
        match self.items.last_mut() {
            Some(Item::Step(step)) => step,
            _ => panic!("say it right after the step that it is about"),
        }
    }

    fn step(mut self, act: Act, row: Option<u64>, to: Option<u64>) -> Steps {
        self.items.push(Item::Step(Step {
            act,
            row,
            to,
            values: Vec::new(),
            validators: Vec::new(),
        }));
        self
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps")
            .field("number", &self.number)
            .field("session", &self.session)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}
