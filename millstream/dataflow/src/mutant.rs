//! Deliberate faults, each of which some test must notice.
//!
//! Why: a test that cannot fail proves nothing. Every invariant names a mutant that its test kills;
//! the test suite runs them all. A mutant is a value handed to a hidden constructor argument, so the
//! code under test is the code that ships.

macro_rules! mutants {
    ($($name:ident),* $(,)?) => {
        /// One deliberate fault; `None` in production. The names say what each does wrong.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        #[doc(hidden)]
        pub enum Mutant {
            #[default]
            None,
            $($name,)*
        }

        impl Mutant {
            /// Every mutant there is, and none.
            pub const ALL: &[Mutant] = &[Mutant::None, $(Mutant::$name,)*];
        }
    };
}

mutants! {
    FifoUnchecked,
    FifoChecked,
    StopsAtFirstFailure,
    FreezeKeepsFirstReported,
    FailureCountsAsDone,
    LeasesReturnedAtOnce,
    LeasesNeverReturned,
    LeaseReturnedOneEarly,
    CoalescesForEver,
    FetchesDiscarded,
    AuditsWithoutBudget,
    NeverWakes,
    LocalPressDrops,
    MintsWhenReadOnly,
    PromisesOneMore,
    NeverCloses,
    SealsOnShutdown,
    IdleWorkersHold,
    AcknowledgesAfterDrain,
    TaskDeathIsProgress,
    ListenErrorIsTheEnd,
    ShutdownLeavesTasks,
    MissingPartIsEmpty,
    KeepsRowsFromUntil,
    AuditsNothing,
    DataErrorsDropped,
    DecodeErrorDropped,
    FlowIgnoresLimit,
    UnboundedResults,
    ConcurrencyReadOnce,
    SendBlocksFetches,
    ExpiryUnnamed,
    ReaderAfterStart,
    ReadsBeforeStart,
    AsOfIgnored,
    HoldsFromSince,
    AsOfErrorIsProgress,
    AsOfAfterSnapshot,
    ExcludeIncludes,
    ListenDroppedEarly,
    EverythingToOneWorker,
    EveryWorkerIsChosen,
    FrozenKeepsListening,
    FrozenStopsDraining,
    ThawsOnNewParts,
    HaltReturns,
    FetchesCounted,
    PressWakesNobody,
    ListenErrorWakesNobody,
    ErrorIsNotLast,
    FillsTheGap,
    NothingReadBack,
    WritesBeforeReadBack,
    WritesOneShort,
    NeverAppendsNothing,
    StaleBatchesLeak,
    LostBatchesLeak,
    InDoubtIsLost,
}
