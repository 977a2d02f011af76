//! Reads that show everything of a partition: what settling asks for, and what a validation asks for, and how.

use datagen::schema::{ColumnId, Table};
use datagen::value::Order;
use history::{
    Consistency, Extras, From, Level, Lts, Part, Parts, Query, Regenerate, RowChoice, Select, Stamp, Step,
};

/// What reads of a table ask for beside their statements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) level: Level,
    pub(crate) stamp: Option<Stamp>,
    /// Write timestamps, too.
    pub(crate) stamps: bool,
}

/// Visits that are looked through for what reads of a table ask for.
const LOOKED_THROUGH: u64 = 4096;

/// What the first reads of each table ask for; of a table that nobody reads, what the first visit does, in one order with
/// lightweight transactions where these write it.
pub(crate) fn asked(base: &dyn Regenerate, tables: usize) -> Vec<Asked> {
    let mut found: Vec<Option<Asked>> = vec![None; tables];
    let mut serial = vec![false; tables];
    let mut first = None;
    let mut next = Lts(1);
    while let Some(lts) = base.from(next).filter(|lts| lts.0 <= LOOKED_THROUGH) {
        next = Lts(lts.0 + 1);
        let Some(visit) = base.visit(lts) else { continue };
        let conditional = visit.stamp.is_some_and(|stamp| stamp.condition.is_some());
        for part in visit.writes.iter().filter(|_| conditional) {
            serial[usize::from(part.table)] = true;
        }
        // What belongs to a write is nothing to a read.
        let stamp = visit.stamp.map(|stamp| Stamp {
            ttl: None,
            condition: None,
            ..stamp
        });
        let asks = |stamps| Asked {
            level: visit.level,
            stamp,
            stamps,
        };
        first = first.or_else(|| Some(asks(false)));
        for step in &visit.steps {
            if let Step::Read(query) = step {
                let known = found[usize::from(query.table)].get_or_insert_with(|| asks(false));
                known.stamps |= query.extras.stamps;
            }
        }
        if found
            .iter()
            .all(|asks| asks.is_some_and(|asks| asks.stamps || asks.stamp.is_none()))
        {
            break;
        }
    }
    let other = first.unwrap_or(Asked {
        level: Level::Serializable,
        stamp: None,
        stamps: false,
    });
    let unread = |serial: bool| {
        let stamp = other.stamp.map(|stamp| Stamp {
            consistency: if serial {
                Consistency::Serial
            } else {
                stamp.consistency
            },
            ..stamp
        });
        Asked { stamp, ..other }
    };
    let all = found.into_iter().zip(serial);
    all.map(|(asks, serial)| asks.unwrap_or_else(|| unread(serial)))
        .collect()
}

/// The rows of a partition in an order, with all of its row's columns; with the shared cells in each where rows carry them.
pub(crate) fn rows(table: &Table, part: Part, order: Vec<(ColumnId, Order)>, carried: bool) -> Query {
    let clustering = table.clustering.iter().map(|k| k.column.id);
    let regular = table.regular.iter().map(|c| c.id);
    let shared = table.shared.iter().filter(|_| carried).map(|c| c.id);
    let columns = clustering.chain(regular).chain(shared).collect();
    read(From::Table, part, columns, order)
}

/// The shared cells of a partition; `None` where its table has none.
pub(crate) fn shared(table: &Table, part: Part) -> Option<Query> {
    let columns: Vec<_> = table.shared.iter().map(|c| c.id).collect();
    (!columns.is_empty()).then(|| read(From::Shared, part, columns, Vec::new()))
}

fn read(from: From, part: Part, columns: Vec<ColumnId>, order: Vec<(ColumnId, Order)>) -> Query {
    Query {
        table: part.table,
        from,
        parts: Parts::One(part.position),
        rows: RowChoice::All,
        filter: Vec::new(),
        select: Select::Columns(columns),
        order,
        limit: None,
        offset: 0,
        extras: Extras::default(),
    }
}
