//! Putting a version into service, and the one in service beside.
//!
//! Only the commit in the file of the model decides. A transaction over several files would be committed file by file,
//! so the steps are in this order, all under the write lock of the file of the model:
//!
//! 1. The version beside is closed, in its file: all leases are void, and none is given. After a crash, whoever wants a
//!    lease has it opened again.
//! 2. The version in service is copied to a file of its own, which nobody knows yet.
//! 3. In the file of the model, in one transaction: the tables in service are dropped, those of the other version are
//!    made and filled, and it is noted which file is used from now on, and which is not.
//! 4. The file that is not used any more is deleted. After a crash, that is done when a projection is opened.

use cqrs_core::{PutInService, StoreError, StoreErrorKind};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Error, query, raw_sql};
use tracing::info;

use super::beside::{FileName, attach, sync_directory};
use super::failure::Failure;
use super::open::leave_file;
use super::place::{ATTEMPTS, Place, restless};
use super::tables::Objects;
use super::versions::Stored;
use super::{SqliteModel, SqliteTransaction};
use crate::error;

/// Puts a version into service; see [`Maintain::put_in_service`](cqrs_core::Maintain::put_in_service).
pub(super) async fn put_in_service(
    model: &SqliteModel,
    name: &str,
    version: u32,
    caught_up: bool,
) -> Result<PutInService, StoreError> {
    let doing = format!("putting version {version} of projection `{name}` into service");
    for _ in 0..ATTEMPTS {
        // Without any lock first: this is asked again and again while the version comes closer.
        let found = look(model, name, version).await;
        let found = found.map_err(|failed| failed.while_doing(&doing))?;
        let Some(Found { next, position, served }) = found else {
            return Ok(PutInService::Missing);
        };
        if let Some(served) =
            served.as_ref().filter(|served| caught_up && position < served.furthest())
        {
            return Ok(PutInService::Behind(position, served.furthest()));
        }
        let exchange = Exchange {
            model: model.clone(),
            name: name.to_owned(),
            version,
            caught_up,
            next,
            served: served.map(|served| served.version),
        };
        // To the end, also when the future is dropped: the connection is not to be left in the middle of it.
        let done = match tokio::spawn(exchange.carry_out()).await {
            Ok(done) => done.map_err(|failed| failed.while_doing(&doing))?,
            Err(ended) => {
                let context = format!("{doing}: it was interrupted");
                return Err(StoreError::new(StoreErrorKind::Other, context).caused_by(ended));
            }
        };
        if let Some(done) = done {
            return Ok(done);
        }
    }
    Err(restless(&doing))
}

/// A version beside, and the one in service, as they were a moment ago.
struct Found {
    next: Place,
    position: cqrs_core::Position,
    served: Option<Stored>,
}

async fn look(model: &SqliteModel, name: &str, version: u32) -> Result<Option<Found>, Failure> {
    let served = Stored::load_all(&model.live.readers, Some(name)).await?.pop();
    let found = model.find(name, version).await?;
    let Some(next) = found.filter(|place| !model.is_live(place)) else { return Ok(None) };
    let stored = Stored::load(&next.readers, name, version).await?;
    Ok(stored.map(|stored| Found { next, position: stored.nearest(), served }))
}

struct Exchange {
    model: SqliteModel,
    name: String,
    version: u32,
    caught_up: bool,
    next: Place,
    /// The version in service.
    served: Option<u32>,
}

impl Exchange {
    /// Nothing if one of the versions has changed its place meanwhile.
    async fn carry_out(self) -> Result<Option<PutInService>, Failure> {
        let live = &self.model.live;
        let mut connection = live.writer.acquire().await?;
        let carried_out = self.exchange_on(&mut connection).await;
        if restore(&mut connection).await.is_err() && !live.is_in_memory() {
            connection.close_on_drop();
        }
        drop(connection);
        if matches!(carried_out, Ok(Some(PutInService::Done))) {
            info!(projection = self.name, version = self.version, "exchanged");
        }
        // Whatever is left over is deleted the next time.
        let _ = self.model.besides.clear_up(live).await;
        carried_out
    }

