//! Files beside that of the model, each with a version that is not in service.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{Error, Row, SqliteExecutor, query, query_scalar};
use tracing::{debug, warn};
use uuid::Uuid;

use super::failure::Failure;
use super::foreign;
use super::place::Place;
use crate::migrate::{self, Part};

/// The files beside that of a model that are open.
#[derive(Debug, Default)]
pub(super) struct Besides {
    open: Mutex<HashMap<String, Place>>,
}

/// The name of a file for a version, used once and never again.
#[derive(Debug, Clone)]
pub(super) struct FileName {
    number: i64,
    pub(super) file: String,
}

impl FileName {
    /// Takes a name that nobody has used. As long as the version is not there, the file counts as a leftover.
    pub(super) async fn reserve(
        live: &Place,
        connection: &mut SqliteConnection,
        name: &str,
        version: u32,
    ) -> Result<Self, Error> {
        /// File systems allow names of 255 bytes, and SQLite adds to them.
        const LONGEST: usize = 80;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(LONGEST);
        let mut plain: String = plain.collect();
        if live.is_in_memory() {
            // All databases in memory share their names.
            plain = format!("{plain}-{}", Uuid::now_v7());
        }
        // All rows, not the first: the statement commits after the last one, and may fail in doing so.
        let rows = query(include_str!("../../sql/reserve_file.sql"))
            .bind(name)
            .bind(version)
            .bind(format!("{plain}-v{version}-"))
            .fetch_all(connection)
            .await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(Self { number: row.try_get("number")?, file: row.try_get("file")? })
    }

    /// Beyond the tokens that were given in files before: a lease of a version that was removed does not hold for one that
    /// is made anew.
    pub(super) fn first_token(&self) -> i64 {
        /// More than a file sees changes of owners.
        const APART: i64 = 1_000_000_000;
        self.number.saturating_mul(APART)
    }

    /// The version is there, as soon as the transaction is committed.
    pub(super) async fn occupy(
        &self,
        live: impl SqliteExecutor<'_>,
        name: &str,
        version: u32,
    ) -> Result<(), Error> {
        query(include_str!("../../sql/occupy_file.sql"))
            .bind(self.number)
            .bind(name)
            .bind(version)
            .bind(&self.file)
            .execute(live)
            .await
            .map(drop)
    }
}

impl Besides {
    /// Opens a file, unless it is open; nothing if there is no such file.
    pub(super) async fn open(&self, live: &Place, file: &str) -> Result<Option<Place>, Failure> {
        if let Some(place) = self.all().get(file) {
            return Ok(Some(place.clone()));
        }
        // In memory, all that there are are open.
        if live.is_in_memory() || !path_of(live, file)?.try_exists().map_err(Error::Io)? {
            return Ok(None);
        }
        self.connect(live, file, false).await.map(Some)
    }

    /// Makes a file with the tables of the framework. Nobody else has to do with it yet.
    pub(super) async fn make(&self, live: &Place, name: &FileName) -> Result<Place, Failure> {
        if !live.is_in_memory() {
            // What a crash has left.
            delete(&path_of(live, &name.file)?).map_err(Error::Io)?;
        }
        self.connect(live, &name.file, true).await
    }

    async fn connect(&self, live: &Place, file: &str, create: bool) -> Result<Place, Failure> {
        let options = live.writer.connect_options();
        let options = if live.is_in_memory() {
            // One database for all connections that name it.
            (*options)
                .clone()
                .filename(format!("file:cqrs-{file}"))
                .in_memory(true)
                .shared_cache(true)
        } else {
            (*options).clone().filename(path_of(live, file)?)
        };
        let path: Arc<Path> = options.get_filename().into();
        let doing = format!("opening `{}`", path.display());
        let writer = pool_like(&live.writer, options.clone().create_if_missing(create));
        {
            let mut connection = writer.acquire().await?;
            if create {
                query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
            }
            // One that is there may have been made by an older program.
            migrate::migrate_parts(&mut connection, &[Part::Projections], &doing).await?;
        }
        let readers = if live.is_in_memory() {
            writer.clone()
        } else {
            pool_like(&live.readers, options.pragma("query_only", "ON"))
        };
        // From here on, a connection must not make a new file in place of one that was deleted.
        writer.set_connect_options((*writer.connect_options()).clone().create_if_missing(false));
        let place = Place { path, writer, readers };
        Ok(self.all().entry(file.to_owned()).or_insert(place).clone())
    }

