//! What puts rows in.

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::{Care, Visible};
use crate::parallel::query::{Shape, bare};
use crate::parallel::registry::plain;
use crate::parallel::speech::{Cut, Feature};
use crate::parallel::values;
use history::parallel::expr::{ColumnRef, Constant, Expr, Named, Word};
use history::parallel::statement::walk;
use history::parallel::statement::{Body, Conflict, Insert, Rows, Select};
use history::parallel::{
    Column, Constraint, ConstraintKind, DataError, Effect, Object, ObjectKind, Right, Space, Statement,
    Target, Type,
};

/// A table that has room.
pub(super) fn roomy<'a>(b: &mut Brush<'a>) -> Option<&'a Object> {
    let most = b.plan.ceilings.rows;
    // Where a table is empty, reads say little: it comes first, half of the time.
    if b.draw.chance(Purpose::Object, 1, 2)
        && let Some(empty) = b.choose(ObjectKind::Table, |t| t.rows == 0 && !t.columns.is_empty())
    {
        return Some(empty);
    }
    b.choose(ObjectKind::Table, |t| t.rows < most && !t.columns.is_empty())
}

/// Whether the table's unique keys hold the column.
pub(super) fn keyed(table: &Object, column: &Column) -> bool {
    let unique = |c: &Constraint| matches!(c.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique);
    let holds = |c: &&Constraint| unique(c) && c.columns.contains(&column.piece);
    table.constraints.iter().any(|c| holds(&c))
}

/// What the column refers to: a table and its column.
pub(super) fn foreign<'a>(
    b: &Brush<'a>,
    table: &Object,
    column: &Column,
) -> Option<(&'a Object, &'a Column)> {
    table.constraints.iter().find_map(|c| match &c.kind {
        ConstraintKind::ForeignKey { references, columns } if c.columns.first() == Some(&column.piece) => {
            let other = b.view.catalog.get(*references)?;
            let schema = other.name.parent;
            schema
                .is_none_or(|s| b.view.catalog.get(s).is_some())
                .then_some(())?;
            Some((other, other.column(*columns.first()?)?))
        }
        _ => None,
    })
}

/// The value of a column in a new row; with `bold`, one that a constraint may refuse.
fn cell(b: &mut Brush<'_>, table: &Object, column: &Column, nth: u64, bold: bool) -> Expr {
    let null = match column.not_null {
        true => bold && b.draw.chance(Purpose::Value, 1, 8),
        false => b.draw.chance(Purpose::Value, 1, 8),
    };
    if null {
        return Expr::Constant(Constant::Null, column.ty);
    }
    if let Type::Named(_) = column.ty {
        let (value, ty) = b.value(column.ty).unwrap_or((Constant::Null, column.ty));
        return Expr::Constant(value, ty);
    }
    if let Some((other, key)) = foreign(b, table, column)
        && other.id != table.id
        && !bold
    {
        let (from, sight) = b.relation(other);
        let wanted = sight
            .iter()
            .find(|v| matches!(&v.column, ColumnRef::Kept(n) if n.piece == key.piece));
        if let Some(wanted) = wanted {
            let mut query = bare(Select {
                distinct: false,
                outputs: vec![wanted.expr()],
                from: Some(from),
                filter: None,
                group: Vec::new(),
                having: None,
            });
            query.limit = Some(1);
            return Expr::Scalar(Box::new(query));
        }
    }
    if keyed(table, column) && !bold {
        return Expr::Constant(distinct(b, column.ty, nth), column.ty);
    }
    Expr::Constant(values::constant(&mut b.draw, b.speech, column.ty), column.ty)
}

/// A value that hardly another row has.
fn distinct(b: &mut Brush<'_>, ty: Type, nth: u64) -> Constant {
    let at = b.op.at;
    let run = (at.op << 12) | (u64::from(at.session.0) << 6) | (nth & 63);
    match ty {
        Type::Int8 => Constant::Int(i64::try_from(run & (u64::MAX >> 1)).expect("63 bits")),
        Type::Int4 => Constant::Int(i64::from(i32::try_from(run & 0x7fff_ffff).expect("31 bits"))),
        Type::Text => Constant::Text(Word::Owned(format!("k{run}"))),
        Type::Varchar(n) if n >= 16 => Constant::Text(Word::Owned(format!("k{:x}", run & 0xff_ffff_ffff))),
        Type::Uuid => Constant::Text(Word::Owned(format!(
            "00000000-0000-4000-8000-{:012x}",
            run & 0xffff_ffff_ffff
        ))),
        ty => values::constant(&mut b.draw, b.speech, ty),
    }
}

