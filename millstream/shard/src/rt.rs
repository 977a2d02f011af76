//! The little that is needed to wait: for one of two futures, for many at once, or for one on this thread.
//!
//! Handles work under any executor; nothing in the core needs a particular runtime.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// The first of two futures to finish; the first wins a tie.
pub(crate) enum Either<A, B> {
    Left(A),
    Right(B),
}

pub(crate) async fn race<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(move |cx| {
        if let Poll::Ready(value) = a.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(value));
        }
        b.as_mut().poll(cx).map(Either::Right)
    })
    .await
}

/// A future on the heap.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Polls `future` once: it is under way then, if something else does its work. Answers what it answers at once.
pub(crate) async fn begin<T>(future: &mut Boxed<'_, T>) -> Option<T> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// Runs `futures`, at most `limit` at once, and answers in their order.
pub(crate) async fn join_limited<T>(futures: Vec<Boxed<'_, T>>, limit: usize) -> Vec<T> {
    let total = futures.len();
    let mut waiting = futures.into_iter().enumerate();
    let mut running: Vec<(usize, Boxed<'_, T>)> = Vec::new();
    let mut done: Vec<Option<T>> = (0..total).map(|_| None).collect();
    poll_fn(move |cx| {
        loop {
            while running.len() < limit.max(1) {
                let Some(next) = waiting.next() else { break };
                running.push(next);
            }
            let before = running.len();
            running.retain_mut(|(index, future)| match future.as_mut().poll(cx) {
                Poll::Ready(value) => {
                    done[*index] = Some(value);
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() && waiting.len() == 0 {
                return Poll::Ready(done.drain(..).map(|v| v.expect("all are done")).collect());
            }
            if running.len() == before || waiting.len() == 0 {
                return Poll::Pending;
            }
        }
    })
    .await
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Runs one future on this thread, parking while it waits.
///
/// The thread has nothing else to do: what it waits for may be done on it, too. An append to a location of files is committed
/// right here where nobody else appends.
pub fn block_on<F: Future>(future: F) -> F::Output {
    run(future, true)
}

/// [`block_on`] for futures that wait for many things at once: none of them is to keep the others waiting.
pub(crate) fn block_on_many<F: Future>(future: F) -> F::Output {
    run(future, false)
}

fn run<F: Future>(future: F, may_block: bool) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        let before = MAY_BLOCK.replace(may_block);
        let polled = future.as_mut().poll(&mut cx);
        MAY_BLOCK.set(before);
        if let Poll::Ready(value) = polled {
            return value;
        }
        std::thread::park();
    }
}

/// Whether a store may do now, on this thread, what it was asked for: once in each round of a future of [`block_on`], so that of
/// several things asked for at once the first is not done before the others are known.
pub(crate) fn take_leave_to_block() -> bool {
    MAY_BLOCK.take()
}

/// Lets other tasks of the executor run once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
