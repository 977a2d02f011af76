//! The merge against a plain list of writes; the judge against its twin, and against itself under other conditions.

mod clustered;
mod counters;
mod elements;
mod histories;
mod inside;
mod lists;
mod merging;
mod planted;
mod repaired;
mod serial;
