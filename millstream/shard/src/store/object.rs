//! Blobs in object storage (S3 and what speaks like it).
//!
//! Must not be used for heads: this client retries by itself, which hides whether a conditional put happened.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};

use super::runtime::IoRuntime;
use super::{Blob, StoreError};

/// Where a bucket is and how to get in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Options {
    /// The bucket.
    pub bucket: String,
    /// Keys begin with this.
    pub prefix: String,
    /// `http://host:port` of the service; none for AWS.
    pub endpoint: Option<String>,
    /// The region; none to take it from the environment, or `us-east-1`.
    pub region: Option<String>,
    /// The access key; none to take it from the environment.
    pub access_key_id: Option<String>,
    /// Its secret.
    pub secret_access_key: Option<String>,
}

/// Two clients of one bucket: one that retries, for blobs, and one that never does, for heads.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) blobs: Arc<dyn ObjectStore>,
    pub(crate) heads: Arc<dyn ObjectStore>,
    pub(crate) prefix: String,
    pub(crate) runtime: IoRuntime,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.prefix)
    }
}

impl Bucket {
    /// Clients for S3. Nothing is asked of the service yet.
    pub fn s3(options: &S3Options) -> Result<Bucket, StoreError> {
        // reqwest panics without a default provider; a second install is refused, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |retry: RetryConfig| -> Result<Arc<dyn ObjectStore>, StoreError> {
            let mut builder = AmazonS3Builder::from_env()
                .with_bucket_name(&options.bucket)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_client_options(ClientOptions::new().with_allow_http(true))
                .with_retry(retry);
            if let Some(endpoint) = &options.endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            // Otherwise the environment's, as AWS_REGION, or us-east-1.
            if let Some(region) = &options.region {
                builder = builder.with_region(region);
            }
            if let Some(id) = &options.access_key_id {
                builder = builder.with_access_key_id(id);
            }
            if let Some(secret) = &options.secret_access_key {
                builder = builder.with_secret_access_key(secret);
            }
            Ok(Arc::new(
                builder
                    .build()
                    .map_err(|e| StoreError::determinate(e).permanent())?,
            ))
        };
        let retrying = RetryConfig {
            max_retries: 3,
            retry_timeout: std::time::Duration::from_secs(30),
            ..RetryConfig::default()
        };
        Ok(Bucket {
            blobs: build(retrying)?,
            heads: build(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })?,
            prefix: options.prefix.trim_matches('/').to_owned(),
            runtime: IoRuntime::start("shard-s3"),
        })
    }

    /// A bucket in this process's memory, with conditional puts; for tests.
    pub fn in_memory() -> Bucket {
        let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        Bucket {
            blobs: Arc::clone(&store),
            heads: store,
            prefix: String::new(),
            runtime: IoRuntime::start("shard-bucket"),
        }
    }

    pub(crate) fn path(&self, folder: &str, key: &str) -> Path {
        let whole = format!("{}/{folder}/{key}", self.prefix);
        Path::from_iter(whole.split('/').filter(|part| !part.is_empty()))
    }
}

/// Where a machine at AWS is asked for keys.
const METADATA: &[&str] = &["/latest/api/token", "/latest/meta-data/iam/"];

/// Which class a failure of object storage is of; what a person can do about it is said.
pub(crate) fn failure(error: &Error) -> StoreError {
    let message = error.to_string();
    let refused = || {
        let text = format!(
            "the service refuses us ({}): check access_key_id and secret_access_key in the location's URL, or \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do in this bucket",
            gist(&message)
        );
        StoreError::determinate(text).permanent()
    };
    match (code(&message), error) {
        // The service itself was not asked yet. Who has no keys asks the machine for some, as AWS's own machines have them.
        _ if METADATA.iter().any(|path| message.contains(path)) => {
            let text = format!(
                "there are no keys: the location's URL has no access_key_id and secret_access_key, AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY are not set, and this machine hands out none ({})",
                gist(&message)
            );
            StoreError::determinate(text).permanent()
        }
        (Some("NoSuchBucket" | "InvalidBucketName"), _) => {
            let text = format!(
                "there is no such bucket ({}): make it, or mend the location's URL",
                gist(&message)
            );
            StoreError::determinate(text).permanent()
        }
        (None | Some("NoSuchKey"), Error::NotFound { .. }) => StoreError::determinate(message),
        // Some services answer 404 to an access key that nobody has.
        (_, Error::PermissionDenied { .. } | Error::Unauthenticated { .. } | Error::NotFound { .. }) => {
            refused()
        }
        // What was asked, and of the XML that came back what a person reads.
        _ => match message.split_once("<?xml") {
            Some((asked, _)) => StoreError::indeterminate(format!("{asked}{}", gist(&message))),
            None => StoreError::indeterminate(message),
        },
    }
}

