//! Faults: events of the history by a session of their own.
//!
//! A fault is anchored to a statement by an addressed draw, or by hand (F26); never to a moment. What needs the session's
//! own connection (a cut, a delay, a stall) is armed in the session's proxy; what is done to the server or to a running
//! statement (cancel, terminate, kill) is ordered from a thread of its own, so that it meets the statement under way.
//!
//! Invariants:
//! * V1 a fault is in the log before it is done.
//! * V2 whatever a session is refused because of a fault finds it as its witness: the fault is known before it is done, and
//!   stays known for as long as the connection that it hit.
//! * V3 what a plan does to the server as a whole is done one at a time, and none is left out while the load goes on: it
//!   waits for its turn, and so does the session that it struck.

pub(crate) mod kind;
mod line;
mod order;
pub mod proxy;
mod schedule;
mod strike;

pub use kind::{FAULTS, Fault, FaultKind, Needs};
pub(crate) use order::serve;
pub(crate) use schedule::Schedule;

use crate::clock::Clock;
use crossbeam_channel::{Receiver, Sender};
use history::{SessionId, Tick};
use line::Line;
use order::Order;
use parking_lot::Mutex;
use proxy::Proxy;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use targets::{Cancel, Identity};

/// Every fault of a run, and what they are known to have done.
pub(crate) struct Faults {
    clock: Clock,
    schedule: Schedule,
    proxies: BTreeMap<u16, Proxy>,
    lives: Vec<Life>,
    /// When something last befell every session at once (nanoseconds; 0: never).
    all_ns: AtomicU64,
    /// Kills that were ordered and whose server is not up again.
    kills_pending: AtomicU64,
    /// What is being done to the server as a whole, and what waits for its turn.
    line: Line,
    kills: Mutex<Vec<Tick>>,
    done: Mutex<BTreeMap<String, u64>>,
    orders: Sender<Order>,
    inbox: Receiver<Order>,
    deadline: Duration,
    off: AtomicBool,
}

/// A server session, and how to cancel what it does.
type Server = (Identity, Option<Arc<dyn Cancel>>);

/// What is known of one session's connection.
#[derive(Default)]
struct Life {
    connected_ns: AtomicU64,
    /// When its connection was last cut, held up or terminated by us.
    struck_ns: AtomicU64,
    /// When a cancel request for it was last sent.
    cancelled_ns: AtomicU64,
    server: Mutex<Option<Server>>,
}

/// Faults that may explain what a session met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) cancel: bool,
    pub(crate) connection: bool,
}

/// A cancel request that was delivered may strike a later statement; this long it is a witness.
const CANCEL_LINGERS_NS: u64 = 2_000_000_000;

impl Faults {
    /// The faults of a schedule over so many sessions; with a proxy for each where the schedule needs them.
    pub(crate) fn new(
        clock: Clock,
        schedule: Schedule,
        proxies: BTreeMap<u16, Proxy>,
        sessions: u16,
        deadline: Duration,
    ) -> Faults {
        let (orders, inbox) = crossbeam_channel::unbounded();
        Faults {
            clock,
            schedule,
            proxies,
            lives: (0..=sessions).map(|_| Life::default()).collect(),
            all_ns: AtomicU64::new(0),
            kills_pending: AtomicU64::new(0),
            line: Line::default(),
            kills: Mutex::new(Vec::new()),
            done: Mutex::new(BTreeMap::new()),
            orders,
            inbox,
            deadline,
            off: AtomicBool::new(false),
        }
    }

    /// Nothing strikes any more.
    pub(crate) fn turn_off(&self) {
        self.off.store(true, Ordering::SeqCst);
    }

    /// The session that a fault's events belong to: the one after the last client.
    fn session(&self) -> SessionId {
        SessionId(u16::try_from(self.lives.len()).expect("sessions are numbered in 16 bits"))
    }

    /// What was done in earlier lives of the worker.
    pub(crate) fn restore(&self, done: &BTreeMap<String, u64>, kills: &[Tick]) {
        self.done
            .lock()
            .extend(done.iter().map(|(name, n)| (name.clone(), *n)));
        self.kills.lock().extend(kills);
    }

