//! Hints between processes that events were appended, and how often readers look without one.
//!
//! Looking is what readers rely on; hints only make them look sooner. That is why hints may be lost, and why they stay
//! out of transactions that append: a transaction that notifies waits at its commit for all others that do.
//!
//! After an append was committed, the store wakes its own readers and marks that there is news. A task sends a hint
//! for however many appends were marked since the last one. Another task, begun for the first reader, listens for the
//! hints of others. Each has a connection of its own, so that neither ever takes one from a caller; both end with the
//! store.
//!
//! No hint comes for an append that a program makes in a transaction of its own, and none for one that fails, although
//! readers wait for the positions it may have drawn. Readers that see appends under way therefore look often.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cqrs_core::{News, NewsBoard};
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Error, PgConnection, PgPool, Row};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::task::Task;

/// Where hints are sent. The payload names the store that sends it, which need not hear it.
const CHANNEL: &str = "cqrs_events";

/// How long a single step at the server may take before the connection counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing is heard before the connection is checked: nothing else tells a quiet one from a dead one.
const QUIET: Duration = Duration::from_secs(30);

/// How often things happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// When readers look who can't rely on hints.
    pub(crate) often: Duration,
    /// When readers look who can.
    pub(crate) seldom: Duration,
    /// How long readers look often after an append was seen under way.
    pub(crate) unsettled: Duration,
    /// The least time between two hints.
    pub(crate) pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            often: Duration::from_millis(10),
            seldom: Duration::from_millis(250),
            unsettled: Duration::from_millis(100),
            pause: Duration::from_millis(5),
        }
    }
}

/// What a store knows and does about news.
pub(crate) struct Hints {
    /// For the readers of this store.
    board: NewsBoard,
    pace: Arc<Pace>,
    /// What this store's hints carry.
    id: Uuid,
    /// Changes when there is news to tell other processes.
    unsent: watch::Sender<()>,
    sending: Task,
    listening: Task,
}

impl Hints {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            board: NewsBoard::new(),
            pace: Arc::new(Pace::new(timing)),
            id: Uuid::now_v7(),
            unsent: watch::Sender::new(()),
            sending: Task::default(),
            listening: Task::default(),
        }
    }

    /// Tells everybody that an append was committed; never waits.
    pub(crate) fn appended(&self, pool: &PgPool) {
        self.board.announce();
        self.sending.keep_running(pool, || {
            send(pool.clone(), self.id, self.pace.timing.pause, self.unsent.subscribe())
        });
        self.unsent.send_replace(());
    }

    /// News for a reader. Outside of a runtime nobody begins to listen, and readers look often.
    pub(crate) fn news(&self, pool: &PgPool) -> News {
        self.listening.keep_running(pool, || {
            listen(pool.clone(), self.id, self.board.clone(), Arc::clone(&self.pace))
        });
        let pace = Arc::clone(&self.pace);
        self.board.news_paced(move || pace.interval())
    }

    /// A reader saw that an append is under way.
    pub(crate) fn unsettled(&self) {
        *self.pace.unsettled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// How often readers look by themselves.
struct Pace {
    timing: Timing,
    /// Whether hints are being listened for.
    listening: AtomicBool,
    /// When an append was last seen under way.
    unsettled: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(timing: Timing) -> Self {
        Self { timing, listening: AtomicBool::new(false), unsettled: Mutex::new(None) }
    }

    fn interval(&self) -> Duration {
        let seen = *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        let unsettled = seen.is_some_and(|seen| seen.elapsed() < self.timing.unsettled);
        if self.listening.load(Ordering::Relaxed) && !unsettled {
            self.timing.seldom
        } else {
            self.timing.often
        }
    }
}

/// Sends a hint when there is news to tell, until it has arrived.
async fn send(pool: PgPool, id: Uuid, pause: Duration, mut unsent: watch::Receiver<()>) {
    // Readers who see the hint see the append: it was committed before. So the hint itself need not be durable, and
    // waits for no disk and no replica.
    let hint = format!(
        "SELECT set_config('synchronous_commit', 'off', true), pg_notify('{CHANNEL}', '{id}')"
    );
    let mut connection = None;
    while unsent.changed().await.is_ok() {
        let mut backoff = Backoff::default();
        while let Err(error) = in_time(notify(&mut connection, &pool, &hint)).await {
            tracing::debug!(%error, "a hint to readers was not sent, and will be");
            connection = None;
            backoff.pause().await;
        }
        sleep(pause).await;
    }
}

async fn notify(
    connection: &mut Option<PgConnection>,
    pool: &PgPool,
    hint: &str,
) -> Result<(), Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(PgConnection::connect_with(&pool.connect_options()).await?),
    };
    // The text has constants and a uuid.
    sqlx::raw_sql(AssertSqlSafe(hint)).execute(connection).await?;
    Ok(())
}

