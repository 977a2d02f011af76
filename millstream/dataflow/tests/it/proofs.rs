//! The matrix of invariants, the tests that prove them and the mutants these convict.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dataflow::Mutant;
use dataflow::Mutant::*;

use crate::{freeze, halt, letting_go, parked, reading, sinking};

struct Proof {
    id: &'static str,
    name: &'static str,
    kills: &'static [Mutant],
}

/// Runs the scenario as the product is, so often as `FLOW_ROUNDS` says (once if it says nothing), then with
/// each mutant, which must make it fail.
fn prove(name: &str, scenario: fn(Mutant), kills: &[Mutant]) {
    let rounds = crate::asked("FLOW_ROUNDS", 1);
    for round in 0..rounds {
        let passed = catch_unwind(AssertUnwindSafe(|| scenario(Mutant::None))).is_ok();
        assert!(passed, "{name}: round {round} of {rounds} failed");
    }
    println!("{name}: {rounds} of {rounds} in a row");
    for mutant in kills {
        let survived = catch_unwind(AssertUnwindSafe(|| scenario(*mutant))).is_ok();
        assert!(!survived, "the mutant {mutant:?} survives");
    }
}

macro_rules! proofs {
    ($($id:literal $name:ident kills [$($mutant:ident),+] by $scenario:expr;)*) => {
        $(
            #[test]
            fn $name() {
                prove(stringify!($name), $scenario, &[$($mutant),+]);
            }
        )*

        const PROOFS: &[Proof] = &[
            $(Proof { id: $id, name: stringify!($name), kills: &[$($mutant),+] },)*
        ];
    };
}

