//! Lies by name: what the store or the answer does, under which claim it can be seen. Each judge is tried with them.
//!
//! A lie is drawn by (lts, step) and its own number, never by interleaving, so that neither a hole nor another pace moves
//! it. It is counted when it was told: when an answer, or a committed state, is other than the truth.
//!
//! Invariants:
//! * L1 a flaw's number never changes: it is part of what a seed means.
//! * L2 a lie that would change nothing is not told and not counted.

use crate::Unusable;
use crate::target::{Lie, OpenOptions};
use datagen::stream::{Stream, draw};
use history::{Address, Discipline};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// A lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
#[expect(missing_docs, reason = "the table below says what each does")]
pub enum Flaw {
    DirtyRead = 1,
    StaleRead = 2,
    LostUpdate = 3,
    TornCommit = 4,
    ForgottenRow = 5,
    ResurrectedRow = 6,
    WrongCell = 7,
    SwappedRows = 8,
    ExtraRow = 9,
    WrongCount = 10,
    IgnoredLimit = 11,
    LostOnCrash = 12,
    DuplicatedRow = 13,
    ShownValue = 14,
    OlderWins = 15,
    TieWrong = 16,
    RangeOffByOne = 17,
    StaticLost = 18,
    WrongTimestamp = 19,
    HiddenValue = 20,
    DbHideRow = 21,
    DbExtraRow = 22,
    DbHideValue = 23,
    DbChangeValue = 24,
    DbShowValue = 25,
    ResurrectedColumn = 26,
    ConditionIgnored = 30,
    ConditionDenied = 31,
    WrongTtl = 27,
    LostIncrement = 28,
    AddedTwice = 29,
    HiddenElement = 32,
}

/// Who can tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// The reference's store only.
    Store,
    /// The reference, and the corruptor in front of any target: it needs nothing but the answer.
    Anyone,
    /// Only the corruptor.
    Corruptor,
    /// The corruptor, in the database itself: by direct statements of a connection of its own.
    Database,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlawLine {
    /// The lie.
    pub flaw: Flaw,
    /// Its name on the command line.
    pub name: &'static str,
    /// Who can tell it.
    pub teller: Teller,
    /// What happens.
    pub does: &'static str,
    /// Under which claim, and with what company, it can be seen.
    pub visible: &'static str,
    /// What it needs to be told at all.
    pub needs: Needs,
    /// Under which disciplines it can be told.
    pub disciplines: &'static [Discipline],
}

const ORDERED: &[Discipline] = &[Discipline::Ordered];
const LWW: &[Discipline] = &[Discipline::Lww];
const BOTH: &[Discipline] = &[Discipline::Ordered, Discipline::Lww];

/// What a lie needs to be told at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Another session at the same time.
    Partner,
    /// A crash of the server.
    Crash,
    /// A target that has lightweight transactions.
    Conditional,
    /// A column that is dropped and added again.
    Change,
    /// A target whose partitions lie on a ring: it is asked how long cells live, and has columns of several elements.
    Ring,
}

