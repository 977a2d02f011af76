//! The brute-force twin: every order of the groups that their windows allow, on a plain map of names (W2).

use crate::parallel::binding::bound;
use crate::parallel::{Model, POSTGRES};
use history::parallel::{
    Answer, At, Effect, Family, Name, Object, ObjectId, ObjectKind, Op, Said, Space, Statement, Target,
    TxState,
};
use history::{SessionId, Span, Tick};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A statement of the twin's little language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Create(usize),
    View(usize, usize),
    Drop(usize),
    Rename(usize, usize),
}

/// One autocommit statement: acknowledged, or unknown.
#[derive(Debug, Clone)]
struct Piece {
    what: What,
    id: ObjectId,
    span: (u64, u64),
    known: bool,
}

/// The state of a real database of that language: names, and who needs whom.
#[derive(Debug, Clone, Default)]
struct World {
    names: BTreeMap<usize, ObjectId>,
    needs: BTreeMap<ObjectId, ObjectId>,
}

impl World {
    /// Does it, if it can be done.
    fn apply(&mut self, piece: &Piece) -> bool {
        match piece.what {
            What::Create(name) => self.names.insert(name, piece.id).is_none(),
            What::View(name, on) => {
                let Some(needed) = self.names.get(&on).copied() else {
                    return false;
                };
                self.needs.insert(piece.id, needed);
                self.names.insert(name, piece.id).is_none()
            }
            What::Drop(name) => {
                let Some(root) = self.names.get(&name).copied() else {
                    return false;
                };
                let mut gone = BTreeSet::from([root]);
                loop {
                    let more: Vec<ObjectId> = self
                        .needs
                        .iter()
                        .filter(|(id, needed)| gone.contains(needed) && !gone.contains(id))
                        .map(|(id, _)| *id)
                        .collect();
                    if more.is_empty() {
                        break;
                    }
                    gone.extend(more);
                }
                self.names.retain(|_, id| !gone.contains(id));
                true
            }
            What::Rename(from, to) if from == to => false,
            What::Rename(from, to) => {
                let Some(id) = self.names.remove(&from) else {
                    return false;
                };
                self.names.insert(to, id).is_none()
            }
        }
    }
}

/// What each name may mean at some moment of the span, over all orders; `None` where no order can be.
fn every_order(pieces: &[Piece], span: (u64, u64)) -> Option<Vec<BTreeSet<Option<ObjectId>>>> {
    let mut seen = vec![BTreeSet::new(); NAMES.len()];
    let mut any = false;
    for subset in 0..1u32 << pieces.len() {
        let chosen: Vec<&Piece> = pieces
            .iter()
            .enumerate()
            .filter(|(i, _)| subset & (1 << i) != 0)
            .map(|(_, p)| p)
            .collect();
        if pieces
            .iter()
            .enumerate()
            .any(|(i, p)| p.known && subset & (1 << i) == 0)
        {
            continue;
        }
        let mut moments = Vec::new();
        orders(
            &chosen,
            &mut Vec::new(),
            &World::default(),
            span,
            &mut moments,
            &mut |moments| {
                any = true;
                for world in moments {
                    for (name, set) in seen.iter_mut().enumerate() {
                        set.insert(world.names.get(&name).copied());
                    }
                }
            },
        );
    }
    any.then_some(seen)
}

/// Extends an order by each piece that may come next; `moments` are the states in which the span's reader may look.
fn orders(
    chosen: &[&Piece],
    done: &mut Vec<usize>,
    world: &World,
    span: (u64, u64),
    moments: &mut Vec<World>,
    found: &mut dyn FnMut(&[World]),
) {
    let rest = |i: &usize| !done.contains(i);
    let remaining: Vec<usize> = (0..chosen.len()).filter(rest).collect();
    // A reader may look now if what must come before it has, and what must come after it has not.
    let looks = remaining.iter().all(|i| !ends_before(chosen[*i], span.0))
        && done.iter().all(|i| chosen[*i].span.0 < span.1);
    if looks {
        moments.push(world.clone());
    }
    if remaining.is_empty() {
        found(moments);
    }
    for i in &remaining {
        let first = remaining
            .iter()
            .all(|j| i == j || !ends_before(chosen[*j], chosen[*i].span.0));
        let mut next = world.clone();
        if first && next.apply(chosen[*i]) {
            done.push(*i);
            orders(chosen, done, &next, span, moments, found);
            done.pop();
        }
    }
    if looks {
        moments.pop();
    }
}

/// An unknown piece has no end.
fn ends_before(piece: &Piece, tick: u64) -> bool {
    piece.known && piece.span.1 < tick
}

/// Tells the model the same history; gives it with the reader's span open.
fn told(pieces: &[Piece]) -> Model {
    let mut model = Model::new(&POSTGRES);
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        events.push((piece.span.0, true, i));
        events.push((piece.span.1, false, i));
    }
    events.sort_unstable();
    for i in 0..pieces.len() {
        model.opened(session(i), 1, Tick(0));
    }
    for (tick, sent, i) in events {
        if sent {
            let op = op(&pieces[i], i, pieces);
            model.sent(
                &Arc::new(op),
                &Arc::from(format!("{:?}", pieces[i].what)),
                Tick(tick),
            );
            continue;
        }
        let said = if pieces[i].known {
            Said::Done {
                tag: String::new(),
                affected: None,
                rows: None,
            }
        } else {
            Said::Unknown {
                code: String::new(),
                text: "lost".to_owned(),
            }
        };
        let answer = Answer {
            said,
            state: TxState::Idle,
        };
        let judged = model.answered(session(i), Tick(tick), &answer);
        let lost = !pieces[i].known;
        let fine = lost || judged.explained == history::parallel::Explained::Done;
        assert!(
            fine,
            "{}{:#?}",
            pieces.iter().map(|p| format!("{p:?}\n")).collect::<String>(),
            judged.explained
        );
    }
    model
}

