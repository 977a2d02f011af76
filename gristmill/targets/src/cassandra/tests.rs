//! A real Cassandra: that it means what the judge takes it to mean, that values survive it, and what only it can do.
//!
//! One node serves all the checks that need none of their own; each has a keyspace.

mod counters;
mod declared;
mod elements;
mod empties;
mod inside;
mod keys;
mod life;
mod lists;
mod meaning;
mod types;

use super::local::is_installed;
use crate::conformance::Stage;
use crate::target::{OpenOptions, Request, Target};
use datagen::schema::{Column, ColumnId, Definition, Index, KeyColumn, Schema, SizeClass};
use datagen::value::{Order, Type};
use history::{Answer, Discipline, Visit};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Whether there is a server to test with; under CI there must be.
pub(super) fn installed() -> bool {
    let there = is_installed();
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "Cassandra is not installed: cargo xtask servers cassandra"
    );
    if !there {
        println!("left out: Cassandra is not installed (cargo xtask servers cassandra)");
    }
    there
}

/// A machine that does much else must not make a timeout of every slow request.
pub(super) const LOCAL: &str =
    "cassandra:local?set=write_request_timeout=60s&set=read_request_timeout=60s&set=request_timeout=60s";

pub(super) fn options(folder: &Path, n: u32) -> OpenOptions {
    OpenOptions {
        discipline: Discipline::Lww,
        ..OpenOptions::new(folder, format!("gmt{n}"))
    }
}

/// What a check is given: the folder of a running node, and a number of its own.
pub(super) struct World<'a> {
    pub(super) folder: &'a Path,
    pub(super) number: u32,
}

impl World<'_> {
    pub(super) fn options(&self) -> OpenOptions {
        options(self.folder, self.number)
    }

    pub(super) fn stage(&self, schema: impl FnOnce(&dyn Target) -> Schema) -> Stage {
        Stage::new(LOCAL, &self.options(), schema)
    }
}

