//! Profiles by name, as data, and the swarm: a draw of which kinds exist at all in a run.
//!
//! Each profile is the default with some fields changed. Whatever is drawn is written into the [`Config`], which
//! goes into the plan; nothing is drawn behind its back.

use std::collections::BTreeMap;

use datagen::select::Walk;
use datagen::stream::{Stream, below, chance, draw};
use history::Level;

use super::config::{
    Config, Ends, Pools, Popularity, Reads, Rows, Shapes, TableOptions, Values, VisitKind, Writes,
};

/// A profile's name, what it is for, and what it changes of the default.
type Profile = (&'static str, &'static str, fn(&mut Config));

/// Every profile.
const PROFILES: &[Profile] = &[
    (
        "default",
        "some of everything; partitions come, go, and come back",
        |_| {},
    ),
    ("read-heavy", "nine visits of ten only read", read_heavy),
    ("write-heavy", "nine visits of ten write", write_heavy),
    (
        "narrow",
        "few partitions, so that reads of whole tables and visits meet",
        narrow,
    ),
    ("wide", "many partitions, a wide window, little returns", wide),
    ("zipf", "a few partitions get most visits, many get few", |c| {
        c.wide = Popularity::Zipf { count: 1023 };
        c.narrow = Popularity::Zipf { count: 31 };
    }),
    (
        "hot",
        "seven of eight visits go to four partitions, most of them to four rows",
        hot,
    ),
    ("rotation", "every partition in turn", |c| {
        c.wide = Popularity::Rotation { count: 256 }
    }),
    ("window", "partitions are retired and never come back", |c| {
        c.wide = Popularity::Window {
            width: 32,
            repeats: 4,
        };
    }),
    ("deletes", "half of the operations delete", deletes),
    (
        "transactions",
        "long visits on several partitions, many rolled back",
        transactions,
    ),
    (
        "points",
        "one row a visit: what a cache and an index see most",
        points,
    ),
];

/// The names of the profiles and what each is for, in the order in which they are told.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROFILES.iter().map(|&(name, about, _)| (name, about))
}

impl Config {
    /// The profile of this name; `None` when there is none.
    pub fn named(name: &str) -> Option<Config> {
        let (_, _, change) = PROFILES.iter().find(|(n, _, _)| *n == name)?;
        let mut config = Config::default();
        change(&mut config);
        Some(config)
    }

    /// Draws which kinds of writes, reads and visits exist at all, then their weights, from this profile.
    ///
    /// A kind that the profile has switched off stays off. At least one writing visit, one write that makes rows
    /// and one read stay. The result is a configuration like any other and passes [`Config::check`] if this one
    /// does.
    #[must_use]
    pub fn swarm(&self, seed: u64) -> Config {
        let mut config = self.clone();
        let bits = |what: u64, i: usize| draw(seed, Stream::Swarm, &[what, i as u64]);
        let redraw = |what: u64, weights: &mut [&mut u32]| {
            for (i, weight) in weights.iter_mut().enumerate() {
                let bits = bits(what, i);
                **weight = match **weight {
                    0 => 0,
                    _ if chance(bits, 1, 4) => 0,
                    // Half to twice the profile's weight, never 0.
                    w => (w.div_ceil(2)
                        + below(bits.rotate_left(32), u64::from(w) + u64::from(w / 2) + 1) as u32)
                        .max(1),
                };
            }
        };
        let w = &mut config.writes;
        redraw(
            0,
            &mut [
                &mut w.insert,
                &mut w.upsert,
                &mut w.update_all,
                &mut w.update_some,
                &mut w.shared,
                &mut w.delete_row,
                &mut w.delete_cells,
                &mut w.delete_range,
                &mut w.delete_slice,
                &mut w.delete_partition,
            ],
        );
        if w.insert + w.upsert == 0 {
            w.insert = self.writes.insert;
            w.upsert = self.writes.upsert;
        }
        if w.weights().iter().all(|&w| w == 0) {
            *w = self.writes.clone();
        }
        let r = &mut config.reads;
        redraw(
            1,
            &mut [
                &mut r.partition,
                &mut r.row,
                &mut r.rows,
                &mut r.slice,
                &mut r.range,
                &mut r.limit,
                &mut r.partitions,
                &mut r.table,
                &mut r.shared,
                &mut r.inner_join,
                &mut r.left_join,
                &mut r.predicate,
                &mut r.predicate_indexed,
                &mut r.aggregate,
                &mut r.group,
                &mut r.distinct,
            ],
        );
        // Whole partitions are what every kind of damage shows in.
        if r.partition == 0 {
            r.partition = self.reads.partition.max(1);
        }
        let e = &mut config.ends;
        redraw(2, &mut [&mut e.rollback, &mut e.savepoint, &mut e.savepoint_kept]);
        if e.weights().iter().all(|&w| w == 0) {
            *e = self.ends.clone();
        }
        // Visits keep their weights, because blocks must come out even; they are only switched off.
        for (i, visit) in config.visits.iter_mut().enumerate() {
            if chance(bits(3, i), 1, 4) {
                visit.weight = 0;
            }
        }
        for needed in [true, false] {
            let serves = |v: &VisitKind| {
                if needed {
                    v.writes > 0 && !v.strict
                } else {
                    v.reads > 0
                }
            };
            if !config.visits.iter().any(|v| v.weight > 0 && serves(v)) {
                for (visit, before) in config.visits.iter_mut().zip(&self.visits) {
                    if serves(before) {
                        visit.weight = before.weight;
                    }
                }
            }
        }
        config.rows.walk = match below(bits(4, 0), 4) {
            0 => Walk::Uniform,
            1 => Walk::Hot { rows: 4, in_16: 10 },
            _ => config.rows.walk,
        };
        config
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            level: Level::Serializable,
            sessions: 8,
            writes: Writes::default(),
            reads: Reads::default(),
            shapes: Shapes::default(),
            pools: Pools::default(),
            ends: Ends::default(),
            values: Values::default(),
            rows: Rows::default(),
            wide: Popularity::Returning {
                width: 32,
                repeats: 4,
            },
            narrow: Popularity::Rotation { count: 64 },
            tables: BTreeMap::<String, TableOptions>::new(),
            bookkeeping: false,
            share: None,
            lww: None,
            visits: visits([30, 2, 12, 8, 8, 32, 8]),
        }
    }
}

