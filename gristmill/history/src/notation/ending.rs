//! How a visit ends, and what it says beside its statements, as text: `| commit`, `| batch at 1000 quorum ttl 3 node 1`.

use super::scan::{Scan, Scanned};
use super::visit::column;
use crate::{Condition, Consistency, End, Stamp};

const ENDS: [(End, &str); 5] = [
    (End::Autocommit, "auto"),
    (End::Commit, "commit"),
    (End::Rollback, "rollback"),
    (End::Batch { logged: false }, "batch"),
    (End::Batch { logged: true }, "logged-batch"),
];

/// As it stands behind the last step.
pub(super) fn text(end: End, stamp: Option<&Stamp>) -> String {
    let named = ENDS.iter().find(|(e, _)| *e == end);
    let mut out = format!(" | {}", named.expect("every end has a name").1);
    if let Some(stamp) = stamp {
        out += &format!(" at {} {}", stamp.timestamp, stamp.consistency.name());
        if let Some(ttl) = stamp.ttl {
            out += &format!(" ttl {ttl}");
        }
        if stamp.node != 0 {
            out += &format!(" node {}", stamp.node);
        }
        out += &match stamp.condition {
            None => String::new(),
            Some(Condition::NotExists) => " if not-exists".to_owned(),
            Some(Condition::Exists) => " if exists".to_owned(),
            Some(Condition::Equals { column, value: None }) => format!(" if c{}=null", column.0),
            Some(Condition::Equals {
                column,
                value: Some(value),
            }) => format!(" if c{}={value}", column.0),
        };
    }
    out
}

/// Inverse of [`text`].
pub(super) fn ending(scan: &mut Scan<'_>) -> Scanned<(End, Option<Stamp>)> {
    scan.expect(" | ")?;
    let here = scan.mark();
    let word = scan.word()?;
    let Some((end, _)) = ENDS.iter().find(|(_, name)| *name == word) else {
        scan.back(here);
        return scan.fail("auto, commit, rollback, batch or logged-batch");
    };
    if !scan.eat(" at ") {
        return Ok((*end, None));
    }
    let timestamp = scan.number()?;
    scan.expect(" ")?;
    let here = scan.mark();
    let word = scan.word()?;
    let Some((consistency, _)) = Consistency::ALL.iter().find(|(_, name)| *name == word) else {
        scan.back(here);
        return scan.fail("one, two, three, quorum, all, local-one, local-quorum or serial");
    };
    let ttl = scan.eat(" ttl ").then(|| scan.number()).transpose()?;
    let node = if scan.eat(" node ") { scan.number()? } else { 0 };
    let condition = scan.eat(" if ").then(|| condition(scan)).transpose()?;
    let stamp = Stamp {
        condition,
        timestamp,
        ttl,
        consistency: *consistency,
        node,
    };
    Ok((*end, Some(stamp)))
}

fn condition(scan: &mut Scan<'_>) -> Scanned<Condition> {
    if scan.eat("not-exists") {
        return Ok(Condition::NotExists);
    }
    if scan.eat("exists") {
        return Ok(Condition::Exists);
    }
    if !scan.peek("c") {
        return scan.fail("not-exists, exists or a column such as c3=42");
    }
    let column = column(scan)?;
    scan.expect("=")?;
    let value = if scan.eat("null") {
        None
    } else {
        Some(scan.number()?)
    };
    Ok(Condition::Equals { column, value })
}
