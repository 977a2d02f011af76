//! The task that downloads the parts of one worker.
//!
//! 1. The number of fetches under way and fetched parts that wait to be handed over is at most the
//!    concurrency, which is read anew for each fetch.
//! 2. Fetches go on while the task waits for room in its result channel.
//! 3. Each result carries the time of its request. Completion order is arbitrary.
//! 4. It ends when no request can come and none is under way, or when its operator is gone. A fetch that
//!    panics takes the task with it, and the operator notices that its channel ended.

use std::collections::VecDeque;
use std::sync::Arc;

use shard::{BatchFetcher, Client, FetchError, MissingBecause, Position, ShardId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::descriptions::Context;
use super::fetch::Fetching;
use super::message::{Content, PartInMemory, PartToRead, Request, Response};
use crate::counters::Alive;
use crate::task::Task;
use crate::wake::Wake;
use crate::{FlowError, Mutant};

/// Where parts come from.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) client: Client,
    pub(crate) shard: ShardId,
    pub(crate) codec: String,
}

/// Starts the fetch task of a worker.
pub(crate) fn start(store: Store, context: Context, wake: Wake) -> Fetching {
    let (requests_in, requests) = mpsc::unbounded_channel();
    let capacity = if context.hooks.mutant == Mutant::UnboundedResults {
        1 << 20
    } else {
        super::fetch::RESULTS_MAX
    };
    let (results_out, results) = mpsc::channel(capacity);
    let counters = Arc::clone(&context.counters);
    let runtime = store.runtime.clone();
    let task = Task::spawn(&runtime, &counters, async move {
        let fetcher = match store.client.create_batch_fetcher(store.shard, &store.codec).await {
            Ok(fetcher) => fetcher,
            Err(error) => {
                let error = FlowError::Shard {
                    operator: context.name.clone(),
                    shard: store.shard,
                    cause: Arc::new(error),
                };
                return refuse_all(requests, results_out, &context, &error, &wake).await;
            }
        };
        let fetches = Fetches {
            fetcher,
            running: JoinSet::new(),
            ready: VecDeque::new(),
            context,
            wake,
        };
        let outbox = Outbox {
            sender: Some(results_out),
            wake: fetches.wake.clone(),
        };
        fetches.run(requests, outbox).await;
    });
    Fetching {
        requests: Some(requests_in),
        results,
        task,
    }
}

/// The sending half; wakes the operator when the task ends, however it ends.
struct Outbox {
    sender: Option<mpsc::Sender<Response>>,
    wake: Wake,
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.sender = None;
        self.wake.wake();
    }
}

struct Fetches {
    fetcher: BatchFetcher,
    running: JoinSet<Response>,
    /// Done, not yet handed over.
    ready: VecDeque<Response>,
    context: Context,
    wake: Wake,
}

impl Fetches {
    async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>, outbox: Outbox) {
        let results = outbox.sender.as_ref().expect("open until dropped");
        let mut more = true;
        let concurrency_at_start = self.fetcher.concurrency();
        loop {
            let concurrency = match self.context.hooks.mutant {
                Mutant::ConcurrencyReadOnce => concurrency_at_start,
                Mutant::UnboundedResults => usize::MAX,
                _ => self.fetcher.concurrency(),
            };
            let under_way = self.running.len() + self.ready.len();
            let room = match self.context.hooks.mutant {
                Mutant::SendBlocksFetches => under_way == 0,
                _ => under_way < concurrency,
            };
            tokio::select! {
                biased;
                permit = results.reserve(), if !self.ready.is_empty() => {
                    let Ok(permit) = permit else { return };
                    let response = self.ready.pop_front().expect("checked in the guard");
                    self.context.counters.results_sent.add(1);
                    permit.send(response);
                    self.wake.wake();
                }
                done = self.running.join_next(), if !self.running.is_empty() => {
                    match done.expect("the set is not empty") {
                        Ok(response) => self.ready.push_back(response),
                        // Nobody aborts these, so it panicked: end, and let the operator notice.
                        Err(error) => std::panic::resume_unwind(error.into_panic()),
                    }
                }
                request = requests.recv(), if more && room => match request {
                    Some(request) => self.begin(request),
                    None => more = false,
                },
                () = results.closed() => return,
                else => return,
            }
        }
    }

    fn begin(&mut self, request: Request) {
        let fetcher = self.fetcher.clone();
        let context = self.context.clone();
        context.counters.requests_received.add(1);
        self.running.spawn(async move {
            let time = request.time;
            let result = read(&fetcher, &context, request).await;
            Response { time, result }
        });
    }
}

/// Reads one part.
async fn read(
    fetcher: &BatchFetcher,
    context: &Context,
    request: Request,
) -> Result<PartInMemory, FlowError> {
    let counters = &context.counters;
    let (part, audited) = match request.part {
        PartToRead::Counted { row, time, diff } => {
            let alive = Alive::new(counters, |counters| &counters.parts_alive);
            let content = Content::Counted { row, time, diff };
            return Ok(PartInMemory {
                content,
                bytes: 0,
                audited: false,
                _alive: alive,
            });
        }
        PartToRead::Stored { part, audited } => (part, audited),
    };
    let name = part.key().unwrap_or("inline").to_owned();
    context.hooks.before_fetch(&name);
    counters.fetches_started.add(1);
    match fetcher.fetch(&part).await {
        Ok(fetched) => {
            counters.fetches_finished.add(1);
            let alive = Alive::new(counters, |counters| &counters.parts_alive);
            let bytes = u64::try_from(part.encoded_bytes()).expect("a length fits 64 bits");
            let content = Content::Stored {
                part: fetched,
                name,
                position: Position::default(),
            };
            Ok(PartInMemory {
                content,
                bytes,
                audited,
                _alive: alive,
            })
        }
        Err(error) => {
            counters.fetches_failed.add(1);
            let (operator, shard, time) = (context.name.clone(), fetcher.shard(), request.time);
            let expired = matches!(
                &error,
                FetchError::Missing {
                    because: MissingBecause::LeaseExpired,
                    ..
                }
            );
            if expired && context.hooks.mutant != Mutant::ExpiryUnnamed {
                return Err(FlowError::LeaseExpired {
                    operator,
                    shard,
                    part: name,
                    time,
                });
            }
            Err(FlowError::Fetch {
                operator,
                shard,
                part: name,
                time,
                cause: Arc::new(error),
            })
        }
    }
}

/// Answers every request with the reason why no part can be fetched.
async fn refuse_all(
    mut requests: mpsc::UnboundedReceiver<Request>,
    results: mpsc::Sender<Response>,
    context: &Context,
    error: &FlowError,
    wake: &Wake,
) {
    while let Some(request) = requests.recv().await {
        context.counters.requests_received.add(1);
        let response = Response {
            time: request.time,
            result: Err(error.clone()),
        };
        context.counters.results_sent.add(1);
        if results.send(response).await.is_err() {
            return;
        }
        wake.wake();
    }
}
