//! Other processes: this program once more, told what to do. They answer lines on standard output.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use shard::{Clock, Frontier, ShardId, Update, block_on};

use crate::rounds::machine_us;
use crate::{client_of, peer, reader, writer};

/// First argument of another process.
pub(crate) const CHILD: &str = "as-another-process";

/// Another process and the pipes to it.
pub(crate) struct Other {
    child: Child,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    pub(crate) fn start(arguments: &[&str]) -> Other {
        let mut child = Command::new(std::env::current_exe().expect("a program knows its path"))
            .arg(CHILD)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs again");
        let input = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        Other {
            child,
            input,
            answers,
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it listens");
    }

    pub(crate) fn answer(&mut self) -> String {
        self.answers.next().expect("it answers").expect("text")
    }

    pub(crate) fn end(mut self) {
        drop(self.input);
        drop(self.answers);
        assert!(self.child.wait().expect("it ends").success());
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the parent listens");
}

/// What another process does.
pub(crate) fn run(arguments: &[String]) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["append", url, shard] => append(url, shard.parse().expect("a shard")),
        ["tail", url, shard] => tail(url, shard.parse().expect("a shard")),
        ["poll", path, every_ms] => poll(Path::new(path), every_ms.parse().expect("a number")),
        _ => panic!("not understood: {arguments:?}"),
    }
}

/// For each line with a number of milliseconds: appends that long, then says how often, and the longest wait.
fn append(url: &str, shard: ShardId) {
    let client = client_of(url);
    let writer = writer(&client, shard);
    let mut time = 0;
    say("ready");
    for line in std::io::stdin().lines() {
        let ms: u64 = line.expect("text").parse().expect("a number");
        let until = Clock::monotonic_us() + ms * 1000;
        let (mut count, mut longest) = (0u64, 0);
        while Clock::monotonic_us() < until {
            let began = Clock::monotonic_us();
            let update = [Update::new(vec![b'x'; 100], time, 1)];
            block_on(writer.compare_and_append(&update, Frontier::At(time), Frontier::At(time + 1)))
                .expect("nobody else writes");
            longest = longest.max(Clock::monotonic_us() - began);
            time += 1;
            count += 1;
        }
        say(&format!("{count} {longest}"));
    }
}

/// Says for each update when it arrived.
fn tail(url: &str, shard: ShardId) {
    let client = client_of(url);
    let reader = reader(&client, shard);
    block_on(async {
        let mut listen = reader.listen(0).await.expect("it can be read");
        say("ready");
        while let Ok(Some((updates, _))) = listen.fetch_next().await {
            let now = machine_us();
            if updates.iter().any(|u| u.row == b"stop") {
                return;
            }
            updates.iter().for_each(|_| say(&now.to_string()));
        }
    });
}

/// The same from a plain table, looked at every so often.
fn poll(path: &Path, every_ms: u64) {
    let connection = peer::table(path);
    let clock = Clock::system();
    let (mut seen, mut stopped) = (0, false);
    say("ready");
    while !stopped {
        peer::rows_after(&connection, seen, &mut |id, row| {
            seen = id;
            stopped |= row == b"stop";
            if !stopped {
                say(&machine_us().to_string());
            }
        });
        block_on(clock.sleep(every_ms));
    }
}
