//! The tables of a run: drawn from the seed, or given by a file.

use super::mistake::Mistake;
use datagen::schema::draw::{SchemaOptions, draw};
use datagen::schema::{Schema, ddl, toml};
use datagen::value::Type;
use std::path::Path;
use targets::Target;

/// The schema, with every column's domain resolved for the target (F20). `given`: a `.toml` or `.sql` file.
pub(super) fn schema(seed: u64, given: Option<&Path>, target: &dyn Target) -> Result<Schema, Vec<Mistake>> {
    let limits = |ty: Type| target.limits(&ty);
    let Some(path) = given else {
        let mistake = |e: &dyn ToString| Mistake {
            place: "schema".to_owned(),
            what: e.to_string(),
        };
        return draw(seed, &SchemaOptions::default(), &limits).map_err(|e| vec![mistake(&e)]);
    };
    let mistake = |what: String| Mistake {
        place: path.display().to_string(),
        what,
    };
    let text = std::fs::read_to_string(path).map_err(|e| vec![mistake(e.to_string())])?;
    let read = match path.extension().and_then(|e| e.to_str()) {
        Some("toml") => toml::read(&text, seed, &limits),
        Some("sql" | "ddl" | "cql") => ddl::read(&text, seed, &limits),
        _ => {
            return Err(vec![mistake(
                "a schema is a .toml file or DDL in a .sql file".to_owned(),
            )]);
        }
    };
    read.map_err(|errors| errors.iter().map(|e| mistake(e.to_string())).collect())
}
