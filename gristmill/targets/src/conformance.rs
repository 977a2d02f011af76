//! The suite that each target passes: one body, an arm for each database. The reference may be trusted as a stand-in
//! because it passes what SQLite and PostgreSQL pass.

mod differential;
mod lww;
mod sessions;
mod stage;
mod suite;
mod tables;

pub(crate) use differential::texts_mean_what_was_executed;
pub(crate) use lww::{
    every_pair_of_operations_in_every_order, greatest_timestamp_wins, small_histories_in_any_order, wide,
};
pub(crate) use sessions::{
    after_kill_9_what_was_acknowledged_is_there, begin, sessions_tell_what_became_of_them, step,
};
pub(crate) use stage::Stage;
pub(crate) use suite::{essentials, everything};
pub(crate) use tables::two_tables;
