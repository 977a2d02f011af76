//! The one place where a runtime of tokio lives: drivers that insist on it run here.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::StoreError;

/// A runtime on a thread of its own. It ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct IoRuntime {
    handle: Handle,
    _stop: Arc<oneshot::Sender<()>>,
}

impl IoRuntime {
    pub(crate) fn start(name: &str) -> IoRuntime {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be started");
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // Ends when the sender is dropped.
                let _ = runtime.block_on(stopped);
            })
            .expect("a thread can be started");
        IoRuntime {
            handle,
            _stop: Arc::new(stop),
        }
    }

    /// Runs `work` there, to its end, even if the caller loses interest.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.spawn(async move {
            // The caller may be gone.
            let _ = sender.send(work.await);
        });
        receiver
            .await
            .unwrap_or_else(|_| Err(StoreError::indeterminate("the store's runtime has ended")))
    }

    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
    }
}
