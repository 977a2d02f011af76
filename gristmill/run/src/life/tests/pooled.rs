//! A pooler between us and PostgreSQL: each transaction is done by another server process. It is noticed, said, and nothing
//! of ours strikes a process that may be working for somebody else.

use super::postgres::installed;
use super::{Seen, assert_clean, plan};
use history::{Progress, Verdict};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use targets::OpenOptions;

/// Server connections that nobody has a transaction on.
#[derive(Default)]
struct Pool {
    idle: Mutex<VecDeque<TcpStream>>,
    back: Condvar,
}

impl Pool {
    fn put(&self, server: TcpStream) {
        self.idle.lock().unwrap().push_back(server);
        self.back.notify_one();
    }

    /// The one that has been idle longest: never the same twice while there are two.
    fn take(&self) -> TcpStream {
        let mut idle = self.idle.lock().unwrap();
        loop {
            match idle.pop_front() {
                Some(server) => return server,
                None => idle = self.back.wait(idle).unwrap(),
            }
        }
    }
}

/// Every client logs in by itself; its server connection then goes to the pool. `own_names`: clients are told a process
/// number of the pooler's, as pgbouncer does; else that of the server process that logged them in.
fn pooler(server: SocketAddr, own_names: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let pool = Arc::new(Pool::default());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let pool = Arc::clone(&pool);
            // A client that hangs up ends its thread only.
            std::thread::spawn(move || serve(client, server, own_names, &pool));
        }
    });
    address
}

fn serve(mut client: TcpStream, server: SocketAddr, own_names: bool, pool: &Pool) -> std::io::Result<()> {
    let hello = loop {
        let hello = packet(&mut client, Vec::new())?;
        match hello[4..8] {
            // SSLRequest, GSSENCRequest
            [4, 210, 22, 47 | 48] => client.write_all(b"N")?,
            _ => break hello,
        }
    };
    let mut backend = TcpStream::connect(server)?;
    backend.write_all(&hello)?;
    loop {
        let mut message = message(&mut backend)?;
        if own_names && message[0] == b'K' {
            message[5] |= 0x10;
        }
        client.write_all(&message)?;
        match (message[0], &message[5..9.min(message.len())]) {
            (b'Z', _) => break,
            (b'E', _) => return Ok(()),
            // Clear text, MD5, SASL and its next step ask for an answer; the last word of SASL and "ok" do not.
            (b'R', [0, 0, 0, 3 | 5 | 10 | 11]) => {
                let answer = self::message(&mut client)?;
                backend.write_all(&answer)?;
            }
            _ => {}
        }
    }
    pool.put(backend);
    let mut held: Option<TcpStream> = None;
    loop {
        let mut batch = Vec::new();
        loop {
            let message = message(&mut client)?;
            match message[0] {
                b'X' => return Ok(()),
                tag => {
                    batch.extend(message);
                    if matches!(tag, b'Q' | b'S') {
                        break;
                    }
                }
            }
        }
        let mut backend = held.take().unwrap_or_else(|| pool.take());
        backend.write_all(&batch)?;
        loop {
            let message = message(&mut backend)?;
            client.write_all(&message)?;
            if message[0] == b'Z' {
                match message[5] {
                    b'I' => pool.put(backend),
                    _ => held = Some(backend),
                }
                break;
            }
        }
    }
}

/// One message with its tag and length.
fn message(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut tag = vec![0];
    from.read_exact(&mut tag)?;
    packet(from, tag)
}

/// A length and what it counts, behind what was read already.
fn packet(from: &mut TcpStream, mut before: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    from.read_exact(&mut body)?;
    before.extend(length);
    before.append(&mut body);
    Ok(before)
}

/// A run with many faults through a pooler in front of a server of our own.
fn pooled(own_names: bool) -> Option<(Verdict, Vec<String>)> {
    if !installed() {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(dir.path(), "gmtest");
    let server = targets::open("postgres:local", &options).unwrap();
    server.facts().unwrap();
    let word = |name: &str| {
        let text = std::fs::read_to_string(Path::new(dir.path()).join("postgres").join(name));
        text.unwrap().trim().to_owned()
    };
    let port: u16 = word("port").parse().unwrap();
    let through = pooler(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), own_names);
    let url = format!("postgres://gristmill@{through}/postgres?sslmode=disable");
    let faults = "fault:terminate=1/20 fault:cancel=1/20 fault:cut=1/20";
    let plan = plan(&url, &format!("sessions=4 visits=600 {faults}"));
    let mut seen = Seen::default();
    let ending = crate::run(&plan, dir.path(), Some(&word("password")), &mut seen).unwrap();
    let notes = seen.0.into_iter().filter_map(|progress| match progress {
        Progress::Note(text) => Some(text),
        _ => None,
    });
    Some((ending.verdict, notes.collect()))
}

fn assert_said(verdict: &Verdict, notes: &[String]) {
    assert_clean(verdict);
    assert_eq!(verdict.faults.values().sum::<u64>(), 0, "{:?}", verdict.faults);
    let said = |text: &String| text.starts_with("a connection pooler stands in between (process ");
    assert_eq!(notes.iter().filter(|n| said(n)).count(), 1, "{notes:?}");
    let left_out = verdict.left_out.last().unwrap();
    assert!(
        left_out.starts_with("faults (a connection pooler stands in between: process "),
        "{left_out}"
    );
}

#[test]
fn a_pooler_with_process_numbers_of_its_own_is_said_and_nothing_strikes() {
    if let Some((verdict, notes)) = pooled(true) {
        assert_said(&verdict, &notes);
    }
}

#[test]
fn a_pooler_that_shows_only_when_there_are_two_connections_is_said_and_nothing_strikes() {
    if let Some((verdict, notes)) = pooled(false) {
        assert_said(&verdict, &notes);
    }
}
