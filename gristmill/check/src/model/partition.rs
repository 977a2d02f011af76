//! One partition as the model sees it: rows by position, cells as descriptors, and a journal to take changes back.
//!
//! ```text
//! index   (position, slot) …            sorted by position, no position twice
//! words   slot 0 │ slot 1 │ …           per slot: one word a regular cell, then one bit a cell: set = not NULL
//! starts  slot 0 │ slot 1 │ …           where in `arena` the row's canonical bytes begin, made when first compared,
//!                                       dropped when touched; what nobody points at is garbage until `clean`
//! journal what was done since `record`, newest last; `undo` takes it back in reverse, `settle` makes it final
//! ```
//!
//! Invariants:
//! * P1 a slot is in `index`, in the journal (removed, may come back), or in `free`: never in two of them.
//! * P2 after `undo` every row, cell and cached encoding is what it was at `record`.
//! * P3 bits and words of an unset cell are 0.

use crate::layout::TableLayout;
use history::Cells;
use std::ops::Range;

/// A shared row: one descriptor a shared column, `None` is NULL.
pub(crate) type SharedRow = Box<[Option<u64>]>;

/// Not encoded yet.
const NONE: u32 = u32::MAX;

/// Below this many bytes an arena is not worth cleaning.
const CLEAN_FROM: usize = 1 << 14;

/// Canonical bytes of neighbouring columns, in one piece: where each column ends (four bytes a column, counted from the
/// first column's first byte), then the columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Enc {
    bytes: Vec<u8>,
    valid: bool,
}

impl Enc {
    /// The columns.
    pub(crate) fn view(&self, columns: usize) -> EncView<'_> {
        debug_assert!(self.valid, "encoded before it is read");
        EncView {
            bytes: &self.bytes,
            columns,
        }
    }

    /// Makes it anew; `fill` appends column after column and closes each with [`EncWriter::end_column`].
    pub(crate) fn fill(&mut self, columns: usize, fill: impl FnOnce(&mut EncWriter<'_>)) {
        self.bytes.clear();
        fill(&mut EncWriter::new(&mut self.bytes, columns));
        self.valid = true;
    }
}

/// Columns to look at.
#[derive(Clone, Copy)]
pub(crate) struct EncView<'a> {
    bytes: &'a [u8],
    columns: usize,
}

impl<'a> EncView<'a> {
    /// The bytes of columns `from..to`.
    pub(crate) fn columns(self, from: usize, to: usize) -> &'a [u8] {
        let data = &self.bytes[4 * self.columns..];
        &data[self.end(from)..self.end(to)]
    }

    /// Where column `at - 1` ends.
    fn end(self, at: usize) -> usize {
        match at.checked_sub(1) {
            None => 0,
            Some(i) => {
                let four = self.bytes[4 * i..4 * i + 4].try_into().expect("four bytes");
                u32::from_le_bytes(four) as usize
            }
        }
    }

    /// The whole of it, in bytes.
    fn size(self) -> usize {
        4 * self.columns + self.end(self.columns)
    }
}

/// Appends the columns of one row.
pub(crate) struct EncWriter<'a> {
    pub(crate) bytes: &'a mut Vec<u8>,
    /// Where the next column's end is written.
    end_at: usize,
    data_at: usize,
}

impl<'a> EncWriter<'a> {
    fn new(bytes: &'a mut Vec<u8>, columns: usize) -> Self {
        let end_at = bytes.len();
        bytes.resize(end_at + 4 * columns, 0);
        Self {
            end_at,
            data_at: bytes.len(),
            bytes,
        }
    }

    /// Closes the column whose bytes were appended.
    pub(crate) fn end_column(&mut self) {
        let end = u32::try_from(self.bytes.len() - self.data_at).expect("a row stays below 4 GiB");
        self.bytes[self.end_at..self.end_at + 4].copy_from_slice(&end.to_le_bytes());
        self.end_at += 4;
    }
}

