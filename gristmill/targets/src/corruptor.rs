//! Stands in front of any target and damages its answers, now and then: a judge that does not notice is no judge.
//!
//! The database itself is not touched: only what it said. So these lies need nothing but the question and the answer. The lies
//! whose names begin with `db_` do touch it ([`inside`]), before a read outside transactions.
//!
//! Invariant: an answer that is counted as a lie differs from the true one in something the question determines.

mod damage;
mod inside;
#[cfg(test)]
mod tests;

use crate::Unusable;
use crate::dialect::Renderer;
use crate::flaws::{FLAWS, Flaw, FlawLine, Liar, Needs, Teller};
use crate::layout::{Layout, Layouts};
use crate::target::{
    Cancel, Control, Declared, Description, Executed, Facts, Gone, Identity, Lie, Maintenance, OpenOptions,
    Rendered, Request, Session, Stall, Target, Upstream,
};
use datagen::domain::Limits;
use datagen::schema::Schema;
use datagen::value::Type;
use history::{Address, Answer, Change, Claim, Level, Semantics, SessionId, Step};
use inside::Inside;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The lies it can tell, in the order in which they are tried at one address.
const ORDER: &[Flaw] = &[
    Flaw::WrongCount,
    Flaw::SwappedRows,
    Flaw::ForgottenRow,
    Flaw::WrongCell,
    Flaw::ExtraRow,
    Flaw::DuplicatedRow,
    Flaw::ShownValue,
    Flaw::HiddenValue,
    Flaw::WrongTimestamp,
    Flaw::ConditionDenied,
    Flaw::WrongTtl,
    Flaw::HiddenElement,
];

/// A target whose answers are damaged.
pub(crate) struct Corruptor {
    inner: Box<dyn Target>,
    liar: Arc<Liar>,
    layouts: Layouts,
    /// There where a lie is told in the database.
    inside: Option<Arc<Inside>>,
}

/// Nobody else's session has this number.
const OTHER: SessionId = SessionId(u16::MAX);

impl Corruptor {
    /// The target itself where there is nothing to lie about. Errors: lies that it cannot tell.
    pub(crate) fn before(
        inner: Box<dyn Target>,
        options: &OpenOptions,
        lies: Vec<Lie>,
    ) -> Result<Box<dyn Target>, Unusable> {
        let url = inner.describe().url;
        let liar = Liar::new(
            &url,
            &OpenOptions {
                lies,
                ..options.clone()
            },
            |teller| teller != Teller::Store,
        )?;
        if liar.is_honest() {
            return Ok(inner);
        }
        let inside = inside::ORDER.iter().any(|flaw| liar.has(*flaw));
        if inside && inner.describe().one_session {
            return Err(Unusable::usage(
                url,
                "a lie in the database needs a second connection, and there is one only",
                "use sqlite: for a temporary file, or a lie without `db_`",
            ));
        }
        let conditional = |l: &&FlawLine| l.needs == Needs::Conditional && liar.has(l.flaw);
        if let Some(line) = FLAWS
            .iter()
            .find(conditional)
            .filter(|_| !inner.describe().conditional)
        {
            return Err(Unusable::usage(
                format!("--lie {}", line.name),
                format!("{url} has no lightweight transactions"),
                "tell it of cassandra: or of reference:, or tell another lie",
            ));
        }
        let layouts = Layouts::new(&options.prefix);
        Ok(Box::new(Self {
            inner,
            liar: Arc::new(liar),
            layouts,
            inside: inside.then(Arc::default),
        }))
    }
}

impl Target for Corruptor {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn claim(&self, level: Level) -> Claim {
        self.inner.claim(level)
    }

    fn semantics(&self) -> Semantics {
        self.inner.semantics()
    }

    fn default_level(&self) -> Level {
        self.inner.default_level()
    }

    fn limits(&self, ty: &Type) -> Option<Limits> {
        self.inner.limits(ty)
    }

    fn column_type(&self, ty: &Type) -> Option<String> {
        self.inner.column_type(ty)
    }

    fn left_out(&self) -> Vec<String> {
        self.inner.left_out()
    }

    fn says(&self, schema: &Schema, request: &Request<'_>) -> Result<(), String> {
        self.inner.says(schema, request)
    }

    fn maintain(&self, what: Maintenance) -> Result<(), Unusable> {
        self.inner.maintain(what)
    }

    fn declared(&self, keyspace: &str, tables: &[String]) -> Result<Declared, Unusable> {
        self.inner.declared(keyspace, tables)
    }

    fn shows(&self, schema: &Schema, change: &Change) -> Result<bool, Unusable> {
        self.inner.shows(schema, change)
    }

    fn facts(&self) -> Result<Facts, Unusable> {
        self.inner.facts()
    }

