//! Tables.

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Visible;
use crate::parallel::registry::plain;
use crate::parallel::speech::Feature;
use crate::parallel::values;
use history::parallel::expr::{ColumnRef, Expr, Named, Word};
use history::parallel::statement::{ColumnDef, ConstraintDef, Define, Rule};
use history::parallel::{
    Aim, Catalog, Column, Constraint, ConstraintKind, DataError, Detail, Effect, Facet, FactValue, Mode,
    Object, ObjectId, ObjectKind, Persistence, Piece, Question, Right, Statement, Type,
};

/// A new column: how it is written, and what it will be.
pub(super) fn column(b: &mut Brush<'_>, must_default: bool) -> (ColumnDef, Column) {
    let named = b.part('c');
    if b.has(Feature::Types)
        && b.draw.chance(Purpose::Type, 1, 8)
        && let Some(ty) = b.choose(ObjectKind::Type, |_| true)
    {
        return of_our_type(b, named, ty);
    }
    let ty = b.column_type();
    let not_null = b.draw.chance(Purpose::Shape, 1, 4);
    let default = (must_default && not_null) || b.draw.chance(Purpose::Shape, 1, 4);
    let default = default.then(|| Expr::Constant(values::constant(&mut b.draw, b.speech, ty), ty));
    let column = Column {
        piece: named.piece,
        name: named.name.clone(),
        ty,
        not_null,
        has_default: default.is_some(),
        generated: false,
        protected: false,
    };
    let def = ColumnDef {
        column: named,
        ty,
        not_null,
        default,
        generated: None,
    };
    (def, column)
}

/// A column of a type of the run: it takes NULL, and nothing leans on it.
fn of_our_type(b: &mut Brush<'_>, named: Named, ty: &Object) -> (ColumnDef, Column) {
    let slot = b.slot(ty);
    b.op.touch(slot, Facet::Definition, Mode::Uses, Some(Right::Usage));
    let column = Column {
        piece: named.piece,
        name: named.name.clone(),
        ty: Type::Named(ty.id),
        not_null: false,
        has_default: false,
        generated: false,
        protected: false,
    };
    let def = ColumnDef {
        column: named,
        ty: Type::Named(ty.id),
        not_null: false,
        default: None,
        generated: None,
    };
    (def, column)
}

/// A key column that is mostly unique: the first of a table.
fn key(b: &mut Brush<'_>) -> (ColumnDef, Column) {
    let named = b.part('k');
    let ty = Type::Int8;
    let column = Column {
        piece: named.piece,
        name: named.name.clone(),
        ty,
        not_null: true,
        has_default: false,
        generated: false,
        protected: false,
    };
    let def = ColumnDef {
        column: named,
        ty,
        not_null: true,
        default: None,
        generated: None,
    };
    (def, column)
}

/// A predicate that most values satisfy: one column is not one value.
pub(super) fn check(b: &mut Brush<'_>, columns: &[Column]) -> Option<(Expr, Piece)> {
    let fits = |c: &&Column| {
        !matches!(
            c.ty,
            Type::Json | Type::Jsonb | Type::Bool | Type::Bytes | Type::Named(_)
        )
    };
    let keyed = columns.iter().filter(fits).map(|c| (c.piece.0, c));
    let column = b.draw.choose(Purpose::Column, keyed)?;
    let named = Visible {
        alias: None,
        column: ColumnRef::Kept(Brush::named(column)),
        ty: plain(column.ty),
    };
    let value = Expr::Constant(
        values::constant(&mut b.draw, b.speech, column.ty),
        plain(column.ty),
    );
    let word = b.draw.of(Purpose::Shape, &["<>", "<>", "IS NOT"]);
    let check = match word {
        "<>" => Expr::infix("<>", named.expr(), value),
        _ => Expr::infix(
            "OR",
            Expr::IsNull {
                of: Box::new(named.expr()),
                not: true,
            },
            Expr::IsNull {
                of: Box::new(named.expr()),
                not: false,
            },
        ),
    };
    Some((check, column.piece))
}

/// A column of another table that a foreign key may refer to: the only one of a unique constraint.
pub(super) fn referable<'a>(b: &mut Brush<'a>, not: Option<ObjectId>) -> Option<(&'a Object, &'a Column)> {
    let unique = |t: &Object, c: &Constraint| {
        matches!(c.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique)
            && c.columns.len() == 1
            && !c.deferred
            && t.column(c.columns[0]).is_some_and(|c| c.ty == Type::Int8)
    };
    let table = b.choose(ObjectKind::Table, |t| {
        Some(t.id) != not
            && t.persistence == Persistence::Permanent
            && t.constraints.iter().any(|c| unique(t, c))
    })?;
    let constraint = table.constraints.iter().find(|c| unique(table, c))?;
    Some((table, table.column(constraint.columns[0])?))
}

