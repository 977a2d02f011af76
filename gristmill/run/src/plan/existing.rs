//! A schema that is there already: tables like those of a keyspace of the target, and how often a keyspace keeps what it has.
//!
//! Invariant: the keyspace that is read is never written.

use super::draw::PlanError;
use super::mistake::Mistake;
use super::{Settings, split_password};
use datagen::schema::Schema;
use datagen::schema::ddl::{self, Replication};
use history::artefact::lives_in_folder;
use targets::{Declared, OpenOptions, Target, Unusable};

/// What `schema` says where it names a keyspace: `keyspace:shop`, `keyspace:shop.orders,users`.
const KEYSPACE: &str = "keyspace:";

/// Reads the keyspace that `schema` names, if it names one, and says the copies of what was given in the URL. The URL, and what
/// was left out.
pub(super) fn of(
    settings: &mut Settings,
    url: String,
    options: &OpenOptions,
) -> Result<(String, Vec<String>), PlanError> {
    let mut left_out = Vec::new();
    if let Some(named) = settings
        .schema
        .as_deref()
        .and_then(|given| given.strip_prefix(KEYSPACE))
    {
        let named = named.to_owned();
        let Declared { ddl, left_out: also } = read(&named, &url, options)?;
        left_out = also;
        settings.schema = None;
        settings.schema_text = Some((format!("{KEYSPACE}{named}"), ddl));
    }
    let text = match (&settings.schema, &settings.schema_text) {
        (Some(path), _) if !path.ends_with(".toml") => std::fs::read_to_string(path).ok(),
        (None, Some((_, text))) => Some(text.clone()),
        _ => None,
    };
    // What cannot be read is told where the tables are.
    let replication = text.and_then(|text| ddl::replication(&text).ok().flatten());
    let Some(replication) = replication else {
        return Ok((url, left_out));
    };
    if !url.starts_with("cassandra:") {
        left_out.push(format!(
            "replication of the keyspace: {} copies nothing",
            scheme(&url)
        ));
        return Ok((url, left_out));
    }
    let url = with_replication(&url, &replication).map_err(|what| mistake("schema", what))?;
    Ok((url, left_out))
}

fn mistake(place: &str, what: String) -> PlanError {
    PlanError::Mistakes(vec![Mistake {
        place: place.to_owned(),
        what,
    }])
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or(url, |(scheme, _)| scheme)
}

/// `shop` or `shop.orders,users`, read from the target.
fn read(named: &str, url: &str, options: &OpenOptions) -> Result<Declared, PlanError> {
    let (keyspace, tables) = named.split_once('.').unwrap_or((named, ""));
    if keyspace.is_empty() {
        let what =
            "keyspace: names none: write keyspace:shop, or keyspace:shop.orders,users for some of its tables";
        return Err(mistake("schema", what.to_owned()));
    }
    let options = OpenOptions {
        lies: Vec::new(),
        ..options.clone()
    };
    let target = targets::open(url, &options)?;
    let shown = target.describe().url;
    if url.starts_with("cassandra:") && lives_in_folder(url) {
        let remedy = "name the cluster that has it, such as cassandra://HOST";
        let what = format!("a node of our own has no keyspace {keyspace}");
        return Err(Unusable::usage(shown, what, remedy).into());
    }
    let own = url.split_once('?').map_or(url, |(url, _)| url).rsplit_once('/');
    if own.is_some_and(|(before, own)| own == keyspace && !before.ends_with('/')) {
        let what = format!("tables like those of {keyspace} would be made in it");
        let remedy = "leave the keyspace out of the URL: then the run makes its own";
        return Err(Unusable::usage(shown, what, remedy).into());
    }
    let tables: Vec<String> = tables
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(target.declared(keyspace, &tables)?)
}

/// The URL with so many copies, unless it says how many itself. The mistake: it says another number.
fn with_replication(url: &str, given: &Replication) -> Result<String, String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let said = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let mut more = Vec::new();
    match said("rf=") {
        Some(factor) if factor == given.factor.to_string() => {}
        Some(factor) => {
            let shown = split_password(url).0;
            return Err(format!(
                "its keyspace keeps {} copies, and {shown} says rf={factor}: leave one of them out",
                given.factor
            ));
        }
        None => more.push(format!("rf={}", given.factor)),
    }
    // A throw-away cluster is one data centre, whatever it is called.
    if let (Some(datacenter), None, false) = (&given.datacenter, said("dc="), lives_in_folder(url)) {
        more.push(format!("dc={datacenter}"));
    }
    let sign = if query.is_empty() { "?" } else { "&" };
    Ok(match more.is_empty() {
        true => url.to_owned(),
        false => format!("{}{sign}{}", url.trim_end_matches('?'), more.join("&")),
    })
}

/// What tables say behind WITH, on a target that has no such words.
pub(super) fn options_left_out(schema: &Schema, target: &dyn Target) -> Vec<String> {
    let scheme = target.describe().scheme;
    if scheme == "cassandra" {
        return Vec::new();
    }
    let tables = schema.tables.iter().filter(|table| !table.options.is_empty());
    tables
        .map(|table| {
            format!(
                "table {}: {}: {scheme} has no such options",
                table.name,
                table.options.join(", ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