    async fn exchange_on(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<PutInService>, Failure> {
        let live = &self.model.live;
        attach(connection, live, &self.next, NEXT).await?;
        // Tables of the application may refer to those that are dropped and made anew, and those to each other.
        raw_sql("PRAGMA foreign_keys = OFF").execute(&mut *connection).await?;
        let away = match self.served {
            Some(served) => Some(FileName::reserve(live, connection, &self.name, served).await?),
            None => None,
        };
        let away_in_memory = match &away {
            Some(file) if live.is_in_memory() => {
                let place = self.model.besides.make(live, file).await?;
                attach(connection, live, &place, AWAY).await?;
                Some(place)
            }
            _ => None,
        };
        // What is attached is not locked: it is read, and only after it is closed.
        let mut transaction = connection.begin_with("BEGIN").await?;
        // The first statement writes, and so waits for the lock.
        let file = leave_file(&mut *transaction, &self.name, self.version).await?;
        let served = Stored::load_all(&mut *transaction, Some(&self.name)).await?.pop();
        let is_next = match file {
            Some(file) => {
                let place = self.model.besides.open(live, &file).await?;
                place.is_some_and(|place| place.path == self.next.path)
            }
            None => false,
        };
        if !is_next || served.as_ref().map(|served| served.version) != self.served {
            return Ok(None);
        }
        let is_in_time = |next: &Stored| match &served {
            Some(served) => !self.caught_up || next.nearest() >= served.furthest(),
            None => true,
        };
        let next = close(&self.next, &self.name, self.version, is_in_time).await?;
        let Some((next, is_closed)) = next else { return Ok(None) };
        if let Some(served) = served.as_ref().filter(|_| !is_closed) {
            return Ok(Some(PutInService::Behind(next.nearest(), served.furthest())));
        }
        let mut left = Objects::default();
        if let (Some(served), Some(file)) = (&served, &away) {
            let objects = Objects::of(&mut transaction, &served.tables).await?;
            match &away_in_memory {
                Some(place) => {
                    objects.make_tables(&mut *place.writer.acquire().await?).await?;
                    objects.copy_rows(&mut transaction, "main", AWAY).await?;
                    copy_version(&mut transaction, "main", AWAY, served).await?;
                }
                None => self.copy_away(served, &objects, file).await?,
            }
            objects.drop_tables(&mut transaction).await?;
            query(include_str!("../../sql/delete_version.sql"))
                .bind(&served.name)
                .bind(served.version)
                .execute(&mut *transaction)
                .await?;
            file.occupy(&mut *transaction, &served.name, served.version).await?;
            left = objects;
        }
        self.fill(&mut transaction, &next).await?;
        transaction.commit().await?;
        if let Some(place) = &away_in_memory {
            // Not before: the database they are in is locked until then.
            left.make_triggers(&mut *place.writer.acquire().await?).await?;
        }
        Ok(Some(PutInService::Done))
    }

    /// Copies the version in service to a file that nobody knows yet.
    async fn copy_away(
        &self,
        served: &Stored,
        objects: &Objects,
        file: &FileName,
    ) -> Result<(), Failure> {
        let live = &self.model.live;
        let place = self.model.besides.make(live, file).await?;
        let mut connection = place.writer.acquire().await?;
        connection.close_on_drop();
        attach(&mut connection, live, live, SERVED).await?;
        raw_sql("PRAGMA foreign_keys = OFF").execute(&mut *connection).await?;
        let mut transaction = connection.begin_with("BEGIN").await?;
        objects.make_tables(&mut transaction).await?;
        objects.copy_rows(&mut transaction, SERVED, "main").await?;
        objects.make_triggers(&mut transaction).await?;
        copy_version(&mut transaction, SERVED, "main", served).await?;
        transaction.commit().await?;
        connection.close().await?;
        sync_directory(&place.path).map_err(Error::Io)?;
        Ok(())
    }

    /// Copies the other version into the file of the model.
    async fn fill(&self, transaction: &mut SqliteConnection, next: &Stored) -> Result<(), Failure> {
        let objects = Objects::of(&mut *self.next.readers.acquire().await?, &next.tables).await?;
        let refused = |failed| {
            let doing = format!(
                "putting version {} of projection `{}` into service: making its tables",
                next.version, next.name
            );
            error::refused(&doing, failed)
        };
        objects.make_tables(transaction).await.map_err(refused)?;
        objects.copy_rows(transaction, NEXT, "main").await?;
        objects.make_triggers(transaction).await.map_err(refused)?;
        copy_version(transaction, NEXT, "main", next).await?;
        Ok(())
    }
}

/// The names under which other databases are attached.
const NEXT: &str = "cqrs_next";
const AWAY: &str = "cqrs_away";
const SERVED: &str = "cqrs_served";

/// Makes a connection as it was.
async fn restore(connection: &mut SqliteConnection) -> Result<(), Error> {
    for row in query("SELECT name FROM pragma_database_list").fetch_all(&mut *connection).await? {
        let name: &str = sqlx::Row::try_get(&row, "name")?;
        if [NEXT, AWAY].contains(&name) {
            let sql = format!("DETACH {name}");
            raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
    }
    raw_sql("PRAGMA foreign_keys = ON").execute(connection).await.map(drop)
}

/// Voids all leases of a version that is about to leave its file, if it is as it has to be, and has it give none. Returns
/// the version, and whether it is closed.
pub(super) async fn close(
    place: &Place,
    name: &str,
    version: u32,
    is_ready: impl FnOnce(&Stored) -> bool,
) -> Result<Option<(Stored, bool)>, Error> {
    let mut transaction: SqliteTransaction = place.begin().await?;
    let Some(before) = Stored::load(&mut *transaction, name, version).await? else {
        return Ok(None);
    };
    if !is_ready(&before) {
        return Ok(Some((before, false)));
    }
    let mut after = Stored { is_leaving: true, ..before.clone() };
    after.void_leases();
    after.save(&mut transaction, &before).await?;
    transaction.commit().await?;
    Ok(Some((after, true)))
}

/// Copies what is known of a version between two databases of a connection, without its leases.
async fn copy_version(
    connection: &mut SqliteConnection,
    from: &str,
    to: &str,
    version: &Stored,
) -> Result<(), Error> {
    for (table, columns, values) in [
        (
            "cqrs_projections",
            // One of the two places is that in service.
            "name, version, events, replays_to, tables, rescale_to, barrier, has_served",
            "name, version, events, replays_to, tables, rescale_to, barrier, 1",
        ),
        (
            "cqrs_checkpoints",
            "name, version, slot, position, token, commits, events, owner, until, error, heard_at",
            "name, version, slot, position, token + 1, commits, events, NULL, until, error, heard_at",
        ),
        ("cqrs_members", "name, version, id, label, until", "name, version, id, label, until"),
        (
            "cqrs_parked",
            "name, version, category, key, event_version, position, event_type, attempts, error, since, request",
            "name, version, category, key, event_version, position, event_type, attempts, error, since, request",
        ),
    ] {
        let sql = format!(
            "INSERT INTO {to}.{table} ({columns}) SELECT {values} FROM {from}.{table} \
             WHERE name = ?1 AND version = ?2"
        );
        query(AssertSqlSafe(sql))
            .bind(&version.name)
            .bind(version.version)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