/// An expression for a column, cut to what the column takes.
pub(super) fn assigned(b: &mut Brush<'_>, column: &Column, sight: &[Visible], care: Care) -> Expr {
    let mut value = b.expr(column.ty, sight, 2, care);
    if column.not_null && b.draw.chance(Purpose::Value, 15, 16) {
        let other = b.constant(plain(column.ty), false);
        value = Expr::function("coalesce", vec![value, other]);
    }
    match column.ty {
        Type::Text if !matches!(value, Expr::Constant(..) | Expr::Column { .. }) => cut(b, value, 200),
        Type::Varchar(n) => cut(b, value, i64::from(n)),
        Type::Char(n) => cut(b, value, i64::from(n)),
        Type::Bytes if b.has(Feature::AlterColumn) => match value {
            Expr::Constant(..) | Expr::Column { .. } => value,
            value => Expr::function("substr", vec![value, small(1), small(64)]),
        },
        Type::Numeric(Some(_)) => {
            b.raise(&[DataError::NumericRange]);
            value
        }
        Type::Int8 if b.speech.loose_numbers => {
            b.raise(&[DataError::Mismatch]);
            value
        }
        _ => value,
    }
}

fn small(n: i64) -> Expr {
    Expr::Constant(Constant::Int(n), Type::Int4)
}

fn cut(b: &Brush<'_>, value: Expr, to: i64) -> Expr {
    match b.speech.left {
        Cut::Left => Expr::function("left", vec![value, small(to)]),
        Cut::Substr => Expr::function("substr", vec![value, small(1), small(to)]),
    }
}

/// The columns that an insert fills: all that must be, and most of the others.
fn filled<'o>(b: &mut Brush<'_>, table: &'o Object) -> Vec<&'o Column> {
    let mut columns: Vec<&Column> = Vec::new();
    for column in table.columns.iter().filter(|c| !c.generated) {
        if (column.not_null && !column.has_default) || b.draw.chance(Purpose::Column, 5, 6) {
            columns.push(column);
        }
    }
    if columns.is_empty() {
        columns.extend(table.columns.iter().find(|c| !c.generated));
    }
    columns
}

fn names(columns: &[&Column]) -> Vec<Named> {
    columns.iter().map(|c| Brush::named(c)).collect()
}

fn rows(b: &mut Brush<'_>, table: &Object, columns: &[&Column]) -> Vec<Vec<Option<Expr>>> {
    let n = match b.draw.below(Purpose::Shape, 4) {
        0 => 1,
        1 | 2 => b.draw.below(Purpose::Shape, 8) + 1,
        _ => b.draw.below(Purpose::Shape, 40) + 1,
    };
    let bold = b.draw.chance(Purpose::Value, 1, 16);
    let rows = (0..n).map(|i| {
        let cells = columns
            .iter()
            .map(|c| match c.has_default && b.draw.chance(Purpose::Value, 1, 6) {
                // SQLite has no DEFAULT in VALUES.
                true if !b.speech.loose_numbers => None,
                _ => Some(cell(b, table, c, i, bold)),
            });
        cells.collect()
    });
    rows.collect()
}

/// RETURNING of some columns and an expression, where the target has it.
pub(super) fn returning(b: &mut Brush<'_>, table: &Object) -> Vec<Expr> {
    if !b.has(Feature::Returning) || !b.draw.chance(Purpose::Shape, 1, 4) {
        return Vec::new();
    }
    let sight = b.sight(table, None);
    let mut out: Vec<Expr> = b.column_of(sight.iter()).into_iter().collect();
    if b.draw.chance(Purpose::Shape, 1, 2) {
        let ty = b.any_type();
        out.push(b.expr(ty, &sight, 1, Care::Flat));
    }
    out
}

