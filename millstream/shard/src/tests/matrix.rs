//! Which scenario proves which invariant, and which defects it must notice.
//!
//! Every id has a test of its name (the macro makes it); the test runs the scenario without a defect, then
//! with each defect listed, and fails if one survives. The last test prints the matrix and fails if an id of
//! the list has no row, or a row has no defect.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::world::Proof;
use super::{appends, collection, handles, holds, pieces, riding};
use crate::mutant::Mutant;
use crate::store::{file, head, postgres, sqlite};

type Scenario = fn(Mutant) -> Proof;

struct Row {
    id: &'static str,
    test: &'static str,
    scenario: Scenario,
    killed: &'static [Mutant],
}

/// Runs a scenario; a panic is a failure too.
fn verdict(scenario: Scenario, mutant: Mutant) -> Proof {
    catch_unwind(AssertUnwindSafe(|| scenario(mutant))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics of scenarios that are meant to fail print nothing.
fn quiet(on: bool) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                print(info);
            }
        }));
    });
    QUIET.set(on);
}

/// How often in a row each scenario must pass as the product is.
fn rounds() -> u64 {
    std::env::var("SHARD_ROUNDS").map_or(1, |asked| asked.parse().expect("SHARD_ROUNDS is a number"))
}

fn prove(row: &Row) {
    let rounds = rounds();
    for round in 0..rounds {
        if let Err(why) = verdict(row.scenario, Mutant::None) {
            panic!("{}: round {round} of {rounds}: {why}", row.id);
        }
    }
    println!("{}: {rounds} of {rounds} in a row", row.test);
    quiet(true);
    let survivors: Vec<Mutant> = row
        .killed
        .iter()
        .copied()
        .filter(|m| verdict(row.scenario, *m).is_ok())
        .collect();
    quiet(false);
    assert!(survivors.is_empty(), "{}: not noticed: {survivors:?}", row.id);
}

macro_rules! matrix {
    ($($id:literal $test:ident => $scenario:path, kills [$($mutant:ident),* $(,)?];)*) => {
        const ROWS: &[Row] = &[
            $(Row { id: $id, test: stringify!($test), scenario: $scenario, killed: &[$(Mutant::$mutant),*] },)*
        ];
        $(
            #[test]
            fn $test() {
                prove(ROWS.iter().find(|row| row.test == stringify!($test)).expect("made by the same macro"));
            }
        )*
    };
}

