//! An echo server on loopback that also reports what reached it.

use super::{Cut, Proxy, Upstream};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Echoes every connection; each chunk that arrives is reported too, an ended connection as an empty one.
fn echo() -> (Upstream, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (arrived, arrivals) = unbounded();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let arrived = arrived.clone();
            thread::spawn(move || serve(stream, &arrived));
        }
    });
    (Upstream::Tcp(address), arrivals)
}

fn serve(mut stream: TcpStream, arrived: &Sender<Vec<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(n) = stream.read(&mut buffer) {
        let _ = arrived.send(buffer[..n].to_vec());
        if n == 0 || stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
    let _ = arrived.send(Vec::new());
}

fn client(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).expect("the proxy listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout can be set");
    stream
}

fn ask(stream: &mut TcpStream, what: &[u8]) -> Vec<u8> {
    // A write to a connection that is being cut may fail or not; what counts is what comes back.
    let _ = stream.write_all(what);
    let mut buffer = [0; 1024];
    match stream.read(&mut buffer) {
        Ok(n) => buffer[..n].to_vec(),
        Err(e) => {
            assert_ne!(
                e.kind(),
                std::io::ErrorKind::WouldBlock,
                "no answer and no end in time"
            );
            Vec::new()
        }
    }
}

#[test]
fn bytes_pass_both_ways_untouched() {
    let (upstream, arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"select"), b"select");
    assert_eq!(arrivals.recv().unwrap(), b"select");
    assert!(!proxy.disarm());
}

#[test]
fn a_cut_before_keeps_the_message_from_the_server() {
    let (upstream, arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"update"), b"update");
    proxy.arm(Cut::Before);
    assert_eq!(ask(&mut stream, b"commit"), b"");
    assert!(proxy.disarm());
    assert!(!proxy.disarm(), "a cut is reported once");
    assert_eq!(arrivals.recv().unwrap(), b"update");
    assert_eq!(
        arrivals.recv().unwrap(),
        b"",
        "the server sees the end and nothing else"
    );
}

#[test]
fn a_cut_after_gives_the_server_the_message_and_the_client_no_answer() {
    let (upstream, arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"update"), b"update");
    proxy.arm(Cut::After);
    assert_eq!(ask(&mut stream, b"commit"), b"");
    assert!(proxy.disarm());
    assert_eq!(arrivals.recv().unwrap(), b"update");
    assert_eq!(arrivals.recv().unwrap(), b"commit");
}

#[test]
fn a_connection_that_comes_after_the_arm_is_not_cut() {
    let (upstream, _arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut session = client(&proxy);
    assert_eq!(ask(&mut session, b"a"), b"a");
    proxy.arm(Cut::Before);
    let mut cancel = client(&proxy);
    assert_eq!(ask(&mut cancel, b"cancel"), b"cancel");
    assert_eq!(ask(&mut session, b"commit"), b"");
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn a_stall_holds_everything_until_it_is_released() {
    let (upstream, arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"a"), b"a");
    assert_eq!(arrivals.recv().unwrap(), b"a");
    proxy.stall();
    stream.write_all(b"b").unwrap();
    assert!(arrivals.recv_timeout(Duration::from_millis(50)).is_err());
    proxy.release();
    assert_eq!(arrivals.recv().unwrap(), b"b");
    assert_eq!(ask(&mut stream, b""), b"b");
}

#[test]
fn a_delayed_answer_comes_whole() {
    let (upstream, _arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    proxy.delay(Duration::from_millis(5));
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"abc"), b"abc");
}

#[test]
fn dropping_the_proxy_ends_its_connections() {
    let (upstream, _arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"a"), b"a");
    drop(proxy);
    assert_eq!(ask(&mut stream, b"b"), b"");
}

#[test]
fn a_new_connection_is_welcome_after_all_were_cut() {
    let (upstream, _arrivals) = echo();
    let proxy = Proxy::start(upstream).unwrap();
    let mut stream = client(&proxy);
    assert_eq!(ask(&mut stream, b"a"), b"a");
    proxy.cut_all();
    assert_eq!(ask(&mut stream, b"b"), b"");
    assert_eq!(ask(&mut client(&proxy), b"c"), b"c");
}
