//! Why a target cannot be used: what, where, and what to do about it. Never a back-trace, never a password.
//!
//! An answer of the database to a statement of a visit is not among these: that is a [`history::Answer`].

use std::fmt;

/// A target that cannot be used. The command line prints it and exits with 3 ([`Unusable::Usage`]) or 4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// What was asked for makes no sense, whatever the server says: exit 3.
    #[error("{0}")]
    Usage(Complaint),
    /// The server, file or engine refuses or cannot be reached: exit 4.
    #[error("{0}")]
    Server(Complaint),
}

/// First what, then where, then the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What cannot be used: a URL without its password, an option, a file.
    pub place: String,
    /// Why not, in the server's own words where it has some.
    pub what: String,
    /// What to do about it; "" where nobody knows.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use {}: {}", self.place, self.what)
    }
}

impl Unusable {
    /// A usage error about `place`.
    pub fn usage(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Usage(Complaint {
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        })
    }

    /// A server that cannot be used.
    pub fn server(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Server(Complaint {
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        })
    }

    /// What, where, remedy.
    pub fn complaint(&self) -> &Complaint {
        match self {
            Self::Usage(c) | Self::Server(c) => c,
        }
    }
}
