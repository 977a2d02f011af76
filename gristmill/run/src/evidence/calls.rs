//! Answers of lightweight transactions, all of them: whoever judges later ones must know every one before.
//!
//! The ring forgets what was judged; these lie beside it, in `calls`, in its records, for as long as the folder. A later life of the
//! worker and `check RUN` are told of them first.
//!
//! Invariant: an answer is in the kernel's hands when [`Calls::append`] returns.

use super::codec;
use history::{Answered, Consistency, Tick, Visit};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file beside the segments.
const FILE: &str = "calls";

/// The file, made with the first answer.
pub(crate) struct Calls {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Calls {
    /// Those of a ring in this folder.
    pub(crate) fn of(dir: &Path) -> Calls {
        Calls {
            path: dir.join(FILE),
            file: Mutex::new(None),
        }
    }

    /// Takes the answers of a visit, if it is a lightweight transaction, or a read in their order.
    pub(crate) fn append(&self, visit: &Visit, answers: &[Answered]) -> io::Result<()> {
        let serial =
            |stamp: history::Stamp| stamp.condition.is_some() || stamp.consistency == Consistency::Serial;
        if answers.is_empty() || !visit.stamp.is_some_and(serial) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for answer in answers {
            codec::frame(answer, &mut bytes);
        }
        let mut slot = self.file.lock();
        if slot.is_none() {
            *slot = Some(File::options().create(true).append(true).open(&self.path)?);
        }
        slot.as_mut().expect("opened above").write_all(&bytes)
    }
}

/// What lies beside a ring and is not held by it any more: `held`, by the numbers of visits and the ticks at which they were sent.
pub(crate) fn forgotten(dir: &Path, held: &BTreeSet<(history::Lts, Tick)>) -> io::Result<Vec<Answered>> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut answers = Vec::new();
    // What a killed worker did not write to its end is nobody's.
    codec::unframe_all(&std::fs::read(&path)?, &mut answers);
    answers.retain(|a| !held.contains(&(a.address.lts, a.span.sent)));
    Ok(answers)
}
