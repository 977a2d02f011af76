//! The notation of the tests, read line by line and played against a model.

mod within;

use crate::parallel::Model;
use history::parallel::expr::Expr;
use history::parallel::statement::{Body, Care, From, Query, Rights, Select, Source};
use history::parallel::{
    Answer, At, CellChange, Column, ColumnEdit, Constraint, ConstraintKind, DataError, Detail, Effect,
    Explained, Facet, FactValue, Family, Fault, Finding, FrameOp, KeptName, Ledger, Limit, Mode, Name,
    Object, ObjectId, ObjectKind, Op, Piece, Right, Rules, Said, Seen, SeenColumn, SeenKind, SeenObject,
    Space, Statement, Table, Target, TxState, Type,
};
use history::{Level, SessionId, Span, Tick};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What came of a history.
#[derive(Debug, Default)]
pub(super) struct Play {
    /// Findings, as text.
    pub(super) broken: Vec<String>,
    /// Witnesses of the last expected error.
    pub(super) causes: Vec<String>,
    /// Statements of ours that were wrong.
    pub(super) ours: usize,
}

/// Plays a history.
pub(super) fn play(text: &str, rules: &'static Rules) -> Play {
    let mut table = Stage::new(rules);
    for line in text.lines() {
        table.line(line.trim());
    }
    table.play
}

struct Stage {
    model: Model,
    ops: BTreeMap<u16, u64>,
    open: BTreeMap<u16, TxState>,
    known: BTreeMap<String, ObjectId>,
    pieces: BTreeMap<String, Piece>,
    play: Play,
}

impl Stage {
    fn new(rules: &'static Rules) -> Self {
        Self {
            model: Model::new(rules),
            ops: BTreeMap::new(),
            open: BTreeMap::new(),
            known: BTreeMap::new(),
            pieces: BTreeMap::new(),
            play: Play::default(),
        }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let tick = Tick(words[0].parse().expect("a line begins with its tick"));
        if words[1] == "list" {
            let seen = Seen {
                objects: words[2..].iter().map(|w| table(w)).collect(),
            };
            let span = Span {
                sent: tick,
                answered: Tick(tick.0 + 1),
            };
            for finding in self.model.reconcile(&seen, span) {
                self.found(&finding);
            }
            return;
        }
        if words[1] == "likely" {
            return self.likely(words[2], words[3], &words[4..]);
        }
        let session = SessionId(words[1][1..].parse().expect("a session is s and a number"));
        if words[2] == "takes" {
            return self.model.takes_at_its_word();
        }
        if words[2] == "remembers" {
            let view = self.model.session(session).expect("it has sent something");
            assert_eq!(view.refused_schema, words[3] == "refused", "{line}");
            return;
        }
        if self.model.session(session).is_none() {
            self.model.opened(session, 1, Tick(0));
        }
        match words[2] {
            ">" => self.send(session, tick, &words[3..]),
            "<" => {
                let said = line.split_once("< ").expect("just seen").1;
                self.answer(session, tick, said);
            }
            "gone" => self.model.gone(session, tick),
            "!cancel" => self.model.fault(Fault::Cancel { session }, tick),
            "!terminate" => self.model.fault(Fault::Terminate { session }, tick),
            "!limit" => {
                self.model.limit(Limit::Statement, 1000);
                self.model.opened(session, 1, tick);
            }
            other => panic!("{other} is nothing"),
        }
    }

    /// What is drawn on: the column is of the type, and has a default or not.
    fn likely(&mut self, table: &str, column: &str, want: &[&str]) {
        let session = SessionId(u16::MAX);
        if self.model.session(session).is_none() {
            self.model.opened(session, 1, Tick(0));
        }
        let view = self.model.view(session);
        let known = view.catalog.get(self.known[table]);
        let column = known.and_then(|t| t.columns.iter().find(|c| c.name.as_str() == column));
        let is = column.map(|c| format!("{:?} {}", c.ty, c.has_default));
        if is.as_deref() != Some(want.join(" ").as_str()) {
            self.play.broken.push(format!("{table} is drawn on as {is:?}"));
        }
    }

