use std::sync::Arc;

use super::{MemBlob, MemConsensus};
use crate::rt::block_on;
use crate::store::conformance;

#[test]
fn memory_is_a_consensus_and_a_blob_store() {
    let consensus = MemConsensus::new();
    block_on(conformance::consensus(Arc::new(consensus.clone()), &mut || {
        Arc::new(consensus.clone())
    }))
    .unwrap();
    let blob = MemBlob::new();
    block_on(conformance::blob(Arc::new(blob.clone()), &mut || {
        Arc::new(blob.clone())
    }))
    .unwrap();
}
