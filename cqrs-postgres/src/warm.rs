//! Connections that were used a moment ago, for the next call.
//!
//! Whenever a connection is given back, the pool asks the server whether it still works: a round trip more for every
//! statement, in the background, where it takes time from those in front. So calls that follow each other closely pass a
//! few connections on among themselves. The pool remains in charge of them. None is kept
//!  * that somebody may be waiting for: only where the pool could open or hand out another at once;
//!  * for long: a moment after it was last used it is given back, and after a second of use in any case, so that the pool
//!    can do what it does to connections of some age;
//!  * once the pool is closed, which waits for all of them.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::task::Task;

/// Most connections that are kept: as many as appends and reads of streams have under way together.
const MOST: usize = 4;

/// How long one is kept that nobody uses.
const UNUSED: Duration = Duration::from_millis(20);

/// How long one is passed on before it is given back.
const LONGEST: Duration = Duration::from_secs(1);

/// Connections between two calls.
pub(crate) struct Warm {
    pool: PgPool,
    kept: Mutex<Vec<Kept>>,
    arrived: Arc<Notify>,
    watching: Task,
}

/// A connection in the hand of a call. Dropping it gives it back.
pub(crate) struct Held {
    connection: PoolConnection<Postgres>,
    /// When the pool has handed it out.
    since: Instant,
}

struct Kept {
    held: Held,
    since: Instant,
}

impl Warm {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Mutex::default(), arrived: Arc::default(), watching: Task::default() }
    }

    /// The one that was used last.
    pub(crate) fn take(&self) -> Option<Held> {
        let Kept { held, since } = self.kept().pop()?;
        if since.elapsed() > LONGEST {
            // Whoever should have given it back had no time.
            held.give_back();
            return None;
        }
        Some(held)
    }

    /// Whether there is one.
    pub(crate) fn has_some(&self) -> bool {
        !self.kept().is_empty()
    }

    /// Keeps a connection for the next call, if that is in nobody's way. No statement may be under way on it.
    pub(crate) fn keep(self: &Arc<Self>, held: Held) {
        if held.since.elapsed() > LONGEST || !self.may_keep() {
            return;
        }
        {
            let mut kept = self.kept();
            if kept.len() >= MOST {
                return;
            }
            kept.push(Kept { held, since: Instant::now() });
        }
        self.watching
            .keep_running(&self.pool, || watch(Arc::downgrade(self), Arc::clone(&self.arrived)));
        self.arrived.notify_one();
        // It may have been closed since.
        if self.pool.is_closed() {
            self.empty();
        }
    }

    /// Gives all of them back.
    pub(crate) fn empty(&self) {
        self.give_back(Duration::ZERO);
    }

    /// A pool that always has some connections opens another one for each that is taken from it, which it can't when there
    /// is no runtime.
    fn may_keep(&self) -> bool {
        let (pool, options) = (&self.pool, self.pool.options());
        let has_others = pool.num_idle() > 0 || pool.size() < options.get_max_connections();
        has_others && options.get_min_connections() == 0 && !pool.is_closed()
    }

    /// Gives those back that were not used for so long. Tells whether any are left.
    fn give_back(&self, unused: Duration) -> bool {
        let mut kept = self.kept();
        let (back, left) =
            kept.drain(..).partition::<Vec<_>, _>(|kept| kept.since.elapsed() >= unused);
        *kept = left;
        let are_left = !kept.is_empty();
        drop(kept);
        for kept in back {
            kept.held.give_back();
        }
        are_left
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.empty();
    }
}

/// Gives connections back that nobody uses; all of them when it ends, also where that is before it has begun.
fn watch(warm: Weak<Warm>, arrived: Arc<Notify>) -> impl Future<Output = ()> {
    let watched = Emptied(warm);
    async move {
        loop {
            arrived.notified().await;
            loop {
                sleep(UNUSED).await;
                let Some(warm) = watched.0.upgrade() else { return };
                if !warm.give_back(UNUSED) {
                    break;
                }
            }
        }
    }
}

/// Nothing is kept that nobody watches.
struct Emptied(Weak<Warm>);

impl Drop for Emptied {
    fn drop(&mut self) {
        if let Some(warm) = self.0.upgrade() {
            warm.empty();
        }
    }
}

impl Held {
    pub(crate) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self { connection, since: Instant::now() }
    }

    /// Closes it: it must not be used any more.
    pub(crate) fn close(self) {
        drop(self.connection.detach());
    }

    /// Does not give it back but closes it, when it is dropped.
    pub(crate) fn close_on_drop(&mut self) {
        self.connection.close_on_drop();
    }

    /// The pool takes it back in a task, and so panics where there is no runtime.
    fn give_back(self) {
        if Handle::try_current().is_err() {
            self.close();
        }
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