/// The names of columns by identity.
pub(super) fn named(columns: &[Column], pieces: &[Piece]) -> Vec<Named> {
    let find = |p: &Piece| columns.iter().find(|c| c.piece == *p).map(Brush::named);
    pieces.iter().filter_map(find).collect()
}

/// A schema for a new relation, now and then; `None` is home.
pub(super) fn somewhere<'a>(b: &mut Brush<'a>) -> Option<&'a Object> {
    match b.has(Feature::Schemas) && b.draw.chance(Purpose::Shape, 1, 5) {
        true => b.choose(ObjectKind::Schema, |_| true),
        false => None,
    }
}

pub(super) fn create(b: &mut Brush<'_>) -> Option<Statement> {
    if b.catalog().count(ObjectKind::Table) >= b.plan.ceilings.tables {
        return None;
    }
    let schema = somewhere(b);
    let (slot, id, name) = b.makes(ObjectKind::Table, schema);
    let mut object = Object::new(id, name);
    let unlogged = b.has(Feature::Unlogged) && b.draw.chance(Purpose::Shape, 1, 12);
    if unlogged {
        object.persistence = Persistence::Unlogged;
    }
    let mut columns = Vec::new();
    let most = (b.plan.ceilings.columns * 2 / 3).max(2) as u64;
    let n = b.draw.below(Purpose::Shape, most - 1) + 1;
    let (def, first) = key(b);
    columns.push(def);
    object.columns.push(first);
    for _ in 0..n {
        let (def, column) = column(b, false);
        columns.push(def);
        object.columns.push(column);
    }
    let mut constraints = Vec::new();
    let key_piece = object.columns[0].piece;
    if b.draw.chance(Purpose::Shape, 3, 4) {
        let primary = b.draw.chance(Purpose::Shape, 3, 4);
        let columns = named(&object.columns, &[key_piece]);
        let (rule, kind) = match primary {
            true => (Rule::Primary(columns), ConstraintKind::PrimaryKey),
            false => (Rule::Unique(columns), ConstraintKind::Unique),
        };
        constraint(b, &mut object, &mut constraints, rule, kind, vec![key_piece]);
    } else {
        // Nothing leans on it: a row of defaults is one where the others have theirs.
        columns[0].not_null = false;
        object.columns[0].not_null = false;
    }
    if b.draw.chance(Purpose::Shape, 1, 5)
        && let Some((predicate, piece)) = check(b, &object.columns.clone())
    {
        constraint(
            b,
            &mut object,
            &mut constraints,
            Rule::Check(predicate),
            ConstraintKind::Check,
            vec![piece],
        );
    }
    if !unlogged
        && b.draw.chance(Purpose::Shape, 1, 5)
        && let Some((other, key)) = referable(b, None)
    {
        let table = b.slot(other);
        b.op.touch(table, Facet::Shape, Mode::Uses, Some(Right::References));
        let mut own = self::key(b);
        own.0.not_null = false;
        own.1.not_null = false;
        let piece = own.1.piece;
        let rule = Rule::Foreign {
            columns: vec![Brush::named(&own.1)],
            table,
            to: vec![Brush::named(key)],
            on_delete: Word::Borrowed(b.draw.of(Purpose::Shape, &["", "CASCADE", "SET NULL"])),
        };
        columns.push(own.0);
        object.columns.push(own.1);
        object.depends.insert(other.id);
        let kind = ConstraintKind::ForeignKey {
            references: other.id,
            columns: vec![key.piece],
        };
        constraint(b, &mut object, &mut constraints, rule, kind, vec![piece]);
    }
    let if_not_exists = b.draw.chance(Purpose::Shape, 1, 12);
    b.op.lenient = if_not_exists;
    b.op.effects.push(Effect::Create(slot, Box::new(object)));
    Some(Statement::Define(Box::new(Define::Table {
        slot,
        temporary: false,
        unlogged,
        if_not_exists,
        columns,
        constraints,
    })))
}

fn constraint(
    b: &mut Brush<'_>,
    object: &mut Object,
    defs: &mut Vec<ConstraintDef>,
    rule: Rule,
    kind: ConstraintKind,
    columns: Vec<Piece>,
) {
    let named = b.part('n');
    let predicate = match &rule {
        Rule::Check(predicate) => Some(Box::new(predicate.clone())),
        _ => None,
    };
    object.constraints.push(Constraint {
        piece: named.piece,
        name: named.name.clone(),
        kind,
        columns,
        valid: true,
        deferred: false,
        predicate,
    });
    defs.push(ConstraintDef {
        constraint: named,
        rule,
        not_valid: false,
        deferred: false,
    });
}

pub(super) fn drop(b: &mut Brush<'_>) -> Option<Statement> {
    let few = b.catalog().count(ObjectKind::Table) <= b.plan.ceilings.tables.div_ceil(4);
    if few {
        return None;
    }
    dropped(b, ObjectKind::Table)
}

