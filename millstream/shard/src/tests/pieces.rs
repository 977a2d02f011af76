//! Big parts of files, read block by block.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::world::{Proof, ensure};
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::file::FileBlob;
use crate::store::mem::MemConsensus;
use crate::store::{Blob, StoreError};
use crate::{
    Client, ClientConfig, FetchError, Frontier, Location, MissingBecause, ReadError, ReadHandle, ShardId,
};

const ROWS: u64 = 30_000;

fn row(number: u64) -> Vec<u8> {
    format!("{number:0>100}").into_bytes()
}

/// Files that the machine never has in memory: each piece is waited for.
#[derive(Debug)]
struct Cold(FileBlob);

#[async_trait]
impl Blob for Cold {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key).await
    }
    fn reads_pieces(&self) -> bool {
        true
    }
    async fn get_piece(&self, key: &str, range: Range<u64>) -> Result<Option<(Bytes, u32)>, StoreError> {
        self.0.get_piece(key, range).await
    }
    async fn get_pieces(
        &self,
        key: &str,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<Vec<(Bytes, u32)>>, StoreError> {
        self.0.get_pieces(key, ranges).await
    }
    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.0.set(key, value).await
    }
    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        self.0.delete(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        self.0.list(prefix).await
    }
}

/// Files as everyone has them.
fn warm(folder: &Path) -> Location {
    block_on(Location::open(&format!("file:{}", folder.display()))).unwrap()
}

fn cold(folder: &Path) -> Location {
    let blob = FileBlob::open(&folder.join("blobs")).unwrap();
    Location::of("cold", Arc::new(Cold(blob)), Arc::new(MemConsensus::new()))
}

const BOTH: [fn(&Path) -> Location; 2] = [warm, cold];

/// A shard whose only part has several blocks, and its reader.
fn filled(location: Location) -> (Client, ShardId, ReadHandle) {
    filled_with(location, Mutant::None, &row)
}

/// [`filled`] with other rows, for a program with a defect.
fn filled_with(
    location: Location,
    mutant: Mutant,
    row: &(dyn Fn(u64) -> Vec<u8> + Sync),
) -> (Client, ShardId, ReadHandle) {
    let config = ClientConfig {
        mutant,
        ..ClientConfig::manual(1_000_000, 1)
    };
    let client = Client::new(location, config);
    let shard = client.fresh_shard();
    let reader = block_on(async {
        let writer = client.open_writer(shard, "text", "test").await.unwrap();
        let mut builder = writer.builder(Frontier::At(0));
        for number in 0..ROWS {
            builder.push(&row(number), number % 3, 1).await.unwrap();
        }
        let (lower, upper) = (Frontier::At(0), Frontier::At(3));
        let batch = builder.finish(upper).await.unwrap();
        writer
            .compare_and_append_batches(vec![batch], lower, upper)
            .await
            .unwrap();
        client.open_leased_reader(shard, "text", "test").await.unwrap()
    });
    (client, shard, reader)
}

/// The file of the part.
fn file_of_the_part(folder: &Path) -> PathBuf {
    let inside = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let files = inside(&folder.join("blobs"))
        .into_iter()
        .flat_map(|path| inside(&path));
    files
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap()
}

/// The rows up to where it fails, if it does.
fn rows_of(reader: &ReadHandle) -> (Vec<Vec<u8>>, Result<(), ReadError>) {
    let mut rows = Vec::new();
    let ended = block_on(reader.snapshot_each(2, &mut |update| {
        assert_eq!((update.time, update.diff), (2, 1));
        rows.push(update.row.to_vec());
        true
    }));
    (rows, ended)
}

#[test]
fn a_part_that_is_read_block_by_block_is_read_whole() {
    for location in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let (client, shard, reader) = filled(location(folder.path()));
        let all: Vec<Vec<u8>> = (0..ROWS).map(row).collect();
        let mut most = 0;
        let fetcher = block_on(client.create_batch_fetcher(shard, "text")).unwrap();
        let mut seen = 0;
        block_on(reader.snapshot_each(2, &mut |update| {
            assert_eq!(update.row, all[seen].as_slice());
            seen += 1;
            most = most.max(fetcher.memory_used());
            true
        }))
        .unwrap();
        assert_eq!(seen, all.len());
        let whole = std::fs::metadata(file_of_the_part(folder.path())).unwrap().len();
        assert!(
            most > 0 && most < whole * 3 / 4,
            "{most} of {whole} bytes in memory"
        );
        // A rewrite walks it as well, and leaves the same.
        block_on(reader.downgrade_since(Frontier::At(2))).unwrap();
        block_on(client.compact(shard)).unwrap();
        assert_eq!(rows_of(&reader).0, all);
        let fetched = block_on(reader.snapshot_and_fetch(2)).unwrap();
        assert!(fetched.iter().map(|update| &update.row).eq(&all));
    }
}

#[test]
fn a_damaged_block_is_named_and_no_row_of_it_is_handed_out() {
    for location in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let (_client, _, reader) = filled(location(folder.path()));
        let path = file_of_the_part(folder.path());
        let whole = std::fs::read(&path).unwrap();
        let all: Vec<Vec<u8>> = (0..ROWS).map(row).collect();
        // In the first block, in a later one, in the table, in the last checksum.
        for at in [100, 2 << 20, whole.len() - 30, whole.len() - 8] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let (rows, ended) = rows_of(&reader);
            assert!(
                matches!(&ended, Err(ReadError::Fetch(FetchError::Damaged { .. }))),
                "byte {at}: {ended:?}"
            );
            assert!(all.starts_with(&rows), "byte {at}");
            assert!(rows.len() < at / 100, "byte {at}: {} rows", rows.len());
        }
        std::fs::write(&path, &whole[..whole.len() - 1000]).unwrap();
        let (rows, ended) = rows_of(&reader);
        assert!(matches!(ended, Err(ReadError::Fetch(FetchError::Damaged { .. }))));
        assert!(rows.is_empty());
        std::fs::remove_file(&path).unwrap();
        let missing = rows_of(&reader).1;
        let Err(ReadError::Fetch(FetchError::Missing { because, .. })) = missing else {
            panic!("{missing:?}");
        };
        assert_eq!(because, MissingBecause::StillHeld);
    }
}

/// A sound part of as many bytes and updates, but not the one that was stored under this key.
pub(super) fn another_part_is_noticed(mutant: Mutant) -> Proof {
    for location in BOTH {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (_client, _, reader) = filled_with(location(folder.path()), mutant, &row);
        let _others = filled_with(location(elsewhere.path()), Mutant::None, &|number| {
            format!("{number:->100}").into_bytes()
        });
        let (path, other) = (
            file_of_the_part(folder.path()),
            file_of_the_part(elsewhere.path()),
        );
        let (ours, theirs) = (
            std::fs::metadata(&path).unwrap(),
            std::fs::metadata(&other).unwrap(),
        );
        ensure!(ours.len() == theirs.len(), "the parts differ in length");
        std::fs::copy(other, path).unwrap();
        let (rows, ended) = rows_of(&reader);
        ensure!(
            matches!(&ended, Err(ReadError::Fetch(FetchError::Damaged { .. }))),
            "another part was answered {ended:?}"
        );
        ensure!(rows.is_empty(), "{} rows of it were handed out", rows.len());
    }
    Ok(())
}
