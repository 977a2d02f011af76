//! Reads: which kind, over which partitions and rows, and what comes back of them.
//!
//! Columns are compared, sorted and grouped by only where equal values are identical; elsewhere −0 and 0 would be
//! two groups here and one there.

use datagen::domain::Inner;
use datagen::schema::ColumnId;
use datagen::select::Pool;
use datagen::value::Order;
use history::{Aggregate, From, Parts, Predicate, Query, Relation, RowChoice, Select};

use super::config::{AGGREGATE_OPEN_MAX, IN_MAX};
use super::dice::Dice;
use super::lww;
use super::view::{Column, View};
use super::write::slice;
use super::{Partitions, Spot};

/// Kinds of reads, in the order of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Partition,
    Row,
    Rows,
    Slice,
    Range,
    Limit,
    Partitions,
    Table,
    Shared,
    InnerJoin,
    LeftJoin,
    Predicate,
    PredicateIndexed,
    Aggregate,
    Group,
    Distinct,
}

impl Kind {
    pub(super) const ALL: [Kind; 16] = [
        Kind::Partition,
        Kind::Row,
        Kind::Rows,
        Kind::Slice,
        Kind::Range,
        Kind::Limit,
        Kind::Partitions,
        Kind::Table,
        Kind::Shared,
        Kind::InnerJoin,
        Kind::LeftJoin,
        Kind::Predicate,
        Kind::PredicateIndexed,
        Kind::Aggregate,
        Kind::Group,
        Kind::Distinct,
    ];

    /// What stands for this kind in a table that cannot do it.
    fn on(self, view: &View) -> Kind {
        let fits = |c: &Column| c.identity || c.made_of_others;
        let comparable = |indexed: bool| view.regular.iter().any(|c| fits(c) && c.indexed == indexed);
        match self {
            Kind::Table if !view.narrow => Kind::Partitions,
            Kind::Shared | Kind::InnerJoin | Kind::LeftJoin if view.shared.is_empty() => Kind::Partition,
            Kind::Rows | Kind::Slice | Kind::Range if view.clustering.is_empty() => Kind::Row,
            Kind::PredicateIndexed if !comparable(true) => Kind::Predicate.on(view),
            Kind::Predicate if !comparable(false) => Kind::Partition,
            Kind::Group | Kind::Distinct if view.grouping.is_empty() => Kind::Partition,
            kind => kind,
        }
    }
}

/// What is being drawn: the read `i` of visit `n`, number `number` of the run.
struct Drawing<'a> {
    p: &'a Partitions,
    n: u64,
    number: u64,
    dice: Dice,
    view: &'a View,
    /// The partition that everything is about.
    position: u64,
}

