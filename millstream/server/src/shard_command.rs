//! `millstream shard …`: for people who have to look at a shard at three in the morning.
//!
//! Must not know more of a shard than its library shows.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use shard::{
    AppendError, BuildError, Client, ClientConfig, Frontier, Location, ReadError, ShardError, ShardId,
    Update, UpdateRef, block_on,
};

use crate::Failure;
use crate::rows;

const EXAMPLES: &str = "\
A shard is a collection that changes over time, kept in a location. Updates are rows with a
time and a diff, by how much the row's count changed. `since` is the oldest time that can be
read, `upper` the first that is not complete.

  make a shard            echo '{\"row\":\"apples 3\"}' | millstream shard append file:/tmp/mill new
  what there is           millstream shard list file:/tmp/mill
  the rows at a time      millstream shard read file:/tmp/mill SHARD --as-of 0
  what comes              millstream shard tail file:/tmp/mill SHARD
  who holds it, how big   millstream shard inspect file:/tmp/mill SHARD
  is it whole             millstream shard verify file:/tmp/mill SHARD

With MILLSTREAM_LOCATION set, LOCATION can be left out.
Exit codes: 0 done, 1 `verify` or `gc` found that the data is not what it should be, 3 wrong
use, 4 the location is unusable (a part that is damaged or missing, too), 5 a bug of ours.";

/// How long a failure that will not heal by itself is tried again.
const PERMANENT_DEADLINE_MS: u64 = 3000;

/// Arguments of `millstream shard`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShardArguments {
    #[command(subcommand)]
    command: ShardCommand,
}

/// Where, and which.
#[derive(Args)]
struct Place {
    /// The location: file:/folder, or s3://bucket/prefix?endpoint=…&consensus=postgres://… (percent-encoded), which may
    /// be left out where MILLSTREAM_LOCATION names it; and the shard's id, as `list` prints it.
    #[arg(required = true, num_args = 1..=2, value_names = ["LOCATION", "SHARD"])]
    place: Vec<String>,
}

/// A shard somewhere.
struct Which {
    location: String,
    shard: String,
}

impl Which {
    /// The first word is the location if it is a URL; no id of a shard has a colon. Answers what follows, too.
    fn of(words: Vec<String>) -> Result<(Which, Option<String>), Failure> {
        let named = words.first().is_some_and(|word| word.contains(':'));
        let mut words = words.into_iter();
        let location = match words.as_slice().first() {
            Some(_) if named => words.next(),
            _ => std::env::var("MILLSTREAM_LOCATION")
                .ok()
                .filter(|url| !url.is_empty()),
        };
        let Some(location) = location else {
            let word = words.next().unwrap_or_default();
            let text = format!(
                "`{word}` is no location, and MILLSTREAM_LOCATION is not set: name one first, as file:/folder or s3://…"
            );
            return Err(Failure::Usage(text));
        };
        let Some(shard) = words.next() else {
            let shown = shard::redact(&location);
            return Err(Failure::Usage(format!(
                "which shard of {shown}? `millstream shard list {shown}` shows all"
            )));
        };
        let rest = words.next();
        if let Some(word) = words.next() {
            return Err(Failure::Usage(format!("`{word}` is one word too many")));
        }
        Ok((Which { location, shard }, rest))
    }
}

