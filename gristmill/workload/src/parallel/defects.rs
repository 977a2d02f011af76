//! Defects of targets that were found and confirmed: a run keeps away from what leads to them, or allows for it, so that it goes
//! on to the next one, unless it is told to meet them.

use super::speech::{DUCKDB, MARIADB, SQLITE, Speech};
use history::parallel::{SessionView, TxState};

/// A defect that was confirmed outside Gristmill.
#[derive(Debug)]
pub struct Defect {
    /// Its name, for `--meet`.
    pub name: &'static str,
    /// The target that has it, as [`Speech::of`] says it.
    pub of: &'static str,
    /// What goes wrong, for a person.
    pub words: &'static str,
    /// It takes changes of the schema.
    pub of_ddl: bool,
}

/// A connection keeps the schema of its own refused ALTER, once the transaction around it was committed and another connection
/// has changed the schema once: both count the same version.
const REFUSED_ALTER: Defect = Defect {
    name: "sqlite-refused-alter",
    of: SQLITE.of,
    words: "a connection whose ALTER was refused goes on with the altered schema after COMMIT, and answers from it",
    of_ddl: true,
};

/// An ALTER TABLE is refused for a deadlock or a lock that it waited for too long, and done all the same: the judge takes both as
/// possible.
pub const REFUSED_AND_DONE: &str = "mariadb-refused-alter";

/// A transaction writes to a row that another one has deleted since its snapshot; the write and the COMMIT are acknowledged, and the
/// row is gone.
const WRITE_TO_DELETED: Defect = Defect {
    name: "duckdb-write-to-deleted",
    of: DUCKDB.of,
    words: "a write to a row that was deleted since the snapshot is acknowledged and lost",
    of_ddl: false,
};

/// All of them, by target and name.
pub const DEFECTS: &[Defect] = &[
    REFUSED_ALTER,
    Defect {
        name: REFUSED_AND_DONE,
        of: MARIADB.of,
        words: "an ALTER TABLE that is refused for a deadlock (1213) or a lock (1205) may be done: either is allowed",
        of_ddl: true,
    },
    WRITE_TO_DELETED,
];

/// Those of a target that a run keeps away from or allows for.
pub fn avoided(speech: &Speech, met: &[String]) -> impl Iterator<Item = &'static Defect> {
    let met = met.to_owned();
    let of = speech.of;
    DEFECTS
        .iter()
        .filter(move |d| d.of == of && !met.iter().any(|name| name == d.name))
}

/// Whether the session must roll back what it has open, to keep away from a defect.
pub(super) fn must_roll_back(speech: &Speech, met: &[String], session: &SessionView) -> bool {
    session.tx == TxState::Open
        && session.refused_schema
        && avoided(speech, met).any(|d| d.name == REFUSED_ALTER.name)
}

/// Whether an action is left out, to keep away from a defect.
pub fn shuns(speech: &Speech, met: &[String], action: &str) -> bool {
    action == "ledger-delete" && avoided(speech, met).any(|d| d.name == WRITE_TO_DELETED.name)
}
