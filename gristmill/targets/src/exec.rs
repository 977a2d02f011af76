//! `exec:COMMAND`: a program that answers lines of JSON (docs/formats/exec.md), one process a session. It speaks SQLite's SQL, so
//! what is known of SQLite without a connection is known of it.
//!
//! Invariants:
//! * no session's crash is another's: each has a process of its own, and there is one for what is asked besides;
//! * what a process has said is not believed beyond its line: an answer that is none ends it.

mod child;
mod session;
#[cfg(test)]
mod tests;
mod text;

use crate::Unusable;
use crate::dialect::Renderer;
use crate::process;
use crate::sql::{Sql, SqlSession, Waiting};
use crate::sqlite::Sqlite;
use crate::target::{Description, Facts, Gone, Identity, OpenOptions, Rendered, Request, Session, Target};
use child::{Cell, Child, Hello, Lost, Reply};
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::parallel::{Seen, SeenColumn, SeenKind, SeenObject};
use history::{Claim, Level, Semantics, SessionId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a question besides the sessions may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The setting ([`Facts::settings`]) that says whether what stands in double quotes may be a text: "on" or "off".
pub const DOUBLE_QUOTED: &str = "double_quoted_strings";

/// The target.
pub(crate) struct Exec {
    command: String,
    url: String,
    options: OpenOptions,
    /// What is known without a connection.
    sqlite: Sqlite,
    /// For what is asked besides, once it is needed; its greeting.
    control: Mutex<Option<(Child, String)>>,
}

impl Exec {
    /// Reads the URL; starts nothing. Errors: there is no command.
    pub(crate) fn open(url: &str, options: &OpenOptions) -> Result<Self, Unusable> {
        let command = url.split_once(':').map_or("", |(_, rest)| rest).trim();
        if command.is_empty() {
            let remedy = "the form is exec:COMMAND, as in exec:'python3 examples/exec_sqlite.py'";
            return Err(Unusable::usage(url, "there is no command", remedy));
        }
        Ok(Self {
            command: command.to_owned(),
            url: format!("exec:{command}"),
            options: options.clone(),
            sqlite: Sqlite::open("sqlite:", options)?,
            control: Mutex::new(None),
        })
    }

    fn folder(&self) -> PathBuf {
        self.options.folder.join("exec")
    }

    fn unusable(&self, lost: &Lost) -> Unusable {
        let remedy = match lost {
            Lost::NotStarted(_) | Lost::Ended(_) => {
                "run the command by hand: it must answer a hello (docs/formats/exec.md)"
            }
            Lost::Garbled(_) => "answer each line with one line of JSON (docs/formats/exec.md)",
            Lost::Late => "see what keeps the program from answering",
        };
        Unusable::server(self.url.clone(), lost.to_string(), remedy)
    }

    /// Starts a child of a session; with its version.
    fn child(&self, session: u16) -> Result<(Child, String), Unusable> {
        let folder = self.folder();
        std::fs::create_dir_all(&folder).map_err(|e| {
            Unusable::server(
                self.url.clone(),
                format!("{}: {e}", folder.display()),
                "see that the folder of the run may be written",
            )
        })?;
        // Another program may have been started elsewhere: the folder is told in full.
        let folder = folder.canonicalize().unwrap_or(folder);
        let busy = if self.options.lock_step {
            Duration::ZERO
        } else {
            self.options.busy
        };
        let hello = Hello {
            hello: 1,
            folder: &folder.to_string_lossy(),
            prefix: &self.options.prefix,
            session,
            busy_ms: u64::try_from(busy.as_millis()).unwrap_or(u64::MAX),
        };
        let (child, welcome) = Child::start(&self.command, &hello).map_err(|lost| self.unusable(&lost))?;
        if welcome.speaks != "sqlite" {
            let what = format!("it speaks `{}`", welcome.speaks);
            let remedy = "known is `sqlite`: rows of errors, types and words are needed for another";
            return Err(Unusable::server(self.url.clone(), what, remedy));
        }
        Ok((child, welcome.version))
    }

    /// Asks the child for what is asked besides; one that was lost is replaced at the next question.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Child, &str) -> Result<Result<T, String>, Lost>,
    ) -> Result<T, Unusable> {
        let mut slot = self.control.lock();
        let (mut child, version) = match slot.take() {
            Some(kept) => kept,
            None => self.child(0)?,
        };
        let done = work(&mut child, &version).map_err(|lost| self.unusable(&lost))?;
        *slot = Some((child, version));
        done.map_err(|what| Unusable::server(self.url.clone(), what, ""))
    }

    /// Runs statements one after another; the first that is refused ends it.
    fn run(&self, statements: &[String]) -> Result<(), Unusable> {
        self.with(|child, _| {
            for sql in statements {
                if let Some(error) = child.ask(sql, Vec::new(), PATIENCE)?.error {
                    return Ok(Err(format!("{error} ({sql})")));
                }
            }
            Ok(Ok(()))
        })
    }

    /// Rows of texts; NULL is "".
    fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, Unusable> {
        self.with(|child, _| {
            let reply = child.ask(sql, Vec::new(), PATIENCE)?;
            Ok(match reply.error {
                Some(error) => Err(format!("{error} ({sql})")),
                None => Ok(reply.rows.into_iter().map(texts).collect()),
            })
        })
    }

    /// Tables and, first, views with the prefix.
    fn ours(&self) -> Result<Vec<(String, String)>, Unusable> {
        let rows = self.rows(&format!(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND {} ORDER BY type DESC, name",
            self.like("name")
        ))?;
        let pair = |row: Vec<String>| Some((row.first()?.clone(), row.get(1)?.clone()));
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    fn like(&self, column: &str) -> String {
        let pattern = self.options.prefix.replace('_', "\\_");
        format!("{column} LIKE '{pattern}\\_%' ESCAPE '\\'")
    }

    fn identity(&self, who: SessionId, child: &Child) -> Identity {
        Identity {
            session: who,
            process: u64::from(child.pid()),
            started: String::new(),
            incarnation: self.url.clone(),
        }
    }
}

fn texts(row: Vec<Cell>) -> Vec<String> {
    let text = |cell: Cell| match cell {
        Cell::Null => String::new(),
        Cell::Int(v) => v.to_string(),
        Cell::Real(v) => format!("{v:?}"),
        Cell::Text(text) => text,
        Cell::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    row.into_iter().map(text).collect()
}

/// Whether a reply is a refusal, and which.
fn refused(reply: &Reply) -> Option<&str> {
    reply.error.as_deref()
}

impl Target for Exec {
    fn describe(&self) -> Description {
        Description {
            scheme: "exec",
            url: self.url.clone(),
            words: "a program of its own for each session".to_owned(),
            embedded: false,
            can_cancel: false,
            changes: Vec::new(),
            maintains: Vec::new(),
            one_session: false,
            driver: "lines of JSON, version 1".to_owned(),
            ..self.sqlite.describe()
        }
    }

    fn claim(&self, level: Level) -> Claim {
        self.sqlite.claim(level)
    }

    fn semantics(&self) -> Semantics {
        self.sqlite.semantics()
    }

    fn default_level(&self) -> Level {
        self.sqlite.default_level()
    }

    fn limits(&self, ty: &Type) -> Option<Limits> {
        self.sqlite.limits(ty)
    }

    fn column_type(&self, ty: &Type) -> Option<String> {
        self.sqlite.column_type(ty)
    }

    fn left_out(&self) -> Vec<String> {
        let own = ["cancel, kill and proxies (they are not in the protocol)".to_owned()];
        self.sqlite.left_out().into_iter().chain(own).collect()
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        self.with(|child, version| {
            let loose = child.ask("SELECT \"gristmill no such column\"", Vec::new(), PATIENCE)?;
            let word = if refused(&loose).is_some() { "off" } else { "on" };
            Ok(Ok(Facts {
                version: version.to_owned(),
                settings: BTreeMap::from([(DOUBLE_QUOTED.to_owned(), word.to_owned())]),
                ..Facts::default()
            }))
        })
    }

    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable> {
        if let Some((kind, name)) = self.ours()?.into_iter().next() {
            let remedy = format!("gristmill clean '{}'", self.url);
            let what = format!("{kind} {name} exists already");
            return Err(Unusable::server(self.url.clone(), what, remedy));
        }
        self.run(&self.plan_of_objects(schema))
    }

    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        let ours = self.ours()?;
        let quoted = |name: &str| name.replace('"', "\"\"");
        let drops = ours
            .iter()
            .map(|(kind, name)| format!("DROP {kind} \"{}\"", quoted(name)));
        self.run(&drops.collect::<Vec<_>>())?;
        Ok(ours
            .into_iter()
            .map(|(kind, name)| format!("{kind} {name}"))
            .collect())
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        self.sqlite.plan_of_objects(schema)
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let (child, _) = self.child(who.0)?;
        let identity = self.identity(who, &child);
        Ok(Box::new(session::ExecSession::new(
            child,
            identity,
            self.renderer(schema),
        )))
    }

    /// A process that has ended does nothing any more.
    fn gone(&self, who: &Identity) -> Gone {
        match u32::try_from(who.process) {
            Ok(pid) if process::is_alive(pid) => Gone::StillThere,
            _ => Gone::Gone,
        }
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        Ok(self.url.clone())
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        self.sqlite.text(schema, request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        self.sqlite.renderer(schema)
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        self.sqlite.prerender(schema, request)
    }

    fn sql(&self) -> Option<&dyn Sql> {
        Some(self)
    }
}

impl Sql for Exec {
    /// The session enforces foreign keys: SQLite does so only where it is asked to.
    fn open(&self, who: SessionId) -> Result<Box<dyn SqlSession>, Unusable> {
        let (mut child, _) = self.child(who.0)?;
        let set = child.ask("PRAGMA foreign_keys = 1", Vec::new(), PATIENCE);
        if let Some(error) = set.map_err(|lost| self.unusable(&lost))?.error {
            return Err(Unusable::server(self.url.clone(), error, ""));
        }
        let identity = self.identity(who, &child);
        Ok(Box::new(text::TextSession::new(child, identity)))
    }

    fn catalog(&self) -> Result<Seen, Unusable> {
        let sql = format!(
            "SELECT type, name, tbl_name FROM sqlite_schema WHERE {} OR {}",
            self.like("name"),
            self.like("tbl_name")
        );
        let columns = self.rows(&format!(
            "SELECT s.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c \
             WHERE s.type = 'table' AND {} ORDER BY s.name, c.cid",
            self.like("s.name")
        ))?;
        let mut of: BTreeMap<String, Vec<SeenColumn>> = BTreeMap::new();
        for row in columns {
            if let [table, name, ty, not_null] = row.as_slice() {
                of.entry(table.clone()).or_default().push(SeenColumn {
                    name: name.clone(),
                    ty: ty.clone(),
                    not_null: not_null == "1",
                });
            }
        }
        let mut objects = Vec::new();
        for row in self.rows(&sql)? {
            let [kind, name, on] = row.as_slice() else {
                continue;
            };
            let Some(kind) = SeenKind::of(kind) else { continue };
            let of_table = matches!(kind, SeenKind::Index | SeenKind::Trigger);
            objects.push(SeenObject {
                kind,
                namespace: String::new(),
                name: name.clone(),
                on: if of_table { on.clone() } else { String::new() },
                owner: String::new(),
                valid: true,
                temporary: false,
                columns: match kind {
                    SeenKind::Table => of.remove(name).unwrap_or_default(),
                    _ => Vec::new(),
                },
            });
        }
        objects.sort_unstable();
        Ok(Seen { objects })
    }

    fn waits(&self, _: &Identity) -> Option<Waiting> {
        None
    }
}
