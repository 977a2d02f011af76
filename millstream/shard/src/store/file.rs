//! Blobs as files.
//!
//! Layout: `blobs/<aa>/<escaped key>`, where `aa` is a hash of the key, so that no folder grows without
//! bounds. Must not touch the SQLite files beside it (H2).
//!
//! Invariants:
//! 1. A file appears under its name whole and durable: temporary file, fsync, rename, fsync of the folder,
//!    and of the parent of each folder newly made (H13).
//! 2. After a failed fsync the temporary file is given up; the next try starts with a new one.
//! 3. Temporary files are never listed and are removed when the store is opened.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use self::open::OpenFile;
use super::pool::Workers;
use super::{Blob, OpenBlob, StoreError};
use crate::mutant::Mutant;

/// What a file store asks of a file system; the tests' version loses what was not synced.
pub(crate) trait Disk: std::fmt::Debug + Send + Sync {
    fn create_dir(&self, path: &Path) -> std::io::Result<bool>;
    fn write_new(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()>;
    fn sync_file(&self, path: &Path) -> std::io::Result<()>;
    fn sync_dir(&self, path: &Path) -> std::io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()>;
    /// All bytes of a file, in what `buffer` makes for their number; `each` sees them piece by piece.
    fn read(
        &self,
        path: &Path,
        buffer: &mut dyn FnMut(usize) -> Vec<u8>,
        each: &mut dyn FnMut(&[u8]),
    ) -> std::io::Result<Vec<u8>>;
    /// [`Disk::read`] of the bytes at `range`, as far as the file goes.
    fn read_at(
        &self,
        path: &Path,
        range: Range<u64>,
        buffer: &mut dyn FnMut(usize) -> Vec<u8>,
        each: &mut dyn FnMut(&[u8]),
    ) -> std::io::Result<Vec<u8>>;
    /// The file itself, for reads that do not wait, where there is one.
    fn open(&self, _path: &Path) -> std::io::Result<Option<File>> {
        Ok(None)
    }
    fn size(&self, path: &Path) -> std::io::Result<u64>;
    fn remove(&self, path: &Path) -> std::io::Result<()>;
    fn list(&self, path: &Path) -> std::io::Result<Vec<String>>;
}

/// The machine's file system.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> std::io::Result<bool> {
        match std::fs::create_dir(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?
            .write_all(bytes)
    }

    fn sync_file(&self, path: &Path) -> std::io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        std::fs::rename(from, to)
    }

    fn read(
        &self,
        path: &Path,
        buffer: &mut dyn FnMut(usize) -> Vec<u8>,
        each: &mut dyn FnMut(&[u8]),
    ) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).expect("a blob fits in memory");
        let mut bytes = buffer(size);
        for piece in bytes.chunks_mut(PIECE) {
            file.read_exact(piece)?;
            each(piece);
        }
        Ok(bytes)
    }

    fn read_at(
        &self,
        path: &Path,
        range: Range<u64>,
        buffer: &mut dyn FnMut(usize) -> Vec<u8>,
        each: &mut dyn FnMut(&[u8]),
    ) -> std::io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let wanted = range.end.saturating_sub(range.start);
        let mut bytes = buffer(usize::try_from(wanted).expect("a piece fits in memory"));
        let mut at = 0;
        while at < bytes.len() {
            let to = bytes.len().min(at + PIECE);
            match file.read_at(&mut bytes[at..to], range.start + at as u64)? {
                0 => bytes.truncate(at),
                n => {
                    each(&bytes[at..at + n]);
                    at += n;
                }
            }
        }
        Ok(bytes)
    }

    fn open(&self, path: &Path) -> std::io::Result<Option<File>> {
        File::open(path).map(Some)
    }

    fn size(&self, path: &Path) -> std::io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

/// Read at once: what a processor's own cache holds.
const PIECE: usize = 128 << 10;
/// Buffers of at least this many bytes are used again, and together no more than so many wait for it: fresh memory costs
/// more than reading a file that is in the page cache.
const SPARE_LEAST: usize = 64 << 10;
const SPARE_BYTES: usize = 64 << 20;

/// Buffers that wait to be used again.
#[derive(Debug, Default)]
struct Spare {
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Spare {
    /// A buffer of `size` bytes, whatever they are.
    fn take(&self, size: usize) -> Vec<u8> {
        let mut buffers = self.buffers.lock();
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= size && buffer.capacity() / 2 <= size;
        match buffers.iter().position(fits) {
            Some(index) => {
                let mut buffer = buffers.swap_remove(index);
                buffer.resize(size, 0);
                buffer
            }
            None => vec![0; size],
        }
    }

    fn give_back(&self, buffer: Vec<u8>) {
        if buffer.capacity() < SPARE_LEAST {
            return;
        }
        let mut buffers = self.buffers.lock();
        buffers.push(buffer);
        let mut bytes: usize = buffers.iter().map(Vec::capacity).sum();
        // The oldest go first.
        while bytes > SPARE_BYTES {
            bytes -= buffers.remove(0).capacity();
        }
    }
}

/// A blob's bytes; the buffer goes back on drop.
struct Lent {
    bytes: Vec<u8>,
    spare: Arc<Spare>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.spare.give_back(std::mem::take(&mut self.bytes));
    }
}

