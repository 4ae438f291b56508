//! esrs with its store for PostgreSQL: optimistic, and under its lock where many want the same account.

use async_trait::async_trait;
use esrs::handler::TransactionalEventHandler;
use esrs::manager::AggregateManager;
use esrs::rebuilder::{PgRebuilder, Rebuilder as _};
use esrs::store::StoreEvent;
use esrs::store::postgres::{PgStore, PgStoreBuilder, PgStoreError};
use esrs::{Aggregate, AggregateState};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::work::{self, Outcome, Peer, REFERENCE};

struct Account;

#[derive(Debug, Default, Clone)]
struct State {
    cents: u64,
    deposits: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    Deposited { cents: u64, reference: String },
}

struct Deposit {
    times: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Aggregate for Account {
    const NAME: &'static str = "account";
    type State = State;
    type Command = Deposit;
    type Event = Event;
    type Error = Never;

    fn handle_command(_: &State, command: Deposit) -> Result<Vec<Event>, Never> {
        let deposited = || Event::Deposited { cents: 100, reference: REFERENCE.to_owned() };
        Ok((0..command.times).map(|_| deposited()).collect())
    }

    fn apply_event(state: State, event: Event) -> State {
        let Event::Deposited { cents, .. } = event;
        State { cents: state.cents + cents, deposits: state.deposits + 1 }
    }
}

/// The view, in the transaction of the rebuild.
struct Balances;

#[async_trait]
impl TransactionalEventHandler<Account, PgStoreError, PgConnection> for Balances {
    async fn handle(
        &self,
        event: &StoreEvent<Event>,
        transaction: &mut PgConnection,
    ) -> Result<(), PgStoreError> {
        let Event::Deposited { cents, .. } = &event.payload;
        sqlx::query(
            "INSERT INTO balances VALUES ($1, $2, 1) ON CONFLICT (account) DO UPDATE \
             SET cents = balances.cents + excluded.cents, events = balances.events + 1",
        )
        .bind(event.aggregate_id)
        .bind(i64::try_from(*cents).unwrap_or(i64::MAX))
        .execute(transaction)
        .await?;
        Ok(())
    }
}

pub struct Esrs {
    pool: PgPool,
    manager: AggregateManager<PgStore<Account>>,
}

impl Peer for Esrs {
    async fn create(address: &str) -> anyhow::Result<()> {
        let pool = work::pool(address).await?;
        PgStoreBuilder::<Account>::new(pool.clone()).try_build().await?;
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
        let store = PgStoreBuilder::new(pool.clone()).without_running_migrations();
        let store = store.try_build().await?;
        Ok(Self { pool, manager: AggregateManager::new(store) })
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn deposit(
        &self,
        account: Uuid,
        times: u64,
        is_contended: bool,
    ) -> anyhow::Result<Outcome> {
        let state = if is_contended {
            let locked = self.manager.lock_and_load(account).await?;
            locked.unwrap_or_default()
        } else {
            let loaded = self.manager.load(account).await?;
            loaded.unwrap_or_else(|| AggregateState::with_id(account))
        };
        match self.manager.handle_command(state, Deposit { times }).await {
            Ok(decided) => {
                let state = decided?;
                std::hint::black_box(state.cents);
                Ok(Outcome::Done)
            }
            Err(PgStoreError::Sqlx(sqlx::Error::Database(error)))
                if error.is_unique_violation() =>
            {
                Ok(Outcome::Conflict)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn load(&self, account: Uuid) -> anyhow::Result<u64> {
        let loaded = self.manager.load(account).await?;
        Ok(loaded.map_or(0, |loaded| loaded.inner().deposits))
    }

    async fn forget(&self) -> anyhow::Result<()> {
        sqlx::query("TRUNCATE balances").execute(&self.pool).await?;
        Ok(())
    }

    async fn catch_up(&self, _: u64) -> anyhow::Result<()> {
        let rebuilder: PgRebuilder<Account> =
            PgRebuilder::new().with_transactional_event_handlers(vec![Box::new(Balances)]);
        Ok(rebuilder.all_at_once(self.pool.clone()).await?)
    }

    async fn counted(&self) -> anyhow::Result<u64> {
        let sql = "SELECT coalesce(sum(events), 0)::bigint FROM balances";
        let counted: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(counted.try_into()?)
    }
}
