//! Signals that ask for an end, as messages.
//!
//! A person presses Ctrl-C; `timeout` and service managers send SIGTERM to the process and then to its whole group. Both mean
//! it once, so what comes within a moment of the first is the same wish. A second one after that moment is impatience.

use crossbeam_channel::{Receiver, Sender, after, select, unbounded};
use std::thread;
use std::time::Duration;

/// Signals this close together are one interrupt.
const MOMENT: Duration = Duration::from_millis(500);

/// Interrupts of this process (SIGINT, SIGTERM, SIGHUP), one message each. To be called once, early.
///
/// Errors: no handler, or no thread, is to be had.
pub fn interrupts() -> std::io::Result<Receiver<()>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (caught, signalled) = unbounded();
    let (send, receive) = unbounded();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in &mut signals {
            if caught.send(()).is_err() {
                return;
            }
        }
    })?;
    thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || one_a_moment(&signalled, &send, &|| after(MOMENT)))?;
    Ok(receive)
}

/// Passes on the first of each moment, until nobody sends or nobody listens. `moment` gives a channel that speaks, or is
/// closed, when the moment that begins now is over.
fn one_a_moment<T>(from: &Receiver<()>, to: &Sender<()>, moment: &dyn Fn() -> Receiver<T>) {
    while from.recv().is_ok() {
        if to.send(()).is_err() {
            return;
        }
        let over = moment();
        loop {
            select! {
                recv(from) -> same => if same.is_err() { return },
                recv(over) -> _ => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::one_a_moment;
    use crossbeam_channel::{bounded, unbounded};
    use std::thread;

    #[test]
    fn signals_of_one_moment_are_one_interrupt() {
        let (caught, signalled) = bounded(0);
        let (send, interrupts) = unbounded();
        let (begin, moments) = unbounded();
        let thread = thread::spawn(move || {
            one_a_moment(&signalled, &send, &|| {
                let (end, over) = bounded::<()>(0);
                begin.send(end).unwrap();
                over
            });
        });
        for expected in 1..=2 {
            // Each is taken before the next can be sent: nothing is ever in the channel.
            caught.send(()).unwrap();
            let moment = moments.recv().unwrap();
            caught.send(()).unwrap();
            caught.send(()).unwrap();
            assert_eq!(interrupts.len(), 1, "moment {expected}");
            interrupts.recv().unwrap();
            moment.send(()).unwrap();
        }
        drop(caught);
        thread.join().unwrap();
        assert!(interrupts.recv().is_err());
    }
}
