//! One connection to a PostgreSQL server: bytes out, messages in, blocking, with a limit on silence.
//!
//! Why not an async driver: a tester must see the command tag (COMMIT may be answered by ROLLBACK), must take an answer
//! for final only at ReadyForQuery, and must never reconnect, retry or pipeline by itself. The messages are built and
//! parsed by `postgres-protocol`; this file only moves them.
//!
//! Knows nothing of visits and statements. Invariants:
//! * W1 after [`Lost`] nothing more is read or written.
//! * W2 the limit is for silence: it begins anew when bytes arrive.

use super::config::{Config, Place, SslMode};
use super::tls;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorFields, Message};
use postgres_protocol::message::frontend;
use rustls::{ClientConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// The connection cannot be used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing came for as long as was waited.
    Silent,
    /// It is closed, in the system's words.
    Closed(String),
}

/// Rows of text, NULL as `None`.
pub(super) type Lines = Vec<Vec<Option<String>>>;

/// An ErrorResponse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Failure {
    /// `ERROR`, `FATAL`, `PANIC`, whatever the server's language.
    pub(super) severity: String,
    pub(super) code: String,
    pub(super) text: String,
    /// More about it, or "".
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn read(mut fields: ErrorFields<'_>) -> Self {
        let mut failure = Self::default();
        let mut local = String::new();
        while let Ok(Some(field)) = fields.next() {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'V' => failure.severity = value,
                b'S' => local = value,
                b'C' => failure.code = value,
                b'M' => failure.text = value,
                b'D' => failure.detail = value,
                _ => {}
            }
        }
        if failure.severity.is_empty() {
            failure.severity = local;
        }
        failure
    }

    /// The server closes the connection after it.
    pub(super) fn is_fatal(&self) -> bool {
        self.severity == "FATAL" || self.severity == "PANIC"
    }
}

/// Why no connection came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoConnection {
    /// The server said no.
    Refused(Failure),
    /// Nobody answers there.
    Unreachable(String),
    /// TLS failed, or is not to be had.
    Tls(String),
    /// The password is missing, or the server wants a way of asking for it that we do not know.
    Authentication(String),
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection that is past its start-up.
pub(super) struct Wire {
    stream: Stream,
    inbox: BytesMut,
    /// Messages to be sent with the next [`Wire::send`].
    pub(super) outbox: BytesMut,
    chunk: Box<[u8]>,
    patience: Duration,
    /// As the server says it; a pooler says what it likes.
    pub(super) process: i32,
    secret: i32,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Config {
    /// The address, or the first of them that a name has.
    pub(super) fn endpoint(&self) -> Result<Endpoint, NoConnection> {
        match &self.place {
            Place::Socket(folder) => Ok(Endpoint::Unix(folder.join(format!(".s.PGSQL.{}", self.port)))),
            Place::Tcp(host) => {
                let unreachable = |e: io::Error| NoConnection::Unreachable(format!("{host}: {e}"));
                let mut found = (host.as_str(), self.port)
                    .to_socket_addrs()
                    .map_err(unreachable)?;
                let first = found.next();
                first
                    .map(Endpoint::Tcp)
                    .ok_or_else(|| NoConnection::Unreachable(format!("{host} has no address")))
            }
        }
    }

    /// All addresses of a name, in the resolver's order.
    fn endpoints(&self) -> Result<Vec<Endpoint>, NoConnection> {
        match &self.place {
            Place::Socket(_) => Ok(vec![self.endpoint()?]),
            Place::Tcp(host) => {
                let unreachable = |e: io::Error| NoConnection::Unreachable(format!("{host}: {e}"));
                Ok((host.as_str(), self.port)
                    .to_socket_addrs()
                    .map_err(unreachable)?
                    .map(Endpoint::Tcp)
                    .collect())
            }
        }
    }
}

impl Wire {
    /// Connects, through another address if one is given, and logs in. `settings` are parameters of the session.
    pub(super) fn connect(
        config: &Config,
        through: Option<SocketAddr>,
        settings: &[(&str, &str)],
    ) -> Result<Self, NoConnection> {
        let stream = open(config, through)?;
        let mut wire = Self {
            stream,
            inbox: BytesMut::with_capacity(16 << 10),
            outbox: BytesMut::with_capacity(4 << 10),
            chunk: vec![0; 16 << 10].into_boxed_slice(),
            patience: Duration::ZERO,
            process: 0,
            secret: 0,
            parameters: BTreeMap::new(),
        };
        wire.set_patience(config.connect_timeout);
        let mut parameters = vec![
            ("user", config.user.as_str()),
            ("database", config.database.as_str()),
            ("application_name", config.application_name.as_str()),
            ("client_encoding", "UTF8"),
        ];
        parameters.extend(config.options.as_deref().map(|o| ("options", o)));
        parameters.extend_from_slice(settings);
        frontend::startup_message(parameters, &mut wire.outbox).map_err(unsendable)?;
        wire.log_in(config)?;
        Ok(wire)
    }

