//! What Cassandra's CREATE TABLE has beyond SQL's, taken out of the tokens before they are parsed:
//! `static` behind a column's type, `WITH` and its options, types with brackets such as `map<text, int>`, `CREATE TYPE` and the
//! names that it makes, `CREATE KEYSPACE`, `USE`, which kind of index it shall be.

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use std::collections::BTreeMap;

use super::options::{self, Replication};
use crate::value::{Order, Type};

/// The tokens that are SQL, and what was taken out, one entry a CREATE TABLE.
pub(super) struct Cql {
    pub(super) tokens: Vec<TokenWithSpan>,
    pub(super) tables: Vec<Table>,
    /// What CREATE KEYSPACE says.
    pub(super) replication: Option<Replication>,
}

/// What was taken out of one CREATE TABLE.
#[derive(Default)]
pub(super) struct Table {
    /// The static columns.
    pub(super) statics: Vec<String>,
    /// The directions of clustering columns.
    pub(super) orders: Vec<(String, Order)>,
    /// Options of the table, `name = value`.
    pub(super) options: Vec<(String, String)>,
    /// COMPACT STORAGE.
    pub(super) compact: bool,
    /// The columns of composite types; `Err`: what stands there is none of ours.
    pub(super) composites: Vec<(String, Result<Type, String>)>,
}

/// Fields of user-defined types and their types, in our words.
type Udts = BTreeMap<String, String>;

pub(super) fn take_out(text: &str) -> Result<Cql, String> {
    let all = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| error.to_string())?;
    let all: Vec<TokenWithSpan> = all
        .into_iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .collect();
    let (mut tokens, mut tables): (Vec<TokenWithSpan>, Vec<Table>) = (Vec::new(), Vec::new());
    let (mut depth, mut in_table, mut in_index) = (0_usize, false, false);
    let mut replication = None;
    // The name of the column that is being defined.
    let mut column: Option<String> = None;
    let (mut at, mut udts) = (0, Udts::new());
    while let Some(token) = all.get(at) {
        match &token.token {
            Token::SemiColon => (depth, in_table, in_index) = (0, false, false),
            // `values(c)`: what of a column is indexed is said by its type.
            _ if depth == 1 && in_index && inside(&all, at) => {
                tokens.push(all[at + 2].clone());
                at += 4;
                continue;
            }
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth == 0 && word(&all, at) == "create" && word(&all, at + 1) == "type" => {
                at = create_type(&all, at + 2, &mut udts)?;
                continue;
            }
            _ if depth == 0 && word(&all, at) == "create" && word(&all, at + 1) == "keyspace" => {
                let (end, found) = options::create_keyspace(&all, at + 2)?;
                if replication.replace(found).is_some() {
                    return Err("CREATE KEYSPACE stands there twice: keep one".to_owned());
                }
                at = end;
                continue;
            }
            // Whoever runs our statements is in a keyspace of its own.
            _ if depth == 0 && !in_table && !in_index && word(&all, at) == "use" => {
                at += 2;
                at += usize::from(all.get(at).is_some_and(|next| next.token == Token::SemiColon));
                continue;
            }
            _ if depth == 0 && in_index && word(&all, at) == "using" => {
                // Which kind of index it is, is the server's version's affair.
                if let Some(Token::SingleQuotedString(_)) = all.get(at + 1).map(|next| &next.token) {
                    at += 2;
                    continue;
                }
            }
            _ if depth == 0 && in_index && word(&all, at) == "with" => {
                return Err("options of an index are not supported: leave WITH out".to_owned());
            }
            _ if depth == 0 && word(&all, at) == "custom" && word(&all, at + 1) == "index" => {
                at += 1;
                continue;
            }
            _ if depth == 0 && word(&all, at) == "create" => {
                in_table = word(&all, at + 1) == "table";
                in_index = word(&all, at + 1) == "index" || word(&all, at + 1) == "custom";
                if in_table {
                    tables.push(Table::default());
                }
            }
            _ => {}
        }
        if depth == 1 && matches!(token.token, Token::LParen | Token::Comma) {
            column = all.get(at + 1).and_then(name);
        }
        if let (true, Some(table)) = (in_table, tables.last_mut()) {
            let ends_column = matches!(
                all.get(at + 1).map(|next| &next.token),
                Some(Token::Comma | Token::RParen)
            );
            if depth == 1 && word(&all, at) == "static" && ends_column {
                table.statics.extend(column.take());
                at += 1;
                continue;
            }
            let begins = depth == 1 && column.is_some() && all.get(at).and_then(name) == column;
            if let (true, Some((end, given))) = (begins, composite(&all, at + 1, &udts)) {
                let ty = ours(&given, &udts).and_then(|text| text.parse().ok());
                let named = column.clone().expect("it begins");
                table.composites.push((named, ty.ok_or(given)));
                // Some type stands in its place.
                let word = Token::make_keyword("int");
                tokens.push(token.clone());
                tokens.push(TokenWithSpan {
                    token: word,
                    span: token.span,
                });
                at = end;
                continue;
            }
            // PostgreSQL has brackets behind it.
            let options = depth == 0 && word(&all, at) == "with" && all.get(at + 1).and_then(name).is_some();
            if options {
                let (end, with) = options::with(&all, at + 1)?;
                table.orders.extend(with.orders);
                table.options.extend(with.options);
                table.compact |= with.compact;
                at = end;
                continue;
            }
        }
        tokens.push(token.clone());
        at += 1;
    }
    Ok(Cql {
        tokens,
        tables,
        replication,
    })
}