/// Threads that wait for the disk.
const THREADS: usize = 8;
const TEMPORARY: &str = ".tmp-";

/// A [`Blob`] store in a folder of the local file system.
#[derive(Clone, Debug)]
pub struct FileBlob {
    core: Arc<Core>,
    workers: Workers,
}

#[derive(Debug)]
struct Core {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    temporary: AtomicU64,
    spare: Arc<Spare>,
    mutant: Mutant,
}

impl FileBlob {
    /// Opens (and makes) the folder.
    pub fn open(root: &Path) -> Result<FileBlob, StoreError> {
        FileBlob::on(Arc::new(RealDisk), root, Mutant::None)
    }

    pub(crate) fn on(disk: Arc<dyn Disk>, root: &Path, mutant: Mutant) -> Result<FileBlob, StoreError> {
        let core = Core {
            disk,
            root: root.to_owned(),
            temporary: AtomicU64::new(0),
            spare: Arc::default(),
            mutant,
        };
        core.make_folder(root).map_err(|e| failure("make", root, &e))?;
        core.make_folders().map_err(|e| failure("prepare", root, &e))?;
        core.remove_leftovers().map_err(|e| failure("clean", root, &e))?;
        Ok(FileBlob {
            core: Arc::new(core),
            workers: Workers::new("shard-file", THREADS),
        })
    }
}

fn failure(what: &str, path: &Path, error: &std::io::Error) -> StoreError {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ": make room on that disk",
        ErrorKind::PermissionDenied => ": it is not ours to write or read",
        _ => "",
    };
    let text = format!("cannot {what} {}: {error}{remedy}", path.display());
    let permanent = matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::NotADirectory
    );
    let out = StoreError::indeterminate(text);
    if permanent { out.permanent() } else { out }
}

/// Characters that keep their meaning in a file name; all others become `%xx`.
fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') && !out.is_empty() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