    /// A session has a connection, which it began to open at `began_ns`.
    pub(crate) fn connected(
        &self,
        who: SessionId,
        began_ns: u64,
        identity: &Identity,
        cancel: Option<Arc<dyn Cancel>>,
    ) {
        let life = &self.lives[usize::from(who.0)];
        life.connected_ns.store(began_ns, Ordering::SeqCst);
        *life.server.lock() = Some((identity.clone(), cancel));
    }

    /// A session dropped its connection.
    pub(crate) fn disconnected(&self, who: SessionId) {
        *self.lives[usize::from(who.0)].server.lock() = None;
    }

    /// The server session that a session has by now, struck from now on. Since an order was given the session may have lost its
    /// connection and opened another one, which then is the one that is hit (V2).
    fn aim_at(&self, who: SessionId) -> Option<Identity> {
        let life = &self.lives[usize::from(who.0)];
        let server = life.server.lock();
        let (identity, _) = server.as_ref()?;
        life.struck_ns.store(self.clock.ns(), Ordering::SeqCst);
        Some(identity.clone())
    }

    /// What we did to this session since its connection was opened, or to a statement of it lately.
    pub(crate) fn witness(&self, who: SessionId, began_ns: u64) -> Witness {
        let life = &self.lives[usize::from(who.0)];
        let struck = life
            .struck_ns
            .load(Ordering::SeqCst)
            .max(self.all_ns.load(Ordering::SeqCst));
        let cancelled = life.cancelled_ns.load(Ordering::SeqCst);
        Witness {
            cancel: cancelled > 0 && cancelled + CANCEL_LINGERS_NS >= began_ns,
            connection: self.kills_pending.load(Ordering::SeqCst) > 0
                || (struck > 0 && struck >= life.connected_ns.load(Ordering::SeqCst)),
        }
    }

    /// The server processes of this run's sessions.
    pub(crate) fn processes(&self) -> Vec<u64> {
        let servers = self.lives.iter().map(|life| life.server.lock());
        servers
            .filter_map(|server| server.as_ref().map(|(identity, _)| identity.process))
            .collect()
    }

    /// Ticks at which the server was killed.
    pub(crate) fn kills(&self) -> Vec<Tick> {
        self.kills.lock().clone()
    }

    /// Faults done so far, by name.
    pub(crate) fn done(&self) -> BTreeMap<String, u64> {
        self.done.lock().clone()
    }

    fn count(&self, fault: FaultKind) {
        *self.done.lock().entry(fault.name().to_owned()).or_default() += 1;
    }
}

/// The addresses that sessions connect to instead of the server's.
pub(crate) fn addresses(proxies: &BTreeMap<u16, Proxy>) -> BTreeMap<SessionId, SocketAddr> {
    proxies
        .iter()
        .map(|(session, proxy)| (SessionId(*session), proxy.address()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_an_old_order_hits_has_it_as_its_witness_and_the_next_one_has_not() {
        let clock = Clock::start(Duration::from_secs(1));
        let faults = Faults::new(clock, Schedule::default(), BTreeMap::new(), 1, Duration::ZERO);
        let who = SessionId(1);
        let connect = |process: u64, began_ns: u64| {
            let identity = Identity {
                session: who,
                process,
                started: String::new(),
                incarnation: String::new(),
            };
            faults.connected(who, began_ns, &identity, None);
        };
        connect(5, 1);
        faults.lives[1].struck_ns.store(2, Ordering::SeqCst);
        assert!(faults.witness(who, 3).connection);
        faults.disconnected(who);
        assert_eq!(faults.aim_at(who), None);
        connect(6, 3);
        assert!(!faults.witness(who, 4).connection);
        assert_eq!(faults.aim_at(who).map(|hit| hit.process), Some(6));
        assert!(faults.witness(who, 4).connection);
        connect(7, u64::MAX);
        assert!(!faults.witness(who, 4).connection);
    }
}
