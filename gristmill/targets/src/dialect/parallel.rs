//! The text of the parallel workload's statements. What differs between the databases is a table of words; the walk is one.
//!
//! Knows no connection and no model: an op says what its slots are called. Invariants:
//! * R1 every name is quoted, whatever it is made of; every constant has its type, so that no server guesses one.
//! * R2 the text is a function of the op and the language alone.
//! * R3 nothing is left out in silence: what the language cannot say was not to be drawn, and panics.

mod define;
mod expr;
mod guard;
mod query;
mod words;

pub use guard::{Stranger, strangers};
pub use words::{DUCKDB, Language, MARIADB, POSTGRES, SQLITE};

use history::parallel::expr::{Constant, Named};
use history::parallel::statement::{Care, Cursor, Prepared, Rights, Session, Statement, Transaction};
use history::parallel::{Name, Op, Right, Space, Target};
use std::fmt::Write;

/// A statement as it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Its text.
    pub sql: String,
    /// What follows a COPY … FROM STDIN.
    pub copy: Option<Vec<u8>>,
}

/// Writes the statement of an op.
///
/// # Panics
/// When the statement is none of the language's, or names a slot that the op has not: our defects.
#[must_use]
pub fn render(op: &Op, language: &Language) -> Rendered {
    let mut writer = Writer {
        slots: &op.slots,
        language,
        out: String::with_capacity(256),
        unaliased: None,
        copy: None,
    };
    writer.statement(&op.ast);
    Rendered {
        sql: writer.out,
        copy: writer.copy,
    }
}

struct Writer<'a> {
    slots: &'a [Target],
    language: &'a Language,
    out: String,
    /// The alias of a table that cannot be given one, and its slot.
    unaliased: Option<(u8, u8)>,
    copy: Option<Vec<u8>>,
}

