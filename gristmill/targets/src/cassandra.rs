//! Cassandra: any cluster that a URL names, or a throw-away one of our own (`cassandra:local`).
//!
//! The greatest timestamp wins there (discipline `lww`), and nothing is a transaction: a visit is one statement, or one
//! batch of writes of one partition.
//!
//! Invariants:
//! * nothing but a keyspace called as the prefix is made, or, where the URL names a keyspace, tables with the prefix in it;
//! * what was asked of the server besides the visits goes through a connection of its own.

mod admin;
mod client;
mod codes;
mod config;
mod declared;
mod jolokia;
mod local;
mod session;
#[cfg(test)]
mod tests;
mod value;

use crate::Unusable;
use crate::dialect::cql::{self, CQL, IndexKind};
use crate::dialect::{self, Renderer};
use crate::layout::{Layout, Layouts};
use crate::target::{
    Control, Declared, Description, Facts, Gone, Identity, Maintenance, OpenOptions, Rendered, Request,
    Session, Target, Upstream,
};
use admin::Admin;
use client::{Asked, Client};
use config::{Config, Words};
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::{Nulls, Type};
use history::{
    Affected, Atomic, Change, ChangeKind, Claim, Level, Semantics, SessionId, Snapshot, Sums, Ties,
};
use local::Local;
pub(crate) use local::is_installed;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The target.
pub(crate) struct Cassandra {
    shared: Arc<Shared>,
    options: OpenOptions,
    layouts: Layouts,
    /// Sessions opened so far: the server has no names for them.
    opened: AtomicU64,
}

/// What the control needs too.
struct Shared {
    server: Server,
    admin: Admin,
    prefix: String,
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

    fn words(&self) -> &Words {
        match self {
            Self::Remote(config) => &config.words,
            Self::Local(local) => local.words(),
        }
    }

    fn url(&self) -> &str {
        match self {
            Self::Remote(config) => &config.shown,
            Self::Local(local) => local.url(),
        }
    }

    /// The keyspace that the URL names.
    fn keyspace(&self) -> Option<&str> {
        match self {
            Self::Remote(config) => config.keyspace.as_deref(),
            Self::Local(_) => None,
        }
    }
}

/// The target of a URL; connects to nothing. Errors: the URL.
pub(crate) fn open(url: &str, options: &OpenOptions) -> Result<Box<dyn Target>, Unusable> {
    Ok(Box::new(Cassandra::open(url, options)?))
}

impl Cassandra {
    /// Reads the URL; connects to nothing. Errors: the URL.
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
                prefix: options.prefix.clone(),
            }),
            options: options.clone(),
            layouts: Layouts::new(&options.prefix),
            opened: AtomicU64::new(0),
        })
    }

    fn ask<T>(&self, work: impl FnOnce(&Client) -> Asked<T>) -> Result<T, Unusable> {
        self.shared.admin.with(&self.shared.server, work)
    }

    fn index_kind(version: (u32, u32)) -> IndexKind {
        if version >= admin::SAI_FROM {
            IndexKind::Sai
        } else {
            IndexKind::Legacy
        }
    }

    /// The statements that make a keyspace, where we do, and go into it.
    fn keyspace_statements(&self) -> Vec<String> {
        let keyspace = self.shared.keyspace();
        let go = format!("USE {keyspace}");
        match self.shared.server.keyspace() {
            Some(_) => vec![go],
            None => vec![admin::create_keyspace(keyspace, self.shared.server.words()), go],
        }
    }

    /// A question that an index answers, for each index.
    fn index_questions(&self, layout: &Layout) -> Vec<String> {
        let mut out = Vec::new();
        for table in &layout.tables {
            for col in table
                .indexes
                .iter()
                .flat_map(|(_, ids)| ids)
                .map(|id| table.any(*id))
            {
                out.extend(cql::by_column(self.shared.keyspace(), table, col));
            }
        }
        out
    }

    fn make(&self, schema: &Schema) -> Result<(), Unusable> {
        let layout = self.layouts.of(schema);
        let first = self.ask(|client| admin::first(client, None))?;
        let (keyspace, with) = (self.shared.keyspace(), &self.shared.server.words().with);
        let create = self
            .keyspace_statements()
            .into_iter()
            .filter(|s| !s.starts_with("USE "));
        for statement in create {
            self.ask(|client| client.ask(&statement))?;
        }
        for statement in cql::objects(&layout, Some(keyspace), with, Self::index_kind(first.version)) {
            self.ask(|client| client.ask(&statement))?;
        }
        for question in self.index_questions(&layout) {
            self.ask(|client| admin::await_index(client, &question))?;
        }
        Ok(())
    }
}

impl Shared {
    /// Where our tables are.
    fn keyspace(&self) -> &str {
        self.server.keyspace().unwrap_or(&self.prefix)
    }
}

