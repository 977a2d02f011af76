//! The parallel workload: what each session says next, drawn on the likely state of the schema.
//!
//! An action is a [`Kind`]: a name, a family, a weight, what it needs, and how it is drawn. [`Generator::draw`] is a pure
//! function of (plan, view, number): no clock, no order of rows, no object's number of the server enters it (P43).
//! Nothing here knows how a statement is written, or what came of one.
//!
//! * A1 a drawn op says all that its statement names; what may refuse its values is listed in it.
//! * A2 each family that the complexity has is in every block of [`BLOCK`] ops of a session.
//! * A3 where nothing fits, the op is `select-constant`: there is always one.

mod brush;
mod defects;
mod draw;
mod expression;
mod kinds;
mod naughty;
mod profile;
mod query;
mod registry;
mod rights;
mod script;
mod speech;
mod swarm;
#[cfg(test)]
mod tests;
mod values;

pub use defects::{DEFECTS, Defect, REFUSED_AND_DONE, avoided, shuns};
pub use kinds::{KINDS, Kind, Place};
pub use profile::{PROFILES, Profile};
pub use script::{SCRIPTED, Step};
pub use speech::{DUCKDB, Feature, MARIADB, POSTGRES, SQLITE, Speech};
pub use swarm::{silenced, swarm};

use brush::Brush;
use datagen::perm::Perm;
use datagen::stream::{Stream, draw as word};
use draw::{Draw, Purpose};
use history::SessionId;
use history::parallel::expr::Expr;
use history::parallel::statement::{Body, Query, Select};
use history::parallel::{
    Aim, At, Family, Ledger, ObjectId, ObjectKind, Op, Question, Space, Statement, Target, TxState, View,
};
use profile::{List, lists};
use registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many oracles stand beside a hundred other statements: below a fifth of the time (P49).
const ORACLES: u32 = 12;

/// Ops of a session in which every family comes once at least.
pub const BLOCK: u64 = 64;

/// How much of the workload there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Reads of what was prepared.
    Read,
    /// And writes.
    Dml,
    /// And everything that changes the schema.
    #[default]
    Ddl,
    /// Only what changes the schema.
    DdlOnly,
}

impl Complexity {
    /// How many of a hundred statements each family has (P49).
    fn shares(self) -> &'static [(Family, u32)] {
        match self {
            Self::Read => &[
                (Family::Read, 70),
                (Family::Fetch, 20),
                (Family::Session, 10),
                (Family::Oracle, ORACLES),
            ],
            Self::Dml => &[
                (Family::Read, 40),
                (Family::Fetch, 6),
                (Family::Write, 30),
                (Family::Dml, 20),
                (Family::Session, 4),
                (Family::Oracle, ORACLES),
            ],
            Self::Ddl => &[
                (Family::Read, 30),
                (Family::Fetch, 5),
                (Family::Write, 20),
                (Family::Dml, 15),
                (Family::Ddl, 22),
                (Family::Privileges, 5),
                (Family::Session, 2),
                (Family::Lifecycle, 2),
                (Family::Oracle, ORACLES),
            ],
            Self::DdlOnly => &[
                (Family::Ddl, 80),
                (Family::Privileges, 8),
                (Family::Session, 4),
                (Family::Lifecycle, 8),
                (Family::Oracle, ORACLES),
            ],
        }
    }
}

/// How many there may be of a thing: a limit of the plan, not of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Ceilings {
    /// Tables.
    pub tables: usize,
    /// Views.
    pub views: usize,
    /// Materialized views.
    pub materialized_views: usize,
    /// Indexes.
    pub indexes: usize,
    /// Schemas.
    pub schemas: usize,
    /// Sequences.
    pub sequences: usize,
    /// Roles.
    pub roles: usize,
    /// Functions.
    pub functions: usize,
    /// Triggers.
    pub triggers: usize,
    /// Types.
    pub types: usize,
    /// Columns of a table.
    pub columns: usize,
    /// Rows of a table that are inserted into it, deleted or not.
    pub rows: u64,
    /// Statements of a transaction.
    pub statements: u32,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            tables: 16,
            views: 16,
            materialized_views: 6,
            indexes: 24,
            schemas: 4,
            sequences: 6,
            roles: 5,
            functions: 6,
            triggers: 8,
            types: 5,
            columns: 12,
            rows: 1_000,
            statements: 10,
        }
    }
}

