//! The connection of a session: opened again after it broke, and known to the server by an identity that settling asks for.

use crate::RunError;
use crate::against::Shadow;
use crate::world::World;
use history::log::What;
use history::{Address, SessionId};
use std::sync::atomic::Ordering;
use std::time::Duration;
use targets::{Executed, Identity, Request, Session};

pub(super) struct Connection<'w> {
    world: &'w World,
    me: SessionId,
    session: Option<Box<dyn Session>>,
    identity: Option<Identity>,
    /// The way to the second database, where there is one.
    shadow: Option<Shadow<'w>>,
}

/// Between two tries to reach a server that is coming back.
const TRY_AGAIN: Duration = Duration::from_millis(20);

impl<'w> Connection<'w> {
    pub(super) fn new(world: &'w World, me: SessionId) -> Connection<'w> {
        Connection {
            world,
            me,
            session: None,
            identity: None,
            shadow: world.against.as_ref().map(|against| Shadow::new(against, me)),
        }
    }

    /// Connects if there is no usable connection. A server that a fault of ours took down is waited for until it is back,
    /// one that went away by itself at most the settle limit.
    pub(super) fn open(&mut self) -> Result<(), RunError> {
        if self.session.as_ref().is_some_and(|s| !s.broken()) {
            return Ok(());
        }
        self.close();
        let patience = self.world.plan.settle();
        let mut since = self.world.clock.elapsed();
        let (began_ns, session) = loop {
            let began_ns = self.world.clock.ns();
            match self.world.target.connect(self.me, &self.world.schema) {
                Ok(session) => break (began_ns, session),
                // However long the start of a server takes that we took down: who starts it gives up, or nobody.
                Err(_) if self.world.faults.is_down() && !self.world.is_over() => {
                    since = self.world.clock.elapsed();
                    self.world.pause(TRY_AGAIN);
                }
                Err(_) if self.world.clock.elapsed() - since < patience && !self.world.is_over() => {
                    self.world.pause(TRY_AGAIN);
                }
                // It was there: for us, or for another session that has done a visit before we came.
                Err(unusable) if self.identity.is_some() || self.world.ended.load(Ordering::Relaxed) > 0 => {
                    return Err(RunError::Away(unusable));
                }
                Err(unusable) => return Err(RunError::Target(unusable)),
            }
        };
        if let Some(why) = self.world.target.pooler() {
            self.world.pooled(&why);
        }
        let identity = session.identity();
        self.world.log(
            self.me,
            What::Connected {
                identity: format!("{} {}", identity.process, identity.started),
                incarnation: identity.incarnation.clone(),
            },
        )?;
        self.world
            .faults
            .connected(self.me, began_ns, &identity, session.cancel());
        self.identity = Some(identity);
        self.session = Some(session);
        Ok(())
    }

    /// Drops the connection; the identity stays, for whoever must see it gone.
    pub(super) fn close(&mut self) {
        if let Some(shadow) = &mut self.shadow {
            shadow.abandon();
        }
        if self.session.take().is_some() {
            self.world.faults.disconnected(self.me);
        }
    }

    /// Whether a statement can still be sent.
    pub(super) fn is_usable(&self) -> bool {
        self.session.as_ref().is_some_and(|s| !s.broken())
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether the server is another one than we were connected to, or none: asked of the server until it answers, at most
    /// the settle limit.
    pub(super) fn server_restarted(&self, before: &Identity) -> bool {
        let since = self.world.clock.elapsed();
        loop {
            match self.world.target.incarnation() {
                Ok(now) => return now != before.incarnation,
                Err(_)
                    if self.world.clock.elapsed() - since < self.world.plan.settle()
                        && !self.world.is_over() =>
                {
                    self.world.pause(TRY_AGAIN);
                }
                Err(_) => return true,
            }
        }
    }

    /// Sends one request. Panics without a connection.
    pub(super) fn execute(&mut self, at: Address, request: &Request<'_>) -> Executed {
        let session = self.session.as_mut().expect("a visit begins with a connection");
        let deadline = self.world.plan.deadline();
        let Some(shadow) = &mut self.shadow else {
            return session.execute(at, request, deadline);
        };
        let may = shadow.before(request);
        let executed = session.execute(at, request, deadline);
        shadow.after(at, request, may, &executed.answer, deadline);
        executed
    }
}
