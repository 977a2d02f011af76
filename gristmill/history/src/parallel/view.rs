//! What one session sees: what its next op is drawn on.

use crate::parallel::{Catalog, KeptName, Limit, ObjectId, TxState};
use crate::{Level, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state of one session, as its answers tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Who.
    pub session: SessionId,
    /// Counts its connections, from 1.
    pub incarnation: u32,
    /// In a transaction, or not, or in a failed one.
    pub tx: TxState,
    /// The level of the transaction; `None` outside, and where it was not said.
    pub level: Option<Level>,
    /// Whether the transaction may not write.
    pub read_only: bool,
    /// Savepoints, oldest first. A name may be there twice: the newest counts.
    pub savepoints: Vec<KeptName>,
    /// Statements of the open transaction so far, BEGIN left out.
    pub statements: u32,
    /// Whether the transaction has changed the schema.
    pub changed_schema: bool,
    /// Whether a change of the schema was refused in the transaction, and is not undone by a way back to a savepoint.
    pub refused_schema: bool,
    /// Open cursors.
    pub cursors: BTreeSet<KeptName>,
    /// Prepared statements.
    pub prepared: BTreeSet<KeptName>,
    /// The role it acts as; `None`: that of the connection.
    pub role: Option<ObjectId>,
    /// Limits in force, in milliseconds.
    pub limits: BTreeMap<Limit, u64>,
}

impl SessionView {
    /// A session that has just connected.
    pub fn fresh(session: SessionId, incarnation: u32) -> Self {
        Self {
            session,
            incarnation,
            tx: TxState::Idle,
            level: None,
            read_only: false,
            savepoints: Vec::new(),
            statements: 0,
            changed_schema: false,
            refused_schema: false,
            cursors: BTreeSet::new(),
            prepared: BTreeSet::new(),
            role: None,
            limits: BTreeMap::new(),
        }
    }
}

/// The likely state, and the session: cheap to take, and drawn on without the model's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Everybody's committed objects, with what the session's open transaction has done.
    pub catalog: Arc<Catalog>,
    /// The session.
    pub session: SessionView,
}