#[derive(Debug)]
enum Undo {
    /// A row was put into `index[at]`.
    Inserted { at: usize },
    /// `count` rows were taken from `index[at..]`; they are the last `count` of `gone`.
    Removed { at: usize, count: usize },
    /// A row was changed; its words are the last of `saved`.
    Touched { slot: u32, start: u32 },
    /// The shared row was changed.
    Shared { old: Option<SharedRow>, enc: Enc },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    cells: usize,
    stride: usize,
    index: Vec<(u64, u32)>,
    words: Vec<u64>,
    starts: Vec<u32>,
    arena: Vec<u8>,
    garbage: usize,
    keys: usize,
    free: Vec<u32>,
    shared: Option<SharedRow>,
    shared_enc: Enc,
    recording: bool,
    journal: Vec<Undo>,
    saved: Vec<u64>,
    gone: Vec<(u64, u32)>,
}

impl Partition {
    /// An empty partition of a table with so many regular columns.
    pub(crate) fn new(regular: usize) -> Self {
        Self {
            cells: regular,
            stride: regular + regular.div_ceil(64),
            ..Self::default()
        }
    }

    /// Approximate memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + 16 * self.index.capacity()
            + 8 * self.words.capacity()
            + 4 * self.starts.capacity()
            + self.arena.capacity()
            + size_of::<Undo>() * self.journal.capacity()
            + 8 * self.saved.capacity()
    }

    /// Rows in the order of their positions: (position, slot).
    pub(crate) fn rows(&self) -> &[(u64, u32)] {
        &self.index
    }

    /// Rows whose position lies in a range.
    pub(crate) fn range(&self, range: &Range<u64>) -> &[(u64, u32)] {
        let (from, to) = self.bounds(range);
        &self.index[from..to]
    }

    /// The slot of a row.
    pub(crate) fn find(&self, position: u64) -> Option<u32> {
        self.at(position).ok().map(|i| self.index[i].1)
    }

    /// The cell of a row by slot and number of the regular column; `None` is NULL.
    pub(crate) fn cell(&self, slot: u32, column: usize) -> Option<u64> {
        let base = slot as usize * self.stride;
        let set = self.words[base + self.cells + column / 64] >> (column % 64) & 1 == 1;
        set.then(|| self.words[base + column])
    }

    /// The shared row.
    pub(crate) fn shared(&self) -> Option<&[Option<u64>]> {
        self.shared.as_deref()
    }

    /// Makes the row's canonical bytes if need be.
    #[inline]
    pub(crate) fn encode(&mut self, table: &TableLayout, position: u64, slot: u32) {
        if self.starts[slot as usize] == NONE {
            self.encode_anew(table, position, slot);
        }
    }

    fn encode_anew(&mut self, table: &TableLayout, position: u64, slot: u32) {
        let start = u32::try_from(self.arena.len()).expect("an arena is cleaned before it holds 4 GiB");
        self.keys = table.row_key_count();
        let mut arena = std::mem::take(&mut self.arena);
        let mut w = EncWriter::new(&mut arena, self.keys + self.cells);
        table.encode_row_key(position, &mut w);
        for column in 0..self.cells {
            table.encode_regular(column, self.cell(slot, column), &mut w);
        }
        self.arena = arena;
        self.starts[slot as usize] = start;
    }

    /// The row's canonical bytes: the clustering key's columns, then the regular ones. [`Self::encode`] comes before.
    pub(crate) fn encoding(&self, slot: u32) -> EncView<'_> {
        self.encoding_at(self.starts[slot as usize])
    }

    fn encoding_at(&self, start: u32) -> EncView<'_> {
        debug_assert_ne!(start, NONE, "encoded before it is read");
        EncView {
            bytes: &self.arena[start as usize..],
            columns: self.keys + self.cells,
        }
    }

    /// The bytes at a start are nobody's any more.
    fn waste(&mut self, start: u32) {
        if start != NONE {
            self.garbage += self.encoding_at(start).size();
        }
    }

    /// Forgets every row's bytes when most of them are nobody's. Only while nobody is between encoding and reading.
    pub(crate) fn clean(&mut self) {
        if self.arena.len() > CLEAN_FROM && 2 * self.garbage > self.arena.len() {
            self.arena.clear();
            self.garbage = 0;
            self.starts.fill(NONE);
            for undo in &mut self.journal {
                if let Undo::Touched { start, .. } = undo {
                    *start = NONE;
                }
            }
        }
    }

    /// Makes the shared row's canonical bytes if need be; every column NULL where there is no shared row.
    pub(crate) fn encode_shared(&mut self, table: &TableLayout) {
        if self.shared_enc.valid {
            return;
        }
        let mut enc = std::mem::take(&mut self.shared_enc);
        enc.fill(table.shared_count(), |w| {
            for column in 0..table.shared_count() {
                let d = self.shared.as_ref().and_then(|s| s[column]);
                table.encode_shared(column, d, w);
            }
        });
        self.shared_enc = enc;
    }

    /// The shared row's bytes; [`Self::encode_shared`] comes before.
    pub(crate) fn shared_encoding(&self, table: &TableLayout) -> EncView<'_> {
        self.shared_enc.view(table.shared_count())
    }

    /// From here on changes can be taken back.
    pub(crate) fn record(&mut self) {
        self.recording = true;
    }

    /// How much has been recorded: a place for [`Self::undo`].
    pub(crate) fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes everything after the mark back.
    pub(crate) fn undo(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop().expect("longer than the mark") {
                Undo::Inserted { at } => {
                    let (_, slot) = self.index.remove(at);
                    self.release(slot);
                }
                Undo::Removed { at, count } => {
                    let back = self.gone.split_off(self.gone.len() - count);
                    self.index.splice(at..at, back);
                }
                Undo::Touched { slot, start } => {
                    let base = slot as usize * self.stride;
                    let from = self.saved.len() - self.stride;
                    self.words[base..base + self.stride].copy_from_slice(&self.saved[from..]);
                    self.saved.truncate(from);
                    let dropped = std::mem::replace(&mut self.starts[slot as usize], start);
                    self.waste(dropped);
                }
                Undo::Shared { old, enc } => {
                    self.shared = old;
                    self.shared_enc = enc;
                }
            }
        }
    }

    /// Stops recording after everything was taken back.
    pub(crate) fn stop(&mut self) {
        self.undo(0);
        self.recording = false;
        self.clean();
    }

    /// Makes what was done before the mark final. Later marks count from here on: they are smaller by `mark`.
    pub(crate) fn settle(&mut self, mark: usize) {
        let (mut saved, mut gone) = (0, 0);
        for i in 0..mark {
            match self.journal[i] {
                Undo::Touched { start, .. } => {
                    self.waste(start);
                    saved += self.stride;
                }
                Undo::Removed { count, .. } => {
                    for at in gone..gone + count {
                        let (_, slot) = self.gone[at];
                        self.release(slot);
                    }
                    gone += count;
                }
                Undo::Inserted { .. } | Undo::Shared { .. } => {}
            }
        }
        self.journal.drain(..mark);
        self.saved.drain(..saved);
        self.gone.drain(..gone);
    }

    /// Puts a row there if there is none. Returns its slot and whether it is new.
    pub(crate) fn insert(&mut self, position: u64) -> (u32, bool) {
        match self.at(position) {
            Ok(i) => (self.index[i].1, false),
            Err(at) => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    let slot = u32::try_from(self.starts.len()).expect("fewer than 2^32 rows");
                    self.starts.push(NONE);
                    self.words.resize(self.words.len() + self.stride, 0);
                    slot
                });
                self.index.insert(at, (position, slot));
                if self.recording {
                    self.journal.push(Undo::Inserted { at });
                }
                (slot, true)
            }
        }
    }

    /// Must come before [`Self::set`] on a row that was there.
    pub(crate) fn touch(&mut self, slot: u32) {
        let start = std::mem::replace(&mut self.starts[slot as usize], NONE);
        if self.recording {
            let base = slot as usize * self.stride;
            self.saved
                .extend_from_slice(&self.words[base..base + self.stride]);
            self.journal.push(Undo::Touched { slot, start });
        } else {
            self.waste(start);
        }
    }

    /// Sets a cell; `None` is NULL. After [`Self::touch`] or on a new row.
    pub(crate) fn set(&mut self, slot: u32, column: usize, d: Option<u64>) {
        let base = slot as usize * self.stride;
        let bit = 1u64 << (column % 64);
        let bits = &mut self.words[base + self.cells + column / 64];
        if d.is_some() {
            *bits |= bit;
        } else {
            *bits &= !bit;
        }
        self.words[base + column] = d.unwrap_or(0);
    }

    /// Removes the rows of a range; how many there were.
    pub(crate) fn remove(&mut self, range: &Range<u64>) -> u64 {
        let (from, to) = self.bounds(range);
        self.remove_at(from, to)
    }

    /// Removes every row; how many there were.
    pub(crate) fn clear(&mut self) -> u64 {
        self.remove_at(0, self.index.len())
    }

    /// Removes one row; whether it was there.
    pub(crate) fn remove_one(&mut self, position: u64) -> bool {
        match self.at(position) {
            Ok(i) => self.remove_at(i, i + 1) == 1,
            Err(_) => false,
        }
    }

    /// Replaces the shared row.
    pub(crate) fn set_shared(&mut self, new: Option<SharedRow>) {
        let old = std::mem::replace(&mut self.shared, new);
        let enc = std::mem::take(&mut self.shared_enc);
        if self.recording {
            self.journal.push(Undo::Shared { old, enc });
        }
    }

    /// Sets shared cells, making the shared row if there is none.
    pub(crate) fn write_shared(&mut self, columns: usize, cells: impl Iterator<Item = (usize, Option<u64>)>) {
        if self.recording {
            let old = self.shared.clone();
            let enc = std::mem::take(&mut self.shared_enc);
            self.journal.push(Undo::Shared { old, enc });
        }
        let row = self
            .shared
            .get_or_insert_with(|| vec![None; columns].into_boxed_slice());
        for (column, d) in cells {
            row[column] = d;
        }
        self.shared_enc.valid = false;
    }

    /// The regular cells of a row as (number of the column, descriptor).
    pub(crate) fn cells_of(&self, slot: u32) -> impl Iterator<Item = (usize, Option<u64>)> {
        (0..self.cells).map(move |c| (c, self.cell(slot, c)))
    }

    /// Rows and cells in one piece, without what is cached.
    pub(crate) fn compact(&self) -> Compact {
        assert!(
            self.journal.is_empty(),
            "a checkpoint holds nothing that may be taken back"
        );
        let mut words = Vec::with_capacity(self.index.len() * (self.stride + 1));
        for (position, slot) in &self.index {
            words.push(*position);
            let base = *slot as usize * self.stride;
            words.extend_from_slice(&self.words[base..base + self.stride]);
        }
        Compact {
            words: words.into_boxed_slice(),
            shared: self.shared.clone(),
        }
    }

    /// The partition that `compact` was made of.
    pub(crate) fn restore(regular: usize, compact: &Compact) -> Self {
        let mut p = Self::new(regular);
        for row in compact.words.chunks_exact(p.stride + 1) {
            let slot = u32::try_from(p.starts.len()).expect("fewer than 2^32 rows");
            p.index.push((row[0], slot));
            p.words.extend_from_slice(&row[1..]);
            p.starts.push(NONE);
        }
        p.shared.clone_from(&compact.shared);
        p
    }

    fn at(&self, position: u64) -> Result<usize, usize> {
        self.index.binary_search_by_key(&position, |(p, _)| *p)
    }

    fn bounds(&self, range: &Range<u64>) -> (usize, usize) {
        let from = self.index.partition_point(|(p, _)| *p < range.start);
        let to = self.index.partition_point(|(p, _)| *p < range.end);
        (from, to.max(from))
    }

    fn remove_at(&mut self, from: usize, to: usize) -> u64 {
        let count = to - from;
        if count == 0 {
            return 0;
        }
        if self.recording {
            self.gone.extend(self.index.drain(from..to));
            self.journal.push(Undo::Removed { at: from, count });
        } else {
            for i in from..to {
                let slot = self.index[i].1;
                self.release(slot);
            }
            self.index.drain(from..to);
        }
        count as u64
    }

    /// Gives a slot back, clean.
    fn release(&mut self, slot: u32) {
        let base = slot as usize * self.stride;
        self.words[base..base + self.stride].fill(0);
        let start = std::mem::replace(&mut self.starts[slot as usize], NONE);
        self.waste(start);
        self.free.push(slot);
    }
}

/// A partition in one piece.
#[derive(Debug, Clone)]
pub(crate) struct Compact {
    words: Box<[u64]>,
    shared: Option<SharedRow>,
}

impl Compact {
    /// Memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + 8 * self.words.len() + self.shared.as_ref().map_or(0, |s| 16 * s.len())
    }
}

/// The cells of a compacted row, for people.
pub(crate) fn cells(partition: &Partition, table: &TableLayout, slot: u32) -> Cells {
    let mut cells: Cells = partition
        .cells_of(slot)
        .map(|(c, d)| (table.regular_id(c), d))
        .collect();
    cells.sort_unstable_by_key(|(c, _)| *c);
    cells
}

#[cfg(test)]
mod tests;
