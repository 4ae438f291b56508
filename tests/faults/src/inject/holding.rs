//! Appends within transactions of the application that stay open.

use std::sync::Arc;
use std::time::Duration;

use cqrs::{
    Append, AppendError, Appended, EventId, ExpectedVersion, Metadata, NewEvent, PostgresStore,
    Store, StreamId, Version,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgTransaction};
use tokio::time::sleep;

use super::Injector;
use super::postgres::{kill, restart};
use crate::base::{Error, Postgres, load};
use crate::domain::{Order, Place};
use crate::faults::{Crash, Processes, Then};
use crate::history::{Action, Outcome};
use crate::random::Random;

impl Injector {
    /// An append that is held open.
    pub(super) async fn hold(
        &self,
        postgres: &Postgres,
        random: &mut Random,
        time: Duration,
        then: Then,
    ) -> Result<(), Error> {
        let mut connection = postgres.connect().await?;
        let (op, appended, transaction) =
            self.append_open(postgres, &mut connection, random).await?;
        sleep(time).await;
        let ended = match then {
            Then::Commit => transaction.commit().await.map(|()| Outcome::Done {
                version: Some(appended.version.get()),
                position: Some(appended.position.get()),
                replayed: false,
            }),
            Then::Rollback => transaction.rollback().await.map(|()| rolled_back()),
        };
        let ended = ended.unwrap_or_else(|error| Outcome::Unknown { error: error.to_string() });
        Ok(self.recorder.end(&op, ended)?)
    }

    /// An append that is prepared for a commit in two phases.
    pub(super) async fn prepare(
        &self,
        postgres: &Postgres,
        random: &mut Random,
        time: Duration,
        then: Then,
        crash: Crash,
    ) -> Result<(), Error> {
        let mut connection = postgres.connect().await?;
        let (op, _, mut transaction) = self.append_open(postgres, &mut connection, random).await?;
        // The name is made of letters, digits and `-`.
        let statement = |begin: &str| AssertSqlSafe(format!("{begin} '{op}'"));
        transaction.execute(statement("PREPARE TRANSACTION")).await?;
        drop(transaction);
        sleep(time).await;
        if crash == Crash::Yes {
            kill(postgres, Processes::All).await?;
            restart(postgres)?;
        }
        let mut connection = postgres.connect().await?;
        let outcome = match then {
            Then::Commit => {
                connection.execute(statement("COMMIT PREPARED")).await?;
                Outcome::Done { version: None, position: None, replayed: false }
            }
            Then::Rollback => {
                connection.execute(statement("ROLLBACK PREPARED")).await?;
                rolled_back()
            }
        };
        Ok(self.recorder.end(&op, outcome)?)
    }

    /// An append within a transaction that is open now, and the operation it is. Others append to the same purses, so
    /// it may take some attempts.
    async fn append_open<'c>(
        &self,
        postgres: &Postgres,
        connection: &'c mut PgConnection,
        random: &mut Random,
    ) -> Result<(String, Appended, PgTransaction<'c>), Error> {
        // It does not wait forever for others.
        connection.execute("SET lock_timeout = '5s'").await?;
        let store = postgres.store().await?;
        let mut transaction = connection.begin().await?;
        for _ in 0..20 {
            let (op, append) = self.deposit(&store, random).await?;
            match store.append_in(&mut transaction, &append).await {
                Ok(appended) => return Ok((op, appended, transaction)),
                Err(AppendError::Conflict(_)) => self.recorder.end(&op, rolled_back())?,
                Err(error) => {
                    self.recorder.end(&op, rolled_back())?;
                    return Err(error.into());
                }
            }
        }
        Err("others were always faster".into())
    }

    /// An append to a purse that others use as well, decided on in its state, and the operation it is.
    async fn deposit(
        &self,
        store: &PostgresStore,
        random: &mut Random,
    ) -> Result<(String, Append), Error> {
        let place = Place::in_use(self.began, random);
        let order = Order::Deposit { cents: 7, parts: 2 };
        let id = EventId::random();
        let op = format!("parent-{id}");
        let store: Arc<dyn Store> = Arc::new(store.clone());
        let (version, state) = load(&store, &place.stream()).await?;
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        let events = state.decide(&op, order)?;
        let events = events
            .iter()
            .map(|event| NewEvent::of(event, EventId::random(), metadata.clone()))
            .collect::<Result<_, _>>()?;
        let stream = StreamId::new(place.category(), place.key.as_str())?;
        let expected = ExpectedVersion::Exact(Version::new(version));
        let append = Append::new(stream, expected, events)?;
        self.recorder.call(&op, &Action::Order { place, order }, false)?;
        Ok((op, append))
    }
}

/// Nothing was committed.
fn rolled_back() -> Outcome {
    Outcome::Failed { kind: "Conflict".to_owned(), error: "rolled back".to_owned() }
}