type Check = fn(&World<'_>);

#[test]
fn cassandra_means_what_the_judge_takes_it_to_mean() {
    if !installed() {
        return;
    }
    let checks: [(&str, Check); 28] = [
        (
            "tables like those of a keyspace",
            declared::tables_like_those_of_a_keyspace_are_made_and_it_is_left_alone,
        ),
        (
            "values of every type come back",
            types::values_of_every_type_come_back,
        ),
        (
            "every type is ordered as its descriptors",
            types::every_type_is_ordered_as_its_descriptors,
        ),
        (
            "every write is read back with its timestamp",
            meaning::every_write_is_read_back_with_its_timestamp,
        ),
        (
            "ties",
            meaning::a_deletion_beats_a_value_and_between_values_the_greater_bytes_win,
        ),
        (
            "every pair of writes",
            meaning::every_pair_of_writes_meets_in_every_order,
        ),
        (
            "elements",
            elements::elements_stand_for_themselves_whatever_the_order,
        ),
        ("lists", lists::lists_stand_in_the_order_of_the_clock),
        ("counters", counters::counters_are_the_sums_of_what_was_added),
        (
            "counters at once",
            counters::sessions_that_add_at_once_lose_nothing,
        ),
        ("filters inside of columns", inside::filters_find_what_is_inside),
        ("composites in keys", keys::composites_are_keys),
        ("empty values", empties::empty_values_are_values),
        ("frozen composites", elements::frozen_composites_are_one_value),
        ("composites in composites", elements::composites_may_hold_others),
        (
            "a row lives by its liveness or a cell",
            meaning::a_row_lives_by_its_liveness_or_a_cell,
        ),
        (
            "static cells alone",
            meaning::a_partition_with_static_cells_alone_answers_one_row,
        ),
        (
            "order is as declared or its reverse",
            meaning::rows_come_as_declared_or_reversed,
        ),
        (
            "one batch, one timestamp",
            meaning::a_batch_is_one_timestamp_and_a_range_deletion_kills_its_own_inserts,
        ),
        (
            "conditional writes",
            meaning::a_conditional_write_says_whether_it_was_applied,
        ),
        (
            "the ends of time",
            meaning::timestamps_reach_from_end_to_end_but_one,
        ),
        (
            "what is refused",
            meaning::what_cql_cannot_say_is_refused_and_said_beforehand,
        ),
        (
            "a column's second life",
            meaning::a_column_dropped_and_added_again_is_empty,
        ),
        ("expiry", meaning::what_has_a_time_to_live_is_gone_after_it),
        ("the ring", meaning::partitions_lie_on_the_ring_by_our_tokens),
        ("sums", meaning::sums_are_those_of_their_column),
        ("facts, names and bad input", life::what_is_not_ours_is_left_alone),
        (
            "sessions",
            life::an_unavailable_level_is_refused_and_a_flush_changes_nothing,
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let keep = crate::open(LOCAL, &options(folder.path(), 0)).unwrap();
    println!("{:?}", keep.facts().unwrap());
    let mut failed = Vec::new();
    // For whoever works on one of them.
    let wanted = std::env::var("GRISTMILL_CHECK").unwrap_or_default();
    let checks = checks.into_iter().filter(|(name, _)| name.contains(&wanted));
    for (number, (name, check)) in (1..).zip(checks) {
        let world = World {
            folder: folder.path(),
            number,
        };
        let result = catch_unwind(AssertUnwindSafe(|| check(&world)));
        println!("{name}: {}", if result.is_ok() { "ok" } else { "FAILED" });
        if result.is_err() {
            failed.push(name);
        }
    }
    println!("{:?}", keep.facts().unwrap().settings);
    assert!(failed.is_empty(), "{failed:?}");
}

fn column(target: &dyn Target, id: u16, name: &str, ty: Type) -> Column {
    let limits = target.limits(&ty).unwrap_or_else(|| panic!("{ty} is offered"));
    Column {
        id: ColumnId(id),
        name: name.into(),
        ty,
        nullable: true,
        limits,
    }
}

fn key(target: &dyn Target, id: u16, name: &str, ty: Type, order: Order) -> KeyColumn {
    let column = column(target, id, name, ty);
    let limits = column.limits.for_key(100);
    KeyColumn {
        column: Column {
            nullable: false,
            limits,
            ..column
        },
        order,
    }
}

/// Clustered by one column up and one down; an indexed column, a text, a plain number; two static columns.
pub(super) fn one_table(target: &dyn Target) -> Schema {
    let v0 = column(target, 4, "v0", Type::Int32);
    let v0 = Column {
        limits: v0.limits.for_key(100),
        ..v0
    };
    let table = Definition {
        name: "t0".into(),
        size: SizeClass::Narrow { partitions: 64 },
        rows_max: 24,
        key_seed: 5,
        partition: vec![key(target, 0, "p0", Type::Int32, Order::Asc)],
        clustering: vec![
            key(target, 1, "c0", Type::Int32, Order::Asc),
            key(target, 2, "c1", Type::Text, Order::Desc),
        ],
        regular: vec![
            v0,
            column(target, 5, "order", Type::Text),
            column(target, 6, "v2", Type::Int32),
        ],
        options: Vec::new(),
        shared: vec![
            column(target, 20, "s0", Type::Int32),
            column(target, 21, "s1", Type::Text),
        ],
        // One column in two of them.
        indexes: ["i0", "i1"]
            .map(|name| Index {
                name: name.into(),
                columns: vec![ColumnId(4)],
                unique: false,
            })
            .into(),
    };
    Schema::new(vec![table]).unwrap()
}

/// Plays visits with a stamp, one a line, and writes down what was answered: rows as the notation writes them.
pub(super) fn answers(stage: &mut Stage, script: &str) -> String {
    let mut out = String::new();
    for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let visit: Visit = line.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        let answer = play(stage, &visit);
        // What a write affected says nothing there.
        if answer != Answer::Affected(1) {
            writeln!(out, "{}: {answer}", visit.lts).unwrap();
        }
    }
    out
}

pub(super) fn play(stage: &mut Stage, visit: &Visit) -> Answer {
    let request = Request::stamped(visit).unwrap_or_else(|| panic!("{visit}: no stamp"));
    stage.ask(0, (visit.lts.0, 0), &request)
}
