//! Where shards live: a blob store and a consensus store that belong together.
//!
//! Must not know what shards are.
//!
//! Invariants:
//! 1. The identity of the pair is stored on both sides (H7): opening the blobs of one location with the
//!    consensus of another is refused, and so is a consensus whose blobs, or blobs whose consensus, are gone.
//! 2. Passwords never leave this module: [`Location::name`] and every error are redacted (H18).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use crate::ids::{IdSource, SeqNo};
use crate::mutant::Mutant;
use crate::store::file::FileBlob;
use crate::store::head::HeadConsensus;
use crate::store::mem::{MemBlob, MemConsensus};
use crate::store::object::{Bucket, ObjectBlob, S3Options};
use crate::store::postgres::PostgresConsensus;
use crate::store::sqlite::SqliteConsensus;
use crate::store::{Blob, CasResult, Consensus, StoreError, Versioned};

const IDENTITY: &str = "location";
/// In a location's folder.
const CONSENSUS_FILE: &str = "consensus.sqlite";

/// Why a location cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The URL is not one of ours.
    #[error("`{url}` is no location: {why}; use mem:, file:/folder, or s3://bucket/prefix?endpoint=…")]
    Url {
        /// What was given, redacted.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A store cannot be reached or refuses us.
    #[error("{location}: {error}")]
    Store {
        /// The location, redacted.
        location: String,
        /// The store's answer.
        error: StoreError,
    },
    /// Nothing was ever made here.
    #[error("{location}: there is no location here; the first append makes one")]
    Absent {
        /// The location, redacted.
        location: String,
    },
    /// The two stores do not belong together.
    #[error("{location}: blobs and consensus do not belong together: {why}")]
    MixedUp {
        /// The location, redacted.
        location: String,
        /// What does not fit.
        why: String,
    },
}

/// A pair of stores.
#[derive(Clone, Debug)]
pub struct Location {
    name: String,
    blob: Arc<dyn Blob>,
    consensus: Arc<dyn Consensus>,
}

impl Location {
    /// A location in this process's memory, empty.
    pub fn mem() -> Location {
        Location::of("mem:", Arc::new(MemBlob::new()), Arc::new(MemConsensus::new()))
    }

    /// A location of any two stores, without a check that they belong together.
    pub fn of(name: &str, blob: Arc<dyn Blob>, consensus: Arc<dyn Consensus>) -> Location {
        Location {
            name: name.to_owned(),
            blob,
            consensus,
        }
    }

    /// Opens a location by URL, making it if it does not exist.
    ///
    /// - `mem:` in memory, gone with the process.
    /// - `file:/folder` blobs as files, consensus in SQLite; several processes of one host.
    /// - `s3://bucket/prefix?endpoint=…&region=…&access_key_id=…&secret_access_key=…&consensus=postgres://…`
    ///   blobs in a bucket, consensus in PostgreSQL (its URL percent-encoded). Without `consensus` it is a
    ///   head object in the same bucket, which needs conditional puts. Keys not given come from the
    ///   environment (`AWS_ACCESS_KEY_ID`, …).
    ///
    /// # Errors
    /// A store that refuses us is an error at once; nothing is retried here.
    pub async fn open(url: &str) -> Result<Location, LocationError> {
        Location::open_or(url, true).await
    }

    /// [`Location::open`] for those who only look: a location that does not exist is an error, and is not made.
    pub async fn open_existing(url: &str) -> Result<Location, LocationError> {
        Location::open_or(url, false).await
    }

