//! A finding in sentences: what a person reads first. The numbers and statements beside them are `report`'s.

use datagen::schema::{Schema, Table};
use datagen::value::Value;
use history::finding::Why;
use history::{Certainty, Claim, Finding, Level, Lts, Shape};

/// One sentence each, in the order in which the questions come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What was promised.
    pub promised: String,
    /// What was seen instead.
    pub seen: String,
    /// What the visits of the proof show.
    pub proof: String,
    /// How sure, and why.
    pub how_sure: String,
}

/// A finding in sentences. Pure.
pub fn words(f: &Finding, schema: &Schema, claim: &Claim) -> Words {
    let place = Place { f, schema };
    Words {
        promised: format!("{} ({})", promised(&f.shape), kept(claim)),
        seen: format!("visit {}{}: {}", f.read.lts, place.action(), place.seen()),
        proof: place.proof(),
        how_sure: how_sure(f),
    }
}

fn promised(shape: &Shape) -> &'static str {
    match shape {
        Shape::MissingRow { .. } => {
            "what was acknowledged before a read began is in it, until somebody removes it"
        }
        Shape::ExtraRow { why } | Shape::WrongCell { why, .. } => match why {
            Why::RolledBack(_) => "nobody ever sees what was rolled back or refused",
            Why::NotYetCommitted(_) => "nobody sees a change before its commit was sent",
            Why::Overwritten(_) => "what was overwritten or removed, and acknowledged, is gone",
            Why::NeverWritten => "a read returns what was written, and nothing else",
            Why::Lacks(_) | Why::AddedTwice(_) => {
                "what was added to a counter, and acknowledged, is in it once"
            }
        },
        Shape::ForeignValue { .. } => "a read returns what was written, and nothing else",
        Shape::WrongTtl { .. } => "a cell lives as long as it was written for",
        Shape::WrongTimestamp { .. } => "a cell has the timestamp that it was written with",
        Shape::DuplicateRow => "a row is returned once",
        Shape::WrongOrder => "rows come in the order that was asked for",
        Shape::WrongCount { .. } => "as many rows come back as the query asks for",
        Shape::WrongAggregate { .. } => "an aggregate is what its rows make it",
        Shape::WrongAffected { .. } => "a write says how many rows it affected",
        Shape::RefusedAbsent => "a key is refused as a duplicate only if it is there",
        Shape::AcceptedDuplicate => "a key that is there is not inserted again",
        Shape::Torn { .. } => "a visit is seen as a whole or not at all",
        Shape::NotMonotonic { .. } => "what one read has shown, a read that begins later shows too",
        Shape::NotLinearizable => {
            "lightweight transactions on a partition happen one after another, as all answers tell"
        }
        Shape::Unreadable { .. } => "an answer has the columns and types that were asked for",
        Shape::Refused { .. } => "a statement that can be done is done",
        Shape::Allowed { .. } => "what cannot be done is refused",
        Shape::Differs { .. } => "what was made is there, and nothing else",
        Shape::Disagreement { .. } => "the same statements have the same answers on both databases",
        Shape::Died { .. } => "the database keeps running",
        Shape::Stalled { .. } => "a statement is answered in time",
    }
}

fn kept(claim: &Claim) -> String {
    let level = match claim.level {
        Level::ReadUncommitted => "read uncommitted",
        Level::ReadCommitted => "read committed",
        Level::RepeatableRead => "repeatable read",
        Level::Snapshot => "snapshot isolation",
        Level::Serializable => "serializable",
    };
    if claim.real_time {
        format!("{level}, real time")
    } else {
        level.to_owned()
    }
}

fn how_sure(f: &Finding) -> String {
    match f.certainty {
        Certainty::Certain => {
            "certain: judged when nothing that overlaps it was open, every possible choice of \
                               overlapping visits tried"
                .to_owned()
        }
        Certainty::Likely => format!("likely: true unless {}", f.doubt),
        Certainty::Unknown => format!("unknown: {}", f.doubt),
    }
}

/// The finding and the names of things in it.
struct Place<'a> {
    f: &'a Finding,
    schema: &'a Schema,
}