/// Whether the schema of each name is a slot, too. What was made in a schema while that was dropped may be believed to be there
/// for a while, and has no name that could be said.
fn is_sayable(op: &Op) -> bool {
    let there = |parent: ObjectId| {
        op.slots.iter().any(|slot| match slot {
            Target::Object { object, .. } | Target::New { object, .. } => *object == parent,
            _ => false,
        })
    };
    op.slots.iter().all(|slot| match slot {
        Target::Object { name, .. } | Target::New { name, .. } | Target::Free(name) => {
            let in_schema = matches!(name.space, Space::Relation | Space::Type | Space::Function);
            !in_schema || name.parent.is_none_or(there)
        }
        Target::Part { .. } => true,
    })
}

/// What the statements of a run are a function of, beside what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// What all names begin with.
    pub prefix: String,
    /// How much there is.
    pub complexity: Complexity,
    /// One op in so many fails on purpose where it can.
    pub aims: u64,
    /// How many there may be of things.
    pub ceilings: Ceilings,
    /// Weights of actions by name, instead of their own; 0: never.
    pub weights: BTreeMap<String, u32>,
    /// Sessions draw from the lists of the profile `reference`, one a block, instead of from families.
    pub lists: bool,
    /// Names are hard to write.
    pub naughty: bool,
    /// What this server cannot do, or does not let us do, although its like can.
    pub without: BTreeSet<Feature>,
    /// Known defects that it does not keep away from, by name.
    pub meet: Vec<String>,
    /// The server may die in mid-run: nobody asks for commits that it may lose then.
    pub durable: bool,
}

impl Plan {
    /// A plan with everything else as it is by default.
    pub fn new(seed: u64, prefix: &str, complexity: Complexity) -> Self {
        Self {
            seed,
            prefix: prefix.to_owned(),
            complexity,
            aims: 24,
            ceilings: Ceilings::default(),
            weights: BTreeMap::new(),
            lists: false,
            naughty: false,
            without: BTreeSet::new(),
            meet: Vec::new(),
            durable: false,
        }
    }

    fn weight(&self, kind: &Kind) -> u32 {
        self.weights.get(kind.name).copied().unwrap_or(kind.weight)
    }
}

/// The actions that a complexity has on a target, in the order of the catalogue.
pub fn actions(
    complexity: Complexity,
    speech: &'static Speech,
    without: &BTreeSet<Feature>,
) -> Vec<&'static Kind> {
    let shares = complexity.shares();
    let fits = |k: &&Kind| k.on(speech, without) && shares.iter().any(|(f, _)| *f == k.family);
    KINDS.iter().filter(fits).collect()
}

/// The actions that a target cannot do, by name.
pub fn left_out(speech: &'static Speech, without: &BTreeSet<Feature>) -> Vec<&'static str> {
    let cannot = KINDS.iter().filter(|k| !k.on(speech, without));
    cannot.map(|k| k.name).collect()
}

/// A card of the deck that is dealt to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Of(Family),
    /// The beginning or the end of a transaction.
    Bracket,
}

/// Draws the ops of one session.
#[derive(Debug)]
pub struct Generator {
    plan: Plan,
    speech: &'static Speech,
    registry: Registry,
    session: SessionId,
    kinds: Vec<&'static Kind>,
    deck: Vec<Card>,
    /// The lists that it draws from instead of the deck; empty: from the deck.
    lists: Vec<&'static List>,
}

/// A session that acts as another role is itself again after so many pieces of work, on the average.
const OTHER_ROLE: u64 = 12;

/// Cards of a block that begin or end transactions.
const BRACKETS: usize = 12;

