//! A schema as the model needs it: columns as numbers in their area, values as canonical bytes.

use crate::model::{Enc, EncView, EncWriter};
use datagen::domain::Domain;
use datagen::ring;
use datagen::schema::{ColumnId, Place, Schema, SizeClass, Table};
use datagen::universe::{Slice, Universe};
use datagen::value::{Order, Type, Value};
use history::{Lts, Part, Parts, Query};
use std::ops::Range;
use std::sync::{Arc, OnceLock, RwLock};

/// Where a column stands in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    PartKey(usize),
    RowKey(usize),
    Regular(usize),
    Shared(usize),
}

/// The layouts of all schemas seen so far; there is one, but for schema changes.
#[derive(Default)]
pub(crate) struct Layouts {
    known: RwLock<Vec<(Arc<Schema>, Arc<Layout>)>>,
}

impl Layouts {
    /// The layout of a schema, made once.
    pub(crate) fn of(&self, schema: &Arc<Schema>) -> Arc<Layout> {
        let find = |known: &[(Arc<Schema>, Arc<Layout>)]| {
            known
                .iter()
                .find(|(s, _)| Arc::ptr_eq(s, schema))
                .map(|(_, l)| Arc::clone(l))
        };
        if let Some(layout) = find(&self.known.read().expect("nobody panics while holding it")) {
            return layout;
        }
        let layout = Arc::new(Layout {
            tables: schema.tables.iter().map(TableLayout::new).collect(),
        });
        self.known
            .write()
            .expect("nobody panics while holding it")
            .push((Arc::clone(schema), Arc::clone(&layout)));
        layout
    }
}

/// All tables.
pub(crate) struct Layout {
    tables: Vec<TableLayout>,
}

impl Layout {
    /// A table by its index.
    pub(crate) fn table(&self, number: u16) -> &TableLayout {
        &self.tables[usize::from(number)]
    }
}

/// A regular or shared column.
struct Cell {
    id: ColumnId,
    domain: Domain,
    /// −0 and 0 where the domain keeps both: different values that compare equal.
    zeros: Option<(u64, u64)>,
}

/// Where the cells of columns stand side by side: a plain column has one; one whose elements are cells has a head and then its
/// elements.
pub(crate) struct Slots {
    /// By column: its first cell.
    first: Vec<u32>,
    /// By cell: its column (`u32::MAX`: none), the first cell of that, and how many elements follow it.
    cells: Vec<(u32, u32, u32)>,
}

impl Slots {
    /// `before`: cells that are of no column.
    fn new(columns: &[Cell], before: u32) -> Self {
        let mut slots = Self {
            first: Vec::new(),
            cells: (0..before).map(|slot| (u32::MAX, slot, 0)).collect(),
        };
        for (column, cell) in (0..).zip(columns) {
            let head = u32::try_from(slots.cells.len()).expect("few cells");
            let elements = cell.domain.elements().map_or(0, |elements| elements.slots());
            let elements = u32::try_from(elements).expect("few elements");
            slots.first.push(head);
            slots.cells.push((column, head, elements));
            slots.cells.extend((0..elements).map(|_| (column, head, 0)));
        }
        slots
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        self.first.len()
    }

    /// The first cell of a column.
    #[inline]
    pub(crate) fn first(&self, column: usize) -> usize {
        self.first[column] as usize
    }

    /// The column of a cell, if it is of any.
    #[inline]
    pub(crate) fn column(&self, slot: usize) -> Option<usize> {
        let (column, ..) = self.cells[slot];
        (column != u32::MAX).then_some(column as usize)
    }

    /// The first cell of a cell's column.
    #[inline]
    pub(crate) fn head(&self, slot: usize) -> usize {
        self.cells[slot].1 as usize
    }

