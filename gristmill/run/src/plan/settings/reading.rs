//! A file of settings, read with the line of every mistake.

use super::{KEYS, Raw, SHAPES, Settings, TABLES, unknown_key};
use crate::plan::FaultAt;
use crate::plan::mistake::{Mistake, line};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One file being read.
pub(super) struct Reading<'t> {
    pub(super) text: &'t str,
    pub(super) name: &'t str,
    pub(super) mistakes: Vec<(usize, Mistake)>,
}

impl Reading<'_> {
    pub(super) fn mistake(&mut self, offset: usize, what: String) {
        let at = line(self.text, offset);
        self.mistakes.push((
            at,
            Mistake {
                place: format!("{}, line {at}", self.name),
                what,
            },
        ));
    }

    pub(super) fn table(&mut self, settings: &mut Settings, table: &DeTable<'_>) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            match (name, value.get_ref()) {
                ("fault", DeValue::Table(faults)) => {
                    self.rates(faults, |text, place| settings.fault(text, place))
                }
                ("lie", DeValue::Table(lies)) => self.rates(lies, |text, place| settings.lie(text, place)),
                ("fault-at", DeValue::Array(list)) => {
                    for item in list {
                        self.fault_at(settings, item);
                    }
                }
                ("workload", DeValue::Table(_)) => self.workload(settings, value),
                ("workload", DeValue::String(_)) => self.key(settings, name, key.span().start, value),
                ("fault" | "lie" | "workload", _) => {
                    self.mistake(
                        value.span().start,
                        format!("`{name}` is not a table: write [{name}]"),
                    );
                }
                _ => self.key(settings, name, key.span().start, value),
            }
        }
    }

    fn key(&mut self, settings: &mut Settings, name: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let Some(key) = KEYS.iter().find(|k| k.name == name) else {
            let known = KEYS.iter().map(|k| k.name).chain(TABLES).chain(["fault-at"]);
            return self.mistake(at, unknown_key(name, known));
        };
        let raw = raw(value.get_ref());
        if (key.set)(settings, &raw).is_none() {
            self.mistake(
                value.span().start,
                format!("`{name}` is {}, expected {}", raw.shown(), key.expected),
            );
        }
    }

    fn rates(&mut self, table: &DeTable<'_>, mut add: impl FnMut(&str, &str) -> Result<(), Mistake>) {
        for (name, rate) in table {
            let name: &str = name.get_ref();
            let at = line(self.text, rate.span().start);
            let place = format!("{}, line {at}", self.name);
            let text = match raw(rate.get_ref()) {
                Raw::Text(rate) => format!("{name}={rate}"),
                other => format!("{name}={}", other.shown()),
            };
            if let Err(mistake) = add(&text, &place) {
                self.mistakes.push((at, mistake));
            }
        }
    }

    fn fault_at(&mut self, settings: &mut Settings, item: &Spanned<DeValue<'_>>) {
        let text = &self.text[item.span()];
        let table: Result<FaultAt, _> = match item.get_ref() {
            DeValue::Table(_) if text.starts_with('{') => {
                toml::from_str::<BTreeMap<String, FaultAt>>(&format!("at = {text}"))
                    .map(|mut map| map.remove("at").expect("just written"))
            }
            DeValue::Table(_) => toml::from_str(text.trim_start_matches(['[', ']', ' '])),
            _ => {
                return self.mistake(
                    item.span().start,
                    "`fault-at` is a list of { lts, step, fault }".to_owned(),
                );
            }
        };
        match table {
            Ok(at) => settings.faults_at.push(at),
            Err(e) => self.mistake(item.span().start, e.message().to_owned()),
        }
    }

    /// Keys and types are compared with those of the default configuration; what is deeper is judged when it is read.
    fn workload(&mut self, settings: &mut Settings, value: &Spanned<DeValue<'_>>) {
        let template =
            toml::Table::try_from(workload::partitions::Config::default().lww()).expect("plain data");
        let DeValue::Table(table) = value.get_ref() else {
            return;
        };
        self.like(&template, table, "workload");
        if self.mistakes.is_empty() {
            let all: toml::Table = toml::from_str(self.text).expect("it was parsed before");
            if let Some(toml::Value::Table(workload)) = all.get("workload") {
                settings.workload = workload.clone();
            }
        }
    }

    fn like(&mut self, template: &toml::Table, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some(like) = template.get(name) else {
                self.mistake(
                    key.span().start,
                    unknown_key(name, template.keys().map(String::as_str)),
                );
                continue;
            };
            let full = format!("{path}.{name}");
            match (like, value.get_ref()) {
                (toml::Value::Table(like), DeValue::Table(table)) if !is_choice(&full) => {
                    self.like(like, table, &full)
                }
                (toml::Value::Integer(_), DeValue::Integer(_))
                | (toml::Value::Boolean(_), DeValue::Boolean(_))
                | (toml::Value::String(_), DeValue::String(_))
                | (toml::Value::Array(_), DeValue::Array(_)) => {}
                _ if is_choice(&full) => {}
                (like, other) => {
                    let shown = raw(other).shown();
                    self.mistake(
                        value.span().start,
                        format!(
                            "`{full}` is {shown}, expected a value of type {}",
                            like.type_str()
                        ),
                    );
                }
            }
        }
    }
}

/// Keys whose value is not like the default's: it has one of several shapes, or is by the names of tables.
fn is_choice(path: &str) -> bool {
    path == "workload.tables" || path.rsplit('.').next().is_some_and(|key| SHAPES.contains(&key))
}

fn raw<'v>(value: &'v DeValue<'_>) -> Raw<'v> {
    match value {
        DeValue::String(text) => Raw::Text(text),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(number) => Raw::Number(number),
            Err(_) => Raw::Other(written(value)),
        },
        DeValue::Boolean(b) => Raw::Bool(*b),
        DeValue::Array(list) => {
            let texts: Option<Vec<&str>> = list
                .iter()
                .map(|v| match v.get_ref() {
                    DeValue::String(text) => Some(&**text),
                    _ => None,
                })
                .collect();
            texts.map_or_else(|| Raw::Other(written(value)), Raw::List)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Raw::Other(written(value)),
    }
}

/// A value as TOML writes it.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) => {
            let list: Vec<String> = list.iter().map(|v| written(v.get_ref())).collect();
            format!("[{}]", list.join(", "))
        }
        DeValue::Table(table) => {
            let entries: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{} = {}", key.get_ref(), written(value.get_ref())))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}