    fn send(&mut self, session: SessionId, tick: Tick, words: &[&str]) {
        let number = self.ops.entry(session.0).or_default();
        *number += 1;
        let at = At { session, op: *number };
        let op = self.op(at, words);
        let sql: Arc<str> = words.join(" ").into();
        self.model.sent(&Arc::new(op), &sql, tick);
    }

    fn answer(&mut self, session: SessionId, tick: Tick, said: &str) {
        let state = self.open.entry(session.0).or_default();
        let begun = self
            .model
            .sessions
            .get(&session)
            .and_then(|s| s.in_flight.as_ref())
            .and_then(|f| f.op.frame().cloned());
        let said = match said.split_once(' ') {
            None => {
                match begun {
                    None if said == "ended" => *state = TxState::Idle,
                    Some(FrameOp::Begin { .. }) => *state = TxState::Open,
                    Some(FrameOp::Commit | FrameOp::Rollback) => *state = TxState::Idle,
                    Some(FrameOp::RollbackTo(_)) => *state = TxState::Open,
                    _ => {}
                }
                Said::Done {
                    tag: if said == "rollback" { "ROLLBACK" } else { "OK" }.to_owned(),
                    affected: None,
                    rows: None,
                }
            }
            Some(("count", n)) => Said::Done {
                tag: String::new(),
                affected: Some(n.parse().expect("a number of rows")),
                rows: None,
            },
            Some(("rows", rows)) => Said::Done {
                tag: String::new(),
                affected: None,
                rows: Some(rows_of(rows)),
            },
            Some(("unknown", rest)) => {
                *state = TxState::Idle;
                let (code, text) = rest.split_once(' ').expect("a code and a text");
                Said::Unknown {
                    code: code.to_owned(),
                    text: text.to_owned(),
                }
            }
            Some((code, text)) => {
                let text = match (text.strip_suffix(" failed"), text.strip_suffix(" ended")) {
                    (Some(text), _) => {
                        *state = TxState::Failed;
                        text
                    }
                    (None, Some(text)) => {
                        *state = TxState::Idle;
                        text
                    }
                    (None, None) => text,
                };
                Said::Refused {
                    code: code.to_owned(),
                    text: text.to_owned(),
                    detail: String::new(),
                }
            }
        };
        let answer = Answer { said, state: *state };
        let judged = self.model.answered(session, tick, &answer);
        assert_eq!(judged.drifted, None);
        match judged.explained {
            Explained::Done => {}
            Explained::Expected { causes, .. } => {
                self.play.causes = causes.iter().map(ToString::to_string).collect();
            }
            Explained::Ours { .. } => self.play.ours += 1,
            Explained::Broken(finding) => self.found(&finding),
        }
    }

    fn found(&mut self, finding: &Finding) {
        let mut lines = vec![format!(
            "{:?}: {}; {}",
            finding.kind, finding.promised, finding.seen
        )];
        lines.extend(finding.evidence.iter().cloned());
        self.play.broken.push(lines.join("\n"));
    }

    /// The object that the session would draw under the name.
    fn means(&mut self, at: At, name: &str, space: Space) -> ObjectId {
        let view = self.model.view(at.session);
        view.catalog
            .named(&Name::home(space, name))
            .or_else(|| self.known.get(name).copied())
            .unwrap_or_else(|| ObjectId::made(ObjectKind::Table, at, 99))
    }

    fn target(&mut self, op: &mut Op, name: &str) -> u8 {
        let object = self.means(op.at, name, Space::Relation);
        op.slot(Target::Object {
            object,
            name: Name::home(Space::Relation, name),
        })
    }

    fn column(&mut self, op: &mut Op, of: u8, name: &str) -> Piece {
        let piece = *self
            .pieces
            .entry(name.to_owned())
            .or_insert_with(|| Piece::made(op.at, 50));
        op.slot(Target::Part {
            of,
            space: Space::Column,
            piece: Some(piece),
            name: KeptName::new(name),
        });
        piece
    }

    fn make(&mut self, op: &mut Op, kind: ObjectKind, name: &str) -> (u8, Object) {
        let id = ObjectId::made(kind, op.at, 0);
        let name_of = Name::home(kind.space(), name);
        self.known.entry(name.to_owned()).or_insert(id);
        let slot = op.slot(Target::New {
            object: id,
            name: name_of.clone(),
        });
        op.touch(slot, Facet::Exists, Mode::Defines, None);
        (slot, Object::new(id, name_of))
    }

