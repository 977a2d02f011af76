//! Short words for kinds, shapes and statements: the title of a finding.

use history::{Finding, Kind, Shape};

/// The kind in two words, as the JSON verdict lists them.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::WrongResult => "wrong result",
        Kind::Isolation => "isolation",
        Kind::UnexpectedError => "unexpected error",
        Kind::Crash => "crash",
        Kind::Hang => "hang",
        Kind::Durability => "durability",
        Kind::Stream => "stream",
        Kind::Catalog => "catalog",
        Kind::Privilege => "privilege",
    }
}

/// One line that says what happened: `wrong result: a range read forgets a row`.
pub(crate) fn title(finding: &Finding) -> String {
    let who = action(&finding.action);
    let what = match &finding.shape {
        Shape::MissingRow { .. } => format!("{who} forgets a row"),
        Shape::ExtraRow { .. } => format!("{who} shows a row that must not be there"),
        Shape::WrongCell { .. } => format!("{who} shows a wrong value"),
        Shape::WrongTimestamp { .. } => format!("{who} shows a cell with a wrong timestamp"),
        Shape::WrongTtl { .. } => format!("{who} shows a cell with a wrong time to live"),
        Shape::ForeignValue { .. } => format!("{who} shows a value that nobody wrote"),
        Shape::DuplicateRow => format!("{who} shows a row twice"),
        Shape::WrongOrder => format!("{who} returns its rows in a wrong order"),
        Shape::WrongCount { .. } => format!("{who} returns a wrong number of rows"),
        Shape::WrongAggregate { .. } => format!("{who} computes a wrong value"),
        Shape::WrongAffected { .. } => format!("{who} reports a wrong number of affected rows"),
        Shape::RefusedAbsent => format!("{who} is refused as a duplicate of a row that is not there"),
        Shape::AcceptedDuplicate => format!("{who} is accepted though its row is there"),
        Shape::Torn { .. } => format!("{who} sees half of a transaction"),
        Shape::NotMonotonic { .. } => format!("{who} loses what an earlier read had shown"),
        Shape::NotLinearizable => format!("{who} fits no order of the lightweight transactions"),
        Shape::Unreadable { .. } => format!("{who} returns what cannot be read"),
        Shape::Refused { code, .. } if code.is_empty() => {
            format!("{who} is refused, and nothing explains it")
        }
        Shape::Refused { code, .. } => format!("{who} is refused with {code}, and nothing explains it"),
        Shape::Allowed { .. } => format!("{who} is done, and nothing allows it"),
        Shape::Differs { check, .. } => format!("{check} is not what was made"),
        Shape::Disagreement { .. } => format!("{who} is answered differently by the second database"),
        Shape::Died { how } => format!("the database ended by itself: {how}"),
        Shape::Stalled { waited_ms, .. } => {
            format!(
                "no statement of session {} ended for {} s",
                finding.session.0,
                waited_ms / 1000
            )
        }
    };
    format!("{}: {what}", kind(finding.kind))
}

/// A signature, `WrongResult/missing row/read-range`, in words: `wrong result: missing row, range read`.
pub(crate) fn signature(signature: &str) -> String {
    let mut parts = signature.splitn(3, '/');
    let (Some(name), Some(shape), Some(who)) = (parts.next(), parts.next(), parts.next()) else {
        return signature.to_owned();
    };
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    let who = if who.is_empty() {
        String::new()
    } else {
        action(who)
    };
    let who = who
        .split_once(' ')
        .map_or(String::new(), |(_, what)| format!(", {what}"));
    format!("{words}: {shape}{who}")
}

/// A kind of statement with its article: `read-range` is "a range read".
fn action(name: &str) -> String {
    match name {
        "" => "a statement".to_owned(),
        "read-aggregate" => "an aggregate".to_owned(),
        "read-group" => "a GROUP BY".to_owned(),
        "read-distinct" => "a DISTINCT".to_owned(),
        "read-limit" => "a read with LIMIT".to_owned(),
        "read-in" => "a read with IN".to_owned(),
        "read-predicate" => "a read with a predicate".to_owned(),
        "read-shared" => "a read of shared columns".to_owned(),
        "insert-strict" => "an insert".to_owned(),
        other => match other.strip_prefix("read-") {
            Some(what) => format!("{} {} read", article(what), what.replace('-', " ")),
            None => format!("{} {}", article(other), other.replace('-', " ")),
        },
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) || word == "upsert" || word == "update" {
        "an"
    } else {
        "a"
    }
}