    pub(super) async fn close(&self) {
        let open: Vec<Place> = self.all().drain().map(|(_, place)| place).collect();
        for place in open {
            place.close().await;
        }
    }

    /// Deletes files that nobody needs. What can't be deleted, because another process has it open, say, is left for the
    /// next time.
    pub(super) async fn clear_up(&self, live: &Place) -> Result<(), Error> {
        let sql = include_str!("../../sql/gone.sql");
        if !live.is_in_memory() {
            // Others may have deleted files that are open here.
            let used: Vec<String> =
                query_scalar(include_str!("../../sql/files.sql")).fetch_all(&live.readers).await?;
            self.all().retain(|file, _| used.contains(file));
        }
        if query(sql).fetch_optional(&live.readers).await?.is_none() {
            return Ok(());
        }
        // With the lock: whoever is about to use a file has it.
        let mut transaction = live.begin().await?;
        for row in query(sql).fetch_all(&mut *transaction).await? {
            let file: &str = row.try_get("file")?;
            self.all().remove(file);
            if !live.is_in_memory() {
                let path = path_of(live, file)?;
                if let Err(error) = delete(&path) {
                    warn!(path = %path.display(), %error, "left a file that is not needed any more");
                    continue;
                }
                debug!(path = %path.display(), "deleted");
            }
            query(include_str!("../../sql/forget_file.sql"))
                .bind(row.try_get::<i64, _>("number")?)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        // What is in it is whole at any moment.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(super) fn is_in_memory(&self) -> bool {
        *self.path == *Path::new(":memory:")
    }
}

/// Attaches the database of a place to a connection.
pub(super) async fn attach(
    connection: &mut SqliteConnection,
    live: &Place,
    place: &Place,
    schema: &'static str,
) -> Result<(), Error> {
    let path = place.path.to_str().ok_or_else(|| foreign("the path is not UTF-8"))?;
    let path = if live.is_in_memory() {
        format!("{path}?mode=memory&cache=shared")
    } else if cfg!(unix) {
        // Otherwise, a file would be made in place of one that was deleted a moment ago.
        format!("file:{}?mode=rw", in_uri(path))
    } else {
        path.to_owned()
    };
    let sql = sqlx::AssertSqlSafe(format!("ATTACH ?1 AS {schema}"));
    query(sql).bind(path).execute(connection).await.map(drop)
}

/// A path as it stands in a URI.
fn in_uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if is_plain(byte) {
            uri.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// Makes what is in a directory as durable as the files.
pub(super) fn sync_directory(path: &Path) -> Result<(), io::Error> {
    match path.parent() {
        // Elsewhere, directories can't be opened, and need not be.
        Some(directory) if cfg!(unix) => fs::File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

fn pool_like(pool: &SqlitePool, options: SqliteConnectOptions) -> SqlitePool {
    pool.options().clone().connect_lazy_with(options)
}

/// The path of a file beside the one of the model, whichever links lead to that.
fn path_of(live: &Place, file: &str) -> Result<PathBuf, Error> {
    let mut path = fs::canonicalize(&live.path).map_err(Error::Io)?.into_os_string();
    path.push("-");
    path.push(file);
    Ok(path.into())
}

fn delete(path: &Path) -> Result<(), io::Error> {
    // The file last: what would be left of the others would be taken for parts of a new one.
    for suffix in ["-journal", "-wal", "-shm", ""] {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
