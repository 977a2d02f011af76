//! One statement with less in it: a clause, a column of an output, a row.
//!
//! Invariant: what is left says no name that was not said before, and every alias that it uses is there.

use history::parallel::statement::walk::mentions;
use history::parallel::statement::{Body, Query, Rows, Statement};
use history::parallel::{Mode, Op, Target};

/// The op with one thing less, each way, the boldest first. Empty where there is nothing to take out.
pub(super) fn plainer(op: &Op) -> Vec<Op> {
    let mut all = Vec::new();
    statements(&op.ast, &mut all);
    all.into_iter().map(|ast| with(op, ast)).collect()
}

/// The footprint is that of the names that are left.
fn with(op: &Op, ast: Statement) -> Op {
    let mut op = Op { ast, ..op.clone() };
    let said: Vec<u8> = mentions(&op.ast).slots.to_vec();
    let is_kept = |slot: u8| {
        let object = matches!(op.slots.get(usize::from(slot)), Some(Target::Object { .. }));
        !object || said.contains(&slot)
    };
    let kept: Vec<_> = op
        .touches
        .iter()
        .copied()
        .filter(|t| !matches!(t.mode, Mode::Reads | Mode::Uses) || is_kept(t.slot))
        .collect();
    op.touches = kept;
    op
}

fn statements(ast: &Statement, all: &mut Vec<Statement>) {
    match ast {
        Statement::Query(query) => {
            let mut found = Vec::new();
            queries(query, &mut found);
            all.extend(found.into_iter().map(|q| Statement::Query(Box::new(q))));
        }
        Statement::Insert(insert) => {
            let mut edit = |change: &dyn Fn(&mut history::parallel::statement::Insert)| {
                let mut less = insert.clone();
                change(&mut less);
                if less != *insert {
                    all.push(Statement::Insert(less));
                }
            };
            edit(&|less| {
                if let Rows::Values(rows) = &mut less.rows {
                    rows.truncate(1);
                }
            });
            edit(&|less| less.returning.clear());
            edit(&|less| less.conflict = None);
        }
        Statement::Update(update) => {
            let mut less = update.clone();
            less.returning.clear();
            all.push(Statement::Update(less));
            let mut less = update.clone();
            less.filter = None;
            all.push(Statement::Update(less));
            let mut less = update.clone();
            less.set.truncate(1);
            all.push(Statement::Update(less));
        }
        Statement::Delete(delete) => {
            let mut less = delete.clone();
            less.returning.clear();
            all.push(Statement::Delete(less));
            let mut less = delete.clone();
            less.filter = None;
            all.push(Statement::Delete(less));
        }
        Statement::Explain { analyze, of } => {
            let mut found = vec![(**of).clone()];
            statements(of, &mut found);
            all.extend(found.into_iter().map(|of| Statement::Explain {
                analyze: *analyze,
                of: Box::new(of),
            }));
        }
        _ => {}
    }
    all.retain(|less| less != ast);
}

fn queries(query: &Query, all: &mut Vec<Query>) {
    let mut edit = |change: &dyn Fn(&mut Query)| {
        let mut less = query.clone();
        change(&mut less);
        if less != *query {
            all.push(less);
        }
    };
    if let Body::Set { left, right, .. } = &query.body {
        for side in [left, right] {
            edit(&|less| {
                less.body = (**side).clone();
                less.order.clear();
            });
        }
    }
    edit(&|less| less.order.clear());
    edit(&|less| {
        less.limit = None;
        less.offset = None;
    });
    edit(&|less| less.lock = None);
    let Body::Select(select) = &query.body else {
        return;
    };
    let mut edit = |change: &dyn Fn(&mut history::parallel::statement::Select)| {
        let mut less = select.clone();
        change(&mut less);
        if less != *select {
            let mut query = query.clone();
            query.body = Body::Select(less);
            // The order may say an output by its number.
            query.order.clear();
            all.push(query);
        }
    };
    edit(&|less| less.filter = None);
    edit(&|less| less.having = None);
    edit(&|less| less.distinct = false);
    edit(&|less| less.outputs.truncate(1));
    edit(&|less| {
        if less.outputs.len() > 1 {
            less.outputs.remove(0);
        }
    });
}