    async fn open_or(url: &str, make: bool) -> Result<Location, LocationError> {
        let bad = |why: String| LocationError::Url {
            url: redact(url),
            why,
        };
        let parsed = Url::parse(url).map_err(|error| {
            bad(match error {
                url::ParseError::RelativeUrlWithoutBase if url.starts_with('/') => {
                    format!("a folder is written file:{url}")
                }
                url::ParseError::RelativeUrlWithoutBase => "it does not begin as one".to_owned(),
                error => error.to_string(),
            })
        })?;
        let name = redact(url);
        let store = |error| LocationError::Store {
            location: name.clone(),
            error,
        };
        let absent = || LocationError::Absent {
            location: name.clone(),
        };
        let location = match parsed.scheme() {
            "mem" => return Ok(Location::mem()),
            "file" => {
                // `file:x` is read as `file:///x`: a folder nobody meant, so it is shown as it was given.
                let relative = || LocationError::Url {
                    url: url.to_owned(),
                    why: "the folder must be absolute".to_owned(),
                };
                if !url.get("file:".len()..).is_some_and(|rest| rest.starts_with('/')) {
                    return Err(relative());
                }
                let folder: PathBuf = parsed.to_file_path().map_err(|()| relative())?;
                if !make && !folder.join(CONSENSUS_FILE).exists() {
                    return Err(absent());
                }
                open_folder(&name, &folder).map_err(store)?
            }
            "s3" => open_s3(&name, &parsed).await.map_err(|failed| match failed {
                Ok(error) => store(error),
                Err(why) => bad(why),
            })?,
            other => return Err(bad(format!("the scheme `{other}` is not known"))),
        };
        // Blobs without their consensus are for `identify` to name: somebody left `consensus` out of the URL.
        if !make
            && location.consensus.head(IDENTITY).await.map_err(store)?.is_none()
            && location.blob.get(IDENTITY).await.map_err(store)?.is_none()
        {
            return Err(absent());
        }
        location.identify(&IdSource::random(), Mutant::None).await?;
        Ok(location)
    }

    /// Its URL, without passwords.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where parts and rollups are.
    pub fn blob(&self) -> &Arc<dyn Blob> {
        &self.blob
    }

    /// Where versions are.
    pub fn consensus(&self) -> &Arc<dyn Consensus> {
        &self.consensus
    }

    /// Checks that the two stores belong together, or makes them so if both are new.
    ///
    /// Pending in Consensus → identity blob → complete in Consensus: a crash anywhere is continued by the
    /// next opener.
    pub(crate) async fn identify(&self, ids: &IdSource, mutant: Mutant) -> Result<(), LocationError> {
        if mutant == Mutant::IdentityUnchecked {
            return Ok(());
        }
        let store = |error| LocationError::Store {
            location: self.name.clone(),
            error,
        };
        let mixed = |why: String| {
            Err(LocationError::MixedUp {
                location: self.name.clone(),
                why,
            })
        };
        loop {
            let head = self.consensus.head(IDENTITY).await.map_err(store)?;
            let blob = self.blob.get(IDENTITY).await.map_err(store)?;
            let there = blob
                .as_ref()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let Some(head) = head else {
                if let Some(there) = there {
                    if self.consensus.head(IDENTITY).await.map_err(store)?.is_some() {
                        continue;
                    }
                    return mixed(format!(
                        "the blobs are of location {there}, the consensus is empty"
                    ));
                }
                let id = ids.shard().to_string().replacen('s', "l", 1);
                self.advance_identity(None, &format!("{id} pending"))
                    .await
                    .map_err(store)?;
                continue;
            };
            let text = String::from_utf8_lossy(&head.data).into_owned();
            let (id, stage) = text.split_once(' ').unwrap_or((text.as_str(), ""));
            match (stage, there) {
                (_, Some(there)) if there != id => {
                    return mixed(format!(
                        "the blobs are of location {there}, the consensus of {id}"
                    ));
                }
                ("complete", Some(_)) => return Ok(()),
                ("complete", None) => {
                    return mixed(format!(
                        "the consensus is of location {id}, whose blobs are not here"
                    ));
                }
                ("pending", Some(_)) => {
                    let next = format!("{id} complete");
                    self.advance_identity(Some(head.seqno), &next)
                        .await
                        .map_err(store)?;
                }
                ("pending", None) => {
                    let bytes = Bytes::from(id.to_owned().into_bytes());
                    self.blob.set(IDENTITY, bytes).await.map_err(store)?;
                }
                _ => return mixed(format!("the consensus names its location `{text}`")),
            }
        }
    }

    /// Doubt and mismatch are met by looking again.
    async fn advance_identity(&self, from: Option<SeqNo>, text: &str) -> Result<(), StoreError> {
        let seqno = from.map_or(SeqNo::FIRST, SeqNo::next);
        let new = Versioned {
            seqno,
            data: Bytes::from(text.to_owned().into_bytes()),
        };
        match self.consensus.compare_and_set(IDENTITY, from, new).await {
            Ok(CasResult::Committed | CasResult::ExpectationMismatch) => Ok(()),
            Err(error) if error.permanent || error.is_determinate() => Err(error),
            Err(_) => Ok(()),
        }
    }
}