/// What stands between two tags of the XML that a service answers.
fn inside<'a>(message: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
}

/// The service's name for a failure, if it gave one.
fn code(message: &str) -> Option<&str> {
    inside(message, "Code")
}

/// What a service says in its XML, or all of a message where there is none.
fn gist(message: &str) -> String {
    match (code(message), inside(message, "Message")) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => message.to_owned(),
    }
}

/// A [`Blob`] store in a bucket.
#[derive(Clone, Debug)]
pub struct ObjectBlob {
    bucket: Bucket,
}

impl ObjectBlob {
    /// Blobs of this bucket.
    pub fn new(bucket: Bucket) -> ObjectBlob {
        ObjectBlob { bucket }
    }
}

#[async_trait]
impl Blob for ObjectBlob {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let (store, path) = (Arc::clone(&self.bucket.blobs), self.bucket.path("blobs", key));
        self.bucket
            .runtime
            .run(async move { read(&*store, &path).await.map(|got| got.map(|(b, _)| b)) })
            .await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        let (store, path) = (Arc::clone(&self.bucket.blobs), self.bucket.path("blobs", key));
        let put = async move {
            store
                .put(&path, PutPayload::from_bytes(value))
                .await
                .map(drop)
                .map_err(|e| failure(&e))
        };
        self.bucket.runtime.run(put).await
    }

    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        let (store, path) = (Arc::clone(&self.bucket.blobs), self.bucket.path("blobs", key));
        let delete = async move {
            let size = match store.head(&path).await {
                Ok(meta) => usize::try_from(meta.size).expect("a blob fits in memory"),
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(failure(&error)),
            };
            match store.delete(&path).await {
                Ok(()) => Ok(Some(size)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(failure(&error)),
            }
        };
        self.bucket.runtime.run(delete).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        let (store, root) = (Arc::clone(&self.bucket.blobs), self.bucket.path("blobs", ""));
        let prefix = prefix.to_owned();
        let listing = async move {
            let mut found = Vec::new();
            for (path, size, _) in list_all(&*store, &root).await? {
                let key = path
                    .strip_prefix(root.as_ref())
                    .unwrap_or(&path)
                    .trim_start_matches('/')
                    .to_owned();
                if key.starts_with(&prefix) {
                    found.push((key, size));
                }
            }
            found.sort();
            Ok(found)
        };
        self.bucket.runtime.run(listing).await
    }
}

/// Bytes and ETag of an object, or none.
pub(crate) async fn read(
    store: &dyn ObjectStore,
    path: &Path,
) -> Result<Option<(Bytes, Option<String>)>, StoreError> {
    let got = match store.get(path).await {
        Ok(got) => got,
        // Only an object that is not there is not there: not a bucket, nor what we may not see.
        Err(error @ Error::NotFound { .. }) => {
            return match code(&error.to_string()) {
                None | Some("NoSuchKey") => Ok(None),
                Some(_) => Err(failure(&error)),
            };
        }
        Err(error) => return Err(failure(&error)),
    };
    let etag = got.meta.e_tag.clone();
    Ok(Some((got.bytes().await.map_err(|e| failure(&e))?, etag)))
}

/// Path, size and ETag of every object below `root`.
pub(crate) async fn list_all(
    store: &dyn ObjectStore,
    root: &Path,
) -> Result<Vec<(String, usize, Option<String>)>, StoreError> {
    let mut pages = store.list(Some(root));
    let mut all = Vec::new();
    while let Some(item) = std::future::poll_fn(|cx| pages.as_mut().poll_next(cx)).await {
        let meta = item.map_err(|e| failure(&e))?;
        let size = usize::try_from(meta.size).expect("a blob fits in memory");
        all.push((meta.location.to_string(), size, meta.e_tag));
    }
    Ok(all)
}
