//! Ops on what lies in a schema: a table `in` and an index on it.

use super::Stage;
use history::parallel::{
    At, Detail, Effect, KeptName, Name, Object, ObjectId, ObjectKind, Op, Space, Target,
};

/// Their first words.
pub(super) const OPS: [&str; 4] = ["indexin", "dropin", "movein", "renamein"];

impl Stage {
    pub(super) fn within(&mut self, op: &mut Op, what: &str, words: &[&str]) {
        let at = op.at;
        match (what, words) {
            // A table and an index on it.
            ("indexin", [schema, index]) => {
                let table = ObjectId::made(ObjectKind::Table, at, 1);
                let mut objects = vec![Object::new(table, self.name_in(at, schema, "in"))];
                let id = ObjectId::made(ObjectKind::Index, at, 2);
                let mut made = Object::new(id, self.name_in(at, schema, index));
                made.depends.insert(table);
                made.detail = Detail::Index {
                    on: table,
                    keys: Vec::new(),
                    unique: false,
                    partial: false,
                    expression: false,
                };
                objects.push(made);
                for object in objects {
                    let slot = op.slot(Target::New {
                        object: object.id,
                        name: object.name.clone(),
                    });
                    op.effects.push(Effect::Create(slot, Box::new(object)));
                }
            }
            ("dropin", [schema, index, rest @ ..]) => {
                if let ["if", ..] = rest {
                    op.lenient = true;
                    let object = self.means(at, schema, Space::Schema);
                    op.slot(Target::Object {
                        object,
                        name: Name::home(Space::Schema, schema),
                    });
                }
                let name = self.name_in(at, schema, index);
                let drawn = self.model.view(at.session).catalog.named(&name);
                let object = drawn
                    .filter(|object| rest != ["if", "index"] || object.kind == ObjectKind::Index)
                    .unwrap_or_else(|| ObjectId::made(ObjectKind::Index, at, 99));
                let slot = op.slot(Target::Object { object, name });
                op.effects.push(Effect::Remove { slot, cascade: false });
            }
            // The table of `indexin` goes into another schema; its index is renamed.
            ("movein", [schema, to]) => self.move_in(op, (schema, "in"), (to, "in")),
            ("renamein", [schema, index, new]) => self.move_in(op, (schema, index), (schema, new)),
            _ => panic!("{what} {words:?}"),
        }
    }

    fn name_in(&mut self, at: At, schema: &str, name: &str) -> Name {
        Name {
            space: Space::Relation,
            parent: Some(self.means(at, schema, Space::Schema)),
            kept: KeptName::new(name),
        }
    }

    /// What is called one thing in a schema is called another, perhaps in another schema.
    fn move_in(&mut self, op: &mut Op, from: (&str, &str), to: (&str, &str)) {
        let (name, new) = (
            self.name_in(op.at, from.0, from.1),
            self.name_in(op.at, to.0, to.1),
        );
        let object = self.model.view(op.at.session).catalog.named(&name);
        let object = object.expect("it is there");
        let slot = op.slot(Target::Object { object, name });
        let to = op.slot(Target::Free(new));
        op.effects.push(Effect::Rename { slot, to });
    }
}
