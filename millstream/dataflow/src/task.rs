//! Asynchronous tasks owned by operators.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::counters::{Alive, Counters};

/// A running task; dropping it aborts the task at its next await.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    /// Starts `work` on `runtime`, counted in `counters.tasks` until it ends or is aborted.
    pub(crate) fn spawn(
        runtime: &Handle,
        counters: &Arc<Counters>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        let alive = Alive::new(counters, |counters| &counters.tasks);
        Task(runtime.spawn(async move {
            let _alive = alive;
            work.await;
        }))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
