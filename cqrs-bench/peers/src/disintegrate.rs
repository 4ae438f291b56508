//! disintegrate with its store for PostgreSQL: decisions over the events of an account, and its listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use disintegrate::serde::json::Json;
use disintegrate::{
    Decision, Event, EventListener, EventStore as _, NoSnapshot, PersistedEvent, StateMutate,
    StateQuery, StreamItem, StreamQuery, query,
};
use disintegrate_postgres::{
    Error, PgDecisionMaker, PgEventId, PgEventListener, PgEventListenerConfig, PgEventStore,
};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::work::{self, Outcome, Peer, REFERENCE};

#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
#[stream(AccountEvent, [Deposited])]
enum DomainEvent {
    Deposited {
        #[id]
        account: Uuid,
        cents: u64,
        reference: String,
    },
}

#[derive(Debug, Default, Clone, StateQuery, Serialize, Deserialize)]
#[state_query(AccountEvent)]
struct Account {
    #[id]
    account: Uuid,
    cents: u64,
    deposits: u64,
}

impl StateMutate for Account {
    fn mutate(&mut self, event: Self::Event) {
        let AccountEvent::Deposited { cents, .. } = event;
        self.cents += cents;
        self.deposits += 1;
    }
}

struct Deposit {
    account: Uuid,
    times: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Decision for Deposit {
    type Event = DomainEvent;
    type StateQuery = Account;
    type Error = Never;

    fn state_query(&self) -> Account {
        Account { account: self.account, ..Account::default() }
    }

    fn process(&self, _: &Account) -> Result<Vec<DomainEvent>, Never> {
        let account = self.account;
        let deposited =
            || DomainEvent::Deposited { account, cents: 100, reference: REFERENCE.to_owned() };
        Ok((0..self.times).map(|_| deposited()).collect())
    }
}

/// The view: a statement an event, as in the examples of the crate.
struct Balances {
    query: StreamQuery<PgEventId, DomainEvent>,
    pool: PgPool,
    left: AtomicU64,
    done: Arc<Notify>,
}

#[async_trait]
impl EventListener<PgEventId, DomainEvent> for Balances {
    type Error = sqlx::Error;

    fn id(&self) -> &'static str {
        "balances"
    }

    fn query(&self) -> &StreamQuery<PgEventId, DomainEvent> {
        &self.query
    }

    async fn handle(
        &self,
        event: PersistedEvent<PgEventId, DomainEvent>,
    ) -> Result<(), sqlx::Error> {
        let DomainEvent::Deposited { account, cents, .. } = &*event;
        sqlx::query(
            "INSERT INTO balances VALUES ($1, $2, 1) ON CONFLICT (account) DO UPDATE \
             SET cents = balances.cents + excluded.cents, events = balances.events + 1",
        )
        .bind(account)
        .bind(i64::try_from(*cents).unwrap_or(i64::MAX))
        .execute(&self.pool)
        .await?;
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
        Ok(())
    }
}

/// Writes numbers in the functions of the crate as decimals: the same functions otherwise.
const WITHOUT_HEXADECIMALS: &str = "
DO $$
DECLARE
    definition text;
BEGIN
    FOR definition IN
        SELECT pg_get_functiondef(oid) FROM pg_proc
        WHERE proname LIKE 'event_store_%' AND prosrc ILIKE '%0xffffffff%'
    LOOP
        EXECUTE regexp_replace(definition, '0xffffffff', '4294967295', 'gi');
    END LOOP;
END
$$";

type Store = PgEventStore<DomainEvent, Json<DomainEvent>>;

pub struct Disintegrate {
    pool: PgPool,
    store: Store,
    decisions: PgDecisionMaker<DomainEvent, Json<DomainEvent>, NoSnapshot>,
}

impl Peer for Disintegrate {
    async fn create(address: &str) -> anyhow::Result<()> {
        // Before PostgreSQL 16, which the crate asks for, its functions are not understood as they are written.
        let options: PgConnectOptions = address.parse()?;
        let options = options.options([("check_function_bodies", "off")]);
        let pool = PgPoolOptions::new().connect_with(options).await?;
        PgEventStore::<DomainEvent, _>::try_new(pool.clone(), Json::default()).await?;
        sqlx::raw_sql(WITHOUT_HEXADECIMALS).execute(&pool).await?;
        sqlx::query(
            "CREATE TABLE balances (account uuid PRIMARY KEY, cents bigint, events bigint)",
        )
        .execute(&pool)
        .await?;
        pool.close().await;
        Ok(())
    }

    async fn connect(address: &str) -> anyhow::Result<Self> {
        let pool = work::pool(address).await?;
        let store = PgEventStore::new_uninitialized(pool.clone(), Json::default());
        let decisions = disintegrate_postgres::decision_maker(store.clone(), NoSnapshot);
        Ok(Self { pool, store, decisions })
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn deposit(&self, account: Uuid, times: u64, _: bool) -> anyhow::Result<Outcome> {
        match self.decisions.make(Deposit { account, times }).await {
            Ok(_) => Ok(Outcome::Done),
            Err(disintegrate::DecisionError::StateStore(error)) if is_conflict(&*error) => {
                Ok(Outcome::Conflict)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn load(&self, account: Uuid) -> anyhow::Result<u64> {
        let mut state = Account { account, ..Account::default() };
        let query = state.query();
        let mut events = self.store.stream(&query);
        while let Some(item) = events.try_next().await? {
            if let StreamItem::Event(event) = item {
                state.mutate(event.into_inner());
            }
        }
        Ok(state.deposits)
    }

    async fn forget(&self) -> anyhow::Result<()> {
        sqlx::query("TRUNCATE balances").execute(&self.pool).await?;
        sqlx::query("DROP TABLE IF EXISTS event_listener CASCADE").execute(&self.pool).await?;
        Ok(())
    }

    async fn catch_up(&self, events: u64) -> anyhow::Result<()> {
        let done = Arc::new(Notify::new());
        let balances = Balances {
            query: query!(DomainEvent),
            pool: self.pool.clone(),
            left: AtomicU64::new(events),
            done: done.clone(),
        };
        let config = PgEventListenerConfig::poller(Duration::from_millis(50));
        PgEventListener::builder(self.store.clone())
            .register_listener(balances, config)
            .start_with_shutdown(async move { done.notified().await })
            .await?;
        Ok(())
    }

    async fn counted(&self) -> anyhow::Result<u64> {
        let sql = "SELECT coalesce(sum(events), 0)::bigint FROM balances";
        let counted: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(counted.try_into()?)
    }
}

/// The crate says so at some statements; at others, it passes on that the server could not serialize.
fn is_conflict(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::Concurrency) => true,
        Some(Error::Database(sqlx::Error::Database(error))) => {
            matches!(error.code().as_deref(), Some("40001" | "40P01"))
        }
        _ => false,
    }
}
