//! Profiles by name, as data: how many there may be of things, and how often each action comes.

use super::{Ceilings, Complexity};
use std::collections::BTreeMap;

/// A kind of run.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub words: &'static str,
    /// How many there may be of things.
    ceilings: fn(&mut Ceilings),
    /// Weights instead of the actions' own.
    weights: &'static [(&'static str, u32)],
    /// Sessions draw from [`LISTS`] instead of from families.
    pub lists: bool,
    /// Names are hard to write.
    pub naughty: bool,
}

/// Every profile.
pub static PROFILES: &[Profile] = &[
    Profile {
        name: "default",
        words: "few objects, so that sessions meet; families in the shares of the complexity",
        ceilings: |_| {},
        weights: &[],
        lists: false,
        naughty: false,
    },
    Profile {
        name: "reference",
        words: "the five lists of Materialize's parallel workload with its weights, limits and autocommit, as far as portable",
        ceilings: reference,
        weights: &[],
        lists: true,
        naughty: false,
    },
    Profile {
        name: "many",
        words: "many objects: up to 150 tables, 300 views, 450 indexes",
        ceilings: |c| {
            reference(c);
            c.tables = 150;
            c.views = 300;
            c.indexes = 450;
            c.materialized_views = 50;
        },
        weights: &[
            ("create-table", 40),
            ("create-view", 30),
            ("create-index", 30),
            ("create-schema", 8),
            ("drop-table", 2),
            ("drop-view", 2),
            ("drop-index", 2),
            ("drop-schema", 0),
        ],
        lists: false,
        naughty: false,
    },
    Profile {
        name: "deep",
        words: "views over views over few tables, seldom dropped: long chains of what depends on what",
        ceilings: |c| {
            c.tables = 8;
            c.views = 60;
            c.materialized_views = 20;
            c.functions = 20;
        },
        weights: &[
            ("create-view", 60),
            ("create-materialized-view", 20),
            ("replace-view", 10),
            ("drop-view", 1),
            ("drop-table", 1),
            ("drop-materialized-view", 1),
        ],
        lists: false,
        naughty: false,
    },
    Profile {
        name: "wide",
        words: "tables of up to 50 columns, which come and go",
        ceilings: |c| {
            c.columns = 50;
            c.tables = 8;
        },
        weights: &[("add-column", 30), ("drop-column", 8), ("rename-column", 8)],
        lists: false,
        naughty: false,
    },
    Profile {
        name: "big",
        words: "tables of up to 20,000 rows",
        ceilings: |c| {
            c.rows = 20_000;
            c.tables = 6;
        },
        weights: &[
            ("insert", 60),
            ("copy-in", 40),
            ("insert-select", 30),
            ("truncate", 0),
            ("drop-table", 1),
        ],
        lists: false,
        naughty: false,
    },
    Profile {
        name: "naughty",
        words: "names with quotes, keywords, blanks, other alphabets, unseen signs, and as long as they can be",
        ceilings: |_| {},
        weights: &[],
        lists: false,
        naughty: true,
    },
];

impl Profile {
    /// The profile of this name.
    pub fn named(name: &str) -> Option<&'static Profile> {
        PROFILES.iter().find(|p| p.name == name)
    }

    /// Its limits.
    pub fn ceilings(&self) -> Ceilings {
        let mut ceilings = Ceilings::default();
        (self.ceilings)(&mut ceilings);
        ceilings
    }

    /// Its weights.
    pub fn weights(&self) -> BTreeMap<String, u32> {
        let named = self.weights.iter().map(|(name, w)| ((*name).to_owned(), *w));
        named.collect()
    }
}

/// The limits of the reference, its `MAX_*`. It has none for sequences, functions and triggers: as for types.
fn reference(c: &mut Ceilings) {
    *c = Ceilings {
        tables: 50,
        views: 150,
        materialized_views: 150,
        indexes: 150,
        schemas: 50,
        sequences: 50,
        roles: 150,
        functions: 50,
        triggers: 50,
        types: 50,
        columns: 50,
        rows: 100,
        statements: c.statements,
    };
}

/// One of the five lists of the reference. A session draws a block of statements from one, then from the next.
#[derive(Debug)]
pub(crate) struct List {
    /// From which complexity on; `ddl-only` has the list of DDL alone.
    pub(crate) from: Complexity,
    /// No transactions: what is open when the list begins is ended.
    pub(crate) autocommit: bool,
    /// The weight of the beginning or the end of a transaction.
    pub(crate) brackets: u32,
    /// Actions with their weights.
    pub(crate) actions: &'static [(&'static str, u32)],
}

/// What a server-sided thing of the reference is here: SUBSCRIBE is a cursor, COPY to and from S3 is COPY to and from the
/// client, SHOW is a read of the catalogue, FlipFlags and SetSessionVariable are SET. A SELECT's 100 are shared out among ours.
pub(crate) const LISTS: &[List] = &[
    List {
        from: Complexity::Read,
        autocommit: false,
        brackets: 30,
        actions: &[
            ("select", 30),
            ("select-join", 15),
            ("select-aggregate", 15),
            ("select-window", 10),
            ("select-set", 10),
            ("select-with", 10),
            ("select-count", 10),
            ("copy-out", 120),
            ("catalogue", 20),
            ("set", 4),
            ("select-constant", 1),
        ],
    },
    List {
        from: Complexity::Read,
        autocommit: false,
        brackets: 4,
        actions: &[
            ("cursor-declare", 10),
            ("cursor-fetch", 30),
            ("cursor-close", 4),
            ("set", 2),
        ],
    },
    List {
        from: Complexity::Dml,
        autocommit: false,
        brackets: 10,
        actions: &[
            ("insert", 30),
            ("copy-in", 20),
            ("insert-select", 5),
            ("set", 2),
            ("select-constant", 1),
        ],
    },
    List {
        from: Complexity::Dml,
        autocommit: true,
        brackets: 0,
        actions: &[
            ("delete", 10),
            ("update", 10),
            ("insert", 10),
            ("counter-add", 10),
            ("copy-in", 10),
            ("insert-select", 5),
            ("comment", 5),
            ("set", 4),
        ],
    },
    List {
        from: Complexity::Ddl,
        autocommit: true,
        brackets: 0,
        actions: &[
            ("rename-schema", 10),
            ("rename-table", 10),
            ("rename-view", 10),
            ("create-view", 8),
            ("drop-view", 8),
            ("replace-view", 4),
            ("create-materialized-view", 10),
            ("refresh-materialized-view", 5),
            ("drop-materialized-view", 5),
            ("grant", 4),
            ("catalogue", 8),
            ("explain", 4),
            ("create-index", 2),
            ("drop-index", 2),
            ("create-table", 2),
            ("drop-table", 2),
            ("create-role", 2),
            ("drop-role", 2),
            ("alter-role", 2),
            ("grant-role", 2),
            ("change-owner", 2),
            ("create-enum", 1),
            ("create-domain", 1),
            ("drop-type", 2),
            ("set", 2),
            ("revoke", 1),
            ("revoke-role", 1),
            ("create-schema", 1),
            ("drop-schema", 1),
            ("add-column", 10),
        ],
    },
];

/// The lists that a complexity has.
pub(crate) fn lists(complexity: Complexity) -> Vec<&'static List> {
    let has = |list: &&List| match complexity {
        Complexity::DdlOnly => list.from == Complexity::Ddl,
        _ => list.from <= complexity,
    };
    LISTS.iter().filter(has).collect()
}
