//! The oracle of index against table takes a transaction: scans are switched off in it where they can be, the oracle asks,
//! and the plan that it was answered by is shown, which proves that the index was used.

use super::Generator;
use super::draw::Draw;
use history::parallel::expr::Word;
use history::parallel::statement::{Session, Transaction};
use history::parallel::{Effect, Family, FrameOp, Op, Statement, View};

/// The oracle that begins a script when it is drawn outside of a transaction.
pub const SCRIPTED: &str = "oracle-index";

/// The setting that keeps a planner from scans, where there is one.
const SCANS: &str = "enable_seqscan";

/// The next statement of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The transaction.
    Begin,
    /// The planner's setting.
    Prefer,
    /// The oracle.
    Ask,
    /// Its plan.
    Plan,
    /// The end.
    End,
}

impl Step {
    /// What comes after it.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Begin => Some(Self::Prefer),
            Self::Prefer => Some(Self::Ask),
            Self::Ask => Some(Self::Plan),
            Self::Plan => Some(Self::End),
            Self::End => None,
        }
    }
}

impl Generator {
    /// The step's op, drawn on what the session sees; `asked` is the one of [`Step::Ask`]. `None`: the step has nothing to say.
    pub fn step(&self, step: Step, view: &View, number: u64, asked: Option<&Op>) -> Option<Op> {
        let at = self.at(number);
        match step {
            Step::Begin => {
                let (level, read_only) = (None, false);
                let begin = Statement::Transaction(Transaction::Begin { level, read_only });
                let mut op = Op::new(at, "begin", Family::Session, begin);
                op.effects
                    .push(Effect::Frame(FrameOp::Begin { level, read_only }));
                Some(op)
            }
            Step::Prefer => self.speech.settings.iter().any(|s| s.name == SCANS).then(|| {
                let set = Session::Set {
                    name: Word::Borrowed(SCANS),
                    value: Word::Borrowed("off"),
                    local: true,
                };
                Op::new(at, "set", Family::Session, Statement::Session(set))
            }),
            Step::Ask => self.made(SCRIPTED, view, &Draw::new(self.plan.seed, at)),
            Step::Plan => asked.map(|asked| Op {
                at,
                kind: Word::Borrowed("oracle-index-plan"),
                ast: Statement::Explain {
                    analyze: false,
                    of: Box::new(asked.ast.clone()),
                },
                ..asked.clone()
            }),
            Step::End => self.close(view, number),
        }
    }
}
