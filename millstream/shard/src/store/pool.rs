//! A few threads that wait for slow calls, so that no executor has to.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::StoreError;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that run closures in order of arrival. They end with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    jobs: Arc<Mutex<Sender<Job>>>,
}

impl Workers {
    pub(crate) fn new(name: &str, threads: usize) -> Workers {
        let (sender, receiver) = channel::<Job>();
        let receiver: Arc<Mutex<Receiver<Job>>> = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    loop {
                        let job = receiver.lock().recv();
                        match job {
                            Ok(job) => job(),
                            Err(_) => return,
                        }
                    }
                })
                .expect("a thread can be started");
        }
        Workers {
            jobs: Arc::new(Mutex::new(sender)),
        }
    }

    /// Runs `work` on a thread. It runs to its end even if the caller loses interest.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The caller may be gone.
            let _ = sender.send(work());
        });
        self.jobs
            .lock()
            .send(job)
            .expect("the threads live as long as this");
        receiver
            .await
            .unwrap_or_else(|_| Err(StoreError::indeterminate("the store's thread panicked")))
    }
}
