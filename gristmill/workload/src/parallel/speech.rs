//! What a target can be asked, as rows: types, functions, and the features that an action may need (P48).
//!
//! Nothing here says how something is written: that is the targets'.

use history::parallel::Type;
use serde::{Deserialize, Serialize};

/// A thing that one target has and another has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Schemas in which objects can be made.
    Schemas,
    /// Materialized views.
    MaterializedViews,
    /// Sequences.
    Sequences,
    /// DECLARE, FETCH, CLOSE in SQL.
    Cursors,
    /// PREPARE, EXECUTE, DEALLOCATE in SQL.
    Prepare,
    /// COPY to and from the client.
    Copy,
    /// TRUNCATE.
    Truncate,
    /// COMMENT ON.
    Comment,
    /// CREATE INDEX CONCURRENTLY and its like.
    Concurrently,
    /// ALTER of types, defaults, NOT NULL and constraints of a table that is there.
    AlterColumn,
    /// ALTER INDEX, VIEW … RENAME.
    RenameAny,
    /// CREATE OR REPLACE VIEW.
    ReplaceView,
    /// FOR UPDATE and its relatives.
    RowLocks,
    /// LOCK TABLE.
    LockTable,
    /// READ ONLY transactions, and a choice of levels.
    Levels,
    /// CASCADE and RESTRICT.
    Cascade,
    /// DELETE … USING.
    DeleteUsing,
    /// LATERAL.
    Lateral,
    /// MATERIALIZED in WITH.
    MaterializedWith,
    /// RIGHT and FULL joins.
    FullJoin,
    /// INTERSECT ALL, EXCEPT ALL.
    SetAll,
    /// VACUUM of one table.
    VacuumTable,
    /// CLUSTER.
    Cluster,
    /// REINDEX.
    Reindex,
    /// Generated columns over functions of the registry.
    Generated,
    /// SET and RESET of settings with a session's reach.
    Settings,
    /// DISCARD.
    Discard,
    /// RETURNING.
    Returning,
    /// What oracles lean on has been tried: equal texts are the same text, sets know ALL where they say so.
    Oracles,
    /// A plan says which index it reads, so that an oracle can prove that one answered it.
    IndexInPlan,
    /// UNLOGGED tables.
    Unlogged,
    /// ALTER TABLE of storage parameters, statistics, replica identity.
    Storage,
    /// CREATE FUNCTION in SQL.
    Functions,
    /// Triggers.
    Triggers,
    /// Triggers call functions; elsewhere their body stands in place.
    TriggerFunctions,
    /// Enumerated types and domains.
    Types,
    /// Roles, GRANT, REVOKE, SET ROLE.
    Roles,
    /// MERGE.
    Merge,
    /// IF NOT EXISTS of columns and EXISTS clauses of ALTER.
    DropColumnIfExists,
    /// Changes of the schema are part of the transaction that they are made in.
    SchemaInTransactions,
    /// Names of indexes are names of the schema; elsewhere they are their table's, and are not drawn twice.
    IndexNames,
    /// Indexes over expressions, and of some rows only.
    IndexExpressions,
    /// Views go on when what they stand on is renamed.
    ViewsFollow,
    /// FILTER of aggregates.
    AggregateFilter,
    /// NULLS FIRST and NULLS LAST.
    NullsOrder,
    /// GROUPS and EXCLUDE of window frames.
    GroupFrames,
    /// UPDATE … FROM.
    UpdateFrom,
    /// RETURNING of UPDATE.
    UpdateReturning,
    /// A conflict of an upsert is with a key that the statement names.
    ConflictTarget,
    /// RESTART IDENTITY of TRUNCATE.
    RestartIdentity,
    /// SET LOCAL.
    SetLocal,
    /// SAVEPOINT.
    Savepoints,
    /// Upkeep of a table that is not there is refused; elsewhere it is said in a row of the answer.
    StrictUpkeep,
}

