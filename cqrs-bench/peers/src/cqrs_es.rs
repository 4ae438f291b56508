//! cqrs-es with postgres-es: the event store, without snapshots.

use std::sync::Arc;

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{GenericQuery, PersistedEventStore, QueryReplay};
use cqrs_es::{Aggregate, AggregateError, DomainEvent, EventEnvelope, EventStore as _, View};
use postgres_es::{PostgresCqrs, PostgresEventRepository, PostgresViewRepository};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::work::{self, Outcome, Peer, REFERENCE};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    cents: u64,
    deposits: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Event {
    Deposited { cents: u64, reference: String },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        "Deposited".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

struct Deposit {
    times: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Deposit;
    type Event = Event;
    type Error = Never;
    type Services = ();

    async fn handle(
        &mut self,
        command: Deposit,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Never> {
        for _ in 0..command.times {
            let reference = REFERENCE.to_owned();
            sink.write(Event::Deposited { cents: 100, reference }, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        let Event::Deposited { cents, .. } = event;
        self.cents += cents;
        self.deposits += 1;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Balance {
    cents: u64,
    events: u64,
}

impl View<Account> for Balance {
    fn update(&mut self, event: &EventEnvelope<Account>) {
        let Event::Deposited { cents, .. } = &event.payload;
        self.cents += cents;
        self.events += 1;
    }
}

/// From the `db/init.sql` of postgres-es.
const TABLES: &str = "
CREATE TABLE events (
    aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
CREATE TABLE balances (
    view_id text NOT NULL, version bigint CHECK (version >= 0) NOT NULL, payload json NOT NULL, PRIMARY KEY (view_id)
)";

pub struct CqrsEs {
    pool: PgPool,
    framework: PostgresCqrs<Account>,
    store: PersistedEventStore<PostgresEventRepository, Account>,
}

impl Peer for CqrsEs {
    async fn create(address: &str) -> anyhow::Result<()> {
        sqlx::raw_sql(TABLES).execute(&mut PgConnection::connect(address).await?).await?;
        Ok(())
    }

    async fn connect(address: &str) -> anyhow::Result<Self> {
        let pool = work::pool(address).await?;
        let framework = postgres_es::postgres_cqrs(pool.clone(), Vec::new(), ());
        let repository = PostgresEventRepository::new(pool.clone());
        let store = PersistedEventStore::new_event_store(repository);
        Ok(Self { pool, framework, store })
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn deposit(&self, account: Uuid, times: u64, _: bool) -> anyhow::Result<Outcome> {
        match self.framework.execute(&account.to_string(), Deposit { times }).await {
            Ok(()) => Ok(Outcome::Done),
            Err(AggregateError::AggregateConflict) => Ok(Outcome::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn load(&self, account: Uuid) -> anyhow::Result<u64> {
        let loaded = self.store.load_aggregate(&account.to_string()).await?;
        Ok(loaded.aggregate.deposits)
    }

    async fn forget(&self) -> anyhow::Result<()> {
        sqlx::query("TRUNCATE balances").execute(&self.pool).await?;
        Ok(())
    }

    async fn catch_up(&self, _: u64) -> anyhow::Result<()> {
        let rows: PostgresViewRepository<Balance, Account> =
            PostgresViewRepository::new("balances", self.pool.clone());
        let query = GenericQuery::new(Arc::new(rows));
        let events =
            PostgresEventRepository::new(self.pool.clone()).with_streaming_channel_size(1_000);
        Ok(QueryReplay::new(events, query).replay_all().await?)
    }

    async fn counted(&self) -> anyhow::Result<u64> {
        let sql = "SELECT coalesce(sum((payload ->> 'events')::bigint), 0)::bigint FROM balances";
        let counted: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(counted.try_into()?)
    }
}
