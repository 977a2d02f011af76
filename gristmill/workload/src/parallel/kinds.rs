//! The actions, as data: scheduler, statistics and the printed catalogue read this list and nothing else.

mod column;
mod constraint;
mod cursor;
mod dml;
mod index;
pub(crate) mod ledger;
mod list;
mod oracle;
mod privileges;
mod read;
mod routine;
mod schema;
mod session;
mod table;
mod view;
mod write;

pub use list::KINDS;

use super::brush::Brush;
use super::speech::{Feature, Speech};
use history::parallel::{Family, Statement, TxState, View};
use std::collections::BTreeSet;

/// Where an action may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Inside and outside of transactions.
    Anywhere,
    /// Outside only.
    Outside,
    /// Inside only.
    Inside,
    /// Inside, also when the transaction has failed.
    End,
}

/// An action.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name, in plans, statistics and findings.
    pub name: &'static str,
    /// What it does, for a person.
    pub words: &'static str,
    /// Its family.
    pub family: Family,
    /// How often, against the others of its family. 0: only where the course of a transaction asks for it.
    pub weight: u32,
    /// What the target must have.
    pub requires: &'static [Feature],
    /// Where it may stand.
    pub place: Place,
    /// Draws it: the statement, with slots, touches and effects in the brush. `None`: nothing is there to work on.
    pub(crate) draw: fn(&mut Brush<'_>) -> Option<Statement>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Kind {
    /// Whether the target can do it; `without` is what this server of its kind cannot.
    pub fn on(&self, speech: &Speech, without: &BTreeSet<Feature>) -> bool {
        self.requires
            .iter()
            .all(|f| speech.has(*f) && !without.contains(f))
    }

    /// Whether it may stand where the session is.
    pub(crate) fn fits(&self, view: &View, speech: &Speech) -> bool {
        let commits = matches!(self.family, Family::Ddl | Family::Lifecycle) || self.name == "truncate";
        // What commits the transaction that it stands in comes late in one, so that there are longer ones.
        let early = view.session.tx != TxState::Idle && view.session.statements % 4 < 3;
        if commits && early && !speech.has(Feature::SchemaInTransactions) {
            return false;
        }
        match (self.place, view.session.tx) {
            (Place::Anywhere, _) => true,
            (Place::Outside, tx) => tx == TxState::Idle,
            (Place::Inside, tx) => tx == TxState::Open,
            (Place::End, tx) => tx != TxState::Idle,
        }
    }
}

const fn kind(
    name: &'static str,
    family: Family,
    weight: u32,
    requires: &'static [Feature],
    draw: fn(&mut Brush<'_>) -> Option<Statement>,
    words: &'static str,
) -> Kind {
    Kind {
        name,
        words,
        family,
        weight,
        requires,
        place: Place::Anywhere,
        draw,
    }
}

const fn placed(place: Place, kind: Kind) -> Kind {
    Kind { place, ..kind }
}
