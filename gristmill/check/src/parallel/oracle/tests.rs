use super::Compared;
use crate::parallel::{Model, POSTGRES};
use history::parallel::{
    Answer, At, Column, Constraint, ConstraintKind, Detail, Effect, Explained, Facet, Family, KeptName, Mode,
    Name, Object, ObjectId, ObjectKind, Op, Piece, Said, Statement, Table, Target, TxState, Type,
};
use history::{SessionId, Tick};
use std::sync::Arc;

const MAKER: SessionId = SessionId(1);
const OTHER: SessionId = SessionId(2);

/// A table `t` with a unique key that refuses NULL, and a unique index on it.
struct World {
    model: Model,
    table: ObjectId,
    index: ObjectId,
    key: Piece,
    unique: Piece,
    next: u64,
}

fn name(kept: &str, kind: ObjectKind) -> Name {
    Name {
        space: kind.space(),
        parent: None,
        kept: KeptName::new(kept),
    }
}

fn done(rows: Option<Table>) -> Answer {
    Answer {
        said: Said::Done {
            tag: "SELECT 1".to_owned(),
            affected: None,
            rows,
        },
        state: TxState::Idle,
    }
}

fn row(cells: &[Option<&str>]) -> Answer {
    done(Some(Table {
        columns: cells.iter().map(|_| "x".to_owned()).collect(),
        rows: vec![cells.iter().map(|c| c.map(str::to_owned)).collect()],
        count: 1,
        digest: 0,
        whole: true,
    }))
}

impl World {
    fn new() -> Self {
        let mut model = Model::new(&POSTGRES);
        model.opened(MAKER, 1, Tick(0));
        model.opened(OTHER, 1, Tick(0));
        let at = At {
            session: MAKER,
            op: 1,
        };
        let mut world = Self {
            model,
            table: ObjectId::made(ObjectKind::Table, at, 0),
            index: ObjectId::made(ObjectKind::Index, at, 1),
            key: Piece::made(at, 0),
            unique: Piece::made(at, 1),
            next: 1,
        };
        let op = world.create();
        let at = world.sent(op, 1);
        assert_eq!(world.answered(at, 2, &done(None)).0, Explained::Done);
        world
    }

    fn op(&mut self, session: SessionId, family: Family) -> Op {
        self.next += 1;
        let at = At {
            session,
            op: self.next,
        };
        Op::new(at, "oracle-unique", family, Statement::Verbatim("".into()))
    }

    fn create(&mut self) -> Op {
        let mut op = self.op(MAKER, Family::Ddl);
        let mut table = Object::new(self.table, name("t", ObjectKind::Table));
        table.columns.push(Column {
            piece: self.key,
            name: KeptName::new("k"),
            ty: Type::Int8,
            not_null: true,
            has_default: false,
            generated: false,
            protected: false,
        });
        table.constraints.push(Constraint {
            piece: self.unique,
            name: KeptName::new("u"),
            kind: ConstraintKind::Unique,
            columns: vec![self.key],
            valid: true,
            deferred: false,
            predicate: None,
        });
        let mut index = Object::new(self.index, name("i", ObjectKind::Index));
        index.depends.insert(self.table);
        index.detail = Detail::Index {
            on: self.table,
            keys: vec![self.key],
            unique: true,
            partial: false,
            expression: false,
        };
        for object in [table, index] {
            let slot = op.slot(Target::New {
                object: object.id,
                name: object.name.clone(),
            });
            op.effects.push(Effect::Create(slot, Box::new(object)));
        }
        op
    }

    /// An oracle of the other session that leans on a fact.
    fn oracle(&mut self, leans_on: Option<Facet>) -> Op {
        let mut op = self.op(OTHER, Family::Oracle);
        let slot = op.slot(Target::Object {
            object: self.table,
            name: name("t", ObjectKind::Table),
        });
        op.touch(slot, Facet::Rows, Mode::Reads, None);
        if let Some(facet) = leans_on {
            op.touch(slot, facet, Mode::Uses, None);
        }
        op
    }

    /// A change by the maker.
    fn change(&mut self, effect: impl Fn(u8) -> Effect, object: ObjectId, kept: &str) -> Op {
        let mut op = self.op(MAKER, Family::Ddl);
        let slot = op.slot(Target::Object {
            object,
            name: name(kept, object.kind),
        });
        op.effects.push(effect(slot));
        op
    }

    fn sent(&mut self, op: Op, tick: u64) -> SessionId {
        let session = op.at.session;
        self.model
            .sent(&Arc::new(op), &"the statement".into(), Tick(tick));
        session
    }

    fn answered(&mut self, session: SessionId, tick: u64, answer: &Answer) -> (Explained, Option<Compared>) {
        let judged = self.model.answered(session, Tick(tick), answer);
        (judged.explained, judged.compared)
    }

