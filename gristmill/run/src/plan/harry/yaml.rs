//! YAML as a tree in which every value knows its line. Anchors and tags are refused: no file of Harry's has any.

use crate::plan::mistake::Mistake;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    /// Keys with their lines, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) node: Node,
}

/// What is being put together.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<Entry>, Option<(String, usize)>),
}

/// Reads the one document of a file; `name` is what the mistakes call it.
pub(super) fn read(text: &str, name: &str) -> Result<Node, Mistake> {
    let mistake = |line: usize, what: String| Mistake {
        place: format!("{name}, line {line}"),
        what,
    };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| mistake(e.marker().line(), e.info().to_owned()))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(text, style, 0, None) => {
                if let Some(Open::Map(_, _, key @ None)) = open.last_mut() {
                    *key = Some((text.into_owned(), line));
                    continue;
                }
                let plain = style == ScalarStyle::Plain;
                let value = match text.as_ref() {
                    "" | "~" | "null" if plain => Value::Null,
                    text => Value::Scalar(text.to_owned()),
                };
                Node { line, value }
            }
            Event::SequenceStart(0, None) => {
                open.push(Open::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(0, None) => {
                open.push(Open::Map(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, list)) => Node {
                    line,
                    value: Value::List(list),
                },
                Some(Open::Map(line, map, _)) => Node {
                    line,
                    value: Value::Map(map),
                },
                None => unreachable!("the parser closes only what it has opened"),
            },
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                let what = "anchors, aliases and tags are not read: write the value itself";
                return Err(mistake(line, what.to_owned()));
            }
            Event::DocumentStart(_) if root.is_some() => {
                return Err(mistake(line, "a second document begins: one is read".to_owned()));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::List(_, list)) => list.push(done),
            Some(Open::Map(_, map, key)) => {
                let Some((key, at)) = key.take() else {
                    return Err(mistake(line, "a key is a text".to_owned()));
                };
                if map.iter().any(|e| e.key == key) {
                    return Err(mistake(at, format!("`{key}` is there twice")));
                }
                map.push(Entry {
                    key,
                    line: at,
                    node: done,
                });
            }
        }
    }
    root.ok_or_else(|| mistake(1, "it is empty".to_owned()))
}