    fn log_in(&mut self, config: &Config) -> Result<(), NoConnection> {
        let mut scram = None;
        self.send().map_err(unreachable)?;
        loop {
            match self.next().map_err(unreachable)? {
                Message::AuthenticationOk | Message::NoticeResponse(_) => {}
                Message::AuthenticationCleartextPassword => {
                    let password = password(config)?.as_bytes().to_vec();
                    self.say(|out| frontend::password_message(&password, out))?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = authentication::md5_hash(
                        config.user.as_bytes(),
                        password(config)?.as_bytes(),
                        body.salt(),
                    );
                    self.say(|out| frontend::password_message(hash.as_bytes(), out))?;
                }
                Message::AuthenticationSasl(body) => {
                    let offered: Vec<&str> = body.mechanisms().collect().map_err(unsendable)?;
                    if !offered.contains(&SCRAM_SHA_256) {
                        let what = format!("the server wants {}", offered.join(", "));
                        return Err(NoConnection::Authentication(what));
                    }
                    let exchange =
                        ScramSha256::new(password(config)?.as_bytes(), ChannelBinding::unsupported());
                    let first = exchange.message().to_vec();
                    self.say(|out| frontend::sasl_initial_response(SCRAM_SHA_256, &first, out))?;
                    scram = Some(exchange);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let exchange = scram.as_mut().ok_or_else(out_of_turn)?;
                    exchange.update(body.data()).map_err(unsendable)?;
                    let answer = exchange.message().to_vec();
                    self.say(|out| frontend::sasl_response(&answer, out))?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let exchange = scram.as_mut().ok_or_else(out_of_turn)?;
                    exchange.finish(body.data()).map_err(|_| {
                        NoConnection::Authentication("the server does not know the password itself".into())
                    })?;
                }
                Message::BackendKeyData(body) => {
                    self.process = body.process_id();
                    self.secret = body.secret_key();
                }
                Message::ParameterStatus(body) => self.note(&body),
                Message::ErrorResponse(body) => {
                    return Err(NoConnection::Refused(Failure::read(body.fields())));
                }
                Message::ReadyForQuery(_) => return Ok(()),
                Message::AuthenticationGss
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationSspi
                | Message::AuthenticationScmCredential => {
                    let what = "the server wants a ticket (GSSAPI, SSPI) instead of a password";
                    return Err(NoConnection::Authentication(what.into()));
                }
                _ => return Err(out_of_turn()),
            }
        }
    }

