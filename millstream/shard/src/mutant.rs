//! Named defects that can be put into a client, so that each test can be shown to notice one.
//!
//! Not part of the product: [`Mutant::None`] is the only value outside of tests. A mutant is a value, not a
//! cargo feature, so that the code under test is the code that ships.

macro_rules! mutants {
    ($($name:ident,)*) => {
        /// One deliberate defect.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each name says the defect; the matrix in the tests says who finds it")]
        pub enum Mutant {
            #[default]
            None,
            $($name,)*
        }

        impl Mutant {
            /// All of them; the matrix fails where one is noticed by nobody.
            pub const ALL: &[Mutant] = &[Mutant::None, $(Mutant::$name,)*];
        }
    };
}

mutants! {
    FencingIgnored,
    SkewedClockExpires,
    SecondLookExpires,
    HeartbeatInOwnTime,
    ReadersNeverExpire,
    CriticalExpires,
    ExpiryMovesSince,
    SnapshotIgnoresSince,
    SnapshotDoesNotWait,
    UpperUnchecked,
    InlineTotalUnchecked,
    MergeBeyondSince,
    KeysMayReturn,
    CacheGoesBack,
    LookBeforeSubscribe,
    FetchWithoutPermit,
    ChecksumIgnored,
    HoldIgnoresLeases,
    HoldOutsideCriticalSection,
    LeaseAtCurrent,
    ListenIgnoresFrontier,
    SinceAtNewFrontier,
    WriterEntryRecreated,
    DoubtMeansFailure,
    DoubtMeansSuccess,
    BatchAppendedTwice,
    RollupNotWritten,
    GcIgnoresHolds,
    TruncateBeforeDeletes,
    CompactPastSince,
    InDoubtOutputDeleted,
    HoldsMayRegress,
    SinceMayRegress,
    DoubtIsMismatch,
    CodecUnchecked,
    BoundsIgnoredOnRead,
    BatchBoundsUnchecked,
    TombstoneAnswers,
    NeverPolls,
    PermanentRetriedForEver,
    GcTrustsDiffs,
    HeartbeatKeepsHold,
    InlineBytesFree,
    FullPageIsNewest,
    NewFolderNotSynced,
    FileNotSynced,
    FolderNotSynced,
    AnswerBeforeCommit,
    NoTurns,
    JudgedBeforeBegin,
    MaxAtReadCommitted,
    IdentityUnchecked,
    ConstantHeadNonce,
    OutputMayReturn,
    RideInDoubtFailed,
    RideInDoubtCommitted,
    RideLeftBehind,
    RideBesideCommit,
    RideLostWithAttempt,
    RideWithoutOwner,
    RideOutlastsPatience,
    RideAfterWithdrawal,
    RideUnappliedCommitted,
    SweepNever,
    SweepTakesAll,
    SweepOneLap,
    LogNeverCopied,
    LogLimitsNotReset,
    CopyWaits,
    LogNotSynced,
    CommitNotSynced,
    SettingsNotReadBack,
}
