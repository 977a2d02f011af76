//! Where shards live: a blob store and a consensus store that belong together.
//!
//! Must not know what shards are.

use std::sync::Arc;

use crate::store::mem::{MemBlob, MemConsensus};
use crate::store::{Blob, Consensus};

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
}
