//! A prepared target with sessions, driven by visits in the notation of `history`.

use crate::target::{OpenOptions, Request, Session, Target};
use crate::{Ended, Ending, Rules, outcome};
use datagen::schema::Schema;
use history::{Address, Answer, End, Lts, Outcome, SessionId, Visit};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) struct Stage {
    pub(crate) target: Box<dyn Target>,
    pub(crate) schema: Arc<Schema>,
    sessions: Vec<Box<dyn Session>>,
}

/// What one visit was answered.
pub(crate) struct Played {
    pub(crate) answers: Vec<Answer>,
    pub(crate) outcome: Outcome,
}

impl Stage {
    /// Opens, prepares, connects one session.
    pub(crate) fn new(url: &str, options: &OpenOptions, schema: impl FnOnce(&dyn Target) -> Schema) -> Self {
        let target = crate::open(url, options).expect("the URL is good");
        let schema = Arc::new(schema(&*target));
        target.facts().expect("the target can be used");
        target.prepare(&schema).expect("tables can be made");
        let mut stage = Self {
            target,
            schema,
            sessions: Vec::new(),
        };
        stage.connect();
        stage
    }

    /// One more session; its index.
    pub(crate) fn connect(&mut self) -> usize {
        let who = SessionId(u16::try_from(self.sessions.len() + 1).unwrap());
        self.sessions
            .push(self.target.connect(who, &self.schema).expect("a session"));
        self.sessions.len() - 1
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn session(&mut self, index: usize) -> &mut Box<dyn Session> {
        &mut self.sessions[index]
    }

    /// Ends a session; the ones after it move up.
    pub(crate) fn drop_session(&mut self, index: usize) {
        self.sessions.remove(index);
    }

    /// Sends one request, and sees that the digest is the one that the target foretold.
    pub(crate) fn ask(&mut self, session: usize, at: (u64, u16), request: &Request<'_>) -> Answer {
        let foretold = self.target.renderer(&self.schema).render(request);
        let address = Address {
            lts: Lts(at.0),
            attempt: 0,
            step: at.1,
        };
        let executed = self.sessions[session].execute(address, request, DEADLINE);
        assert_eq!(executed.digest, foretold, "T3: {request:?}");
        assert!(!self.target.text(&self.schema, request).is_empty());
        executed.answer
    }

    /// Plays a visit as a session of a run would: what is refused in a transaction is followed by ROLLBACK.
    pub(crate) fn play(&mut self, session: usize, visit: &Visit) -> Played {
        let lts = visit.lts.0;
        if let Some(request) = Request::stamped(visit) {
            let answer = self.ask(session, (lts, 0), &request);
            let ended = Ended {
                end: visit.end,
                begin: None,
                steps: &[&answer],
                ends: &[],
            };
            let outcome = outcome(Rules::of(self.target.describe().scheme), ended);
            return Played {
                answers: vec![answer],
                outcome,
            };
        }
        let begin = (visit.end != End::Autocommit).then(|| {
            let begin = Request::Begin {
                level: visit.level,
                writes: !visit.writes.is_empty(),
            };
            self.ask(session, (lts, Address::BEGIN), &begin)
        });
        let mut answers = Vec::new();
        let mut failed = false;
        for (i, step) in visit.steps.iter().enumerate() {
            let answer = self.ask(session, (lts, u16::try_from(i).unwrap()), &Request::Step(step));
            failed = !matches!(answer, Answer::Rows(_) | Answer::Affected(_));
            answers.push(answer);
            if failed {
                break;
            }
        }
        let mut ends = Vec::new();
        if begin.is_some() {
            if visit.end == End::Commit && !failed {
                ends.push((
                    Ending::Commit,
                    self.ask(session, (lts, Address::END), &Request::Commit),
                ));
            }
            if !matches!(ends.last(), Some((_, Answer::Affected(_)))) {
                ends.push((
                    Ending::Rollback,
                    self.ask(session, (lts, Address::END), &Request::Rollback),
                ));
            }
        }
        let steps: Vec<&Answer> = answers.iter().collect();
        let ends: Vec<(Ending, &Answer)> = ends.iter().map(|(word, a)| (*word, a)).collect();
        let rules = Rules::of(self.target.describe().scheme);
        let ended = Ended {
            end: visit.end,
            begin: begin.as_ref(),
            steps: &steps,
            ends: &ends,
        };
        let outcome = outcome(rules, ended);
        Played { answers, outcome }
    }

    /// Plays lines of `session | visit` (`s1` may be left out) and writes down what was answered.
    pub(crate) fn script(&mut self, script: &str) -> String {
        let mut out = String::new();
        for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (session, visit) = match line.split_once(' ') {
                Some((s, rest)) if s.starts_with('s') => (s[1..].parse::<usize>().unwrap() - 1, rest),
                _ => (0, line),
            };
            let visit: Visit = visit.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
            let played = self.play(session, &visit);
            let answers: Vec<String> = played.answers.iter().map(shown).collect();
            writeln!(
                out,
                "{}: {} -> {:?}",
                visit.lts,
                answers.join("; "),
                played.outcome
            )
            .unwrap();
        }
        out
    }
}

/// An answer without the words that differ between databases.
fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Refused(reason) => format!("refused {:?}", reason.kind).to_lowercase(),
        Answer::Unknown(reason) => format!("unknown {:?}", reason.kind).to_lowercase(),
        other => other.to_string(),
    }
}