matrix! {
    "SH-1..6" sh_1_to_6_the_log_hangs_together => collection::random_commands_keep_the_log_sound,
        kills [RollupNotWritten, GcIgnoresHolds];
    "SH-7" sh_7_nothing_regresses => holds::nothing_regresses, kills [HoldsMayRegress, SinceMayRegress];
    "SH-8" sh_8_compaction_preserves_contents => collection::compaction_preserves_contents, kills [CompactPastSince];
    "SH-8" sh_8_a_rewrite_beyond_since_is_refused => collection::rewrite_beyond_since_is_refused,
        kills [MergeBeyondSince];
    "SH-9" sh_9_exactly_one_append_wins => appends::exactly_one_append_wins, kills [UpperUnchecked];
    "SH-10" sh_10_an_unanswered_append_is_there_once => appends::unanswered_append_is_there_once,
        kills [DoubtIsMismatch];
    "SH-10" sh_10_an_append_that_landed_is_not_added_again => appends::landed_append_is_not_added_again,
        kills [BatchAppendedTwice];
    "SH-11" sh_11_a_lost_append_is_tried_again => appends::lost_append_is_tried_again, kills [DoubtMeansSuccess];
    "SH-12" sh_12_what_cannot_be_decided_is_said => appends::undecidable_is_reported,
        kills [DoubtMeansSuccess, DoubtMeansFailure];
    "SH-13" sh_13_a_snapshot_waits_for_its_time => handles::snapshot_waits, kills [SnapshotDoesNotWait];
    "SH-14" sh_14_a_snapshot_before_since_fails_at_once => handles::snapshot_before_since_fails,
        kills [SnapshotIgnoresSince];
    "SH-15" sh_15_snapshot_and_listen_make_the_log => handles::snapshot_and_listen_make_the_log,
        kills [SinceAtNewFrontier, ListenIgnoresFrontier, CompactPastSince];
    "SH-16" sh_16_a_listener_never_repeats_or_skips => handles::listener_sees_each_update_once,
        kills [ListenIgnoresFrontier];
    "SH-17" sh_17_a_leased_part_survives => holds::leased_part_survives, kills [HoldIgnoresLeases, GcIgnoresHolds];
    "SH-18" sh_18_a_lease_is_taken_at_the_parts_version => holds::lease_is_taken_at_the_parts_version,
        kills [LeaseAtCurrent];
    "SH-19" sh_19_a_silent_reader_expires => holds::silent_reader_expires,
        kills [ReadersNeverExpire, ExpiryMovesSince];
    "SH-20" sh_20_a_critical_reader_never_expires => holds::critical_never_expires, kills [CriticalExpires];
    "SH-21" sh_21_the_token_fences => holds::token_fences, kills [FencingIgnored];
    "SH-22" sh_22_a_crash_at_any_point_loses_nothing => collection::crash_anywhere_loses_nothing,
        kills [TruncateBeforeDeletes, RollupNotWritten];
    "SH-23" sh_23_collection_stops_and_resumes => collection::collection_stops_and_resumes,
        kills [TruncateBeforeDeletes];
    "SH-24" sh_24_inline_limits_hold => handles::inline_limits_hold, kills [InlineTotalUnchecked];
    "SH-25" sh_25_another_codec_is_refused => handles::another_codec_is_refused, kills [CodecUnchecked];
    "SH-26" sh_26_a_truncated_append_shows_its_interval => handles::truncated_append_shows_its_interval,
        kills [BoundsIgnoredOnRead, BatchBoundsUnchecked];
    "SH-27" sh_27_a_tombstone_settles => handles::tombstone_settles, kills [TombstoneAnswers];
    "SH-28" sh_28_two_processes_see_each_other => handles::two_processes_see_each_other, kills [NeverPolls];
    "SH-29" sh_29_a_waiter_misses_no_wakeup => handles::waiter_misses_no_wakeup, kills [LookBeforeSubscribe];
    "SH-30" sh_30_fetches_stay_within_memory => handles::fetches_stay_within_memory, kills [FetchWithoutPermit];
    "SH-31" sh_31_part_keys_never_return => collection::part_keys_never_return, kills [KeysMayReturn];
    "H1" h_1_sqlite_judges_a_request_after_it_began => sqlite::tests::a_request_is_judged_after_it_began,
        kills [JudgedBeforeBegin];
    "H1" h_1_postgres_holds_what_a_request_expects => postgres::tests::a_stale_request_does_not_fork_the_log,
        kills [MaxAtReadCommitted];
    "H2" h_2_writers_of_several_processes_take_turns => sqlite::tests::writers_of_several_processes_take_turns,
        kills [NoTurns];
    "H3" h_3_every_put_carries_a_fresh_nonce => head::tests::every_put_has_other_bytes, kills [ConstantHeadNonce];
    "H4" h_4_nothing_of_a_group_is_told_before_its_commit => sqlite::tests::nothing_is_told_before_the_commit,
        kills [AnswerBeforeCommit];
    "H5" h_5_doubt_is_decided_by_the_slot => appends::doubt_is_decided_by_the_slot,
        kills [WriterEntryRecreated, DoubtMeansFailure];
    "H5" h_5_what_rode_with_an_append_in_doubt_is_not_guessed => riding::a_change_in_doubt_is_not_guessed,
        kills [RideInDoubtFailed, RideInDoubtCommitted];
    "H6" h_6_permanent_errors_surface => handles::permanent_errors_surface, kills [PermanentRetriedForEver];
    "H7" h_7_mixed_up_locations_are_refused => crate::location::tests::mixtures_are_refused,
        kills [IdentityUnchecked];
    "H8" h_8_the_cache_never_goes_back => holds::cache_never_goes_back, kills [CacheGoesBack];
    "H8" h_8_hold_and_lease_are_one_step => holds::hold_and_lease_are_one_step, kills [HoldOutsideCriticalSection];
    "H9" h_9_a_batch_in_doubt_is_never_deleted => collection::batch_in_doubt_is_never_deleted,
        kills [InDoubtOutputDeleted];
    "H10" h_10_referenced_blobs_are_kept_and_reported => collection::referenced_blobs_are_kept, kills [GcTrustsDiffs];
    "H10" h_10_an_overtaken_output_does_not_return => collection::overtaken_output_does_not_return,
        kills [OutputMayReturn];
    "H11" h_11_a_skewed_clock_expires_nobody => holds::skewed_clock_expires_nobody,
        kills [SkewedClockExpires, SecondLookExpires, HeartbeatInOwnTime, HeartbeatKeepsHold];
    "H12" h_12_inline_bytes_count => handles::inline_bytes_count, kills [InlineBytesFree];
    "H13" h_13_what_was_set_survives_a_power_cut => file::tests::survives_a_power_cut,
        kills [FileNotSynced, FolderNotSynced, NewFolderNotSynced];
    "H14" h_14_damage_is_noticed_in_the_fetch => handles::damage_is_noticed, kills [ChecksumIgnored];
    "H14" h_14_another_part_read_block_by_block_is_noticed => pieces::another_part_is_noticed,
        kills [ChecksumIgnored];
    "riders 1" riders_1_a_change_travels_with_the_next_append => riding::a_change_travels_with_the_next_append,
        kills [RideLeftBehind, RideBesideCommit];
    "riders 1" riders_1_a_change_waits_on_after_an_attempt_that_failed =>
        riding::a_change_waits_on_after_an_attempt_that_failed_for_certain, kills [RideLostWithAttempt];
    "riders 2" riders_2_a_change_that_comes_back_late_stays_at_home =>
        riding::a_change_that_comes_back_late_stays_at_home, kills [RideOutlastsPatience];
    "riders 2" riders_2_a_change_whose_owner_is_gone_does_not_travel =>
        riding::a_change_whose_owner_is_gone_does_not_travel, kills [RideWithoutOwner];
    "riders 2" riders_2_a_change_that_nobody_takes_stays_at_home =>
        riding::a_change_that_nobody_takes_stays_at_home, kills [RideAfterWithdrawal];
    "riders 2" riders_2_a_change_that_does_not_apply_is_not_committed =>
        riding::a_change_that_does_not_apply_is_not_committed, kills [RideUnappliedCommitted];
    "copying 1" copying_1_the_log_is_copied_without_waiting => sqlite::tests::copying_waits_for_nobody,
        kills [CopyWaits];
    "copying 2" copying_2_the_log_stays_bounded => sqlite::tests::the_log_stays_bounded,
        kills [LogNeverCopied, LogLimitsNotReset];
    "copying 3" copying_3_what_was_left_in_the_log_is_copied =>
        sqlite::tests::what_was_left_in_the_log_is_copied, kills [LogNeverCopied];
    "sweep 2" sweep_2_only_what_was_given_up_is_removed =>
        sqlite::versions::tests::what_was_given_up_is_gone, kills [SweepTakesAll];
    "sweep 3" sweep_3_what_was_given_up_is_gone_after_two_laps =>
        sqlite::versions::tests::what_was_given_up_is_gone, kills [SweepNever, SweepOneLap];
    "H13" h_13_sqlite_syncs_what_it_commits => sqlite::tests::sqlite_syncs_what_it_commits,
        kills [LogNotSynced, SettingsNotReadBack];
    "H1" h_1_postgres_syncs_what_it_commits => postgres::tests::postgres_syncs_what_it_commits,
        kills [CommitNotSynced];
    "H18" h_18_a_full_page_is_the_oldest => handles::full_page_is_the_oldest, kills [FullPageIsNewest];
}

/// What the specification asks for from this crate and these stores.
const IDS: &[&str] = &[
    "SH-1..6", "SH-7", "SH-8", "SH-9", "SH-10", "SH-11", "SH-12", "SH-13", "SH-14", "SH-15", "SH-16",
    "SH-17", "SH-18", "SH-19", "SH-20", "SH-21", "SH-22", "SH-23", "SH-24", "SH-25", "SH-26", "SH-27",
    "SH-28", "SH-29", "SH-30", "SH-31", "H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H9", "H10", "H11",
    "H12", "H13", "H14", "H18",
];

#[test]
fn every_invariant_has_a_test_and_a_defect_it_notices() {
    for row in ROWS {
        println!("{:<9} {:<52} kills {:?}", row.id, row.test, row.killed);
        assert!(!row.killed.is_empty(), "{} notices no defect", row.id);
    }
    for mutant in Mutant::ALL.iter().filter(|m| **m != Mutant::None) {
        let noticed = ROWS.iter().any(|row| row.killed.contains(mutant));
        assert!(noticed, "nobody notices {mutant:?}");
    }
    for id in IDS {
        assert!(ROWS.iter().any(|row| row.id == *id), "{id} has no test");
    }
}
