//! A PostgreSQL server of its own.

use std::path::Path;
use std::time::Duration;

use cqrs::PostgresStore;
use cqrs_test_harness::{Server, program};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tokio::time::timeout;

use super::{Error, Row};
use crate::child::Base;
use crate::disk::Disk;
use crate::proxy::Proxy;

/// Few connections, so that they can be taken; and the worst there is for what is to be durable: a crash loses the last
/// seconds of all that does not ask for more.
const SETTINGS: &str = "
max_connections = 50
superuser_reserved_connections = 0
synchronous_commit = off
wal_writer_delay = '10s'
";

/// How long the server may keep the parent waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server, and a database on it.
#[derive(Debug)]
pub struct Postgres {
    /// The proxy between processes and server.
    pub proxy: Proxy,
    server: Server,
    direct: PgConnectOptions,
    disk: Result<Disk, String>,
}

impl Postgres {
    /// Starts a server, with the database on a disk that can be filled if there may be one.
    ///
    /// # Errors
    /// When there is no server.
    pub async fn start(seed: u64) -> Result<Self, Error> {
        let server = tokio::task::block_in_place(|| Server::start_own_with(SETTINGS))?;
        let database = server.database("faults").await?;
        let direct = database.options().clone().ssl_mode(PgSslMode::Disable);
        let admin = direct.clone().database("postgres");
        let disk = match Self::disk(&admin, database.name()).await {
            Ok(disk) => Ok(disk),
            Err(error) => Err(error.to_string()),
        };
        let address = (direct.get_host(), direct.get_port());
        let address = tokio::net::lookup_host(address).await?.next().ok_or("no address")?;
        let proxy = Proxy::start(address, seed).await?;
        // The schema is made before anything is disturbed.
        let made = Self { proxy, server, direct, disk };
        made.store().await?;
        Ok(made)
    }

    /// Moves the database to a disk of its own.
    async fn disk(admin: &PgConnectOptions, database: &str) -> Result<Disk, Error> {
        let disk = Disk::mount()?;
        let mut connection = PgConnection::connect_with(admin).await?;
        let data = sqlx::query_scalar::<_, String>("SHOW data_directory");
        let data = data.fetch_one(&mut connection).await?;
        disk.give_to_owner_of(Path::new(&data))?;
        let path = disk.path().display();
        // The path is that of a temporary directory, and the name is made of letters, digits and `_`.
        connection
            .execute(AssertSqlSafe(format!("CREATE TABLESPACE small LOCATION '{path}'")))
            .await?;
        let moved = format!("ALTER DATABASE {database} SET TABLESPACE small");
        connection.execute(AssertSqlSafe(moved)).await?;
        Ok(disk)
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The disk of the database, if it can be filled.
    pub fn disk_to_fill(&self) -> Option<&Disk> {
        self.disk.as_ref().ok()
    }

    pub(super) fn no_disk(&self) -> Option<String> {
        self.disk.as_ref().err().cloned()
    }

    pub(super) fn base(&self) -> Base {
        let through_proxy = self.direct.clone().host("127.0.0.1").port(self.proxy.port());
        Base::Postgres { url: through_proxy.to_url_lossy().to_string() }
    }

    /// A connection past the proxy.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn connect(&self) -> Result<PgConnection, Error> {
        Ok(timeout(PATIENCE, PgConnection::connect_with(&self.direct)).await??)
    }

    /// The store, past the proxy.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn store(&self) -> Result<PostgresStore, Error> {
        Ok(PostgresStore::options(self.direct.to_url_lossy().to_string())
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect()
            .await?)
    }

    pub(super) async fn heal(&self) -> Result<(), Error> {
        self.proxy.heal();
        if let Ok(disk) = &self.disk {
            disk.free()?;
        }
        let mut connection = self.connect().await?;
        let prepared = sqlx::query_scalar::<_, String>(
            "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()",
        );
        for name in prepared.fetch_all(&mut connection).await? {
            // Those whose end nobody got to know; names are given by the parent.
            let rollback = format!("ROLLBACK PREPARED '{name}'");
            connection.execute(AssertSqlSafe(rollback)).await?;
        }
        Ok(())
    }

    pub(super) async fn events(&self) -> Result<Vec<Row>, Error> {
        self.rows(
            "SELECT category || '/' || key, position, version, CAST(0 AS bigint), event_type || ' ' || payload \
             FROM cqrs.events ORDER BY position",
        )
        .await
    }

    pub(super) async fn rows(&self, sql: &'static str) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(sql).fetch_all(&mut self.connect().await?).await?)
    }

    /// The version of the server.
    ///
    /// # Errors
    /// When its programs are not there.
    pub fn version() -> Result<String, Error> {
        let output = std::process::Command::new(program("postgres")?).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
