//! The database that is obviously right: in memory, versions of rows, a private buffer for each session that is applied
//! at COMMIT. And, when asked, the one that lies: the judges are tried on it.
//!
//! It shares nothing with the judge: what a query means is written here once more ([`evaluate`]).
//!
//! Isolation: READ COMMITTED reads the present with each statement; REPEATABLE READ and SNAPSHOT read the present of BEGIN
//! and refuse a COMMIT that would overwrite a partition changed since; SERIALIZABLE also refuses a writer that has read
//! one. Nothing waits. A refused statement fails its transaction, as on PostgreSQL. Where the greatest timestamp wins
//! (discipline `lww`) there are neither transactions nor versions, and the store is another one ([`stamped`]).
//!
//! Invariants:
//! * a buffer is seen by nobody else, unless `dirty_read` leaks it;
//! * told the truth (no lies), every answer equals [`evaluate`] over the committed rows of one moment and the own buffer.

mod evaluate;
mod session;
mod stamped;
mod store;
#[cfg(test)]
mod tests;

use crate::Unusable;
use crate::dialect::{self, Dialect, POSTGRES, Renderer};
use crate::flaws::{Flaw, Liar, Teller};
use crate::layout::Layouts;
use crate::target::{Control, Description, Facts, Gone, Identity, OpenOptions, Request, Session, Target};
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::{
    Affected, Atomic, ChangeKind, Claim, Discipline, Level, Nulls, Semantics, SessionId, Snapshot, Sums,
};
use parking_lot::Mutex;
use stamped::Partitions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Changes, Store};

/// The target. One of them is one database: its sessions share it, and it dies with it.
pub(crate) struct Reference {
    shared: Arc<Shared>,
}

/// What the sessions share.
struct Shared {
    world: Mutex<World>,
    liar: Liar,
    layouts: Layouts,
    options: OpenOptions,
}

/// The server, so to speak.
struct World {
    store: Store,
    incarnation: u64,
    down: bool,
    /// Sessions that are connected, by serial number.
    open: BTreeSet<u64>,
    serial: u64,
    /// What open transactions leak, by the session that wrote it.
    leaks: BTreeMap<SessionId, Changes>,
    /// Commits that will not survive a crash.
    volatile: BTreeSet<u64>,
    /// What is kept instead of rows and versions where the greatest timestamp wins.
    stamped: Partitions,
    /// The server's own clock: the timestamp of the last lightweight transaction.
    clock: i64,
}

