//! Writes and reads drawn for the suite.

use super::READS;
use datagen::schema::{ColumnId, Table};
use datagen::stream::{Stream, below, draw};
use datagen::universe::Slice;
use datagen::value::Order;
use history::{
    Aggregate, Cells, Extras, From, Op, Part, Parts, Predicate, Query, Relation, RowChoice, Select,
};

pub(super) struct Dice {
    pub(super) history: u64,
    pub(super) next: u64,
}

impl Dice {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next += 1;
        below(draw(3, Stream::Sample, &[self.history, self.next]), n)
    }

    pub(super) fn timestamp(&mut self) -> i64 {
        [i64::MIN + 1, -7, 0, 1, 2, i64::MAX][usize::try_from(self.below(6)).unwrap()]
    }

    fn cells(&mut self, table: &Table, columns: &[ColumnId]) -> Cells {
        let mut cells = Cells::new();
        for id in columns {
            if self.below(2) == 0 || (cells.is_empty() && *id == columns[columns.len() - 1]) {
                let domain = table.domain(*id);
                let value = match self.below(4) {
                    0 => None,
                    1 if !domain.specials().is_empty() => {
                        let n = domain.specials().len() as u64;
                        Some(domain.specials()[usize::try_from(self.below(n)).unwrap()])
                    }
                    // Minus zero and zero are neighbours where there are both.
                    2 if domain.special("zero").is_some() => {
                        Some(domain.special("zero").unwrap() - self.below(2))
                    }
                    _ => Some(self.below(2)),
                };
                cells.push((*id, value));
            }
        }
        cells
    }

    pub(super) fn op(&mut self, table: &Table, part: Part) -> Op {
        let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
        let shared: Vec<ColumnId> = table.shared.iter().map(|c| c.id).collect();
        let row = [0, 1, 8, 9, 10][usize::try_from(self.below(5)).unwrap()];
        match self.below(12) {
            0..=2 => Op::Upsert {
                part,
                row,
                cells: self.cells(table, &regular),
            },
            3 => Op::Upsert {
                part,
                row,
                cells: Cells::new(),
            },
            4 | 5 => Op::Update {
                part,
                row,
                cells: self.cells(table, &regular),
            },
            6 | 7 => Op::Shared {
                part,
                cells: self.cells(table, &shared),
            },
            8 => Op::DeleteCells {
                part,
                row,
                columns: vec![ColumnId(4), ColumnId(8)],
            },
            9 => Op::DeleteRow { part, row },
            10 if self.below(3) == 0 => Op::DeletePartition { part },
            _ => Op::DeleteSlice {
                part,
                slice: self.slice(table),
            },
        }
    }

    fn some(&mut self, ids: Vec<ColumnId>) -> Vec<ColumnId> {
        let mut some: Vec<ColumnId> = ids.iter().copied().filter(|_| self.below(2) == 0).collect();
        if some.is_empty() {
            some.push(ids[0]);
        }
        some
    }

    /// What CQL can say, too.
    pub(super) fn query(&mut self, table: &Table) -> Query {
        let keys = table
            .partition
            .iter()
            .chain(&table.clustering)
            .map(|k| k.column.id);
        let regular: Vec<ColumnId> = table.regular.iter().map(|c| c.id).collect();
        let shared = table.shared.iter().map(|c| c.id);
        let one = self.below(3) > 0;
        let parts = if one {
            Parts::One(READS + self.below(6))
        } else {
            let from = self.below(4);
            Parts::In((from..=from + self.below(3)).map(|n| READS + n).collect())
        };
        let rows = match self.below(6) {
            0 => RowChoice::One([0, 1, 8, 9, 10][usize::try_from(self.below(5)).unwrap()]),
            1 => RowChoice::In(vec![0, 9, 10]),
            2 => RowChoice::Slice(self.slice(table)),
            _ => RowChoice::All,
        };
        let mut filter = Vec::new();
        if self.below(4) == 0 {
            let column = regular[usize::try_from(self.below(5)).unwrap()];
            let relations = [
                Relation::Eq,
                Relation::Lt,
                Relation::Le,
                Relation::Gt,
                Relation::Ge,
            ];
            filter.push(Predicate {
                column,
                relation: relations[usize::try_from(self.below(5)).unwrap()],
                value: self.below(2),
            });
        }
        let (mut order, mut limit, mut extras) = (Vec::new(), None, Extras::default());
        let select = if one && self.below(5) == 0 {
            let sharp = |id: &ColumnId| table.column(*id).limits.identity;
            let id = regular.iter().copied().find(sharp).unwrap();
            let mut all = vec![
                Aggregate::CountRows,
                Aggregate::Count(regular[0]),
                Aggregate::Min(id),
                Aggregate::Max(id),
            ];
            if self.below(2) == 0 {
                all.push(Aggregate::Count(table.shared[1].id));
            }
            Select::Aggregates(all)
        } else {
            extras.stamps = self.below(2) == 0;
            extras.per_partition = (self.below(3) == 0).then(|| u32::try_from(1 + self.below(3)).unwrap());
            if one && self.below(2) == 0 {
                let turned = self.below(2) == 0;
                let by = table.clustering.iter().map(|k| {
                    let order = match (k.order, turned) {
                        (Order::Asc, false) | (Order::Desc, true) => Order::Asc,
                        _ => Order::Desc,
                    };
                    (k.column.id, order)
                });
                order = by.collect();
                limit = (self.below(2) == 0).then(|| u32::try_from(1 + self.below(4)).unwrap());
            }
            let columns = keys.chain(regular.clone());
            Select::Columns(if self.below(2) == 0 {
                self.some(columns.collect())
            } else {
                self.some(columns.chain(shared).collect())
            })
        };
        Query {
            table: 0,
            from: From::Table,
            parts,
            rows,
            filter,
            select,
            order,
            limit,
            offset: 0,
            extras,
        }
    }

    fn slice(&mut self, table: &Table) -> Slice {
        let universe = table.rows();
        let depth = usize::try_from(self.below(2)).unwrap();
        let at = [0, 9][usize::try_from(self.below(2)).unwrap()];
        let prefix: Vec<u32> = (0..depth).map(|j| universe.digit(at, j)).collect();
        let radix = u64::from(universe.radix(depth));
        let mut bound =
            || (self.below(4) > 0).then(|| (u32::try_from(self.below(radix)).unwrap(), self.below(2) == 0));
        let (lower, upper) = (bound(), bound());
        if depth == 0 && lower.is_none() && upper.is_none() {
            return Slice {
                prefix,
                lower: Some((0, true)),
                upper,
            };
        }
        Slice { prefix, lower, upper }
    }
}
