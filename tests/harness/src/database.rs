//! A database for one test.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// An empty database that no other test uses.
#[derive(Debug)]
pub struct Database {
    name: String,
    options: PgConnectOptions,
    /// How to reach the server to drop the database; nothing where the whole server goes away anyway.
    drop_from: Option<PgConnectOptions>,
}

impl Database {
    pub(crate) async fn create(
        admin: &PgConnectOptions,
        hint: &str,
        keep: bool,
    ) -> Result<Self, sqlx::Error> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let hint: String = hint.chars().filter(|c| plain(*c)).take(30).collect();
        // Several processes may share one server, and process ids may be alike where they run in containers.
        let random = RandomState::new().build_hasher().finish();
        let name = format!("cqrs_{hint}_{random:016x}_{number}").to_lowercase();
        execute(admin, format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        Ok(Self {
            options: admin.clone().database(&name),
            drop_from: (!keep).then(|| admin.clone()),
            name,
        })
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL to connect with.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// How to connect, for tests that change a detail of it.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// On a server that lives on, nothing is left behind.
impl Drop for Database {
    fn drop(&mut self) {
        let Some(admin) = self.drop_from.take() else {
            return;
        };
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Tests drop the value inside a runtime, which can't be blocked on from within.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(execute(&admin, sql)))
        });
        if !matches!(dropping.join(), Ok(Ok(Ok(())))) {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}

async fn execute(options: &PgConnectOptions, sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    // The text has a name made of letters, digits and `_` alone.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}
