//! Whether a visit fits a schema, so that a target can be sent it and a model can follow it (E4).

use crate::{
    Aggregate, Amounts, Cells, Change, Condition, Elements, End, From, Op, Part, Parts, Query, Relation,
    RowChoice, Select, Step, Visit,
};
use datagen::domain::Inner;
use datagen::schema::{ColumnId, Place, Schema, SizeClass, Table};
use datagen::universe::Slice;

/// The most statements of a visit: numbers from here on are probes and ends.
const STEPS_MAX: usize = 0xF000;

/// Says everything that does not fit.
pub(super) fn check(schema: &Schema, visit: &Visit, say: &mut dyn FnMut(String)) {
    if visit.steps.is_empty() {
        say("it has no statement".to_owned());
    }
    if visit.steps.len() > STEPS_MAX {
        say(format!(
            "it has {} statements: at most {STEPS_MAX}",
            visit.steps.len()
        ));
    }
    if visit.writes != super::written(&visit.steps) {
        say("what it writes is not what its statements write".to_owned());
    }
    let single = matches!(
        visit.steps.as_slice(),
        [Step::Write(_) | Step::Read(_) | Step::Change(_)]
    );
    if visit.end == End::Autocommit && !single {
        say("`auto` is exactly one statement: end it with `commit`".to_owned());
    }
    stamped(visit, say);
    let mut savepoints = Vec::new();
    for step in &visit.steps {
        match step {
            Step::Write(op) => {
                let Some(table) = table(schema, op.part().table, say) else {
                    continue;
                };
                let mut fit = Fit { table, say };
                fit.op(op, visit);
                if let Some(Condition::Equals { column, value }) =
                    visit.stamp.and_then(|stamp| stamp.condition)
                {
                    fit.compared(column, value);
                }
            }
            Step::Read(query) => {
                let Some(table) = table(schema, query.table, say) else {
                    continue;
                };
                Fit { table, say }.query(query, visit.stamp.is_some());
            }
            Step::Savepoint(n) => savepoints.push(*n),
            Step::RollbackTo(n) if !savepoints.contains(n) => {
                say(format!("`rollback to {n}` without `savepoint {n}` before it"));
            }
            Step::RollbackTo(_) => {}
            Step::Change(change) => {
                let Some(table) = table(schema, change.table, say) else {
                    continue;
                };
                if visit.end != End::Autocommit || visit.steps.len() > 1 {
                    say(format!(
                        "`{}` is the one statement of its visit: end it with `auto`",
                        change.what.name()
                    ));
                }
                if change.what.is_alone() && visit.stamp.is_none() {
                    say(format!(
                        "`{}` needs a timestamp, up to which cells are deleted: `| auto at 1000 quorum`",
                        change.what.name()
                    ));
                }
                Fit { table, say }.change(change);
            }
        }
    }
}

/// What visits with a timestamp, and only they, may be.
fn stamped(visit: &Visit, say: &mut dyn FnMut(String)) {
    let writes = visit.steps.iter().all(|step| matches!(step, Step::Write(_)));
    match (visit.end, &visit.stamp) {
        (End::Batch { .. }, None) => {
            say("a batch has a timestamp: `| batch at 1000 quorum`".to_owned());
        }
        // What no read can ask for together need not be seen together.
        (End::Batch { .. }, Some(_)) if !writes || visit.writes.is_empty() || !one_of_each_table(visit) => {
            say("a batch is of writes of one partition of a table".to_owned());
        }
        (End::Batch { logged }, Some(_))
            if adds(visit) > 0 && (logged || adds(visit) + deletions(visit) < visit.steps.len()) =>
        {
            say(
                "a batch that adds to counters does nothing else but delete some, and is not logged"
                    .to_owned(),
            );
        }
        (End::Commit | End::Rollback, Some(_)) => {
            say("a visit with a timestamp ends with `auto`, `batch` or `logged-batch`".to_owned());
        }
        _ => {}
    }
    let conditional = visit.stamp.is_some_and(|stamp| stamp.condition.is_some());
    let one_row = matches!(
        visit.steps.as_slice(),
        [Step::Write(
            Op::Upsert { .. } | Op::Update { .. } | Op::DeleteRow { .. } | Op::DeleteCells { .. }
        )]
    );
    if conditional && !one_row {
        say("a visit with `if` is one write of one row".to_owned());
    }
    let extras = visit.steps.iter().any(|step| match step {
        Step::Read(query) => !query.extras.is_none(),
        Step::Write(_) | Step::Savepoint(_) | Step::RollbackTo(_) | Step::Change(_) => false,
    });
    if extras && visit.stamp.is_none() {
        say(
            "`per-partition`, `page`, `stamps` and `ttls` need a visit with a timestamp: `| auto at 1000 quorum`"
                .to_owned(),
        );
    }
}