fn open_folder(name: &str, folder: &Path) -> Result<Location, StoreError> {
    let blob = FileBlob::open(&folder.join("blobs"))?;
    let consensus = SqliteConsensus::open(&folder.join(CONSENSUS_FILE))?;
    Ok(Location::of(name, Arc::new(blob), Arc::new(consensus)))
}

/// `Err(Ok)` is a store's failure, `Err(Err)` a URL that makes no sense.
async fn open_s3(name: &str, url: &Url) -> Result<Location, Result<StoreError, String>> {
    let bucket = url.host_str().filter(|host| !host.is_empty());
    let bucket = bucket.ok_or_else(|| Err("it names no bucket".to_owned()))?;
    let mut options = S3Options {
        bucket: bucket.to_owned(),
        prefix: url.path().trim_matches('/').to_owned(),
        ..S3Options::default()
    };
    let mut consensus = None;
    for (key, value) in url.query_pairs() {
        let value = Some(value.into_owned());
        match key.as_ref() {
            "endpoint" => options.endpoint = value,
            "region" => options.region = value,
            "access_key_id" => options.access_key_id = value,
            "secret_access_key" => options.secret_access_key = value,
            "consensus" => consensus = value,
            other => return Err(Err(format!("`{other}` is not a parameter of it"))),
        }
    }
    if let Some(why) = half_configured(&options, &|name| std::env::var_os(name).is_some()) {
        return Err(Err(why));
    }
    let bucket = Bucket::s3(&options).map_err(Ok)?;
    let heads: Arc<dyn Consensus> = match consensus.as_deref() {
        None => Arc::new(HeadConsensus::new(bucket.clone())),
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Arc::new(PostgresConsensus::open(url).await.map_err(Ok)?)
        }
        Some(other) => return Err(Err(format!("consensus `{}` is not postgres://…", redact(other)))),
    };
    Ok(Location::of(name, Arc::new(ObjectBlob::new(bucket)), heads))
}

/// What a bucket's URL lacks, given which environment variables are set.
///
/// Without keys the client would ask the machine's metadata service for some, which is there at AWS only, and wait long
/// for its answer elsewhere.
fn half_configured(options: &S3Options, set: &dyn Fn(&str) -> bool) -> Option<String> {
    if let Some(endpoint) = &options.endpoint
        && !Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        return Some(format!(
            "endpoint `{}` is not http://host:port or https://host",
            redact(endpoint)
        ));
    }
    let id = options.access_key_id.is_some() || set("AWS_ACCESS_KEY_ID");
    let secret = options.secret_access_key.is_some() || set("AWS_SECRET_ACCESS_KEY");
    let missing = |what: &str, variable: &str| {
        Some(format!(
            "it has no `{what}`, and {variable} is not set: give one of the two"
        ))
    };
    match (id, secret) {
        (true, false) => return missing("secret_access_key", "AWS_SECRET_ACCESS_KEY"),
        (false, true) => return missing("access_key_id", "AWS_ACCESS_KEY_ID"),
        (true, true) => return None,
        (false, false) => {}
    }
    let elsewhere = options
        .endpoint
        .as_deref()
        .and_then(|endpoint| Url::parse(endpoint).ok())
        .is_some_and(|url| !url.host_str().is_some_and(|host| host.ends_with("amazonaws.com")));
    let handed = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    if elsewhere && !handed.iter().any(|name| set(name)) {
        return missing("access_key_id", "AWS_ACCESS_KEY_ID");
    }
    None
}

/// A URL without its secrets: passwords, and every value of a query but those known to be harmless.
pub fn redact(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        // Not a URL: whatever stands before an @ may be a secret.
        return text
            .rsplit_once('@')
            .map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"));
    };
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| {
                let shown = match key.as_ref() {
                    "endpoint" | "consensus" => redact(&value),
                    "region" | "allow_http" | "sslmode" | "schema" => value.into_owned(),
                    _ => "***".to_owned(),
                };
                (key.into_owned(), shown)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

#[cfg(test)]
pub(crate) mod tests;
