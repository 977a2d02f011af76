//! Transactions, settings, and what keeps a database in order.

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::speech::{Feature, LOSES_COMMITS};
use history::Level;
use history::parallel::expr::Word;
use history::parallel::statement::{Care, Session, Transaction};
use history::parallel::{Detail, Effect, Facet, FrameOp, KeptName, Mode, ObjectKind, Statement};

pub(super) fn begin(b: &mut Brush<'_>) -> Option<Statement> {
    let levels = [
        None,
        Some(Level::ReadCommitted),
        Some(Level::RepeatableRead),
        Some(Level::Serializable),
    ];
    let level = match b.has(Feature::Levels) || b.speech.loose_numbers {
        true => b.draw.of(Purpose::Shape, &levels),
        false => None,
    };
    let read_only = b.has(Feature::Levels) && b.draw.chance(Purpose::Shape, 1, 8);
    frame(b, FrameOp::Begin { level, read_only });
    Some(Statement::Transaction(Transaction::Begin { level, read_only }))
}

fn frame(b: &mut Brush<'_>, frame: FrameOp) {
    b.op.effects.push(Effect::Frame(frame));
}

pub(super) fn commit(b: &mut Brush<'_>) -> Option<Statement> {
    frame(b, FrameOp::Commit);
    Some(Statement::Transaction(Transaction::Commit))
}

pub(super) fn rollback(b: &mut Brush<'_>) -> Option<Statement> {
    frame(b, FrameOp::Rollback);
    Some(Statement::Transaction(Transaction::Rollback))
}

pub(super) fn savepoint(b: &mut Brush<'_>) -> Option<Statement> {
    if !b.has(Feature::Savepoints) {
        return None;
    }
    let number = u32::try_from(b.op.at.op % (1 << 31)).expect("below 2^31");
    frame(b, FrameOp::Savepoint(name(number)));
    Some(Statement::Transaction(Transaction::Savepoint(number)))
}

fn name(number: u32) -> KeptName {
    KeptName::new(&format!("s{number}"))
}

/// A savepoint of the session, by number.
fn one(b: &mut Brush<'_>) -> Option<u32> {
    let points = b.view.session.savepoints.iter();
    let numbers = points.filter_map(|s| s.as_str().strip_prefix('s')?.parse::<u32>().ok());
    b.draw.choose(Purpose::Object, numbers.map(|n| (u64::from(n), n)))
}

pub(super) fn release(b: &mut Brush<'_>) -> Option<Statement> {
    let number = one(b)?;
    frame(b, FrameOp::Release(name(number)));
    Some(Statement::Transaction(Transaction::Release(number)))
}

pub(super) fn rollback_to(b: &mut Brush<'_>) -> Option<Statement> {
    let number = one(b)?;
    frame(b, FrameOp::RollbackTo(name(number)));
    Some(Statement::Transaction(Transaction::RollbackTo(number)))
}

pub(super) fn set(b: &mut Brush<'_>) -> Option<Statement> {
    let at = b.draw.index(Purpose::Setting, b.speech.settings.len());
    let setting = &b.speech.settings[at];
    if b.has(Feature::Levels) && b.draw.chance(Purpose::Setting, 1, 4) {
        return Some(Statement::Session(Session::Reset(Word::Borrowed(setting.name))));
    }
    let mut value = b.draw.of(Purpose::Setting, setting.values);
    if b.plan.durable && (setting.name, value) == LOSES_COMMITS {
        value = "on";
    }
    Some(Statement::Session(Session::Set {
        name: Word::Borrowed(setting.name),
        value: Word::Borrowed(value),
        local: b.has(Feature::SetLocal) && b.draw.chance(Purpose::Setting, 1, 8),
    }))
}

pub(super) fn show(b: &mut Brush<'_>) -> Option<Statement> {
    let at = b.draw.index(Purpose::Setting, b.speech.settings.len());
    Some(Statement::Session(Session::Show(Word::Borrowed(
        b.speech.settings[at].name,
    ))))
}

/// What may be forgotten without a trace: what follows means the same. `DISCARD ALL` is not among it, as it would take
/// back the settings that the run itself made when it connected.
pub(super) fn discard(b: &mut Brush<'_>) -> Option<Statement> {
    let what = b
        .draw
        .of(Purpose::Shape, &["PLANS", "PLANS", "SEQUENCES", "TEMP"]);
    Some(Statement::Session(Session::Discard(Word::Borrowed(what))))
}

pub(super) fn analyze(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |_| true)?;
    let slot = b.changes(table, Facet::Rows, Mode::Reads);
    b.op.lenient = !b.has(Feature::StrictUpkeep);
    Some(Statement::Care(Care::Analyze(slot)))
}

pub(super) fn vacuum(b: &mut Brush<'_>) -> Option<Statement> {
    let table = b.choose(ObjectKind::Table, |_| true)?;
    let slot = b.changes(table, Facet::Rows, Mode::Uses);
    let options = b.draw.of(
        Purpose::Shape,
        &["", "", "ANALYZE", "FREEZE", "FULL", "INDEX_CLEANUP OFF"],
    );
    Some(Statement::Care(Care::Vacuum {
        slot,
        options: Word::Borrowed(options),
    }))
}

/// The rows of a table written anew in the order of one of its indexes: nothing of them changes.
pub(super) fn cluster(b: &mut Brush<'_>) -> Option<Statement> {
    let catalog = b.catalog();
    let of = |index: &history::parallel::Object| match index.detail {
        Detail::Index {
            on, partial: false, ..
        } => catalog.get(on).filter(|table| table.id.kind == ObjectKind::Table),
        _ => None,
    };
    let index = b.choose(ObjectKind::Index, |index| of(index).is_some())?;
    let table = of(index)?;
    let slot = b.changes(table, Facet::Rows, Mode::Uses);
    let index = b.changes(index, Facet::Valid, Mode::Redefines);
    Some(Statement::Care(Care::Cluster { slot, index }))
}

/// A rebuild sees again what a unique index forbids, and nothing else.
pub(super) fn reindex(b: &mut Brush<'_>) -> Option<Statement> {
    let kind = b.draw.of(Purpose::Shape, &[ObjectKind::Table, ObjectKind::Index]);
    let object = b.choose(kind, |_| true)?;
    let slot = b.changes(object, Facet::Valid, Mode::Redefines);
    Some(Statement::Care(Care::Reindex {
        kind,
        slot,
        concurrently: false,
    }))
}
