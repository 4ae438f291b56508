//! The database of the bank: its events, and the tables that are folded from them.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cqrs::{EventStore, Projector, Rows, Running, SqliteStore, Store, StoreError, View, sqlite};

use crate::views::{Balance, Movement, RefusedInstruction};

/// An SQLite file or a PostgreSQL database.
#[derive(Clone)]
pub enum Database {
    Sqlite(SqliteStore),
    #[cfg(feature = "postgres")]
    Postgres(cqrs::PostgresStore),
}

impl Database {
    /// Opens a file, or the database at a `postgres://` address.
    pub async fn open(address: &str) -> Result<Self, Box<dyn Error>> {
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Ok(Self::Sqlite(SqliteStore::open(address).await?));
        }
        #[cfg(feature = "postgres")]
        return Ok(Self::Postgres(cqrs::PostgresStore::connect(address).await?));
        #[cfg(not(feature = "postgres"))]
        Err("this program was built without PostgreSQL; add `--features postgres` after `cargo run`"
            .into())
    }

    /// The events.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Starts what keeps the tables up to date.
    pub fn start_views(&self) -> Views {
        let running = match self {
            Self::Sqlite(store) => start_views(store.clone(), &store.model()),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => start_views(store.clone(), &store.model()),
        };
        Views { store: self.store(), running }
    }

    /// All accounts, by name.
    pub async fn balances(&self) -> Result<Vec<Balance>, Box<dyn Error>> {
        let mut balances: Vec<Balance> = self.select("SELECT * FROM balances", None).await?;
        // Databases have orders of their own for text.
        balances.sort_by(|one, other| one.account.cmp(&other.account));
        Ok(balances)
    }

    /// The account with this name.
    pub async fn balance(&self, account: &str) -> Result<Option<Balance>, StoreError> {
        let account = account.to_owned();
        match self {
            Self::Sqlite(store) => store.model().row(&account).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.model().row(&account).await,
        }
    }

    /// What happened to an account, in order.
    pub async fn statement(&self, account: &str) -> Result<Vec<Movement>, Box<dyn Error>> {
        let sql = "SELECT * FROM statement WHERE account = $1 ORDER BY number";
        self.select(sql, Some(account)).await
    }

    /// What was refused, in order.
    pub async fn refusals(&self) -> Result<Vec<RefusedInstruction>, Box<dyn Error>> {
        self.select("SELECT * FROM refusals ORDER BY position", None).await
    }

    /// How many events there are: each is a row of one of two tables.
    pub async fn events(&self) -> Result<i64, Box<dyn Error>> {
        let sql = "SELECT (SELECT COUNT(*) FROM statement) + (SELECT COUNT(*) FROM refusals)";
        Ok(match self {
            Self::Sqlite(store) => {
                sqlite::sqlx::query_scalar(sql).fetch_one(store.model().pool()).await?
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => {
                cqrs::postgres::sqlx::query_scalar(sql).fetch_one(store.model().pool()).await?
            }
        })
    }

    /// The rows of a view that a statement selects.
    async fn select<V: View>(
        &self,
        sql: &'static str,
        argument: Option<&str>,
    ) -> Result<Vec<V>, Box<dyn Error>> {
        match self {
            Self::Sqlite(store) => {
                let mut query = sqlite::sqlx::query(sql);
                if let Some(argument) = argument {
                    query = query.bind(argument);
                }
                let rows = query.fetch_all(store.model().pool()).await?;
                Ok(rows.iter().map(sqlite::from_row).collect::<Result<_, _>>()?)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => {
                let mut query = cqrs::postgres::sqlx::query(sql);
                if let Some(argument) = argument {
                    query = query.bind(argument);
                }
                let rows = query.fetch_all(store.model().pool()).await?;
                Ok(rows.iter().map(cqrs::postgres::from_row).collect::<Result<_, _>>()?)
            }
        }
    }
}

fn start_views<M>(store: impl EventStore, model: &M) -> [Running; 3]
where
    M: Rows<Balance> + Rows<Movement> + Rows<RefusedInstruction>,
{
    // After a kill, the next run has to wait for the end of the leases that nobody gave back.
    let projector = Projector::new(store).lease(Duration::from_secs(2));
    [
        projector.start_view::<Balance>(model.clone()),
        projector.start_view::<Movement>(model.clone()),
        projector.start_view::<RefusedInstruction>(model.clone()),
    ]
}

/// The tables as they are kept up to date.
pub struct Views {
    store: Arc<dyn Store>,
    running: [Running; 3],
}

impl Views {
    /// Waits until the tables show all that has happened.
    pub async fn catch_up(&self) -> Result<(), Box<dyn Error>> {
        const PATIENCE: Duration = Duration::from_mins(2);
        let end = self.store.head().await?.last;
        for running in &self.running {
            running.wait_for(end, PATIENCE).await?;
        }
        Ok(())
    }

    /// Stops, so that the next run takes over at once.
    pub async fn stop(self) {
        for running in self.running {
            running.stop().await;
        }
    }
}
