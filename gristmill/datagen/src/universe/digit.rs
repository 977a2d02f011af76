//! The cells of one column: which descriptors its digits name.

use super::{Domain, Key, Stream, below, chance};

/// Up to this many descriptors are kept in a table instead of computed.
const TABLE_MAX: u64 = 256;

/// `radix` cells of nearly equal width over a domain's descriptors: the first `wide` of them have
/// `width + 1` descriptors, the others `width`.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    radix: u64,
    width: u64,
    wide: u64,
    /// The last descriptor of the domain.
    last: u64,
    offsets: Key,
    picks: Key,
    specials: Vec<u64>,
    /// The descriptors, ascending, where there are few.
    table: Vec<u64>,
}

impl Cells {
    /// `radix` is 1 to the domain's size, and 1 only where the size or the universe is 1.
    pub(super) fn new(domain: &Domain, radix: u64, seed: u64, column: u64) -> Cells {
        let size = domain.size();
        let narrow = |n: u128| u64::try_from(n).expect("two or more cells share 2^64 descriptors");
        let last = u64::try_from(size - 1).expect("a domain has at most 2^64 values");
        // One cell of 2^64 descriptors: its first is taken, its width does not matter.
        let (width, wide) = if radix == 1 {
            (last, 0)
        } else {
            (narrow(size / u128::from(radix)), narrow(size % u128::from(radix)))
        };
        let key = |stream| Key::new(crate::stream::draw(seed, stream, &[column]), stream);
        let mut cells = Cells {
            radix,
            width,
            wide,
            last,
            offsets: key(Stream::UniverseCell),
            picks: key(Stream::UniverseSpecial),
            specials: domain.specials().to_vec(),
            table: Vec::new(),
        };
        if radix <= TABLE_MAX {
            cells.table = (0..radix).map(|cell| cells.compute(cell)).collect();
        }
        cells
    }

    #[inline]
    pub(super) fn radix(&self) -> u64 {
        self.radix
    }

    /// The descriptor that stands for a cell.
    #[inline]
    pub(super) fn descriptor(&self, cell: u64) -> u64 {
        match self.table.get(cell as usize) {
            Some(descriptor) => *descriptor,
            None => self.compute(cell),
        }
    }

    fn compute(&self, cell: u64) -> u64 {
        assert!(cell < self.radix, "the digit is outside its column");
        if cell == 0 {
            return 0;
        }
        if cell == self.radix - 1 {
            return self.last;
        }
        let start = cell * self.width + cell.min(self.wide);
        let width = self.width + u64::from(cell < self.wide);
        let first = self.specials.partition_point(|special| *special < start);
        let inside = self.specials[first..]
            .iter()
            .take_while(|special| **special - start < width)
            .count();
        if inside > 0 {
            let pick = self.picks.at(&[cell]);
            if chance(pick, 1, 2) {
                // The low half of the draw: the high one has decided already.
                return self.specials[first + below(pick << 32, inside as u64) as usize];
            }
        }
        start + below(self.offsets.at(&[cell]), width)
    }

    /// The cell that a descriptor stands for, `None` when it is another descriptor of its cell.
    pub(super) fn cell(&self, descriptor: u64) -> Option<u64> {
        let head = u128::from(self.wide) * (u128::from(self.width) + 1);
        let cell = if self.radix == 1 {
            0
        } else if u128::from(descriptor) < head {
            descriptor / (self.width + 1)
        } else {
            self.wide + (descriptor - u64::try_from(head).expect("below the descriptor")) / self.width
        };
        (self.descriptor(cell) == descriptor).then_some(cell)
    }
}