/// Whether `values(c)`, `keys(c)`, `entries(c)` or `full(c)` stands there.
fn inside(all: &[TokenWithSpan], at: usize) -> bool {
    let is = |n: usize, token: &Token| all.get(at + n).is_some_and(|next| next.token == *token);
    matches!(word(all, at).as_str(), "values" | "keys" | "entries" | "full")
        && is(1, &Token::LParen)
        && is(3, &Token::RParen)
}

/// Reads `(a ASC, b DESC)` from `at` on; where it ends.
pub(super) fn orders(
    all: &[TokenWithSpan],
    at: usize,
    into: &mut Vec<(String, Order)>,
) -> Result<usize, String> {
    let wrong = || "after CLUSTERING ORDER BY stands a list such as (a ASC, b DESC)".to_owned();
    let token = |at: usize| all.get(at).map(|token| &token.token);
    if token(at) != Some(&Token::LParen) {
        return Err(wrong());
    }
    let mut at = at + 1;
    loop {
        let column = all.get(at).and_then(name).ok_or_else(wrong)?;
        let order = match word(all, at + 1).as_str() {
            "desc" => Order::Desc,
            "asc" => Order::Asc,
            _ => return Err(wrong()),
        };
        into.push((column, order));
        match token(at + 2) {
            Some(Token::Comma) => at += 3,
            Some(Token::RParen) => return Ok(at + 3),
            _ => return Err(wrong()),
        }
    }
}

/// Reads `address (street text, zip int)` after CREATE TYPE; where the next statement begins.
fn create_type(all: &[TokenWithSpan], mut at: usize, udts: &mut Udts) -> Result<usize, String> {
    let wrong = || "after CREATE TYPE stands a name and a list such as (street text, zip int)".to_owned();
    let token = |at: usize| all.get(at).map(|token| &token.token);
    if word(all, at) == "if" {
        at += 3;
    }
    let mut called = all.get(at).and_then(name).ok_or_else(wrong)?;
    if token(at + 1) == Some(&Token::Period) {
        called = all.get(at + 2).and_then(name).ok_or_else(wrong)?;
        at += 2;
    }
    if token(at + 1) != Some(&Token::LParen) {
        return Err(wrong());
    }
    let mut fields = Vec::new();
    at += 2;
    loop {
        let field = all.get(at).and_then(name).ok_or_else(wrong)?;
        let (end, given) = type_text(all, at + 1);
        let ty = ours(&given, udts).ok_or_else(|| format!("type `{called}`: {given} is not supported"))?;
        fields.push(format!("{field}:{ty}"));
        at = end + 1;
        match token(end) {
            Some(Token::Comma) => {}
            Some(Token::RParen) => break,
            _ => return Err(wrong()),
        }
    }
    udts.insert(called, format!("udt<{}>", fields.join(",")));
    if token(at) == Some(&Token::SemiColon) {
        at += 1;
    }
    Ok(at)
}

/// The text of the type that begins at a place, and where it ends: before a comma, bracket or word outside of brackets.
fn type_text(all: &[TokenWithSpan], from: usize) -> (usize, String) {
    let (mut at, mut depth, mut text) = (from, 0_usize, String::new());
    while let Some(token) = all.get(at) {
        match &token.token {
            Token::Lt => depth += 1,
            Token::Gt => depth = depth.saturating_sub(1),
            Token::ShiftRight => depth = depth.saturating_sub(2),
            Token::Comma | Token::RParen | Token::Word(_) if depth == 0 && at > from => break,
            Token::SemiColon => break,
            _ => {}
        }
        match name(token) {
            Some(name) => text.push_str(&name),
            None => text.push_str(&token.token.to_string()),
        }
        at += 1;
    }
    (at, text)
}

/// The composite type that begins at a place: it has brackets, or is the name of a user-defined one.
fn composite(all: &[TokenWithSpan], at: usize, udts: &Udts) -> Option<(usize, String)> {
    let first = all.get(at).and_then(name)?;
    let brackets = all.get(at + 1).is_some_and(|next| next.token == Token::Lt);
    (brackets || udts.contains_key(&first)).then(|| type_text(all, at))
}

/// A type of CQL in our words; `None` where it is none of ours.
fn ours(text: &str, udts: &Udts) -> Option<String> {
    if let Some((head, inner)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        let (mut parts, mut depth, mut from) = (Vec::new(), 0_usize, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(&inner[from..at]);
                    from = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&inner[from..]);
        let part = |part: &&str| match part.chars().all(|c| c.is_ascii_digit()) {
            true => Some((*part).to_owned()),
            false => ours(part, udts),
        };
        let parts: Option<Vec<String>> = parts.iter().map(part).collect();
        return Some(format!("{}<{}>", head.to_lowercase(), parts?.join(",")));
    }
    if let Some(udt) = udts.get(text) {
        return Some(udt.clone());
    }
    let scalar = match text {
        "boolean" => "bool",
        "tinyint" => "int8",
        "smallint" => "int16",
        "int" => "int32",
        "bigint" => "int64",
        "float" => "float32",
        "double" => "float64",
        "varchar" => "text",
        "blob" => "bytes",
        "text" | "ascii" | "uuid" | "date" | "time" | "timestamp" | "inet" | "varint" | "decimal"
        | "duration" | "timeuuid" => text,
        _ => return None,
    };
    Some(scalar.to_owned())
}

/// The unquoted word at a place, in lower case; empty where there is none.
pub(super) fn word(all: &[TokenWithSpan], at: usize) -> String {
    match all.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_lowercase(),
        _ => String::new(),
    }
}

/// The name a token is.
pub(super) fn name(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}
