//! What a small history asks: visits, writes and queries of every kind, drawn from a seed.

use datagen::schema::{ColumnId, Schema, Table};
use datagen::stream::mix;
use datagen::universe::Slice;
use datagen::value::Order;
use history::{
    Aggregate, Cells, End, From, Level, Lts, Op, Part, Parts, Predicate, Query, Relation, RowChoice, Select,
    Step, Visit,
};

/// Draws in a row from one seed.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x6772_6973_746d_696c))
    }

    /// Below `n`, which is at least 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mix(self.0) % n as u64).expect("below n")
    }

    /// True one time in `n`.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

fn draw_part(draws: &mut Draws, crowded: bool) -> Part {
    Part {
        table: u16::from(draws.one_in(if crowded { 6 } else { 2 })),
        position: draws.below(if crowded { 1 } else { 3 }) as u64,
    }
}

/// One visit.
pub(crate) fn draw_visit(draws: &mut Draws, schema: &Schema, lts: Lts, slow: bool) -> Visit {
    let mut visit = Visit {
        stamp: None,
        lts,
        level: Level::Serializable,
        writes: Vec::new(),
        steps: Vec::new(),
        end: End::Commit,
    };
    if draws.one_in(3) || (slow && draws.below(5) > 1) {
        for _ in 0..=draws.below(3) {
            visit.steps.push(Step::Read(draw_query(draws, schema, slow)));
        }
        if visit.steps.len() == 1 {
            visit.end = End::Autocommit;
        }
        return visit;
    }
    let mut parts: Vec<Part> = (0..=draws.below(2)).map(|_| draw_part(draws, slow)).collect();
    parts.sort_unstable();
    parts.dedup();
    if draws.one_in(12) {
        let op = match draw_insert(draws, schema, parts[0]) {
            Op::Insert { part, row, cells, .. } => Op::Insert {
                part,
                row,
                cells,
                strict: true,
            },
            other => other,
        };
        visit.steps.push(Step::Write(op));
    }
    let mut saved = false;
    for _ in 0..=draws.below(4) {
        let step = match draws.below(10) {
            0 | 1 => Step::Read(draw_query(draws, schema, slow)),
            2 if saved => Step::RollbackTo(1),
            3 => {
                saved = true;
                Step::Savepoint(1)
            }
            _ => {
                let part = draws.pick(&parts);
                Step::Write(draw_op(draws, schema, part))
            }
        };
        visit.steps.push(step);
    }
    visit.writes = parts;
    let simple =
        matches!(visit.steps.as_slice(), [Step::Write(op)] if !matches!(op, Op::DeletePartition { .. }));
    visit.end = match draws.below(6) {
        0 => End::Rollback,
        1..=3 if simple && visit.writes.len() == 1 => End::Autocommit,
        _ => End::Commit,
    };
    visit
}

fn draw_value(draws: &mut Draws, table: &Table, column: ColumnId) -> Option<u64> {
    if draws.one_in(5) {
        return None;
    }
    let domain = table.domain(column);
    if draws.one_in(3) && !domain.specials().is_empty() {
        return Some(draws.pick(domain.specials()));
    }
    let size = u64::try_from(domain.size().min(1 << 60)).expect("at most 2^60");
    Some(size / 4 * draws.below(4) as u64)
}

fn draw_cells(draws: &mut Draws, table: &Table, columns: &[ColumnId], least: usize) -> Cells {
    let mut chosen: Vec<ColumnId> = columns.iter().copied().filter(|_| draws.one_in(2)).collect();
    if chosen.len() < least {
        chosen = vec![draws.pick(columns)];
    }
    chosen
        .into_iter()
        .map(|c| (c, draw_value(draws, table, c)))
        .collect()
}

fn ids(columns: &[datagen::schema::Column]) -> Vec<ColumnId> {
    columns.iter().map(|c| c.id).collect()
}

fn draw_row(draws: &mut Draws, table: &Table) -> u64 {
    let n = usize::try_from(table.rows().len()).expect("few rows");
    draws.below(n) as u64
}

