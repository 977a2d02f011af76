//! What each kind and shape of finding means, and what to do about it: `gristmill explain KIND`.

/// One word that a verdict uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// As in the verdict, with hyphens.
    pub name: &'static str,
    /// A kind of promise, a shape of the difference, or a status.
    pub sort: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The entry of a name; blanks and underscores count as hyphens, case does not matter.
pub fn explain(name: &str) -> Option<&'static Explained> {
    let name = name.trim().to_lowercase().replace([' ', '_'], "-");
    ALL.iter().find(|entry| entry.name == name)
}

/// Every name, kinds first.
pub const ALL: &[Explained] = &[
    Explained {
        name: "wrong-result",
        sort: "kind",
        means: "An answer that no state of the database, at any point of the read's snapshot, explains.",
        remedy: "Read `proof` and the scripts in the finding's folder: they are the visits that should have decided the answer. \
                 `gristmill replay RUN --times 10` tells how often it comes back.",
    },
    Explained {
        name: "isolation",
        sort: "kind",
        means: "The level that was claimed was not kept, though each answer alone could be right.",
        remedy: "Check that the claim is what the database promises at the level that was asked for: `--claim` sets what it is \
                 held to, `--isolation` what it is asked for.",
    },
    Explained {
        name: "unexpected-error",
        sort: "kind",
        means: "A statement that should work was refused, and nothing else in the run explains it.",
        remedy: "If somebody else cancels, terminates or restarts on this server, say so with `--outside`. If the refusal is known, \
                 list it with `--known FILE`.",
    },
    Explained {
        name: "crash",
        sort: "kind",
        means: "The server, or the embedded engine in our worker, ended by itself.",
        remedy: "Look at the server's log (for `:local` targets it is in the run's folder under target/). An engine that ran out of \
                 memory is told apart: that is exit 2.",
    },
    Explained {
        name: "hang",
        sort: "kind",
        means: "No statement of a session ended within the deadline, and nothing of ours explains the wait.",
        remedy: "See what it waited for in `seen`; a lock of somebody else is named as not ours. A slow server needs a longer \
                 `--deadline`.",
    },
    Explained {
        name: "durability",
        sort: "kind",
        means: "Acknowledged and lost after a crash or restart, or rejected and there.",
        remedy: "Check the settings that the verdict lists: with synchronous_commit=off or fsync=off the loss is what was asked for.",
    },
    Explained {
        name: "stream",
        sort: "kind",
        means: "A stream of updates that does not add up to a state of its source.",
        remedy: "Read `proof`: it names the first timestamp at which the sum differs.",
    },
    Explained {
        name: "catalog",
        sort: "kind",
        means: "The objects that the database lists are not those that were made.",
        remedy: "Somebody else may have changed objects with the run's prefix; else the catalogue itself is wrong.",
    },
    Explained {
        name: "privilege",
        sort: "kind",
        means: "Something was allowed to a role that lacks the right, or refused to one that has it.",
        remedy: "Somebody else may have changed rights of the run's roles; else the server's check of rights is wrong.",
    },
    Explained {
        name: "missing-row",
        sort: "shape",
        means: "A row is not in the answer though its writer was acknowledged before the snapshot and nothing removed it.",
        remedy: "Compare the same read without the index, or by the whole key: if the row is there, the access path is at fault.",
    },
    Explained {
        name: "extra-row",
        sort: "shape",
        means: "A row is in the answer that nobody wrote, that was removed before, that was rolled back, or whose COMMIT was not yet sent.",
        remedy: "The title of `proof` says which of the four. A COMMIT not yet sent is a dirty read: check the level that was asked for.",
    },
    Explained {
        name: "wrong-cell",
        sort: "shape",
        means: "A cell has a value other than the one that its last writer gave it.",
        remedy: "`proof` names who wrote the expected value, and who wrote the one that was seen, if anyone did.",
    },
    Explained {
        name: "foreign-value",
        sort: "shape",
        means: "A value that no visit can have written: it is nobody's image, whole or in part.",
        remedy: "Something changed the bytes on the way: a driver, a collation, a truncation. Compare with what `gristmill list types` \
                 says the target keeps.",
    },
    Explained {
        name: "duplicate-row",
        sort: "shape",
        means: "One row, by its key, is in the answer twice.",
        remedy: "Read it by its key: two rows mean a broken unique index, one row means that the plan of the query is at fault.",
    },
    Explained {
        name: "wrong-order",
        sort: "shape",
        means: "The rows are right; their order is not that of ORDER BY.",
        remedy: "Check the collation of the columns: text must be compared by bytes.",
    },
    Explained {
        name: "wrong-count",
        sort: "shape",
        means: "More or fewer rows than LIMIT and OFFSET leave of the right ones.",
        remedy: "The same read without LIMIT tells whether the rows or the cut are wrong.",
    },
    Explained {
        name: "wrong-aggregate",
        sort: "shape",
        means: "A count, minimum, maximum, sum, group or distinct value that the rows do not give.",
        remedy: "Read the rows themselves at the same place: if they are right, the aggregate's plan (often an index) is at fault.",
    },
    Explained {
        name: "wrong-affected-count",
        sort: "shape",
        means: "A write reported another number of affected rows than the model has.",
        remedy: "Check that the driver reports rows matched, not rows changed.",
    },
    Explained {
        name: "refused-as-duplicate",
        sort: "shape",
        means: "An insert was refused as a duplicate of a row that is not there.",
        remedy: "Look for a unique index that still holds a removed row.",
    },
    Explained {
        name: "accepted-duplicate",
        sort: "shape",
        means: "An insert was accepted though a row with its key is there.",
        remedy: "Look for the row twice: the unique index has lost its entry, or a concurrent delete was lost.",
    },
    Explained {
        name: "torn-visit",
        sort: "shape",
        means: "One part of an answer needs a transaction to be visible, another needs it not to be.",
        remedy: "At this level a transaction becomes visible as a whole. If the level is weaker than that, set `--claim`.",
    },
    Explained {
        name: "not-monotonic",
        sort: "shape",
        means: "What an earlier read had shown is gone from a later one, though nothing removed it.",
        remedy: "Look for reads that are served by different replicas or snapshots.",
    },
    Explained {
        name: "unreadable-answer",
        sort: "shape",
        means: "The answer has the wrong number of columns, or a cell of the wrong type.",
        remedy: "If the schema was changed by somebody else, that is it; else the server's description of its rows is wrong.",
    },
    Explained {
        name: "refused",
        sort: "shape",
        means: "A statement was refused with a code that nothing in the run explains.",
        remedy: "The server's code and words are in `seen`.",
    },
    Explained {
        name: "wrong-timestamp",
        sort: "shape",
        means: "A cell's value is right, but not the timestamp that the database says it was written at.",
        remedy: "Discipline lww: the visits that wrote the cell, with their timestamps, are in the proof.",
    },
    Explained {
        name: "wrong-time-to-live",
        sort: "shape",
        means: "A cell is right, but the database says that it lives longer or shorter than what was written allows.",
        remedy: "Discipline lww, `ttl()`: what the plan, the times of the run and `expiry-slack-ms` allow is in the finding.",
    },
    Explained {
        name: "not-linearizable",
        sort: "shape",
        means: "No order of a partition's conditional writes and serial reads explains what they answered.",
        remedy: "The answers that exclude each other are in the proof.",
    },
    Explained {
        name: "allowed",
        sort: "shape",
        means: "A statement was done although nothing in the run allows it: its object was surely gone, its name surely taken, its \
                right surely missing.",
        remedy: "What was asked and what would have allowed it stands in `proof`.",
    },
    Explained {
        name: "differs",
        sort: "shape",
        means: "What the database says about its own objects at a quiet moment is not what the run made.",
        remedy: "See `gristmill explain catalog`; the trace and queries.log of the run's folder say who made and dropped what.",
    },
    Explained {
        name: "disagreement",
        sort: "shape",
        means: "The database that --against names gave another answer to the same statements.",
        remedy: "Run without --against: where the judge finds the same, the first is wrong; else look at the second.",
    },
    Explained {
        name: "died",
        sort: "shape",
        means: "A process ended by itself; how is in the title.",
        remedy: "See `gristmill explain crash`.",
    },
    Explained {
        name: "stalled",
        sort: "shape",
        means: "A session waited longer than the deadline.",
        remedy: "See `gristmill explain hang`.",
    },
    Explained {
        name: "clean",
        sort: "status",
        means: "Everything that the plan enables was compared and was right. Exit code 0.",
        remedy: "What was left out stands in the closing block; a longer run, another `--profile` or faults look further.",
    },
    Explained {
        name: "unknown",
        sort: "status",
        means: "A doubt remains, or too little was compared. Exit code 2. It is never a finding.",
        remedy: "Each `doubt` line says why; a longer run compares more.",
    },
    Explained {
        name: "finding",
        sort: "status",
        means: "A promise was broken, judged twice from the recorded evidence. Exit code 1.",
        remedy: "Start with the first cause's five lines; `gristmill explain` knows its kind and its shape.",
    },
];