impl Place<'_> {
    fn action(&self) -> String {
        if self.f.action.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.f.action)
        }
    }

    fn table(&self) -> Option<&Table> {
        self.f
            .part
            .and_then(|p| self.schema.tables.get(usize::from(p.table)))
    }

    /// `row (5, 'qh') of partition (17) of t0`, as much of it as is known.
    fn row(&self) -> String {
        let Some((table, part)) = self.table().zip(self.f.part) else {
            return "a row".to_owned();
        };
        let key = |values: Vec<Value>| {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            format!("({})", values.join(", "))
        };
        let part = key(table.partitions().inflate(part.position));
        match self.f.row {
            Some(at) if table.rows().columns() > 0 => {
                format!(
                    "row {} of partition {part} of {}",
                    key(table.rows().inflate(at)),
                    table.name
                )
            }
            Some(_) => format!("the row of partition {part} of {}", table.name),
            None => format!("a row of partition {part} of {}", table.name),
        }
    }

    fn column(&self) -> String {
        match (self.f.column, self.table()) {
            (Some(c), Some(table)) => format!("column {} of {}", table.column(c).name, self.row()),
            (Some(c), None) => format!("column number {}", c.0),
            (None, _) => self.row(),
        }
    }

    fn seen(&self) -> String {
        match &self.f.shape {
            Shape::MissingRow { .. } => format!("{} is missing", self.row()),
            Shape::ExtraRow { .. } => format!("{} is there and must not be", self.row()),
            Shape::WrongCell { expected, actual, .. } => {
                format!("{} is {actual} and must be {expected}", self.column())
            }
            Shape::WrongTimestamp { expected, actual, .. } => {
                format!(
                    "the timestamp of {} is {actual} and must be {expected}",
                    self.column()
                )
            }
            Shape::WrongTtl { expected, actual } => {
                format!(
                    "the time to live of {} is {actual} and may be {expected}",
                    self.column()
                )
            }
            Shape::ForeignValue { actual } => {
                format!("{} is {actual}, which nobody can have written", self.column())
            }
            Shape::DuplicateRow => format!("{} comes twice", self.row()),
            Shape::WrongOrder => "the right rows come in another order".to_owned(),
            Shape::WrongCount { expected, actual } => format!("{actual} rows instead of {expected}"),
            Shape::WrongAggregate { expected, actual } => format!("{actual} instead of {expected}"),
            Shape::WrongAffected { expected, actual } => {
                format!("{actual} rows affected instead of {expected}")
            }
            Shape::RefusedAbsent => format!("refused as a duplicate, though {} is absent", self.row()),
            Shape::AcceptedDuplicate => format!("accepted, though {} is there", self.row()),
            Shape::Torn { visit } => {
                format!("one part of the answer shows visit {visit}, another part does not")
            }
            Shape::NotMonotonic { visit, shown_by } => {
                format!("visit {visit} is not in it, though the answer to {shown_by} had shown it")
            }
            Shape::NotLinearizable => "no order that real time allows gives this answer".to_owned(),
            Shape::Unreadable { what } => format!("the answer cannot be read: {what}"),
            Shape::Refused { code, text } if code.is_empty() => format!("refused: {text}"),
            Shape::Refused { code, text } => format!("refused: {text} ({code})"),
            Shape::Allowed { what } | Shape::Differs { what, .. } => what.clone(),
            Shape::Disagreement { with, here, there } => format!("{here}; {with}: {there}"),
            Shape::Died { how } => format!("it ended by itself: {how}"),
            Shape::Stalled {
                waited_ms,
                waiting_for,
            } if waiting_for.is_empty() => {
                format!("no answer for {waited_ms} ms")
            }
            Shape::Stalled {
                waited_ms,
                waiting_for,
            } => {
                format!("no answer for {waited_ms} ms, waiting for {waiting_for}")
            }
        }
    }

    fn proof(&self) -> String {
        match &self.f.shape {
            Shape::MissingRow { writer } => format!("{} wrote it; nothing removed it", self.visit(*writer)),
            Shape::ExtraRow { why } => self.whence(*why, "removed it"),
            Shape::WrongCell { writer, why, .. } => {
                let whence = self.whence(*why, "overwrote what is seen");
                match (writer, why) {
                    (Some(w), Why::Overwritten(by)) if w == by => whence,
                    (_, Why::Lacks(_) | Why::AddedTwice(_)) => whence,
                    (Some(w), _) => format!("{} wrote what must be there; {whence}", self.visit(*w)),
                    (None, _) => whence,
                }
            }
            Shape::WrongTimestamp { writer: Some(w), .. } => {
                format!("{} wrote what stands there", self.visit(*w))
            }
            Shape::RefusedAbsent => match self.f.proof.last() {
                Some(lts) => format!("{} removed it; nothing wrote it since", self.visit(*lts)),
                None => "no visit wrote it".to_owned(),
            },
            Shape::AcceptedDuplicate | Shape::DuplicateRow => match self.f.proof.last() {
                Some(lts) => format!("{} wrote it last; a key stands for one row", self.visit(*lts)),
                None => "a key stands for one row".to_owned(),
            },
            Shape::Torn { visit } => {
                format!(
                    "{} was one transaction; no choice of it explains all that was seen",
                    self.visit(*visit)
                )
            }
            Shape::NotMonotonic { visit, shown_by } => {
                format!(
                    "the read {shown_by} ended before this one began, and needs visit {visit} to explain it"
                )
            }
            Shape::NotLinearizable => {
                let visits: Vec<String> = self.f.proof.iter().map(Lts::to_string).collect();
                format!(
                    "every order of the visits that were open then or over last was tried: {}",
                    visits.join(", ")
                )
            }
            _ => match self.f.proof.last() {
                Some(lts) => format!("{} was the last to write here", self.visit(*lts)),
                None => "no visit is needed to see it".to_owned(),
            },
        }
    }

    fn visit(&self, lts: Lts) -> String {
        if lts == self.f.read.lts {
            format!("visit {lts} itself")
        } else {
            format!("visit {lts}")
        }
    }

    fn whence(&self, why: Why, overwrote: &str) -> String {
        match why {
            Why::NeverWritten => "no visit ever wrote what is seen".to_owned(),
            Why::Overwritten(lts) => format!("{} {overwrote}", self.visit(lts)),
            Why::Lacks(lts) => format!("what {} added is not in it", self.visit(lts)),
            Why::AddedTwice(lts) => format!("what {} added is in it twice", self.visit(lts)),
            Why::RolledBack(lts) => format!(
                "only {} wrote what is seen, and nothing of it was kept",
                self.visit(lts)
            ),
            Why::NotYetCommitted(lts) => {
                format!(
                    "only {} wrote what is seen, and its commit was not sent before the answer",
                    self.visit(lts)
                )
            }
        }
    }
}