/// DROP of an object of the kind. What others need is dropped with them; without them only now and then, as an aim: the
/// server refuses it, or (where nothing is refused) they are left without it.
pub(super) fn dropped(b: &mut Brush<'_>, kind: ObjectKind) -> Option<Statement> {
    let catalog = b.catalog();
    let dangles = |o: &Object| o.depends.iter().any(|d| catalog.get(*d).is_none());
    let object = match b.choose(kind, |o| !o.protected && dangles(o)) {
        Some(broken) => broken,
        None => b.choose(kind, |o| !o.protected)?,
    };
    let along = |o: &Object| match o.id.kind {
        ObjectKind::Index => true,
        ObjectKind::Trigger => kind == ObjectKind::Table,
        _ => false,
    };
    let of_type = |t: &Object| t.columns.iter().any(|c| c.ty == Type::Named(object.id));
    let needed = catalog.dependents(object.id).any(|o| !along(o))
        || (kind == ObjectKind::Type && catalog.of(ObjectKind::Table).any(of_type));
    let alone = !needed || b.draw.chance(Purpose::Aim, 2, b.plan.aims);
    let slot = b.changes(object, Facet::Exists, Mode::Removes);
    let cascade = match (b.has(Feature::Cascade), alone) {
        (true, true) if needed => b.draw.of(Purpose::Shape, &[None, Some(false)]),
        (true, true) => b.draw.of(Purpose::Shape, &[None, Some(false), Some(true)]),
        (true, false) => Some(true),
        (false, true) => None,
        (false, false) => return None,
    };
    if needed && cascade != Some(true) {
        b.op.aim = Some(Aim {
            question: Question::Dependents,
            slot,
        });
    }
    let on = match &object.detail {
        Detail::Index { on, .. } if !b.has(Feature::IndexNames) => {
            let table = catalog.get(*on)?;
            // A foreign key may need it.
            b.raise(&[DataError::ForeignKey]);
            Some(b.slot(table))
        }
        _ => None,
    };
    let if_exists = b.draw.chance(Purpose::Shape, 1, 8);
    b.op.lenient = if_exists;
    b.op.effects.push(Effect::Remove {
        slot,
        cascade: cascade == Some(true),
    });
    Some(Statement::Define(Box::new(Define::Drop {
        kind,
        slots: vec![slot],
        on,
        if_exists,
        concurrently: false,
        cascade,
    })))
}

/// Whether a view stands on it.
pub(super) fn viewed(catalog: &Catalog, object: &Object) -> bool {
    catalog
        .dependents(object.id)
        .any(|o| o.id.kind.is_readable() && o.id.kind != ObjectKind::Table)
}

/// Whether a view stands on what is gone: where that is so, SQLite alters no table.
pub(super) fn broken(b: &Brush<'_>) -> bool {
    let catalog = b.catalog();
    let dangles = |o: &Object| o.depends.iter().any(|d| catalog.get(*d).is_none());
    !b.has(Feature::Cascade) && b.has(Feature::ViewsFollow) && catalog.of(ObjectKind::View).any(dangles)
}

/// ALTER … RENAME TO of an object of the kind.
pub(super) fn renamed(b: &mut Brush<'_>, kind: ObjectKind) -> Option<Statement> {
    if broken(b) {
        return None;
    }
    let (catalog, follow) = (b.catalog(), b.has(Feature::ViewsFollow));
    let object = b.choose_any(kind, |o| follow || !viewed(catalog, o))?;
    let slot = b.changes(object, Facet::Name, Mode::Redefines);
    let (to, _) = b.renames(object);
    b.op.effects.push(Effect::Rename { slot, to });
    Some(Statement::Define(Box::new(Define::Rename {
        kind,
        slot,
        on: None,
        to,
    })))
}

pub(super) fn rename(b: &mut Brush<'_>) -> Option<Statement> {
    renamed(b, ObjectKind::Table)
}

/// Into a schema; the way home is not taken, as only the server knows where that is.
pub(super) fn into(b: &mut Brush<'_>) -> Option<Statement> {
    let schema = b.choose(ObjectKind::Schema, |_| true)?;
    let table = b.choose(ObjectKind::Table, |t| t.name.parent != Some(schema.id))?;
    let slot = b.changes(table, Facet::Name, Mode::Redefines);
    let at = b.slot(schema);
    b.op.touch(at, Facet::Exists, Mode::Uses, Some(Right::Create));
    let mut name = table.name.clone();
    name.parent = Some(schema.id);
    b.set(slot, Facet::Name, FactValue::Name(name));
    Some(Statement::Define(Box::new(Define::Move {
        kind: ObjectKind::Table,
        slot,
        schema: Some(at),
    })))
}