fn draw_insert(draws: &mut Draws, schema: &Schema, part: Part) -> Op {
    let table = schema.table(part.table);
    let row = draw_row(draws, table);
    Op::Insert {
        part,
        row,
        cells: draw_cells(draws, table, &ids(&table.regular), 0),
        strict: false,
    }
}

pub(crate) fn draw_op(draws: &mut Draws, schema: &Schema, part: Part) -> Op {
    let table = schema.table(part.table);
    let row = draw_row(draws, table);
    let regular = ids(&table.regular);
    match draws.below(12) {
        0..=2 => draw_insert(draws, schema, part),
        3..=5 => Op::Upsert {
            part,
            row,
            cells: draw_cells(draws, table, &regular, 1),
        },
        6 | 7 => Op::Update {
            part,
            row,
            cells: draw_cells(draws, table, &regular, 1),
        },
        8 if !table.shared.is_empty() => Op::Shared {
            part,
            cells: draw_cells(draws, table, &ids(&table.shared), 1),
        },
        9 => Op::DeleteRow { part, row },
        10 if draws.one_in(2) => Op::DeleteCells {
            part,
            row,
            columns: draw_cells(draws, table, &regular, 1)
                .into_iter()
                .map(|(c, _)| c)
                .collect(),
        },
        11 if draws.one_in(3) => Op::DeletePartition { part },
        _ => Op::DeleteSlice {
            part,
            slice: draw_slice(draws, table),
        },
    }
}

fn draw_slice(draws: &mut Draws, table: &Table) -> Slice {
    let rows = table.rows();
    let digit = |j: usize, draws: &mut Draws| {
        u32::try_from(draws.below(usize::try_from(rows.radix(j)).expect("small"))).expect("small")
    };
    let depth = draws.below(rows.columns());
    let prefix: Vec<u32> = (0..depth).map(|j| digit(j, draws)).collect();
    let bound = |draws: &mut Draws| {
        if draws.one_in(3) {
            None
        } else {
            Some((digit(depth, draws), draws.one_in(2)))
        }
    };
    let (lower, upper) = (bound(draws), bound(draws));
    Slice { prefix, lower, upper }
}

/// A question about what is inside of a collection, mostly; nothing is drawn for other columns.
fn draw_inside(draws: &mut Draws, table: &Table, column: ColumnId) -> Option<Predicate> {
    let inside = table.domain(column).inside()?;
    let relation = draws.pick(&[
        Relation::Contains,
        Relation::ContainsKey,
        Relation::ContainsEntry,
        Relation::Eq,
    ]);
    let count = inside.count(relation.inner()?).min(3);
    (count > 0).then(|| Predicate {
        column,
        relation,
        value: draws.below(usize::try_from(count).expect("few")) as u64,
    })
}

