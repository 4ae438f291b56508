//! Work in the background.

use std::sync::{Mutex, PoisonError};

use sqlx::PgPool;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// A task in the background that ends when this is dropped.
#[derive(Default)]
pub(crate) struct Task(Mutex<Option<AbortHandle>>);

impl Task {
    /// Begins the task unless it runs: the runtime an earlier one was begun on may be gone. It ends with the pool.
    pub(crate) fn keep_running<F>(&self, pool: &PgPool, work: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_none_or(AbortHandle::is_finished)
            && let Ok(runtime) = Handle::try_current()
        {
            let (mut closed, work) = (pool.close_event(), work());
            let task = runtime.spawn(async move {
                let _ = closed.do_until(work).await;
            });
            *running = Some(task.abort_handle());
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let running = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = running {
            task.abort();
        }
    }
}