impl Place {
    fn which(self) -> Result<Which, Failure> {
        match Which::of(self.place)? {
            (which, None) => Ok(which),
            (_, Some(word)) => Err(Failure::Usage(format!("`{word}` is one word too many"))),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For reading.
    Text,
    /// One JSON document.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Input {
    /// One object a line: {"row": "text", "time": 7, "diff": 1}; time and diff may be missing.
    Json,
    /// Each record is a row as it stands, a heading too; quoted fields may go over several lines.
    Csv,
}

#[derive(Subcommand)]
enum ShardCommand {
    /// Every shard of a location, with since, upper and size.
    List {
        /// The location.
        #[arg(env = "MILLSTREAM_LOCATION")]
        location: String,
    },
    /// State, batches, readers and who they are, holds, bytes.
    Inspect {
        #[command(flatten)]
        place: Place,
        /// How to print it.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// The rows at one time, in order, as JSON lines.
    Read {
        #[command(flatten)]
        place: Place,
        /// The time; the newest complete one if it is not given.
        #[arg(long, allow_negative_numbers = true)]
        as_of: Option<u64>,
    },
    /// Updates as they come, as JSON lines, with a line {"progress": t} after each batch. What can be read now can be
    /// read as long as it runs.
    Tail {
        #[command(flatten)]
        place: Place,
        /// Updates after this time; those to come if it is not given.
        #[arg(long, allow_negative_numbers = true)]
        as_of: Option<u64>,
        /// End when this time is complete.
        #[arg(long, allow_negative_numbers = true)]
        until: Option<u64>,
    },
    /// Appends lines from a file or the standard input. The shard `new` makes one and prints its id.
    Append {
        /// The location, which may be left out where MILLSTREAM_LOCATION names it; the shard's id, or `new`; and the
        /// file, or nothing for standard input.
        #[arg(required = true, num_args = 1..=3, value_names = ["LOCATION", "SHARD", "FILE"])]
        words: Vec<String>,
        /// The name of the rows' encoding, for a shard that is made.
        #[arg(long, default_value = "text")]
        codec: String,
        /// What a line is.
        #[arg(long, value_enum, default_value = "json")]
        format: Input,
        /// One append for each line, acknowledged on standard output, instead of one for all.
        #[arg(long)]
        each: bool,
    },
    /// Rewrites all batches as one.
    Compact(Place),
    /// Writes a rollup and deletes what nobody can reach any more.
    Gc(Place),
    /// Checks every invariant and every part. Exit code 1 if one does not hold.
    Verify(Place),
}

/// Runs the command.
pub(crate) fn run(arguments: ShardArguments) -> Result<(), Failure> {
    match arguments.command {
        ShardCommand::List { location } => list(&location),
        ShardCommand::Inspect { place, format } => inspect(&place.which()?, format),
        ShardCommand::Read { place, as_of } => read(&place.which()?, as_of),
        ShardCommand::Tail { place, as_of, until } => tail(&place.which()?, as_of, until),
        ShardCommand::Append {
            words,
            codec,
            format,
            each,
        } => {
            let (which, file) = Which::of(words)?;
            append(&which, &codec, format, each, file.map(PathBuf::from).as_ref())
        }
        ShardCommand::Compact(place) => compact(&place.which()?),
        ShardCommand::Gc(place) => gc(&place.which()?),
        ShardCommand::Verify(place) => verify(&place.which()?),
    }
}

/// The location, which must exist but for those who `make` one.
fn open(location: &str, make: bool) -> Result<Client, Failure> {
    let opened = if make {
        block_on(Location::open(location))
    } else {
        block_on(Location::open_existing(location))
    };
    let location = opened.map_err(|error| match error {
        shard::LocationError::Url { .. } | shard::LocationError::Absent { .. } => {
            Failure::Usage(error.to_string())
        }
        _ => Failure::Unusable(error.to_string()),
    })?;
    let mut config = ClientConfig::default();
    // Somebody waits for the prompt: a full disk or a key that is refused is told soon.
    config.settings.permanent_deadline_ms = PERMANENT_DEADLINE_MS;
    Ok(Client::new(location, config))
}

fn parse(shard: &str) -> Result<ShardId, Failure> {
    shard
        .parse()
        .map_err(|error: shard::ids::ParseIdError| Failure::Usage(error.to_string()))
}

/// The client, the shard, and its codec; a shard that does not exist is a usage error.
fn existing(which: &Which) -> Result<(Client, ShardId, String), Failure> {
    let shard = parse(&which.shard)?;
    let client = open(&which.location, false)?;
    match block_on(client.inspect(shard)).map_err(|e| of_shard(&e))? {
        Some(inspection) => {
            let codec = inspection.state.codec.clone();
            Ok((client, shard, codec))
        }
        None => Err(Failure::Usage(format!(
            "there is no shard {shard} here; `millstream shard list` shows all; `append` makes one where it says `new`"
        ))),
    }
}

fn of_shard(error: &ShardError) -> Failure {
    match error {
        ShardError::CodecMismatch { .. }
        | ShardError::Finalized { .. }
        | ShardError::NotFinalizable { .. } => Failure::Usage(error.to_string()),
        ShardError::Corrupt { .. } => Failure::Unusable(all_of_it(error)),
        ShardError::State { .. } | ShardError::Store { .. } => Failure::Unusable(error.to_string()),
    }
}

fn of_read(error: &ReadError) -> Failure {
    match error {
        ReadError::Shard(error) => of_shard(error),
        ReadError::AsOfBeforeSince { .. } => Failure::Usage(error.to_string()),
        ReadError::Fetch(shard::FetchError::Store { .. }) | ReadError::LeaseExpired { .. } => {
            Failure::Unusable(error.to_string())
        }
        // Nothing is wrong with the data: this program is too old for it.
        ReadError::Fetch(shard::FetchError::Damaged {
            error: shard::format::PartError::Newer { .. },
            ..
        }) => Failure::Unusable(error.to_string()),
        ReadError::Fetch(_) | ReadError::Compacted { .. } => Failure::Unusable(all_of_it(error)),
    }
}

/// What was met, and where to see what else there is.
fn all_of_it(error: &dyn std::error::Error) -> String {
    format!("{error}; `millstream shard verify` looks at all of the shard")
}

fn of_append(error: &AppendError) -> Failure {
    match error {
        AppendError::Usage(_)
        | AppendError::UpperMismatch { .. }
        | AppendError::Build(BuildError::Usage(_)) => Failure::Usage(error.to_string()),
        AppendError::Shard(error) => of_shard(error),
        AppendError::Unknown { .. } | AppendError::Build(_) => Failure::Unusable(error.to_string()),
    }
}

/// A closed pipe ends the command quietly, as it does for other filters.
fn print(out: &mut dyn Write, line: &str) -> bool {
    writeln!(out, "{line}").is_ok()
}

fn list(location: &str) -> Result<(), Failure> {
    let client = open(location, false)?;
    let shards = block_on(client.shards()).map_err(|e| Failure::Unusable(e.to_string()))?;
    let mut out = std::io::stdout().lock();
    for (shard, seqno) in shards {
        let line = match block_on(client.inspect(shard)) {
            Ok(Some(seen)) => {
                let state = &seen.state;
                let updates: u64 = state.batches.values().map(|b| b.len).sum();
                let bytes: u64 = state
                    .batches
                    .values()
                    .flat_map(|b| b.parts())
                    .map(|p| p.encoded_bytes)
                    .sum();
                let end = if state.is_tombstone() { " finalized" } else { "" };
                format!(
                    "{shard} {seqno} since {} upper {} updates {updates} bytes {bytes} codec {}{end}",
                    state.since,
                    state.upper(),
                    state.codec
                )
            }
            Ok(None) => format!("{shard} {seqno} gone"),
            Err(error) => format!("{shard} {seqno} unreadable: {error}"),
        };
        if !print(&mut out, &line) {
            break;
        }
    }
    Ok(())
}

fn inspect(which: &Which, format: Format) -> Result<(), Failure> {
    let (client, shard, _) = existing(which)?;
    let seen = block_on(client.inspect(shard))
        .map_err(|e| of_shard(&e))?
        .expect("it was there a moment ago");
    let state = &seen.state;
    let mut out = std::io::stdout().lock();
    if format == Format::Json {
        let document = serde_json::json!({
            "shard": shard.to_string(),
            "seqno": state.seqno.get(),
            "earliest": seen.earliest.get(),
            "seqno_since": state.seqno_since().get(),
            "since": state.since.time(),
            "upper": state.upper().time(),
            "codec": state.codec,
            "versions": seen.live_diffs,
            "consensus_bytes": seen.consensus_bytes,
            "inline_bytes": state.inline_bytes(),
            "batches": state.batches.values().map(|b| serde_json::json!({
                "lower": b.desc.lower.time(), "upper": b.desc.upper.time(), "since": b.desc.since.time(),
                "updates": b.len, "runs": b.runs.len(), "parts": b.parts().count(),
                "bytes": b.parts().map(|p| p.encoded_bytes).sum::<u64>(),
            })).collect::<Vec<_>>(),
            "readers": state.leased.iter().map(|(id, r)| serde_json::json!({
                "id": id.to_string(), "since": r.since.time(), "seqno": r.seqno.get(),
                "last_heartbeat_ms": r.last_heartbeat_ms, "lease_ms": r.lease_ms, "who": r.debug,
            })).collect::<Vec<_>>(),
            "critical": state.critical.iter().map(|(id, r)| serde_json::json!({
                "id": id.to_string(), "since": r.since.time(), "opaque": r.opaque, "who": r.debug,
            })).collect::<Vec<_>>(),
            "writers": state.writers.iter().map(|(id, w)| serde_json::json!({
                "id": id.to_string(), "upper": w.upper.time(), "last_heartbeat_ms": w.last_heartbeat_ms,
                "who": w.debug,
            })).collect::<Vec<_>>(),
        });
        print(&mut out, &format!("{document:#}"));
        return Ok(());
    }
    let now = client.clock().now_ms();
    let ago = |ms: u64| format!("{} s ago", now.saturating_sub(ms) / 1000);
    let mut lines = vec![
        format!("shard   {shard}, codec {}", state.codec),
        format!(
            "state   {} (log begins at {}), written {} by {}",
            state.seqno,
            seen.earliest,
            ago(state.walltime_ms),
            state.hostname
        ),
        format!("times   since {} upper {}", state.since, state.upper()),
        format!(
            "log     {} versions, {} bytes; rollups {}",
            seen.live_diffs,
            seen.consensus_bytes,
            state.rollups.len()
        ),
        format!("holds   parts since {} are kept", state.seqno_since()),
        format!("inline  {} bytes", state.inline_bytes()),
    ];
    for batch in state.batches.values() {
        let bytes: u64 = batch.parts().map(|p| p.encoded_bytes).sum();
        lines.push(format!(
            "batch   [{}, {}) since {}: {} updates, {} runs, {} parts, {bytes} bytes",
            batch.desc.lower,
            batch.desc.upper,
            batch.desc.since,
            batch.len,
            batch.runs.len(),
            batch.parts().count()
        ));
    }
    for (id, reader) in &state.leased {
        lines.push(format!(
            "reader  {id} holds since {} and {}, heard of {}, lease {} s: {}",
            reader.since,
            reader.seqno,
            ago(reader.last_heartbeat_ms),
            reader.lease_ms / 1000,
            reader.debug
        ));
    }
    for (id, reader) in &state.critical {
        lines.push(format!(
            "hold    {id} holds since {} for ever, token {}: {}",
            reader.since, reader.opaque, reader.debug
        ));
    }
    for (id, writer) in &state.writers {
        lines.push(format!(
            "writer  {id} wrote up to {}, heard of {}: {}",
            writer.upper,
            ago(writer.last_heartbeat_ms),
            writer.debug
        ));
    }
    lines.iter().all(|line| print(&mut out, line));
    Ok(())
}

/// The newest complete time, or why there is none.
fn newest(client: &Client, shard: ShardId, codec: &str) -> Result<u64, Failure> {
    let upper = block_on(client.recent_upper(shard, codec)).map_err(|e| of_shard(&e))?;
    match upper {
        Frontier::At(0) => Err(Failure::Usage(format!(
            "shard {shard} was never written: it has no complete time"
        ))),
        Frontier::At(upper) => Ok(upper - 1),
        Frontier::Closed => Ok(u64::MAX),
    }
}

fn read(which: &Which, as_of: Option<u64>) -> Result<(), Failure> {
    let (client, shard, codec) = existing(which)?;
    let newest = newest(&client, shard, &codec)?;
    let as_of = as_of.unwrap_or(newest);
    if as_of > newest {
        return Err(Failure::Usage(format!(
            "time {as_of} is not complete yet, the newest complete one is {newest}; `tail` waits"
        )));
    }
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let answer = block_on(async {
        let reader = client
            .open_leased_reader(shard, &codec, "millstream shard read")
            .await?;
        let done = reader
            .snapshot_each(as_of, &mut |update| print(&mut out, &rows::to_json(update)))
            .await;
        // The reader is given up whatever came of the reading.
        let gone = reader.expire().await;
        done.and(gone)
    });
    let _ = out.flush();
    answer.map_err(|e| of_read(&e))
}

fn tail(which: &Which, as_of: Option<u64>, until: Option<u64>) -> Result<(), Failure> {
    let (client, shard, codec) = existing(which)?;
    let upper = block_on(client.recent_upper(shard, &codec)).map_err(|e| of_shard(&e))?;
    let as_of = as_of.unwrap_or_else(|| upper.time().map_or(u64::MAX, |t| t.saturating_sub(1)));
    let mut out = std::io::stdout().lock();
    let answer = block_on(async {
        let reader = client
            .open_leased_reader(shard, &codec, "millstream shard tail")
            .await?;
        // Looking must not take away: the listener lets go of what it has shown, this one of nothing.
        let all = client
            .open_leased_reader(shard, &codec, "millstream shard tail: what was there")
            .await?;
        let mut listen = reader.listen(as_of).await?;
        while until.is_none_or(|until| listen.frontier().less_equal(until)) {
            let Some((updates, progress)) = listen.fetch_next().await? else {
                break;
            };
            let shown = updates
                .iter()
                .filter(|u| until.is_none_or(|until| u.time <= until))
                .all(|u| {
                    print(
                        &mut out,
                        &rows::to_json(UpdateRef {
                            row: &u.row,
                            time: u.time,
                            diff: u.diff,
                        }),
                    )
                });
            let line = serde_json::json!({ "progress": progress.time() }).to_string();
            if !shown || !print(&mut out, &line) || out.flush().is_err() {
                break;
            }
        }
        listen.expire().await?;
        all.expire().await
    });
    answer.map_err(|e| of_read(&e))
}

fn append(
    which: &Which,
    codec: &str,
    format: Input,
    each: bool,
    file: Option<&PathBuf>,
) -> Result<(), Failure> {
    // Whatever can be refused is refused before anything is made.
    let source: Box<dyn BufRead> = match file {
        None => Box::new(std::io::stdin().lock()),
        Some(path) => {
            let refused = |why: String| Failure::Usage(format!("cannot read {}: {why}", path.display()));
            let file = std::fs::File::open(path).map_err(|e| refused(e.to_string()))?;
            if path.is_dir() {
                return Err(refused("it is a folder".to_owned()));
            }
            Box::new(std::io::BufReader::new(file))
        }
    };
    let made = which.shard == "new";
    let mut records = rows::Records::of(source, format == Input::Csv);
    let mut all: Vec<Update> = Vec::new();
    let (client, shard) = if made {
        let client = open(&which.location, true)?;
        // A line that is none must not leave an empty shard behind. With `--each` the id is told before a line is there.
        while let Some(record) = if each { None } else { records.next() } {
            let (number, line) = record.map_err(Failure::Usage)?;
            all.push(update_of(format, number, &line, 0)?);
        }
        let shard = client.fresh_shard();
        (client, shard)
    } else {
        // A mistyped id must not make a shard.
        let (client, shard, _) = existing(which)?;
        (client, shard)
    };
    let mut out = std::io::stdout().lock();
    let writer =
        block_on(client.open_writer(shard, codec, "millstream shard append")).map_err(|e| of_shard(&e))?;
    if made {
        print(&mut out, &shard.to_string());
        let _ = out.flush();
    }
    let mut upper = block_on(writer.fetch_upper()).map_err(|e| of_shard(&e))?;
    for record in records {
        let (number, line) = record.map_err(Failure::Usage)?;
        let Frontier::At(now) = upper else {
            return Err(Failure::Usage(format!(
                "shard {shard} is closed: nothing can be appended"
            )));
        };
        let update = update_of(format, number, &line, now)?;
        if update.time < now {
            let text = format!(
                "line {number}: time {} is complete, the shard's upper is {upper}",
                update.time
            );
            return Err(Failure::Usage(text));
        }
        all.push(update);
        if each {
            upper = commit(&writer, &mut all, upper)?;
            print(
                &mut out,
                &serde_json::json!({ "line": number, "upper": upper.time() }).to_string(),
            );
            // The acknowledgement is worth nothing before it is out.
            if out.flush().is_err() {
                return Ok(());
            }
        }
    }
    if !each {
        let count = all.len();
        if count > 0 {
            upper = commit(&writer, &mut all, upper)?;
        }
        print(
            &mut out,
            &serde_json::json!({ "appended": count, "upper": upper.time() }).to_string(),
        );
    }
    block_on(writer.expire()).map_err(|e| of_shard(&e))
}

/// What a line says; a time that it does not name is `now`.
fn update_of(format: Input, number: usize, line: &str, now: u64) -> Result<Update, Failure> {
    match format {
        Input::Json => rows::from_json(line, now).map_err(|e| Failure::Usage(format!("line {number}: {e}"))),
        Input::Csv => Ok(rows::from_csv(line, now)),
    }
}

/// Appends what was gathered; answers the new upper.
fn commit(writer: &shard::WriteHandle, all: &mut Vec<Update>, upper: Frontier) -> Result<Frontier, Failure> {
    let greatest = all.iter().map(|u| u.time).max().expect("something was gathered");
    let next = greatest.checked_add(1).map_or(Frontier::Closed, Frontier::At);
    block_on(writer.compare_and_append(all, upper, next)).map_err(|e| of_append(&e))?;
    all.clear();
    Ok(next)
}

fn compact(which: &Which) -> Result<(), Failure> {
    let (client, shard, _) = existing(which)?;
    let replaced = block_on(client.compact(shard)).map_err(|e| of_shard(&e))?;
    println!("{replaced} batches rewritten");
    Ok(())
}

fn gc(which: &Which) -> Result<(), Failure> {
    let (client, shard, _) = existing(which)?;
    match block_on(client.collect_garbage(shard)).map_err(|e| of_shard(&e))? {
        None => println!("nothing can go: readers hold it, or it is needed; `inspect` shows who"),
        Some(done) => {
            let earliest = done
                .earliest
                .map_or_else(String::new, |seqno| format!(", the log begins at {seqno}"));
            println!("{} blobs deleted{earliest}", done.deleted);
            if !done.kept.is_empty() {
                let text = format!(
                    "{} blobs were removed and are referenced; left alone",
                    done.kept.len()
                );
                return Err(Failure::Finding(text));
            }
        }
    }
    Ok(())
}

fn verify(which: &Which) -> Result<(), Failure> {
    let (client, shard, _) = existing(which)?;
    let found = block_on(client.verify(shard))
        .map_err(|error| match error {
            ShardError::Corrupt { .. } => Failure::Finding(error.to_string()),
            _ => of_shard(&error),
        })?
        .expect("it was there a moment ago");
    println!(
        "{} versions, {} parts, {} updates checked; {} blobs that nothing references",
        found.versions,
        found.parts,
        found.updates,
        found.unreferenced.len()
    );
    if found.problems.is_empty() {
        return Ok(());
    }
    for problem in &found.problems {
        println!("{problem}");
    }
    Err(Failure::Finding(format!(
        "shard {shard}: {} problems",
        found.problems.len()
    )))
}
