//! PostgreSQL: any server that a URL names, or a throw-away one of our own (`postgres:local`).
//!
//! Invariants:
//! * nothing but tables with the prefix is made, and no setting outside our own sessions is changed;
//! * what was asked of the server besides the visits goes through one connection of its own.

mod admin;
mod codes;
mod config;
mod local;
mod ours;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod value;
mod wire;

use crate::Unusable;
use crate::dialect::{self, POSTGRES, Renderer};
use crate::layout::Layouts;
use crate::sql::{Sql, SqlSession, Waiting};
use crate::target::{
    Control, Description, Facts, Gone, Identity, Maintenance, OpenOptions, Rendered, Request, Session, Stall,
    Target, Upstream,
};
use admin::Admin;
use config::Config;
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::parallel::Seen;
use history::{
    Affected, Atomic, ChangeKind, Claim, Discipline, Level, Nulls, Semantics, SessionId, Snapshot, Sums,
};
use local::Local;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use wire::{Endpoint, Wire};

/// The target.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    options: OpenOptions,
    layouts: Layouts,
    /// Why a pooler must stand in between: sessions keep nothing on the server from then on.
    pooled: Arc<OnceLock<String>>,
}

/// What the control needs too.
struct Shared {
    server: Server,
    admin: Admin,
}

enum Server {
    /// Somebody's.
    Remote(Arc<Config>),
    /// Ours.
    Local(Arc<Local>),
}

impl Server {
    /// Where it is; a local one is started.
    fn config(&self) -> Result<Arc<Config>, Unusable> {
        match self {
            Self::Remote(config) => Ok(Arc::clone(config)),
            Self::Local(local) => local.config(),
        }
    }
}

impl Postgres {
    /// Reads the URL; connects to nothing. Errors: the URL, the lies.
    pub(crate) fn open(url: &str, options: &OpenOptions) -> Result<Self, Unusable> {
        let rest = url.split_once(':').map_or("", |(_, rest)| rest);
        let server = if rest == "local" || rest.starts_with("local?") {
            Server::Local(Local::of(url, options)?)
        } else {
            Server::Remote(Arc::new(Config::parse(url, &options.environment)?))
        };
        Ok(Self {
            shared: Arc::new(Shared {
                server,
                admin: Admin::default(),
            }),
            options: options.clone(),
            layouts: Layouts::new(&options.prefix),
            pooled: Arc::default(),
        })
    }

    fn url(&self) -> String {
        match &self.shared.server {
            Server::Remote(config) => config.shown.clone(),
            Server::Local(local) => local.url().to_owned(),
        }
    }

    fn admin<T>(&self, work: impl FnOnce(&mut Wire) -> admin::Asked<T>) -> Result<T, Unusable> {
        self.shared.admin.with(&self.shared.server, work)
    }

    fn unusable(&self, error: &wire::NoConnection) -> Unusable {
        let (what, remedy) = codes::complaint(error);
        Unusable::server(self.url(), what, remedy)
    }
}

/// PostgreSQL's own name of a level, as a setting.
fn setting_of(level: Level) -> &'static str {
    match level {
        Level::ReadUncommitted => "read uncommitted",
        Level::ReadCommitted => "read committed",
        Level::RepeatableRead | Level::Snapshot => "repeatable read",
        Level::Serializable => "serializable",
    }
}

impl Target for Postgres {
    fn describe(&self) -> Description {
        let local = matches!(self.shared.server, Server::Local(_));
        Description {
            scheme: "postgres",
            url: self.url(),
            words: if local {
                "a server of our own".into()
            } else {
                String::new()
            },
            embedded: false,
            can_kill: local,
            can_cancel: true,
            can_terminate: true,
            conditional: false,
            changes: vec![ChangeKind::CreateIndex, ChangeKind::DropIndex],
            ring: false,
            maintains: if local {
                vec![
                    Maintenance::Flush,
                    Maintenance::Compact,
                    Maintenance::Repair,
                    Maintenance::Restart,
                ]
            } else {
                // CHECKPOINT is for superusers.
                vec![Maintenance::Compact, Maintenance::Repair]
            },
            one_session: false,
            can_proxy: true,
            levels: vec![
                Level::ReadUncommitted,
                Level::ReadCommitted,
                Level::RepeatableRead,
                Level::Snapshot,
                Level::Serializable,
            ],
            driver: format!("gristmill {} over postgres-protocol", env!("CARGO_PKG_VERSION")),
        }
    }