/// The read `i` of visit `n`; `own` are the partitions that the visit writes, if any.
pub(super) fn query(p: &Partitions, n: u64, i: u64, number: u64, own: &[Spot<'_>]) -> Query {
    let mut dice = Dice::new(p.keys.query.at(&[n, i]));
    let kind = Kind::ALL[p.read_deck.deal(number)];
    let (view, position) = match dice.pick(own) {
        Some(spot) if dice.in_16(p.config.shapes.own_in_16) => (spot.view, spot.part.position),
        _ => {
            let view = p.view(p.tables_in_use[p.table_deck.deal(number)]);
            let index = pooled(p, n, number, view.table, &mut dice);
            (view, view.position(index))
        }
    };
    let mut drawing = Drawing {
        p,
        n,
        number,
        dice,
        view,
        position,
    };
    let query = drawing.draw(kind.on(view));
    match &p.config.lww {
        None => query,
        // A list of visits is asked for as it is.
        Some(_) if query.table != view.table => query,
        Some(lww) => lww::fit(lww, &mut drawing.dice, view, position, query),
    }
}

/// A partition of the table for a reader, by the weights of the pools.
fn pooled(p: &Partitions, n: u64, number: u64, table: u16, dice: &mut Dice) -> u64 {
    let shares = p.selector.shares_of_table(table);
    let share = *dice.pick(shares).expect("a table in use has a share");
    let pool = [Pool::Recent, Pool::Retired, Pool::Unvisited][p.pool_deck.deal(number)];
    let bits = dice.bits();
    p.selector
        .pooled(n, share, pool, bits)
        .or_else(|| p.selector.pooled(n, share, Pool::Recent, bits))
        .expect("something is recent in every share")
}

impl Drawing<'_> {
    fn draw(&mut self, kind: Kind) -> Query {
        match kind {
            Kind::Partition if self.p.config.bookkeeping && self.looks_at_its_visits() => self.visits(),
            Kind::Partition => {
                let order = self.order(false);
                self.rows_of(self.one(), RowChoice::All, order)
            }
            Kind::Row => {
                let row = self.row();
                self.rows_of(self.one(), RowChoice::One(row), Vec::new())
            }
            Kind::Rows => {
                let rows = self.several(2, Self::row);
                let order = self.order(false);
                self.rows_of(self.one(), RowChoice::In(rows), order)
            }
            Kind::Slice | Kind::Range => {
                let rows = self.slice(kind == Kind::Range);
                let parts = if self.dice.in_16(2) {
                    self.some_partitions()
                } else {
                    self.one()
                };
                let order = self.order(!matches!(parts, Parts::One(_)));
                self.rows_of(parts, rows, order)
            }
            Kind::Limit => self.limit(),
            Kind::Partitions => {
                let parts = self.some_partitions();
                let order = self.order(true);
                self.rows_of(parts, RowChoice::All, order)
            }
            Kind::Table => {
                let order = self.order(true);
                self.rows_of(Parts::All, RowChoice::All, order)
            }
            Kind::Shared => self.shared(),
            Kind::InnerJoin | Kind::LeftJoin => self.join(kind),
            Kind::Predicate | Kind::PredicateIndexed => {
                let parts = self.parts(self.view.narrow);
                let rows = if self.dice.in_16(3) {
                    self.slice_or_all()
                } else {
                    RowChoice::All
                };
                let filter = self.filter(Some(kind == Kind::PredicateIndexed));
                let order = self.order(!matches!(parts, Parts::One(_)));
                Query {
                    filter,
                    ..self.rows_of(parts, rows, order)
                }
            }
            Kind::Aggregate => {
                let aggregates = self.aggregates(3);
                self.counted(Select::Aggregates(aggregates), Vec::new())
            }
            Kind::Group => {
                let by = *self.dice.pick(&self.view.grouping).expect("Kind::on has looked");
                let aggregates = self.aggregates(2);
                let order = self.order_by_groups(&[by]);
                self.counted(
                    Select::Group {
                        by: vec![by],
                        aggregates,
                    },
                    order,
                )
            }
            Kind::Distinct => {
                let columns = &self.view.grouping;
                let first = self.dice.below(columns.len());
                let mut chosen = vec![columns[first]];
                if self.dice.in_16(5) && columns.len() > 1 {
                    chosen.push(columns[(first + 1) % columns.len()]);
                }
                let order = self.order_by_groups(&chosen);
                self.counted(Select::Distinct(chosen), order)
            }
        }
    }

    fn looks_at_its_visits(&mut self) -> bool {
        self.p.list(self.view.table).is_some() && self.dice.in_16(8)
    }

    /// The numbers of the visits of a partition.
    fn visits(&mut self) -> Query {
        let list = self
            .p
            .list(self.view.table)
            .expect("it was looked whether there is one");
        let order = match self.dice.below(3) {
            0 => Vec::new(),
            1 => vec![(list.columns[0], Order::Asc)],
            _ => vec![(list.columns[0], Order::Desc)],
        };
        let query = self.plain(
            From::Table,
            self.one(),
            RowChoice::All,
            Select::Columns(list.columns.to_vec()),
            order,
        );
        Query {
            table: list.table,
            ..query
        }
    }

    /// Rows with all their columns, or some of them.
    fn rows_of(&mut self, parts: Parts, rows: RowChoice, order: Vec<(ColumnId, Order)>) -> Query {
        let columns = self.columns(&self.view.row_columns);
        self.plain(From::Table, parts, rows, Select::Columns(columns), order)
    }

    fn plain(
        &self,
        from: From,
        parts: Parts,
        rows: RowChoice,
        select: Select,
        order: Vec<(ColumnId, Order)>,
    ) -> Query {
        Query {
            extras: history::Extras::default(),
            table: self.view.table,
            from,
            parts,
            rows,
            filter: Vec::new(),
            select,
            order,
            limit: None,
            offset: 0,
        }
    }

    /// LIMIT, perhaps OFFSET, under some order: total, or with ties.
    fn limit(&mut self) -> Query {
        let wide = self.view.narrow && self.table_wide();
        let parts = if wide { Parts::All } else { self.one() };
        let rows = if self.dice.in_16(4) {
            self.slice_or_all()
        } else {
            RowChoice::All
        };
        let mut order = self.order(wide);
        if order.is_empty() {
            order = self.key_order(wide, false);
        }
        let limit = 1 + self.dice.below(8) as u32;
        let offset = if self.dice.in_16(self.p.config.shapes.offset_in_16) {
            1 + self.dice.below(5) as u32
        } else {
            0
        };
        let query = self.rows_of(parts, rows, order);
        // Without anything to order by there is one row a partition, and no LIMIT.
        if query.order.is_empty() {
            query
        } else {
            Query {
                limit: Some(limit),
                offset,
                ..query
            }
        }
    }

    fn shared(&mut self) -> Query {
        let parts = self.parts(self.view.narrow);
        let columns = self.columns(&self.view.shared_columns);
        let many = !matches!(parts, Parts::One(_));
        let order = if many && self.dice.in_16(8) {
            self.keys_in(Order::Asc)
        } else {
            Vec::new()
        };
        self.plain(
            From::Shared,
            parts,
            RowChoice::All,
            Select::Columns(columns),
            order,
        )
    }

    fn join(&mut self, kind: Kind) -> Query {
        let from = if kind == Kind::InnerJoin {
            From::InnerJoin
        } else {
            From::LeftJoin
        };
        let parts = self.parts(self.view.narrow);
        let rows = match self.dice.below(4) {
            0 => RowChoice::One(self.row()),
            1 => self.slice_or_all(),
            _ => RowChoice::All,
        };
        let columns = self.columns(&self.view.joined_columns);
        let filter = if self.dice.in_16(4) {
            self.filter(None)
        } else {
            Vec::new()
        };
        let order = self.order(!matches!(parts, Parts::One(_)));
        Query {
            filter,
            ..self.plain(from, parts, rows, Select::Columns(columns), order)
        }
    }

    /// Aggregates, groups and distinct values, where few visits can be open (F11).
    fn counted(&mut self, select: Select, order: Vec<(ColumnId, Order)>) -> Query {
        let few_open = self.p.config.sessions <= AGGREGATE_OPEN_MAX;
        let parts = self.parts(self.view.narrow && few_open);
        let rows = if self.dice.in_16(4) {
            self.slice_or_all()
        } else {
            RowChoice::All
        };
        let filter = if self.dice.in_16(4) {
            self.filter(None)
        } else {
            Vec::new()
        };
        Query {
            filter,
            ..self.plain(From::Table, parts, rows, select, order)
        }
    }

    fn table_wide(&mut self) -> bool {
        self.dice.in_16(self.p.config.shapes.table_wide_in_16)
    }

    fn one(&self) -> Parts {
        Parts::One(self.position)
    }

    /// One partition, several, or where `all` allows it the whole table.
    fn parts(&mut self, all: bool) -> Parts {
        if all && self.table_wide() {
            Parts::All
        } else if self.dice.in_16(3) {
            self.some_partitions()
        } else {
            self.one()
        }
    }

    /// Two to eight partitions by IN, this one among them; fewer where the table has fewer.
    fn some_partitions(&mut self) -> Parts {
        let mut positions = self.several(1, |d| {
            let index = pooled(d.p, d.n, d.number, d.view.table, &mut d.dice);
            d.view.position(index)
        });
        if let Err(at) = positions.binary_search(&self.position) {
            positions.insert(at, self.position);
        }
        positions.truncate(usize::from(IN_MAX));
        Parts::In(positions)
    }

    /// `least` to seven draws, sorted, each once.
    fn several(&mut self, least: usize, draw: impl Fn(&mut Self) -> u64) -> Vec<u64> {
        let count = least + self.dice.below(usize::from(IN_MAX) - least);
        let mut drawn: Vec<u64> = (0..count).map(|_| draw(self)).collect();
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }

    /// The position of a row: mostly one that operations write.
    fn row(&mut self) -> u64 {
        let (rows, all) = (self.view.rows, self.view.universe.len());
        let index = if all > rows && self.dice.in_16(self.p.config.shapes.absent_in_16) {
            // Next to the rows in use, so that it is never written and yet between them in key order.
            rows + self.dice.below((all - rows).min(rows) as usize) as u64
        } else {
            self.dice.below(rows as usize) as u64
        };
        self.view.row(self.position, index)
    }

    fn slice(&mut self, both: bool) -> RowChoice {
        let (a, b) = (self.row(), self.row());
        RowChoice::Slice(slice(self.view, a, b, both, &mut self.dice))
    }

    fn slice_or_all(&mut self) -> RowChoice {
        if self.view.clustering.is_empty() {
            return RowChoice::All;
        }
        let both = self.dice.in_16(8);
        self.slice(both)
    }

    /// ORDER BY of rows: none, the keys' own order or its reverse, or a regular column with ties.
    fn order(&mut self, many: bool) -> Vec<(ColumnId, Order)> {
        let shapes = &self.p.config.shapes;
        let die = (self.dice.bits() >> 60) as u8;
        if die >= shapes.ascending_in_16.saturating_add(shapes.descending_in_16) {
            return Vec::new();
        }
        let reverse = die >= shapes.ascending_in_16;
        if self.dice.in_16(shapes.by_regular_in_16) {
            let regular: Vec<&Column> = self.view.regular.iter().filter(|c| c.identity).collect();
            if let Some(column) = self.dice.pick(&regular) {
                let mut order = vec![(column.id, if reverse { Order::Desc } else { Order::Asc })];
                if self.dice.in_16(8) {
                    order.extend(self.key_order(many, reverse));
                }
                return order;
            }
        }
        // Over several partitions, sometimes by the clustering key alone: ties again.
        let keys = many && !self.dice.in_16(4);
        self.key_order(keys, reverse)
    }

    fn key_order(&self, with_partition: bool, reverse: bool) -> Vec<(ColumnId, Order)> {
        let turn = |order: Order| match (order, reverse) {
            (order, false) => order,
            (Order::Asc, true) => Order::Desc,
            (Order::Desc, true) => Order::Asc,
        };
        let mut order = if with_partition {
            self.keys_in(turn(Order::Asc))
        } else {
            Vec::new()
        };
        order.extend(
            self.view
                .clustering
                .iter()
                .map(|&(id, declared)| (id, turn(declared))),
        );
        order
    }

    fn keys_in(&self, order: Order) -> Vec<(ColumnId, Order)> {
        self.view.keys.iter().map(|&id| (id, order)).collect()
    }

    /// Half of the time by the columns of the answer, else in any order.
    fn order_by_groups(&mut self, columns: &[ColumnId]) -> Vec<(ColumnId, Order)> {
        if self.dice.in_16(8) {
            return Vec::new();
        }
        let order = if self.dice.in_16(8) {
            Order::Asc
        } else {
            Order::Desc
        };
        columns.iter().map(|&id| (id, order)).collect()
    }

    fn columns(&mut self, all: &[ColumnId]) -> Vec<ColumnId> {
        if self.dice.in_16(self.p.config.shapes.columns_in_16) {
            self.dice.some(all).copied().collect()
        } else {
            all.to_vec()
        }
    }

    /// One condition or two. `indexed`: the first one on a column with, or without, an index.
    fn filter(&mut self, indexed: Option<bool>) -> Vec<Predicate> {
        let regular = &self.view.regular;
        let mut all: Vec<&Column> = regular.iter().filter(|c| c.identity).collect();
        let inside: Vec<&Column> = regular.iter().filter(|c| c.made_of_others).collect();
        if all.is_empty() || (!inside.is_empty() && self.dice.in_16(8)) {
            all.extend(inside);
        }
        let first: Vec<&Column> = all
            .iter()
            .copied()
            .filter(|c| indexed.is_none_or(|i| c.indexed == i))
            .collect();
        let mut filter: Vec<Predicate> = Vec::new();
        filter.extend(
            self.dice
                .pick(&first)
                .copied()
                .map(|column| self.condition(column)),
        );
        if self.dice.in_16(4) {
            filter.extend(self.dice.pick(&all).copied().map(|column| self.condition(column)));
        }
        filter
    }

    /// A whole value that recurs, or what is inside of one, or of any.
    fn condition_inside(&mut self, column: &Column) -> Predicate {
        let whole = column.domain.ty().is_frozen();
        let some = self.dice.pick(&column.recurring).copied();
        let value = some.unwrap_or_else(|| column.domain.draw(self.dice.bits(), self.p.special));
        let asked = [Relation::Contains, Relation::ContainsKey, Relation::ContainsEntry];
        let inside = column.domain.inside();
        let inside = inside
            .filter(|_| !whole || self.dice.in_16(8))
            .and_then(|inside| {
                let asked: Vec<_> = asked
                    .into_iter()
                    .filter_map(|relation| Some((relation, relation.inner()?)))
                    // Of a frozen map CQL does not ask for an entry.
                    .filter(|(_, inner)| inside.count(*inner) > 0 && !(whole && *inner == Inner::Entry))
                    .collect();
                let (relation, inner) = *self.dice.pick(&asked)?;
                let held = inside.held(value, inner);
                let number = self.dice.pick(&held).copied().filter(|_| !self.dice.in_16(4));
                let count = usize::try_from(inside.count(inner)).expect("few values");
                Some((relation, number.unwrap_or_else(|| self.dice.below(count) as u64)))
            });
        let (relation, value) = inside.unwrap_or((Relation::Eq, value));
        Predicate {
            column: column.id,
            relation,
            value,
        }
    }

    fn condition(&mut self, column: &Column) -> Predicate {
        if column.made_of_others {
            return self.condition_inside(column);
        }
        let relation = match self.dice.below(12) {
            0..5 => Relation::Eq,
            5 => Relation::Ne,
            6 => Relation::Lt,
            7 => Relation::Le,
            8 => Relation::Gt,
            9 => Relation::Ge,
            10 if column.nullable => Relation::IsNull,
            11 if column.nullable => Relation::IsNotNull,
            _ => Relation::Eq,
        };
        if matches!(relation, Relation::IsNull | Relation::IsNotNull) {
            return Predicate {
                column: column.id,
                relation,
                value: 0,
            };
        }
        let recurring = relation == Relation::Eq || self.dice.in_16(8);
        let value = match self.dice.pick(&column.recurring) {
            Some(&value) if recurring => value,
            _ => column.domain.draw(self.dice.bits(), self.p.special),
        };
        Predicate {
            column: column.id,
            relation,
            value,
        }
    }

    /// One to `most` aggregates.
    fn aggregates(&mut self, most: usize) -> Vec<Aggregate> {
        let regular = &self.view.regular;
        let mut possible = vec![Aggregate::CountRows];
        possible.extend(regular.iter().map(|c| Aggregate::Count(c.id)));
        possible.extend(
            regular
                .iter()
                .filter(|c| c.identity && c.least)
                .map(|c| Aggregate::Min(c.id)),
        );
        possible.extend(
            regular
                .iter()
                .filter(|c| c.identity && c.least)
                .map(|c| Aggregate::Max(c.id)),
        );
        // As often as all counts together: there are few columns that can be summed.
        let sums = regular
            .iter()
            .filter(|c| c.sums)
            .map(|c| Aggregate::Sum(c.id))
            .cycle();
        possible.extend(sums.take(if regular.iter().any(|c| c.sums) {
            regular.len()
        } else {
            0
        }));
        let count = 1 + self.dice.below(most);
        let mut chosen = Vec::with_capacity(count);
        for _ in 0..count {
            let aggregate = *self.dice.pick(&possible).expect("rows can always be counted");
            if !chosen.contains(&aggregate) {
                chosen.push(aggregate);
            }
        }
        chosen
    }
}
