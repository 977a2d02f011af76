//! What is counted while a parallel run lives: attempts and outcomes by action, errors by code, class and witness.

use check::parallel::{Compared, Judged};
use history::parallel::{Class, Explained, Op, Question, Said};
use history::verdict::{ActionCount, ErrorCount, OracleCount};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Classes of errors that a glance shows.
const CLASSES: usize = 3;

/// Counts of all sessions together.
#[derive(Default)]
pub(crate) struct Counts {
    /// Statements that were answered.
    pub(crate) statements: AtomicU64,
    by: Mutex<By>,
}

/// The same, by this and that.
#[derive(Default, Clone)]
pub(crate) struct By {
    pub(crate) actions: BTreeMap<String, ActionCount>,
    pub(crate) errors: BTreeMap<(String, String, String), ErrorCount>,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) families: BTreeMap<String, u64>,
    pub(crate) rows: u64,
    pub(crate) done: u64,
    pub(crate) aimed: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    /// Oracles by name.
    pub(crate) oracles: BTreeMap<String, OracleCount>,
    /// Nanoseconds of oracles, and of all statements.
    pub(crate) oracle_ns: u64,
    pub(crate) all_ns: u64,
    /// Statements that are our own mistake.
    pub(crate) ours: u64,
    /// Quiet points at which the catalogue was compared, and objects compared there.
    pub(crate) quiet: u64,
    pub(crate) objects: u64,
    /// Quiet points that never came.
    pub(crate) loud: u64,
}

impl Counts {
    /// One answered statement, and how long it took.
    pub(crate) fn answer(&self, op: &Op, sql: &str, said: &Said, judged: &Judged, ns: u64) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let explained = &judged.explained;
        let mut by = self.by.lock();
        let by = &mut *by;
        by.all_ns += ns;
        if let Some(compared) = judged.compared {
            by.oracle_ns += ns;
            let count = entry(&mut by.oracles, &op.kind);
            match compared {
                Compared::Yes => {
                    count.compared += 1;
                }
                Compared::Void(why) => *entry(&mut count.void, why) += 1,
            }
        }
        let action = entry(&mut by.actions, &op.kind);
        action.attempts += 1;
        *entry(&mut by.families, &family(op)) += 1;
        let aimed = matches!(explained, Explained::Expected { aimed: true, .. });
        let (code, text) = match said {
            Said::Done { rows, .. } => {
                action.done += 1;
                by.done += 1;
                by.rows += rows.as_ref().map_or(0, |table| table.count);
                return;
            }
            Said::Refused { code, text, .. } => {
                action.refused += 1;
                *(if aimed { &mut by.aimed } else { &mut by.refused }) += 1;
                (code, text)
            }
            Said::Unknown { code, text } => {
                action.unknown += 1;
                by.unknown += 1;
                (code, text)
            }
        };
        let (class, witness) = match explained {
            Explained::Done => ("done", String::new()),
            Explained::Expected { class, question, .. } => (class.word(), question.words()),
            Explained::Ours { .. } => {
                by.ours += 1;
                (Class::Tool.word(), Question::Tool.words())
            }
            Explained::Broken(_) => ("finding", Question::Never.words()),
        };
        by.errors
            .entry((code.clone(), class.to_owned(), witness))
            .or_insert_with_key(|(code, class, witness)| ErrorCount {
                code: code.clone(),
                class: class.clone(),
                witness: witness.clone(),
                count: 0,
                text: text.clone(),
                sql: sql.to_owned(),
            })
            .count += 1;
    }

    /// Something that was done on purpose.
    pub(crate) fn fault(&self, why: &str) {
        *self.by.lock().faults.entry(why.to_owned()).or_default() += 1;
    }

    /// The catalogue was compared.
    pub(crate) fn quiet(&self, objects: u64) {
        let mut by = self.by.lock();
        by.quiet += 1;
        by.objects += objects;
    }

    /// A quiet point did not come about.
    pub(crate) fn loud(&self) {
        self.by.lock().loud += 1;
    }

    /// The share of errors by class, what oracles compared, and how many families have been at work: a few words each.
    pub(crate) fn glance(&self) -> Vec<String> {
        let by = self.by.lock();
        let all = by.done + by.aimed + by.refused + by.unknown;
        if all == 0 {
            return Vec::new();
        }
        let percent = |count: u64| format!("{} %", (count * 100).div_ceil(all));
        let mut errors = format!("errors {}", percent(all - by.done));
        let most: Vec<String> = ErrorCount::by_class(by.errors.values())
            .iter()
            .take(CLASSES)
            .map(|(class, count)| format!("{class} {}", percent(*count)))
            .collect();
        if !most.is_empty() {
            errors += &format!(" ({})", most.join(", "));
        }
        let compared: u64 = by.oracles.values().map(|count| count.compared).sum();
        vec![
            format!("oracles {compared}"),
            errors,
            format!("families {}", by.families.len()),
        ]
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> By {
        self.by.lock().clone()
    }
}

/// The name of an op's family.
pub(crate) fn family(op: &Op) -> String {
    format!("{:?}", op.family).to_lowercase()
}

/// The entry of a name; a name that is there costs no allocation.
fn entry<'m, T: Default>(map: &'m mut BTreeMap<String, T>, name: &str) -> &'m mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was put there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_has_shares_of_errors_by_class_oracles_and_families() {
        let counts = Counts::default();
        assert_eq!(counts.glance(), Vec::<String>::new());
        {
            let mut by = counts.by.lock();
            by.done = 90;
            by.aimed = 7;
            by.refused = 3;
            for (class, count) in [("gone", 7), ("conflict", 2), ("value", 1)] {
                by.errors.insert(
                    ("42P01".to_owned(), class.to_owned(), String::new()),
                    ErrorCount {
                        class: class.to_owned(),
                        count,
                        ..ErrorCount::default()
                    },
                );
            }
            by.oracles.insert(
                "oracle-norec".to_owned(),
                OracleCount {
                    compared: 12,
                    ..OracleCount::default()
                },
            );
            by.families.insert("read".to_owned(), 50);
        }
        assert_eq!(
            counts.glance(),
            [
                "oracles 12",
                "errors 10 % (gone 7 %, conflict 2 %, value 1 %)",
                "families 1"
            ]
        );
    }
}