    /// READ UNCOMMITTED is READ COMMITTED there, and REPEATABLE READ is snapshot isolation. The snapshot of a transaction
    /// is taken by its first message after BEGIN, a Parse included.
    fn claim(&self, level: Level) -> Claim {
        let (level, snapshot) = match level {
            Level::ReadUncommitted | Level::ReadCommitted => (Level::ReadCommitted, Snapshot::Statement),
            Level::RepeatableRead | Level::Snapshot => (Level::Snapshot, Snapshot::FirstMessage),
            Level::Serializable => (Level::Serializable, Snapshot::FirstMessage),
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
        let lww = self.options.discipline == Discipline::Lww;
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
        Level::ReadCommitted
    }

    fn limits(&self, ty: &Type) -> Option<Limits> {
        (POSTGRES.column_type)(*ty)?;
        Some(Limits {
            nul_bytes: false,
            year_min: -4700,
            year_max: 200_000,
            ..Limits::default()
        })
    }

    fn column_type(&self, ty: &Type) -> Option<String> {
        (POSTGRES.column_type)(*ty)
    }

    fn left_out(&self) -> Vec<String> {
        let mut out = vec!["U+0000 in text (PostgreSQL refuses it)".into()];
        out.extend(dialect::left_out_of(self.options.discipline));
        out
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        let url = self.url();
        let first = self.admin(admin::facts)?;
        let facts = admin::judge(&url, first)?;
        if let Some(why) = &facts.pooler {
            self.pooled.get_or_init(|| why.clone());
        }
        Ok(facts)
    }

    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable> {
        let statements = dialect::objects(&POSTGRES, &self.layouts.of(schema), self.options.discipline);
        let taken = self.admin(|wire| admin::ours(wire, &self.options.prefix))?;
        if let Some(name) = taken.first() {
            let url = self.url();
            let remedy = format!("gristmill clean {url}");
            return Err(Unusable::server(
                url,
                format!("table {name} exists already"),
                remedy,
            ));
        }
        self.admin(|wire| admin::all_or_nothing(wire, &statements))
    }

    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        if let Server::Local(local) = &self.shared.server
            && !local.is_running()
        {
            // Its files belong to the folder of the run.
            return Ok(Vec::new());
        }
        let (removed, kept) = self.admin(|wire| ours::remove(wire, &self.options.prefix))?;
        if kept.is_empty() {
            return Ok(removed);
        }
        let what = format!("what was made cannot be removed: {}", kept.join("; "));
        let remedy = "drop what stands on it, or end who holds it, and clean again";
        Err(Unusable::server(self.url(), what, remedy))
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        dialect::objects(&POSTGRES, &self.layouts.of(schema), self.options.discipline)
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let (wire, config, through, identity) = self.log_in(who)?;
        let (renderer, pooled) = (self.renderer(schema), Arc::clone(&self.pooled));
        Ok(Box::new(session::PostgresSession::new(
            wire, config, through, renderer, identity, pooled,
        )))
    }

    fn gone(&self, who: &Identity) -> Gone {
        if let Some(why) = self.pooled.get() {
            return Gone::CannotTell(format!("a pooler stands in between: {why}"));
        }
        match self.admin(|wire| admin::is_there(wire, who)) {
            Ok(true) => Gone::StillThere,
            Ok(false) => Gone::Gone,
            Err(error) => Gone::CannotTell(error.complaint().what.clone()),
        }
    }

    fn stalled(&self, who: &Identity, ours: &[u64]) -> Option<Stall> {
        Some(
            self.admin(|wire| admin::stalled(wire, who, ours))
                .unwrap_or_else(|error| Stall {
                    words: format!(
                        "the server, which does not answer another connection either ({})",
                        error.complaint().what
                    ),
                    outsider: false,
                }),
        )
    }