impl Feature {
    /// The feature that a server of its kind may lack, by the name that the targets have for it.
    pub fn named(name: &str) -> Option<Feature> {
        match name {
            "roles" => Some(Feature::Roles),
            "merge" => Some(Feature::Merge),
            "functions" => Some(Feature::Functions),
            "discard" => Some(Feature::Discard),
            _ => None,
        }
    }
}

/// A setting that a session may turn, and the values that are legal.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [&'static str],
}

/// The setting under which a server that dies may lose what it has acknowledged.
pub(crate) const LOSES_COMMITS: (&str, &str) = ("synchronous_commit", "off");

/// What one target can be asked.
#[derive(Debug)]
pub struct Speech {
    /// Of what, for a person.
    pub of: &'static str,
    /// What it has.
    pub features: &'static [Feature],
    /// Its bit in the rows of the registry.
    pub(crate) bit: u8,
    /// Types of columns, with weights.
    pub(crate) types: &'static [(u32, Type)],
    /// Settings.
    pub(crate) settings: &'static [Setting],
    /// Queries of its catalogue, by name.
    pub(crate) catalogue: &'static [&'static str],
    /// Bytes of a name that are kept.
    pub(crate) name_bytes: usize,
    /// What cuts a text: the word of the function.
    pub(crate) left: Cut,
    /// What an arithmetic result may be that its column refuses: SQLite's integers become reals.
    pub(crate) loose_numbers: bool,
}

/// How a text is cut to its first characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// `left(t, n)`
    Left,
    /// `substr(t, 1, n)`
    Substr,
}

impl Speech {
    /// Whether it has the feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }
}

pub(crate) const PG: u8 = 1;
pub(crate) const LITE: u8 = 2;
pub(crate) const MARIA: u8 = 4;
pub(crate) const DUCK: u8 = 8;

/// PostgreSQL, 12 and later.
pub const POSTGRES: Speech = Speech {
    of: "PostgreSQL",
    features: &[
        Feature::Schemas,
        Feature::MaterializedViews,
        Feature::Sequences,
        Feature::Cursors,
        Feature::Prepare,
        Feature::Copy,
        Feature::Truncate,
        Feature::Comment,
        Feature::Concurrently,
        Feature::AlterColumn,
        Feature::RenameAny,
        Feature::ReplaceView,
        Feature::RowLocks,
        Feature::LockTable,
        Feature::Levels,
        Feature::Cascade,
        Feature::DeleteUsing,
        Feature::Lateral,
        Feature::MaterializedWith,
        Feature::FullJoin,
        Feature::SetAll,
        Feature::VacuumTable,
        Feature::Cluster,
        Feature::Reindex,
        Feature::Generated,
        Feature::Settings,
        Feature::Discard,
        Feature::Returning,
        Feature::Oracles,
        Feature::IndexInPlan,
        Feature::Unlogged,
        Feature::Storage,
        Feature::Functions,
        Feature::Triggers,
        Feature::TriggerFunctions,
        Feature::Types,
        Feature::Roles,
        Feature::Merge,
        Feature::DropColumnIfExists,
        Feature::SchemaInTransactions,
        Feature::IndexNames,
        Feature::IndexExpressions,
        Feature::ViewsFollow,
        Feature::AggregateFilter,
        Feature::NullsOrder,
        Feature::GroupFrames,
        Feature::UpdateFrom,
        Feature::UpdateReturning,
        Feature::ConflictTarget,
        Feature::StrictUpkeep,
        Feature::RestartIdentity,
        Feature::SetLocal,
        Feature::Savepoints,
    ],
    bit: PG,
    types: &[
        (3, Type::Bool),
        (2, Type::Int2),
        (6, Type::Int4),
        (5, Type::Int8),
        (1, Type::Float4),
        (3, Type::Float8),
        (3, Type::Numeric(Some((18, 4)))),
        (6, Type::Text),
        (2, Type::Varchar(20)),
        (2, Type::Bytes),
        (2, Type::Date),
        (1, Type::Time),
        (2, Type::Timestamp),
        (2, Type::TimestampTz),
        (1, Type::Interval),
        (2, Type::Uuid),
        (2, Type::Jsonb),
    ],
    settings: &[
        Setting {
            name: "application_name",
            values: &["'gristmill'", "'a b'", "''"],
        },
        Setting {
            name: "work_mem",
            values: &["'64kB'", "'1MB'", "'16MB'"],
        },
        Setting {
            name: "enable_hashjoin",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_mergejoin",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_nestloop",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_seqscan",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_indexscan",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_indexonlyscan",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_bitmapscan",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_hashagg",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_memoize",
            values: &["off", "on"],
        },
        Setting {
            name: "enable_sort",
            values: &["off", "on"],
        },
        Setting {
            name: "jit",
            values: &["off", "on"],
        },
        Setting {
            name: "jit_above_cost",
            values: &["0", "100000"],
        },
        Setting {
            name: "max_parallel_workers_per_gather",
            values: &["0", "2"],
        },
        Setting {
            name: "parallel_setup_cost",
            values: &["0", "1000"],
        },
        Setting {
            name: "min_parallel_table_scan_size",
            values: &["0", "'8MB'"],
        },
        Setting {
            name: "plan_cache_mode",
            values: &["auto", "force_generic_plan", "force_custom_plan"],
        },
        Setting {
            name: "extra_float_digits",
            values: &["0", "1", "3"],
        },
        Setting {
            name: "synchronous_commit",
            values: &["off", "on", "local"],
        },
        Setting {
            name: "constraint_exclusion",
            values: &["on", "off", "partition"],
        },
        Setting {
            name: "join_collapse_limit",
            values: &["1", "8"],
        },
        Setting {
            name: "from_collapse_limit",
            values: &["1", "8"],
        },
        Setting {
            name: "geqo_threshold",
            values: &["2", "12"],
        },
        Setting {
            name: "cursor_tuple_fraction",
            values: &["0.1", "1.0"],
        },
    ],
    catalogue: &[
        "relations",
        "columns",
        "indexes",
        "views",
        "constraints",
        "locks",
        "dependencies",
        "roles",
        "settings",
        "statistics",
        "cursors",
        "prepared",
    ],
    name_bytes: 63,
    left: Cut::Left,
    loose_numbers: false,
};

