//! A finding in sentences.

use datagen::schema::Schema;
use history::{Claim, Finding};

/// One sentence each, in the order in which the questions come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What was promised.
    pub promised: String,
    /// What was seen instead.
    pub seen: String,
    /// What the visits of the proof show.
    pub proof: String,
    /// How sure, and why.
    pub how_sure: String,
}

/// A finding in sentences. Pure.
pub fn words(f: &Finding, _schema: &Schema, claim: &Claim) -> Words {
    Words {
        promised: format!("{:?}", claim.level),
        seen: f.shape.name().to_owned(),
        proof: format!("{:?}", f.proof),
        how_sure: format!("{:?}", f.certainty),
    }
}
