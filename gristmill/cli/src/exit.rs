//! Exit codes: one list for the program, its help and its man page.

use history::Status;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was compared was right.
    Clean = 0,
    /// A promise was broken.
    Finding = 1,
    /// A doubt remains, or too little was compared.
    Unknown = 2,
    /// A mistake of the caller: an argument, a file of settings, a folder that is no run.
    Usage = 3,
    /// The target cannot be used.
    Target = 4,
    /// Our own fault.
    Ours = 5,
    /// The second Ctrl-C.
    Interrupted = 130,
}

/// Every code with its words, in order.
pub(crate) const ALL: [(Exit, &str); 7] = [
    (
        Exit::Clean,
        "clean: everything that was compared was right; or nothing was to be compared (--check none)",
    ),
    (Exit::Finding, "a finding: a promise was broken"),
    (
        Exit::Unknown,
        "unknown: a doubt remains, or too little was compared",
    ),
    (
        Exit::Usage,
        "a mistake of the caller: an argument, a file of settings, a folder that is no run",
    ),
    (Exit::Target, "the target cannot be used"),
    (Exit::Ours, "our own fault; please report it"),
    (Exit::Interrupted, "the second Ctrl-C"),
];

impl Exit {
    /// The code that a library error names.
    pub(crate) fn of(code: u8) -> Exit {
        let known = ALL.iter().map(|(exit, _)| *exit);
        known
            .into_iter()
            .find(|exit| *exit as u8 == code)
            .unwrap_or(Exit::Ours)
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Exit {
        match status {
            // Nothing was asked to be compared, and nothing else was wrong.
            Status::Clean | Status::Unchecked => Exit::Clean,
            Status::Unknown => Exit::Unknown,
            Status::Finding => Exit::Finding,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
