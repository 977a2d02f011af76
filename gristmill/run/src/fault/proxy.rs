//! A TCP proxy between one session and its server, that breaks the connection at a chosen moment.
//!
//! It must not know the protocol: the session says "what you are about to be given is COMMIT" by arming a cut, and the
//! next bytes from the client are that message. So it works for every wire, encrypted ones too.
//!
//! Invariants:
//! 1. A cut is one event: it happens at most once for each `arm`, and `disarm` says whether it did.
//! 2. [`Cut::Before`]: the armed bytes never reach the server. [`Cut::After`]: they all do, and no answer to them reaches
//!    the client.
//! 3. An arm concerns the connection that was newest when it was armed; a cancel request on a second connection that
//!    comes later passes untouched.
//! 4. Dropping the proxy ends every connection and its threads.

use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// An address.
    Tcp(SocketAddr),
    /// A Unix socket, by its full path.
    Unix(PathBuf),
}

/// When the connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The next bytes from the client are dropped, and both sides are closed.
    Before,
    /// The next bytes from the client are forwarded, then both sides are closed before anything comes back.
    After,
}

/// A listening proxy for one session. Dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Control>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Control {
    /// Set when the proxy is dropped.
    closed: bool,
    /// The connections that are open, by number; the greatest key is the newest.
    connections: BTreeMap<u64, [Stream; 2]>,
    accepted: u64,
    armed: Option<(u64, Cut)>,
    happened: bool,
    delay: Duration,
    stalled: bool,
}

impl Proxy {
    /// Listens on a free port of the loopback interface. Errors are those of binding it.
    pub fn start(upstream: Upstream) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || accept(&listener, &upstream, &of_thread))?;
        Ok(Self { address, shared })
    }

    /// Where the session connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts at the next bytes that the newest connection's client sends. Without a connection: nothing to cut.
    pub fn arm(&self, cut: Cut) {
        let mut state = self.shared.state.lock();
        state.happened = false;
        state.armed = state.connections.keys().next_back().map(|newest| (*newest, cut));
    }

    /// Takes an arm back; whether the cut had happened.
    pub fn disarm(&self) -> bool {
        let mut state = self.shared.state.lock();
        state.armed = None;
        std::mem::take(&mut state.happened)
    }

    /// Every answer waits for so long before it is passed on; zero ends it.
    pub fn delay(&self, delay: Duration) {
        self.shared.state.lock().delay = delay;
        self.shared.changed.notify_all();
    }

    /// Nothing passes in either direction until `release`.
    pub fn stall(&self) {
        self.shared.state.lock().stalled = true;
    }

    /// Ends a stall.
    pub fn release(&self) {
        self.shared.state.lock().stalled = false;
        self.shared.changed.notify_all();
    }

    /// Closes every connection now; new ones are welcome.
    pub fn cut_all(&self) {
        let mut state = self.shared.state.lock();
        state.armed = None;
        state.close_all();
        drop(state);
        self.shared.changed.notify_all();
    }

    /// How many connections have been accepted so far.
    pub fn accepted(&self) -> u64 {
        self.shared.state.lock().accepted
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        state.stalled = false;
        state.close_all();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

impl Control {
    fn close_all(&mut self) {
        for streams in std::mem::take(&mut self.connections).values() {
            close(streams);
        }
    }
}

fn close(streams: &[Stream; 2]) {
    for stream in streams {
        stream.shutdown();
    }
}

fn accept(listener: &TcpListener, upstream: &Upstream, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.state.lock().closed {
            return;
        }
        // A client or server that is gone already is what a refused connection looks like: the client sees the end.
        let Ok(client) = client else { continue };
        let Ok(server) = Stream::connect(upstream) else {
            continue;
        };
        if client.set_nodelay(true).is_err() {
            continue;
        }
        let client = Stream::Tcp(client);
        let (Ok(client_copy), Ok(server_copy)) = (client.copy(), server.copy()) else {
            continue;
        };
        let (Ok(client_kept), Ok(server_kept)) = (client.copy(), server.copy()) else {
            continue;
        };
        let mut state = shared.state.lock();
        if state.closed {
            return;
        }
        state.accepted += 1;
        let number = state.accepted;
        state.connections.insert(number, [client_kept, server_kept]);
        drop(state);
        let (there, back) = (Arc::clone(shared), Arc::clone(shared));
        let spawned = thread::Builder::new()
            .name("proxy-there".to_owned())
            .spawn(move || pump(client_copy, server_copy, number, Way::ToServer, &there))
            .and_then(|_| {
                thread::Builder::new()
                    .name("proxy-back".to_owned())
                    .spawn(move || pump(server, client, number, Way::ToClient, &back))
            });
        if spawned.is_err() {
            end(number, shared);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// What happens to the bytes at hand.
enum Fate {
    Pass,
    Drop,
    PassAndCut,
}

fn pump(mut from: Stream, mut to: Stream, number: u64, way: Way, shared: &Shared) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 {
            break;
        }
        let fate = decide(number, way, shared);
        match fate {
            Fate::Pass => {
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            Fate::Drop => break,
            Fate::PassAndCut => {
                // The other pump can no longer write to the client: `decide` has shut that side.
                let _ = to.write_all(&buffer[..n]);
                break;
            }
        }
    }
    end(number, shared);
}

/// Waits out stalls and delays, then says what becomes of the bytes; marks a cut as happened.
fn decide(number: u64, way: Way, shared: &Shared) -> Fate {
    let mut state = shared.state.lock();
    if way == Way::ToClient && !state.delay.is_zero() {
        let delay = state.delay;
        // Ends early when the delay is changed or the connection goes.
        let _ = shared.changed.wait_for(&mut state, delay);
    }
    while state.stalled && !state.closed && state.connections.contains_key(&number) {
        shared.changed.wait(&mut state);
    }
    let Some(streams) = state.connections.get(&number) else {
        return Fate::Drop;
    };
    match state.armed {
        Some((armed, cut)) if armed == number && way == Way::ToServer => {
            // No answer may slip through between the forwarding and the close.
            streams[0].shutdown();
            state.armed = None;
            state.happened = true;
            match cut {
                Cut::Before => Fate::Drop,
                Cut::After => Fate::PassAndCut,
            }
        }
        _ => Fate::Pass,
    }
}

fn end(number: u64, shared: &Shared) {
    let mut state = shared.state.lock();
    if let Some(streams) = state.connections.remove(&number) {
        close(&streams);
    }
    drop(state);
    shared.changed.notify_all();
}

/// Either kind of stream, so that one pump serves both.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn connect(upstream: &Upstream) -> io::Result<Self> {
        match upstream {
            Upstream::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            Upstream::Unix(path) => UnixStream::connect(path).map(Self::Unix),
        }
    }

    fn copy(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(s) => s.try_clone().map(Self::Tcp),
            Self::Unix(s) => s.try_clone().map(Self::Unix),
        }
    }

    /// Both directions; a stream that is closed already is fine.
    fn shutdown(&self) {
        let _ = match self {
            Self::Tcp(s) => s.shutdown(Shutdown::Both),
            Self::Unix(s) => s.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.read(buffer),
            Self::Unix(s) => s.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.write(bytes),
            Self::Unix(s) => s.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.flush(),
            Self::Unix(s) => s.flush(),
        }
    }
}

#[cfg(test)]
mod tests;
