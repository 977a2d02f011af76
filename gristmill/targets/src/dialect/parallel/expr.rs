//! Expressions.

use super::{Writer, say};
use history::parallel::expr::{ColumnRef, Constant, Expr, Form, Sort};
use history::parallel::{ObjectId, Target, Type};
use std::fmt::Write;

impl Writer<'_> {
    /// A type, as a column or a cast wants it.
    pub(super) fn ty(&mut self, ty: Type) {
        match ty {
            Type::Named(id) => self.named_type(id),
            ty => (self.language.ty)(ty, &mut self.out),
        }
    }

    pub(super) fn constant(&mut self, value: &Constant, ty: Type) {
        match (ty, value) {
            // The column says what it is.
            (Type::Named(_), Constant::Text(text)) => crate::dialect::literal::quoted(text, &mut self.out),
            (Type::Named(_), Constant::Null) => self.put("NULL"),
            (Type::Named(id), other) => panic!("{other:?} is no value of {id}"),
            (ty, value) => (self.language.constant)(value, ty, &mut self.out),
        }
    }

    /// A type of the run, by the slot that binds it.
    fn named_type(&mut self, id: ObjectId) {
        let is = |t: &Target| matches!(t, Target::Object { object, .. } if *object == id);
        let slot = self.slots.iter().position(is);
        let slot = slot.expect("the type of a column is a slot of its op");
        self.slot(u8::try_from(slot).expect("an op has at most 255 slots"));
    }

    pub(super) fn expr(&mut self, e: &Expr) {
        match e {
            Expr::Column { of, column } => match column {
                ColumnRef::Proposed(named) => {
                    self.put(if self.language.on_conflict {
                        "excluded."
                    } else {
                        "VALUES("
                    });
                    self.named(named);
                    self.put_if(!self.language.on_conflict, ")");
                }
                ColumnRef::Kept(named) => {
                    self.of(*of);
                    self.named(named);
                }
                ColumnRef::Output(n) => {
                    self.of(*of);
                    say!(self, "x{n}");
                }
            },
            Expr::Constant(value, ty) => self.constant(value, *ty),
            Expr::Parameter(n, _) => say!(self, "${n}"),
            Expr::Call {
                form,
                word,
                args,
                filter,
            } => {
                self.call(*form, word, args);
                if let Some(filter) = filter {
                    self.put(" FILTER (WHERE ");
                    self.expr(filter);
                    self.put(")");
                }
            }
            Expr::Window {
                word,
                args,
                star,
                partition,
                order,
                frame,
            } => {
                say!(self, "{word}(");
                self.put_if(*star, "*");
                self.list(args, |w, e| w.expr(e));
                self.put(") OVER (");
                if !partition.is_empty() {
                    self.put("PARTITION BY ");
                    self.list(partition, |w, e| w.expr(e));
                    self.put_if(!order.is_empty(), " ");
                }
                if !order.is_empty() {
                    self.put("ORDER BY ");
                    self.sorts(order);
                }
                if let Some(frame) = frame {
                    say!(self, " {frame}");
                }
                self.put(")");
            }
            Expr::Case { arms, otherwise } => {
                self.put("CASE");
                for (when, then) in arms {
                    self.put(" WHEN ");
                    self.expr(when);
                    self.put(" THEN ");
                    self.expr(then);
                }
                if let Some(e) = otherwise {
                    self.put(" ELSE ");
                    self.expr(e);
                }
                self.put(" END");
            }
            Expr::Cast(of, ty) => {
                let text = matches!(ty, Type::Text | Type::Varchar(_) | Type::Char(_));
                let collated = text && !self.language.collate.is_empty();
                self.put(if collated { "(CAST(" } else { "CAST(" });
                self.expr(of);
                self.put(" AS ");
                (self.language.cast)(*ty, &mut self.out);
                self.put(")");
                if collated {
                    self.put(self.language.collate);
                    self.put(")");
                }
            }
            Expr::IsNull { of, not } => {
                self.put("(");
                self.expr(of);
                self.put(if *not { " IS NOT NULL)" } else { " IS NULL)" });
            }
            Expr::Between { of, low, high, not } => {
                self.put("(");
                self.expr(of);
                self.put(if *not { " NOT BETWEEN " } else { " BETWEEN " });
                self.expr(low);
                self.put(" AND ");
                self.expr(high);
                self.put(")");
            }
            Expr::In { of, list, not } => {
                self.put("(");
                self.expr(of);
                self.put(if *not { " NOT IN (" } else { " IN (" });
                self.list(list, |w, e| w.expr(e));
                self.put("))");
            }
            Expr::InQuery { of, query, not } => {
                self.put("(");
                self.expr(of);
                self.put(if *not { " NOT IN (" } else { " IN (" });
                self.query(query);
                self.put("))");
            }
            Expr::Exists { query, not } => {
                self.put(if *not { "(NOT EXISTS (" } else { "(EXISTS (" });
                self.query(query);
                self.put("))");
            }
            Expr::Scalar(query) => {
                self.put("(");
                self.query(query);
                self.put(")");
            }
            Expr::Routine { slot, args } => {
                self.slot(*slot);
                self.put("(");
                self.list(args, |w, e| w.expr(e));
                self.put(")");
            }
            Expr::NextValue(slot) => {
                let (before, after) = self.language.next_value;
                self.put(before);
                if self.language.next_value_is_text {
                    let whole = std::mem::take(&mut self.out);
                    self.slot(*slot);
                    let name = std::mem::replace(&mut self.out, whole);
                    self.put(&name.replace('\'', "''"));
                } else {
                    self.slot(*slot);
                }
                self.put(after);
            }
        }
    }

    fn of(&mut self, alias: Option<u8>) {
        match (alias, self.unaliased) {
            (Some(alias), Some((of, slot))) if alias == of => {
                self.slot(slot);
                self.put(".");
            }
            (Some(alias), _) => say!(self, "r{alias}."),
            (None, _) => {}
        }
    }

    fn call(&mut self, form: Form, word: &str, args: &[Expr]) {
        match form {
            Form::Function => {
                say!(self, "{word}(");
                self.list(args, |w, e| w.expr(e));
                self.put(")");
            }
            Form::Distinct => {
                say!(self, "{word}(DISTINCT ");
                self.list(args, |w, e| w.expr(e));
                self.put(")");
            }
            Form::Star => say!(self, "{word}(*)"),
            Form::Infix => {
                self.put("(");
                for (i, e) in args.iter().enumerate() {
                    if i > 0 {
                        say!(self, " {word} ");
                    }
                    self.expr(e);
                }
                self.put(")");
            }
            Form::Prefix => {
                say!(self, "({word} ");
                self.list(args, |w, e| w.expr(e));
                self.put(")");
            }
            Form::Postfix => {
                self.put("(");
                self.list(args, |w, e| w.expr(e));
                say!(self, " {word})");
            }
        }
    }

    pub(super) fn sorts(&mut self, sorts: &[Sort]) {
        self.list(sorts, |w, s| {
            w.expr(&s.by);
            w.put_if(s.descending, " DESC");
            match s.nulls_first {
                Some(true) => w.put(" NULLS FIRST"),
                Some(false) => w.put(" NULLS LAST"),
                None => {}
            }
        });
    }
}
