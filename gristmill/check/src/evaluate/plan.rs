//! A query with its columns found.

use crate::layout::{Source, TableLayout};
use datagen::schema::ColumnId;
use datagen::value::Order;
use history::{Aggregate, From, Nulls, Parts, Predicate, Query, RowChoice, Select, Semantics, Sums};

/// Where a run of selected columns lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// In the partition key's bytes.
    Part,
    /// In the row's bytes: clustering key, then regular columns.
    Row,
    /// In the shared row's bytes.
    Shared,
}

/// Neighbouring columns that are selected one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) area: Area,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// See the module.
pub(crate) struct Plan<'q> {
    pub(crate) query: &'q Query,
    pub(crate) table: &'q TableLayout,
    pub(crate) nulls: Nulls,
    pub(crate) sums: Sums,
    /// See [`Semantics::clustered`].
    pub(crate) clustered: bool,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) filter: Vec<(Source, Predicate)>,
    pub(crate) order: Vec<(Source, Order)>,
    /// Rows in the order of their positions are in the order asked for: `Some(true)` when read backwards.
    pub(crate) natural: Option<bool>,
    /// Cells whose timestamps follow the columns.
    pub(crate) stamps: Vec<Source>,
    /// Cells whose times to live follow these.
    pub(crate) ttls: Vec<Source>,
    /// A table and its shared columns are one table, as in CQL: see [`Plan::shows_shared_alone`].
    pub(crate) is_cql: bool,
    /// Bytes of rows are needed.
    pub(crate) reads_rows: bool,
    /// Bytes of the shared row are needed.
    pub(crate) reads_shared: bool,
}

impl<'q> Plan<'q> {
    pub(crate) fn new(query: &'q Query, table: &'q TableLayout, semantics: &Semantics, is_cql: bool) -> Self {
        let mut plan = Self {
            query,
            table,
            nulls: semantics.nulls,
            sums: semantics.sums,
            clustered: semantics.clustered,
            pieces: Vec::with_capacity(4),
            filter: query
                .filter
                .iter()
                .map(|p| (table.source(p.column), *p))
                .collect(),
            order: query.order.iter().map(|(c, o)| (table.source(*c), *o)).collect(),
            natural: None,
            stamps: Vec::new(),
            ttls: Vec::new(),
            is_cql,
            reads_rows: false,
            reads_shared: false,
        };
        for column in projected(&query.select) {
            plan.add(*column);
        }
        for aggregate in aggregates(&query.select) {
            if let Some(column) = aggregate.column() {
                let (area, _) = plan.place(plan.table.source(column));
                plan.need(area);
            }
        }
        let cells = projected(&query.select).iter().map(|c| table.source(*c));
        let cells = cells.filter(|s| table.is_one_cell(*s));
        if query.extras.ttls {
            plan.ttls = cells.clone().collect();
        }
        if query.extras.stamps {
            plan.stamps = cells.collect();
        }
        plan.natural = plan.natural_order();
        plan
    }

    /// Whether a partition without rows, but with shared cells, answers one row whose other cells are NULL: where the whole
    /// of it is read, unfiltered.
    pub(crate) fn shows_shared_alone(&self) -> bool {
        self.is_cql && self.query.rows == RowChoice::All && self.filter.is_empty()
    }

    /// Which of `n` rows in order LIMIT and OFFSET leave.
    pub(crate) fn window(&self, n: usize) -> (usize, usize) {
        match self.query.limit {
            None => (0, n),
            Some(limit) => {
                let from = (self.query.offset as usize).min(n);
                (from, from.saturating_add(limit as usize).min(n))
            }
        }
    }

    /// How many columns the answer has.
    pub(crate) fn width(&self) -> usize {
        projected(&self.query.select).len()
            + aggregates(&self.query.select).len()
            + self.stamps.len()
            + self.ttls.len()
    }

    /// Area and number of a column in it.
    pub(crate) fn place(&self, source: Source) -> (Area, usize) {
        match source {
            Source::PartKey(j) => (Area::Part, j),
            Source::RowKey(j) => (Area::Row, j),
            Source::Regular(c) => (Area::Row, self.table.row_key_count() + c),
            Source::Shared(c) => (Area::Shared, c),
        }
    }

    fn need(&mut self, area: Area) {
        self.reads_rows |= area == Area::Row;
        self.reads_shared |= area == Area::Shared;
    }

    fn add(&mut self, column: ColumnId) {
        let (area, at) = self.place(self.table.source(column));
        self.need(area);
        match self.pieces.last_mut() {
            Some(last) if last.area == area && last.to == at => last.to += 1,
            _ => self.pieces.push(Piece {
                area,
                from: at,
                to: at + 1,
            }),
        }
    }

    /// One partition, ordered by leading clustering columns, all of them along the key or all against it.
    fn natural_order(&self) -> Option<bool> {
        if self.order.is_empty() {
            return Some(false);
        }
        if !matches!(self.query.parts, Parts::One(_)) || self.query.from == From::Shared {
            return None;
        }
        let mut backwards = None;
        for (j, (source, order)) in self.order.iter().enumerate() {
            if *source != Source::RowKey(j) {
                return None;
            }
            let against = (*order == Order::Desc) != self.table.is_turned(*source);
            if *backwards.get_or_insert(against) != against {
                return None;
            }
        }
        backwards
    }
}

/// The columns that come back as they are, in the order of the answer.
pub(crate) fn projected(select: &Select) -> &[ColumnId] {
    match select {
        Select::Columns(columns) | Select::Distinct(columns) => columns,
        Select::Aggregates(_) => &[],
        Select::Group { by, .. } => by,
    }
}

/// The aggregates that follow them.
pub(crate) fn aggregates(select: &Select) -> &[Aggregate] {
    match select {
        Select::Columns(_) | Select::Distinct(_) => &[],
        Select::Aggregates(aggregates) | Select::Group { aggregates, .. } => aggregates,
    }
}