/// The touch of RETURNING: it reads.
fn reads_back(b: &mut Brush<'_>, table: &Object, returning: &[Expr]) {
    if !returning.is_empty() {
        b.reads(table);
    }
}

pub(super) fn insert(b: &mut Brush<'_>) -> Option<Statement> {
    let table = roomy(b)?;
    let slot = b.writes(table, Right::Insert);
    let columns = filled(b, table);
    let rows = rows(b, table, &columns);
    let returning = returning(b, table);
    reads_back(b, table, &returning);
    b.op.effects.push(Effect::Rows(slot, rows.len() as u64));
    Some(Statement::Insert(Box::new(Insert {
        table: slot,
        columns: names(&columns),
        rows: Rows::Values(rows),
        conflict: None,
        returning,
    })))
}

/// Of a row that is there already: a value that DO UPDATE sets.
pub(super) fn upsert(b: &mut Brush<'_>) -> Option<Statement> {
    let table = roomy(b)?;
    let unique = |c: &&Constraint| {
        matches!(c.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique)
            && !c.deferred
            && !c.columns.is_empty()
    };
    let keys = table.constraints.iter().filter(unique);
    let constraint = b.draw.choose(Purpose::Object, keys.map(|c| (c.piece.0, c)))?;
    let target: Option<Vec<&Column>> = constraint.columns.iter().map(|p| table.column(*p)).collect();
    let target = target?;
    let slot = b.writes(table, Right::Insert);
    b.reads(table);
    if b.has(Feature::ConflictTarget) {
        b.op.slot(Target::Part {
            of: slot,
            space: Space::Constraint,
            piece: Some(constraint.piece),
            name: constraint.name.clone(),
        });
    }
    let columns = filled(b, table);
    let rows = rows(b, table, &columns);
    let free = columns
        .iter()
        .filter(|c| !target.iter().any(|t| t.piece == c.piece));
    let changed: Vec<&Column> = free.copied().take(2).collect();
    let mut set = Vec::new();
    if b.draw.chance(Purpose::Shape, 2, 3) {
        for column in &changed {
            let proposed = ColumnRef::Proposed(Brush::named(column));
            set.push((
                Brush::named(column),
                Expr::Column {
                    of: None,
                    column: proposed,
                },
            ));
        }
    }
    if !set.is_empty() {
        b.writes(table, Right::Update);
        b.raise(&[DataError::Cardinality]);
    }
    let returning = returning(b, table);
    b.op.effects.push(Effect::Rows(slot, rows.len() as u64));
    Some(Statement::Insert(Box::new(Insert {
        table: slot,
        columns: names(&columns),
        rows: Rows::Values(rows),
        conflict: Some(Conflict {
            target: names(&target),
            set,
        }),
        returning,
    })))
}

const SELECTED: u64 = 20;

/// Makes an output fit for its column: mostly not NULL where that is refused, mostly numbered where it is a key.
fn distinguish(b: &mut Brush<'_>, table: &Object, column: &Column, output: &mut Expr) {
    if !b.draw.chance(Purpose::Value, 15, 16) {
        return;
    }
    if keyed(table, column) && column.ty == Type::Int8 {
        let Constant::Int(first) = distinct(b, Type::Int8, 0) else {
            return;
        };
        let number = Expr::Window {
            word: Word::Borrowed("row_number"),
            args: Vec::new(),
            star: false,
            partition: Vec::new(),
            order: Vec::new(),
            frame: None,
        };
        *output = Expr::infix("+", Expr::int(first), number);
    } else if column.not_null {
        let old = std::mem::replace(output, Expr::int(0));
        let other = b.constant(plain(column.ty), false);
        *output = Expr::function("coalesce", vec![old, other]);
    }
}