pub(crate) fn draw_query(draws: &mut Draws, schema: &Schema, crowded: bool) -> Query {
    let part = draw_part(draws, crowded);
    let table = schema.table(part.table);
    let parts = match draws.below(6) {
        0 if part.table == 1 => Parts::All,
        1 => {
            let mut list: Vec<u64> = (0..=draws.below(3)).map(|_| draws.below(3) as u64).collect();
            list.sort_unstable();
            list.dedup();
            Parts::In(list)
        }
        _ => Parts::One(part.position),
    };
    let shares = !table.shared.is_empty();
    let from = match draws.below(8) {
        0 if shares => From::Shared,
        1 if shares => From::InnerJoin,
        2 if shares => From::LeftJoin,
        _ => From::Table,
    };
    let rows = match draws.below(8) {
        _ if from == From::Shared || (crowded && !draws.one_in(4)) => RowChoice::All,
        0 => RowChoice::One(draw_row(draws, table)),
        1 => {
            let mut list: Vec<u64> = (0..=draws.below(4)).map(|_| draw_row(draws, table)).collect();
            list.sort_unstable();
            list.dedup();
            RowChoice::In(list)
        }
        2 | 3 => RowChoice::Slice(draw_slice(draws, table)),
        _ => RowChoice::All,
    };
    let keys: Vec<ColumnId> = table.partition.iter().map(|k| k.column.id).collect();
    let clustering: Vec<ColumnId> = table.clustering.iter().map(|k| k.column.id).collect();
    let mut cells = Vec::new();
    if from != From::Shared {
        cells.extend(ids(&table.regular));
    }
    if from != From::Table {
        cells.extend(ids(&table.shared));
    }
    let mut all = keys;
    if from != From::Shared {
        all.extend(clustering);
    }
    all.extend(&cells);
    let filter = (0..2)
        .filter(|_| draws.one_in(4))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|_| {
            let column = draws.pick(&cells);
            if let Some(inside) = draw_inside(draws, table, column) {
                return inside;
            }
            let relation = draws.pick(&[
                Relation::Eq,
                Relation::Ne,
                Relation::Lt,
                Relation::Le,
                Relation::Gt,
                Relation::Ge,
                Relation::IsNull,
                Relation::IsNotNull,
            ]);
            Predicate {
                column,
                relation,
                value: draw_value(draws, table, column).unwrap_or(0),
            }
        })
        .collect();
    // Floats keep −0 beside 0: not for GROUP BY, DISTINCT, min and max.
    let exact: Vec<ColumnId> = all
        .iter()
        .copied()
        .filter(|c| (part.table, c.0) != (0, 6))
        .collect();
    let some = |draws: &mut Draws, of: &[ColumnId]| {
        let mut chosen: Vec<ColumnId> = of.iter().copied().filter(|_| draws.below(3) > 0).collect();
        if chosen.is_empty() {
            chosen.push(draws.pick(of));
        }
        if draws.one_in(4) {
            let i = draws.below(chosen.len());
            chosen.swap(0, i);
        }
        chosen
    };
    let aggregates = |draws: &mut Draws| {
        let number = ColumnId(if part.table == 0 { 3 } else { 2 });
        (0..=draws.below(2))
            .map(|_| match draws.below(5) {
                0 => Aggregate::CountRows,
                1 => Aggregate::Count(draws.pick(&exact)),
                2 => Aggregate::Min(draws.pick(&exact)),
                3 => Aggregate::Max(draws.pick(&exact)),
                _ if from == From::Shared => Aggregate::CountRows,
                _ => Aggregate::Sum(number),
            })
            .collect::<Vec<_>>()
    };
    let select = match draws.below(10) {
        0 => Select::Distinct(some(draws, &exact)),
        1 | 2 => Select::Aggregates(aggregates(draws)),
        3 => Select::Group {
            by: vec![draws.pick(&exact)],
            aggregates: aggregates(draws),
        },
        4..=6 => Select::Columns(all.clone()),
        _ => Select::Columns(some(draws, &all)),
    };
    let sortable: Vec<ColumnId> = match &select {
        Select::Columns(_) => all.clone(),
        Select::Distinct(c) => c.clone(),
        Select::Group { by, .. } => by.clone(),
        Select::Aggregates(_) => Vec::new(),
    };
    let mut order = Vec::new();
    if !sortable.is_empty() && draws.one_in(2) {
        let natural: Vec<ColumnId> = table.clustering.iter().map(|k| k.column.id).collect();
        if matches!(select, Select::Columns(_)) && from != From::Shared && draws.one_in(2) {
            let turned = draws.one_in(2);
            for (k, c) in table.clustering.iter().zip(natural) {
                let order_of = if (k.order == Order::Desc) == turned {
                    Order::Asc
                } else {
                    Order::Desc
                };
                order.push((c, order_of));
            }
        } else {
            for _ in 0..=draws.below(2) {
                order.push((draws.pick(&sortable), draws.pick(&[Order::Asc, Order::Desc])));
            }
        }
    }
    let limit = (!order.is_empty() && draws.one_in(2)).then(|| u32::try_from(draws.below(5)).expect("small"));
    let offset = if limit.is_some() && draws.one_in(3) {
        u32::try_from(draws.below(3)).expect("small")
    } else {
        0
    };
    Query {
        extras: history::Extras::default(),
        table: part.table,
        from,
        parts,
        rows,
        filter,
        select,
        order,
        limit,
        offset,
    }
}
