//! Types that are made of others: lists, sets, maps, tuples, user-defined types and vectors.
//!
//! A composite is interned, so that [`Type`] stays a small word that is copied: two composites are the same type exactly
//! where their structures are the same. Invariants:
//!
//! 1. Parts are scalars or frozen composites; what must be told apart (elements of sets, keys of maps) has an order.
//! 2. Tuples and vectors are always frozen; a vector's elements have a fixed number of bytes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;

use super::{Type, UnknownType};

/// What a composite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Elements in an order of their own.
    List,
    /// Different elements, sorted.
    Set,
    /// Different keys, sorted, each with a value.
    Map,
    /// A fixed number of fields, each of which may be NULL.
    Tuple,
    /// Named fields, each of which may be NULL.
    Udt,
    /// So many elements.
    Vector(u16),
}

/// A type that is made of others. Made by reading its name, see [`Type`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Composite {
    /// What it is.
    pub kind: Kind,
    /// It is written and read as one value; else its elements are cells of their own.
    pub frozen: bool,
    /// Type of the elements; key and value of a map; the fields.
    pub parts: Vec<Type>,
    /// Names of the fields of a user-defined type; empty of all others.
    pub names: Vec<String>,
}

/// The most fields of a tuple or user-defined type.
const FIELDS_MAX: usize = 8;
/// The most elements of a vector.
const VECTOR_MAX: u16 = 32;

static KNOWN: Mutex<BTreeSet<&'static Composite>> = Mutex::new(BTreeSet::new());

impl Composite {
    /// Itself as a type: one place in memory a structure, for ever.
    fn intern(self) -> Type {
        let mut known = KNOWN.lock().expect("nobody panics while holding it");
        if let Some(same) = known.get(&self) {
            return Type::Composite(same);
        }
        let kept: &'static Composite = Box::leak(Box::new(self));
        known.insert(kept);
        Type::Composite(kept)
    }

    /// Whether its elements are cells of their own, each with a timestamp.
    #[must_use]
    pub const fn has_cells(&self) -> bool {
        !self.frozen
    }

    pub(super) fn set_of(element: Type) -> Type {
        Composite {
            kind: Kind::Set,
            frozen: false,
            parts: vec![element],
            names: Vec::new(),
        }
        .intern()
    }

    /// Reads the name of a composite; `None` where it is none, or breaks an invariant of the module.
    pub(super) fn read(text: &str) -> Option<Type> {
        let (head, inner) = text.strip_suffix('>')?.split_once('<')?;
        if head == "frozen" {
            let Type::Composite(inner) = inner.trim().parse().ok()? else {
                return None;
            };
            let frozen = Composite {
                frozen: true,
                ..inner.clone()
            };
            return Some(frozen.intern());
        }
        let words = split(inner);
        let part = |word: &&str| -> Option<Type> {
            let ty: Type = word.trim().parse().ok()?;
            let whole = !matches!(ty, Type::Composite(part) if !part.frozen) && ty != Type::Counter;
            whole.then_some(ty)
        };
        let all = |words: &[&str]| words.iter().map(part).collect::<Option<Vec<Type>>>();
        let made = |kind, parts: Vec<Type>| Composite {
            kind,
            frozen: matches!(kind, Kind::Tuple | Kind::Vector(_)),
            parts,
            names: Vec::new(),
        };
        let composite = match (head.trim(), words.as_slice()) {
            ("list", one @ [_]) => made(Kind::List, all(one)?),
            ("set", one @ [_]) => made(Kind::Set, all(one)?),
            ("map", two @ [_, _]) => made(Kind::Map, all(two)?),
            ("tuple", fields) => made(Kind::Tuple, all(fields)?),
            ("vector", [element, count]) => {
                let count = count
                    .trim()
                    .parse()
                    .ok()
                    .filter(|n| (1..=VECTOR_MAX).contains(n))?;
                made(Kind::Vector(count), all(&[element])?)
            }
            ("udt", fields) => {
                let fields: Option<Vec<(&str, &str)>> = fields.iter().map(|f| f.split_once(':')).collect();
                let (names, types): (Vec<&str>, Vec<&str>) = fields?.into_iter().unzip();
                let names: Vec<String> = names.into_iter().map(|n| n.trim().to_owned()).collect();
                let twice = names.iter().collect::<BTreeSet<_>>().len() < names.len();
                let plain = |n: &String| n.chars().all(|c| c.is_alphanumeric() || c == '_');
                if twice || names.iter().any(|n| n.is_empty() || n.len() > 40 || !plain(n)) {
                    return None;
                }
                Composite {
                    names,
                    ..made(Kind::Udt, all(&types)?)
                }
            }
            _ => return None,
        };
        composite.holds().then(|| composite.intern())
    }

    fn holds(&self) -> bool {
        match self.kind {
            Kind::Set | Kind::Map => self.parts[0].orders(),
            Kind::Tuple | Kind::Udt => (1..=FIELDS_MAX).contains(&self.parts.len()),
            Kind::Vector(_) => matches!(
                self.parts[0],
                Type::Int32 | Type::Int64 | Type::Float32 | Type::Float64
            ),
            Kind::List => true,
        }
    }
}

/// One of each kind, frozen and not, for lists of all types and for tests.
pub(super) fn examples() -> Vec<Type> {
    let names = [
        "list<int32>",
        "set<text>",
        "map<text,int32>",
        "udt<a:int32,b:text>",
        "frozen<list<text>>",
        "frozen<set<int32>>",
        "frozen<map<int32,text>>",
        "frozen<udt<a:int32,b:text>>",
        "tuple<int32,text>",
        "vector<float32,3>",
    ];
    names
        .into_iter()
        .map(|name| {
            name.parse()
                .unwrap_or_else(|e: UnknownType| panic!("an example is a type: {e}"))
        })
        .collect()
}

/// At the commas that stand in no brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[from..]);
    out
}

impl fmt::Display for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = self.frozen && !matches!(self.kind, Kind::Tuple | Kind::Vector(_));
        f.write_str(if marked { "frozen<" } else { "" })?;
        f.write_str(match self.kind {
            Kind::List => "list<",
            Kind::Set => "set<",
            Kind::Map => "map<",
            Kind::Tuple => "tuple<",
            Kind::Udt => "udt<",
            Kind::Vector(_) => "vector<",
        })?;
        for (i, part) in self.parts.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            if let Some(name) = self.names.get(i) {
                write!(f, "{name}:")?;
            }
            write!(f, "{part}")?;
        }
        if let Kind::Vector(count) = self.kind {
            write!(f, ",{count}")?;
        }
        f.write_str(if marked { ">>" } else { ">" })
    }
}
