//! What is done to a running statement or to the server: by a thread of its own, one order after another.

use super::Faults;
use crate::RunError;
use crate::worker;
use crate::world::World;
use history::SessionId;
use std::sync::atomic::Ordering;
use std::time::Duration;
use targets::Maintenance;

/// One thing to do.
pub(super) enum Order {
    /// Cancel what the session is doing.
    Cancel(SessionId),
    /// End the server session of the session.
    Terminate(SessionId),
    /// Kill the server and start it again.
    Kill,
    /// Have the server put its files in order.
    Maintain(Maintenance),
}

/// Between two looks whether the run is over.
const LOOK_UP: Duration = Duration::from_millis(20);

/// Serves orders until `done` says that no session is left. What fails is our own trouble and ends the load.
pub(crate) fn serve(world: &World, done: &dyn Fn() -> bool) {
    let faults: &Faults = &world.faults;
    if faults.schedule.is_empty() {
        return;
    }
    while !done() {
        match faults.inbox.recv_timeout(LOOK_UP) {
            Ok(order) => {
                if let Err(error) = carry_out(world, order) {
                    world.fail(error);
                }
            }
            Err(_) => continue,
        }
    }
    // What was written down is done.
    while let Ok(order) = faults.inbox.try_recv() {
        if let Err(error) = carry_out(world, order) {
            world.fail(error);
        }
    }
}

/// Does it, and returns when it is done.
pub(super) fn carry_out(world: &World, order: Order) -> Result<(), RunError> {
    let faults = &world.faults;
    match order {
        Order::Cancel(who) => {
            let handle = faults.lives[usize::from(who.0)]
                .server
                .lock()
                .as_ref()
                .and_then(|(_, cancel)| cancel.clone());
            if let Some(handle) = handle
                && let Err(why) = handle.cancel()
            {
                world.note(format!("a cancel request was not delivered: {why}"));
            }
            faults.lives[usize::from(who.0)]
                .cancelled_ns
                .store(faults.clock.ns(), Ordering::SeqCst);
        }
        Order::Terminate(who) => {
            if let (Some(control), Some(identity)) = (world.target.control(), faults.aim_at(who)) {
                control.terminate(&identity)?;
            }
        }
        // The engine lives in this process: the supervisor kills us and starts us again from the folder.
        Order::Kill if world.target.describe().embedded && world.target.control().is_none() => {
            if !worker::is_supervised() {
                return Err(RunError::Worker(
                    "cannot be killed: nobody would start it again".to_owned(),
                ));
            }
            world.account_now();
            worker::die();
        }
        Order::Kill => {
            let control = world
                .target
                .control()
                .expect("a plan with kill has a server of its own");
            control.kill9()?;
            control.restart()?;
            // Whoever connected before this moment may have met the old server or the one that was starting.
            faults.all_ns.store(faults.clock.ns(), Ordering::SeqCst);
            faults.kills_pending.fetch_sub(1, Ordering::SeqCst);
            faults.next_whole(world)?;
        }
        Order::Maintain(what) => {
            let began = world.ticks.take();
            world.target.maintain(what)?;
            if what == Maintenance::Repair {
                world.repairs.add(began, &|| world.ticks.take())?;
            }
            if what == Maintenance::Restart {
                faults.all_ns.store(faults.clock.ns(), Ordering::SeqCst);
                faults.kills_pending.fetch_sub(1, Ordering::SeqCst);
            }
            faults.next_whole(world)?;
        }
    }
    Ok(())
}