    fn prepare(&self, schema: &Arc<Schema>) -> Result<(), Unusable> {
        self.inner.prepare(schema)
    }

    fn cleanup(&self) -> Result<Vec<String>, Unusable> {
        self.inner.cleanup()
    }

    fn plan_of_objects(&self, schema: &Schema) -> Vec<String> {
        self.inner.plan_of_objects(schema)
    }

    fn connect(&self, who: SessionId, schema: &Arc<Schema>) -> Result<Box<dyn Session>, Unusable> {
        let inner = self.inner.connect(who, schema)?;
        let layout = self.layouts.of(schema);
        if let Some(inside) = self.inside.as_ref().filter(|inside| !inside.is_open()) {
            inside.open(self.inner.connect(OTHER, schema)?);
        }
        Ok(Box::new(CorruptSession {
            inner,
            layout,
            liar: Arc::clone(&self.liar),
            inside: self.inside.clone(),
            in_transaction: false,
        }))
    }

    fn gone(&self, who: &Identity) -> Gone {
        self.inner.gone(who)
    }

    fn stalled(&self, who: &Identity, ours: &[u64]) -> Option<Stall> {
        self.inner.stalled(who, ours)
    }

    fn pooler(&self) -> Option<String> {
        self.inner.pooler()
    }

    fn incarnation(&self) -> Result<String, Unusable> {
        self.inner.incarnation()
    }

    fn text(&self, schema: &Schema, request: &Request<'_>) -> Vec<String> {
        self.inner.text(schema, request)
    }

    fn prerender(&self, schema: &Schema, request: &Request<'_>) -> Option<Rendered> {
        self.inner.prerender(schema, request)
    }

    fn renderer(&self, schema: &Schema) -> Renderer {
        self.inner.renderer(schema)
    }

    fn upstream(&self) -> Result<Option<Upstream>, Unusable> {
        self.inner.upstream()
    }

    fn control(&self) -> Option<Arc<dyn Control>> {
        self.inner.control()
    }

    fn lies(&self) -> BTreeMap<String, u64> {
        let mut told = self.inner.lies();
        told.extend(self.liar.told());
        told
    }
}

struct CorruptSession {
    inner: Box<dyn Session>,
    layout: Arc<Layout>,
    liar: Arc<Liar>,
    inside: Option<Arc<Inside>>,
    in_transaction: bool,
}

/// The step of a request that is one.
fn step_of<'a>(request: &Request<'a>) -> Option<&'a Step> {
    match request {
        Request::Step(step) => Some(step),
        Request::Stamped { steps: [step], .. } => Some(step),
        _ => None,
    }
}

impl Session for CorruptSession {
    fn execute(&mut self, at: Address, request: &Request<'_>, deadline: Duration) -> Executed {
        if let (Some(inside), false, Some(Step::Read(query))) =
            (&self.inside, self.in_transaction, step_of(request))
        {
            let stamp = match request {
                Request::Stamped { stamp, .. } => Some(*stamp),
                _ => None,
            };
            inside.meddle(&self.liar, &self.layout, at, query, stamp, deadline);
        }
        let mut executed = self.inner.execute(at, request, deadline);
        match request {
            Request::Begin { .. } => self.in_transaction = true,
            Request::Commit | Request::Rollback => self.in_transaction = false,
            Request::Step(_) | Request::Stamped { .. } => {}
        }
        for flaw in ORDER {
            if !self.liar.wants(*flaw, at) {
                continue;
            }
            let choice = self.liar.choice(*flaw, at, 1);
            let step = step_of(request);
            let lie = match (step, &executed.answer) {
                (Some(Step::Write(_)), Answer::Affected(n))
                    if *flaw == Flaw::WrongCount && matches!(request, Request::Step(_)) =>
                {
                    Some(Answer::Affected(n + 1))
                }
                (Some(Step::Write(_)), Answer::Affected(n))
                    if *flaw == Flaw::ConditionDenied && request.condition().is_some() =>
                {
                    Some(Answer::Affected(u64::from(*n == 0)))
                }
                (Some(Step::Read(query)), Answer::Rows(rows)) => {
                    let table = self.layout.table(query.table);
                    damage::damaged(*flaw, choice, table, query, rows).map(Answer::Rows)
                }
                _ => None,
            };
            if let Some(lie) = lie {
                self.liar.tell(*flaw, 1);
                executed.answer = lie;
                break;
            }
        }
        executed
    }

    fn replay(&mut self, rendered: &Rendered, deadline: Duration) -> Answer {
        self.inner.replay(rendered, deadline)
    }

    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    fn cancel(&self) -> Option<Arc<dyn Cancel>> {
        self.inner.cancel()
    }

    fn broken(&self) -> bool {
        self.inner.broken()
    }
}
