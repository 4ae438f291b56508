//! Looking after projections, from any process.

use async_trait::async_trait;
use cqrs_core::{
    Maintain, Parked, ParkedRequest, Position, ProjectionId, ProjectionState, PutInService,
    StoreError, StoreErrorKind, StreamId,
};
use sqlx::{Row, query};

use super::exchange;
use super::failure::Failure;
use super::open::leave_file;
use super::place::{ATTEMPTS, now, restless};
use super::tables::Objects;
use super::versions::Stored;
use super::{SqliteModel, SqliteTransaction, parked};

#[async_trait]
impl Maintain for SqliteModel {
    async fn projections(&self, name: Option<&str>) -> Result<Vec<ProjectionState>, StoreError> {
        let doing = "looking at projections";
        for _ in 0..ATTEMPTS {
            let looked = self.look_at_all(name).await;
            if let Some(states) = looked.map_err(|failed| failed.while_doing(doing))? {
                return Ok(states);
            }
        }
        Err(restless(doing))
    }

    async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError> {
        let doing =
            || format!("reading the parked streams of version {version} of projection `{name}`");
        let reading = async {
            match self.find(name, version).await? {
                Some(place) => Ok(parked::parked(&place.readers, name, version).await?),
                None => Ok(Vec::new()),
            }
        };
        reading.await.map_err(|failed: Failure| failed.while_doing(&doing()))
    }

    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
    ) -> Result<bool, StoreError> {
        let doing = || {
            format!(
                "asking for parked stream `{stream}` of version {version} of projection `{name}`"
            )
        };
        let asking = async {
            let Some(mut change) = self.begin_change(name, version).await? else {
                return Ok(false);
            };
            let noted = parked::request(&mut change.transaction, name, version, stream, request);
            let is_noted = noted.await?;
            change.transaction.commit().await?;
            Ok(is_noted)
        };
        asking.await.map_err(|failed: Failure| failed.while_doing(&doing()))
    }

    async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError> {
        const MOST: u32 = 1024;
        if slots == 0 || slots > MOST {
            let context = format!(
                "projection `{name}` can't be divided into {slots} slots, only 1 to {MOST}"
            );
            return Err(StoreError::new(StoreErrorKind::InvalidInput, context));
        }
        let rescale = |stored: &mut Stored| {
            stored.rescale(slots);
            true
        };
        let rescaled = self.change(name, version, rescale).await;
        rescaled.map_err(|failed| {
            failed.while_doing(&format!("rescaling version {version} of projection `{name}`"))
        })
    }

    async fn reset(
        &self,
        name: &str,
        version: u32,
        replays_to: Position,
    ) -> Result<bool, StoreError> {
        let doing = || format!("resetting version {version} of projection `{name}`");
        let resetting = async {
            let Some(Change { mut transaction, before, _live }) =
                self.begin_change(name, version).await?
            else {
                return Ok(false);
            };
            if before.tables.is_empty() {
                let context =
                    format!("{}: it has no tables of its own that could be emptied", doing());
                return Err(StoreError::new(StoreErrorKind::InvalidInput, context).into());
            }
            Objects::of(&mut transaction, &before.tables).await?.empty(&mut transaction).await?;
            parked::unpark_all(&mut transaction, name, version).await?;
            let mut after = before.clone();
            after.reset(replays_to);
            after.save(&mut transaction, &before).await?;
            transaction.commit().await?;
            Ok(true)
        };
        resetting.await.map_err(|failed: Failure| failed.while_doing(&doing()))
    }

    /// As for every read model. It is carried through even when the future is dropped.
    ///
    /// # Errors
    /// When the database fails. When another table, index or trigger in the file of the model has the name of one of the
    /// version's, with kind [`InvalidInput`](StoreErrorKind::InvalidInput).
    async fn put_in_service(
        &self,
        name: &str,
        version: u32,
        caught_up: bool,
    ) -> Result<PutInService, StoreError> {
        exchange::put_in_service(self, name, version, caught_up).await
    }

    async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        let doing = || format!("removing version {version} of projection `{name}`");
        let removing = async {
            let mut live = self.live.begin().await?;
            let found = self.find_through(&mut *live, name, version).await?;
            let Some(place) = found.filter(|place| !self.is_live(place)) else { return Ok(false) };
            exchange::close(&place, name, version, |_| true).await?;
            leave_file(&mut *live, name, version).await?;
            live.commit().await?;
            self.besides.clear_up(&self.live).await?;
            Ok(true)
        };
        removing.await.map_err(|failed: Failure| failed.while_doing(&doing()))
    }
}

/// A version that is to be changed, and stays where it is meanwhile.
struct Change {
    before: Stored,
    transaction: SqliteTransaction,
    /// Held by whoever moves a version, too.
    _live: Option<SqliteTransaction>,
}

impl SqliteModel {
    /// Begins to change a version, wherever it is.
    async fn begin_change(&self, name: &str, version: u32) -> Result<Option<Change>, Failure> {
        let mut live = self.live.begin().await?;
        let Some(place) = self.find_through(&mut *live, name, version).await? else {
            return Ok(None);
        };
        let (mut transaction, live) =
            if self.is_live(&place) { (live, None) } else { (place.begin().await?, Some(live)) };
        let before = Stored::load(&mut *transaction, name, version).await?;
        Ok(before.map(|before| Change { before, transaction, _live: live }))
    }

    /// Changes a version; false, with nothing changed, if there is none, or `change` tells so.
    async fn change(
        &self,
        name: &str,
        version: u32,
        change: impl FnOnce(&mut Stored) -> bool,
    ) -> Result<bool, Failure> {
        let Some(Change { before, mut transaction, _live }) =
            self.begin_change(name, version).await?
        else {
            return Ok(false);
        };
        let mut after = before.clone();
        if !change(&mut after) {
            return Ok(false);
        }
        after.save(&mut transaction, &before).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Has a version go on with other events; see [`ReadModel::adopt`](cqrs_core::ReadModel::adopt).
    pub(super) async fn adopt_for(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, Failure> {
        let ProjectionId { name, version, ref events } = *projection;
        let adopt =
            |stored: &mut Stored| stored.events == events_before && stored.adopt(events, through);
        self.change(name, version, adopt).await
    }

    /// All versions; nothing if one has changed its place meanwhile.
    async fn look_at_all(
        &self,
        name: Option<&str>,
    ) -> Result<Option<Vec<ProjectionState>>, Failure> {
        let before = self.files(name).await?;
        let live = Stored::load_all(&self.live.readers, name).await?;
        let mut states: Vec<_> =
            live.into_iter().map(|version| version.state(true, now())).collect();
        for (name, version, file) in &before {
            let Some(place) = self.besides.open(&self.live, file).await? else { continue };
            let stored = Stored::load(&place.readers, name, *version).await?;
            states.extend(stored.map(|version| version.state(false, now())));
        }
        if self.files(name).await? != before {
            return Ok(None);
        }
        states.sort_by(|one, other| (&one.name, one.version).cmp(&(&other.name, other.version)));
        Ok(Some(states))
    }

    /// The versions beside, with their files.
    async fn files(&self, name: Option<&str>) -> Result<Vec<(String, u32, String)>, sqlx::Error> {
        let rows = query(include_str!("../../sql/besides.sql"))
            .bind(name)
            .fetch_all(&self.live.readers)
            .await?;
        let columns = |row: &sqlx::sqlite::SqliteRow| {
            Ok((row.try_get("name")?, row.try_get("version")?, row.try_get("file")?))
        };
        rows.iter().map(columns).collect()
    }
}