    /// The elements behind a head; none of every other cell.
    #[inline]
    pub(crate) fn elements(&self, slot: usize) -> Range<usize> {
        slot + 1..slot + 1 + self.cells[slot].2 as usize
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("a narrow table has few partitions")
}

/// See the module.
pub(crate) struct TableLayout {
    table: Table,
    /// By the number of the column.
    sources: Vec<Option<Source>>,
    regular: Vec<Cell>,
    shared: Vec<Cell>,
    regular_slots: Slots,
    shared_slots: Slots,
    null: Vec<u8>,
    /// A row of NULLs: clustering key and regular columns.
    null_row: Enc,
    /// Of a narrow table, by partition: its place in the order of tokens.
    ring: OnceLock<Vec<u64>>,
}

impl TableLayout {
    /// The partitions that a query of the table is about, in their order. Panics where that is every one of a wide table.
    pub(crate) fn parts_of(&self, query: &Query, asker: Lts) -> Vec<Part> {
        let narrow = || match self.size() {
            SizeClass::Narrow { partitions } => u64::from(*partitions),
            SizeClass::Wide => panic!("visit {asker}: a read of a whole wide table"),
        };
        let positions: Vec<u64> = match &query.parts {
            Parts::One(p) => vec![*p],
            Parts::In(list) => list.clone(),
            Parts::All => (0..narrow()).collect(),
            Parts::Ring { after, upto } => {
                let mut inside = ring::between(&self.table, narrow(), *after, *upto);
                inside.sort_unstable();
                inside
            }
        };
        let part = |position| Part {
            table: query.table,
            position,
        };
        positions.into_iter().map(part).collect()
    }

    fn new(table: &Table) -> Self {
        let mut sources = Vec::new();
        for column in table.columns() {
            let at = usize::from(column.id.0);
            if sources.len() <= at {
                sources.resize(at + 1, None);
            }
            sources[at] = Some(match table.place(column.id) {
                Place::Partition(j) => Source::PartKey(j),
                Place::Clustering(j) => Source::RowKey(j),
                Place::Regular(c) => Source::Regular(c),
                Place::Shared(c) => Source::Shared(c),
            });
        }
        let cell = |column: &datagen::schema::Column| {
            let domain = table.domain(column.id).clone();
            let zero = |f32: f32, f64: f64| {
                domain
                    .deflate(&Value::Float32(f32))
                    .or_else(|| domain.deflate(&Value::Float64(f64)))
            };
            let zeros = zero(-0.0, -0.0).zip(zero(0.0, 0.0)).filter(|(a, b)| a != b);
            Cell {
                id: column.id,
                domain,
                zeros,
            }
        };
        let mut null = Vec::new();
        Value::Null.encode(&mut null);
        let mut null_row = Enc::default();
        let columns = table.rows().columns() + table.regular.len();
        null_row.fill(columns, |w| {
            for _ in 0..columns {
                w.bytes.extend_from_slice(&null);
                w.end_column();
            }
        });
        let regular: Vec<Cell> = table.regular.iter().map(cell).collect();
        let shared: Vec<Cell> = table.shared.iter().map(cell).collect();
        Self {
            null_row,
            sources,
            regular_slots: Slots::new(&regular, 1),
            shared_slots: Slots::new(&shared, 0),
            regular,
            shared,
            null,
            ring: OnceLock::new(),
            table: table.clone(),
        }
    }

    /// Whether its columns, but for the key, are counters.
    pub(crate) fn counts(&self) -> bool {
        self.table.counts()
    }

    /// Where the cells of a column that is no key stand. Panics where it is one.
    pub(crate) fn place(&self, column: ColumnId) -> crate::lww::Column {
        match self.source(column) {
            Source::Regular(c) => crate::lww::Column::Regular(self.regular_slots().first(c)),
            Source::Shared(c) => crate::lww::Column::Shared(self.shared_slots().first(c)),
            Source::PartKey(_) | Source::RowKey(_) => {
                panic!("column {} of {} is of its key", column.0, self.table.name)
            }
        }
    }

    /// Where a column stands. Panics when the table has no such column.
    pub(crate) fn source(&self, column: ColumnId) -> Source {
        self.sources
            .get(usize::from(column.0))
            .copied()
            .flatten()
            .unwrap_or_else(|| panic!("table {} has no column {}", self.table.name, column.0))
    }

