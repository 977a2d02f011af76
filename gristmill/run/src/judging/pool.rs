//! Threads that explain: each takes a piece of a list, the list comes back in its order.

use crate::RunError;
use crate::world::World;
use check::Explained;
use crossbeam_channel::{Receiver, Sender, unbounded};
use history::Answered;
use std::thread::Scope;

type Piece = (usize, Vec<Answered>);

pub(super) struct Pool<'w> {
    pieces: Sender<Piece>,
    done: Receiver<(usize, Vec<Explained>)>,
    threads: usize,
    world: &'w World,
}

/// Below this a list is explained here: handing it over costs more.
const WORTH_IT: usize = 32;

impl<'w> Pool<'w> {
    pub(super) fn new<'s>(world: &'w World, scope: &'s Scope<'s, 'w>, threads: usize) -> Pool<'w>
    where
        'w: 's,
    {
        let (pieces, work) = unbounded::<Piece>();
        let (finished, done) = unbounded();
        for _ in 0..threads {
            let (work, finished) = (work.clone(), finished.clone());
            scope.spawn(move || {
                for (at, answers) in work {
                    let explained = answers.into_iter().map(|a| world.judge.explain(a)).collect();
                    if finished.send((at, explained)).is_err() {
                        return;
                    }
                }
            });
        }
        Pool {
            pieces,
            done,
            threads,
            world,
        }
    }

    /// Explains a list. Errors: a checker thread panicked; its message is on standard error.
    pub(super) fn explain(&self, answers: Vec<Answered>) -> Result<Vec<Explained>, RunError> {
        if answers.len() < WORTH_IT {
            return Ok(answers.into_iter().map(|a| self.world.judge.explain(a)).collect());
        }
        let size = answers.len().div_ceil(self.threads * 2);
        let mut rest = answers.into_iter();
        let mut count = 0;
        loop {
            let piece: Vec<Answered> = rest.by_ref().take(size).collect();
            if piece.is_empty() {
                break;
            }
            self.pieces
                .send((count, piece))
                .map_err(|_| RunError::CheckerDied)?;
            count += 1;
        }
        let mut explained: Vec<Vec<Explained>> = (0..count).map(|_| Vec::new()).collect();
        for _ in 0..count {
            let (at, piece) = self.done.recv().map_err(|_| RunError::CheckerDied)?;
            explained[at] = piece;
        }
        Ok(explained.into_iter().flatten().collect())
    }
}
