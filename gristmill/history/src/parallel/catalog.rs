//! The likely state: what the model believes to be there, as plain data to draw on.

use crate::parallel::{ColumnEdit, Facet, FactValue, Name, Object, ObjectId, ObjectKind, Piece};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by identity and by name. Clone costs one count per object, so a session may keep its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Arc<Object>>", into = "Vec<Arc<Object>>")]
pub struct Catalog {
    objects: BTreeMap<ObjectId, Arc<Object>>,
    names: BTreeMap<Name, ObjectId>,
}

impl From<Vec<Arc<Object>>> for Catalog {
    fn from(objects: Vec<Arc<Object>>) -> Self {
        let mut catalog = Self::default();
        for object in objects {
            catalog.insert(object);
        }
        catalog
    }
}

impl From<Catalog> for Vec<Arc<Object>> {
    fn from(catalog: Catalog) -> Self {
        catalog.objects.into_values().collect()
    }
}

impl Catalog {
    /// How many objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Every object, by kind and number.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.values().map(AsRef::as_ref)
    }

    /// Objects of one kind, by number.
    pub fn of(&self, kind: ObjectKind) -> impl Iterator<Item = &Object> {
        let first = ObjectId { kind, number: 0 };
        let last = ObjectId {
            kind,
            number: u64::MAX,
        };
        self.objects.range(first..=last).map(|(_, o)| o.as_ref())
    }

    /// How many of one kind.
    pub fn count(&self, kind: ObjectKind) -> usize {
        self.of(kind).count()
    }

    /// The object, if it is believed to be there.
    pub fn get(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(&id).map(AsRef::as_ref)
    }

    /// Who has the name.
    pub fn named(&self, name: &Name) -> Option<ObjectId> {
        self.names.get(name).copied()
    }

    /// What needs the object directly: views on it, its indexes, tables that refer to it, what is in the schema.
    pub fn dependents(&self, id: ObjectId) -> impl Iterator<Item = &Object> {
        self.iter()
            .filter(move |o| o.depends.contains(&id) || o.name.parent == Some(id))
    }

    /// Puts an object in, in place of what had its identity.
    pub fn insert(&mut self, object: Arc<Object>) {
        self.remove(object.id);
        self.names.insert(object.name.clone(), object.id);
        self.objects.insert(object.id, object);
    }

    /// Takes an object out, and only it.
    pub fn remove(&mut self, id: ObjectId) -> Option<Arc<Object>> {
        let old = self.objects.remove(&id)?;
        if self.names.get(&old.name) == Some(&id) {
            self.names.remove(&old.name);
        }
        Some(old)
    }

    /// Gives a facet another value; nothing where the object is not there.
    pub fn set(&mut self, id: ObjectId, facet: Facet, value: FactValue) {
        let Some(object) = self.objects.get_mut(&id) else {
            return;
        };
        let old = (facet == Facet::Name).then(|| object.name.clone());
        Arc::make_mut(object).set(facet, value);
        if let Some(old) = old {
            let new = object.name.clone();
            if self.names.get(&old) == Some(&id) {
                self.names.remove(&old);
            }
            self.names.insert(new, id);
        }
    }

    /// Changes a column in one respect; nothing where the object or the column is not there.
    pub fn edit(&mut self, id: ObjectId, piece: Piece, edit: &ColumnEdit) {
        let Some(object) = self.objects.get_mut(&id) else {
            return;
        };
        if let Some(column) = Arc::make_mut(object)
            .columns
            .iter_mut()
            .find(|c| c.piece == piece)
        {
            *column = edit.of(column);
        }
    }

    /// Changes what is no fact: the ceiling of rows.
    pub fn rows(&mut self, id: ObjectId, rows: impl FnOnce(u64) -> u64) {
        if let Some(object) = self.objects.get_mut(&id) {
            let object = Arc::make_mut(object);
            object.rows = rows(object.rows);
        }
    }
}