    fn op(&mut self, at: At, words: &[&str]) -> Op {
        let mut op = Op::new(
            at,
            "test",
            Family::Ddl,
            Statement::Verbatim(words.join(" ").into()),
        );
        match words {
            ["create", name, columns @ ..] => {
                let (slot, mut object) = self.make(&mut op, ObjectKind::Table, name);
                for (i, column) in columns.iter().enumerate() {
                    let made = column_of(at, u8::try_from(i).expect("few"), column);
                    self.pieces.insert((*column).to_owned(), made.piece);
                    object.columns.push(made);
                }
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["view", name, "on", table] => {
                let (slot, mut object) = self.make(&mut op, ObjectKind::View, name);
                let on = self.target(&mut op, table);
                let Target::Object { object: needed, .. } = op.slots[usize::from(on)] else {
                    panic!("a target");
                };
                object.depends.insert(needed);
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["index", name, "on", table, column] => {
                let (slot, mut object) = self.make(&mut op, ObjectKind::Index, name);
                let on = self.target(&mut op, table);
                let Target::Object { object: indexed, .. } = op.slots[usize::from(on)] else {
                    panic!("a target");
                };
                object.depends.insert(indexed);
                object.detail = Detail::Index {
                    on: indexed,
                    keys: vec![self.column(&mut op, on, column)],
                    unique: false,
                    partial: false,
                    expression: false,
                };
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["replace", name, "on", table] => {
                let old = self.target(&mut op, name);
                let on = self.target(&mut op, table);
                let Target::Object { object: needed, .. } = op.slots[usize::from(on)] else {
                    panic!("a target");
                };
                op.effects
                    .push(Effect::Set(old, Facet::DependsOn(needed), FactValue::Flag(true)));
                let id = ObjectId::made(ObjectKind::View, at, 9);
                let name = Name::home(Space::Relation, name);
                let new = op.slot(Target::New {
                    object: id,
                    name: name.clone(),
                });
                let mut object = Object::new(id, name);
                object.depends.insert(needed);
                op.effects.push(Effect::Create(new, Box::new(object)));
            }
            [what @ ("open" | "close"), cursor] => {
                let name = KeptName::new(cursor);
                op.effects.push(match *what {
                    "open" => Effect::Name { name, cursor: true },
                    _ => Effect::Unname(Some(name)),
                });
            }
            ["schemarename", name, new] => {
                let object = self.means(at, name, Space::Schema);
                let slot = op.slot(Target::Object {
                    object,
                    name: Name::home(Space::Schema, name),
                });
                let to = op.slot(Target::Free(Name::home(Space::Schema, new)));
                op.effects.push(Effect::Rename { slot, to });
            }
            [what, rest @ ..] if within::OPS.contains(what) => self.within(&mut op, what, rest),
            ["unique", name, "on", table] => {
                let (slot, mut object) = self.make(&mut op, ObjectKind::Index, name);
                let on = self.target(&mut op, table);
                let Target::Object { object: needed, .. } = op.slots[usize::from(on)] else {
                    panic!("a target");
                };
                object.depends.insert(needed);
                object.detail = Detail::Index {
                    on: needed,
                    keys: Vec::new(),
                    unique: true,
                    partial: false,
                    expression: false,
                };
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["drop", name, rest @ ..] => {
                op.lenient = rest == ["if"];
                let slot = self.target(&mut op, name);
                op.touch(slot, Facet::Exists, Mode::Removes, None);
                op.effects.push(Effect::Remove {
                    slot,
                    cascade: rest == ["cascade"],
                });
            }
            ["dropother", what, name] => {
                let space = match *what {
                    "role" => Space::Role,
                    "type" => Space::Type,
                    "function" => Space::Function,
                    other => panic!("{other} is nothing to drop"),
                };
                let object = self.means(at, name, space);
                let slot = op.slot(Target::Object {
                    object,
                    name: Name::home(space, name),
                });
                op.touch(slot, Facet::Exists, Mode::Removes, None);
                op.effects.push(Effect::Remove { slot, cascade: false });
            }
            ["type", name] => {
                let (slot, object) = self.make(&mut op, ObjectKind::Type, name);
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["function", name] => {
                let (slot, object) = self.make(&mut op, ObjectKind::Function, name);
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["trigger", name, "on", table, "by", function] => {
                let (slot, mut object) = self.make(&mut op, ObjectKind::Trigger, name);
                let on = self.target(&mut op, table);
                let function_id = self.means(at, function, Space::Function);
                let by = op.slot(Target::Object {
                    object: function_id,
                    name: Name::home(Space::Function, function),
                });
                for needed in [on, by] {
                    if let Target::Object { object: needed, .. } = op.slots[usize::from(needed)] {
                        object.depends.insert(needed);
                    }
                }
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["addof", table, column, ty] => {
                let slot = self.target(&mut op, table);
                let ty = Type::Named(self.means(at, ty, Space::Type));
                let made = Column {
                    ty,
                    ..column_of(at, 7, column)
                };
                op.touch(slot, Facet::Shape, Mode::Redefines, None);
                op.effects.push(Effect::Set(
                    slot,
                    Facet::Column(made.piece),
                    FactValue::Column(made),
                ));
            }
            ["rename", name, new] => {
                let slot = self.target(&mut op, name);
                let to = op.slot(Target::Free(Name::home(Space::Relation, new)));
                op.touch(slot, Facet::Name, Mode::Redefines, None);
                op.effects.push(Effect::Rename { slot, to });
            }
            ["swap", a, b] => {
                let (a, b) = (self.target(&mut op, a), self.target(&mut op, b));
                op.effects.push(Effect::Swap(a, b));
            }
            ["reindex", name] => {
                let slot = self.target(&mut op, name);
                op.touch(slot, Facet::Valid, Mode::Redefines, None);
                op.ast = Statement::Care(Care::Reindex {
                    kind: ObjectKind::Table,
                    slot,
                    concurrently: false,
                });
            }
            [what @ ("count" | "fold"), name] => {
                let slot = self.target(&mut op, name);
                op.touch(slot, Facet::Rows, Mode::Reads, Some(Right::Select));
                let counted = count_of(slot);
                op.ast = one(match *what {
                    "count" => counted,
                    _ => Expr::function("coalesce", vec![Expr::int(1), counted]),
                });
            }
            [what @ ("read" | "divide" | "explain"), name, columns @ ..] => {
                let slot = self.target(&mut op, name);
                op.touch(slot, Facet::Rows, Mode::Reads, Some(Right::Select));
                if *what == "explain" {
                    op.ast = Statement::Explain {
                        analyze: false,
                        of: Box::new(op.ast),
                    };
                }
                for column in columns {
                    self.column(&mut op, slot, column);
                }
                if *what == "divide" {
                    op.raises.push(DataError::DivisionByZero);
                }
            }
            ["insert", name] => {
                let slot = self.target(&mut op, name);
                op.touch(slot, Facet::Rows, Mode::Writes, None);
            }
            ["add", name, column] => {
                let slot = self.target(&mut op, name);
                let made = column_of(at, 7, column);
                op.touch(slot, Facet::Shape, Mode::Redefines, None);
                op.effects.push(Effect::Set(
                    slot,
                    Facet::Column(made.piece),
                    FactValue::Column(made),
                ));
            }
            ["dropcolumn", name, column, rest @ ..] => {
                op.lenient = rest == ["if"];
                let slot = self.target(&mut op, name);
                let piece = self.column(&mut op, slot, column);
                op.touch(slot, Facet::Column(piece), Mode::Removes, None);
                op.effects.push(Effect::RemovePart {
                    slot,
                    facet: Facet::Column(piece),
                    cascade: false,
                });
            }
            ["renamecolumn", name, column, to] => {
                let slot = self.target(&mut op, name);
                let piece = self.column(&mut op, slot, column);
                op.touch(slot, Facet::Column(piece), Mode::Redefines, None);
                let to = ColumnEdit::Name(KeptName::new(to));
                op.effects.push(Effect::Edit(slot, piece, to));
            }
            ["refer", name, other, column, own @ ..] => {
                let slot = self.target(&mut op, name);
                let to = self.target(&mut op, other);
                let Target::Object { object, .. } = op.slots[usize::from(to)] else {
                    panic!("{other} is no object");
                };
                let made = Constraint {
                    piece: Piece::made(at, 9),
                    name: KeptName::new("refers"),
                    kind: ConstraintKind::ForeignKey {
                        references: object,
                        columns: vec![self.pieces[*column]],
                    },
                    columns: own.iter().map(|own| self.pieces[*own]).collect(),
                    valid: true,
                    deferred: false,
                    predicate: None,
                };
                op.touch(slot, Facet::Shape, Mode::Redefines, None);
                let (facet, made) = (Facet::Constraint(made.piece), FactValue::Constraint(made));
                op.effects.push(Effect::Set(slot, facet, made));
            }
            [what @ ("retype" | "narrow" | "default"), name, column] => {
                let slot = self.target(&mut op, name);
                let piece = self.column(&mut op, slot, column);
                op.touch(slot, Facet::Column(piece), Mode::Redefines, None);
                op.effects.push(Effect::Edit(
                    slot,
                    piece,
                    match *what {
                        "retype" => ColumnEdit::Type(Type::Int8),
                        "narrow" => ColumnEdit::Type(Type::Int2),
                        _ => ColumnEdit::Default(true),
                    },
                ));
            }
            ["begin", rest @ ..] => op.effects.push(Effect::Frame(FrameOp::Begin {
                level: (rest == ["rr"]).then_some(Level::RepeatableRead),
                read_only: false,
            })),
            ["commit"] => op.effects.push(Effect::Frame(FrameOp::Commit)),
            ["rollback"] => op.effects.push(Effect::Frame(FrameOp::Rollback)),
            ["savepoint", name] => op
                .effects
                .push(Effect::Frame(FrameOp::Savepoint(KeptName::new(name)))),
            ["to", name] => op
                .effects
                .push(Effect::Frame(FrameOp::RollbackTo(KeptName::new(name)))),
            [what @ ("limit" | "reset")] => op.effects.push(Effect::Limit {
                limit: Limit::Statement,
                ms: (*what == "limit").then_some(1000),
                local: false,
            }),
            ["schema", name] => {
                let (slot, object) = self.make(&mut op, ObjectKind::Schema, name);
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["dropschema", name] => {
                let object = self.means(at, name, Space::Schema);
                let slot = op.slot(Target::Object {
                    object,
                    name: Name::home(Space::Schema, name),
                });
                op.effects.push(Effect::Remove { slot, cascade: false });
            }
            ["readin", schema, name] => {
                let object = self.means(at, schema, Space::Schema);
                op.slot(Target::Object {
                    object,
                    name: Name::home(Space::Schema, schema),
                });
                self.target(&mut op, name);
            }
            ["ledger", of, name] => {
                let (slot, mut object) = self.make(&mut op, ObjectKind::Table, name);
                let of = match *of {
                    "cells" => Ledger::Cells,
                    "counters" => Ledger::Counters,
                    "bank" => Ledger::Bank,
                    other => panic!("{other} is no ledger"),
                };
                object.detail = Detail::Ledger { of, keys: 2 };
                op.effects.push(Effect::Create(slot, Box::new(object)));
                for key in 0..2 {
                    let change = match of {
                        Ledger::Bank => CellChange::Put(Ledger::BALANCE),
                        Ledger::Counters => CellChange::Put(0),
                        Ledger::Cells => continue,
                    };
                    op.effects.push(Effect::Cell { slot, key, change });
                }
            }
            ["watch", name] => {
                op.family = Family::Oracle;
                let slot = self.target(&mut op, name);
                op.effects.push(Effect::Watch { slot, from: 0, to: 1 });
            }
            [
                what @ ("put" | "into" | "set" | "take" | "plus"),
                name,
                key,
                value @ ..,
            ] => {
                let slot = self.target(&mut op, name);
                let value = value.first().map_or(0, |v| v.parse().expect("a value"));
                let change = match *what {
                    "put" => CellChange::Put(value),
                    "into" => CellChange::Insert(value),
                    "set" => CellChange::Set(value),
                    "plus" => CellChange::Add(value),
                    _ => CellChange::Delete,
                };
                let key = key.parse().expect("a key");
                op.effects.push(Effect::Cell { slot, key, change });
            }
            ["role", name] => {
                let (slot, object) = self.make(&mut op, ObjectKind::Role, name);
                op.effects.push(Effect::Create(slot, Box::new(object)));
            }
            ["as", name] => {
                let role = self.means(at, name, Space::Role);
                op.effects.push(Effect::Role(Some(role)));
            }
            [what @ ("grant" | "revoke"), role, table] => {
                let role = self.means(at, role, Space::Role);
                let slot = self.target(&mut op, table);
                let give = *what == "grant";
                op.ast = Statement::Rights(Box::new(Rights::Grant {
                    give,
                    rights: vec![Right::Select],
                    kind: ObjectKind::Table,
                    slot,
                    role: slot,
                }));
                op.effects.push(Effect::Set(
                    slot,
                    Facet::Grant(role, Right::Select),
                    FactValue::Flag(give),
                ));
            }
            ["own", role, table] => {
                let role = self.means(at, role, Space::Role);
                let slot = self.target(&mut op, table);
                op.effects
                    .push(Effect::Set(slot, Facet::Owner, FactValue::Object(role)));
            }
            ["disown", table] => {
                let slot = self.target(&mut op, table);
                op.effects.push(Effect::Set(slot, Facet::Owner, FactValue::Gone));
            }
            ["key", name, "on", table] => {
                let slot = self.target(&mut op, table);
                let piece = Piece::made(at, 1);
                op.effects.push(Effect::Set(
                    slot,
                    Facet::Constraint(piece),
                    FactValue::Constraint(Constraint {
                        piece,
                        name: KeptName::new(name),
                        kind: ConstraintKind::Unique,
                        columns: Vec::new(),
                        valid: true,
                        deferred: false,
                        predicate: None,
                    }),
                ));
            }
            other => panic!("{other:?} is no op"),
        }
        op
    }
}

/// `0=5,1=7`, or `none`.
fn rows_of(text: &str) -> Table {
    let rows: Vec<Vec<Option<String>>> = text
        .split(',')
        .filter_map(|row| row.split_once('='))
        .map(|(key, value)| vec![Some(key.to_owned()), Some(value.to_owned())])
        .collect();
    Table {
        count: rows.len() as u64,
        rows,
        whole: true,
        ..Table::default()
    }
}

fn column_of(at: At, nth: u8, name: &str) -> Column {
    Column {
        piece: Piece::made(at, nth),
        name: KeptName::new(name),
        ty: Type::Int4,
        not_null: false,
        has_default: false,
        generated: false,
        protected: false,
    }
}

/// `t` or `t(c1,c2)`; `t:r` is a table of the role r, `@r` is a role.
fn table(word: &str) -> SeenObject {
    let (word, kind) = match word.strip_prefix('@') {
        Some(role) => (role, SeenKind::Role),
        None => (word, SeenKind::Table),
    };
    let (name, columns) = word.split_once('(').unwrap_or((word, ""));
    let (name, owner) = name.split_once(':').unwrap_or((name, ""));
    SeenObject {
        kind,
        namespace: String::new(),
        name: name.to_owned(),
        on: String::new(),
        owner: owner.to_owned(),
        valid: true,
        temporary: false,
        columns: columns
            .trim_end_matches(')')
            .split(',')
            .filter(|c| !c.is_empty())
            .map(|c| {
                let (name, ty) = c.split_once(':').unwrap_or((c, "integer"));
                SeenColumn {
                    name: name.to_owned(),
                    ty: ty.to_owned(),
                    not_null: false,
                }
            })
            .collect(),
    }
}

/// A query of one output, from nothing.
fn one(output: Expr) -> Statement {
    Statement::Query(Box::new(select(output, None)))
}

/// A subquery over what is in the slot.
fn count_of(slot: u8) -> Expr {
    let from = From::One {
        source: Source::Slot(slot),
        alias: 0,
    };
    Expr::Scalar(Box::new(select(Expr::int(2), Some(from))))
}

fn select(output: Expr, from: Option<From>) -> Query {
    let select = Select {
        distinct: false,
        outputs: vec![output],
        from,
        filter: None,
        group: Vec::new(),
        having: None,
    };
    Query {
        with: Vec::new(),
        body: Body::Select(Box::new(select)),
        order: Vec::new(),
        limit: None,
        offset: None,
        lock: None,
    }
}
