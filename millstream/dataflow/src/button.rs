//! Shutting a dataflow down on all workers before any of them lets go.
//!
//! Why: if one worker dropped its capabilities while another still ran, the other's operators would see
//! the first one's part of the frontier vanish and take as complete what was never sent.
//!
//! 1. A button is built together on all workers, at an operator's address; a press reaches all of them.
//! 2. A worker that pressed, while another has not, does nothing at all: it keeps its capabilities and
//!    leaves its input where it is (undrained messages hold the frontier too).
//! 3. Only when all have pressed are capabilities and tasks dropped and inputs drained.

use std::cell::RefCell;
use std::rc::Rc;

use timely::communication::{Pull, Push};
use timely::dataflow::Scope;
use timely::dataflow::channels::Message;
use timely::progress::Stamp;

use crate::Mutant;

type Signal = Message<u64, Vec<bool>>;

/// How far the shutdown of an operator has come on this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not pressed here: work.
    Running,
    /// Pressed here, not yet everywhere: do nothing.
    Wedged,
    /// Pressed everywhere: let go.
    Down,
}

/// The operator's half.
pub(crate) struct Button {
    shared: Rc<RefCell<Shared>>,
    puller: Box<dyn Pull<Signal>>,
    presses_seen: usize,
    peers: usize,
    mutant: Mutant,
}

struct Shared {
    pressed: bool,
    pushers: Vec<Box<dyn Push<Signal>>>,
}

/// The owner's half: presses when told to or when dropped.
#[must_use = "dropping it shuts the operator down"]
pub(crate) struct Press(Rc<RefCell<Shared>>, Mutant);

impl Button {
    /// A button for the operator at `address`; every worker must build it at the same place.
    pub(crate) fn new(scope: Scope<'_, u64>, address: &Rc<[usize]>, mutant: Mutant) -> (Button, Press) {
        let worker = scope.worker();
        let (pushers, puller) = worker.allocate::<Signal>(worker.new_identifier(), Rc::clone(address));
        let shared = Rc::new(RefCell::new(Shared {
            pressed: false,
            pushers,
        }));
        let press = Press(Rc::clone(&shared), mutant);
        (
            Button {
                shared,
                puller,
                presses_seen: 0,
                peers: worker.peers(),
                mutant,
            },
            press,
        )
    }

    /// Takes in the presses that arrived and tells where the shutdown stands.
    pub(crate) fn phase(&mut self) -> Phase {
        while self.puller.pull().take().is_some() {
            self.presses_seen += 1;
        }
        let pressed = self.shared.borrow().pressed;
        if self.presses_seen == self.peers || (pressed && self.mutant == Mutant::LocalPressDrops) {
            Phase::Down
        } else if pressed {
            Phase::Wedged
        } else {
            Phase::Running
        }
    }
}

impl Press {
    /// Presses; again is harmless.
    pub(crate) fn press(&self) {
        let mut shared = self.0.borrow_mut();
        if !std::mem::replace(&mut shared.pressed, true) {
            if self.1 == Mutant::PressWakesNobody {
                return;
            }
            for pusher in &mut shared.pushers {
                pusher.push(&mut Some(Message::new(Stamp::from_elem(0), vec![true])));
                pusher.push(&mut None);
            }
        }
    }
}

impl Drop for Press {
    fn drop(&mut self) {
        self.press();
    }
}