/// Announces what others append, whenever there is a connection that tells.
async fn listen(pool: PgPool, id: Uuid, board: NewsBoard, pace: Arc<Pace>) {
    let mut backoff = Backoff::default();
    loop {
        let Err(error) = listen_once(&pool, id, &board, &pace, &mut backoff).await;
        tracing::debug!(%error, "hints of other processes are not heard; readers look often");
        backoff.pause().await;
    }
}

/// Listens for as long as the connection lasts.
async fn listen_once(
    pool: &PgPool,
    id: Uuid,
    board: &NewsBoard,
    pace: &Arc<Pace>,
    backoff: &mut Backoff,
) -> Result<Infallible, Error> {
    let mut listener = in_time(listener(pool, id)).await?;
    *backoff = Backoff::default();
    let _listening = Listening::begin(board.clone(), Arc::clone(pace));
    let id = id.to_string();
    loop {
        match timeout(QUIET, listener.try_recv()).await {
            Ok(heard) => match heard? {
                Some(hint) if hint.payload() == id => {}
                Some(_) => board.announce(),
                None => return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
            },
            Err(_quiet) => in_time(check_session(&mut listener, &id)).await?,
        }
    }
}

/// A connection that listens for hints.
async fn listener(pool: &PgPool, id: Uuid) -> Result<PgListener, Error> {
    let options = pool.connect_options().as_ref().clone().options([("cqrs.session", id)]);
    // `PgListener` takes its connection from a pool. This one lives as long as the listener.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    check_session(&mut listener, &id.to_string()).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Makes sure that the session is the one that was begun for the listener.
///
/// Behind a pooler that hands sessions around it is not: hints would come to whoever uses the session at the time, who
/// does not expect them. Such a pooler either refuses the option that names the session, or does not pass it on.
async fn check_session(listener: &mut PgListener, id: &str) -> Result<(), Error> {
    let ask = sqlx::raw_sql("SELECT current_setting('cqrs.session', true)");
    let named: Option<String> = ask.fetch_one(listener).await?.try_get(0)?;
    if named.as_deref() == Some(id) {
        Ok(())
    } else {
        Err(Error::Protocol("a pooler is between the store and the server".into()))
    }
}

/// Readers rely on hints as long as this lives.
struct Listening {
    board: NewsBoard,
    pace: Arc<Pace>,
}

impl Listening {
    fn begin(board: NewsBoard, pace: Arc<Pace>) -> Self {
        pace.listening.store(true, Ordering::Relaxed);
        // Hints from before were missed.
        board.announce();
        Self { board, pace }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.pace.listening.store(false, Ordering::Relaxed);
        // For readers that would look only much later.
        self.board.announce();
    }
}

/// Pauses between attempts.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(50))
    }
}

impl Backoff {
    /// Pauses, longer each time.
    async fn pause(&mut self) {
        const LONGEST: Duration = Duration::from_secs(10);
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}

async fn in_time<T>(step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, step).await.map_err(io::Error::from)?
}

#[cfg(test)]
mod tests;
