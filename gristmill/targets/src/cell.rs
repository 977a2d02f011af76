//! One value in its canonical bytes, borrowed: what parameters are bound from and what drivers' values are written to.
//!
//! The layout is `datagen::value`'s; that module owns it, and a test here holds the two together. This one exists because
//! an answer of a hundred rows must not allocate for each text in it.

#[cfg(test)]
mod tests;

/// A value that borrows its text and bytes. Units as in [`datagen::value::Value`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float32(f32),
    Float64(f64),
    Numeric(i128, u8),
    Text(&'a str),
    Bytes(&'a [u8]),
    Uuid([u8; 16]),
    Date(i32),
    Time(i64),
    Timestamp(i64),
    TimestampTz(i64),
    /// The canonical bytes of its parts, one after another.
    Composite(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// Takes one value off the front. Panics on bytes that are no canonical encoding: only our own come here.
    pub(crate) fn take(from: &mut &'a [u8]) -> Self {
        let [tag] = fixed(from);
        match tag {
            0 => Self::Null,
            1 => Self::Bool(fixed::<1>(from) == [1]),
            2 => Self::Int(i64::from_le_bytes(fixed(from))),
            3 => Self::Float32(f32::from_le_bytes(fixed(from))),
            4 => Self::Float64(f64::from_le_bytes(fixed(from))),
            5 => {
                let [scale] = fixed(from);
                Self::Numeric(i128::from_le_bytes(fixed(from)), scale)
            }
            6 => Self::Text(std::str::from_utf8(run(from)).expect("a canonical text is UTF-8")),
            7 => Self::Bytes(run(from)),
            8 => Self::Uuid(fixed(from)),
            9 => Self::Date(i32::from_le_bytes(fixed(from))),
            10 => Self::Time(i64::from_le_bytes(fixed(from))),
            11 => Self::Timestamp(i64::from_le_bytes(fixed(from))),
            12 => Self::TimestampTz(i64::from_le_bytes(fixed(from))),
            13 => Self::Composite(run(from)),
            other => panic!("no canonical value starts with tag {other}"),
        }
    }

    /// Appends the canonical bytes: the inverse of [`Cell::take`].
    pub(crate) fn put(self, into: &mut Vec<u8>) {
        match self {
            Self::Null => into.push(0),
            Self::Bool(v) => into.extend_from_slice(&[1, u8::from(v)]),
            Self::Int(v) => tagged::<8, 9>(2, v.to_le_bytes(), into),
            Self::Float32(v) => tagged::<4, 5>(3, if v.is_nan() { f32::NAN } else { v }.to_le_bytes(), into),
            Self::Float64(v) => tagged::<8, 9>(4, if v.is_nan() { f64::NAN } else { v }.to_le_bytes(), into),
            Self::Numeric(unscaled, scale) => {
                into.extend_from_slice(&[5, scale]);
                into.extend_from_slice(&unscaled.to_le_bytes());
            }
            Self::Text(v) => counted(6, v.as_bytes(), into),
            Self::Bytes(v) => counted(7, v, into),
            Self::Uuid(v) => tagged::<16, 17>(8, v, into),
            Self::Date(v) => tagged::<4, 5>(9, v.to_le_bytes(), into),
            Self::Time(v) => tagged::<8, 9>(10, v.to_le_bytes(), into),
            Self::Timestamp(v) => tagged::<8, 9>(11, v.to_le_bytes(), into),
            Self::TimestampTz(v) => tagged::<8, 9>(12, v.to_le_bytes(), into),
            Self::Composite(parts) => counted(13, parts, into),
        }
    }
}

/// The parts of a composite.
pub(crate) fn parts(mut run: &[u8]) -> impl Iterator<Item = Cell<'_>> {
    std::iter::from_fn(move || (!run.is_empty()).then(|| Cell::take(&mut run)))
}

/// Appends a text's canonical bytes where these bytes are one; as bytes otherwise.
pub(crate) fn put_text(text: &[u8], into: &mut Vec<u8>) {
    let is_text = text.is_ascii() || std::str::from_utf8(text).is_ok();
    counted(if is_text { 6 } else { 7 }, text, into);
}

/// In one piece, since this is done for every cell of every answer. `M` is `N` + 1.
fn tagged<const N: usize, const M: usize>(tag: u8, payload: [u8; N], into: &mut Vec<u8>) {
    let mut all = [tag; M];
    all[1..].copy_from_slice(&payload);
    into.extend_from_slice(&all);
}

fn counted(tag: u8, payload: &[u8], into: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("a value is smaller than 4 GiB");
    tagged::<4, 5>(tag, length.to_le_bytes(), into);
    into.extend_from_slice(payload);
}

fn fixed<const N: usize>(from: &mut &[u8]) -> [u8; N] {
    let (head, rest) = from.split_first_chunk().expect("a canonical value is whole");
    *from = rest;
    *head
}

fn run<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let length = u32::from_le_bytes(fixed(from)) as usize;
    let (run, rest) = from.split_at_checked(length).expect("a canonical value is whole");
    *from = rest;
    run
}
