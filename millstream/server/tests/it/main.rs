//! The `millstream` binary as its users meet it.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod racing;
#[cfg(test)]
#[path = "../../../shard/src/store/servers.rs"]
mod servers;
#[cfg(test)]
mod shard;
#[cfg(test)]
mod unusable;

use std::path::Path;
use std::process::{Command, Output};

use servers::{PostgresServer, S3_KEYS, S3Server};

/// `millstream shard …`, ready to run.
fn millstream(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command
        .arg("shard")
        .args(arguments)
        .env_remove("MILLSTREAM_LOCATION");
    command
}

fn run(arguments: &[&str]) -> Output {
    millstream(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn location(folder: &Path) -> String {
    format!("file:{}", folder.join("location").display())
}

/// A bucket for blobs, with a database of its own for consensus, or the bucket for both.
fn s3_location(s3: &S3Server, bucket: &str, postgres: Option<&PostgresServer>) -> String {
    s3.make_bucket(bucket);
    let mut pairs = vec![
        ("endpoint", s3.endpoint()),
        ("access_key_id", S3_KEYS.0.to_owned()),
        ("secret_access_key", S3_KEYS.1.to_owned()),
    ];
    if let Some(postgres) = postgres {
        pairs.push(("consensus", postgres.url("postgres")));
    }
    let encoded: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={}", percent_encoded(value)))
        .collect();
    format!("s3://{bucket}/some/prefix?{}", encoded.join("&"))
}

fn percent_encoded(text: &str) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match byte {
            byte if harmless(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Appends lines to a new shard and answers its id.
fn new_shard(location: &str, folder: &Path, lines: &str) -> String {
    let file = folder.join("lines");
    std::fs::write(&file, lines).expect("a temporary folder can be written");
    let output = run(&[
        "append",
        location,
        "new",
        file.to_str().expect("a temporary path is text"),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
        .lines()
        .next()
        .expect("it prints the id")
        .to_owned()
}