    fn pooler(&self) -> Option<String> {
        self.pooled.get().cloned()
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        self.admin(admin::incarnation)
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        dialect::text(&POSTGRES, &self.layouts.of(schema), request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        Renderer::new(&POSTGRES, self.layouts.of(schema))
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        Some(dialect::rendered(&POSTGRES, &self.layouts.of(schema), request))
    }

    fn upstream(&self) -> Result<Option<Upstream>, Unusable> {
        let config = self.shared.server.config()?;
        Ok(Some(match config.endpoint().map_err(|e| self.unusable(&e))? {
            Endpoint::Tcp(address) => Upstream::Tcp(address),
            Endpoint::Unix(path) => Upstream::Unix(path),
        }))
    }

    /// CHECKPOINT; VACUUM and REINDEX of our tables, one after another; for a server of our own, a fast shutdown and a start.
    fn maintain(&self, what: Maintenance) -> Result<(), Unusable> {
        let word = match what {
            Maintenance::Restart => return self.shared.own()?.restart(),
            Maintenance::Flush => return self.admin(admin::checkpoint),
            Maintenance::Compact => "VACUUM",
            Maintenance::Repair => "REINDEX TABLE",
        };
        let names = self.admin(|wire| admin::ours(wire, &self.options.prefix))?;
        names
            .iter()
            .try_for_each(|name| self.admin(|wire| admin::tidy(wire, word, name)))
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        Some(Arc::clone(&self.shared) as Arc<dyn Control>)
    }

    fn sql(&self) -> Option<&dyn Sql> {
        Some(self)
    }
}

impl Sql for Postgres {
    /// The session has the level of the run; where the role may say so, its deadlocks are seen after 100 ms instead of a second,
    /// since sessions that change a schema meet in many.
    fn open(&self, who: SessionId) -> Result<Box<dyn SqlSession>, Unusable> {
        let (mut wire, config, through, identity) = self.log_in(who)?;
        let asked = wire.simple("SET deadlock_timeout = '100ms'");
        // A refusal is as good: it is the server's own then.
        asked
            .map(drop)
            .map_err(|lost| admin::unusable(&self.url(), &admin::Unasked::Lost(lost)))?;
        Ok(Box::new(text::TextSession::new(wire, config, through, identity)))
    }

    fn catalog(&self) -> Result<Seen, Unusable> {
        self.admin(|wire| ours::seen(wire, &self.options.prefix))
    }

    fn cannot(&self) -> Result<Vec<(&'static str, String)>, Unusable> {
        self.admin(ours::cannot)
    }

    fn waits(&self, who: &Identity) -> Option<Waiting> {
        Some(
            self.admin(|wire| ours::waits(wire, who))
                .unwrap_or_else(|error| Waiting {
                    unasked: Some(error.complaint().what.clone()),
                    ..Waiting::default()
                }),
        )
    }
}

impl Postgres {
    /// A new connection of a session, and who it is to the server.
    fn log_in(&self, who: SessionId) -> Result<LoggedIn, Unusable> {
        let config = self.shared.server.config()?;
        let through = self.options.through.get(&who).copied();
        let level = setting_of(self.options.level.unwrap_or_else(|| self.default_level()));
        let setting = [("default_transaction_isolation", level)];
        // Poolers refuse parameters that they do not know; statements outside transactions then have the server's level.
        let settings = if self.pooled.get().is_some() {
            &[]
        } else {
            &setting[..]
        };
        let mut wire = Wire::connect(&config, through, settings).map_err(|e| self.unusable(&e))?;
        let identity = admin::identity(&mut wire, who).map_err(|e| admin::unusable(&self.url(), &e))?;
        if let Some(why) = admin::another(&wire, identity.process) {
            self.pooled.get_or_init(|| why);
        }
        Ok((wire, config, through, identity))
    }
}

/// A connection, how it came about, and who it is.
type LoggedIn = (Wire, Arc<Config>, Option<SocketAddr>, Identity);

impl Shared {
    fn own(&self) -> Result<&Arc<Local>, Unusable> {
        match &self.server {
            Server::Local(local) => Ok(local),
            Server::Remote(config) => {
                let remedy = "use postgres:local for faults that need a server of our own";
                Err(Unusable::usage(
                    config.shown.clone(),
                    "it is not ours to kill",
                    remedy,
                ))
            }
        }
    }
}

impl Control for Shared {
    fn kill9(&self) -> Result<(), Unusable> {
        self.own()?.kill9()
    }

    fn restart(&self) -> Result<(), Unusable> {
        self.own()?.restart()
    }

    fn terminate(&self, who: &Identity) -> Result<bool, Unusable> {
        self.admin.with(&self.server, |wire| admin::terminate(wire, who))
    }
}
