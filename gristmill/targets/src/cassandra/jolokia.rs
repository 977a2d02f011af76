//! What a node of ours is told besides CQL: JMX over HTTP, as the Jolokia agent in its process serves it.
//!
//! A few lines of HTTP over a socket: a request is one object, an answer ends with the connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs an operation of the storage service; the `value` of its answer, as JSON. `Err`: in the node's words.
///
/// `arguments` is a JSON array. Source: the protocol page of Jolokia's manual.
pub(super) fn operate(agent: SocketAddr, operation: &str, arguments: &str) -> Result<String, String> {
    let body = format!(
        r#"{{"type":"exec","mbean":"org.apache.cassandra.db:type=StorageService","operation":"{operation}","arguments":{arguments}}}"#
    );
    let text = post(agent, &body).map_err(|e| format!("the agent at {agent} does not answer: {e}"))?;
    let answer = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if let Some(error) = text_of(answer, "error") {
        return Err(error.to_owned());
    }
    match answer.find("\"value\":") {
        Some(at) => Ok(answer[at + "\"value\":".len()..].to_owned()),
        None => Err(format!(
            "the agent at {agent} answered {}",
            text.lines().next().unwrap_or("")
        )),
    }
}

/// The text behind a name, as far as the next quotation mark.
fn text_of<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let from = json.find(&format!("\"{name}\":\""))? + name.len() + 4;
    json[from..].split('"').next()
}

fn post(agent: SocketAddr, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&agent, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "POST /jolokia/ HTTP/1.0\r\nHost: {agent}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
