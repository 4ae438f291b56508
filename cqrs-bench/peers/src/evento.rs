//! evento with PostgreSQL: a write model that is loaded for each command, and a subscription.

use evento::metadata::Event;
use evento::migrator::{Migrate as _, Plan};
use evento::subscription::{Context, SubscriptionBuilder};
use evento::{Executor, Postgres, Projection, ProjectionAggregate as _, WriteError};
use sqlx_of_evento::postgres::PgPoolOptions;
use sqlx_of_evento::{Connection as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::work::{CONNECTIONS, Outcome, Peer, REFERENCE};

#[evento::aggregate(name = "bench/Account")]
pub enum AccountAggregate {
    Deposited { cents: u64, reference: String },
}

/// Read from its events each time.
#[evento::projection(id = id)]
#[evento::snapshot(none)]
#[derive(Debug)]
pub struct Account {
    pub id: String,
    pub cents: u64,
    pub deposits: u64,
}

#[evento::handler]
async fn deposited(event: Event<Deposited>, account: &mut Account) -> anyhow::Result<()> {
    account.id = event.aggregate_id.clone();
    account.cents += event.data.cents;
    account.deposits += 1;
    Ok(())
}

fn accounts<E: Executor>() -> Projection<E, Account> {
    Projection::new::<AccountAggregate>().handler(deposited())
}

/// Kept in memory, which is the better choice where all want the same account.
#[evento::projection(id = id)]
#[evento::snapshot(memory)]
#[derive(Debug)]
pub struct KeptAccount {
    pub id: String,
    pub cents: u64,
}

#[evento::handler]
async fn kept_deposited(event: Event<Deposited>, account: &mut KeptAccount) -> anyhow::Result<()> {
    account.id = event.aggregate_id.clone();
    account.cents += event.data.cents;
    Ok(())
}

fn kept_accounts<E: Executor>() -> Projection<E, KeptAccount> {
    Projection::new::<AccountAggregate>().handler(kept_deposited())
}

#[evento::subscription]
async fn balance<E: Executor>(
    context: &Context<'_, E>,
    event: Event<Deposited>,
) -> anyhow::Result<()> {
    let pool: PgPool = context.extract();
    sqlx_of_evento::query(
        "INSERT INTO balances VALUES ($1, $2, 1) ON CONFLICT (account) DO UPDATE \
         SET cents = balances.cents + excluded.cents, events = balances.events + 1",
    )
    .bind(&event.aggregate_id)
    .bind(i64::try_from(event.data.cents)?)
    .execute(&pool)
    .await?;
    Ok(())
}

pub struct Evento {
    pool: PgPool,
    executor: Postgres,
}

impl Peer for Evento {
    async fn create(address: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(address).await?;
        let migrator = evento::sql_migrator::new::<sqlx_of_evento::Postgres>()?;
        migrator.run(&mut connection, &Plan::apply_all()).await?;
        sqlx_of_evento::query(
            "CREATE TABLE balances (account text PRIMARY KEY, cents bigint, events bigint)",
        )
        .execute(&mut connection)
        .await?;
        Ok(())
    }

    async fn connect(address: &str) -> anyhow::Result<Self> {
        let options = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = options.connect(address).await?;
        Ok(Self { executor: pool.clone().into(), pool })
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
        let id = account.to_string();
        let existing = if is_contended {
            let loaded = kept_accounts().load(&id).execute(&self.executor).await?;
            loaded.map(|account| account.write()).transpose()?
        } else {
            let loaded = accounts().load(&id).execute(&self.executor).await?;
            loaded.map(|account| account.write()).transpose()?
        };
        let mut write = existing.unwrap_or_else(|| evento::append(&id));
        for _ in 0..times {
            write.event(&Deposited { cents: 100, reference: REFERENCE.to_owned() });
        }
        match write.commit(&self.executor).await {
            Ok(_) => Ok(Outcome::Done),
            Err(WriteError::InvalidOriginalVersion) => Ok(Outcome::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn load(&self, account: Uuid) -> anyhow::Result<u64> {
        let loaded = accounts().load(account.to_string()).execute(&self.executor).await?;
        Ok(loaded.map_or(0, |account| account.deposits))
    }

    async fn forget(&self) -> anyhow::Result<()> {
        sqlx_of_evento::query("TRUNCATE balances, subscriber").execute(&self.pool).await?;
        Ok(())
    }

    async fn catch_up(&self, _: u64) -> anyhow::Result<()> {
        SubscriptionBuilder::new("balances")
            .handler(balance())
            .data(self.pool.clone())
            .chunk_size(1_000)
            .run_once(&self.executor)
            .await
    }

    async fn counted(&self) -> anyhow::Result<u64> {
        let sql = "SELECT coalesce(sum(events), 0)::bigint FROM balances";
        let counted: i64 = sqlx_of_evento::query_scalar(sql).fetch_one(&self.pool).await?;
        Ok(counted.try_into()?)
    }
}
