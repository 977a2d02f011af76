//! A query at another place: its slots and aliases have other numbers there.

use history::parallel::expr::Expr;
use history::parallel::statement::{Body, From, Query, Source};

/// The new number of a slot. `None`: it has none, and the query cannot be moved.
pub(in crate::parallel::kinds) type NewSlot<'a> = dyn Fn(u8) -> Option<u8> + 'a;

/// Moves a query: every slot gets its new number, every alias one that is higher by `by`. `None` where a slot has none, or
/// where something stands in it that no view has.
pub(in crate::parallel::kinds) fn moved(query: &Query, slot: &NewSlot<'_>, by: u8) -> Option<Query> {
    let mut query = query.clone();
    let mut mover = Mover { slot, by };
    mover.query(&mut query)?;
    Some(query)
}

/// The highest alias of a query, and one more.
pub(in crate::parallel::kinds) fn aliases(query: &Query) -> u8 {
    fn body(of: &Body) -> u8 {
        match of {
            Body::Select(select) => select.from.as_ref().map_or(0, from),
            Body::Set { left, right, .. } => body(left).max(body(right)),
            Body::Values(_) => 0,
        }
    }
    fn from(of: &From) -> u8 {
        match of {
            From::One { alias, source } => {
                let below = match source {
                    Source::Query(query, _) => aliases(query),
                    _ => 0,
                };
                below.max(alias.saturating_add(1))
            }
            From::Join { left, right, .. } => from(left).max(from(right)),
        }
    }
    body(&query.body)
}

struct Mover<'a> {
    slot: &'a NewSlot<'a>,
    by: u8,
}

impl Mover<'_> {
    fn query(&mut self, query: &mut Query) -> Option<()> {
        if !query.with.is_empty() || query.lock.is_some() {
            return None;
        }
        self.body(&mut query.body)?;
        query.order.iter_mut().try_for_each(|s| self.expr(&mut s.by))
    }

    fn body(&mut self, body: &mut Body) -> Option<()> {
        match body {
            Body::Select(select) => {
                select.from.iter_mut().try_for_each(|f| self.from(f))?;
                self.exprs(&mut select.outputs)?;
                select.filter.iter_mut().try_for_each(|e| self.expr(e))?;
                self.exprs(&mut select.group)?;
                select.having.iter_mut().try_for_each(|e| self.expr(e))
            }
            Body::Set { left, right, .. } => {
                self.body(left)?;
                self.body(right)
            }
            Body::Values(rows) => rows.iter_mut().try_for_each(|r| self.exprs(r)),
        }
    }

    fn from(&mut self, from: &mut From) -> Option<()> {
        match from {
            From::One { source, alias } => {
                *alias = alias.checked_add(self.by)?;
                match source {
                    Source::Slot(slot) => {
                        *slot = (self.slot)(*slot)?;
                        Some(())
                    }
                    Source::Query(query, _) => self.query(query),
                    Source::Expression(_) => None,
                }
            }
            From::Join { left, right, on, .. } => {
                self.from(left)?;
                self.from(right)?;
                on.iter_mut().try_for_each(|e| self.expr(e))
            }
        }
    }

    fn exprs(&mut self, exprs: &mut [Expr]) -> Option<()> {
        exprs.iter_mut().try_for_each(|e| self.expr(e))
    }

    fn expr(&mut self, e: &mut Expr) -> Option<()> {
        match e {
            Expr::Column { of, .. } => {
                if let Some(alias) = of {
                    *alias = alias.checked_add(self.by)?;
                }
                Some(())
            }
            Expr::Constant(..) => Some(()),
            Expr::Call { args, filter, .. } => {
                self.exprs(args)?;
                filter.iter_mut().try_for_each(|e| self.expr(e))
            }
            Expr::Case { arms, otherwise } => {
                for (when, then) in arms {
                    self.expr(when)?;
                    self.expr(then)?;
                }
                otherwise.iter_mut().try_for_each(|e| self.expr(e))
            }
            Expr::Cast(of, _) | Expr::IsNull { of, .. } => self.expr(of),
            Expr::Between { of, low, high, .. } => [of, low, high].into_iter().try_for_each(|e| self.expr(e)),
            Expr::In { of, list, .. } => {
                self.expr(of)?;
                self.exprs(list)
            }
            Expr::InQuery { of, query, .. } => {
                self.expr(of)?;
                self.query(query)
            }
            Expr::Exists { query, .. } | Expr::Scalar(query) => self.query(query),
            // What a function of the run says may change without the view.
            Expr::Parameter(..) | Expr::Window { .. } | Expr::NextValue(_) | Expr::Routine { .. } => None,
        }
    }
}