    /// The type of a column.
    pub(crate) fn ty(&self, column: ColumnId) -> Type {
        self.table.column(column).ty
    }

    pub(crate) fn regular_index(&self, column: ColumnId) -> usize {
        match self.source(column) {
            Source::Regular(c) => c,
            other => panic!(
                "column {} of {} is {other:?}, not a regular one",
                column.0, self.table.name
            ),
        }
    }

    pub(crate) fn shared_index(&self, column: ColumnId) -> usize {
        match self.source(column) {
            Source::Shared(c) => c,
            other => panic!(
                "column {} of {} is {other:?}, not a shared one",
                column.0, self.table.name
            ),
        }
    }

    pub(crate) fn regular_id(&self, column: usize) -> ColumnId {
        self.regular[column].id
    }

    pub(crate) fn shared_id(&self, column: usize) -> ColumnId {
        self.shared[column].id
    }

    /// Where the cells of a row stand, behind its liveness.
    pub(crate) fn regular_slots(&self) -> &Slots {
        &self.regular_slots
    }

    /// Where the shared cells stand.
    pub(crate) fn shared_slots(&self) -> &Slots {
        &self.shared_slots
    }

    /// Whether a column is one cell, which has a write timestamp of its own: no counter has one that means anything.
    pub(crate) fn is_one_cell(&self, source: Source) -> bool {
        match source {
            Source::Regular(c) => self.regular[c].domain.ty().is_dated(),
            Source::Shared(c) => self.shared[c].domain.ty().is_dated(),
            Source::PartKey(_) | Source::RowKey(_) => false,
        }
    }

    /// The values of a regular or shared column; `None` of a key's.
    pub(crate) fn source_domain(&self, source: Source) -> Option<&Domain> {
        match source {
            Source::Regular(c) => Some(self.regular_domain(c)),
            Source::Shared(c) => Some(self.shared_domain(c)),
            Source::PartKey(_) | Source::RowKey(_) => None,
        }
    }

    /// The values of a regular column.
    pub(crate) fn regular_domain(&self, column: usize) -> &Domain {
        &self.regular[column].domain
    }

    /// The values of a shared column.
    pub(crate) fn shared_domain(&self, column: usize) -> &Domain {
        &self.shared[column].domain
    }

    pub(crate) fn regular_ids(&self) -> Vec<ColumnId> {
        self.regular.iter().map(|c| c.id).collect()
    }

    pub(crate) fn shared_ids(&self) -> Vec<ColumnId> {
        self.shared.iter().map(|c| c.id).collect()
    }

    pub(crate) fn regular_count(&self) -> usize {
        self.regular.len()
    }

    pub(crate) fn shared_count(&self) -> usize {
        self.shared.len()
    }

    /// The place of a partition of a narrow table on the ring, counted from the least token.
    pub(crate) fn place_on_ring(&self, position: u64) -> usize {
        let ring = self.ring.get_or_init(|| {
            let inside = ring::between(&self.table, self.partitions(), None, None);
            let mut places = vec![0; inside.len()];
            (0..)
                .zip(inside)
                .for_each(|(place, at)| places[index(at)] = place);
            places
        });
        index(ring[index(position)])
    }

    fn partitions(&self) -> u64 {
        match self.table.size {
            SizeClass::Narrow { partitions } => u64::from(partitions),
            SizeClass::Wide => panic!("the ring of {}, which is wide", self.table.name),
        }
    }

    pub(crate) fn part_key_count(&self) -> usize {
        self.table.partitions().columns()
    }

    pub(crate) fn row_key_count(&self) -> usize {
        self.table.rows().columns()
    }

    /// How many partitions there are, and so whether all may be read at once.
    pub(crate) fn size(&self) -> &SizeClass {
        &self.table.size
    }

    /// The positions of a slice of rows.
    pub(crate) fn rows_of(&self, slice: &Slice) -> Range<u64> {
        self.table.rows().range(slice)
    }

    pub(crate) fn part_digit(&self, position: u64, j: usize) -> u64 {
        u64::from(self.table.partitions().digit(position, j))
    }