impl Generator {
    /// A generator for a session. Session 0 prepares.
    pub fn new(plan: Plan, speech: &'static Speech, session: u16) -> Self {
        let kinds: Vec<_> = actions(plan.complexity, speech, &plan.without)
            .into_iter()
            .filter(|k| plan.weight(k) > 0 && !shuns(speech, &plan.meet, k.name))
            .collect();
        let deck = deck(plan.complexity.shares(), &kinds);
        let mut lists = match plan.lists {
            true => lists(plan.complexity),
            false => Vec::new(),
        };
        // A list of which the target has only settings says nothing.
        let says = |k: &&'static Kind, list: &List| {
            k.family != Family::Session && list.actions.iter().any(|(name, _)| *name == k.name)
        };
        lists.retain(|list| kinds.iter().any(|k| says(k, list)));
        Self {
            lists,
            registry: Registry::new(speech),
            plan,
            speech,
            session: SessionId(session),
            kinds,
            deck,
        }
    }

    /// The op with this number, from 1, drawn on what the session sees.
    pub fn draw(&self, view: &View, number: u64) -> Op {
        let at = self.at(number);
        let mut draw = Draw::new(self.plan.seed, at);
        let session = &view.session;
        if defects::must_roll_back(self.speech, &self.plan.meet, session) {
            return self
                .made("rollback", view, &draw)
                .expect("it can be said in a transaction");
        }
        if session.tx == TxState::Failed {
            if let Some(op) = self.after_failure(view, &mut draw) {
                return op;
            }
        } else if session.tx == TxState::Open && session.statements >= self.plan.ceilings.statements {
            return self.ends(view, &mut draw);
        } else if let Some(op) = self.first(view, &mut draw) {
            return op;
        }
        if session.role.is_some()
            && session.tx == TxState::Idle
            && draw.chance(Purpose::Kind, 1, OTHER_ROLE)
            && let Some(op) = self.made("reset-role", view, &draw)
        {
            return op;
        }
        if let Some(list) = self.list(number) {
            return self.listed(list, view, &mut draw);
        }
        if self.is_for_cursors(view, &mut draw) {
            return self.of(Family::Fetch, view, &mut draw);
        }
        match self.card(number) {
            Card::Bracket => self.bracket(view, &mut draw),
            Card::Of(family) => self.of(family, view, &mut draw),
        }
    }

    /// The op that ends the open transaction, where there is one.
    pub fn close(&self, view: &View, number: u64) -> Option<Op> {
        let draw = Draw::new(self.plan.seed, self.at(number));
        let name = match view.session.tx {
            TxState::Idle => return None,
            TxState::Open if !defects::must_roll_back(self.speech, &self.plan.meet, &view.session) => {
                "commit"
            }
            TxState::Open | TxState::Failed => "rollback",
        };
        Some(self.made(name, view, &draw).expect("both can always be said"))
    }

    /// The next op of the preparation: tables with rows, then a view and an index. `None`: there is enough.
    pub fn prepare(&self, view: &View, number: u64) -> Option<Op> {
        let draw = Draw::new(self.plan.seed, self.at(number));
        let catalog = &view.catalog;
        let empty = catalog.of(ObjectKind::Table).any(|t| t.rows == 0);
        let (ledgers, filled) = kinds::ledger::ledgers(catalog);
        let wanted = [
            (ledgers < Ledger::ALL.len(), "ledger-create"),
            (!filled, "ledger-fill"),
            (catalog.count(ObjectKind::Table) < 4 + ledgers, "create-table"),
            (empty, "insert"),
            (catalog.count(ObjectKind::View) < 2, "create-view"),
            (catalog.count(ObjectKind::Index) < 3, "create-index"),
        ];
        let wanted = wanted.iter().filter(|(yes, _)| *yes && number <= 40);
        wanted
            .filter_map(|(_, name)| {
                let mut draw = draw.clone();
                draw.next(Purpose::Kind);
                self.made(name, view, &draw)
            })
            .next()
    }

    fn at(&self, op: u64) -> At {
        At {
            session: self.session,
            op,
        }
    }

    /// The card that the op's place in its block is dealt.
    fn card(&self, number: u64) -> Card {
        let block = number / BLOCK;
        let key = word(
            self.plan.seed,
            Stream::Shuffle,
            &[
                u64::from(Stream::Parallel as u8),
                u64::from(self.session.0),
                block,
            ],
        );
        let cards = u64::try_from(self.deck.len()).expect("a deck is small");
        let at = Perm::new(key, cards).at(number % cards);
        self.deck[usize::try_from(at).expect("below the size of the deck")]
    }

    /// The list that a session draws the block of the op from: each session begins with another.
    fn list(&self, number: u64) -> Option<&'static List> {
        let lists = u64::try_from(self.lists.len()).expect("there are five");
        let at = (u64::from(self.session.0) + number / BLOCK).checked_rem(lists)?;
        Some(self.lists[usize::try_from(at).expect("below the number of lists")])
    }

    /// An op of a list of the reference, or an oracle; where nothing of it fits, of any.
    fn listed(&self, list: &'static List, view: &View, draw: &mut Draw) -> Op {
        if list.autocommit && view.session.tx == TxState::Open {
            return self.ends(view, draw);
        }
        if view.session.read_only {
            return match draw.chance(Purpose::Kind, 1, 4) {
                true => self.ends(view, draw),
                false => self.of(Family::Read, view, draw),
            };
        }
        let weight = |name: &str| list.actions.iter().find(|(n, _)| *n == name).map(|(_, w)| *w);
        let kinds: Vec<_> = self
            .kinds
            .iter()
            .filter_map(|kind| Some((weight(kind.name)?, *kind)))
            .collect();
        let all: u32 = kinds.iter().map(|(w, _)| w).sum::<u32>() + list.brackets;
        if draw.chance(Purpose::Kind, ORACLES.into(), u64::from(ORACLES) + 100) {
            return self.of(Family::Oracle, view, draw);
        }
        // A cursor is where a transaction is.
        let fetches = kinds
            .iter()
            .all(|(_, k)| matches!(k.family, Family::Fetch | Family::Session));
        let begins = fetches && view.session.tx == TxState::Idle;
        if begins || draw.chance(Purpose::Kind, list.brackets.into(), all.max(1).into()) {
            return self.bracket(view, draw);
        }
        let fits = kinds.iter().filter(|(_, k)| k.fits(view, self.speech));
        for _ in 0..8 {
            let kind = draw.weighted(Purpose::Kind, fits.clone().copied());
            if let Some(op) = kind.and_then(|kind| self.drawn(kind, view, draw.clone())) {
                return op;
            }
        }
        self.constant(view, draw)
    }

    /// A transaction in four begins with a cursor; where one is open, every second op is about it.
    fn is_for_cursors(&self, view: &View, draw: &mut Draw) -> bool {
        let has = self.kinds.iter().any(|k| k.family == Family::Fetch);
        if !has || view.session.tx != TxState::Open {
            return false;
        }
        match (view.session.cursors.is_empty(), view.session.statements) {
            (false, _) => draw.chance(Purpose::Kind, 1, 2),
            (true, 0) => draw.chance(Purpose::Kind, 1, 4),
            (true, _) => false,
        }
    }

    /// While there is little to work on, what makes something.
    fn first(&self, view: &View, draw: &mut Draw) -> Option<Op> {
        let creates = matches!(self.plan.complexity, Complexity::Ddl | Complexity::DdlOnly);
        let few =
            view.catalog.count(ObjectKind::Table) < self.plan.ceilings.tables.div_ceil(4) + Ledger::ALL.len();
        let never = self.plan.weights.get("create-table") == Some(&0);
        if !creates || never || !few || view.session.read_only || !draw.chance(Purpose::Kind, 1, 2) {
            return None;
        }
        self.made("create-table", view, draw)
    }

    /// In a failed transaction: its end, the way back to a savepoint, and now and then what must be refused.
    fn after_failure(&self, view: &View, draw: &mut Draw) -> Option<Op> {
        let name = match draw.below(Purpose::Kind, 20) {
            0 => return None,
            1..=8 if !view.session.savepoints.is_empty() => "rollback-to",
            9..=11 => "commit",
            _ => "rollback",
        };
        Some(
            self.made(name, view, draw)
                .expect("they can be said in a failed transaction"),
        )
    }

    fn ends(&self, view: &View, draw: &mut Draw) -> Op {
        let name = if draw.chance(Purpose::Kind, 3, 4) {
            "commit"
        } else {
            "rollback"
        };
        self.made(name, view, draw)
            .expect("they can be said in a transaction")
    }

    fn bracket(&self, view: &View, draw: &mut Draw) -> Op {
        let name = match (view.session.tx, draw.below(Purpose::Kind, 12)) {
            (TxState::Idle, _) => "begin",
            (_, 0..=4) => "commit",
            (_, 5 | 6) => "rollback",
            (_, 7 | 8) => "savepoint",
            (_, 9) => "release",
            _ => "rollback-to",
        };
        self.made(name, view, draw)
            .unwrap_or_else(|| match view.session.tx {
                TxState::Idle => self.constant(view, draw),
                _ => self.ends(view, draw),
            })
    }

    /// An op of the family; where none of it fits, of any.
    fn of(&self, family: Family, view: &View, draw: &mut Draw) -> Op {
        let family = match view.session.read_only {
            true => Family::Read,
            false => family,
        };
        let fits = |k: &&&'static Kind| k.fits(view, self.speech) && k.weight > 0;
        for tried in 0..8 {
            let in_family = |k: &&&'static Kind| tried == 7 || k.family == family;
            let kinds = self.kinds.iter().filter(fits).filter(in_family);
            let Some(kind) = draw.weighted(Purpose::Kind, kinds.map(|k| (self.plan.weight(k), *k))) else {
                continue;
            };
            if view.session.read_only
                && !matches!(
                    kind.family,
                    Family::Read | Family::Fetch | Family::Session | Family::Oracle
                )
            {
                continue;
            }
            if let Some(op) = self.drawn(kind, view, draw.clone()) {
                return op;
            }
        }
        self.constant(view, draw)
    }

    /// An op of the action with that name, if the target has it and it finds what it needs.
    fn made(&self, name: &str, view: &View, draw: &Draw) -> Option<Op> {
        let kind = KINDS.iter().find(|k| k.name == name).expect("it is an action");
        let can = kind.on(self.speech, &self.plan.without) && kind.fits(view, self.speech);
        can.then(|| self.drawn(kind, view, draw.clone())).flatten()
    }

    fn drawn(&self, kind: &'static Kind, view: &View, draw: Draw) -> Option<Op> {
        let op = Op::new(self.at(0), kind.name, kind.family, nothing());
        let op = Op { at: draw.at(), ..op };
        let mut brush = Brush::new(view, self.speech, &self.plan, &self.registry, draw, op);
        let statement = (kind.draw)(&mut brush)?;
        let bold = view.session.role.is_some() && brush.draw.chance(Purpose::Aim, 2, self.plan.aims);
        let mut op = brush.finish(statement);
        if !is_sayable(&op) {
            return None;
        }
        if let Some(role) = view.session.role {
            match rights::lacking(&view.catalog, role, &op) {
                Some(slot) if bold && op.aim.is_none() => {
                    let question = Question::Lacks;
                    op.aim = Some(Aim { question, slot });
                }
                Some(_) => return None,
                None => {}
            }
            rights::surely_needed(role, &mut op);
        }
        if view.session.tx == TxState::Failed && op.frame().is_none() {
            op.aim = Some(Aim {
                question: Question::FailedTransaction,
                slot: 0,
            });
        }
        Some(op)
    }

    fn constant(&self, view: &View, draw: &Draw) -> Op {
        self.made("select-constant", view, draw)
            .expect("it needs nothing")
    }
}