/// The seven kinds of visits, with these weights.
fn visits(weights: [u32; 7]) -> Vec<VisitKind> {
    let kinds = [
        ("write", 1, 1, 0),
        ("insert-strict", 1, 1, 0),
        ("batch", 1, 4, 0),
        ("read-write", 1, 3, 2),
        ("spread", 3, 6, 1),
        ("read", 0, 0, 1),
        ("reads", 0, 0, 3),
    ];
    kinds
        .into_iter()
        .zip(weights)
        .map(|((name, partitions, writes, reads), weight)| VisitKind {
            name: name.to_owned(),
            weight,
            partitions,
            writes,
            reads,
            autocommit: writes + reads == 1,
            strict: name == "insert-strict",
        })
        .collect()
}

impl Default for Writes {
    fn default() -> Writes {
        Writes {
            insert: 30,
            upsert: 20,
            update_all: 8,
            update_some: 14,
            shared: 8,
            delete_row: 8,
            delete_cells: 5,
            delete_range: 3,
            delete_slice: 3,
            delete_partition: 1,
        }
    }
}

impl Default for Reads {
    fn default() -> Reads {
        Reads {
            partition: 24,
            row: 16,
            rows: 6,
            slice: 8,
            range: 8,
            limit: 6,
            partitions: 4,
            table: 2,
            shared: 4,
            inner_join: 3,
            left_join: 3,
            predicate: 4,
            predicate_indexed: 4,
            aggregate: 4,
            group: 2,
            distinct: 2,
        }
    }
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes {
            ascending_in_16: 5,
            descending_in_16: 5,
            by_regular_in_16: 2,
            columns_in_16: 4,
            offset_in_16: 6,
            table_wide_in_16: 6,
            absent_in_16: 2,
            own_in_16: 10,
            numeric_sums: false,
        }
    }
}

impl Default for Pools {
    fn default() -> Pools {
        Pools {
            recent: 12,
            retired: 3,
            unvisited: 1,
        }
    }
}

impl Default for Ends {
    fn default() -> Ends {
        Ends {
            commit: 24,
            rollback: 4,
            savepoint: 3,
            savepoint_kept: 1,
        }
    }
}

impl Default for Values {
    fn default() -> Values {
        Values {
            null_in_256: 16,
            unset_in_256: 24,
            special_in_256: 16,
            recurring_in_256: 48,
            recurring_indexed_in_256: 160,
            recurring: 6,
        }
    }
}

impl Default for Rows {
    fn default() -> Rows {
        Rows {
            walk: Walk::Offset,
            per_visit: 3,
            per_partition: 48,
        }
    }
}

fn read_heavy(c: &mut Config) {
    c.visits = visits([5, 1, 2, 1, 1, 70, 20]);
}

fn write_heavy(c: &mut Config) {
    c.visits = visits([44, 2, 20, 12, 12, 8, 2]);
}

fn narrow(c: &mut Config) {
    c.wide = Popularity::Rotation { count: 16 };
    c.narrow = Popularity::Rotation { count: 16 };
    c.shapes.table_wide_in_16 = 12;
    c.reads.table = 8;
    c.rows.per_partition = 24;
}

fn wide(c: &mut Config) {
    c.wide = Popularity::Window {
        width: 256,
        repeats: 1,
    };
    c.narrow = Popularity::Rotation { count: 64 };
    c.rows.per_partition = 16;
}

fn hot(c: &mut Config) {
    c.wide = Popularity::Hot { hot: 4, cold: 252 };
    c.narrow = Popularity::Hot { hot: 4, cold: 28 };
    c.rows.walk = Walk::Hot { rows: 4, in_16: 12 };
}

fn deletes(c: &mut Config) {
    c.writes = Writes {
        delete_row: 28,
        delete_cells: 14,
        delete_range: 14,
        delete_slice: 14,
        delete_partition: 6,
        ..Writes::default()
    };
}

fn transactions(c: &mut Config) {
    c.visits = visits([8, 2, 24, 20, 24, 8, 14]);
    c.ends = Ends {
        commit: 16,
        rollback: 8,
        savepoint: 6,
        savepoint_kept: 2,
    };
}

fn points(c: &mut Config) {
    c.visits = visits([48, 2, 0, 0, 0, 50, 0]);
    c.writes = Writes {
        shared: 0,
        delete_range: 0,
        delete_slice: 0,
        delete_partition: 0,
        ..Writes::default()
    };
    c.reads = Reads {
        row: 1,
        ..Reads::NONE
    };
}