/// Every lie.
pub const FLAWS: &[FlawLine] = &[
    FlawLine {
        flaw: Flaw::DirtyRead,
        name: "dirty_read",
        teller: Teller::Store,
        does: "a write of an open transaction is shown to other sessions before its COMMIT",
        visible: "uncommitted data is hidden; a reader while the writer is open",
        disciplines: ORDERED,
        needs: Needs::Partner,
    },
    FlawLine {
        flaw: Flaw::StaleRead,
        name: "stale_read",
        teller: Teller::Store,
        does: "a read sees its partitions as they were before their last change",
        visible: "real time; any reader after an acknowledged write",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::LostUpdate,
        name: "lost_update",
        teller: Teller::Store,
        does: "an update starts from the row as it was before the last visit that wrote it, whose cells vanish",
        visible: "acknowledged writes stay; any later read of the row",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::TornCommit,
        name: "torn_commit",
        teller: Teller::Store,
        does: "COMMIT is acknowledged, but only the first half of its rows arrives",
        visible: "visits are atomic; a visit that changes two rows or more, then any read of the others",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::ForgottenRow,
        name: "forgotten_row",
        teller: Teller::Anyone,
        does: "a read does not see one of the rows",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::ResurrectedRow,
        name: "resurrected_row",
        teller: Teller::Store,
        does: "a read sees a row that was deleted, with the cells that it had",
        visible: "real time",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::ResurrectedColumn,
        name: "resurrected_column",
        teller: Teller::Store,
        does: "a column that was dropped and added again shows the cells that it had",
        visible: "any read of the column after it was added again; needs --fault alter=RATE",
        disciplines: LWW,
        needs: Needs::Change,
    },
    FlawLine {
        flaw: Flaw::WrongCell,
        name: "wrong_cell",
        teller: Teller::Anyone,
        does: "a read sees another value in one cell",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::SwappedRows,
        name: "swapped_rows",
        teller: Teller::Anyone,
        does: "two rows of an ordered answer change places",
        visible: "always, by reads with ORDER BY",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::ExtraRow,
        name: "extra_row",
        teller: Teller::Anyone,
        does: "a read sees a row that nobody wrote",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::WrongCount,
        name: "wrong_count",
        teller: Teller::Anyone,
        does: "an affected count, or count(), is one too many",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::IgnoredLimit,
        name: "ignored_limit",
        teller: Teller::Store,
        does: "LIMIT and OFFSET are ignored",
        visible: "always, by reads with LIMIT",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::LostOnCrash,
        name: "lost_on_crash",
        teller: Teller::Store,
        does: "what a visit committed is gone after a crash",
        visible: "durable; a crash, then any read",
        disciplines: BOTH,
        needs: Needs::Crash,
    },
    FlawLine {
        flaw: Flaw::DuplicatedRow,
        name: "duplicated_row",
        teller: Teller::Corruptor,
        does: "a row of the answer comes twice",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::ShownValue,
        name: "shown_value",
        teller: Teller::Corruptor,
        does: "a NULL of the answer shows a value",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::OlderWins,
        name: "older_wins",
        teller: Teller::Store,
        does: "a write overwrites cells that have a greater timestamp",
        visible: "acknowledged writes stay; timestamps that do not rise, then any later read of the row",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::TieWrong,
        name: "tie_wrong",
        teller: Teller::Store,
        does: "of two writes of one cell at one timestamp the lesser wins",
        visible: "always; timestamps with ties, then any later read of the row",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::RangeOffByOne,
        name: "range_off_by_one",
        teller: Teller::Store,
        does: "the deletion of a range takes one row too many, or one too few",
        visible: "always; a deleted range, then any later read of the row at its end",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::StaticLost,
        name: "static_lost",
        teller: Teller::Store,
        does: "an acknowledged write of shared cells does nothing",
        visible: "acknowledged writes stay; any later read of the shared cells",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::LostIncrement,
        name: "lost_increment",
        teller: Teller::Store,
        does: "what was added to a counter is not in it, though it was acknowledged",
        visible: "acknowledged writes stay; any later read of the counter",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::AddedTwice,
        name: "added_twice",
        teller: Teller::Store,
        does: "what was added to a counter is added twice",
        visible: "always, by any later read of the counter",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::WrongTimestamp,
        name: "wrong_timestamp",
        teller: Teller::Anyone,
        does: "a read says another write timestamp of one cell",
        visible: "always, by reads with timestamps",
        disciplines: LWW,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::WrongTtl,
        name: "wrong_ttl",
        teller: Teller::Corruptor,
        does: "a read says another time to live of one cell",
        visible: "always, by reads with times to live (Cassandra)",
        disciplines: LWW,
        needs: Needs::Ring,
    },
    FlawLine {
        flaw: Flaw::HiddenElement,
        name: "hidden_element",
        teller: Teller::Corruptor,
        does: "a read leaves out the last element of a list, set or map",
        visible: "always, by reads of such columns (Cassandra)",
        disciplines: LWW,
        needs: Needs::Ring,
    },
    FlawLine {
        flaw: Flaw::HiddenValue,
        name: "hidden_value",
        teller: Teller::Corruptor,
        does: "a value of the answer shows as NULL",
        visible: "always",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::DbHideRow,
        name: "db_hide_row",
        teller: Teller::Database,
        does: "a row is deleted in the database",
        visible: "always, by the read that comes next and all after it",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::DbExtraRow,
        name: "db_extra_row",
        teller: Teller::Database,
        does: "a row that nobody wrote is put into the database",
        visible: "always, by the read that comes next and all after it",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::DbHideValue,
        name: "db_hide_value",
        teller: Teller::Database,
        does: "a value is set to NULL in the database",
        visible: "always, by the read that comes next and all after it",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::DbChangeValue,
        name: "db_change_value",
        teller: Teller::Database,
        does: "a value is changed in the database",
        visible: "always, by the read that comes next and all after it",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::DbShowValue,
        name: "db_show_value",
        teller: Teller::Database,
        does: "a NULL is given a value in the database",
        visible: "always, by the read that comes next and all after it",
        disciplines: BOTH,
        needs: Needs::Nothing,
    },
    FlawLine {
        flaw: Flaw::ConditionIgnored,
        name: "condition_ignored",
        teller: Teller::Store,
        does: "a lightweight transaction is done though its condition does not hold, and says so: two of them win one race",
        visible: "always, by lightweight transactions",
        disciplines: LWW,
        needs: Needs::Conditional,
    },
    FlawLine {
        flaw: Flaw::ConditionDenied,
        name: "condition_denied",
        teller: Teller::Anyone,
        does: "a lightweight transaction that was done says that it was not, or the other way round",
        visible: "always, by lightweight transactions",
        disciplines: LWW,
        needs: Needs::Conditional,
    },
];

