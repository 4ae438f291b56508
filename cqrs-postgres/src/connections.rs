//! Connections: how to get one, how long to wait for its answers, and when to take another one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use cqrs_core::{StoreError, StoreErrorKind};
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{Error, Execute, Executor, PgConnection, PgPool, Postgres, Row, raw_sql};
use tokio::time::{Instant, timeout};

use crate::error::{Failure, classify, no_session, store_error};
use crate::warm::{Held, Warm};

/// How long a statement may take unless set.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A pool and the patience with it. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: PgPool,
    warm: Arc<Warm>,
    call_timeout: Duration,
    /// Whether connections of the pool are to be looked at before they are used, as the pool does not do it.
    looks: bool,
}

/// Whether a statement on this connection is a transaction of its own: somebody may have begun one here and dropped the
/// future that did, and the pool, which does not know of it, has taken the connection back. What is done in it would be
/// answered for and never committed.
///
/// The first statement of a transaction begins when the transaction does.
pub(crate) async fn is_outside(connection: &mut PgConnection) -> Result<bool, Error> {
    let row = connection.fetch_one(raw_sql("SELECT now() = statement_timestamp()")).await?;
    row.try_get(0)
}

impl Connections {
    /// On a pool that takes no connection back with an open transaction: [`is_outside`].
    pub(crate) fn new(pool: PgPool, call_timeout: Duration) -> Self {
        Self { warm: Arc::new(Warm::new(pool.clone())), pool, call_timeout, looks: false }
    }

    /// On any pool.
    pub(crate) fn of_any(pool: PgPool, call_timeout: Duration) -> Self {
        Self { looks: true, ..Self::new(pool, call_timeout) }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the pool, once all that is under way has ended.
    pub(crate) async fn close(&self) {
        self.warm.empty();
        self.pool.close().await;
    }

    /// Names the database, without the password.
    pub(crate) fn describe(&self, debug: &mut fmt::DebugStruct<'_, '_>) {
        let options = self.pool.connect_options();
        let database = options.get_database().unwrap_or(options.get_username());
        debug
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &database);
    }

    /// How long a statement may take before its connection counts as lost.
    pub(crate) fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    /// How long a call goes on when connections break or can't be had.
    pub(crate) fn patience(&self) -> Duration {
        self.pool.options().get_acquire_timeout()
    }

    /// Whether the next connection may be one that was made a while ago, when its address led elsewhere.
    pub(crate) fn may_be_old(&self) -> bool {
        self.warm.has_some() || self.pool.num_idle() > 0
    }

    /// A connection; nothing has been sent yet when there is none.
    pub(crate) async fn get(&self) -> Result<Held, StoreError> {
        if let Some(held) = self.warm.take() {
            return Ok(held);
        }
        let mut retry = Retry::new(self.patience());
        loop {
            let acquired = self.pool.acquire().await.map(Held::new);
            let mut held = acquired.map_err(|error| self.none(error))?;
            if !self.looks {
                return Ok(held);
            }
            let error = match in_time(self.call_timeout, is_outside(&mut held)).await {
                Ok(true) => return Ok(held),
                Ok(false) => Error::PoolTimedOut,
                Err(error) => error,
            };
            // It is dead, or ends with the transaction that is open on it. Each is met once.
            held.close();
            if !retry.again().await {
                return Err(self.none(error));
            }
        }
    }

    /// Takes a connection back on which all went well.
    pub(crate) fn put_back(&self, connection: Held) {
        self.warm.keep(connection);
    }

    /// Why there is no connection.
    pub(crate) fn none(&self, error: Error) -> StoreError {
        let pool = &self.pool;
        match error {
            Error::PoolTimedOut if pool.size() < pool.options().get_max_connections() => {
                let context = format!("no connection within {:?}", self.patience());
                StoreError::new(StoreErrorKind::Unavailable, context)
            }
            Error::PoolTimedOut => StoreError::new(
                StoreErrorKind::Busy,
                format!(
                    "all {} connections were in use for {:?}: finish transactions sooner or allow more connections",
                    pool.size(),
                    self.patience(),
                ),
            ),
            error => no_session("connecting", error),
        }
    }