pub(super) fn select(b: &mut Brush<'_>) -> Option<Statement> {
    let table = roomy(b)?;
    let slot = b.writes(table, Right::Insert);
    let columns: Vec<&Column> = filled(b, table);
    let columns: Vec<&Column> = columns
        .into_iter()
        .filter(|c| c.not_null || foreign(b, table, c).is_none())
        .filter(|c| !matches!(c.ty, Type::Named(_)))
        .collect();
    // Of no columns, both lists would mean all that there are.
    if columns.is_empty() {
        return None;
    }
    let types: Vec<Type> = columns.iter().map(|c| plain(c.ty)).collect();
    let shape = b
        .draw
        .of(Purpose::Shape, &[Shape::Plain, Shape::Plain, Shape::Join]);
    let (mut query, _) = b.query(shape, Some(&types), Care::Any)?;
    if let Body::Select(select) = &mut query.body {
        for (column, output) in columns.iter().zip(&mut select.outputs) {
            distinguish(b, table, column, output);
        }
        select.distinct = false;
    }
    query.limit = Some(b.draw.below(Purpose::Shape, SELECTED) + 1);
    // Assignment casts: a text may be too long, a decimal too big.
    for column in &columns {
        match column.ty {
            Type::Varchar(_) | Type::Char(_) => b.raise(&[DataError::TooLong]),
            Type::Numeric(Some(_)) => b.raise(&[DataError::NumericRange]),
            Type::Int8 if b.speech.loose_numbers => b.raise(&[DataError::Mismatch]),
            _ => {}
        }
    }
    b.op.effects.push(Effect::Rows(slot, SELECTED));
    let statement = Statement::Insert(Box::new(Insert {
        table: slot,
        columns: names(&columns),
        rows: Rows::Query(Box::new(query)),
        conflict: None,
        returning: Vec::new(),
    }));
    // An output that made room for another may have been the only one to name a relation: then nobody would miss it.
    let said = walk::mentions(&statement).slots;
    let is_said = |slot: usize| said.iter().any(|s| usize::from(*s) == slot);
    let is_relation = |t: &Target| {
        let Target::Object { object, .. } = t else {
            return false;
        };
        matches!(
            object.kind,
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView
        )
    };
    let slots = b.op.slots.iter().enumerate();
    let mut unsaid = slots.filter(|(slot, t)| is_relation(t) && !is_said(*slot));
    unsaid.next().is_none().then_some(statement)
}

/// Only where a row of defaults can be one.
pub(super) fn defaults(b: &mut Brush<'_>) -> Option<Statement> {
    let most = b.plan.ceilings.rows;
    let can = |t: &Object| {
        t.rows < most
            && t.columns
                .iter()
                .all(|c| !c.not_null || c.has_default || c.generated)
    };
    let table = b.choose(ObjectKind::Table, can)?;
    let slot = b.writes(table, Right::Insert);
    b.op.effects.push(Effect::Rows(slot, 1));
    Some(Statement::Insert(Box::new(Insert {
        table: slot,
        columns: Vec::new(),
        rows: Rows::Defaults,
        conflict: None,
        returning: Vec::new(),
    })))
}

/// Rows of constants, as COPY takes them.
pub(super) fn copy(b: &mut Brush<'_>) -> Option<Statement> {
    let table = roomy(b)?;
    let slot = b.writes(table, Right::Insert);
    let columns = filled(b, table);
    let csv = b.draw.chance(Purpose::Shape, 1, 3);
    let n = b.draw.below(Purpose::Shape, 30) + 1;
    let rows: Vec<Vec<Constant>> = (0..n)
        .map(|i| {
            let cells = columns.iter().map(|c| {
                let foreign = foreign(b, table, c).is_some();
                if (foreign || b.draw.chance(Purpose::Value, 1, 10)) && !c.not_null {
                    Constant::Null
                } else if let Type::Named(_) = c.ty {
                    b.value(c.ty).map_or(Constant::Null, |(value, _)| value)
                } else if keyed(table, c) {
                    distinct(b, c.ty, i)
                } else {
                    values::constant(&mut b.draw, b.speech, c.ty)
                }
            });
            cells.collect()
        })
        .collect();
    b.op.effects.push(Effect::Rows(slot, n));
    Some(Statement::CopyIn {
        table: slot,
        columns: names(&columns),
        types: columns.iter().map(|c| c.ty).collect(),
        rows,
        csv,
    })
}
