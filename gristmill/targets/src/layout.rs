//! The schema as this crate needs it: names as the database knows them, universes and domains ready, columns by id.
//!
//! A pure function of schema and prefix; made once for each schema.
//!
//! Invariants:
//! * every name that is made begins with the prefix of the run;
//! * a table without shared columns has no companion.

mod hidden;

use datagen::domain::{Domain, Elements, Inside, Limits};
use datagen::schema::{Column, ColumnId, KeyColumn, Schema, Table};
use datagen::universe::Universe;
use datagen::value::{Composite, Kind, Type, Value};
pub(crate) use hidden::Hidden;
use hidden::Names;
use history::Cells;
use parking_lot::Mutex;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// One schema, laid out.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) tables: Vec<TableLayout>,
    /// User-defined types, those that others are made of first, each with its name.
    pub(crate) types: Vec<(&'static Composite, String)>,
    schema: Schema,
}

/// One table and its companion.
#[derive(Debug)]
pub(crate) struct TableLayout {
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The table of the shared columns.
    pub(crate) companion: Option<String>,
    pub(crate) parts: Keys,
    pub(crate) rows: Keys,
    pub(crate) regular: Vec<Col>,
    pub(crate) shared: Vec<Col>,
    /// What it has beside its columns under discipline `lww`.
    pub(crate) hidden: Hidden,
    /// Indexes: name, and columns with their directions.
    pub(crate) indexes: Vec<(String, Vec<ColumnId>)>,
    /// What CQL says behind WITH, `name = value` each.
    pub(crate) options: Vec<String>,
    /// How long what is written without a time to live lives, by these options; `None`: for ever.
    pub(crate) time_to_live: Option<u32>,
    /// Where each column stands, sorted by id.
    places: Vec<(ColumnId, Place)>,
}

/// Key columns and the universe of their values.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) columns: Vec<Col>,
    pub(crate) universe: Universe,
}

/// A column.
#[derive(Debug)]
pub(crate) struct Col {
    pub(crate) id: ColumnId,
    /// Its name, quoted where it must be.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) nullable: bool,
    /// What the timestamp beside it is called, where it is a cell.
    pub(crate) stamp: String,
    domain: Domain,
}

/// Where a column stands in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Partition(usize),
    Clustering(usize),
    Regular(usize),
    Shared(usize),
}

impl Col {
    pub(crate) fn inflate(&self, descriptor: u64) -> Value {
        self.domain.inflate(descriptor)
    }

    /// Its elements, where they are cells of their own.
    pub(crate) fn elements(&self) -> Option<Elements<'_>> {
        self.domain.elements()
    }

    /// What it can be asked about its inside, where it is a list, set or map.
    pub(crate) fn inside(&self) -> Option<Inside<'_>> {
        self.domain.inside()
    }

    pub(crate) fn inflate_into(&self, descriptor: u64, into: &mut Vec<u8>) {
        self.domain.inflate_into(descriptor, into);
    }

    /// The descriptor of a value; `None` for NULL and for what is nobody's image.
    pub(crate) fn deflate(&self, value: &Value) -> Option<u64> {
        self.domain.deflate(value)
    }

    /// What the target's limits are for it.
    pub(crate) fn limits(&self) -> &Limits {
        self.domain.limits()
    }

    /// Some other descriptor of the column than this one: the next, or the first.
    pub(crate) fn other_descriptor(&self, than: Option<u64>) -> Option<u64> {
        Some(match than {
            Some(d) if u128::from(d) + 1 < self.domain.size() => d + 1,
            _ => 0,
        })
    }
}

impl Layout {
    pub(crate) fn new(schema: &Schema, prefix: &str) -> Self {
        let tables = schema
            .tables
            .iter()
            .enumerate()
            .map(|(i, t)| TableLayout::new(i, t, prefix))
            .collect();
        Self {
            tables,
            types: udts(schema, prefix),
            schema: schema.clone(),
        }
    }

    /// Panics where the schema has no such table.
    pub(crate) fn table(&self, index: u16) -> &TableLayout {
        &self.tables[usize::from(index)]
    }
}

