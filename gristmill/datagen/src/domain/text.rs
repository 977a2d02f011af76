//! Text in order: up to ten leading characters are the descriptor, six bits each; the rest is its hash.
//!
//! The characters of a prefix come from an alphabet of 64 in ascending order of their bytes. UTF-8 is
//! free of prefixes, so two different prefixes differ before either ends and the suffix never decides
//! an order. The suffix has any length and holds blanks, quotes and more of Unicode; it never ends in
//! a blank. Awkward whole texts (empty, one blank, very long) are specials.

use super::{DomainError, Limits};
use crate::stream::mix;
use crate::value::Type;

/// Characters in a prefix when the limits have room for it.
const PREFIX: u32 = 10;
/// The longest character of an alphabet, in bytes.
const LONGEST: u32 = 4;
/// Characters are written here first, four bytes each however long they are; more than a prefix.
const BUFFER: usize = 112;
/// The longest suffix that most texts have.
const SHORT: usize = 16;
/// Chosen with the suffix: its length, then its characters, ten at a time.
const SUFFIX: u64 = 0xd807_aa98_a303_0242;
const MORE: u64 = 0x1283_5b01_4570_6fbe;

const ASCII: &str = "\"'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const UNICODE: &str = "\"%'0123456789;ABCDEFGHIJKLMNOP\\_abcdefghijklmnopqrstßéÿıΩяאक€漢한🦀";
/// What suffixes are made of besides: blanks, quotes, and what is often misread.
const ASCII_ATOMS: &str = " ' \"%_\\;-,.:/?!#$&()*+<=>@[]^`{|}~ etaoinsrhldcumfpgwybvkxjq 012";
const UNICODE_ATOMS: &str =
    " ' \"%_\\;-,.:/?!#&( etaoinsrhldcumfp0123äñçğșžåøλжدहไ中文日ひア글😀👩₿\u{301}\u{200d}\u{a0}";

static ASCII_TABLE: Table = Table::new(ASCII, ASCII_ATOMS);
static UNICODE_TABLE: Table = Table::new(UNICODE, UNICODE_ATOMS);

struct Table {
    digits: Chars,
    atoms: Chars,
}

/// Sixty-four characters, each padded to four bytes.
struct Chars {
    bytes: [[u8; 4]; 64],
    lengths: [u8; 64],
    /// The first byte of each, which is all of it in ASCII.
    firsts: [u8; 64],
}

impl Table {
    const fn new(digits: &str, atoms: &str) -> Table {
        Table {
            digits: Chars::new(digits),
            atoms: Chars::new(atoms),
        }
    }
}

impl Chars {
    /// Panics, at compile time, unless there are exactly 64 characters.
    const fn new(text: &str) -> Chars {
        let from = text.as_bytes();
        let (mut bytes, mut lengths, mut firsts) = ([[0; 4]; 64], [0; 64], [0; 64]);
        let (mut at, mut n) = (0, 0);
        while at < from.len() {
            let length = match from[at] {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                0xf0.. => 4,
            };
            let mut i = 0;
            while i < length {
                bytes[n][i] = from[at + i];
                i += 1;
            }
            lengths[n] = length as u8;
            firsts[n] = from[at];
            at += length;
            n += 1;
        }
        assert!(n == 64, "six bits choose a character");
        Chars {
            bytes,
            lengths,
            firsts,
        }
    }

    /// How many characters stand before `text`, which starts with none of them.
    fn before(&self, text: &[u8]) -> u64 {
        (0..64)
            .filter(|n| self.bytes[*n][..usize::from(self.lengths[*n])] < *text)
            .count() as u64
    }

    /// The ten characters of one byte that the low sixty bits name, the highest bits first.
    #[inline]
    fn ten(&self, bits: u64) -> [u8; 10] {
        let mut ten = [0; 10];
        for (i, byte) in ten.iter_mut().enumerate() {
            *byte = self.firsts[(bits >> (54 - 6 * i)) as usize & 63];
        }
        ten
    }

    #[inline]
    fn length(&self, n: u64) -> usize {
        usize::from(self.lengths[n as usize])
    }

    /// Writes character `n`, padded to four bytes, at a place of the buffer; its length.
    #[inline]
    fn put(&self, n: u64, buffer: &mut [u8; BUFFER], at: usize) -> usize {
        buffer[at..at + 4].copy_from_slice(&self.bytes[n as usize]);
        self.length(n)
    }

    /// The number of the character at the front of `text`, and its length.
    fn find(&self, text: &[u8]) -> Option<(u64, usize)> {
        (0..64).find_map(|n| {
            let length = usize::from(self.lengths[n]);
            (text.get(..length)? == &self.bytes[n][..length]).then_some((n as u64, length))
        })
    }
}

/// Prefix of a fixed number of characters, suffix of any length.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextBase {
    prefix: u32,
    max: u32,
    unicode: bool,
}