/// SQLite, 3.39 and later.
pub const SQLITE: Speech = Speech {
    of: "SQLite",
    features: &[
        Feature::Returning,
        Feature::Oracles,
        Feature::IndexInPlan,
        Feature::FullJoin,
        Feature::Reindex,
        Feature::Settings,
        Feature::MaterializedWith,
        Feature::Triggers,
        Feature::SchemaInTransactions,
        Feature::IndexNames,
        Feature::IndexExpressions,
        Feature::ViewsFollow,
        Feature::AggregateFilter,
        Feature::NullsOrder,
        Feature::GroupFrames,
        Feature::UpdateFrom,
        Feature::UpdateReturning,
        Feature::ConflictTarget,
        Feature::StrictUpkeep,
        Feature::Savepoints,
    ],
    bit: LITE,
    types: &[
        (5, Type::Int8),
        (3, Type::Float8),
        (5, Type::Text),
        (2, Type::Bytes),
    ],
    settings: &[
        Setting {
            name: "cache_size",
            values: &["-64", "-2000", "100"],
        },
        Setting {
            name: "cache_spill",
            values: &["1", "0"],
        },
        Setting {
            name: "automatic_index",
            values: &["0", "1"],
        },
        Setting {
            name: "reverse_unordered_selects",
            values: &["0", "1"],
        },
        Setting {
            name: "analysis_limit",
            values: &["0", "100"],
        },
        Setting {
            name: "threads",
            values: &["0", "2"],
        },
    ],
    catalogue: &[
        "relations",
        "statistics",
        "indexes",
        "columns",
        "functions",
        "settings",
    ],
    name_bytes: 200,
    left: Cut::Substr,
    loose_numbers: true,
};