/// Appends formatted text.
macro_rules! say {
    ($writer:expr, $($arg:tt)*) => {
        write!($writer.out, $($arg)*).expect("a String takes everything")
    };
}
use say;

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// `text` if `yes`.
    fn put_if(&mut self, yes: bool, text: &str) {
        if yes {
            self.out.push_str(text);
        }
    }

    /// Items with commas between them.
    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (i, item) in items.into_iter().enumerate() {
            self.put_if(i > 0, ", ");
            write(self, item);
        }
    }

    /// A name in quotes.
    fn quoted(&mut self, name: &str) {
        self.language.quote_into(name, &mut self.out);
    }

    fn named(&mut self, named: &Named) {
        self.quoted(named.name.as_str());
    }

    fn columns(&mut self, columns: &[Named]) {
        self.put("(");
        self.list(columns, |w, c| w.named(c));
        self.put(")");
    }

    /// What a slot is called, with its schema where it is not home.
    fn slot(&mut self, slot: u8) {
        let slots = self.slots;
        match &slots[usize::from(slot)] {
            Target::Object { name, .. } | Target::New { name, .. } | Target::Free(name) => {
                self.qualified(name)
            }
            Target::Part { name, .. } => self.quoted(name.as_str()),
        }
    }

    fn qualified(&mut self, name: &Name) {
        if let (Space::Relation | Space::Type | Space::Function, Some(parent)) = (name.space, name.parent) {
            let schema = self.slots.iter().find_map(|t| match t {
                Target::Object { object, name } | Target::New { object, name } if *object == parent => {
                    Some(&name.kept)
                }
                _ => None,
            });
            let schema = schema.expect("the schema of what is not at home is a slot of its op");
            self.quoted(schema.as_str());
            self.put(".");
        }
        self.quoted(name.kept.as_str());
    }

    /// What a slot is called, without its schema: where a new name is given.
    fn bare(&mut self, slot: u8) {
        let slots = self.slots;
        match &slots[usize::from(slot)] {
            Target::Object { name, .. } | Target::New { name, .. } | Target::Free(name) => {
                self.quoted(name.kept.as_str())
            }
            Target::Part { name, .. } => self.quoted(name.as_str()),
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Truncate {
                tables,
                restart,
                cascade,
            } => {
                self.put("TRUNCATE TABLE ");
                self.list(tables, |w, t| w.slot(*t));
                self.put_if(*restart, " RESTART IDENTITY");
                self.put_if(*cascade, " CASCADE");
            }
            Statement::CopyIn {
                table,
                columns,
                rows,
                csv,
                ..
            } => {
                self.put("COPY ");
                self.slot(*table);
                self.put(" ");
                self.columns(columns);
                self.put(" FROM STDIN");
                self.put_if(*csv, " WITH (FORMAT csv)");
                self.copy = Some(copied(rows, *csv));
            }
            Statement::CopyOut { query, csv } => {
                self.put("COPY (");
                self.query(query);
                self.put(") TO STDOUT");
                self.put_if(*csv, " WITH (FORMAT csv)");
            }
            Statement::Transaction(transaction) => self.transaction(transaction),
            Statement::Cursor(cursor) => self.cursor(cursor),
            Statement::Prepared(prepared) => self.prepared(prepared),
            Statement::Explain { analyze, of } => {
                self.put(if *analyze {
                    self.language.explain_analyze
                } else {
                    self.language.explain
                });
                self.put(" ");
                self.statement(of);
            }
            Statement::Session(session) => self.session(session),
            Statement::Catalogue(name) => {
                let query = self.language.catalogue.iter().find(|(n, _)| n == name);
                let (_, text) =
                    query.unwrap_or_else(|| panic!("{name} is no catalogue query of the language"));
                self.put(text);
            }
            Statement::Define(define) => self.define(define),
            Statement::Rights(rights) => self.rights(rights),
            Statement::Care(care) => self.care(care),
            Statement::Verbatim(text) => self.put(text),
        }
    }

    fn transaction(&mut self, transaction: &Transaction) {
        match transaction {
            Transaction::Begin { level, read_only } => {
                let text = (self.language.begin)(*level, *read_only);
                self.put(text);
            }
            Transaction::Commit => self.put("COMMIT"),
            Transaction::Rollback => self.put("ROLLBACK"),
            Transaction::Savepoint(n) => say!(self, "SAVEPOINT s{n}"),
            Transaction::Release(n) => say!(self, "RELEASE SAVEPOINT s{n}"),
            Transaction::RollbackTo(n) => say!(self, "ROLLBACK TO SAVEPOINT s{n}"),
            Transaction::Lock {
                tables,
                mode,
                no_wait,
            } => {
                self.put("LOCK TABLE ");
                self.list(tables, |w, t| w.slot(*t));
                say!(self, " IN {mode} MODE");
                self.put_if(*no_wait, " NOWAIT");
            }
            Transaction::Constraints(deferred) => {
                let when = if *deferred { "DEFERRED" } else { "IMMEDIATE" };
                say!(self, "SET CONSTRAINTS ALL {when}");
            }
        }
    }

    fn cursor(&mut self, cursor: &Cursor) {
        match cursor {
            Cursor::Declare {
                number,
                scroll,
                hold,
                query,
            } => {
                let scroll = if *scroll { "SCROLL" } else { "NO SCROLL" };
                say!(self, "DECLARE c{number} {scroll} CURSOR ");
                self.put_if(*hold, "WITH HOLD ");
                self.put("FOR ");
                self.query(query);
            }
            Cursor::Fetch { number, which, skip } => {
                let verb = if *skip { "MOVE" } else { "FETCH" };
                say!(self, "{verb} {which} FROM c{number}");
            }
            Cursor::Close(number) => say!(self, "CLOSE c{number}"),
        }
    }

    fn prepared(&mut self, prepared: &Prepared) {
        match prepared {
            Prepared::Prepare { number, types, of } => {
                say!(self, "PREPARE p{number}");
                if !types.is_empty() {
                    self.put(" (");
                    self.list(types, |w, ty| w.ty(*ty));
                    self.put(")");
                }
                self.put(" AS ");
                self.statement(of);
            }
            Prepared::Execute { number, args } => {
                say!(self, "EXECUTE p{number}");
                if !args.is_empty() {
                    self.put(" (");
                    self.list(args, |w, e| w.expr(e));
                    self.put(")");
                }
            }
            Prepared::Deallocate(number) => say!(self, "DEALLOCATE p{number}"),
        }
    }

    fn session(&mut self, session: &Session) {
        match session {
            Session::Set { name, value, local } => {
                let text = (self.language.set)(name, value, *local);
                self.put(&text);
            }
            Session::Reset(name) => {
                let (before, behind) = self.language.reset;
                say!(self, "{before}{name}{behind}");
            }
            Session::Show(name) => {
                let (before, behind) = self.language.show;
                say!(self, "{before}{name}{behind}");
            }
            Session::Discard(what) => say!(self, "DISCARD {what}"),
            Session::Role(Some(role)) => {
                self.put("SET ROLE ");
                self.slot(*role);
            }
            Session::Role(None) => self.put("RESET ROLE"),
        }
    }

    fn rights(&mut self, rights: &Rights) {
        match rights {
            Rights::Role { slot } => {
                // The connection's own role is a member: it may act as the new one, and give things to it.
                self.put("CREATE ROLE ");
                self.slot(*slot);
                self.put(" ROLE SESSION_USER");
            }
            Rights::AlterRole { slot, limit } => {
                self.put("ALTER ROLE ");
                self.slot(*slot);
                say!(self, " CONNECTION LIMIT {limit}");
            }
            Rights::Grant {
                give,
                rights,
                kind,
                slot,
                role,
            } => {
                self.put(if *give { "GRANT " } else { "REVOKE " });
                self.list(rights, |w, r| w.put(right(*r)));
                self.put(" ON ");
                self.put(define::rights_word(*kind));
                self.slot(*slot);
                self.put(if *give { " TO " } else { " FROM " });
                self.slot(*role);
            }
            Rights::Member { give, role, to } => {
                self.put(if *give { "GRANT " } else { "REVOKE " });
                self.slot(*role);
                self.put(if *give { " TO " } else { " FROM " });
                self.slot(*to);
            }
            Rights::Owner { kind, slot, role } => {
                say!(self, "ALTER {} ", define::kind_word(*kind));
                self.slot(*slot);
                self.put(" OWNER TO ");
                match role {
                    Some(role) => self.slot(*role),
                    None => self.put("SESSION_USER"),
                }
            }
        }
    }

    fn care(&mut self, care: &Care) {
        match care {
            Care::Analyze(slot) => {
                self.put(self.language.analyze);
                self.slot(*slot);
            }
            Care::Vacuum { slot, options } => {
                self.put("VACUUM ");
                if !options.is_empty() {
                    say!(self, "({options}) ");
                }
                self.slot(*slot);
            }
            Care::Reindex {
                kind,
                slot,
                concurrently,
            } => {
                self.put("REINDEX ");
                if self.language.reindex_says_kind {
                    say!(self, "{} ", define::kind_word(*kind));
                }
                self.put_if(*concurrently, "CONCURRENTLY ");
                self.slot(*slot);
            }
            Care::Cluster { slot, index } => {
                self.put("CLUSTER ");
                self.slot(*slot);
                self.put(" USING ");
                self.bare(*index);
            }
            Care::Whole(text) => self.put(text),
        }
    }
}

