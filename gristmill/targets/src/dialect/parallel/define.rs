//! What makes, changes and drops objects.

use super::{Writer, say};
use history::parallel::ObjectKind;
use history::parallel::expr::Expr;
use history::parallel::statement::{Change, ColumnDef, ConstraintDef, Define, Rule};
use std::fmt::Write;

/// The word of a kind in CREATE, ALTER and DROP.
pub(super) fn kind_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Database => "DATABASE",
        ObjectKind::Schema => "SCHEMA",
        ObjectKind::Table => "TABLE",
        ObjectKind::View => "VIEW",
        ObjectKind::MaterializedView => "MATERIALIZED VIEW",
        ObjectKind::Index => "INDEX",
        ObjectKind::Sequence => "SEQUENCE",
        ObjectKind::Type => "TYPE",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Role => "ROLE",
    }
}

/// What GRANT says before the name of an object.
pub(super) fn rights_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Schema => "SCHEMA ",
        ObjectKind::Sequence => "SEQUENCE ",
        ObjectKind::Function => "FUNCTION ",
        ObjectKind::Type => "TYPE ",
        ObjectKind::Database => "DATABASE ",
        _ => "TABLE ",
    }
}

impl Writer<'_> {
    pub(super) fn define(&mut self, define: &Define) {
        match define {
            Define::Schema { slot, if_not_exists } => {
                self.put("CREATE SCHEMA ");
                self.put_if(*if_not_exists, "IF NOT EXISTS ");
                self.slot(*slot);
            }
            Define::Table {
                slot,
                temporary,
                unlogged,
                if_not_exists,
                columns,
                constraints,
            } => {
                self.put("CREATE ");
                self.put_if(*temporary, "TEMPORARY ");
                self.put_if(*unlogged, "UNLOGGED ");
                self.put("TABLE ");
                self.put_if(*if_not_exists, "IF NOT EXISTS ");
                self.slot(*slot);
                self.put(" (");
                self.list(columns, Self::column_def);
                for constraint in constraints {
                    self.put(", ");
                    self.constraint_def(constraint);
                }
                self.put(")");
                self.put(self.language.table_options);
            }
            Define::TableAs {
                slot,
                temporary,
                columns,
                query,
            } => {
                self.put("CREATE ");
                self.put_if(*temporary, "TEMPORARY ");
                self.put("TABLE ");
                self.slot(*slot);
                self.put(" ");
                self.columns(columns);
                self.put(" AS ");
                self.query(query);
            }
            Define::View {
                slot,
                materialized,
                or_replace,
                temporary,
                empty,
                columns,
                query,
            } => {
                self.put("CREATE ");
                self.put_if(*or_replace, "OR REPLACE ");
                self.put_if(*temporary, "TEMPORARY ");
                self.put_if(*materialized, "MATERIALIZED ");
                self.put("VIEW ");
                self.slot(*slot);
                self.put(" ");
                self.columns(columns);
                self.put(" AS ");
                self.query(query);
                self.put_if(*empty, " WITH NO DATA");
            }
            Define::Refresh {
                slot,
                concurrently,
                empty,
            } => {
                self.put("REFRESH MATERIALIZED VIEW ");
                self.put_if(*concurrently, "CONCURRENTLY ");
                self.slot(*slot);
                self.put_if(*empty, " WITH NO DATA");
            }
            Define::Index {
                slot,
                on,
                unique,
                concurrently,
                if_not_exists,
                keys,
                filter,
            } => {
                self.put("CREATE ");
                self.put_if(*unique, "UNIQUE ");
                self.put("INDEX ");
                self.put_if(*concurrently, "CONCURRENTLY ");
                self.put_if(*if_not_exists, "IF NOT EXISTS ");
                self.bare(*slot);
                self.put(" ON ");
                self.slot(*on);
                self.put(" (");
                self.list(keys, |w, key| {
                    let brackets = !matches!(key.by, Expr::Column { .. });
                    w.put_if(brackets, "(");
                    w.expr(&key.by);
                    w.put_if(brackets, ")");
                    w.put_if(key.descending, " DESC");
                });
                self.put(")");
                if let Some(filter) = filter {
                    self.put(" WHERE ");
                    self.expr(filter);
                }
            }
            Define::Sequence {
                slot,
                increment,
                start,
                cycle,
            } => {
                self.put("CREATE SEQUENCE ");
                self.slot(*slot);
                say!(
                    self,
                    " INCREMENT BY {increment} MINVALUE -1000000 MAXVALUE 1000000 START WITH {start}"
                );
                self.put_if(*cycle, " CYCLE");
            }
            Define::AlterSequence {
                slot,
                increment,
                restart,
            } => {
                self.put("ALTER SEQUENCE ");
                self.slot(*slot);
                say!(self, " INCREMENT BY {increment}");
                self.put_if(*restart, " RESTART");
            }
            Define::Function {
                slot,
                or_replace,
                arguments,
                result,
                volatility,
                body,
            } => {
                self.put("CREATE ");
                self.put_if(*or_replace, "OR REPLACE ");
                self.put("FUNCTION ");
                self.slot(*slot);
                self.put("(");
                self.list(arguments, |w, ty| w.ty(*ty));
                self.put(") RETURNS ");
                self.ty(*result);
                say!(self, " LANGUAGE sql {volatility} RETURN ");
                self.expr(body);
            }
            Define::TriggerFunction { slot } => {
                self.put("CREATE FUNCTION ");
                self.slot(*slot);
                self.put("() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
            }
            Define::Trigger {
                slot,
                on,
                function,
                when,
            } => {
                self.put("CREATE TRIGGER ");
                self.bare(*slot);
                say!(self, " {when} ON ");
                self.slot(*on);
                match function {
                    Some(function) => {
                        self.put(" FOR EACH ROW EXECUTE FUNCTION ");
                        self.slot(*function);
                        self.put("()");
                    }
                    None => self.put(self.language.trigger_body),
                }
            }
            Define::Enum { slot, labels } => {
                self.put("CREATE TYPE ");
                self.slot(*slot);
                self.put(" AS ENUM (");
                self.list(labels, |w, l| w.text(l));
                self.put(")");
            }
            Define::Domain { slot, base, check } => {
                self.put("CREATE DOMAIN ");
                self.slot(*slot);
                self.put(" AS ");
                self.ty(*base);
                if !check.is_empty() {
                    say!(self, " CHECK ({check})");
                }
            }
            Define::AddLabel { slot, label } => {
                self.put("ALTER TYPE ");
                self.slot(*slot);
                self.put(" ADD VALUE ");
                self.text(label);
            }
            Define::Drop {
                kind,
                slots,
                on,
                if_exists,
                concurrently,
                cascade,
            } => {
                say!(self, "DROP {} ", kind_word(*kind));
                self.put_if(*concurrently, "CONCURRENTLY ");
                self.put_if(*if_exists, "IF EXISTS ");
                let by_table = self.language.indexes_by_table && *kind == ObjectKind::Index;
                self.list(slots, |w, s| w.slot(*s));
                if (by_table || self.language.triggers_by_table)
                    && let Some(on) = on
                {
                    self.put(" ON ");
                    self.slot(*on);
                }
                match cascade {
                    Some(true) => self.put(" CASCADE"),
                    Some(false) => self.put(" RESTRICT"),
                    None => {}
                }
            }
            Define::Rename { kind, slot, on, to } => {
                say!(self, "ALTER {} ", kind_word(*kind));
                self.slot(*slot);
                if let Some(on) = on {
                    self.put(" ON ");
                    self.slot(*on);
                }
                self.put(" RENAME TO ");
                self.bare(*to);
            }
            Define::Move { kind, slot, schema } => {
                say!(self, "ALTER {} ", kind_word(*kind));
                self.slot(*slot);
                self.put(" SET SCHEMA ");
                match schema {
                    Some(schema) => self.slot(*schema),
                    None => panic!("where home is, only the server knows"),
                }
            }
            Define::Alter { slot, changes } => {
                self.put("ALTER TABLE ");
                self.slot(*slot);
                self.put(" ");
                self.list(changes, Self::change);
            }
            Define::Comment {
                kind,
                slot,
                column,
                text,
            } => {
                match column {
                    Some(column) => {
                        self.put("COMMENT ON COLUMN ");
                        self.slot(*slot);
                        self.put(".");
                        self.named(column);
                    }
                    None => {
                        say!(self, "COMMENT ON {} ", kind_word(*kind));
                        self.slot(*slot);
                    }
                }
                self.put(" IS ");
                match text {
                    Some(text) => self.text(text),
                    None => self.put("NULL"),
                }
            }
        }
    }

    /// A text as the language's literals write it, without a type.
    fn text(&mut self, text: &str) {
        crate::dialect::literal::quoted(text, &mut self.out);
    }

    fn column_def(&mut self, column: &ColumnDef) {
        self.named(&column.column);
        self.put(" ");
        self.ty(column.ty);
        self.put_if(column.not_null, " NOT NULL");
        if let Some(default) = &column.default {
            self.put(" DEFAULT (");
            self.expr(default);
            self.put(")");
        }
        if let Some(generated) = &column.generated {
            self.put(" GENERATED ALWAYS AS (");
            self.expr(generated);
            self.put(") STORED");
        }
    }

    fn constraint_def(&mut self, constraint: &ConstraintDef) {
        self.put("CONSTRAINT ");
        self.named(&constraint.constraint);
        match &constraint.rule {
            Rule::Primary(columns) => {
                self.put(" PRIMARY KEY ");
                self.columns(columns);
            }
            Rule::Unique(columns) => {
                self.put(" UNIQUE ");
                self.columns(columns);
            }
            Rule::Check(check) => {
                self.put(" CHECK (");
                self.expr(check);
                self.put(")");
            }
            Rule::Foreign {
                columns,
                table,
                to,
                on_delete,
            } => {
                self.put(" FOREIGN KEY ");
                self.columns(columns);
                self.put(" REFERENCES ");
                self.slot(*table);
                self.put(" ");
                self.columns(to);
                if !on_delete.is_empty() {
                    say!(self, " ON DELETE {on_delete}");
                }
            }
        }
        self.put_if(constraint.deferred, " DEFERRABLE INITIALLY DEFERRED");
        self.put_if(constraint.not_valid, " NOT VALID");
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::AddColumn(column) => {
                self.put("ADD COLUMN ");
                self.column_def(column);
            }
            Change::DropColumn {
                column,
                if_exists,
                cascade,
            } => {
                self.put("DROP COLUMN ");
                self.put_if(*if_exists, "IF EXISTS ");
                self.named(column);
                self.put_if(*cascade, " CASCADE");
            }
            Change::RenameColumn { column, to } => {
                self.put("RENAME COLUMN ");
                self.named(column);
                self.put(" TO ");
                self.quoted(to);
            }
            Change::Retype { column, ty } => {
                self.put("ALTER COLUMN ");
                self.named(column);
                self.put(" TYPE ");
                self.ty(*ty);
                self.put(" USING CAST(");
                self.named(column);
                self.put(" AS ");
                (self.language.cast)(*ty, &mut self.out);
                self.put(")");
            }
            Change::Default { column, value } => {
                self.put("ALTER COLUMN ");
                self.named(column);
                match value {
                    Some(e) => {
                        self.put(" SET DEFAULT ");
                        self.expr(e);
                    }
                    None => self.put(" DROP DEFAULT"),
                }
            }
            Change::NotNull { column, yes } => {
                self.put("ALTER COLUMN ");
                self.named(column);
                self.put(if *yes { " SET NOT NULL" } else { " DROP NOT NULL" });
            }
            Change::AddConstraint(constraint) => {
                self.put("ADD ");
                self.constraint_def(constraint);
            }
            Change::DropConstraint { constraint, cascade } => {
                self.put("DROP CONSTRAINT ");
                self.named(constraint);
                self.put_if(*cascade, " CASCADE");
            }
            Change::Validate(constraint) => {
                self.put("VALIDATE CONSTRAINT ");
                self.named(constraint);
            }
            Change::RenameConstraint { constraint, to } => {
                self.put("RENAME CONSTRAINT ");
                self.named(constraint);
                self.put(" TO ");
                self.quoted(to);
            }
            Change::Statistics { column, target } => {
                self.put("ALTER COLUMN ");
                self.named(column);
                say!(self, " SET STATISTICS {target}");
            }
            Change::FillFactor(percent) => say!(self, "SET (fillfactor = {percent})"),
            Change::Logged(yes) => self.put(if *yes { "SET LOGGED" } else { "SET UNLOGGED" }),
            Change::ReplicaIdentity(what) => say!(self, "REPLICA IDENTITY {what}"),
            Change::ClusterOn(Some(index)) => {
                self.put("CLUSTER ON ");
                self.bare(*index);
            }
            Change::ClusterOn(None) => self.put("SET WITHOUT CLUSTER"),
            Change::Triggers(on) => self.put(if *on {
                "ENABLE TRIGGER USER"
            } else {
                "DISABLE TRIGGER USER"
            }),
        }
    }
}
