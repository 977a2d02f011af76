//! The nouns go into a trace and come back; names and identities are what they say.

use crate::SessionId;
use crate::parallel::{
    At, Catalog, Column, Effect, Facet, FactValue, Family, KeptName, Name, Object, ObjectId, ObjectKind, Op,
    Piece, Space, Statement, Target, Type,
};
use proptest::prelude::*;
use std::sync::Arc;

fn at(session: u16, op: u64) -> At {
    At {
        session: SessionId(session),
        op,
    }
}

fn table(session: u16, op: u64, name: &str) -> Object {
    let id = ObjectId::made(ObjectKind::Table, at(session, op), 0);
    let mut object = Object::new(id, Name::home(Space::Relation, name));
    object.columns.push(Column {
        piece: Piece::made(at(session, op), 0),
        name: KeptName::new("c1"),
        ty: Type::Numeric(Some((10, 2))),
        not_null: true,
        has_default: false,
        generated: false,
        protected: false,
    });
    object
}

proptest! {
    #[test]
    fn an_identity_tells_the_op_that_made_it(session in any::<u16>(), op in 0u64..1 << 40, slot in any::<u8>()) {
        let id = ObjectId::made(ObjectKind::View, at(session, op), slot);
        prop_assert_eq!(id.maker(), (at(session, op), slot));
    }
}

#[test]
fn an_op_is_read_from_a_trace_as_it_was_written() {
    let object = table(3, 7, "t");
    let mut op = Op::new(
        at(3, 7),
        "create table",
        Family::Ddl,
        Statement::Verbatim("create".into()),
    );
    let slot = op.slot(Target::New {
        object: object.id,
        name: object.name.clone(),
    });
    op.effects.push(Effect::Create(slot, Box::new(object)));
    let line = serde_json::to_string(&op).unwrap();
    assert_eq!(serde_json::from_str::<Op>(&line).unwrap(), op);
}

#[test]
fn a_renamed_object_is_found_by_its_new_name_only() {
    let mut catalog = Catalog::default();
    let object = table(1, 1, "old");
    let id = object.id;
    catalog.insert(Arc::new(object));
    let before = catalog.clone();
    catalog.set(
        id,
        Facet::Name,
        FactValue::Name(Name::home(Space::Relation, "new")),
    );
    assert_eq!(catalog.named(&Name::home(Space::Relation, "new")), Some(id));
    assert_eq!(catalog.named(&Name::home(Space::Relation, "old")), None);
    assert_eq!(before.named(&Name::home(Space::Relation, "old")), Some(id));
    let line = serde_json::to_string(&catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&line).unwrap(), catalog);
}

#[test]
fn a_name_that_another_took_over_stays_with_it_when_the_first_goes() {
    let mut catalog = Catalog::default();
    let (first, second) = (table(1, 1, "t"), table(2, 1, "t"));
    let ids = (first.id, second.id);
    catalog.insert(Arc::new(first));
    catalog.insert(Arc::new(second));
    catalog.remove(ids.0);
    assert_eq!(catalog.named(&Name::home(Space::Relation, "t")), Some(ids.1));
}