fn right(right: Right) -> &'static str {
    match right {
        Right::Select => "SELECT",
        Right::Insert => "INSERT",
        Right::Update => "UPDATE",
        Right::Delete => "DELETE",
        Right::Truncate => "TRUNCATE",
        Right::References => "REFERENCES",
        Right::Trigger => "TRIGGER",
        Right::Create => "CREATE",
        Right::Usage => "USAGE",
        Right::Execute => "EXECUTE",
        Right::Own => panic!("ownership is given by ALTER … OWNER"),
    }
}

/// The bytes that follow COPY … FROM STDIN, in its text format or as CSV.
fn copied(rows: &[Vec<Constant>], csv: bool) -> Vec<u8> {
    let mut out = String::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            if i > 0 {
                out.push(if csv { ',' } else { '\t' });
            }
            match (cell, csv) {
                (Constant::Null, false) => out.push_str("\\N"),
                (Constant::Null, true) => {}
                (Constant::Bool(v), _) => out.push(if *v { 't' } else { 'f' }),
                (Constant::Int(v), _) => write!(out, "{v}").expect("a String takes everything"),
                (Constant::Bytes(v), csv) => {
                    out.push_str(if csv { "\\x" } else { "\\\\x" });
                    super::literal::hex(v, &mut out);
                }
                (Constant::Text(v), true) => {
                    out.push('"');
                    out.push_str(&v.replace('"', "\"\""));
                    out.push('"');
                }
                (Constant::Text(v), false) => v.chars().for_each(|c| match c {
                    '\\' => out.push_str("\\\\"),
                    '\t' => out.push_str("\\t"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    c => out.push(c),
                }),
            }
        }
        out.push('\n');
    }
    out.into_bytes()
}
