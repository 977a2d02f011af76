//! Configuration and schema into the selector's shares, and closed-form numbers for what decks deal.

use datagen::schema::{Schema, SizeClass};
use datagen::select::{self, Members, Seat, ShareOf};

use super::config::{Config, Mistake, Popularity};
use super::view;

/// The greatest weight of a table.
const TABLE_WEIGHT_MAX: u32 = 10_000;

/// Mistakes that show only beside the schema.
pub(super) fn mistakes(config: &Config, schema: &Schema) -> Vec<Mistake> {
    let mut found: Vec<Mistake> = config
        .tables
        .keys()
        .filter(|name| !schema.tables.iter().any(|table| table.name == **name))
        .map(|name| Mistake {
            key: format!("tables.{name}"),
            value: "given".to_owned(),
            remedy: {
                let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
                format!("the schema has no such table; it has {}", names.join(", "))
            },
        })
        .collect();
    for (name, options) in &config.tables {
        if let Some(weight) = options.weight.filter(|&weight| weight > TABLE_WEIGHT_MAX) {
            found.push(Mistake {
                key: format!("tables.{name}.weight"),
                value: weight.to_string(),
                remedy: format!("at most {TABLE_WEIGHT_MAX} is possible"),
            });
        }
    }
    if found.is_empty() && in_use(config, schema).is_empty() {
        found.push(Mistake {
            key: "tables".to_owned(),
            value: match config.share {
                None => "all of weight 0".to_owned(),
                Some(share) => format!("without a partition for {} of {}", share.index, share.of),
            },
            remedy: "give at least one table a weight".to_owned(),
        });
    }
    found
}

/// The numbers of the tables with a weight.
fn in_use(config: &Config, schema: &Schema) -> Vec<u16> {
    (0..)
        .zip(&schema.tables)
        .filter(|(_, table)| weight(config, &table.name) > 0 && view::partitions(config, table) > 0)
        .map(|(number, _)| number)
        .collect()
}

fn weight(config: &Config, table: &str) -> u32 {
    config
        .tables
        .get(table)
        .and_then(|options| options.weight)
        .unwrap_or(1)
}

/// The weights of these tables, in their order.
pub(super) fn table_weights(config: &Config, schema: &Schema, tables: &[u16]) -> Vec<u32> {
    tables
        .iter()
        .map(|&table| weight(config, &schema.tables[usize::from(table)].name))
        .collect()
}

/// The shares of all tables in use, weighted so that each table gets its weight, and these tables.
///
/// `partitions[t]` is how many partitions table t can have.
pub(super) fn shares(config: &Config, schema: &Schema, partitions: &[u64]) -> (Vec<ShareOf>, Vec<u16>) {
    let tables = in_use(config, schema);
    let mut popularity = Vec::with_capacity(tables.len());
    for &number in &tables {
        let table = &schema.tables[usize::from(number)];
        let own = config
            .tables
            .get(&table.name)
            .and_then(|options| options.popularity.as_ref());
        let default = match table.size {
            SizeClass::Narrow { .. } => &config.narrow,
            SizeClass::Wide => &config.wide,
        };
        popularity.push(shares_of(own.unwrap_or(default), partitions[usize::from(number)]));
    }
    let common = popularity.iter().map(|shares| total(shares)).fold(1, lcm);
    let mut all = Vec::new();
    for (&table, shares) in tables.iter().zip(popularity) {
        let times = common / total(&shares) * weight(config, &schema.tables[usize::from(table)].name);
        let first = all.len();
        all.extend(shares.into_iter().map(|(weight, members)| ShareOf {
            table,
            weight: weight * times,
            members: match members {
                // Within its table the share is counted from 0.
                Members::Returning { window } => Members::Returning {
                    window: first + window,
                },
                members => members,
            },
        }));
    }
    (all, tables)
}

/// A table's shares, cut down to the partitions that there are. An explicit list is not cut down.
fn shares_of(popularity: &Popularity, limit: u64) -> Vec<(u32, Members)> {
    match popularity {
        Popularity::Window { width, repeats } => select::window(*width, *repeats),
        Popularity::Returning { width, repeats } => select::returning_window(*width, *repeats),
        Popularity::Rotation { count } => select::rotation((*count).min(limit)),
        Popularity::Hot { hot, cold } if *hot >= limit || *cold == 0 => select::rotation((*hot).min(limit)),
        Popularity::Hot { hot, cold } => select::hot_cold(*hot, (*cold).min(limit - hot)),
        Popularity::Zipf { count } => select::zipf((*count).min(limit)),
        Popularity::List { positions } => select::list(positions),
    }
}

fn total(shares: &[(u32, Members)]) -> u32 {
    shares.iter().map(|(weight, _)| weight).sum()
}

fn lcm(a: u32, b: u32) -> u32 {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

/// Numbers 0, 1, 2, … without gaps for something that each visit of a role has `each` of.
#[derive(Debug)]
pub(super) struct Numbering {
    per_block: u64,
    /// Per role: its visits in a block, the first number in the block, how many each visit has.
    roles: Vec<(u64, u64, u64)>,
}

impl Numbering {
    /// From (visits in a block, how many each has) of every role.
    pub(super) fn new(roles: impl Iterator<Item = (u64, u64)>) -> Numbering {
        let mut per_block = 0;
        let roles = roles
            .map(|(visits, each)| {
                let first = per_block;
                per_block += visits * each;
                (visits, first, each)
            })
            .collect();
        Numbering { per_block, roles }
    }

    /// How many numbers a block has.
    #[cfg(test)]
    pub(super) fn per_block(&self) -> u64 {
        self.per_block
    }

    /// The first number of the visit in this seat.
    pub(super) fn first(&self, seat: &Seat) -> u64 {
        let (visits, first, each) = self.roles[seat.role];
        seat.block * self.per_block + first + (seat.ordinal - seat.block * visits) * each
    }
}