/// How many statements add to counters.
fn adds(visit: &Visit) -> usize {
    let adds = |step: &&Step| matches!(step, Step::Write(Op::Add { .. }));
    visit.steps.iter().filter(adds).count()
}

/// How many statements delete a row or a partition.
fn deletions(visit: &Visit) -> usize {
    let deletes = |step: &&Step| {
        matches!(
            step,
            Step::Write(Op::DeleteRow { .. } | Op::DeletePartition { .. })
        )
    };
    visit.steps.iter().filter(deletes).count()
}

/// Sorted by table, no table twice.
fn one_of_each_table(visit: &Visit) -> bool {
    visit.writes.is_sorted_by(|a, b| a.table < b.table)
}

fn table<'s>(schema: &'s Schema, number: u16, say: &mut dyn FnMut(String)) -> Option<&'s Table> {
    let table = schema.tables.get(usize::from(number));
    if table.is_none() {
        say(format!(
            "there is no table t{number}: the schema has {}",
            schema.tables.len()
        ));
    }
    table
}

struct Fit<'a> {
    table: &'a Table,
    say: &'a mut dyn FnMut(String),
}

impl Fit<'_> {
    fn change(&mut self, change: &Change) {
        let (alone, id) = (change.what.is_alone(), change.column);
        let what = match self.place(id) {
            None | Some(Place::Regular(_)) => None,
            Some(Place::Shared(_)) if alone => None,
            Some(Place::Partition(_) | Place::Clustering(_) | Place::Shared(_)) => {
                Some("is no regular column")
            }
        };
        let plain = !self.table.columns().any(|c| c.id == id) || self.table.domain(id).elements().is_none();
        let what =
            what.or_else(|| (!plain).then_some("has cells of its own for its elements: leave it as it is"));
        let indexed = alone && self.table.indexes.iter().any(|i| i.columns.contains(&id));
        let what = what.or_else(|| {
            self.table
                .counts()
                .then_some("is of a table of counters: leave it as it is")
        });
        if let Some(what) = what.or_else(|| indexed.then_some("is in an index of the schema")) {
            (self.say)(format!("column c{} {what}", id.0));
        }
    }

    fn op(&mut self, op: &Op, visit: &Visit) {
        self.part(op.part());
        let counted = matches!(
            op,
            Op::Add { .. } | Op::DeleteRow { .. } | Op::DeletePartition { .. }
        );
        if self.table.counts() && !counted {
            (self.say)(format!(
                "`{}` of a table of counters: only `add` writes them, and `delete` of a row or a partition",
                op.kind()
            ));
            return;
        }
        if self.table.has_lists() && visit.stamp.as_ref().is_some_and(|stamp| stamp.ttl.is_some()) {
            (self.say)(
                "`ttl` of a table with a list that is not frozen: which of its elements have expired is not modelled, so \
                 leave it out"
                    .to_owned(),
            );
        }
        match op {
            Op::Insert {
                row, cells, strict, ..
            } => {
                self.row(*row);
                self.new_row(cells);
                if *strict && visit.steps.len() > 1 {
                    (self.say)("`insert!` is the only statement of its visit".to_owned());
                }
            }
            Op::Upsert { row, cells, .. } => {
                self.row(*row);
                self.new_row(cells);
            }
            Op::Update { row, cells, .. } => {
                self.row(*row);
                self.cells(cells, false);
                self.some(cells.len(), "an update sets at least one column");
            }
            Op::Shared { cells, .. } => {
                self.cells(cells, true);
                self.some(cells.len(), "`shared` sets at least one column");
                for column in self.table.shared.iter().filter(|c| !c.nullable) {
                    if !cells.iter().any(|(id, _)| *id == column.id) {
                        (self.say)(format!(
                            "column c{} may not be NULL: give it a value",
                            column.id.0
                        ));
                    }
                }
            }
            Op::DeleteRow { row, .. } => self.row(*row),
            Op::DeleteCells { row, columns, .. } => {
                self.row(*row);
                self.some(columns.len(), "it deletes at least one cell");
                for id in columns {
                    match self.place(*id) {
                        Some(Place::Regular(n)) if !self.table.regular[n].nullable => {
                            (self.say)(format!("column c{} may not be NULL", id.0));
                        }
                        Some(Place::Regular(_)) | None => {}
                        Some(_) => (self.say)(format!("column c{} is no regular column", id.0)),
                    }
                }
            }
            Op::Elements {
                row,
                column,
                elements,
                ..
            } => {
                row.iter().for_each(|row| self.row(*row));
                self.elements(row.is_none(), *column, elements);
                if visit.stamp.is_none() {
                    (self.say)(
                        "`elements` needs a visit with a timestamp: `| auto at 1000 quorum`".to_owned(),
                    );
                }
            }
            Op::Add { row, amounts, .. } => {
                row.iter().for_each(|row| self.row(*row));
                self.amounts(row.is_none(), amounts);
                if visit.stamp.is_none_or(|stamp| stamp.ttl.is_some()) {
                    (self.say)(
                        "`add` needs a visit with a timestamp and no `ttl`: `| auto at 1000 quorum`"
                            .to_owned(),
                    );
                }
            }
            Op::DeleteSlice { slice, .. } => self.slice(slice),
            Op::DeletePartition { .. } => {
                if visit.end == End::Autocommit && visit.stamp.is_none() && !self.table.shared.is_empty() {
                    (self.say)(
                        "deleting a partition with shared columns is two statements: end it with `commit`"
                            .to_owned(),
                    );
                }
            }
        }
    }

    fn elements(&mut self, shared: bool, id: ColumnId, elements: &Elements) {
        let fits = match self.place(id) {
            Some(Place::Regular(_)) => !shared,
            Some(Place::Shared(_)) => shared,
            Some(_) => false,
            None => return,
        };
        let domain = self.table.domain(id);
        let (Some(slots), true) = (domain.elements(), fits) else {
            let kind = if shared { "shared" } else { "regular" };
            let ty = domain.ty();
            (self.say)(format!(
                "column c{} ({ty}) is no {kind} column with elements of its own",
                id.0
            ));
            return;
        };
        self.some(elements.len(), "it writes at least one element");
        if !elements.is_sorted_by(|a, b| a.0 < b.0) {
            (self.say)("elements are named in order, each once".to_owned());
        }
        for (slot, value) in elements {
            let slot = usize::from(*slot);
            if slot >= slots.slots() {
                (self.say)(format!("element {slot}: c{} has {}, from 0", id.0, slots.slots()));
            } else if value.is_none() && slots.are_listed() {
                (self.say)(format!(
                    "{slot}=null: nothing is taken from a list: add the element behind ({slot}=0) or in front ({slot}=1)"
                ));
            } else if let Some(value) = value.filter(|v| *v >= slots.values(slot)) {
                (self.say)(format!(
                    "{slot}={value}: the element has {} values, from 0",
                    slots.values(slot)
                ));
            }
        }
    }

    fn amounts(&mut self, shared: bool, amounts: &Amounts) {
        self.some(amounts.len(), "it adds to at least one counter");
        if !amounts.is_sorted_by(|a, b| a.0 < b.0) {
            (self.say)("counters are named in the order of their columns, each once".to_owned());
        }
        for (id, _) in amounts {
            let fits = match self.place(*id) {
                Some(Place::Regular(_)) => !shared,
                Some(Place::Shared(_)) => shared,
                Some(Place::Partition(_) | Place::Clustering(_)) => false,
                None => continue,
            };
            if !fits || !self.table.counts() {
                let kind = if shared { "shared" } else { "regular" };
                (self.say)(format!("column c{} is no {kind} counter", id.0));
            }
        }
    }

    fn some(&mut self, n: usize, what: &str) {
        if n == 0 {
            (self.say)(what.to_owned());
        }
    }

    fn part(&mut self, part: Part) {
        let partitions = self.table.partitions().len();
        if part.position >= partitions {
            (self.say)(format!(
                "{part}: table t{} has {partitions} partitions, from 0",
                part.table
            ));
        }
    }

    fn row(&mut self, row: u64) {
        let rows = self.table.rows().len();
        if row >= rows {
            (self.say)(format!("row {row}: a partition has {rows} rows, from 0"));
        }
    }

    fn place(&mut self, id: ColumnId) -> Option<Place> {
        let known = self.table.columns().any(|c| c.id == id);
        if !known {
            (self.say)(format!("table `{}` has no column c{}", self.table.name, id.0));
        }
        known.then(|| self.table.place(id))
    }

    fn new_row(&mut self, cells: &Cells) {
        self.cells(cells, false);
        for column in self.table.regular.iter().filter(|c| !c.nullable) {
            if !cells.iter().any(|(id, _)| *id == column.id) {
                (self.say)(format!(
                    "column c{} may not be NULL: give it a value",
                    column.id.0
                ));
            }
        }
    }

    fn cells(&mut self, cells: &Cells, shared: bool) {
        if !cells.is_sorted_by(|a, b| a.0 < b.0) {
            (self.say)("cells are named in the order of their columns, each once".to_owned());
        }
        for (id, value) in cells {
            let Some(place) = self.place(*id) else { continue };
            if matches!(place, Place::Shared(_)) != shared
                || matches!(place, Place::Partition(_) | Place::Clustering(_))
            {
                let kind = if shared { "shared" } else { "regular" };
                (self.say)(format!("column c{} is no {kind} column", id.0));
                continue;
            }
            match value {
                None if !self.table.column(*id).nullable => {
                    (self.say)(format!("column c{} may not be NULL", id.0));
                }
                None => {}
                Some(value) => self.value(*id, *value),
            }
        }
    }

    /// What a condition compares.
    fn compared(&mut self, id: ColumnId, value: Option<u64>) {
        match (self.place(id), value) {
            (None, _) | (Some(Place::Regular(_)), None) => {}
            (Some(Place::Regular(_)), Some(value)) => self.value(id, value),
            (Some(_), _) => (self.say)(format!("column c{} is no regular column", id.0)),
        }
    }

    fn value(&mut self, id: ColumnId, value: u64) {
        let size = self.table.domain(id).size();
        if u128::from(value) >= size {
            (self.say)(format!("c{}={value}: the column has {size} values, from 0", id.0));
        }
    }

    /// What a collection is asked for.
    fn inside(&mut self, id: ColumnId, inner: Inner, number: u64) {
        let count = self
            .table
            .domain(id)
            .inside()
            .map_or(0, |inside| inside.count(inner));
        if count == 0 {
            let what = match inner {
                Inner::Value => "`contains` is asked of lists, sets and maps",
                Inner::Key => "`contains-key` is asked of maps",
                Inner::Entry => "`contains-entry` is asked of maps",
            };
            (self.say)(format!("c{}: {what}", id.0));
        } else if number >= count {
            (self.say)(format!(
                "c{} with {number}: there are {count} to ask for, from 0",
                id.0
            ));
        }
    }

    fn slice(&mut self, slice: &Slice) {
        let rows = self.table.rows();
        let deep = slice.prefix.len();
        let bounds: Vec<u32> = slice.lower.iter().chain(&slice.upper).map(|(d, _)| *d).collect();
        if deep + usize::from(!bounds.is_empty()) > rows.columns() {
            (self.say)(format!(
                "a slice of more columns than the key has ({})",
                rows.columns()
            ));
            return;
        }
        let digits = slice
            .prefix
            .iter()
            .copied()
            .zip(0..)
            .chain(bounds.into_iter().map(|d| (d, deep)));
        for (digit, column) in digits {
            if digit >= rows.radix(column) {
                (self.say)(format!(
                    "digit {digit}: clustering column {} has {} values, from 0",
                    column + 1,
                    rows.radix(column)
                ));
            }
        }
    }

    /// `stamped`: rows carry the shared cells of their partition.
    fn query(&mut self, query: &Query, stamped: bool) {
        let number = query.table;
        match &query.parts {
            Parts::One(position) => self.part(Part {
                table: number,
                position: *position,
            }),
            Parts::In(all) => {
                self.list(all, "partitions");
                for position in all {
                    self.part(Part {
                        table: number,
                        position: *position,
                    });
                }
            }
            Parts::All | Parts::Ring { .. } if matches!(self.table.size, SizeClass::Wide) => {
                (self.say)(
                    "a whole table is read only where it is narrow: give it `partitions N`".to_owned(),
                );
            }
            Parts::All => {}
            Parts::Ring { after, upto } => {
                for position in after.iter().chain(upto) {
                    self.part(Part {
                        table: number,
                        position: *position,
                    });
                }
            }
        }
        match &query.rows {
            RowChoice::All => {}
            _ if query.from == From::Shared => (self.say)("`of-shared` reads no rows".to_owned()),
            RowChoice::One(row) => self.row(*row),
            RowChoice::In(rows) => {
                self.list(rows, "rows");
                rows.iter().for_each(|row| self.row(*row));
            }
            RowChoice::Slice(slice) => self.slice(slice),
        }
        let joined = matches!(query.from, From::InnerJoin | From::LeftJoin);
        if query.from != From::Table && self.table.shared.is_empty() {
            (self.say)("the table has no shared columns".to_owned());
        }
        let mut named: Vec<ColumnId> = query.filter.iter().map(|p| p.column).collect();
        for predicate in &query.filter {
            let tests = matches!(predicate.relation, Relation::IsNull | Relation::IsNotNull);
            let known = self.table.columns().any(|c| c.id == predicate.column);
            match predicate.relation.inner() {
                Some(inner) if known => self.inside(predicate.column, inner, predicate.value),
                None if known && !tests => self.value(predicate.column, predicate.value),
                _ => {}
            }
        }
        let of = |aggregates: &[Aggregate]| -> Vec<ColumnId> {
            aggregates.iter().filter_map(Aggregate::column).collect()
        };
        let nothing = match &query.select {
            Select::Columns(columns) | Select::Distinct(columns) => {
                named.extend(columns);
                columns.is_empty()
            }
            Select::Aggregates(all) => {
                named.extend(of(all));
                all.is_empty()
            }
            Select::Group { by, aggregates } => {
                named.extend(by);
                named.extend(of(aggregates));
                by.is_empty()
            }
        };
        if nothing {
            (self.say)("it selects nothing".to_owned());
        }
        named.extend(query.order.iter().map(|(c, _)| *c));
        for id in named {
            let there = match self.place(id) {
                None | Some(Place::Partition(_)) => true,
                Some(Place::Shared(_)) => joined || query.from == From::Shared || stamped,
                Some(Place::Clustering(_) | Place::Regular(_)) => query.from != From::Shared,
            };
            if !there {
                (self.say)(format!("column c{} is not in what it reads", id.0));
            }
        }
        if query.limit.is_some() && query.order.is_empty() {
            (self.say)("`limit` needs `order`: which rows come is open otherwise".to_owned());
        }
        if query.offset != 0 && query.limit.is_none() {
            (self.say)("`offset` needs `limit`".to_owned());
        }
    }

    fn list(&mut self, all: &[u64], what: &str) {
        if all.is_empty() || all.len() > 8 || !all.is_sorted_by(|a, b| a < b) {
            (self.say)(format!("a list of 1 to 8 {what}, ascending"));
        }
    }
}
