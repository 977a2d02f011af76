//! `gristmill explain KIND`

use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use report::explain::{ALL, Explained, explain as find};
use report::text::table;
use run::plan::nearest;

pub(super) fn explain(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let Some(name) = given.get_one::<String>("kind") else {
        let lines: Vec<Vec<String>> = ALL
            .iter()
            .map(|e| vec![e.name.to_owned(), e.sort.to_owned(), e.means.to_owned()])
            .collect();
        out.print(&table(&lines, &[], out.style()));
        return Ok(Exit::Clean);
    };
    let Some(Explained {
        name,
        sort,
        means,
        remedy,
    }) = find(name)
    else {
        let what = format!("nothing is called `{name}`");
        let remedy = match nearest(name, ALL.iter().map(|e| e.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`gristmill explain` lists every word of a verdict".to_owned(),
        };
        return Err(Problem::usage(what, remedy));
    };
    let lines = [
        vec![(*name).to_owned(), (*sort).to_owned()],
        vec!["means".to_owned(), (*means).to_owned()],
        vec!["remedy".to_owned(), (*remedy).to_owned()],
    ];
    out.print(&table(&lines, &[], out.style()));
    Ok(Exit::Clean)
}
