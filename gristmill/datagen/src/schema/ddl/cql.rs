//! What Cassandra's CREATE TABLE has beyond SQL's, taken out of the tokens before they are parsed:
//! `static` behind a column's type, and `WITH CLUSTERING ORDER BY (a ASC, b DESC)`.

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::value::Order;

/// The tokens that are SQL, and what was taken out, one entry a CREATE TABLE.
pub(super) struct Cql {
    pub(super) tokens: Vec<TokenWithSpan>,
    pub(super) tables: Vec<Table>,
}

/// What was taken out of one CREATE TABLE.
#[derive(Default)]
pub(super) struct Table {
    /// The static columns.
    pub(super) statics: Vec<String>,
    /// The directions of clustering columns.
    pub(super) orders: Vec<(String, Order)>,
}

pub(super) fn take_out(text: &str) -> Result<Cql, String> {
    let all = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| error.to_string())?;
    let all: Vec<TokenWithSpan> = all
        .into_iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .collect();
    let (mut tokens, mut tables): (Vec<TokenWithSpan>, Vec<Table>) = (Vec::new(), Vec::new());
    let (mut depth, mut in_table) = (0_usize, false);
    // The name of the column that is being defined.
    let mut column: Option<String> = None;
    let mut at = 0;
    while let Some(token) = all.get(at) {
        match &token.token {
            Token::SemiColon => (depth, in_table) = (0, false),
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth == 0 && word(&all, at) == "create" => {
                in_table = word(&all, at + 1) == "table";
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
            if depth == 0
                && ["with", "clustering", "order", "by"]
                    .iter()
                    .zip(at..)
                    .all(|(w, i)| word(&all, i) == *w)
            {
                at = orders(&all, at + 4, &mut table.orders)?;
                continue;
            }
        }
        tokens.push(token.clone());
        at += 1;
    }
    Ok(Cql { tokens, tables })
}

/// Reads `(a ASC, b DESC)` from `at` on; where it ends.
fn orders(all: &[TokenWithSpan], at: usize, into: &mut Vec<(String, Order)>) -> Result<usize, String> {
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

/// The unquoted word at a place, in lower case; empty where there is none.
fn word(all: &[TokenWithSpan], at: usize) -> String {
    match all.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_lowercase(),
        _ => String::new(),
    }
}

/// The name a token is.
fn name(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}
