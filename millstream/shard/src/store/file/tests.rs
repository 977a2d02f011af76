//! Files against the conformance suite, and against power cuts that lose what was not synced (H13).

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::{Disk, FileBlob, escape, unescape};
use crate::mutant::Mutant;
use crate::rt::block_on;
use crate::store::{Blob, conformance};

#[test]
fn files_are_a_blob_store() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(FileBlob::open(&folder.path().join("deep/blobs")).unwrap());
    block_on(conformance::blob(open(), &mut || open())).unwrap();
}

#[test]
fn what_was_just_written_is_read_at_once_and_outlives_its_name() {
    read_at_once_and_after_deletion(&tempfile::tempdir().unwrap());
}

#[test]
fn a_file_system_in_memory_is_read_at_once() {
    // Linux has it, as POSIX shared memory.
    read_at_once_and_after_deletion(&tempfile::tempdir_in("/dev/shm").unwrap());
}

fn read_at_once_and_after_deletion(folder: &tempfile::TempDir) {
    let store = FileBlob::open(folder.path()).unwrap();
    let bytes = Bytes::from((0..300_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    block_on(store.set("a", bytes.clone())).unwrap();
    let mut opened = block_on(store.open_pieces("a")).unwrap().unwrap();
    for range in [0..1_200_000, 7..700_001, 1_199_999..1_300_000] {
        let piece = bytes.slice(range.start..range.end.min(bytes.len()));
        let sum = crc32c::crc32c(&piece);
        let got = opened.piece_at_once(range.start as u64..range.end as u64);
        assert_eq!(got, Some((piece, sum)));
    }
    block_on(store.delete("a")).unwrap();
    assert!(block_on(store.open_pieces("a")).unwrap().is_none());
    assert_eq!(opened.piece_at_once(0..9).unwrap().0, bytes.slice(0..9));
}

proptest! {
    #[test]
    fn an_escaped_key_is_read_back(key in ".{0,40}") {
        let name = escape(&key);
        prop_assert!(!name.contains('/') && !name.starts_with('.'));
        prop_assert_eq!(unescape(&name), Some(key));
    }
}

/// A file system in memory where a file's bytes and a folder's entries are durable once synced.
#[derive(Debug, Default)]
struct Volatile {
    state: Mutex<Inner>,
}

type File = Arc<Mutex<(Vec<u8>, Vec<u8>)>>;
type Entries = BTreeMap<PathBuf, Option<File>>;

#[derive(Debug, Default)]
struct Inner {
    /// Path to file, or none for a folder.
    now: Entries,
    durable: Entries,
    fail_sync: bool,
    fsyncs_after_failure: BTreeMap<PathBuf, u32>,
}

impl Volatile {
    /// Everything that was not synced is gone: bytes are cut to what was synced, names too.
    fn power_cut(&self) {
        let mut state = self.state.lock();
        // An entry whose folder is not durable is lost with it.
        let kept: Entries = state
            .durable
            .iter()
            .filter(|(path, _)| {
                path.ancestors()
                    .skip(1)
                    .filter(|p| p.parent().is_some())
                    .all(|p| state.durable.contains_key(p))
            })
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect();
        for file in kept.values().flatten() {
            let mut file = file.lock();
            file.0 = file.1.clone();
        }
        state.now = kept.clone();
        state.durable = kept;
    }
}

fn missing() -> Error {
    Error::from(ErrorKind::NotFound)
}

impl Disk for Volatile {
    fn create_dir(&self, path: &Path) -> Result<bool> {
        let mut state = self.state.lock();
        let parent = path.parent().filter(|p| p.parent().is_some());
        if parent.is_some_and(|p| !state.now.contains_key(p)) {
            return Err(missing());
        }
        if state.now.contains_key(path) {
            return Ok(false);
        }
        state.now.insert(path.to_owned(), None);
        Ok(true)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let file = Arc::new(Mutex::new((bytes.to_vec(), Vec::new())));
        self.state.lock().now.insert(path.to_owned(), Some(file));
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> Result<()> {
        let mut state = self.state.lock();
        *state.fsyncs_after_failure.entry(path.to_owned()).or_default() += 1;
        if std::mem::take(&mut state.fail_sync) {
            return Err(Error::other("the disk failed"));
        }
        let file = state.now.get(path).cloned().flatten().ok_or_else(missing)?;
        let mut file = file.lock();
        file.1 = file.0.clone();
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let mut state = self.state.lock();
        let here: Entries = state
            .now
            .iter()
            .filter(|(p, _)| p.parent() == Some(path))
            .map(|(p, f)| (p.clone(), f.clone()))
            .collect();
        state.durable.retain(|p, _| p.parent() != Some(path));
        state.durable.extend(here);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state.lock();
        let file = state.now.remove(from).ok_or_else(missing)?;
        state.now.insert(to.to_owned(), file);
        Ok(())
    }

    fn read(
        &self,
        path: &Path,
        buffer: &mut dyn FnMut(usize) -> Vec<u8>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<Vec<u8>> {
        let file = self
            .state
            .lock()
            .now
            .get(path)
            .cloned()
            .flatten()
            .ok_or_else(missing)?;
        let bytes = file.lock().0.clone();
        let mut copy = buffer(bytes.len());
        copy.copy_from_slice(&bytes);
        each(&copy);
        Ok(copy)
    }

    fn read_at(
        &self,
        path: &Path,
        range: std::ops::Range<u64>,
        buffer: &mut dyn FnMut(usize) -> Vec<u8>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<Vec<u8>> {
        let whole = self.read(path, &mut |size| vec![0; size], &mut |_| {})?;
        let end = whole.len().min(range.end as usize);
        let piece = &whole[end.min(range.start as usize)..end];
        let mut copy = buffer(piece.len());
        copy.copy_from_slice(piece);
        each(&copy);
        Ok(copy)
    }

    fn size(&self, path: &Path) -> Result<u64> {
        Ok(self.read(path, &mut |size| vec![0; size], &mut |_| {})?.len() as u64)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.state.lock().now.remove(path).map(drop).ok_or_else(missing)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let state = self.state.lock();
        let inside = state.now.keys().filter(|p| p.parent() == Some(path));
        Ok(inside
            .filter_map(|p| p.file_name())
            .map(|n| n.to_string_lossy().into_owned())
            .collect())
    }
}

/// Sets one blob, cuts the power, and looks.
pub(crate) fn survives_a_power_cut(mutant: Mutant) -> std::result::Result<(), String> {
    let disk = Arc::new(Volatile::default());
    let root = Path::new("/data/blobs");
    let store = FileBlob::on(Arc::clone(&disk) as Arc<dyn Disk>, root, mutant).map_err(|e| e.to_string())?;
    let value = Bytes::from_static(b"acknowledged");
    for key in ["s/p/1", "s/p/2"] {
        block_on(store.set(key, value.clone())).map_err(|e| e.to_string())?;
    }
    disk.power_cut();
    let store = FileBlob::on(disk, root, Mutant::None).map_err(|e| e.to_string())?;
    for key in ["s/p/1", "s/p/2"] {
        let got = block_on(store.get(key)).map_err(|e| e.to_string())?;
        if got.as_ref() != Some(&value) {
            return Err(format!("{key} is {got:?} after the power cut"));
        }
    }
    Ok(())
}

#[test]
fn h_13_after_a_failed_fsync_a_new_file_is_begun() {
    let disk = Arc::new(Volatile::default());
    let store = FileBlob::on(
        Arc::clone(&disk) as Arc<dyn Disk>,
        Path::new("/blobs"),
        Mutant::None,
    )
    .unwrap();
    disk.state.lock().fail_sync = true;
    let failed = block_on(store.set("k", Bytes::from_static(b"v")));
    assert!(failed.is_err());
    block_on(store.set("k", Bytes::from_static(b"v"))).unwrap();
    disk.power_cut();
    assert_eq!(block_on(store.get("k")).unwrap(), Some(Bytes::from_static(b"v")));
    let twice = disk
        .state
        .lock()
        .fsyncs_after_failure
        .values()
        .filter(|n| **n > 1)
        .count();
    assert_eq!(twice, 0, "a file was synced again after its fsync failed");
}

#[test]
fn a_set_interrupted_before_the_rename_leaves_the_old_value() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileBlob::open(folder.path()).unwrap();
    block_on(store.set("k", Bytes::from_static(b"old"))).unwrap();
    let inner = store.core.folder("k");
    std::fs::write(inner.join(".tmp-999999999-0"), "new, half writ").unwrap();
    drop(store);
    let store = FileBlob::open(folder.path()).unwrap();
    assert_eq!(
        block_on(store.get("k")).unwrap(),
        Some(Bytes::from_static(b"old"))
    );
    assert_eq!(block_on(store.list("")).unwrap(), [("k".to_owned(), 3)]);
    assert!(
        !inner.join(".tmp-999999999-0").exists(),
        "the leftover is still there"
    );
}

#[test]
fn a_blob_that_is_held_keeps_its_bytes_while_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileBlob::open(folder.path()).unwrap();
    let blob = |byte: u8| Bytes::from(vec![byte; (1 << 20) + usize::from(byte)]);
    for byte in 0..4 {
        block_on(store.set(&byte.to_string(), blob(byte))).unwrap();
    }
    let read = |byte: u8| block_on(store.get(&byte.to_string())).unwrap().unwrap();
    let held = read(0);
    // Buffers of the dropped ones are used again, for greater and for smaller blobs.
    for byte in [1, 2, 3, 2, 1] {
        assert!(read(byte) == blob(byte));
    }
    let (second, third) = (read(3), read(2));
    assert!(held == blob(0) && second == blob(3) && third == blob(2));
    drop((held, second, third));
    let bytes: usize = store.core.spare.buffers.lock().iter().map(Vec::capacity).sum();
    assert!(bytes > 0 && bytes <= super::SPARE_BYTES);
}
