//! Opening a version: finding it, or making it.

use cqrs_core::{Opened, Position, ProjectionId, Setup, StoreError};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Error, SqliteExecutor, query_scalar};

use super::SqliteModel;
use super::beside::{FileName, sync_directory};
use super::failure::Failure;
use super::place::now;
use super::tables::{self, Made};
use super::versions::{Slot, Stored};
use crate::error;

/// Finds a version, or makes it; see [`ReadModel::open`](cqrs_core::ReadModel::open).
pub(super) async fn open(
    model: &SqliteModel,
    projection: &ProjectionId,
    setup: &Setup<'_>,
) -> Result<Opened, StoreError> {
    let doing = format!("opening projection {projection}");
    let opened = find_or_make(model, projection, setup).await;
    let cleared = model.besides.clear_up(&model.live).await;
    let opened = opened.map_err(|failed| failed.while_doing(&doing))?;
    cleared.map_err(|failed| error::failed(&format!("{doing}: clearing up"), failed))?;
    Ok(opened)
}

async fn find_or_make(
    model: &SqliteModel,
    projection: &ProjectionId,
    setup: &Setup<'_>,
) -> Result<Opened, Failure> {
    // Without the lock first: mostly, it is there.
    {
        let mut connection = model.live.readers.acquire().await?;
        if let Some(opened) = look(model, &mut connection, projection, setup).await?.1 {
            return Ok(opened);
        }
    }
    let options = model.live.writer.connect_options();
    let made = tables::try_out(projection, setup.tables, &options).await?;
    let mut reserved = None;
    loop {
        let mut live = model.live.begin().await?;
        let (served, opened) = look(model, &mut live, projection, setup).await?;
        if let Some(opened) = opened {
            return Ok(opened);
        }
        let Some(served) = served else {
            made.assert_free(&mut live, projection, &[]).await?;
            make_in(&mut live, projection, setup, &made, 0).await?;
            live.commit().await?;
            return Ok(Opened::InService);
        };
        // Before the file is made: a crash is not to leave one that nobody knows of.
        let Some(file) = &reserved else {
            let ProjectionId { name, version, .. } = *projection;
            reserved = Some(FileName::reserve(&model.live, &mut live, name, version).await?);
            live.commit().await?;
            continue;
        };
        made.assert_free(&mut live, projection, &served.tables).await?;
        make_beside(model, &mut live, projection, setup, &made, file).await?;
        live.commit().await?;
        return Ok(Opened::Beside);
    }
}

/// The version in service, and what comes of opening a version that is there or may not be made.
async fn look(
    model: &SqliteModel,
    live: &mut SqliteConnection,
    projection: &ProjectionId,
    setup: &Setup<'_>,
) -> Result<(Option<Stored>, Option<Opened>), Failure> {
    let ProjectionId { name, version, ref events } = *projection;
    let changed = |other: &Stored| {
        let (version, events) = (other.version, other.events.clone());
        Some(Opened::Changed { version, events })
    };
    let served = Stored::load_all(&mut *live, Some(name)).await?.pop();
    if let Some(found) = &served {
        if found.version == version && found.events == *events {
            return Ok((served, Some(Opened::InService)));
        }
        if found.version >= version || !setup.beside {
            let opened = changed(found);
            return Ok((served, opened));
        }
    }
    let Some(place) = model.find_through(live, name, version).await? else {
        return Ok((served, None));
    };
    let stored = Stored::load(&place.readers, name, version).await?;
    let opened = match &stored {
        Some(stored) if stored.events != *events => changed(stored),
        stored => stored.as_ref().map(|_| Opened::Beside),
    };
    Ok((served, opened))
}

/// Makes the tables and the first checkpoints, within a transaction. All tokens are beyond `token`.
async fn make_in(
    connection: &mut SqliteConnection,
    projection: &ProjectionId,
    setup: &Setup<'_>,
    made: &Made,
    token: i64,
) -> Result<(), Failure> {
    if !made.tables.is_empty() {
        tables::make(connection, projection, setup.tables).await?;
    }
    let version = Stored {
        name: projection.name.to_owned(),
        version: projection.version,
        events: projection.events.clone(),
        replays_to: setup.replays_to,
        tables: made.tables.clone(),
        rescaling: None,
        is_leaving: false,
        has_served: false,
        slots: Slot::many(setup.slots.max(1), token, Position::START, now()),
        members: Vec::new(),
        parked: 0,
    };
    version.make(connection).await?;
    Ok(())
}

/// Makes the version in a file of its own. It counts when the transaction on the file of the model is committed.
async fn make_beside(
    model: &SqliteModel,
    live: &mut SqliteConnection,
    projection: &ProjectionId,
    setup: &Setup<'_>,
    made: &Made,
    file: &FileName,
) -> Result<(), Failure> {
    let ProjectionId { name, version, .. } = *projection;
    let place = model.besides.make(&model.live, file).await?;
    let mut transaction = place.begin().await?;
    make_in(&mut transaction, projection, setup, made, file.first_token()).await?;
    transaction.commit().await?;
    if !model.live.is_in_memory() {
        sync_directory(&place.path).map_err(Error::Io)?;
    }
    // The one before, if somebody has deleted its file.
    leave_file(&mut *live, name, version).await?;
    file.occupy(live, name, version).await?;
    Ok(())
}

/// The version is in its file beside no more, as soon as the transaction is committed. Returns the file.
pub(super) async fn leave_file(
    live: impl SqliteExecutor<'_>,
    name: &str,
    version: u32,
) -> Result<Option<String>, Error> {
    // All rows, not the first: the statement is done after the last one.
    let mut files = query_scalar(include_str!("../../sql/leave_file.sql"))
        .bind(name)
        .bind(version)
        .fetch_all(live)
        .await?;
    Ok(files.pop())
}
