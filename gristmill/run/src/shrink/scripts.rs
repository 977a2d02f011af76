//! A case as scripts that a stranger pastes into the database's own shell: the tables, then one script a session.

use super::case::Case;
use datagen::schema::Schema;
use history::verdict::Cause;
use history::{Line, Lts, SessionId, Visit};
use std::collections::{BTreeMap, BTreeSet};
use targets::{Request, Target};

/// A text file of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `tables.sql`, `session1.sql`, …
    pub name: String,
    /// Statements, one a line, and comments.
    pub text: String,
    /// What is done, in order, for those who draw sessions side by side; empty for the tables.
    pub doings: Vec<Doing>,
}

/// What one visit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// Its place among the visits of all sessions, from 0.
    pub at: usize,
    /// Its statements.
    pub statements: Vec<String>,
    /// What came back that must not, where the finding is here.
    pub seen: Option<String>,
}

pub(super) fn scripts(case: &Case, target: &dyn Target, cause: &Cause) -> Vec<Script> {
    let mut tables = "-- first, in any session\n".to_owned();
    for statement in target.plan_of_objects(&case.schema) {
        tables += &format!("{};\n", statement.trim_end_matches(';'));
    }
    let several = case.lines.iter().any(|l| l.session != SessionId(1));
    let mut sessions: BTreeMap<SessionId, (String, Vec<Doing>)> = BTreeMap::new();
    // What each session has waited for already.
    let mut waited: BTreeMap<SessionId, BTreeSet<Lts>> = BTreeMap::new();
    for (at, line) in case.lines.iter().enumerate() {
        let known = waited.entry(line.session).or_default();
        let before = &case.lines[..at];
        let (text, doings) = sessions.entry(line.session).or_insert_with(|| {
            let head = format!("-- session {}: a connection of its own\n", line.session.0);
            (head, Vec::new())
        });
        text.push_str(&comment(line, before, known, several));
        let statements = statements(&line.visit, &case.schema, target);
        for statement in &statements {
            *text += &format!("{statement};\n");
        }
        let seen = (cause.finding.read.lts == line.visit.lts).then(|| cause.seen.clone());
        if let Some(seen) = &seen {
            *text += &format!("-- wrong: {seen}\n-- promised: {}\n", cause.promised);
        }
        doings.push(Doing { at, statements, seen });
    }
    let of_tables = Script {
        name: "tables.sql".to_owned(),
        text: tables,
        doings: Vec::new(),
    };
    let of_sessions = sessions.into_iter().map(|(session, (text, doings))| Script {
        name: format!("session{}.sql", session.0),
        text,
        doings,
    });
    std::iter::once(of_tables).chain(of_sessions).collect()
}

/// Which visit this is, and what it waits for that its own session has not done.
fn comment(line: &Line, before: &[Line], known: &mut BTreeSet<Lts>, several: bool) -> String {
    let mut text = format!("\n-- visit {}", line.visit.lts);
    if several {
        let ended = |other: &&Line| !line.beside.contains(&other.visit.lts);
        let others = before.iter().filter(|other| other.session != line.session);
        let news: Vec<String> = others
            .filter(ended)
            .filter(|other| known.insert(other.visit.lts))
            .map(|other| format!("visit {} of session {}", other.visit.lts, other.session.0))
            .collect();
        if !news.is_empty() {
            text += &format!(", after {}", news.join(", "));
        }
        let beside: Vec<String> = line.beside.iter().map(|lts| format!("visit {lts}")).collect();
        if !beside.is_empty() {
            text += &format!(", at the same time as {}", beside.join(", "));
        }
    }
    text.push('\n');
    text
}

fn statements(visit: &Visit, schema: &Schema, target: &dyn Target) -> Vec<String> {
    let texts = Request::of(visit).flat_map(|request| target.text(schema, &request));
    texts.map(|text| text.trim_end_matches(';').to_owned()).collect()
}
