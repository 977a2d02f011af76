//! Cursors. What they go through raises nothing, so that a FETCH far from its DECLARE has no reason of its own to fail.

use crate::parallel::brush::Brush;
use crate::parallel::draw::Purpose;
use crate::parallel::expression::Care;
use crate::parallel::query::Shape;
use history::parallel::expr::Word;
use history::parallel::statement::Cursor;
use history::parallel::{Effect, KeptName, Statement};

pub(super) fn declare(b: &mut Brush<'_>) -> Option<Statement> {
    let shape = b.draw.of(
        Purpose::Shape,
        &[Shape::Plain, Shape::Plain, Shape::Join, Shape::Aggregate],
    );
    let (mut query, _) = b.query(shape, None, Care::Safe)?;
    query.limit = Some(500);
    let number = u32::try_from(b.op.at.op % (1 << 31)).expect("below 2^31");
    b.op.effects.push(Effect::Name {
        name: KeptName::new(&format!("c{number}")),
        cursor: true,
    });
    Some(Statement::Cursor(Cursor::Declare {
        number,
        scroll: true,
        hold: false,
        query: Box::new(query),
    }))
}

/// A cursor of the session, by number.
fn one(b: &mut Brush<'_>) -> Option<u32> {
    let cursors = b.view.session.cursors.iter();
    let numbers = cursors.filter_map(|c| c.as_str().strip_prefix('c')?.parse::<u32>().ok());
    b.draw.choose(Purpose::Object, numbers.map(|n| (u64::from(n), n)))
}

pub(super) fn fetch(b: &mut Brush<'_>) -> Option<Statement> {
    let number = one(b)?;
    let which = b.draw.of(
        Purpose::Shape,
        &[
            "NEXT",
            "FORWARD 10",
            "FORWARD 10",
            "FORWARD ALL",
            "FIRST",
            "LAST",
            "PRIOR",
            "BACKWARD 5",
            "ABSOLUTE 3",
            "RELATIVE -1",
        ],
    );
    Some(Statement::Cursor(Cursor::Fetch {
        number,
        which: Word::Borrowed(which),
        skip: b.draw.chance(Purpose::Shape, 1, 5),
    }))
}

pub(super) fn close(b: &mut Brush<'_>) -> Option<Statement> {
    let number = one(b)?;
    b.op.effects
        .push(Effect::Unname(Some(KeptName::new(&format!("c{number}")))));
    Some(Statement::Cursor(Cursor::Close(number)))
}
