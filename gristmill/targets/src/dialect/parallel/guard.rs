//! What a rendered statement names, read from its text alone (P5): a second pair of eyes on the footprint.

use super::words::QUOTE;
use history::parallel::Op;
use history::parallel::statement::walk;
use history::parallel::{Effect, Target};
use std::collections::BTreeSet;

/// A name that stands in the text and not in the footprint of the op: our defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger(pub String);

/// The quoted names of a rendered statement that none of its op's slots and none of what it makes is called.
///
/// Every name of the schema is quoted, and nothing else is, so the text says by itself what it leans on.
#[must_use]
pub fn strangers(op: &Op, sql: &str) -> Vec<Stranger> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for slot in &op.slots {
        known.insert(match slot {
            Target::Object { name, .. } | Target::New { name, .. } | Target::Free(name) => name.kept.as_str(),
            Target::Part { name, .. } => name.as_str(),
        });
    }
    for effect in &op.effects {
        match effect {
            Effect::Create(_, object) => {
                known.extend(object.columns.iter().map(|c| c.name.as_str()));
                known.extend(object.constraints.iter().map(|c| c.name.as_str()));
            }
            other => known.extend(other.names_part().map(|(_, _, name)| name.as_str())),
        }
    }
    let said = quoted(sql, QUOTE);
    let strange = said.into_iter().filter(|name| !known.contains(name.as_str()));
    let mut out: Vec<Stranger> = strange.map(Stranger).collect();
    // And what the tree names must stand in a slot of its own.
    for part in walk::mentions(&op.ast).parts {
        let has = |t: &Target| matches!(t, Target::Part { of, piece: Some(piece), .. } if *of == part.slot && *piece == part.named.piece);
        if !op.slots.iter().any(has) {
            out.push(Stranger(part.named.name.as_str().to_owned()));
        }
    }
    out
}

/// Names in quotes, outside of texts and comments, without the quotes.
fn quoted(sql: &str, quote: char) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        if c != quote && c != '\'' {
            continue;
        }
        let mut inside = String::new();
        while let Some(d) = rest.next() {
            if d != c {
                inside.push(d);
            } else if rest.peek() == Some(&c) {
                inside.push(d);
                rest.next();
            } else {
                break;
            }
        }
        if c == quote {
            names.push(inside);
        }
    }
    names
}
