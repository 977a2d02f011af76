//! The actions, as data: scheduler, statistics and the printed catalogue read this list and nothing else.

mod column;
mod constraint;
mod cursor;
mod dml;
mod index;
mod read;
mod schema;
mod session;
mod table;
mod view;
mod write;

use super::brush::Brush;
use super::speech::{Feature, Speech};
use history::parallel::{Family, Statement, TxState, View};

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
    /// Whether the target can do it.
    pub fn on(&self, speech: &Speech) -> bool {
        self.requires.iter().all(|f| speech.has(*f))
    }

    /// Whether it may stand where the session is.
    pub(crate) fn fits(&self, view: &View) -> bool {
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

use Family::{Ddl, Dml, Fetch, Lifecycle, Read, Session, Write};
use Feature as Has;

/// Every action, by family.
pub static KINDS: &[Kind] = &[
    kind(
        "select",
        Read,
        20,
        &[],
        read::select,
        "rows of one relation, with expressions and a predicate",
    ),
    kind("select-join", Read, 12, &[], read::join, "two relations joined"),
    kind(
        "select-aggregate",
        Read,
        12,
        &[],
        read::aggregate,
        "aggregates, grouped or not, with HAVING and FILTER",
    ),
    kind("select-window", Read, 8, &[], read::window, "window functions"),
    kind("select-set", Read, 8, &[], read::set, "UNION, INTERSECT, EXCEPT"),
    kind("select-with", Read, 8, &[], read::with, "a table expression"),
    kind(
        "select-count",
        Read,
        8,
        &[],
        read::count,
        "how many rows a relation has",
    ),
    kind("select-constant", Read, 1, &[], read::constant, "SELECT 1"),
    kind(
        "select-lock",
        Read,
        5,
        &[Has::RowLocks],
        read::lock,
        "rows read and locked",
    ),
    kind("explain", Read, 4, &[], read::explain, "the plan of a query"),
    kind(
        "catalogue",
        Read,
        4,
        &[],
        read::catalogue,
        "the server's catalogue",
    ),
    kind(
        "copy-out",
        Read,
        5,
        &[Has::Copy],
        read::copy,
        "COPY of a query to the client",
    ),
    placed(
        Place::Inside,
        kind(
            "cursor-declare",
            Fetch,
            10,
            &[Has::Cursors],
            cursor::declare,
            "a cursor over a query",
        ),
    ),
    kind(
        "cursor-fetch",
        Fetch,
        30,
        &[Has::Cursors],
        cursor::fetch,
        "FETCH or MOVE of a cursor",
    ),
    kind(
        "cursor-close",
        Fetch,
        4,
        &[Has::Cursors],
        cursor::close,
        "the end of a cursor",
    ),
    kind(
        "insert",
        Write,
        30,
        &[],
        write::insert,
        "rows inserted, with RETURNING where there is one",
    ),
    kind(
        "insert-select",
        Write,
        6,
        &[],
        write::select,
        "rows of a query inserted",
    ),
    kind(
        "insert-defaults",
        Write,
        3,
        &[],
        write::defaults,
        "a row of defaults",
    ),
    kind(
        "upsert",
        Write,
        10,
        &[],
        write::upsert,
        "rows inserted or, where the key is there, updated or left",
    ),
    kind(
        "copy-in",
        Write,
        12,
        &[Has::Copy],
        write::copy,
        "COPY from the client",
    ),
    kind(
        "sequence-next",
        Write,
        3,
        &[Has::Sequences],
        schema::next,
        "the next value of a sequence",
    ),
    kind("update", Dml, 20, &[], dml::update, "rows updated"),
    kind("delete", Dml, 10, &[], dml::delete, "rows deleted"),
    kind(
        "truncate",
        Dml,
        2,
        &[Has::Truncate],
        dml::truncate,
        "a table emptied",
    ),
    kind(
        "comment",
        Dml,
        4,
        &[Has::Comment],
        dml::comment,
        "a comment on an object or a column",
    ),
    placed(
        Place::Inside,
        kind(
            "lock-table",
            Dml,
            2,
            &[Has::LockTable],
            dml::lock,
            "a table locked",
        ),
    ),
    kind(
        "create-table",
        Ddl,
        10,
        &[],
        table::create,
        "a table with constraints",
    ),
    kind("drop-table", Ddl, 5, &[], table::drop, "a table dropped"),
    kind("rename-table", Ddl, 5, &[], table::rename, "a table renamed"),
    kind(
        "move-table",
        Ddl,
        2,
        &[Has::Schemas],
        table::into,
        "a table moved into another schema",
    ),
    kind("add-column", Ddl, 6, &[], column::add, "a column added"),
    kind("drop-column", Ddl, 4, &[], column::drop, "a column dropped"),
    kind("rename-column", Ddl, 4, &[], column::rename, "a column renamed"),
    kind(
        "alter-type",
        Ddl,
        4,
        &[Has::AlterColumn],
        column::retype,
        "a column of another type",
    ),
    kind(
        "alter-default",
        Ddl,
        3,
        &[Has::AlterColumn],
        column::default,
        "a default set or dropped",
    ),
    kind(
        "alter-null",
        Ddl,
        3,
        &[Has::AlterColumn],
        column::null,
        "NOT NULL set or dropped",
    ),
    kind(
        "alter-storage",
        Ddl,
        2,
        &[Has::Storage],
        column::storage,
        "statistics, fill factor, logging of a table",
    ),
    kind(
        "add-constraint",
        Ddl,
        5,
        &[Has::AlterColumn],
        constraint::add,
        "a constraint added",
    ),
    kind(
        "drop-constraint",
        Ddl,
        3,
        &[Has::AlterColumn],
        constraint::drop,
        "a constraint dropped",
    ),
    kind("create-view", Ddl, 7, &[], view::create, "a view"),
    kind(
        "replace-view",
        Ddl,
        4,
        &[Has::ReplaceView],
        view::replace,
        "a view defined anew",
    ),
    kind("drop-view", Ddl, 4, &[], view::drop, "a view dropped"),
    kind(
        "rename-view",
        Ddl,
        3,
        &[Has::RenameAny],
        view::rename,
        "a view renamed",
    ),
    kind(
        "create-materialized-view",
        Ddl,
        4,
        &[Has::MaterializedViews],
        view::materialize,
        "a materialized view, with data or without",
    ),
    kind(
        "refresh-materialized-view",
        Ddl,
        5,
        &[Has::MaterializedViews],
        view::refresh,
        "a materialized view computed anew",
    ),
    kind(
        "drop-materialized-view",
        Ddl,
        2,
        &[Has::MaterializedViews],
        view::drop_materialized,
        "a materialized view dropped",
    ),
    kind(
        "create-index",
        Ddl,
        8,
        &[],
        index::create,
        "an index: unique, partial, over expressions",
    ),
    placed(
        Place::Outside,
        kind(
            "create-index-concurrently",
            Ddl,
            2,
            &[Has::Concurrently],
            index::concurrently,
            "an index made while others write",
        ),
    ),
    kind("drop-index", Ddl, 5, &[], index::drop, "an index dropped"),
    kind(
        "rename-index",
        Ddl,
        2,
        &[Has::RenameAny],
        index::rename,
        "an index renamed",
    ),
    kind(
        "create-schema",
        Ddl,
        3,
        &[Has::Schemas],
        schema::create,
        "a schema",
    ),
    kind(
        "drop-schema",
        Ddl,
        1,
        &[Has::Schemas],
        schema::drop,
        "a schema dropped, mostly with all in it",
    ),
    kind(
        "rename-schema",
        Ddl,
        2,
        &[Has::Schemas],
        schema::rename,
        "a schema renamed",
    ),
    kind(
        "create-sequence",
        Ddl,
        2,
        &[Has::Sequences],
        schema::sequence,
        "a sequence",
    ),
    kind(
        "alter-sequence",
        Ddl,
        2,
        &[Has::Sequences],
        schema::alter,
        "a sequence altered",
    ),
    kind(
        "drop-sequence",
        Ddl,
        1,
        &[Has::Sequences],
        schema::drop_sequence,
        "a sequence dropped",
    ),
    placed(
        Place::Outside,
        kind(
            "begin",
            Session,
            0,
            &[],
            session::begin,
            "the beginning of a transaction",
        ),
    ),
    placed(
        Place::End,
        kind("commit", Session, 0, &[], session::commit, "the end that keeps"),
    ),
    placed(
        Place::End,
        kind(
            "rollback",
            Session,
            0,
            &[],
            session::rollback,
            "the end that undoes",
        ),
    ),
    placed(
        Place::Inside,
        kind("savepoint", Session, 0, &[], session::savepoint, "a savepoint"),
    ),
    placed(
        Place::Inside,
        kind(
            "release",
            Session,
            0,
            &[],
            session::release,
            "the end of a savepoint",
        ),
    ),
    placed(
        Place::End,
        kind(
            "rollback-to",
            Session,
            0,
            &[],
            session::rollback_to,
            "the way back to a savepoint",
        ),
    ),
    kind(
        "set",
        Session,
        8,
        &[Has::Settings],
        session::set,
        "a setting of the session",
    ),
    kind(
        "show",
        Session,
        2,
        &[Has::Settings],
        session::show,
        "the value of a setting",
    ),
    kind(
        "analyze",
        Lifecycle,
        6,
        &[],
        session::analyze,
        "statistics of a table",
    ),
    placed(
        Place::Outside,
        kind(
            "vacuum",
            Lifecycle,
            3,
            &[Has::VacuumTable],
            session::vacuum,
            "a table vacuumed",
        ),
    ),
    kind(
        "reindex",
        Lifecycle,
        2,
        &[Has::Reindex],
        session::reindex,
        "indexes built anew",
    ),
];
