//! Throw-away servers for the tests of this workspace: PostgreSQL, and a browser to be driven.
//!
//! With `DATABASE_URL` set, tests run on that server. Without it, they run on a server of their own, made from the
//! installed binaries for this one process and removed when the process ends, however it ends.

#![cfg(unix)]

mod apt;
mod binaries;
mod browser;
mod cluster;
mod database;
mod processes;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use self::browser::Browser;
use self::cluster::Cluster;
pub use self::database::Database;

/// A Postgres server for tests.
#[derive(Debug)]
pub struct Server {
    /// How to reach a database of the server from which others can be made.
    admin: PgConnectOptions,
    /// The server's own cluster, if it was started here.
    cluster: Option<Cluster>,
}

/// The server that all tests of this process share: the one `DATABASE_URL` names, or one started at the first call.
///
/// Blocks until the server answers.
///
/// # Errors
/// When there is none and none can be started; the message says what to install.
pub fn postgres() -> Result<&'static Server, NoServer> {
    // A static is never dropped: the watchdog of the cluster cleans up when this process is gone.
    static SHARED: OnceLock<Result<Server, NoServer>> = OnceLock::new();
    SHARED
        .get_or_init(|| match std::env::var("DATABASE_URL") {
            Ok(url) => Server::at(&url),
            Err(_) => Server::start_own(),
        })
        .as_ref()
        .map_err(Clone::clone)
}

impl Server {
    /// Starts a server for one test alone, which may then [`kill`](Self::kill) it. It stops when the value is dropped.
    ///
    /// Blocks until the server answers.
    ///
    /// # Errors
    /// When there are no server binaries or the server does not start.
    pub fn start_own() -> Result<Self, NoServer> {
        Self::start_own_with("")
    }

    /// The same with these lines at the end of its `postgresql.conf`.
    ///
    /// # Errors
    /// As for [`start_own`](Self::start_own).
    pub fn start_own_with(settings: &str) -> Result<Self, NoServer> {
        Cluster::start(settings).map(Self::of)
    }

    /// Starts a server that follows this one and has its databases, read-only. It may lag a moment behind.
    ///
    /// # Errors
    /// When this server was not started here or the other does not start.
    pub fn start_replica(&self) -> Result<Self, NoServer> {
        self.own_cluster()?.start_replica().map(Self::of)
    }

    /// How to reach a database of another server on this one.
    pub fn options_of(&self, database: &Database) -> PgConnectOptions {
        self.admin.clone().database(database.name())
    }

    fn of(cluster: Cluster) -> Self {
        let admin = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(cluster.port())
            .username("postgres")
            .database("postgres")
            // Proxies of tests read along.
            .ssl_mode(PgSslMode::Disable);
        Self { admin, cluster: Some(cluster) }
    }

    fn at(url: &str) -> Result<Self, NoServer> {
        let mut admin: PgConnectOptions = url
            .parse()
            .map_err(|error| NoServer::new(format!("DATABASE_URL is not a URL: {error}")))?;
        if matches!(admin.get_ssl_mode(), PgSslMode::Prefer) {
            admin = admin.ssl_mode(PgSslMode::Disable);
        }
        Ok(Self { admin, cluster: None })
    }

    /// Makes an empty database on this server. `hint` becomes part of its name.
    ///
    /// # Errors
    /// When the server does not let us.
    pub async fn database(&self, hint: &str) -> Result<Database, sqlx::Error> {
        let keep = self.cluster.is_some();
        Database::create(&self.admin, hint, keep).await
    }

    /// Ends the server at once, as a crash would: no transaction ends in good order, nothing is flushed.
    ///
    /// # Errors
    /// When the server was not started here or can't be stopped.
    pub fn kill(&self) -> Result<(), NoServer> {
        self.own_cluster()?.kill()
    }

    /// The processes of the server: the first one, which starts all others, and then those others, for tests that send
    /// them signals.
    ///
    /// # Errors
    /// When the server was not started here or does not run.
    pub fn processes(&self) -> Result<Vec<u32>, NoServer> {
        self.own_cluster()?.processes()
    }

    /// Starts the server again after [`kill`](Self::kill), or once all its [processes](Self::processes) are dead, at
    /// the same address, and blocks until it answers.
    ///
    /// # Errors
    /// When the server was not started here or does not start.
    pub fn restart(&self) -> Result<(), NoServer> {
        self.own_cluster()?.restart()
    }

    fn own_cluster(&self) -> Result<&Cluster, NoServer> {
        self.cluster
            .as_ref()
            .ok_or_else(|| NoServer::new("only a server started by the tests can be stopped"))
    }
}

/// Whether any of these processes has not ended; one that nobody has waited for has.
pub fn any_alive(processes: &[u32]) -> bool {
    processes.iter().any(|process| !processes::is_dead(*process))
}

/// Where a client program of Postgres is, such as `pg_dump`; of the same version as the servers started here.
///
/// # Errors
/// When it is not installed.
pub fn program(name: &str) -> Result<PathBuf, NoServer> {
    let path = binaries::directory()?.join(name);
    if Path::is_file(&path) {
        Ok(path)
    } else {
        let path = path.display();
        Err(NoServer::new(format!("there is no {path}")))
    }
}

/// Why there is no server, or no browser, to test with.
#[derive(Clone)]
pub struct NoServer(String);

impl NoServer {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for NoServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads as the message itself, so that an unwrapped error in a test says what to do.
impl fmt::Debug for NoServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for NoServer {}
