//! A cursor over a text.

use super::NotationError;
use std::str::FromStr;

pub(super) struct Scan<'a> {
    all: &'a str,
    rest: &'a str,
}

pub(super) type Scanned<T> = Result<T, NotationError>;

impl<'a> Scan<'a> {
    pub(super) fn new(all: &'a str) -> Scan<'a> {
        Scan { all, rest: all }
    }

    /// Where it stands, for [`Scan::back`].
    pub(super) fn mark(&self) -> &'a str {
        self.rest
    }

    /// Back to where it stood.
    pub(super) fn back(&mut self, mark: &'a str) {
        self.rest = mark;
    }

    /// Takes `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(super) fn expect(&mut self, text: &'static str) -> Scanned<()> {
        if self.eat(text) { Ok(()) } else { self.fail(text) }
    }

    pub(super) fn fail<T>(&self, expected: &'static str) -> Scanned<T> {
        let column = self.all[..self.all.len() - self.rest.len()].chars().count() + 1;
        Err(NotationError {
            column,
            expected,
            found: self.rest.chars().take(20).collect(),
        })
    }

    /// Passes blanks.
    pub(super) fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn peek(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    pub(super) fn end(&self) -> Scanned<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            self.fail("the end")
        }
    }

    /// The longest run of characters that `allowed` allows, at least one.
    pub(super) fn run(&mut self, expected: &'static str, allowed: impl Fn(char) -> bool) -> Scanned<&'a str> {
        let length = self.rest.find(|c| !allowed(c)).unwrap_or(self.rest.len());
        if length == 0 {
            return self.fail(expected);
        }
        let (run, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(run)
    }

    /// A decimal number, perhaps with a minus, that fits in `T`.
    pub(super) fn number<T: FromStr>(&mut self) -> Scanned<T> {
        let before = self.rest;
        let run = self.run("a number", |c| c.is_ascii_digit() || c == '-')?;
        run.parse().or_else(|_| {
            self.rest = before;
            self.fail("a number in its range")
        })
    }

    /// A word of lower-case letters and hyphens.
    pub(super) fn word(&mut self) -> Scanned<&'a str> {
        self.run("a word", |c| c.is_ascii_lowercase() || c == '-')
    }

    /// Characters up to a closing quote, where two quotes stand for one and a backslash escapes.
    pub(super) fn quoted(&mut self) -> Scanned<String> {
        self.expect("'")?;
        let mut out = String::new();
        loop {
            let Some(c) = self.rest.chars().next() else {
                return self.fail("a closing quote");
            };
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\'' if self.eat("'") => out.push('\''),
                '\'' => return Ok(out),
                '\\' if self.eat("\\") => out.push('\\'),
                '\\' => {
                    self.expect("u{")?;
                    let digits = self.run("hexadecimal digits", |c| c.is_ascii_hexdigit())?;
                    match u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) {
                        Some(c) => out.push(c),
                        None => return self.fail("a character's number"),
                    }
                    self.expect("}")?;
                }
                c => out.push(c),
            }
        }
    }

    /// Items between which `,` stands, at least one.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Scanned<T>) -> Scanned<Vec<T>> {
        let mut out = vec![item(self)?];
        while self.eat(",") {
            out.push(item(self)?);
        }
        Ok(out)
    }
}

/// The inverse of [`Scan::quoted`].
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || (c.is_whitespace() && c != ' ') => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Items with `,` between them.
pub(super) fn joined<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(",")
}