/// The user-defined types of a schema, frozen or not, each once.
fn udts(schema: &Schema, prefix: &str) -> Vec<(&'static Composite, String)> {
    fn add(ty: Type, prefix: &str, found: &mut Vec<(&'static Composite, String)>) {
        let Type::Composite(composite) = ty else { return };
        composite.parts.iter().for_each(|part| add(*part, prefix, found));
        if composite.kind == Kind::Udt && !found.iter().any(|(known, _)| same_udt(known, composite)) {
            let name = quoted(&fitting(format!("{prefix}_u{}", found.len())));
            found.push((composite, name));
        }
    }
    let mut found = Vec::new();
    for column in schema.tables.iter().flat_map(|t| t.definition().columns()) {
        add(column.ty, prefix, &mut found);
    }
    found
}

/// Whether two user-defined types are one, but for being frozen.
pub(crate) fn same_udt(a: &Composite, b: &Composite) -> bool {
    (&a.parts, &a.names) == (&b.parts, &b.names)
}

impl TableLayout {
    fn new(index: usize, table: &Table, prefix: &str) -> Self {
        let definition = table.definition();
        let called = |suffix: &str| quoted(&fitting(format!("{prefix}_{}{suffix}", definition.name)));
        let name = called("");
        let companion = (!definition.shared.is_empty()).then(|| called("_s"));
        let col = |column: &Column, stamp: String| Col {
            id: column.id,
            name: quoted(&column.name),
            ty: column.ty,
            nullable: column.nullable,
            stamp,
            domain: table.domain(column.id).clone(),
        };
        let key = |columns: &[KeyColumn], universe: &Universe| Keys {
            columns: columns.iter().map(|k| col(&k.column, String::new())).collect(),
            universe: universe.clone(),
        };
        let parts = key(&definition.partition, table.partitions());
        let rows = key(&definition.clustering, table.rows());
        let keys = definition.partition.iter().chain(&definition.clustering);
        let cells = definition.regular.iter().chain(&definition.shared);
        let mut names = Names::new(keys.map(|k| &k.column).chain(cells).map(|c| c.name.as_str()));
        let mut cell = |column: &Column| col(column, names.new_name(format!("{}_ts", column.name)));
        let regular: Vec<Col> = definition.regular.iter().map(&mut cell).collect();
        let shared: Vec<Col> = definition.shared.iter().map(&mut cell).collect();
        let hidden = Hidden::new(&mut names, &called, &rows, &shared);
        let mut places: Vec<(ColumnId, Place)> = Vec::new();
        let mut stand = |columns: &[Col], place: fn(usize) -> Place| {
            places.extend(columns.iter().enumerate().map(|(i, c)| (c.id, place(i))));
        };
        stand(&parts.columns, Place::Partition);
        stand(&rows.columns, Place::Clustering);
        stand(&regular, Place::Regular);
        stand(&shared, Place::Shared);
        places.sort_by_key(|(id, _)| *id);
        let indexes = definition
            .indexes
            .iter()
            .map(|index| (called(&format!("_{}", index.name)), index.columns.clone()))
            .collect();
        Self {
            index,
            name,
            companion,
            parts,
            rows,
            regular,
            shared,
            hidden,
            indexes,
            options: definition.options.clone(),
            time_to_live: definition.time_to_live(),
            places,
        }
    }

    /// Whether its columns, but for its key, are counters.
    pub(crate) fn counts(&self) -> bool {
        self.regular
            .iter()
            .chain(&self.shared)
            .any(|c| c.ty == Type::Counter)
    }

    /// Panics where the table has no such column.
    pub(crate) fn place(&self, id: ColumnId) -> Place {
        let at = self.places.binary_search_by_key(&id, |(id, _)| *id);
        self.places[at.unwrap_or_else(|_| panic!("{} has no column {}", self.name, id.0))].1
    }

    /// Any column by its id.
    pub(crate) fn any(&self, id: ColumnId) -> &Col {
        match self.place(id) {
            Place::Partition(i) => &self.parts.columns[i],
            Place::Clustering(i) => &self.rows.columns[i],
            Place::Regular(i) => &self.regular[i],
            Place::Shared(i) => &self.shared[i],
        }
    }

    pub(crate) fn is_shared(&self, id: ColumnId) -> bool {
        matches!(self.place(id), Place::Shared(_))
    }

    /// The column, if it is not of a key.
    pub(crate) fn cell_column(&self, id: ColumnId) -> Option<&Col> {
        match self.place(id) {
            Place::Regular(_) | Place::Shared(_) => Some(self.any(id)),
            Place::Partition(_) | Place::Clustering(_) => None,
        }
    }

    /// The companion's name. Panics where there is none.
    pub(crate) fn companion(&self) -> &str {
        self.companion
            .as_deref()
            .expect("only tables with shared columns are asked for their companion")
    }

    /// A row with some of its regular cells set; from nothing, the others are NULL.
    pub(crate) fn fill_regular(&self, base: Option<Vec<Option<u64>>>, cells: &Cells) -> Vec<Option<u64>> {
        self.fill(base, cells, self.regular.len())
    }

    /// A companion row with some of its cells set.
    pub(crate) fn fill_shared(&self, base: Option<Vec<Option<u64>>>, cells: &Cells) -> Vec<Option<u64>> {
        self.fill(base, cells, self.shared.len())
    }

    fn fill(&self, base: Option<Vec<Option<u64>>>, cells: &Cells, width: usize) -> Vec<Option<u64>> {
        let mut row = base.unwrap_or_else(|| vec![None; width]);
        for (id, descriptor) in cells {
            match self.place(*id) {
                Place::Regular(i) | Place::Shared(i) => row[i] = *descriptor,
                place => panic!("{place:?} is no cell of {}", self.name),
            }
        }
        row
    }
}

/// The layouts that were asked for, so that a schema is laid out once.
#[derive(Debug)]
pub(crate) struct Layouts {
    prefix: String,
    made: Mutex<Vec<Arc<Layout>>>,
}

impl Layouts {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            made: Mutex::default(),
        }
    }

    pub(crate) fn of(&self, schema: &Schema) -> Arc<Layout> {
        let mut made = self.made.lock();
        if let Some(layout) = made.iter().find(|l| l.schema == *schema) {
            return Arc::clone(layout);
        }
        let layout = Arc::new(Layout::new(schema, &self.prefix));
        made.push(Arc::clone(&layout));
        layout
    }
}

/// The longest name that every database takes, with room for `_o`.
const NAME_MAX: usize = 60;

/// A name that is too long is cut, and told apart from others by a hash of the whole.
fn fitting(name: String) -> String {
    if name.len() <= NAME_MAX {
        return name;
    }
    let hash = xxh3_64(name.as_bytes());
    let mut cut = NAME_MAX - 17;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}_{hash:016x}", &name[..cut])
}

/// The name as SQL reads it: in quotes, unless it is letters and then digits or underscores, which no keyword is.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.contains(|c: char| c.is_ascii_digit());
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
