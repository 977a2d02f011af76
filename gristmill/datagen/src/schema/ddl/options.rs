//! What stands behind WITH in CREATE TABLE and CREATE KEYSPACE of CQL.
//!
//! Options of a table are kept as text, for the database that understands them.

use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::collections::BTreeMap;

use super::cql::{name, orders, word};
use crate::value::Order;

/// How many copies of everything a keyspace has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Copies.
    pub factor: u16,
    /// The data centre whose copies these are; `None`: wherever they are.
    pub datacenter: Option<String>,
}

/// What a clause says.
#[derive(Default)]
pub(super) struct With {
    /// Directions of clustering columns.
    pub(super) orders: Vec<(String, Order)>,
    /// `name = value`, in their order; the value as it stands there.
    pub(super) options: Vec<(String, String)>,
    /// COMPACT STORAGE.
    pub(super) compact: bool,
}

/// Reads what stands behind WITH, from `at` on; where it ends: at a semicolon or the end.
pub(super) fn with(all: &[TokenWithSpan], mut at: usize) -> Result<(usize, With), String> {
    let mut with = With::default();
    loop {
        let first = word(all, at);
        match first.as_str() {
            "clustering" if word(all, at + 1) == "order" && word(all, at + 2) == "by" => {
                at = orders(all, at + 3, &mut with.orders)?;
            }
            "compact" if word(all, at + 1) == "storage" => {
                with.compact = true;
                at += 2;
            }
            "" => return Err("after WITH stands an option such as gc_grace_seconds = 86400".to_owned()),
            _ => {
                if all.get(at + 1).map(|token| &token.token) != Some(&Token::Eq) {
                    return Err(format!("option {first} has no value: write {first} = VALUE"));
                }
                let (end, value) = value(all, at + 2);
                if value.is_empty() {
                    return Err(format!("option {first} has no value: write {first} = VALUE"));
                }
                with.options.push((first, value));
                at = end;
            }
        }
        match all.get(at).map(|token| &token.token) {
            None | Some(Token::SemiColon) => return Ok((at, with)),
            _ if word(all, at) == "and" => at += 1,
            Some(other) => return Err(format!("expected AND or ; behind an option, found {other}")),
        }
    }
}

/// A literal, as CQL writes it: a word, a number, a text, or a map in braces; where it ends.
fn value(all: &[TokenWithSpan], from: usize) -> (usize, String) {
    let (mut at, mut depth, mut text) = (from, 0_usize, String::new());
    while let Some(token) = all.get(at) {
        match &token.token {
            Token::LBrace | Token::LBracket => depth += 1,
            Token::RBrace | Token::RBracket => depth = depth.saturating_sub(1),
            Token::SemiColon => break,
            _ => {}
        }
        match &token.token {
            Token::SingleQuotedString(inner) => text.push_str(&format!("'{}'", inner.replace('\'', "''"))),
            Token::Colon | Token::Comma => text.push_str(&format!("{} ", token.token)),
            other => text.push_str(&other.to_string()),
        }
        at += 1;
        if depth == 0 && token.token != Token::Minus {
            break;
        }
    }
    (at, text)
}

/// Reads `[IF NOT EXISTS] shop WITH replication = {…} AND durable_writes = true` behind CREATE KEYSPACE; where the next
/// statement begins.
pub(super) fn create_keyspace(all: &[TokenWithSpan], mut at: usize) -> Result<(usize, Replication), String> {
    if word(all, at) == "if" {
        at += 3;
    }
    let called = all
        .get(at)
        .and_then(name)
        .ok_or("after CREATE KEYSPACE stands its name")?;
    let wrong = |what: &str| format!("keyspace `{called}`: {what}");
    if word(all, at + 1) != "with" {
        return Err(wrong(
            "it says nothing of its replication: WITH replication = {…}",
        ));
    }
    let (end, with) = with(all, at + 2)?;
    let mut found = None;
    for (option, value) in &with.options {
        match option.as_str() {
            "replication" => found = Some(replication(value).map_err(|what| wrong(&what))?),
            "durable_writes" if value == "true" => {}
            "durable_writes" => {
                let what = "durable_writes = false is not supported: what was acknowledged may be lost; leave it out";
                return Err(wrong(what));
            }
            other => return Err(wrong(&format!("{other} is not supported: leave it out"))),
        }
    }
    let next = end + usize::from(all.get(end).is_some());
    let found = found.ok_or_else(|| wrong("it says nothing of its replication: WITH replication = {…}"))?;
    Ok((next, found))
}

/// `{'class': 'NetworkTopologyStrategy', 'dc1': 3}`.
fn replication(text: &str) -> Result<Replication, String> {
    let wrong = || {
        format!("replication = {text} is none: write {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    };
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let mut pairs = BTreeMap::new();
    for pair in inner.ok_or_else(wrong)?.split(',') {
        let (key, value) = pair.split_once(':').ok_or_else(wrong)?;
        let plain = |text: &str| text.trim().trim_matches('\'').to_owned();
        pairs.insert(plain(key), plain(value));
    }
    let class = pairs.remove("class").ok_or_else(wrong)?;
    let class = class.rsplit('.').next().unwrap_or_default();
    if !matches!(class, "SimpleStrategy" | "NetworkTopologyStrategy") {
        return Err(format!(
            "replication by {class} is not supported: use SimpleStrategy or NetworkTopologyStrategy"
        ));
    }
    let mut counted = pairs.into_iter();
    let (Some((whose, factor)), None) = (counted.next(), counted.next()) else {
        return Err("replication in several data centres is not supported: name one".to_owned());
    };
    let factor = factor.parse().ok().filter(|factor| *factor > 0);
    let factor =
        factor.ok_or_else(|| format!("replication = {text}: copies are counted by a number above 0"))?;
    let datacenter = (whose != "replication_factor").then_some(whose);
    Ok(Replication { factor, datacenter })
}