    pub(crate) fn row_digit(&self, position: u64, j: usize) -> u64 {
        u64::from(self.table.rows().digit(position, j))
    }

    /// Whether ascending digits of this key column are descending values.
    pub(crate) fn is_turned(&self, source: Source) -> bool {
        match source {
            Source::PartKey(j) => self.table.partitions().order(j) == Order::Desc,
            Source::RowKey(j) => self.table.rows().order(j) == Order::Desc,
            Source::Regular(_) | Source::Shared(_) => false,
        }
    }

    /// One descriptor for all values that compare equal.
    pub(crate) fn class(&self, source: Source, d: u64) -> u64 {
        let zeros = match source {
            Source::Regular(c) => self.regular[c].zeros,
            Source::Shared(c) => self.shared[c].zeros,
            Source::PartKey(_) | Source::RowKey(_) => None,
        };
        match zeros {
            Some((minus, plus)) if d == minus => plus,
            _ => d,
        }
    }

    /// The descriptor of a value, a digit for key columns; `None` when it is nobody's image. Not for NULL.
    pub(crate) fn descriptor_of(&self, source: Source, value: &Value) -> Option<u64> {
        match source {
            Source::PartKey(j) => self.table.partitions().digit_of(j, value).map(u64::from),
            Source::RowKey(j) => self.table.rows().digit_of(j, value).map(u64::from),
            Source::Regular(c) => self.regular[c].domain.deflate(value),
            Source::Shared(c) => self.shared[c].domain.deflate(value),
        }
    }

    /// The positions of partition and row that the columns of an answer name, where they name all of a key.
    pub(crate) fn locate(&self, columns: &[ColumnId], values: &[Value]) -> (Option<u64>, Option<u64>) {
        let key = |universe: &Universe, is: &dyn Fn(usize) -> Source| {
            let column = |j| {
                columns
                    .iter()
                    .position(|c| self.source(*c) == is(j))
                    .and_then(|i| values.get(i))
            };
            let key: Option<Vec<Value>> = (0..universe.columns()).map(|j| column(j).cloned()).collect();
            key.and_then(|key| universe.deflate(&key))
        };
        (
            key(self.table.partitions(), &Source::PartKey),
            key(self.table.rows(), &Source::RowKey),
        )
    }

    /// The canonical bytes of a partition's key.
    pub(crate) fn encode_part_key(&self, position: u64) -> Enc {
        let mut enc = Enc::default();
        enc.fill(self.part_key_count(), |w| {
            encode_key(self.table.partitions(), position, w)
        });
        enc
    }

    /// The canonical bytes of a row whose clustering key and regular columns are all NULL.
    pub(crate) fn null_row(&self) -> EncView<'_> {
        self.null_row.view(self.row_key_count() + self.regular_count())
    }

    /// Appends the columns of a row's key.
    pub(crate) fn encode_row_key(&self, position: u64, w: &mut EncWriter<'_>) {
        encode_key(self.table.rows(), position, w);
    }

    /// Appends a regular cell.
    pub(crate) fn encode_regular(&self, column: usize, d: Option<u64>, w: &mut EncWriter<'_>) {
        self.encode_cell(&self.regular[column], d, w);
    }

    /// Appends a shared cell.
    pub(crate) fn encode_shared(&self, column: usize, d: Option<u64>, w: &mut EncWriter<'_>) {
        self.encode_cell(&self.shared[column], d, w);
    }

    fn encode_cell(&self, cell: &Cell, d: Option<u64>, w: &mut EncWriter<'_>) {
        match d {
            Some(d) => cell.domain.inflate_into(d, w.bytes),
            None => w.bytes.extend_from_slice(&self.null),
        }
        w.end_column();
    }
}

fn encode_key(universe: &Universe, position: u64, w: &mut EncWriter<'_>) {
    for j in 0..universe.columns() {
        let d = universe.descriptor(j, universe.digit(position, j));
        universe.domain(j).inflate_into(d, w.bytes);
        w.end_column();
    }
}
