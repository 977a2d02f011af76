//! What an action draws with: the session's view, the draws of one op, and the op as it grows.
//!
//! * B1 what a statement names is put into the slots when it is drawn, never looked up afterwards.
//! * B2 an action that finds nothing to work on leaves no trace in the op.

use super::draw::{Draw, Purpose};
use super::naughty;
use super::registry::{Registry, plain};
use super::speech::{Feature, Speech};
use super::values;
use super::{Plan, expression::Visible};
use history::parallel::Statement;
use history::parallel::expr::{ColumnRef, Constant, Named, Word};
use history::parallel::statement::walk;
use history::parallel::{
    Aim, Catalog, Column, ColumnEdit, DataError, Detail, Effect, Facet, FactValue, KeptName, Mode, Name,
    Object, ObjectId, ObjectKind, Op, Piece, Question, Right, Space, Target, Type, View,
};

/// See the module.
pub(crate) struct Brush<'a> {
    pub(crate) view: &'a View,
    pub(crate) speech: &'static Speech,
    pub(crate) plan: &'a Plan,
    pub(crate) registry: &'a Registry,
    pub(crate) draw: Draw,
    pub(crate) op: Op,
    /// The next alias of a relation.
    pub(crate) alias: u8,
    /// The next number of a table expression.
    pub(crate) with: u8,
    /// How many subqueries may still be drawn.
    pub(crate) room: u8,
    /// How many columns and constraints the op has made.
    pieces: u8,
}

/// Rows of a view, when a join is sized.
const VIEW_ROWS: u64 = 500;

impl<'a> Brush<'a> {
    pub(crate) fn new(
        view: &'a View,
        speech: &'static Speech,
        plan: &'a Plan,
        registry: &'a Registry,
        draw: Draw,
        op: Op,
    ) -> Self {
        Self {
            view,
            speech,
            plan,
            registry,
            draw,
            op,
            alias: 0,
            with: 0,
            room: 2,
            pieces: 0,
        }
    }

