//! Trying store operations again.
//!
//! Only operations that are idempotent where they are retried come here. A failure that will not heal by
//! itself (H6) is surfaced once it has lasted for the set deadline; every other one is retried for ever, so
//! callers bring their own timeouts.

use std::future::Future;

use crate::client::Env;
use crate::mutant::Mutant;
use crate::store::StoreError;

/// Waits between tries: exponential, with a ceiling.
pub(crate) struct Backoff<'a> {
    env: &'a Env,
    wait_ms: u64,
    permanent_since_ms: Option<u64>,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(env: &'a Env) -> Backoff<'a> {
        Backoff {
            env,
            wait_ms: env.settings.get().retry_initial_ms.max(1),
            permanent_since_ms: None,
        }
    }

    /// Waits after a failure; gives it back if it is permanent and has lasted too long.
    pub(crate) async fn after(&mut self, error: StoreError) -> Result<(), StoreError> {
        let settings = self.env.settings.get();
        let now = self.env.clock.now_ms();
        if error.permanent && self.env.mutant != Mutant::PermanentRetriedForEver {
            let since = *self.permanent_since_ms.get_or_insert(now);
            if now.saturating_sub(since) >= settings.permanent_deadline_ms {
                return Err(error);
            }
        } else {
            self.permanent_since_ms = None;
        }
        let mut wait = self.wait_ms;
        if error.permanent {
            wait = wait.min(settings.permanent_deadline_ms.max(1));
        }
        self.env.clock.sleep(wait).await;
        self.wait_ms = self.wait_ms.saturating_mul(2).min(settings.retry_max_ms.max(1));
        Ok(())
    }
}

/// Runs `operation` until it succeeds or fails permanently.
pub(crate) async fn retry_external<T, F: Future<Output = Result<T, StoreError>>>(
    env: &Env,
    operation: &mut (dyn FnMut() -> F + Send),
) -> Result<T, StoreError> {
    let mut backoff = Backoff::new(env);
    loop {
        match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => backoff.after(error).await?,
        }
    }
}