    /// An oracle alone, from tick to tick.
    fn ask(&mut self, leans_on: Option<Facet>, answer: &Answer) -> (Explained, Option<Compared>) {
        let op = self.oracle(leans_on);
        let session = self.sent(op, 20);
        self.answered(session, 23, answer)
    }
}

#[test]
fn halves_that_differ_are_a_finding_that_shows_both() {
    let mut world = World::new();
    let (explained, compared) = world.ask(None, &row(&[Some("3"), None, Some("3"), Some("4")]));
    let Explained::Broken(finding) = explained else {
        panic!("{explained:?}");
    };
    assert_eq!(compared, Some(Compared::Yes));
    assert!(finding.promised.ends_with("3, NULL"), "{}", finding.promised);
    assert!(finding.seen.ends_with("3, 4"), "{}", finding.seen);
    assert_eq!(finding.sql, "the statement");
}

#[test]
fn equal_halves_are_compared_and_silent() {
    let mut world = World::new();
    let answered = world.ask(None, &row(&[Some("3"), None, Some("3"), None]));
    assert_eq!(answered, (Explained::Done, Some(Compared::Yes)));
}

#[test]
fn what_is_in_force_all_the_time_is_held_to_its_promise() {
    for facet in [0, 1, 2] {
        let mut world = World::new();
        let facet = match facet {
            0 => Facet::Constraint(world.unique),
            1 => Facet::Column(world.key),
            _ => Facet::DependsOn(world.index),
        };
        let (explained, compared) = world.ask(Some(facet), &row(&[Some("2"), Some("0")]));
        assert!(
            matches!(explained, Explained::Broken(_)),
            "{facet:?}: {explained:?}"
        );
        assert_eq!(compared, Some(Compared::Yes));
    }
}

/// The oracle's answer while the change is on its way, after it, and before it.
fn beside(leans_on: impl Fn(&World) -> Facet, change: impl Fn(&mut World) -> Op) {
    for (sent, answered, excused) in [(21, 22, true), (21, 30, true), (10, 11, true), (24, 25, false)] {
        let mut world = World::new();
        let facet = leans_on(&world);
        let (change, oracle) = (change(&mut world), world.oracle(Some(facet)));
        let mut events = vec![(20, 'o'), (23, 'a'), (sent, 'c'), (answered, 'd')];
        events.sort_unstable();
        let (mut change, mut oracle) = (Some(change), Some(oracle));
        let mut said = None;
        for (tick, what) in events {
            match what {
                'o' => drop(world.sent(oracle.take().expect("sent once"), tick)),
                'c' => drop(world.sent(change.take().expect("sent once"), tick)),
                'a' => said = Some(world.answered(OTHER, tick, &row(&[Some("2"), Some("0")]))),
                _ => drop(world.answered(MAKER, tick, &done(None))),
            }
        }
        let (explained, compared) = said.expect("it was answered");
        let broken = matches!(explained, Explained::Broken(_));
        assert_eq!(broken, !excused, "{sent}..{answered}: {explained:?}");
        assert_eq!(compared == Some(Compared::Yes), !excused, "{compared:?}");
    }
}

#[test]
fn a_constraint_that_may_be_dropped_excuses_its_oracle() {
    beside(
        |w| Facet::Constraint(w.unique),
        |w| {
            let facet = Facet::Constraint(w.unique);
            let effect = |slot| Effect::RemovePart {
                slot,
                facet,
                cascade: false,
            };
            w.change(effect, w.table, "t")
        },
    );
}

#[test]
fn an_index_that_may_be_dropped_excuses_its_oracle() {
    beside(
        |w| Facet::DependsOn(w.index),
        |w| {
            let effect = |slot| Effect::Remove { slot, cascade: false };
            w.change(effect, w.index, "i")
        },
    );
}

#[test]
fn a_column_that_may_take_null_excuses_its_oracle() {
    beside(
        |w| Facet::Column(w.key),
        |w| {
            let piece = w.key;
            let effect = move |slot| Effect::Edit(slot, piece, history::parallel::ColumnEdit::NotNull(false));
            w.change(effect, w.table, "t")
        },
    );
}

#[test]
fn refused_and_lost_oracles_compare_nothing() {
    let mut world = World::new();
    let op = world.oracle(None);
    let session = world.sent(op, 20);
    let answer = Answer {
        said: Said::Unknown {
            code: String::new(),
            text: "the connection ended".to_owned(),
        },
        state: TxState::Idle,
    };
    let (_, compared) = world.answered(session, 23, &answer);
    assert_eq!(compared, Some(Compared::Void("no answer")));
    let mut world = World::new();
    let (_, compared) = world.ask(None, &done(None));
    assert_eq!(compared, Some(Compared::Void("no row came back")));
}
