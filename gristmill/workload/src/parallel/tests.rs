//! Draws on a quiet world in which every op succeeds.

mod breadth;

use super::speech::LOSES_COMMITS;
use super::{BLOCK, Complexity, Generator, KINDS, MARIADB, POSTGRES, Plan, SQLITE, Speech, actions};
use history::SessionId;
use history::parallel::statement::{Session, walk};
use history::parallel::{
    At, Catalog, Effect, Facet, FactValue, FrameOp, KeptName, Name, ObjectId, ObjectKind, Op, SessionView,
    Space, Statement, Target, TxState, View,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A world with one session, in which what is drawn is so at once.
struct Quiet {
    view: View,
    generator: Generator,
    next: u64,
}

impl Quiet {
    fn new(speech: &'static Speech, complexity: Complexity, seed: u64) -> Self {
        Self {
            view: View {
                catalog: Arc::new(Catalog::default()),
                session: SessionView::fresh(SessionId(1), 1),
            },
            generator: Generator::new(Plan::new(seed, "gm_", complexity), speech, 1),
            next: 1,
        }
    }

    /// What the run makes first, made; the actions that did it.
    fn prepare(&mut self, speech: &'static Speech, seed: u64) -> Vec<String> {
        let first = Generator::new(Plan::new(seed, "gm_", Complexity::Ddl), speech, 0);
        let mut done = Vec::new();
        while let Some(op) = first.prepare(&self.view, done.len() as u64 + 1) {
            self.apply(&op);
            done.push(op.kind.into_owned());
        }
        done
    }

    fn op(&mut self) -> Op {
        let op = self.generator.draw(&self.view, self.next);
        self.next += 1;
        self.apply(&op);
        op
    }

    fn apply(&mut self, op: &Op) {
        let id = |slot: u8| match &op.slots[usize::from(slot)] {
            Target::Object { object, .. } | Target::New { object, .. } => *object,
            other => panic!("{other:?} is no object"),
        };
        let session = &mut self.view.session;
        session.statements += u32::from(session.tx == TxState::Open);
        // A name that is taken makes nothing.
        if op.aim.is_some() {
            return;
        }
        let catalog = Arc::make_mut(&mut self.view.catalog);
        for effect in &op.effects {
            match effect {
                Effect::Create(_, object) => catalog.insert(Arc::new((**object).clone())),
                Effect::Set(slot, facet, value) => catalog.set(id(*slot), *facet, value.clone()),
                Effect::Edit(slot, piece, edit) => catalog.edit(id(*slot), *piece, edit),
                Effect::Rename { slot, to } => {
                    let Target::Free(name) = &op.slots[usize::from(*to)] else {
                        panic!("a new name is free");
                    };
                    catalog.set(id(*slot), Facet::Name, FactValue::Name(name.clone()));
                }
                Effect::Remove { slot, .. } => {
                    let mut gone = vec![id(*slot)];
                    while let Some(next) = gone.pop() {
                        gone.extend(catalog.dependents(next).map(|o| o.id));
                        catalog.remove(next);
                    }
                }
                Effect::RemovePart { slot, facet, .. } => catalog.set(id(*slot), *facet, FactValue::Gone),
                Effect::Rows(slot, n) => catalog.rows(id(*slot), |rows| rows + n),
                Effect::Frame(FrameOp::Begin { read_only, .. }) => {
                    session.tx = TxState::Open;
                    session.read_only = *read_only;
                    session.statements = 0;
                }
                Effect::Frame(FrameOp::Commit | FrameOp::Rollback) => {
                    session.tx = TxState::Idle;
                    session.read_only = false;
                    session.savepoints.clear();
                    session.cursors.clear();
                }
                Effect::Frame(FrameOp::Savepoint(name)) => session.savepoints.push(name.clone()),
                Effect::Frame(FrameOp::Release(name)) => session.savepoints.retain(|s| s != name),
                Effect::Name { name, cursor: true } => {
                    session.cursors.insert(name.clone());
                }
                Effect::Role(role) => session.role = *role,
                Effect::Unname(Some(name)) => {
                    session.cursors.remove(name);
                }
                _ => {}
            }
        }
    }
}

const TARGETS: [&Speech; 3] = [&POSTGRES, &SQLITE, &MARIADB];

#[test]
fn every_action_of_a_target_is_drawn() {
    for speech in TARGETS {
        let mut drawn: BTreeSet<String> = BTreeSet::new();
        for seed in [1, 2] {
            let mut world = Quiet::new(speech, Complexity::Ddl, seed);
            drawn.extend(world.prepare(speech, seed));
            drawn.extend((0..12_000).map(|_| world.op().kind.into_owned()));
        }
        let missing = actions(Complexity::Ddl, speech, &BTreeSet::new())
            .into_iter()
            .filter(|k| !drawn.contains(k.name));
        let missing: Vec<_> = missing.collect();
        assert!(missing.is_empty(), "{} never draws {missing:?}", speech.of);
    }
}

#[test]
fn every_family_is_in_each_block() {
    for speech in TARGETS {
        let mut world = Quiet::new(speech, Complexity::Ddl, 2);
        let families: BTreeSet<_> = actions(Complexity::Ddl, speech, &BTreeSet::new())
            .into_iter()
            .map(|k| k.family)
            .collect();
        let generator = &world.generator;
        for block in 0..20 {
            let dealt: Vec<_> = (0..BLOCK).map(|i| generator.card(block * BLOCK + i)).collect();
            for family in &families {
                assert!(
                    dealt.contains(&super::Card::Of(*family)),
                    "{family:?} is not in {dealt:?}"
                );
            }
        }
        world.op();
    }
}

#[test]
fn equal_plans_draw_equal_ops_and_another_seed_draws_others() {
    let ops = |seed| {
        let mut world = Quiet::new(&POSTGRES, Complexity::Ddl, seed);
        (0..500).map(|_| world.op()).collect::<Vec<_>>()
    };
    assert_eq!(ops(7), ops(7));
    assert_ne!(ops(7), ops(8));
}

#[test]
fn what_a_statement_names_is_in_its_slots() {
    for speech in TARGETS {
        let mut world = Quiet::new(speech, Complexity::Ddl, 3);
        for _ in 0..5_000 {
            let op = world.op();
            let mentions = walk::mentions(&op.ast);
            for slot in &mentions.slots {
                assert!(usize::from(*slot) < op.slots.len(), "slot {slot} of {op:?}");
            }
            for part in &mentions.parts {
                let has = |t: &Target| matches!(t, Target::Part { of, piece: Some(p), .. } if *of == part.slot && *p == part.named.piece);
                assert!(op.slots.iter().any(has), "{part:?} of {op:?}");
            }
        }
    }
}

#[test]
fn an_op_is_read_from_its_json_as_it_was_written() {
    for speech in TARGETS {
        let mut world = Quiet::new(speech, Complexity::Ddl, 4);
        for _ in 0..1_000 {
            let op = world.op();
            let text = serde_json::to_string(&op).expect("an op is plain data");
            assert_eq!(
                serde_json::from_str::<Op>(&text).expect("it is read again"),
                op,
                "{text}"
            );
        }
    }
}

#[test]
fn a_complexity_of_reads_changes_nothing() {
    let mut world = Quiet::new(&POSTGRES, Complexity::Ddl, 5);
    (0..500).for_each(|_| drop(world.op()));
    world.view.session = SessionView::fresh(SessionId(1), 1);
    world.generator = Generator::new(Plan::new(5, "gm_", Complexity::Read), &POSTGRES, 1);
    for _ in 0..2_000 {
        let op = world.op();
        assert!(!op.changes_schema(), "{op:?}");
    }
}

#[test]
fn names_of_actions_are_unique() {
    let names: BTreeSet<_> = KINDS.iter().map(|k| k.name).collect();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn preparation_ends_with_tables_that_have_rows() {
    for speech in TARGETS {
        let mut world = Quiet::new(speech, Complexity::Read, 6);
        world.generator = Generator::new(Plan::new(6, "gm_", Complexity::Read), speech, 0);
        let mut number = 1;
        while let Some(op) = world.generator.prepare(&world.view, number) {
            world.apply(&op);
            number += 1;
        }
        let tables: Vec<_> = world
            .view
            .catalog
            .of(history::parallel::ObjectKind::Table)
            .collect();
        assert!(
            tables.len() >= 4 && tables.iter().all(|t| t.rows > 0),
            "{tables:?} after {number}"
        );
    }
}

/// What nobody says cannot be missed: a relation that an op only once meant to read would be a false alarm when it goes.
#[test]
fn what_an_op_reads_is_said_in_its_text() {
    for speech in TARGETS {
        let mut world = Quiet::new(speech, Complexity::Ddl, 3);
        world.prepare(speech, 3);
        let mut unsaid: BTreeSet<String> = BTreeSet::new();
        for _ in 0..12_000 {
            let op = world.op();
            let said = walk::mentions(&op.ast).slots;
            let is_said = |slot: usize| said.iter().any(|s| usize::from(*s) == slot);
            let objects = op.slots.iter().enumerate();
            let reads = |t: &Target| matches!(t, Target::Object { object, .. } if matches!(object.kind, ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView));
            let silent = objects.filter(|(slot, t)| reads(t) && !is_said(*slot));
            unsaid.extend(silent.map(|(slot, _)| format!("{} {slot}", op.kind)));
        }
        assert!(unsaid.is_empty(), "{}: {unsaid:?}", speech.of);
    }
}

#[test]
fn a_session_rolls_back_where_committing_would_meet_a_known_defect() {
    let ends = |speech: &'static Speech, meet: &[&str]| {
        let mut world = Quiet::new(speech, Complexity::Ddl, 4);
        world.prepare(speech, 4);
        world.view.session.tx = TxState::Open;
        world.view.session.refused_schema = true;
        let meet = meet.iter().map(|name| (*name).to_owned()).collect();
        let plan = Plan {
            meet,
            ..Plan::new(4, "gm_", Complexity::Ddl)
        };
        let generator = Generator::new(plan, speech, 1);
        assert!(generator.close(&world.view, 500).is_some());
        let drawn = (500..600).map(|n| generator.draw(&world.view, n).kind.into_owned());
        drawn.collect::<BTreeSet<String>>()
    };
    let only = BTreeSet::from(["rollback".to_owned()]);
    assert_eq!(ends(&SQLITE, &[]), only);
    assert!(ends(&SQLITE, &["sqlite-refused-alter"]).contains("commit"));
    assert!(ends(&POSTGRES, &[]).contains("commit"));
}

#[test]
fn where_the_server_may_die_no_commit_is_asked_for_that_it_may_lose() {
    let asked = |durable: bool| {
        let plan = Plan {
            durable,
            ..Plan::new(6, "gm_", Complexity::Dml)
        };
        let generator = Generator::new(plan, &POSTGRES, 1);
        let view = Quiet::new(&POSTGRES, Complexity::Dml, 6).view;
        (1..20_000).any(|n| {
            let Statement::Session(Session::Set { name, value, .. }) = generator.draw(&view, n).ast else {
                return false;
            };
            (&*name, &*value) == LOSES_COMMITS
        })
    };
    assert_eq!((asked(false), asked(true)), (true, false));
}

#[test]
fn what_lies_in_a_schema_that_is_no_slot_cannot_be_said() {
    let mut op = super::Op::new(
        At {
            session: SessionId(1),
            op: 1,
        },
        "reindex",
        super::Family::Lifecycle,
        super::nothing(),
    );
    let schema = ObjectId::made(ObjectKind::Schema, op.at, 1);
    let table = ObjectId::made(ObjectKind::Table, op.at, 2);
    let name = |space, parent, kept: &str| Name {
        space,
        parent,
        kept: KeptName::new(kept),
    };
    op.slot(Target::Object {
        object: table,
        name: name(Space::Relation, Some(schema), "t"),
    });
    assert!(!super::is_sayable(&op));
    op.slot(Target::Object {
        object: schema,
        name: name(Space::Schema, None, "s"),
    });
    assert!(super::is_sayable(&op));
}
