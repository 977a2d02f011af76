//! One visit of a written history as text.
//!
//! ```text
//! s1 12: insert t0/17/5 c3=3; read t0/17 select c3 | commit
//! s2 14@snapshot beside 12: #3 read t0/17 select c3 | auto
//! ```
//! `beside 12`: visit 12 may still be open when this one begins; everything else above has ended. `#3`: lies and faults know
//! the step as number 3; without it a step's number is one more than that of the step before, the first is 0.

use super::NotationError;
use super::ending;
use super::scan::{Scan, Scanned, joined};
use super::visit::{LEVELS, step};
use crate::explicit::written;
use crate::{Level, Line, Lts, SessionId, Visit};
use std::fmt;
use std::str::FromStr;

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Visit { lts, level, .. } = self.visit;
        write!(f, "{} {lts}", self.session)?;
        if level != Level::Serializable {
            let named = LEVELS.iter().find(|(l, _)| *l == level);
            write!(f, "@{}", named.expect("every level has a name").1)?;
        }
        if !self.beside.is_empty() {
            write!(f, " beside {}", joined(&self.beside, Lts::to_string))?;
        }
        f.write_str(":")?;
        let mut next = 0;
        for (n, (step, number)) in self.visit.steps.iter().zip(&self.numbers).enumerate() {
            f.write_str(if n == 0 { " " } else { "; " })?;
            if *number != next {
                write!(f, "#{number} ")?;
            }
            next = number.wrapping_add(1);
            step.fmt(f)?;
        }
        f.write_str(&ending::text(self.visit.end, self.visit.stamp.as_ref()))
    }
}

impl FromStr for Line {
    type Err = NotationError;

    fn from_str(text: &str) -> Result<Line, NotationError> {
        let scan = &mut Scan::new(text.trim_end());
        let line = line(scan)?;
        scan.end()?;
        Ok(line)
    }
}

pub(super) fn line(scan: &mut Scan<'_>) -> Scanned<Line> {
    if !scan.eat("s") {
        return scan.fail("a visit such as `s1 1: read t0/0 select c2 | auto`");
    }
    let session = SessionId(scan.number()?);
    scan.expect(" ")?;
    let lts = Lts(scan.number()?);
    let level = if scan.eat("@") {
        let here = scan.mark();
        let word = scan.word()?;
        match LEVELS.iter().find(|(_, name)| *name == word) {
            Some((level, _)) => *level,
            None => {
                scan.back(here);
                return scan
                    .fail("read-uncommitted, read-committed, repeatable-read, snapshot or serializable");
            }
        }
    } else {
        Level::Serializable
    };
    let beside = match scan.eat(" ") {
        true => {
            scan.expect("beside ")?;
            scan.list(|scan| scan.number().map(Lts))?
        }
        false => Vec::new(),
    };
    scan.expect(":")?;
    let (mut steps, mut numbers) = (Vec::new(), Vec::new());
    let mut next = 0u16;
    loop {
        scan.expect(" ")?;
        let number = if scan.eat("#") {
            let number = scan.number()?;
            scan.expect(" ")?;
            number
        } else {
            next
        };
        numbers.push(number);
        next = number.wrapping_add(1);
        steps.push(step(scan)?);
        if !scan.eat(";") {
            break;
        }
    }
    let (end, stamp) = ending::ending(scan)?;
    Ok(Line {
        session,
        visit: Visit {
            lts,
            level,
            writes: written(&steps),
            steps,
            end,
            stamp,
        },
        numbers,
        beside,
    })
}
