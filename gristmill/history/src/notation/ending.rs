//! How a visit ends, and what it says beside its statements, as text: `| commit`, `| batch at 1000 quorum ttl 3 node 1`.

use super::scan::{Scan, Scanned};
use crate::{Consistency, End, Stamp};

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
        return scan.fail("one, two, three, quorum, all, local-one or local-quorum");
    };
    let ttl = scan.eat(" ttl ").then(|| scan.number()).transpose()?;
    let node = if scan.eat(" node ") { scan.number()? } else { 0 };
    let stamp = Stamp {
        timestamp,
        ttl,
        consistency: *consistency,
        node,
    };
    Ok((*end, Some(stamp)))
}
