//! MariaDB: any server that a URL names, or a throw-away one of our own (`mysql:local`). Discipline `ordered` only.
//!
//! Invariants:
//! * nothing but tables with the prefix is made, and no setting outside our own sessions is changed;
//! * what was asked of the server besides the visits goes through one connection of its own.

mod admin;
mod client;
mod codes;
mod config;
mod local;
mod ours;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod value;

use crate::Unusable;
use crate::dialect::{self, MARIADB, MARIADB_BYTES_MAX, Renderer};
use crate::layout::Layouts;
use crate::sql::{Sql, SqlSession, Waiting};
use crate::target::{
    Control, Description, Facts, Gone, Identity, Maintenance, OpenOptions, Rendered, Request, Session, Stall,
    Target, Upstream,
};
use admin::Admin;
use client::Client;
use config::Config;
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::parallel::Seen;
use history::{Affected, Atomic, Claim, Discipline, Level, Nulls, Semantics, SessionId, Snapshot, Sums};
use local::Local;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// The target.
pub(crate) struct Mysql {
    shared: Arc<Shared>,
    options: OpenOptions,
    layouts: Layouts,
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
    /// Which process it is, where it is ours: two may begin in one second.
    fn process(&self) -> u32 {
        match self {
            Self::Remote(_) => 0,
            Self::Local(local) => local.process(),
        }
    }

    /// Where it is; a local one is started.
    fn config(&self) -> Result<Arc<Config>, Unusable> {
        match self {
            Self::Remote(config) => Ok(Arc::clone(config)),
            Self::Local(local) => local.config(),
        }
    }
}

impl Mysql {
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
        })
    }

    fn url(&self) -> String {
        match &self.shared.server {
            Server::Remote(config) => config.shown.clone(),
            Server::Local(local) => local.url().to_owned(),
        }
    }

    fn admin<T>(&self, work: impl FnOnce(&mut Client) -> admin::Asked<T>) -> Result<T, Unusable> {
        self.shared.admin.with(&self.shared.server, work)
    }

    /// Changes with each start of the server.
    fn incarnation_by(&self, client: &mut Client) -> admin::Asked<String> {
        let began = admin::began(client)?;
        Ok(format!("{began} {}", self.shared.server.process()))
    }
}

impl Target for Mysql {
    fn describe(&self) -> Description {
        let local = matches!(self.shared.server, Server::Local(_));
        let words = if local { "a server of our own" } else { "" };
        Description {
            scheme: "mysql",
            url: self.url(),
            words: words.to_owned(),
            embedded: false,
            can_kill: local,
            can_cancel: true,
            can_terminate: true,
            conditional: false,
            changes: Vec::new(),
            ring: false,
            maintains: if local {
                vec![Maintenance::Restart]
            } else {
                Vec::new()
            },
            one_session: false,
            can_proxy: true,
            levels: vec![
                Level::ReadCommitted,
                Level::RepeatableRead,
                Level::Snapshot,
                Level::Serializable,
            ],
            driver: "mysql_async 0.37".to_owned(),
        }
    }

    /// REPEATABLE READ is snapshot isolation there, because sessions ask for `innodb_snapshot_isolation`, and its snapshot is
    /// taken by START TRANSACTION WITH CONSISTENT SNAPSHOT. SERIALIZABLE reads what is there now, and locks it.
    fn claim(&self, level: Level) -> Claim {
        let (level, snapshot) = match level {
            Level::ReadUncommitted | Level::ReadCommitted => (Level::ReadCommitted, Snapshot::Statement),
            Level::RepeatableRead | Level::Snapshot => (Level::Snapshot, Snapshot::Begin),
            Level::Serializable => (Level::Serializable, Snapshot::Statement),
        };
        Claim {
            level,
            real_time: true,
            hidden_until_commit: true,
            atomic: Atomic::Visit,
            snapshot,
            durable: true,
        }
    }

    fn semantics(&self) -> Semantics {
        Semantics {
            update_creates_rows: false,
            nulls: Nulls::First,
            affected: Affected::Matched,
            ties: history::Ties::Greatest,
            replicas: 1,
            clustered: false,
            sums: Sums::Exact,
        }
    }

    fn default_level(&self) -> Level {
        Level::RepeatableRead
    }

    /// A key has at most 3,072 bytes, and each character of text counts as four.
    fn limits(&self, ty: &Type) -> Option<Limits> {
        (MARIADB.column_type)(*ty)?;
        let (year_min, year_max) = match ty {
            Type::TimestampTz => (1971, 2037),
            _ => (1, 9999),
        };
        Some(Limits {
            nan: false,
            infinities: false,
            negative_zero: false,
            text_bytes_max: MARIADB_BYTES_MAX,
            bytes_max: MARIADB_BYTES_MAX,
            key_bytes_max: 680,
            year_min,
            year_max,
            ..Limits::default()
        })
    }

    fn column_type(&self, ty: &Type) -> Option<String> {
        (MARIADB.column_type)(*ty)
    }