/// MariaDB, 10.6 and later. Names of its own databases, sequences and routines are left out.
pub const MARIADB: Speech = Speech {
    of: "MariaDB",
    features: &[
        Feature::Truncate,
        Feature::ReplaceView,
        Feature::RowLocks,
        Feature::Levels,
        Feature::SetAll,
        Feature::Settings,
        Feature::Returning,
        Feature::Savepoints,
        Feature::Oracles,
    ],
    bit: MARIA,
    types: &[
        (2, Type::Bool),
        (2, Type::Int4),
        (5, Type::Int8),
        (3, Type::Float8),
        (2, Type::Numeric(Some((18, 4)))),
        (5, Type::Text),
        (2, Type::Varchar(20)),
        (2, Type::Bytes),
        (2, Type::Date),
        (2, Type::Timestamp),
    ],
    settings: &[
        Setting {
            name: "join_cache_level",
            values: &["0", "2", "8"],
        },
        Setting {
            name: "optimizer_switch",
            values: &[
                "'default'",
                "'semijoin=off'",
                "'materialization=off'",
                "'derived_merge=off'",
                "'index_condition_pushdown=off'",
                "'mrr=on'",
                "'optimize_join_buffer_size=off'",
            ],
        },
        Setting {
            name: "optimizer_use_condition_selectivity",
            values: &["1", "3", "5"],
        },
        Setting {
            name: "optimizer_search_depth",
            values: &["0", "3", "62"],
        },
        Setting {
            name: "optimizer_prune_level",
            values: &["0", "1"],
        },
        Setting {
            name: "eq_range_index_dive_limit",
            values: &["0", "1", "200"],
        },
        Setting {
            name: "join_buffer_size",
            values: &["1024", "262144"],
        },
        Setting {
            name: "tmp_memory_table_size",
            values: &["0", "16777216"],
        },
        Setting {
            name: "max_heap_table_size",
            values: &["16384", "16777216"],
        },
        Setting {
            name: "use_stat_tables",
            values: &["'never'", "'preferably'"],
        },
    ],
    catalogue: &["relations", "columns", "indexes", "views"],
    name_bytes: 64,
    left: Cut::Left,
    loose_numbers: false,
};

/// DuckDB, 1.5. There are no savepoints and no locks of rows; a name in a schema of the run, sequences, types and macros are
/// left out.
pub const DUCKDB: Speech = Speech {
    of: "DuckDB",
    features: &[
        Feature::Truncate,
        Feature::ReplaceView,
        Feature::DeleteUsing,
        Feature::FullJoin,
        Feature::SetAll,
        Feature::MaterializedWith,
        Feature::Settings,
        Feature::Returning,
        Feature::Oracles,
        Feature::SchemaInTransactions,
        Feature::IndexNames,
        Feature::AggregateFilter,
        Feature::NullsOrder,
        Feature::UpdateFrom,
        Feature::UpdateReturning,
        Feature::ConflictTarget,
        Feature::StrictUpkeep,
    ],
    bit: DUCK,
    types: &[
        (3, Type::Bool),
        (3, Type::Int4),
        (5, Type::Int8),
        (3, Type::Float8),
        (3, Type::Numeric(Some((18, 4)))),
        (6, Type::Text),
        (2, Type::Bytes),
        (2, Type::Date),
        (2, Type::Timestamp),
    ],
    settings: &[
        Setting {
            name: "nested_loop_join_threshold",
            values: &["0", "5"],
        },
        Setting {
            name: "merge_join_threshold",
            values: &["0", "1000"],
        },
        Setting {
            name: "prefer_range_joins",
            values: &["true", "false"],
        },
        Setting {
            name: "perfect_ht_threshold",
            values: &["0", "12"],
        },
        Setting {
            name: "ordered_aggregate_threshold",
            values: &["1", "262144"],
        },
        Setting {
            name: "late_materialization_max_rows",
            values: &["0", "50"],
        },
    ],
    catalogue: &[
        "relations",
        "columns",
        "indexes",
        "views",
        "constraints",
        "dependencies",
        "settings",
    ],
    name_bytes: 200,
    left: Cut::Left,
    loose_numbers: false,
};