proofs! {
    "SRC-1" src_01_the_frontier_never_passes_what_was_not_emitted kills [FifoUnchecked, FifoChecked]
        by freeze::frontier_waits_for_the_missing_time;
    "SRC-2" src_02_a_missing_part_freezes_at_exactly_its_time kills [FifoUnchecked, MissingPartIsEmpty, FailureCountsAsDone]
        by freeze::a_missing_part_freezes_exactly_there;
    "H15" h_15_every_order_of_completion_freezes_at_the_missing_time kills [StopsAtFirstFailure, FifoUnchecked]
        by freeze::every_order_of_completion_freezes_exactly_there;
    "SRC-3" src_03_the_least_missing_time_freezes kills [FreezeKeepsFirstReported, MissingPartIsEmpty]
        by freeze::first_last_and_lesser_of_two_missing_times;
    "SRC-4" src_04_a_freeze_lasts kills [ThawsOnNewParts, FifoUnchecked]
        by freeze::a_freeze_lasts;
    "SRC-5" src_05_halt_ends_the_process kills [HaltReturns]
        by halt::halt_ends_the_process;
    "SRC-6" src_06_an_as_of_before_since_is_an_error kills [AsOfErrorIsProgress, ListenErrorIsTheEnd]
        by reading::as_of_before_since_is_an_error;
    "SRC-7" src_07_the_frontier_reaches_as_of_without_data kills [AsOfAfterSnapshot]
        by reading::the_frontier_reaches_as_of_without_data;
    "SRC-8" src_08_contents_equal_the_shard_at_every_time kills [AsOfIgnored, ExcludeIncludes]
        by reading::contents_equal_the_shard_at_every_time;
    "SRC-9" src_09_nothing_comes_at_or_after_until kills [KeepsRowsFromUntil]
        by reading::nothing_at_or_after_until;
    "SRC-10" src_10_leases_return_with_their_times kills [LeasesReturnedAtOnce, LeasesNeverReturned]
        by letting_go::leases_return_with_their_times;
    "SRC-11" src_11_the_hold_outlives_the_fetches kills [ListenDroppedEarly]
        by letting_go::the_hold_outlives_the_fetches;
    "SRC-12" src_12_leases_of_ten_times_return_one_by_one kills [LeaseReturnedOneEarly, LeasesNeverReturned]
        by letting_go::leases_of_ten_times;
    "SRC-13" src_13_a_local_press_moves_nothing kills [LocalPressDrops]
        by letting_go::a_local_press_moves_nothing;
    "SRC-14" src_14_shutdown_ends_from_every_state kills [ShutdownLeavesTasks]
        by letting_go::shutdown_ends_from_every_state;
    "SRC-15" src_15_nothing_is_read_before_the_start kills [ReadsBeforeStart]
        by reading::nothing_is_read_before_the_start;
    "SRC-16" src_16_the_hold_covers_the_suspension kills [ReaderAfterStart]
        by reading::the_hold_covers_the_waiting;
    "SRC-17" src_17_parts_do_not_pile_up kills [UnboundedResults]
        by letting_go::parts_do_not_pile_up;
    "SRC-18" src_18_the_order_of_completion_does_not_matter kills [FifoChecked]
        by freeze::order_of_completion_does_not_matter;
    "SRC-19" src_19_discarded_parts_are_not_fetched kills [FetchesDiscarded]
        by reading::discarded_parts_are_not_fetched;
    "SRC-19" src_19_counted_parts_are_not_fetched kills [FetchesCounted]
        by reading::a_counted_part_is_not_fetched;
    "SRC-20" src_20_an_audit_fetches_what_its_budget_allows kills [AuditsWithoutBudget]
        by reading::an_audit_fetches_what_its_budget_allows;
    "SRC-20" src_20_a_filter_that_loses_rows_ends_the_process kills [AuditsNothing]
        by halt::a_filter_that_loses_rows_ends_the_process;
    "SRC-21" src_21_coalescing_changes_frontiers_only kills [CoalescesForEver]
        by reading::coalescing_changes_frontiers_only;
    "SRC-22" src_22_parts_are_spread_as_the_seed_says kills [EverythingToOneWorker]
        by reading::parts_are_spread_as_the_seed_says;
    "SRC-23" src_23_an_append_wakes_parked_workers kills [NeverWakes]
        by parked::an_append_wakes_parked_workers;
    "SRC-23" src_23_a_press_wakes_parked_workers kills [PressWakesNobody]
        by parked::a_press_on_another_worker_wakes_parked_workers;
    "SRC-23" src_23_a_listen_error_wakes_parked_workers kills [ListenErrorWakesNobody]
        by parked::a_listen_error_wakes_parked_workers;
    "SRC-24" src_24_a_wake_is_never_lost kills [AcknowledgesAfterDrain]
        by reading::a_wake_is_never_lost;
    "SRC-25" src_25_an_expired_lease_is_named kills [ExpiryUnnamed]
        by letting_go::an_expired_lease_is_named;
    "SRC-26" src_26_a_frozen_source_does_not_harm_its_neighbour kills [FrozenStopsDraining]
        by freeze::a_frozen_source_does_not_harm_its_neighbour;
    "SRC-27" src_27_a_task_that_panics_is_not_progress kills [TaskDeathIsProgress]
        by freeze::a_task_that_panics_is_not_progress;
    "SRC-28" src_28_flow_control_bounds_what_is_in_flight kills [FlowIgnoresLimit]
        by reading::flow_control_bounds_what_is_in_flight;
    "SRC-29" src_29_one_worker_listens_and_the_others_hold_nothing kills [IdleWorkersHold, EveryWorkerIsChosen]
        by reading::one_worker_listens_and_the_others_hold_nothing;
    "SRC-30" src_30_a_restart_after_a_freeze_reads_on kills [AsOfIgnored]
        by freeze::a_restart_after_a_freeze_reads_on;
    "SRC-31" src_31_a_flipped_byte_freezes_at_exactly_its_time kills [MissingPartIsEmpty]
        by freeze::a_flipped_byte_freezes_exactly_there;
    "H14" h_14_rows_that_do_not_decode_freeze_at_exactly_their_time kills [DecodeErrorDropped]
        by freeze::rows_that_do_not_decode_freeze_exactly_there;
    "H11" h_11_a_frozen_source_listens_no_more kills [FrozenKeepsListening]
        by freeze::a_frozen_source_listens_no_more;
    "H11" h_11_a_source_that_waits_holds_its_as_of_only kills [HoldsFromSince]
        by reading::a_source_that_waits_holds_its_as_of_only;
    "H12" h_12_fetch_concurrency_is_read_for_each_fetch kills [ConcurrencyReadOnce]
        by reading::fetch_concurrency_is_read_for_each_fetch;
    "H12" h_12_fetches_go_on_while_a_result_waits kills [SendBlocksFetches]
        by reading::fetches_go_on_while_a_result_waits_for_room;
    "M1" m1_batches_0_1_2_with_1_missing_stop_at_1 kills [FifoUnchecked]
        by |mutant| freeze::three_batches_and_one_missing(mutant, 1);
    "M1" m1_batches_0_1_2_with_0_missing_stop_at_0 kills [FifoUnchecked]
        by |mutant| freeze::three_batches_and_one_missing(mutant, 0);
    "M2" m2_later_parts_first_with_nothing_missing kills [FifoChecked]
        by freeze::later_parts_first;
    "SNK-1" snk_01_the_output_equals_the_view_at_every_time kills [WritesOneShort]
        by sinking::the_output_equals_the_view;
    "SNK-2" snk_02_wrong_contents_are_corrected kills [NothingReadBack, WritesBeforeReadBack]
        by sinking::wrong_contents_are_corrected;
    "SNK-3" snk_03_two_replicas_converge_in_every_interleaving kills [NothingReadBack]
        by sinking::two_replicas_converge;
    "SNK-4" snk_04_a_zombie_has_no_effect kills [LostBatchesLeak]
        by sinking::a_zombie_has_no_effect;
    "SNK-5" snk_05_read_only_writes_nothing kills [MintsWhenReadOnly]
        by sinking::read_only_writes_nothing;
    "SNK-6" snk_06_the_output_never_runs_ahead_of_the_view kills [PromisesOneMore]
        by sinking::the_output_never_runs_ahead;
    "SNK-7" snk_07_nothing_leaks kills [LostBatchesLeak, StaleBatchesLeak]
        by sinking::nothing_leaks;
    "SNK-8" snk_08_progress_without_data_is_written kills [NeverAppendsNothing]
        by sinking::progress_without_data_is_written;
    "SNK-9" snk_09_the_end_of_the_input_closes_the_output kills [NeverCloses]
        by sinking::the_end_closes_the_output;
    "SNK-10" snk_10_an_unanswered_append_is_written_once kills [InDoubtIsLost]
        by sinking::an_unanswered_append_is_written_once;
    "SNK-11" snk_11_shutdown_never_seals_an_output kills [SealsOnShutdown]
        by sinking::shutdown_never_seals;
    "H16" h_16_one_token_shuts_down_in_the_right_order kills [SealsOnShutdown]
        by sinking::shutdown_never_seals;
    "H17" h_17_no_gap_is_written_over kills [FillsTheGap]
        by sinking::no_gap_is_written_over;
    "section 16" an_error_is_the_last_message_of_its_channel kills [ErrorIsNotLast]
        by reading::an_error_is_the_last_message;
    "section 20" errors_in_the_data_are_data kills [DataErrorsDropped]
        by reading::errors_in_the_data_are_data;
}

/// Every id that must have a proof.
fn wanted() -> Vec<String> {
    let mut ids: Vec<String> = (1..=31).map(|n| format!("SRC-{n}")).collect();
    ids.extend((1..=11).map(|n| format!("SNK-{n}")));
    ids.extend(["H11", "H12", "H14", "H15", "H16", "H17", "M1", "M2"].map(str::to_owned));
    ids
}

#[test]
fn every_invariant_has_a_proof() {
    println!("{:<10} {:<66} convicts", "id", "test");
    for proof in PROOFS {
        println!("{:<10} {:<66} {:?}", proof.id, proof.name, proof.kills);
    }
    for id in wanted() {
        assert!(
            PROOFS
                .iter()
                .any(|proof| proof.id == id && !proof.kills.is_empty()),
            "{id} has no proof"
        );
    }
    let convicted: BTreeSet<Mutant> = PROOFS.iter().flat_map(|proof| proof.kills).copied().collect();
    for mutant in Mutant::ALL {
        assert!(
            *mutant == Mutant::None || convicted.contains(mutant),
            "nobody convicts {mutant:?}"
        );
    }
}