impl Reference {
    /// A new, empty database. Errors: lies that do not exist.
    pub(crate) fn open(options: &OpenOptions) -> Result<Self, Unusable> {
        let liar = Liar::new("reference:", options, |teller| {
            matches!(teller, Teller::Store | Teller::Anyone)
        })?;
        let world = World {
            store: Store::new(!liar.is_honest()),
            incarnation: 1,
            down: false,
            open: BTreeSet::new(),
            serial: 0,
            leaks: BTreeMap::new(),
            volatile: BTreeSet::new(),
            stamped: Partitions::default(),
            clock: 0,
        };
        let layouts = Layouts::new(&options.prefix);
        let shared = Shared {
            world: Mutex::new(world),
            liar,
            layouts,
            options: options.clone(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

/// In whose words it is shown: PostgreSQL's, which has no type for counters, but words for adding to one.
const WORDS: Dialect = Dialect {
    column_type: |ty| match ty {
        Type::Counter => Some("bigint".to_owned()),
        ty => (POSTGRES.column_type)(ty),
    },
    ..POSTGRES
};

impl Target for Reference {
    fn describe(&self) -> Description {
        Description {
            scheme: "reference",
            url: "reference:".into(),
            words: "in memory".into(),
            embedded: true,
            can_kill: true,
            can_cancel: false,
            can_terminate: true,
            conditional: self.shared.options.discipline == Discipline::Lww,
            // Under `ordered` nobody has a timestamp up to which a column's cells could be deleted.
            changes: match self.shared.options.discipline {
                Discipline::Ordered => vec![ChangeKind::CreateIndex, ChangeKind::DropIndex],
                Discipline::Lww => ChangeKind::ALL.map(|(kind, _)| kind).to_vec(),
            },
            ring: false,
            maintains: Vec::new(),
            one_session: false,
            can_proxy: false,
            levels: vec![Level::ReadCommitted, Level::Snapshot, Level::Serializable],
            driver: format!("gristmill {}", env!("CARGO_PKG_VERSION")),
        }
    }

    fn claim(&self, level: Level) -> Claim {
        let snapshot = if level <= Level::ReadCommitted {
            Snapshot::Statement
        } else {
            Snapshot::Begin
        };
        let level = match level {
            Level::ReadUncommitted => Level::ReadCommitted,
            Level::RepeatableRead => Level::Snapshot,
            other => other,
        };
        let atomic = Atomic::Visit;
        Claim {
            level,
            real_time: true,
            hidden_until_commit: true,
            atomic,
            snapshot,
            durable: true,
        }
    }

    fn semantics(&self) -> Semantics {
        let lww = self.shared.options.discipline == Discipline::Lww;
        Semantics {
            update_creates_rows: lww,
            nulls: Nulls::Last,
            affected: if lww {
                Affected::NotReported
            } else {
                Affected::Matched
            },
            ties: history::Ties::Greatest,
            replicas: 1,
            clustered: false,
            sums: Sums::Exact,
        }
    }

    fn default_level(&self) -> Level {
        Level::Snapshot
    }

    /// What PostgreSQL offers, whose words it is shown in.
    fn limits(&self, ty: &Type) -> Option<Limits> {
        // Under `ordered` nobody adds.
        let counts = self.shared.options.discipline == Discipline::Lww;
        (WORDS.column_type)(*ty).filter(|_| counts || *ty != Type::Counter)?;
        Some(Limits::default())
    }

    fn left_out(&self) -> Vec<String> {
        dialect::left_out_of(self.shared.options.discipline).collect()
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        let version = format!("gristmill's reference {}", env!("CARGO_PKG_VERSION"));
        Ok(Facts {
            version,
            ..Facts::default()
        })
    }

    fn prepare(&self, _: &Arc<Schema>) -> Result<(), Unusable> {
        Ok(())
    }

    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        Ok(Vec::new())
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        let options = &self.shared.options;
        dialect::objects(&WORDS, &self.shared.layouts.of(schema), options.discipline)
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let renderer = self.renderer(schema);
        let level = self.shared.options.level.unwrap_or_else(|| self.default_level());
        let session = session::ReferenceSession::open(&self.shared, who, renderer, level)?;
        Ok(Box::new(session))
    }

    fn gone(&self, who: &Identity) -> Gone {
        let world = self.shared.world.lock();
        if world.open.contains(&who.process) {
            Gone::StillThere
        } else {
            Gone::Gone
        }
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        Ok(self.shared.world.lock().incarnation.to_string())
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        dialect::text(&WORDS, &self.shared.layouts.of(schema), request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        Renderer::new(&WORDS, self.shared.layouts.of(schema))
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        Some(Arc::clone(&self.shared) as Arc<dyn Control>)
    }

    fn lies(&self) -> BTreeMap<String, u64> {
        self.shared.liar.told()
    }
}

impl Control for Shared {
    /// Every session loses its connection and its buffer. The committed store stays: it plays the disk.
    fn kill9(&self) -> Result<(), Unusable> {
        let mut world = self.world.lock();
        world.down = true;
        world.open.clear();
        world.leaks.clear();
        world.store.release_all();
        let volatile = std::mem::take(&mut world.volatile);
        let lost = world.store.forget(&volatile) + world.stamped.crash();
        self.liar.tell(Flaw::LostOnCrash, lost);
        Ok(())
    }

    fn restart(&self) -> Result<(), Unusable> {
        let mut world = self.world.lock();
        world.down = false;
        world.incarnation += 1;
        Ok(())
    }

    fn terminate(&self, who: &Identity) -> Result<bool, Unusable> {
        let mut world = self.world.lock();
        world.leaks.remove(&who.session);
        Ok(world.open.remove(&who.process))
    }
}

/// The table without shared columns has companion rows nowhere; with them, a partition has at most one.
fn parts_of(query: &history::Query) -> Option<Vec<history::Part>> {
    let part = |position| history::Part {
        table: query.table,
        position,
    };
    match &query.parts {
        history::Parts::One(p) => Some(vec![part(*p)]),
        history::Parts::In(list) => Some(list.iter().copied().map(part).collect()),
        history::Parts::All | history::Parts::Ring { .. } => None,
    }
}