fn session(i: usize) -> SessionId {
    SessionId(u16::try_from(i + 1).expect("few"))
}

fn name(i: usize) -> Name {
    Name::home(Space::Relation, NAMES[i])
}

fn op(piece: &Piece, i: usize, pieces: &[Piece]) -> Op {
    let at = At {
        session: session(i),
        op: 1,
    };
    let mut op = Op::new(at, "test", Family::Ddl, Statement::Verbatim("".into()));
    // Whoever the drawer means: any object that was ever made under the name.
    let means = |n: usize| {
        let maker = pieces
            .iter()
            .find(|p| matches!(p.what, What::Create(m) | What::View(m, _) if m == n));
        Target::Object {
            object: maker.map_or(
                ObjectId {
                    kind: ObjectKind::Table,
                    number: 7,
                },
                |p| p.id,
            ),
            name: name(n),
        }
    };
    match piece.what {
        What::Create(n) | What::View(n, _) => {
            let slot = op.slot(Target::New {
                object: piece.id,
                name: name(n),
            });
            let mut object = Object::new(piece.id, name(n));
            if let What::View(_, on) = piece.what {
                let target = means(on);
                let Target::Object { object: needed, .. } = target else {
                    panic!("a target");
                };
                object.depends.insert(needed);
                op.slot(target);
            }
            op.effects.push(Effect::Create(slot, Box::new(object)));
        }
        What::Drop(n) => {
            let slot = op.slot(means(n));
            op.effects.push(Effect::Remove { slot, cascade: true });
        }
        What::Rename(from, to) => {
            let slot = op.slot(means(from));
            let to = op.slot(Target::Free(name(to)));
            op.effects.push(Effect::Rename { slot, to });
        }
    }
    op
}

/// A small generator of numbers: the tests' own.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % n as u64).expect("small")
    }
}

fn history(seed: u64) -> (Vec<Piece>, (u64, u64)) {
    let mut numbers = Numbers(seed);
    for _ in 0..3 {
        numbers.below(2);
    }
    let count = 2 + numbers.below(3);
    let mut ticks: Vec<u64> = (1..=2 * count as u64 + 2).collect();
    for i in (1..ticks.len()).rev() {
        ticks.swap(i, numbers.below(i + 1));
    }
    // Half of the histories begin with an object that is surely there.
    let mut spans: Vec<(u64, u64)> = ticks
        .chunks(2)
        .map(|c| (c[0].min(c[1]) + 2, c[0].max(c[1]) + 2))
        .collect();
    let reader = spans.pop().expect("one more than the pieces");
    spans.sort_unstable();
    spans[0] = (1, 2);
    let pieces = spans
        .into_iter()
        .enumerate()
        .map(|(i, span)| {
            let (a, b) = (numbers.below(3), numbers.below(3));
            let what = match numbers.below(if i == 0 { 1 } else { 6 }) {
                0 => What::Create(a),
                1 | 2 => What::Drop(a),
                3 => What::View(a, b),
                _ => What::Rename(a, b),
            };
            let kind = match what {
                What::View(..) => ObjectKind::View,
                _ => ObjectKind::Table,
            };
            let at = At {
                session: session(i),
                op: 1,
            };
            Piece {
                what,
                id: ObjectId::made(kind, at, 0),
                span,
                known: i == 0 || numbers.below(5) > 0,
            }
        })
        .collect();
    (pieces, reader)
}

#[test]
fn what_some_order_allows_the_model_allows() {
    let (mut judged, mut narrow) = (0, 0);
    for seed in 0..6000 {
        let (pieces, reader) = history(seed);
        let Some(possible) = every_order(&pieces, reader) else {
            continue;
        };
        let span = Span {
            sent: Tick(reader.0),
            answered: Tick(reader.1),
        };
        let model = told(&pieces);
        for (n, set) in possible.iter().enumerate() {
            let binding = bound(&model.facts, &model.groups, &name(n), span, SessionId(99));
            for meaning in set {
                let allowed = match meaning {
                    Some(id) => binding.objects.contains(id),
                    None => binding.can_lack,
                };
                assert!(
                    allowed,
                    "seed {seed}: {} may be {meaning:?} in {reader:?}, the model says {:?}, nobody {}\n{}",
                    NAMES[n],
                    binding.objects,
                    binding.can_lack,
                    pieces.iter().map(|p| format!("{p:?}\n")).collect::<String>()
                );
            }
            let meanings = binding.objects.len() + usize::from(binding.can_lack);
            judged += 1;
            narrow += usize::from(meanings == set.len());
        }
    }
    assert!(judged > 1500, "too few histories can be: {judged}");
    assert!(
        narrow * 10 > judged * 8,
        "the model knows too little: {narrow} of {judged} as exact as the twin"
    );
}
