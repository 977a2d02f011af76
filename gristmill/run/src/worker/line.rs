//! What a worker tells its supervisor: one line of JSON each, on its standard output.

use history::Progress;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// From now on an interrupt is heard: it ends the load, not the process.
    Listening,
    /// For the watcher.
    Progress(Progress),
    /// The plan wants this process killed with signal 9, and started again from its folder.
    KillMe,
    /// It ends without a verdict.
    Failed {
        /// 3, 4 or 5.
        code: u8,
        /// What, and where.
        message: String,
        /// The remedy, or "".
        remedy: String,
    },
}

impl Line {
    /// The line, with its end. Inverse of [`Line::read`].
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a line is plain data");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a line; `None`: not one of ours.
    pub(crate) fn read(line: &str) -> Option<Line> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_went() {
        let lines = [
            Line::Listening,
            Line::Progress(Progress::Note("two\nlines".to_owned())),
            Line::KillMe,
            Line::Failed {
                code: 4,
                message: "no \"server\"".to_owned(),
                remedy: String::new(),
            },
        ];
        for line in lines {
            let bytes = line.write();
            let text = std::str::from_utf8(&bytes).unwrap();
            assert_eq!(text.matches('\n').count(), 1);
            assert_eq!(Line::read(text.trim_end()), Some(line));
        }
        assert_eq!(Line::read("warning: something else"), None);
    }
}