    fn say(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> Result<(), NoConnection> {
        write(&mut self.outbox).map_err(unsendable)?;
        self.send().map_err(unreachable)
    }

    fn note(&mut self, body: &postgres_protocol::message::backend::ParameterStatusBody) {
        if let (Ok(name), Ok(value)) = (body.name(), body.value()) {
            self.parameters.insert(name.to_owned(), value.to_owned());
        }
    }

    /// How long silence lasts before it is [`Lost::Silent`].
    pub(super) fn set_patience(&mut self, patience: Duration) {
        // Zero would mean for ever to the system.
        let patience = patience.max(Duration::from_millis(1));
        if patience == self.patience {
            return;
        }
        self.patience = patience;
        let set = match &self.stream {
            Stream::Tcp(s) => s
                .set_read_timeout(Some(patience))
                .and_then(|()| s.set_write_timeout(Some(patience))),
            Stream::Unix(s) => s
                .set_read_timeout(Some(patience))
                .and_then(|()| s.set_write_timeout(Some(patience))),
            Stream::Tls(s) => s
                .sock
                .set_read_timeout(Some(patience))
                .and_then(|()| s.sock.set_write_timeout(Some(patience))),
        };
        set.expect("a socket takes a timeout that is not zero");
    }

    /// Sends what is in the outbox, in one write where the system takes it.
    pub(super) fn send(&mut self) -> Result<(), Lost> {
        let sent = match &mut self.stream {
            Stream::Tcp(s) => s.write_all(&self.outbox),
            Stream::Unix(s) => s.write_all(&self.outbox),
            Stream::Tls(s) => s.write_all(&self.outbox).and_then(|()| s.flush()),
        };
        self.outbox.clear();
        sent.map_err(lost)
    }

    /// The next message, notices and parameters included.
    pub(super) fn next(&mut self) -> Result<Message, Lost> {
        loop {
            match Message::parse(&mut self.inbox) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(e) => return Err(Lost::Closed(format!("the server speaks another protocol: {e}"))),
            }
            let read = match &mut self.stream {
                Stream::Tcp(s) => s.read(&mut self.chunk),
                Stream::Unix(s) => s.read(&mut self.chunk),
                Stream::Tls(s) => s.read(&mut self.chunk),
            };
            match read {
                Ok(0) => return Err(Lost::Closed("the server closed the connection".into())),
                Ok(n) => self.inbox.extend_from_slice(&self.chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(lost(e)),
            }
        }
    }

    /// The next message that is about what was asked.
    pub(super) fn answer(&mut self) -> Result<Message, Lost> {
        loop {
            match self.next()? {
                Message::NoticeResponse(_) | Message::NotificationResponse(_) => {}
                Message::ParameterStatus(body) => self.note(&body),
                message => return Ok(message),
            }
        }
    }

    /// Runs one or several statements as text, and gives the rows of the last one that has some.
    pub(super) fn simple(&mut self, sql: &str) -> Result<Result<Lines, Failure>, Lost> {
        frontend::query(sql, &mut self.outbox).map_err(|e| Lost::Closed(e.to_string()))?;
        self.send()?;
        let mut rows = Vec::new();
        let mut failure = None;
        loop {
            match self.answer()? {
                Message::RowDescription(_) => rows.clear(),
                Message::DataRow(body) => {
                    let text = |range: Option<std::ops::Range<usize>>| {
                        Ok(range.map(|r| String::from_utf8_lossy(&body.buffer()[r]).into_owned()))
                    };
                    rows.push(
                        body.ranges()
                            .map(text)
                            .collect()
                            .map_err(|e| Lost::Closed(e.to_string()))?,
                    );
                }
                Message::ErrorResponse(body) => {
                    let new = Failure::read(body.fields());
                    let fatal = new.is_fatal();
                    failure = failure.or(Some(new));
                    if fatal {
                        return Ok(Err(failure.expect("set above")));
                    }
                }
                Message::ReadyForQuery(_) => return Ok(failure.map_or(Ok(rows), Err)),
                _ => {}
            }
        }
    }

    /// What a cancel request must say.
    pub(super) fn cancel_key(&self) -> (i32, i32) {
        (self.process, self.secret)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set_patience(Duration::from_millis(50));
        self.outbox.clear();
        frontend::terminate(&mut self.outbox);
        // The server sees the closed connection in any case.
        drop(self.send());
    }
}

/// Asks the server to cancel what another connection is doing. `Err`: it could not be asked.
pub(super) fn cancel(
    config: &Config,
    through: Option<SocketAddr>,
    (process, secret): (i32, i32),
) -> Result<(), NoConnection> {
    let mut stream = open(config, through)?;
    let mut out = BytesMut::new();
    frontend::cancel_request(process, secret, &mut out);
    let sent = match &mut stream {
        Stream::Tcp(s) => s.write_all(&out).and_then(|()| s.read(&mut [0])),
        Stream::Unix(s) => s.write_all(&out).and_then(|()| s.read(&mut [0])),
        Stream::Tls(s) => s
            .write_all(&out)
            .and_then(|()| s.flush())
            .and_then(|()| s.read(&mut [0])),
    };
    // The server closes without an answer when it has passed the request on.
    sent.map(drop)
        .map_err(|e| NoConnection::Unreachable(e.to_string()))
}

fn open(config: &Config, through: Option<SocketAddr>) -> Result<Stream, NoConnection> {
    let limit = config.connect_timeout;
    let endpoints = match through {
        Some(address) => vec![Endpoint::Tcp(address)],
        None => config.endpoints()?,
    };
    let mut last = NoConnection::Unreachable("it has no address".into());
    for endpoint in endpoints {
        match endpoint {
            Endpoint::Unix(path) => {
                let shown = path.display().to_string();
                let stream = UnixStream::connect(path)
                    .map_err(|e| NoConnection::Unreachable(format!("{shown}: {e}")))?;
                return Ok(Stream::Unix(stream));
            }
            Endpoint::Tcp(address) => match TcpStream::connect_timeout(&address, limit) {
                Ok(stream) => {
                    let set = stream
                        .set_nodelay(true)
                        .and_then(|()| stream.set_read_timeout(Some(limit)));
                    set.map_err(|e| NoConnection::Unreachable(e.to_string()))?;
                    return secure(config, stream);
                }
                Err(e) => last = NoConnection::Unreachable(format!("{address}: {e}")),
            },
        }
    }
    Err(last)
}

/// TLS, if it is wanted and had.
fn secure(config: &Config, mut stream: TcpStream) -> Result<Stream, NoConnection> {
    let Place::Tcp(host) = &config.place else {
        return Ok(Stream::Tcp(stream));
    };
    if config.ssl == SslMode::Disable {
        return Ok(Stream::Tcp(stream));
    }
    let mut out = BytesMut::new();
    frontend::ssl_request(&mut out);
    let mut answer = [0];
    let asked = stream
        .write_all(&out)
        .and_then(|()| stream.read_exact(&mut answer));
    asked.map_err(|e| NoConnection::Unreachable(e.to_string()))?;
    match answer {
        [b'S'] => tls::client(config, host, stream)
            .map(|s| Stream::Tls(Box::new(s)))
            .map_err(NoConnection::Tls),
        _ if config.ssl == SslMode::Prefer => Ok(Stream::Tcp(stream)),
        _ => Err(NoConnection::Tls("the server does not support TLS".into())),
    }
}

fn password(config: &Config) -> Result<&str, NoConnection> {
    let missing = || NoConnection::Authentication("the server wants a password, and none was given".into());
    config.password.as_deref().ok_or_else(missing)
}

fn lost(e: io::Error) -> Lost {
    match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Lost::Silent,
        _ => Lost::Closed(e.to_string()),
    }
}

fn unreachable(lost: Lost) -> NoConnection {
    NoConnection::Unreachable(match lost {
        Lost::Silent => "the server does not answer".into(),
        Lost::Closed(why) => why,
    })
}

fn unsendable(e: io::Error) -> NoConnection {
    NoConnection::Authentication(e.to_string())
}

fn out_of_turn() -> NoConnection {
    NoConnection::Unreachable("the server speaks another protocol".into())
}