impl TextBase {
    pub(super) fn new(limits: &Limits, unicode: bool) -> Result<TextBase, DomainError> {
        let max = limits.text_bytes_max;
        if max == 0 && !limits.empty {
            let ty = if unicode { Type::Text } else { Type::Ascii };
            return Err(DomainError::Empty {
                ty,
                name: "text_bytes_max",
            });
        }
        // Where not even one long character fits, the short ones must do.
        let unicode = unicode && max >= LONGEST;
        let room = if unicode { max / LONGEST } else { max };
        Ok(TextBase {
            prefix: room.min(PREFIX),
            max,
            unicode,
        })
    }

    #[inline]
    pub(super) fn size(&self) -> u64 {
        1 << (6 * self.prefix)
    }

    #[inline]
    fn table(&self) -> &'static Table {
        if self.unicode {
            &UNICODE_TABLE
        } else {
            &ASCII_TABLE
        }
    }

    /// Appends the bytes of the `d`-th text.
    #[inline]
    pub(super) fn write(&self, d: u64, into: &mut Vec<u8>) {
        if self.unicode || !self.write_short(d, into) {
            self.write_any(d, into);
        }
    }

    fn write_any(&self, d: u64, into: &mut Vec<u8>) {
        let table = self.table();
        let (mut buffer, mut length) = ([0_u8; BUFFER], 0_usize);
        let mut shift = 6 * self.prefix;
        while shift > 0 {
            shift -= 6;
            length += table.digits.put((d >> shift) & 63, &mut buffer, length);
        }
        let mut room = self.max as usize - length;
        let mut state = mix(d ^ SUFFIX);
        let mut atoms = suffix_length(state);
        let mut bits = 0;
        while atoms > 0 {
            if bits == 0 {
                state = mix(state.wrapping_add(MORE));
                bits = 60;
            }
            bits -= 6;
            atoms -= 1;
            let atom = (state >> bits) & 63;
            // The last one is a letter or sign of the alphabet: no blank stands at the end.
            let chars = if atoms == 0 { &table.digits } else { &table.atoms };
            let next = chars.length(atom);
            if atoms > 0 && next + LONGEST as usize > room {
                atoms = 1;
                continue;
            }
            if next <= room {
                if length > BUFFER - LONGEST as usize {
                    into.extend_from_slice(&buffer[..length]);
                    length = 0;
                }
                length += chars.put(atom, &mut buffer, length);
                room -= next;
            }
        }
        into.extend_from_slice(&buffer[..length]);
    }

    /// What `write_any` does where every character is one byte and the suffix is short and has room, as in most ASCII texts:
    /// ten characters at once. Whether it was such a text; nothing is appended where it was not.
    #[inline]
    fn write_short(&self, d: u64, into: &mut Vec<u8>) -> bool {
        let (prefix, mut state) = (self.prefix as usize, mix(d ^ SUFFIX));
        let atoms = suffix_length(state);
        // `write_any` cuts a suffix that comes so near to the limit.
        if atoms > SHORT || prefix + atoms + LONGEST as usize > self.max as usize {
            return false;
        }
        let table = &ASCII_TABLE;
        let mut bytes = [0; PREFIX as usize + 20];
        bytes[..10].copy_from_slice(&table.digits.ten(d << (60 - 6 * self.prefix)));
        let mut done = 0;
        while done < atoms {
            state = mix(state.wrapping_add(MORE));
            bytes[prefix + done..][..10].copy_from_slice(&table.atoms.ten(state));
            done += 10;
            if done >= atoms {
                let last = state >> (54 - 6 * (atoms + 9 - done));
                bytes[prefix + atoms - 1] = table.digits.firsts[last as usize & 63];
            }
        }
        let start = into.len();
        into.extend_from_slice(&bytes);
        into.truncate(start + prefix + atoms);
        true
    }

    pub(super) fn read(&self, text: &str) -> Option<u64> {
        let (mut d, mut rest) = (0, text.as_bytes());
        for _ in 0..self.prefix {
            let (digit, length) = self.table().digits.find(rest)?;
            d = d << 6 | digit;
            rest = &rest[length..];
        }
        let mut again = Vec::with_capacity(text.len());
        self.write(d, &mut again);
        (again == text.as_bytes()).then_some(d)
    }

    /// How many of these texts stand before `text`.
    pub(super) fn rank(&self, text: &[u8]) -> u64 {
        let (mut d, mut rest) = (0_u64, text);
        for position in 0..self.prefix {
            match self.table().digits.find(rest) {
                Some((digit, length)) => {
                    d = d << 6 | digit;
                    rest = &rest[length..];
                }
                // Texts with a smaller character here stand before it, all others behind.
                None => {
                    return (d << 6 | self.table().digits.before(rest)) << (6 * (self.prefix - position - 1));
                }
            }
        }
        let mut own = Vec::new();
        self.write(d, &mut own);
        d + u64::from(own.as_slice() < text)
    }
}

/// How many characters or bytes follow a prefix: none in half of all values, up to 16 in most others,
/// up to 271 in one of 256.
#[inline]
pub(super) fn suffix_length(hash: u64) -> usize {
    let length = (hash >> 8) as usize & 255;
    match hash as u8 {
        0 => 16 + length,
        1..128 => 0,
        _ => 1 + length % 16,
    }
}

#[cfg(test)]
mod tests;