/// Whether a type is or has one that the server keeps to the millisecond.
fn holds_timestamps(ty: Type) -> bool {
    match ty {
        Type::Timestamp | Type::TimestampTz => true,
        Type::Composite(composite) => composite.parts.iter().any(|part| holds_timestamps(*part)),
        _ => false,
    }
}

impl Target for Cassandra {
    fn describe(&self) -> Description {
        let local = matches!(self.shared.server, Server::Local(_));
        let one_address = match &self.shared.server {
            Server::Remote(config) => config.hosts.len() == 1,
            Server::Local(local) => local.nodes() == 1,
        };
        Description {
            scheme: "cassandra",
            url: self.shared.server.url().to_owned(),
            words: match &self.shared.server {
                Server::Local(local) if local.nodes() == 1 => "a node of our own".into(),
                Server::Local(local) => format!("{} nodes of our own", local.nodes()),
                Server::Remote(_) => String::new(),
            },
            embedded: false,
            can_kill: local,
            can_cancel: false,
            can_terminate: false,
            conditional: true,
            changes: ChangeKind::ALL.map(|(kind, _)| kind).to_vec(),
            ring: true,
            maintains: if local {
                vec![
                    Maintenance::Flush,
                    Maintenance::Compact,
                    Maintenance::Repair,
                    Maintenance::Restart,
                ]
            } else {
                Vec::new()
            },
            one_session: false,
            can_proxy: one_address,
            levels: vec![Level::ReadCommitted],
            driver: "scylla 1.9".into(),
        }
    }

    /// What a level says is not used where the greatest timestamp wins; what is atomic is one statement, and of a paged
    /// read one page.
    fn claim(&self, _: Level) -> Claim {
        Claim {
            level: Level::ReadCommitted,
            real_time: true,
            hidden_until_commit: true,
            atomic: Atomic::Page,
            snapshot: Snapshot::Statement,
            durable: true,
        }
    }

    fn semantics(&self) -> Semantics {
        Semantics {
            update_creates_rows: true,
            nulls: Nulls::First,
            affected: Affected::NotReported,
            ties: Ties::GreatestBytes,
            replicas: self.shared.server.words().rf,
            clustered: true,
            sums: Sums::OfColumn,
        }
    }

    fn default_level(&self) -> Level {
        Level::ReadCommitted
    }

    fn limits(&self, ty: &Type) -> Option<Limits> {
        self.column_type(ty)?;
        Some(Limits {
            negative_zero: false,
            year_min: -4700,
            year_max: 200_000,
            empty_values: ty.may_be_empty(),
            subsecond_digits: if holds_timestamps(*ty) { 3 } else { 6 },
            ..Limits::default()
        })
    }

    fn column_type(&self, ty: &Type) -> Option<String> {
        (CQL.column_type)(*ty)
    }

    fn left_out(&self) -> Vec<String> {
        cql::LEFT_OUT.iter().map(|words| (*words).to_owned()).collect()
    }

