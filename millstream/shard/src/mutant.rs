//! Named defects that can be put into a client, so that each test can be shown to notice one.
//!
//! Not part of the product: [`Mutant::None`] is the only value outside of tests. A mutant is a value, not a
//! cargo feature, so that the code under test is the code that ships.

/// One deliberate defect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each name says the defect; the matrix in tests/it says who finds it"
)]
pub enum Mutant {
    #[default]
    None,
    FencingIgnored,
    SkewedClockExpires,
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
    IdentityUnchecked,
    ConstantHeadNonce,
    OutputMayReturn,
}
