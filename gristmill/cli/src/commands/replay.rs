//! `gristmill replay RUN`: the same plan again, with the overlaps that were recorded.

use super::run::{failed, killed, supervised};
use super::{folder, text};
use crate::exit::Exit;
use crate::out::Out;
use crate::problem::Problem;
use clap::ArgMatches;
use gristmill::Watcher;
use history::Status;
use history::artefact::Folder;
use history::progress::Progress;
use report::text::{Replayed, Screen, replayed};
use run::plan::split_password;
use run::supervisor::Ended;
use std::io;

pub(super) fn replay(given: &ArgMatches, out: &mut Out) -> Result<Exit, Problem> {
    let folder = folder(given)?;
    let times = *given.get_one::<u32>("times").expect("it has a default");
    let password = given
        .get_one::<String>("target")
        .and_then(|url| split_password(url).1);
    let screen = Screen::new(io::stdout(), out.style(), out.live());
    let mut watcher = Again {
        screen,
        whole: times == 1,
    };
    let replay = supervised(text(given, "out"), password.as_deref(), None, &mut |with| {
        run::replay::replay(&folder, times, with, &mut watcher)
    })?;
    out.noted(watcher.screen.finish());
    let mut unknown = false;
    for ended in replay.endings {
        match ended {
            Ended::Verdict(mut ending) => {
                let folder = Folder::open(&ending.folder)?;
                gristmill::VERSION.clone_into(&mut ending.verdict.gristmill);
                folder.write_verdict(&ending.verdict)?;
                super::report::write_pages(&folder, &ending.verdict)?;
                unknown |= ending.verdict.status == Status::Unknown;
            }
            Ended::Killed { folder } => return Ok(killed(&folder, out)),
            Ended::Failed(failure) => return Err(failed(failure)),
        }
    }
    let found = !replay.others.is_empty() || (!replay.recorded.is_empty() && replay.again > 0);
    let shown = Replayed {
        times: replay.times.into(),
        again: replay.again.into(),
        recorded: replay.recorded,
        others: replay
            .others
            .into_iter()
            .map(|(signature, n)| (signature, n.into()))
            .collect(),
    };
    out.print(&replayed(&shown, out.style()));
    Ok(match (found, unknown) {
        (true, _) => Exit::Finding,
        (false, true) => Exit::Unknown,
        (false, false) => Exit::Clean,
    })
}

/// One replay is shown like a run; of many, only the line that lives.
struct Again<W> {
    screen: Screen<W>,
    whole: bool,
}

impl<W: io::Write + Send> Watcher for Again<W> {
    fn see(&mut self, progress: &Progress) {
        if self.whole || matches!(progress, Progress::Load { .. }) {
            self.screen.see(progress);
        }
    }
}