    fn says(&self, schema: &Schema, request: &Request<'_>) -> Result<(), String> {
        let steps = match request {
            Request::Stamped { steps, .. } => *steps,
            Request::Step(step) => std::slice::from_ref(*step),
            Request::Begin { .. } | Request::Commit | Request::Rollback => &[],
        };
        let mut all = steps.iter().map(|step| cql::says(schema, step));
        all.try_for_each(|said| said).map_err(str::to_owned)
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        let config = self.shared.server.config()?;
        let first = self.ask(|client| admin::first(client, config.keyspace.as_deref()))?;
        let mut facts = admin::judge(&config, first)?;
        if let Server::Local(local) = &self.shared.server {
            facts.settings.extend(local.costs());
        }
        Ok(facts)
    }

    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable> {
        let url = self.shared.server.url().to_owned();
        let (keyspace, prefix) = (self.shared.keyspace(), &self.options.prefix);
        let stateless = schema
            .tables
            .iter()
            .find(|t| !t.definition().shared.is_empty() && t.definition().clustering.is_empty());
        if let Some(table) = stateless {
            let what = format!(
                "table {} has shared columns and no clustering key",
                table.definition().name
            );
            return Err(Unusable::usage(
                url,
                what,
                "give it a clustering key: CQL has no static columns without one",
            ));
        }
        let taken = match self.shared.server.keyspace() {
            None if self.ask(|c| admin::keyspace_exists(c, keyspace))? => {
                Some(format!("keyspace {keyspace}"))
            }
            None => None,
            Some(_) => {
                let tables = self.ask(|c| admin::tables(c, keyspace, prefix))?;
                let types = self.ask(|c| admin::types(c, keyspace, prefix))?;
                let table = tables.first().map(|name| format!("table {keyspace}.{name}"));
                table.or_else(|| types.first().map(|name| format!("type {keyspace}.{name}")))
            }
        };
        if let Some(what) = taken {
            let remedy = format!("gristmill clean {url}");
            return Err(Unusable::server(url, format!("{what} exists already"), remedy));
        }
        let made = self.make(schema);
        if made.is_err() {
            // All or nothing; why it failed says more than why it cannot be removed either.
            drop(self.cleanup());
        }
        made
    }

    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        if let Server::Local(local) = &self.shared.server
            && !local.is_running()
        {
            // Its files belong to the folder of the run.
            return Ok(Vec::new());
        }
        let keyspace = self.shared.keyspace();
        if self.shared.server.keyspace().is_none() {
            if !self.ask(|c| admin::keyspace_exists(c, keyspace))? {
                return Ok(Vec::new());
            }
            self.ask(|c| c.ask(&format!("DROP KEYSPACE IF EXISTS {keyspace}")))?;
            return Ok(vec![format!("keyspace {keyspace}")]);
        }
        let names = self.ask(|c| admin::tables(c, keyspace, &self.options.prefix))?;
        for name in &names {
            self.ask(|c| c.ask(&format!("DROP TABLE IF EXISTS {keyspace}.\"{name}\"")))?;
        }
        let mut gone: Vec<String> = names
            .iter()
            .map(|name| format!("table {keyspace}.{name}"))
            .collect();
        // What others are made of was made first.
        let mut types = self.ask(|c| admin::types(c, keyspace, &self.options.prefix))?;
        types.sort_by_key(|name| std::cmp::Reverse((name.len(), name.clone())));
        for name in types {
            self.ask(|c| c.ask(&format!("DROP TYPE IF EXISTS {keyspace}.\"{name}\"")))?;
            gone.push(format!("type {keyspace}.{name}"));
        }
        Ok(gone)
    }

    /// With the indexes of 5.0; an older server gets `CREATE INDEX` without `USING`.
    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        let mut out = self.keyspace_statements();
        out.extend(cql::objects(
            &self.layouts.of(schema),
            None,
            &self.shared.server.words().with,
            IndexKind::Sai,
        ));
        out
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let config = self.shared.server.config()?;
        let through = self.options.through.get(&who).copied();
        let client = Client::connect(&config, Some(self.shared.keyspace()), through)
            .map_err(|e| client::unusable(&config.shown, &e))?;
        let identity = Identity {
            session: who,
            process: self.opened.fetch_add(1, Ordering::Relaxed),
            started: String::new(),
            incarnation: String::new(),
        };
        Ok(Box::new(session::CassandraSession::new(
            client,
            self.renderer(schema),
            identity,
            self.shared.keyspace().to_owned(),
        )))
    }

    /// A coordinator finishes what it was sent, whoever went away; and a write may come back from a hint later.
    fn gone(&self, _: &Identity) -> Gone {
        Gone::CannotTell("Cassandra does not say what became of a request".into())
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        let rows = self.ask(|c| c.ask("SELECT host_id, gossip_generation FROM system.local"))?;
        Ok(rows.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        dialect::text(&CQL, &self.layouts.of(schema), request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        Renderer::new(&CQL, self.layouts.of(schema))
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        Some(dialect::rendered(&CQL, &self.layouts.of(schema), request))
    }

    fn upstream(&self) -> Result<Option<Upstream>, Unusable> {
        let config = self.shared.server.config()?;
        let host = &config.hosts[0];
        let found = host.to_socket_addrs().ok().and_then(|mut all| all.next());
        found.map(|address| Some(Upstream::Tcp(address))).ok_or_else(|| {
            let what = format!("there is no address for {host}");
            Unusable::server(config.shown.clone(), what, "see that the URL names its host")
        })
    }

    fn declared(&self, keyspace: &str, tables: &[String]) -> Result<Declared, Unusable> {
        let catalog = self.ask(|client| declared::Catalog::read(client, keyspace))?;
        catalog
            .declared(tables, &|ty| self.limits(&ty))
            .map_err(|(what, remedy)| Unusable::usage(self.shared.server.url(), what, remedy))
    }

    fn shows(&self, schema: &Schema, change: &Change) -> Result<bool, Unusable> {
        let layout = self.layouts.of(schema);
        let table = layout.table(change.table);
        self.ask(|client| admin::shows(client, self.shared.keyspace(), table, change))
    }

    fn maintain(&self, what: Maintenance) -> Result<(), Unusable> {
        self.shared.own()?.maintain(what, self.shared.keyspace())
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        Some(Arc::clone(&self.shared) as Arc<dyn Control>)
    }
}

impl Shared {
    fn own(&self) -> Result<&Arc<Local>, Unusable> {
        match &self.server {
            Server::Local(local) => Ok(local),
            Server::Remote(config) => {
                let remedy = "use cassandra:local for faults that need a server of our own";
                Err(Unusable::usage(
                    config.shown.clone(),
                    "it is not ours to touch",
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

    fn terminate(&self, _: &Identity) -> Result<bool, Unusable> {
        let remedy = "leave this fault out";
        Err(Unusable::usage(
            self.server.url(),
            "Cassandra ends no session of another",
            remedy,
        ))
    }
}