    fn left_out(&self) -> Vec<String> {
        let words = [
            "NaN and infinity (MariaDB has none)",
            "−0 (it is not told from 0)",
            "text and bytes of more than 2,000 bytes (they are sorted by their beginnings)",
            "timestamptz outside 1971–2037 (MariaDB's timestamp ends there)",
        ];
        words.map(str::to_owned).to_vec()
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        let seen = self.admin(admin::facts)?;
        admin::judge(&self.url(), seen)
    }

    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable> {
        let taken = self.admin(|client| admin::ours(client, &self.options.prefix))?;
        if let Some(name) = taken.first() {
            let url = self.url();
            let remedy = format!("gristmill clean {url}");
            return Err(Unusable::server(
                url,
                format!("table {name} exists already"),
                remedy,
            ));
        }
        let statements = self.plan_of_objects(schema);
        self.admin(|client| statements.iter().try_for_each(|sql| admin::run(client, sql)))
            .inspect_err(|_| {
                // Each statement commits by itself: what was made before the one that was refused goes again.
                drop(self.cleanup());
            })
    }

    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        if let Server::Local(local) = &self.shared.server
            && !local.is_running()
        {
            // Its files belong to the folder of the run.
            return Ok(Vec::new());
        }
        let (removed, kept) = self.admin(|client| ours::remove(client, &self.options.prefix))?;
        if kept.is_empty() {
            return Ok(removed);
        }
        Err(Unusable::server(
            self.url(),
            format!("still there: {}", kept.join("; ")),
            "end the sessions that use it, and clean again",
        ))
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        dialect::objects(&MARIADB, &self.layouts.of(schema), Discipline::Ordered)
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let lock_step = self.options.lock_step;
        let begin = |client: &mut Client, level| client.begin_session(level, lock_step);
        let (client, config, through, identity) = self.log_in(who, begin)?;
        let renderer = self.renderer(schema);
        Ok(Box::new(session::MysqlSession::new(
            client, config, through, renderer, identity,
        )))
    }

    fn gone(&self, who: &Identity) -> Gone {
        let there = self.admin(|client| {
            Ok(self.incarnation_by(client)? == who.incarnation && admin::is_there(client, who)?)
        });
        match there {
            Ok(true) => Gone::StillThere,
            Ok(false) => Gone::Gone,
            Err(error) => Gone::CannotTell(error.complaint().what.clone()),
        }
    }

    fn stalled(&self, who: &Identity, ours: &[u64]) -> Option<Stall> {
        let told = self.admin(|client| admin::stalled(client, who, ours));
        Some(told.unwrap_or_else(|error| {
            let why = &error.complaint().what;
            Stall {
                words: format!("the server, which does not answer another connection either ({why})"),
                outsider: false,
            }
        }))
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        self.admin(|client| self.incarnation_by(client))
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        dialect::text(&MARIADB, &self.layouts.of(schema), request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        Renderer::new(&MARIADB, self.layouts.of(schema))
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        Some(dialect::rendered(&MARIADB, &self.layouts.of(schema), request))
    }

    fn upstream(&self) -> Result<Option<Upstream>, Unusable> {
        let config = self.shared.server.config()?;
        let mut found = (config.host.as_str(), config.port)
            .to_socket_addrs()
            .map_err(|e| codes::unreachable(&config, &e))?;
        Ok(found.next().map(Upstream::Tcp))
    }

    fn maintain(&self, what: Maintenance) -> Result<(), Unusable> {
        match what {
            Maintenance::Restart => self.shared.own()?.restart(),
            Maintenance::Flush | Maintenance::Compact | Maintenance::Repair => {
                let remedy = "leave this step out: of these MariaDB is only restarted";
                Err(Unusable::usage(
                    self.url(),
                    "its files are not put in order by us",
                    remedy,
                ))
            }
        }
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        Some(Arc::clone(&self.shared) as Arc<dyn Control>)
    }

    fn sql(&self) -> Option<&dyn Sql> {
        Some(self)
    }
}

impl Sql for Mysql {
    /// The session has the level of the run, waits for locks as long as the run says, and compares texts byte by byte. Behind an
    /// error in a transaction it asks whether that is still open.
    fn open(&self, who: SessionId) -> Result<Box<dyn SqlSession>, Unusable> {
        let busy = self.options.busy;
        let begin = |client: &mut Client, level| client.begin_text(level, busy);
        let (client, config, through, identity) = self.log_in(who, begin)?;
        Ok(Box::new(text::TextSession::new(
            client, config, through, identity,
        )))
    }

    fn catalog(&self) -> Result<Seen, Unusable> {
        self.admin(|client| ours::seen(client, &self.options.prefix))
    }

    fn waits(&self, who: &Identity) -> Option<Waiting> {
        let told = self.admin(|client| ours::waits(client, who));
        Some(told.unwrap_or_else(|error| Waiting {
            unasked: Some(error.complaint().what.clone()),
            ..Waiting::default()
        }))
    }
}

/// A connection, how it came about, and who it is.
type LoggedIn = (Client, Arc<Config>, Option<SocketAddr>, Identity);

impl Mysql {
    /// A new connection of a session, set up by `begin`.
    fn log_in(
        &self,
        who: SessionId,
        begin: impl FnOnce(&mut Client, Level) -> admin::Asked<()>,
    ) -> Result<LoggedIn, Unusable> {
        let config = self.shared.server.config()?;
        let through = self.options.through.get(&who).copied();
        let level = self.options.level.unwrap_or_else(|| self.default_level());
        let unusable = |error: &client::Error| codes::unusable(&self.url(), error);
        let mut client = Client::connect(&config, through).map_err(|e| unusable(&e))?;
        begin(&mut client, level).map_err(|e| unusable(&e))?;
        // Numbers of connections are not used again while the server runs.
        let identity = Identity {
            session: who,
            process: client.id(),
            started: String::new(),
            incarnation: self.incarnation_by(&mut client).map_err(|e| unusable(&e))?,
        };
        Ok((client, config, through, identity))
    }
}

impl Shared {
    fn own(&self) -> Result<&Arc<Local>, Unusable> {
        match &self.server {
            Server::Local(local) => Ok(local),
            Server::Remote(config) => Err(Unusable::usage(
                config.shown.clone(),
                "it is not ours to kill",
                "use mysql:local for faults that need a server of our own",
            )),
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
        self.admin
            .with(&self.server, |client| admin::terminate(client, who))
    }
}