/// The inverse of [`escape`]; none for names it never makes.
fn unescape(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

impl Core {
    fn folder(&self, key: &str) -> PathBuf {
        self.root
            .join(format!("{:02x}", crc32c::crc32c(key.as_bytes()) & 0xff))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder(key).join(escape(key))
    }

    /// Makes a folder and its missing parents, each durable in its own parent.
    fn make_folder(&self, path: &Path) -> std::io::Result<()> {
        match self.disk.create_dir(path) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_folder(path.parent().ok_or(error)?)?;
                self.disk.create_dir(path)?;
            }
            Err(error) => return Err(error),
        }
        if self.mutant == Mutant::NewFolderNotSynced {
            return Ok(());
        }
        path.parent().map_or(Ok(()), |parent| self.disk.sync_dir(parent))
    }

    /// Makes the folders that blobs are spread over. Synced by whoever opens, not only by whoever made them: another
    /// process may have made them a moment ago.
    fn make_folders(&self) -> std::io::Result<()> {
        let there = self.disk.list(&self.root)?;
        for number in 0..=u8::MAX {
            let name = format!("{number:02x}");
            if there.binary_search(&name).is_err() {
                self.disk.create_dir(&self.root.join(name))?;
            }
        }
        if self.mutant == Mutant::NewFolderNotSynced {
            return Ok(());
        }
        self.disk.sync_dir(&self.root)
    }

    /// Temporary files of processes that died. Only old names of our own process id pattern are removed:
    /// another live process may be writing.
    fn remove_leftovers(&self) -> std::io::Result<()> {
        for folder in self.disk.list(&self.root)? {
            let folder = self.root.join(folder);
            let Ok(names) = self.disk.list(&folder) else {
                continue;
            };
            for name in names.iter().filter(|name| name.starts_with(TEMPORARY)) {
                let pid = name[TEMPORARY.len()..]
                    .split('-')
                    .next()
                    .and_then(|pid| pid.parse::<i32>().ok());
                let alive = pid.is_some_and(|pid| {
                    pid != std::process::id().cast_signed()
                        && nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
                });
                if !alive {
                    let _ = self.disk.remove(&folder.join(name));
                }
            }
        }
        Ok(())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let folder = self.folder(key);
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        let path = self.path(key);
        let written = match self.disk.write_new(&temporary, value) {
            // Somebody tidied up: the folder was made when we opened.
            Err(error) if error.kind() == ErrorKind::NotFound => self
                .make_folder(&folder)
                .and_then(|()| self.disk.write_new(&temporary, value)),
            other => other,
        };
        let written = written.and_then(|()| match self.mutant {
            Mutant::FileNotSynced => Ok(()),
            _ => self.disk.sync_file(&temporary),
        });
        if let Err(error) = written {
            let _ = self.disk.remove(&temporary);
            return Err(failure("write", &path, &error));
        }
        self.disk
            .rename(&temporary, &path)
            .map_err(|e| failure("write", &path, &e))?;
        if self.mutant == Mutant::FolderNotSynced {
            return Ok(());
        }
        self.disk
            .sync_dir(&folder)
            .map_err(|e| failure("sync", &folder, &e))
    }

    /// A blob's bytes, or those at `range`, and their checksum.
    fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<(Bytes, u32)>, StoreError> {
        let path = self.path(key);
        let mut sum = 0;
        let each = &mut |piece: &[u8]| sum = crc32c::crc32c_append(sum, piece);
        let buffer = &mut |size| self.spare.take(size);
        let read = match range {
            None => self.disk.read(&path, buffer, each),
            Some(range) => self.disk.read_at(&path, range, buffer, each),
        };
        match read {
            Ok(bytes) => {
                let spare = Arc::clone(&self.spare);
                Ok(Some((Bytes::from_owner(Lent { bytes, spare }), sum)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("read", &path, &error)),
        }
    }

    fn open_pieces(&self, key: &str) -> Result<Option<Box<dyn OpenBlob>>, StoreError> {
        let path = self.path(key);
        match self.disk.open(&path) {
            Ok(file) => Ok(file.map(|file| -> Box<dyn OpenBlob> {
                let spare = Arc::clone(&self.spare);
                Box::new(OpenFile::new(file, spare))
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("read", &path, &error)),
        }
    }

    fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        let path = self.path(key);
        let size = match self.disk.size(&path) {
            Ok(size) => usize::try_from(size).expect("a blob fits in memory"),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure("delete", &path, &error)),
        };
        // Not synced: a deletion undone by a power cut leaves a blob that nothing references.
        match self.disk.remove(&path) {
            Ok(()) => Ok(Some(size)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("delete", &path, &error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        let mut found = Vec::new();
        let folders = self
            .disk
            .list(&self.root)
            .map_err(|e| failure("list", &self.root, &e))?;
        for folder in folders {
            let folder = self.root.join(folder);
            let names = match self.disk.list(&folder) {
                Ok(names) => names,
                Err(error) if error.kind() == ErrorKind::NotADirectory => continue,
                Err(error) => return Err(failure("list", &folder, &error)),
            };
            for name in names.iter().filter(|name| !name.starts_with(TEMPORARY)) {
                let Some(key) = unescape(name).filter(|key| key.starts_with(prefix)) else {
                    continue;
                };
                if let Ok(size) = self.disk.size(&folder.join(name)) {
                    found.push((key, usize::try_from(size).expect("a blob fits in memory")));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

#[async_trait]
impl Blob for FileBlob {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let got = self.get_summed(key).await?;
        Ok(got.map(|(bytes, _)| bytes))
    }

    async fn get_summed(&self, key: &str) -> Result<Option<(Bytes, u32)>, StoreError> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        self.workers.run(move || core.get(&key, None)).await
    }

    fn reads_pieces(&self) -> bool {
        true
    }

    async fn get_piece(&self, key: &str, range: Range<u64>) -> Result<Option<(Bytes, u32)>, StoreError> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        self.workers.run(move || core.get(&key, Some(range))).await
    }

    async fn get_pieces(
        &self,
        key: &str,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<Vec<(Bytes, u32)>>, StoreError> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        let get = move || {
            ranges
                .into_iter()
                .map(|range| core.get(&key, Some(range)))
                .collect()
        };
        self.workers.run(get).await
    }

    async fn open_pieces(&self, key: &str) -> Result<Option<Box<dyn OpenBlob>>, StoreError> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        self.workers.run(move || core.open_pieces(&key)).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        self.workers.run(move || core.set(&key, &value)).await
    }

    async fn delete(&self, key: &str) -> Result<Option<usize>, StoreError> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        self.workers.run(move || core.delete(&key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, usize)>, StoreError> {
        let (core, prefix) = (Arc::clone(&self.core), prefix.to_owned());
        self.workers.run(move || core.list(&prefix)).await
    }
}

mod open;

#[cfg(test)]
pub(crate) mod tests;