    pub(crate) fn catalog(&self) -> &'a Catalog {
        &self.view.catalog
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.speech.has(feature) && !self.plan.without.contains(&feature)
    }

    /// The statement may be refused for its values.
    pub(crate) fn raise(&mut self, errors: &[DataError]) {
        for error in errors {
            if !self.op.raises.contains(error) {
                self.op.raises.push(*error);
            }
        }
    }

    /// An object of the kind that passes, but no ledger. One choice in four is one that other sessions make as well.
    pub(crate) fn choose(&mut self, kind: ObjectKind, pass: impl Fn(&Object) -> bool) -> Option<&'a Object> {
        self.choose_any(kind, |o| !matches!(o.detail, Detail::Ledger { .. }) && pass(o))
    }

    /// The same with ledgers: for what leaves their rows as they are.
    pub(crate) fn choose_any(
        &mut self,
        kind: ObjectKind,
        pass: impl Fn(&Object) -> bool,
    ) -> Option<&'a Object> {
        let objects = self.catalog().of(kind).filter(|o| pass(o));
        self.pick(objects)
    }

    /// One of some objects.
    pub(crate) fn pick(&mut self, objects: impl Iterator<Item = &'a Object>) -> Option<&'a Object> {
        // What was made in a schema while that was dropped may be believed to be there for a while: it has no name.
        let catalog = self.catalog();
        let lies = |o: &&Object| o.name.parent.is_none_or(|parent| catalog.get(parent).is_some());
        let keyed = objects.filter(lies).map(|o| (o.id.number, o));
        if self.draw.chance(Purpose::Object, 1, 4) {
            self.draw.meet(Purpose::Object, keyed)
        } else {
            self.draw.choose(Purpose::Object, keyed)
        }
    }

    /// An object that rows can be read from: populated, and with all that it stands on.
    pub(crate) fn readable(&mut self) -> Option<&'a Object> {
        let catalog = self.catalog();
        let readable =
            |o: &&Object| o.id.kind.is_readable() && !o.columns.is_empty() && whole(catalog, o, DEEP);
        self.pick(catalog.iter().filter(readable))
    }

    /// How many rows it has at most, for sizing.
    pub(crate) fn ceiling(&self, object: &Object) -> u64 {
        match object.id.kind {
            ObjectKind::Table => object.rows.max(1),
            _ => VIEW_ROWS,
        }
    }

    /// The slot of an object that the statement names; with its schema, where that is not home.
    pub(crate) fn slot(&mut self, object: &Object) -> u8 {
        let same = |t: &Target| matches!(t, Target::Object { object: id, .. } if *id == object.id);
        if let Some(at) = self.op.slots.iter().position(same) {
            return u8::try_from(at).expect("an op has at most 255 slots");
        }
        self.parent(&object.name);
        self.op.slot(Target::Object {
            object: object.id,
            name: object.name.clone(),
        })
    }

    /// The schema of a name, as a slot.
    fn parent(&mut self, name: &Name) {
        if let Some(parent) = name.parent
            && parent.kind == ObjectKind::Schema
            && let Some(schema) = self.view.catalog.get(parent)
        {
            let slot = self.slot(schema);
            self.op.touch(slot, Facet::Exists, Mode::Uses, Some(Right::Usage));
        }
    }

    /// The slot of an object whose rows are read.
    pub(crate) fn reads(&mut self, object: &Object) -> u8 {
        let slot = self.slot(object);
        self.op.touch(slot, Facet::Rows, Mode::Reads, Some(Right::Select));
        slot
    }

    /// The slot of a table whose rows are written.
    pub(crate) fn writes(&mut self, object: &Object, right: Right) -> u8 {
        let slot = self.slot(object);
        self.op.touch(slot, Facet::Rows, Mode::Writes, Some(right));
        slot
    }

    /// The slot of an object that only its owner may change.
    pub(crate) fn changes(&mut self, object: &Object, facet: Facet, mode: Mode) -> u8 {
        let slot = self.slot(object);
        self.op.touch(slot, facet, mode, Some(Right::Own));
        slot
    }

    /// The slot of a new object with a new name, its identity, and its name. One in twelve takes a name that is there: an aim.
    pub(crate) fn makes(&mut self, kind: ObjectKind, schema: Option<&Object>) -> (u8, ObjectId, Name) {
        let slot = u8::try_from(self.op.slots.len()).expect("an op has at most 255 slots")
            + u8::from(schema.is_some());
        let object = ObjectId::made(kind, self.op.at, slot);
        let parent = schema.map(|s| s.id);
        let mut name = Name {
            space: kind.space(),
            parent,
            kept: self.spelled(letter(kind), slot),
        };
        // Functions of one name and other arguments are several.
        let alone = kind != ObjectKind::Function;
        if alone && self.draw.chance(Purpose::Aim, 1, self.plan.aims) {
            let indexes = self.has(Feature::IndexNames);
            let same = |o: &&Object| {
                let rivals = indexes || (kind != ObjectKind::Index && o.id.kind != ObjectKind::Index);
                rivals && o.name.space == name.space && o.name.parent == parent
            };
            let taken = self.draw.choose(
                Purpose::Aim,
                self.view.catalog.iter().filter(same).map(|o| (o.id.number, o)),
            );
            if let Some(taken) = taken {
                name.kept = taken.name.kept.clone();
                self.op.aim = Some(Aim {
                    question: Question::Taken,
                    slot,
                });
            }
        }
        if let Some(schema) = schema {
            let at = self.slot(schema);
            self.op.touch(at, Facet::Exists, Mode::Uses, Some(Right::Create));
        }
        let made = self.op.slot(Target::New {
            object,
            name: name.clone(),
        });
        self.op.touch(made, Facet::Exists, Mode::Defines, None);
        let object = ObjectId::made(kind, self.op.at, made);
        if let Target::New { object: id, .. } = &mut self.op.slots[usize::from(made)] {
            *id = object;
        }
        if let Some(aim) = &mut self.op.aim {
            aim.slot = made;
        }
        (made, object, name)
    }

    /// The slot of a new object that belongs to another and has its name there: a trigger of a table.
    pub(crate) fn hangs(&mut self, kind: ObjectKind, on: &Object) -> (u8, ObjectId, Name) {
        let slot = u8::try_from(self.op.slots.len()).expect("an op has at most 255 slots");
        let object = ObjectId::made(kind, self.op.at, slot);
        let name = Name {
            space: kind.space(),
            parent: Some(on.id),
            kept: self.spelled(letter(kind), slot),
        };
        let made = self.op.slot(Target::New {
            object,
            name: name.clone(),
        });
        self.op.touch(made, Facet::Exists, Mode::Defines, None);
        (made, object, name)
    }

    /// A value of the type: of a type of the run, one of its labels or of what it stands on. `None`: the type is gone.
    pub(crate) fn value(&mut self, ty: Type) -> Option<(Constant, Type)> {
        let Type::Named(id) = ty else {
            return Some((values::constant(&mut self.draw, self.speech, ty), ty));
        };
        let Detail::Type { labels, base } = &self.catalog().get(id)?.detail else {
            return None;
        };
        match base {
            Some(base) => {
                self.raise(&[DataError::Check]);
                Some((values::constant(&mut self.draw, self.speech, *base), *base))
            }
            None => {
                let at = self.draw.index(Purpose::Value, labels.len());
                Some((Constant::Text(Word::Owned(labels.get(at)?.clone())), ty))
            }
        }
    }

    /// The slot of a new name for what has one.
    pub(crate) fn renames(&mut self, object: &Object) -> (u8, Name) {
        let slot = u8::try_from(self.op.slots.len()).expect("an op has at most 255 slots");
        let name = Name {
            kept: self.spelled(letter(object.id.kind), slot),
            ..object.name.clone()
        };
        let to = self.op.slot(Target::Free(name.clone()));
        (to, name)
    }

    /// A spelling that nobody else makes: by session, op and slot (P6).
    fn spelled(&self, letter: char, slot: u8) -> KeptName {
        let at = self.op.at;
        let mut text = format!("{}{letter}{}_{}_{slot}", self.plan.prefix, at.session.0, at.op);
        let bits = self.draw.still(u64::from(slot));
        // Two names in three are hard to write.
        if self.plan.naughty && !bits.is_multiple_of(3) {
            text += naughty::tail(self.speech, bits / 3);
        }
        KeptName::new(kept(&text, self.speech.name_bytes))
    }

    /// A new column or constraint of a table: its identity and its name.
    pub(crate) fn part(&mut self, letter: char) -> Named {
        let nth = self.pieces;
        self.pieces += 1;
        Named {
            piece: Piece::made(self.op.at, nth),
            name: self.spelled(letter, 200 + nth % 50),
        }
    }

    /// A column or constraint as it is there.
    pub(crate) fn named(column: &Column) -> Named {
        Named {
            piece: column.piece,
            name: column.name.clone(),
        }
    }

    /// A slot for the name of a column or constraint that the statement makes.
    pub(crate) fn new_part(&mut self, of: u8, space: Space, name: &KeptName) {
        self.op.slot(Target::Part {
            of,
            space,
            piece: None,
            name: name.clone(),
        });
    }

    /// The columns of an object, as expressions see them.
    pub(crate) fn sight(&self, object: &Object, alias: Option<u8>) -> Vec<Visible> {
        let columns = object.columns.iter().map(|c| Visible {
            alias,
            column: ColumnRef::Kept(Self::named(c)),
            ty: plain(c.ty),
        });
        columns.collect()
    }

    /// A new alias.
    pub(crate) fn alias(&mut self) -> u8 {
        self.alias += 1;
        self.alias - 1
    }

    /// An effect on a facet of what is in a slot.
    pub(crate) fn set(&mut self, slot: u8, facet: Facet, value: FactValue) {
        self.op.effects.push(Effect::Set(slot, facet, value));
    }

    /// An effect on one respect of a column of what is in a slot.
    pub(crate) fn edit(&mut self, slot: u8, column: &Column, edit: ColumnEdit) {
        self.op.effects.push(Effect::Edit(slot, column.piece, edit));
    }

    /// The op with its statement, and every column and constraint that it names in a slot.
    pub(crate) fn finish(mut self, statement: Statement) -> Op {
        for part in walk::mentions(&statement).parts {
            let there = |t: &Target| matches!(t, Target::Part { of, piece: Some(p), .. } if *of == part.slot && *p == part.named.piece);
            if self.op.slots.iter().any(there) {
                continue;
            }
            self.op.slot(Target::Part {
                of: part.slot,
                space: part.space,
                piece: Some(part.named.piece),
                name: part.named.name.clone(),
            });
            if part.space == Space::Column {
                let facet = Facet::Column(part.named.piece);
                self.op.touch(part.slot, facet, Mode::Reads, None);
            }
        }
        self.op.ast = statement;
        self.op
    }
}

/// How far down is looked.
const DEEP: u8 = 4;

/// Whether all that a relation stands on is there and populated.
fn whole(catalog: &Catalog, object: &Object, left: u8) -> bool {
    if object.id.kind == ObjectKind::Table || left == 0 {
        return true;
    }
    let below = |id: &ObjectId| catalog.get(*id).is_some_and(|o| whole(catalog, o, left - 1));
    object.valid && object.depends.iter().all(below)
}

/// The letter that names of the kind have, behind the prefix.
fn letter(kind: ObjectKind) -> char {
    match kind {
        ObjectKind::Database => 'd',
        ObjectKind::Schema => 's',
        ObjectKind::Table => 't',
        ObjectKind::View => 'v',
        ObjectKind::MaterializedView => 'm',
        ObjectKind::Index => 'i',
        ObjectKind::Sequence => 'q',
        ObjectKind::Type => 'y',
        ObjectKind::Function => 'f',
        ObjectKind::Trigger => 'g',
        ObjectKind::Role => 'r',
    }
}

/// As much of a name as is kept: whole characters within so many bytes.
fn kept(name: &str, bytes: usize) -> &str {
    let mut end = name.len().min(bytes);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}