/// The lies of a run: which are told where, and how many were.
#[derive(Debug)]
pub(crate) struct Liar {
    seed: u64,
    rates: BTreeMap<Flaw, u32>,
    told: Mutex<BTreeMap<Flaw, u64>>,
}

impl Liar {
    /// The lies of the options that `able` allows. Errors: a name that is none, or that this target cannot tell.
    pub(crate) fn new(
        target: &str,
        options: &OpenOptions,
        able: impl Fn(Teller) -> bool,
    ) -> Result<Self, Unusable> {
        let mut rates = BTreeMap::new();
        for Lie { name, per_million } in &options.lies {
            let able_names = || {
                let names: Vec<&str> = FLAWS
                    .iter()
                    .filter(|l| able(l.teller) && l.disciplines.contains(&options.discipline))
                    .map(|l| l.name)
                    .collect();
                format!("{target} can tell {}", names.join(", "))
            };
            let Some(line) = FLAWS.iter().find(|l| l.name == name) else {
                return Err(Unusable::usage(
                    format!("--lie {name}"),
                    "there is no such lie",
                    able_names(),
                ));
            };
            if !line.disciplines.contains(&options.discipline) {
                let (has, other) = match options.discipline {
                    Discipline::Ordered => ("ordered", "lww"),
                    Discipline::Lww => ("lww", "ordered"),
                };
                return Err(Unusable::usage(
                    format!("--lie {name}"),
                    format!("it cannot be told under discipline {has}"),
                    format!("use discipline = \"{other}\", or another lie: {}", able_names()),
                ));
            }
            if !able(line.teller) {
                return Err(Unusable::usage(
                    format!("--lie {name}"),
                    format!("{target} cannot tell it"),
                    able_names(),
                ));
            }
            rates.insert(line.flaw, *per_million);
        }
        Ok(Self {
            seed: options.seed,
            rates,
            told: Mutex::default(),
        })
    }

    /// Nothing but the truth.
    pub(crate) fn is_honest(&self) -> bool {
        self.rates.is_empty()
    }

    /// Whether the lie is told at all.
    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.rates.contains_key(&flaw)
    }

    /// Whether the lie is to be told at this address.
    pub(crate) fn wants(&self, flaw: Flaw, at: Address) -> bool {
        self.rates
            .get(&flaw)
            .is_some_and(|rate| self.choice(flaw, at, 0) % 1_000_000 < u64::from(*rate))
    }

    /// A number for the details of a lie; `which` keeps the details apart.
    pub(crate) fn choice(&self, flaw: Flaw, at: Address, which: u64) -> u64 {
        draw(
            self.seed,
            Stream::Lie,
            &[flaw as u64, at.lts.0, u64::from(at.step), which],
        )
    }

    /// Counts a lie that was told.
    pub(crate) fn tell(&self, flaw: Flaw, times: u64) {
        if times > 0 {
            *self.told.lock().entry(flaw).or_default() += times;
        }
    }

    /// Told so far, by name.
    pub(crate) fn told(&self) -> BTreeMap<String, u64> {
        let told = self.told.lock();
        FLAWS
            .iter()
            .filter_map(|line| told.get(&line.flaw).map(|n| (line.name.to_owned(), *n)))
            .collect()
    }
}
