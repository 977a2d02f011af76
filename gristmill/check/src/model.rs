//! The partitions as the plan and the tracker say they are.
//!
//! Must not know: queries, answers, verdicts.

mod apply;
mod partition;
mod shards;
mod store;
mod visits;

pub(crate) use apply::effective;
pub(crate) use partition::{Enc, EncView, EncWriter, Partition, SharedRow, cells};
pub(crate) use shards::{Booked, Keep, Shards};
pub(crate) use store::{Entry, Store, Tail};
pub(crate) use visits::{KEPT, Visits};
