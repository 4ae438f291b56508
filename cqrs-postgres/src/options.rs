//! How a store connects to its database.

use std::fmt;
use std::time::Duration;

use cqrs_core::{StoreError, StoreErrorKind};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection};

use crate::connections::{CALL_TIMEOUT, Connections, in_time, is_outside};
use crate::error::no_first_session;
use crate::migrate;
use crate::store::PostgresStore;

/// How a [`PostgresStore`] connects; made by [`PostgresStore::options`].
#[derive(Clone)]
#[must_use = "nothing happens before `connect`"]
pub struct PostgresOptions {
    url: String,
    max_connections: u32,
    acquire_timeout: Duration,
    call_timeout: Duration,
    migrate: bool,
    group_commit: bool,
}

impl PostgresOptions {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(10),
            call_timeout: CALL_TIMEOUT,
            migrate: true,
            group_commit: true,
        }
    }

    /// Most connections of the pool open at the same time; 16 unless set. Two more serve news between stores.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How long a call waits for a connection before it gives up as
    /// [`Busy`](StoreErrorKind::Busy) or [`Unavailable`](StoreErrorKind::Unavailable); 10 seconds unless set.
    ///
    /// It is also how long an append whose connection broke goes on finding out what became of it, before it answers
    /// [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown).
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// How long a statement may take; 30 seconds unless set. If the server has not answered by then, the connection
    /// counts as lost: an append finds out on another one what became of it, and what else is asked for is tried again
    /// or [`Unavailable`](StoreErrorKind::Unavailable).
    ///
    /// This is how the loss of a network that says nothing is noticed. Statements of your own, in transactions that you
    /// append in or in handlers of projections, are not limited.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Whether to create what is missing of the schema `cqrs`; true unless set.
    ///
    /// Without it, connecting to a database whose schema is missing or old is an error. A role that may not create
    /// anything can leave it on where nothing is missing.
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// Whether appends that arrive while others are being stored are stored together, in one commit; true unless set.
    ///
    /// Nothing is promised less with it, and an append that finds nothing under way is stored at once either way.
    /// Without it, each append has a commit of its own, however many arrive: for measuring, and behind what can't take several rows in one
    /// statement.
    pub fn group_commit(mut self, group_commit: bool) -> Self {
        self.group_commit = group_commit;
        self
    }

    /// Connects, and creates what is missing of the schema.
    ///
    /// Cancellation: a migration happens as a whole or not at all.
    ///
    /// # Errors
    /// [`Unavailable`](StoreErrorKind::Unavailable) when the server does not answer,
    /// [`Unsupported`](StoreErrorKind::Unsupported) when it, the database or the schema is not one this version of
    /// the store works with.
    pub async fn connect(self) -> Result<PostgresStore, StoreError> {
        let options: PgConnectOptions = self.url.parse().map_err(|error: sqlx::Error| {
            let context = "the URL does not name a Postgres database";
            StoreError::new(StoreErrorKind::Unsupported, context).caused_by(error)
        })?;
        // A connection of its own: the pool would hide the reason why it can't have one.
        let mut connection = self.first_connection(&options).await?;
        migrate::prepare(&mut connection, self.migrate, self.call_timeout).await?;
        let pool = PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(self.acquire_timeout)
            // It would cost a round trip for each call. A dead connection shows when it is used, and is replaced then.
            .test_before_acquire(false)
            // In the background, so that no call waits for it.
            .after_release(|connection, _| Box::pin(is_outside(connection)))
            .connect_lazy_with(options);
        // It has done its work, whether or not the server hears a goodbye.
        let _ = in_time(self.call_timeout, connection.close()).await;
        Ok(PostgresStore::new(Connections::new(pool, self.call_timeout), self.group_commit))
    }

    async fn first_connection(
        &self,
        options: &PgConnectOptions,
    ) -> Result<PgConnection, StoreError> {
        let doing = format!("connecting to {}:{}", options.get_host(), options.get_port());
        let connecting = PgConnection::connect_with(options);
        match tokio::time::timeout(self.acquire_timeout, connecting).await {
            Ok(connected) => connected.map_err(|error| no_first_session(&doing, error)),
            Err(_) => Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!("{doing}: no answer within {:?}", self.acquire_timeout),
            )),
        }
    }
}

/// Leaves the URL out, which may hold a password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresOptions")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("migrate", &self.migrate)
            .field("group_commit", &self.group_commit)
            .finish_non_exhaustive()
    }
}
