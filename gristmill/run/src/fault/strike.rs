//! A fault meets a statement: written down, made known as a witness, armed or ordered.

use super::kind::{FaultKind, Needs};
use super::line::Due;
use super::order::{Order, carry_out};
use super::proxy::Cut;
use super::{Faults, Schedule};
use crate::RunError;
use crate::world::World;
use history::log::{What, When};
use history::{Address, SessionId};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A fault that was armed for the statement that is about to be sent.
pub(crate) struct Struck(FaultKind);

impl Struck {
    /// Whether it is done to the server as a whole.
    pub(crate) fn is_whole(&self) -> bool {
        is_whole(self.0)
    }
}

/// Whether it is done to the server as a whole.
fn is_whole(kind: FaultKind) -> bool {
    matches!(kind.fault().needs, Needs::Kill | Needs::Maintain(_))
}

impl Faults {
    /// Arms what the schedule has for this statement, if anything.
    pub(crate) fn before(
        &self,
        world: &World,
        who: SessionId,
        address: Address,
        ends: bool,
    ) -> Result<Option<Struck>, RunError> {
        if self.schedule.is_empty() || self.off.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let Some(kind) = Schedule::at(&self.schedule, address, ends) else {
            return Ok(None);
        };
        let due = Due { kind, who, address };
        if is_whole(kind) && !self.line.enter(due) {
            return Ok(Some(Struck(kind)));
        }
        self.strike(world, due)?;
        Ok(Some(Struck(kind)))
    }

    /// What was done to the server as a whole is over: the next one's turn, unless the load was ended before its end.
    pub(super) fn next_whole(&self, world: &World) -> Result<(), RunError> {
        if world.turnstile.was_cut_short() || world.is_over() {
            self.line.disperse();
        }
        match self.line.leave() {
            Some(due) => self.strike(world, due),
            None => Ok(()),
        }
    }

    /// Writes it down, makes it known, arms or orders it.
    fn strike(&self, world: &World, due: Due) -> Result<(), RunError> {
        let Due { kind, who, address } = due;
        let when = if kind.after_send() {
            When::AfterSend
        } else {
            When::BeforeSend
        };
        let detail = self.detail(who);
        let tick = world.log(
            self.session(),
            What::Fault {
                at: address,
                when,
                name: kind.name().to_owned(),
                detail,
            },
        )?;
        self.count(kind);
        let life = &self.lives[usize::from(who.0)];
        let now = self.clock.ns().max(1);
        let proxy = self.proxies.get(&who.0);
        match (kind, proxy) {
            (FaultKind::CutBeforeCommit | FaultKind::Cut, Some(proxy)) => {
                life.struck_ns.store(now, Ordering::SeqCst);
                proxy.arm(Cut::Before);
            }
            (FaultKind::CutAfterCommit, Some(proxy)) => {
                life.struck_ns.store(now, Ordering::SeqCst);
                proxy.arm(Cut::After);
            }
            (FaultKind::Delay, Some(proxy)) => proxy.delay(self.deadline / 20),
            (FaultKind::Stall, Some(proxy)) => {
                life.struck_ns.store(now, Ordering::SeqCst);
                proxy.stall();
            }
            (FaultKind::Cancel, _) => {
                life.cancelled_ns.store(now, Ordering::SeqCst);
                self.order(world, Order::Cancel(who))?;
            }
            (FaultKind::Terminate, _) => {
                life.struck_ns.store(now, Ordering::SeqCst);
                self.order(world, Order::Terminate(who))?;
            }
            (FaultKind::Kill, _) => {
                self.kills_pending.fetch_add(1, Ordering::SeqCst);
                self.kills.lock().push(tick);
                self.order(world, Order::Kill)?;
            }
            (FaultKind::Restart | FaultKind::Flush | FaultKind::Compact | FaultKind::Repair, _) => {
                if kind == FaultKind::Restart {
                    self.kills_pending.fetch_add(1, Ordering::SeqCst);
                }
                let Needs::Maintain(what) = kind.fault().needs else {
                    panic!("{kind} is done to the server's files")
                };
                self.order(world, Order::Maintain(what))?;
            }
            (FaultKind::Index | FaultKind::Alter, _) => panic!("{kind} is a visit and strikes no other"),
            (kind, None) => panic!("a plan with {kind} has a proxy for each session"),
        }
        Ok(())
    }

    /// The statement has been answered, or given up: what was armed and did not happen is taken back.
    pub(crate) fn after(&self, who: SessionId, struck: Struck) {
        let Some(proxy) = self.proxies.get(&who.0) else {
            return;
        };
        match struck.0 {
            FaultKind::CutBeforeCommit | FaultKind::CutAfterCommit | FaultKind::Cut => {
                proxy.disarm();
            }
            FaultKind::Delay => proxy.delay(Duration::ZERO),
            FaultKind::Stall => proxy.release(),
            FaultKind::Cancel
            | FaultKind::Terminate
            | FaultKind::Kill
            | FaultKind::Restart
            | FaultKind::Flush
            | FaultKind::Compact
            | FaultKind::Repair
            | FaultKind::Index
            | FaultKind::Alter => {}
        }
    }

    /// Whether something is being done to the server as a whole, or is about to be.
    pub(crate) fn is_under_way(&self) -> bool {
        self.line.is_open()
    }

    /// Whether a fault of ours has the server down, or is about to.
    pub(crate) fn is_down(&self) -> bool {
        self.kills_pending.load(Ordering::SeqCst) > 0
    }

    /// In lock-step nobody else moves, so the fault is done at once; else by the thread that serves orders.
    fn order(&self, world: &World, order: Order) -> Result<(), RunError> {
        if world.baton.is_some() {
            return carry_out(world, order);
        }
        self.orders
            .send(order)
            .expect("the receiver lives as long as we do");
        Ok(())
    }

    fn detail(&self, who: SessionId) -> String {
        let server = self.lives[usize::from(who.0)].server.lock();
        server.as_ref().map_or_else(
            || format!("{who}, not connected"),
            |(identity, _)| {
                format!(
                    "{who}, server session {} of {}",
                    identity.process, identity.incarnation
                )
            },
        )
    }
}