/// `SELECT 1`
fn nothing() -> Statement {
    let select = Select {
        distinct: false,
        outputs: vec![Expr::int(1)],
        from: None,
        filter: None,
        group: Vec::new(),
        having: None,
    };
    Statement::Query(Box::new(Query {
        with: Vec::new(),
        body: Body::Select(Box::new(select)),
        order: Vec::new(),
        limit: None,
        offset: None,
        lock: None,
    }))
}

/// The cards of a block: each family that has actions as often as its share says, and once at least.
fn deck(shares: &[(Family, u32)], kinds: &[&'static Kind]) -> Vec<Card> {
    let size = usize::try_from(BLOCK).expect("a block is small");
    let there = shares
        .iter()
        .filter(|(f, _)| kinds.iter().any(|k| k.family == *f && k.weight > 0));
    let total: usize = there.clone().map(|(_, s)| *s as usize).sum();
    let mut cards = vec![Card::Bracket; BRACKETS];
    for (family, share) in there.clone() {
        let n = (*share as usize * (size - BRACKETS) / total.max(1)).max(1);
        cards.extend(std::iter::repeat_n(Card::Of(*family), n));
    }
    let most = there
        .max_by_key(|(_, s)| *s)
        .map_or(Card::Bracket, |(f, _)| Card::Of(*f));
    while cards.len() < size {
        cards.push(most);
    }
    cards.truncate(size);
    cards
}