    /// The rows of a statement that may run twice: it is sent again, on another connection, when the one it was sent
    /// on is gone.
    pub(crate) async fn fetch<'q, Q>(
        &self,
        doing: &str,
        statement: impl Fn() -> Q,
    ) -> Result<Vec<PgRow>, StoreError>
    where
        Q: Execute<'q, Postgres> + 'q,
    {
        self.fetch_where(doing, statement, |_| true).await
    }

    /// The same, from a server that says of itself that it is the primary.
    pub(crate) async fn fetch_where<'q, Q>(
        &self,
        doing: &str,
        statement: impl Fn() -> Q,
        on_primary: impl Fn(&[PgRow]) -> bool,
    ) -> Result<Vec<PgRow>, StoreError>
    where
        Q: Execute<'q, Postgres> + 'q,
    {
        let mut retry = Retry::new(self.patience());
        loop {
            let may_be_old = self.may_be_old();
            let mut connection = self.get().await?;
            let answer = in_time(self.call_timeout, connection.fetch_all(statement())).await;
            let (failure, error) = match answer {
                Ok(rows) if on_primary(&rows) => {
                    self.put_back(connection);
                    return Ok(rows);
                }
                Ok(_) => (Failure::Demoted, on_replica(doing)),
                Err(error) => (classify(&error), store_error(doing, error)),
            };
            self.recover(connection, may_be_old, &mut retry, failure, error).await?;
        }
    }

    /// What is made of the rows of such a statement, each as it arrives, while the server goes on with the next.
    pub(crate) async fn read<'q, Q, T>(
        &self,
        doing: &str,
        statement: impl Fn() -> Q,
        begin: impl Fn() -> T,
        mut take: impl FnMut(&mut T, &PgRow) -> Result<(), StoreError>,
    ) -> Result<T, StoreError>
    where
        Q: Execute<'q, Postgres> + 'q,
    {
        let mut retry = Retry::new(self.patience());
        loop {
            let may_be_old = self.may_be_old();
            let mut connection = self.get().await?;
            let (mut taken, mut refused) = (begin(), None);
            let all = async {
                let mut rows = connection.fetch(statement());
                while let Some(row) = rows.try_next().await? {
                    // What follows is read all the same: the connection is used again.
                    if refused.is_none() {
                        refused = take(&mut taken, &row).err();
                    }
                }
                Ok(())
            };
            let error = match in_time(self.call_timeout, all).await {
                Ok(()) => {
                    self.put_back(connection);
                    return refused.map_or(Ok(taken), Err);
                }
                Err(error) => error,
            };
            let (failure, error) = (classify(&error), store_error(doing, error));
            self.recover(connection, may_be_old, &mut retry, failure, error).await?;
        }
    }

    /// Makes ready for another attempt after one that failed, if there is to be one.
    async fn recover(
        &self,
        connection: Held,
        may_be_old: bool,
        retry: &mut Retry,
        failure: Failure,
        error: StoreError,
    ) -> Result<(), StoreError> {
        match failure {
            Failure::Lost => connection.close(),
            Failure::Demoted => {
                connection.close();
                return if may_be_old { Ok(()) } else { Err(error) };
            }
            Failure::Undone => drop(connection),
            Failure::Taken(_) | Failure::Final(_) => return Err(error),
        }
        if retry.again().await { Ok(()) } else { Err(error) }
    }
}

/// The error where a replica answers in place of the primary.
pub(crate) fn on_replica(doing: &str) -> StoreError {
    let context = format!(
        "{doing}: this server is a replica; connect to the primary, where events are appended and the log is read"
    );
    StoreError::new(StoreErrorKind::Unavailable, context)
}

/// An answer that comes in time. Nobody else tells a connection that has gone silent from one that is slow, so a late
/// answer is none: the connection must not be used any more.
pub(crate) async fn in_time<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, step).await.unwrap_or_else(|_| {
        let silence = format!("no answer within {limit:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, silence).into())
    })
}

/// Pauses between attempts, until time is up.
pub(crate) struct Retry {
    until: Instant,
    pause: Duration,
}

impl Retry {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, pause: Duration::from_millis(1) }
    }

    /// Pauses, a little longer each time; false when there is no time left.
    pub(crate) async fn again(&mut self) -> bool {
        const LONGEST: Duration = Duration::from_millis(200);
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Instant::now() < self.until
    }

    /// When time is up.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }
}
