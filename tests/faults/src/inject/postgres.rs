//! Faults of PostgreSQL and of the network before it.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _};
use tokio::time::sleep;

use super::{Injector, freeze};
use crate::base::{Error, Postgres};
use crate::faults::{Against, Cut, Fault, Jump, Of, Processes, When};
use crate::fleet::send_signal;
use crate::proxy::Proxy;
use crate::random::Random;

/// What the rows of views depend on.
const VIEWS: &str = "LOCK TABLE applied, balances, totals IN ACCESS EXCLUSIVE MODE";

pub(super) async fn inject(
    injector: &Injector,
    postgres: &Postgres,
    fault: Fault,
    random: &mut Random,
) -> Result<(), Error> {
    let proxy = &postgres.proxy;
    match fault {
        Fault::Cut(cut) => {
            let before = proxy.cuts();
            proxy.cut(cut);
            // Until all of them are cut, or there are no more such statements.
            let until = Instant::now() + Duration::from_secs(3);
            while proxy.cuts() < before + u64::from(cut.count) && Instant::now() < until {
                sleep(Duration::from_millis(20)).await;
            }
            proxy.cut_none();
            if proxy.cuts() == before {
                return Err("there was no such statement".into());
            }
        }
        Fault::CutAll => proxy.cut_all(),
        Fault::Refuse(time) => {
            proxy.refuse(true);
            // What is appended on those that are open is stored, and nobody can ask what became of it for long.
            proxy.cut(Cut { of: Of::Append, when: When::BeforeAnswer, count: u32::MAX });
            sleep(time).await;
            proxy.cut_none();
            proxy.refuse(false);
        }
        Fault::Silence(time, late) => {
            proxy.silence(Some(late));
            sleep(time).await;
            proxy.silence(None);
        }
        Fault::Delay(late, time) => {
            proxy.delay(late);
            sleep(time).await;
            proxy.delay(Duration::ZERO);
        }
        Fault::Stall(late) => stall(proxy, late).await?,
        Fault::KillServer(processes, pause) => {
            kill(postgres, processes).await?;
            sleep(pause).await;
            restart(postgres)?;
        }
        Fault::StopServer(pause) => {
            tokio::task::block_in_place(|| postgres.server().kill())?;
            sleep(pause).await;
            restart(postgres)?;
        }
        Fault::FreezeServer(time) => freeze(&postgres.server().processes()?, time)?,
        Fault::EndSessions => {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            postgres.connect().await?.execute(end).await?;
        }
        Fault::TakeConnections(time) => take_connections(postgres, time).await?,
        Fault::FillDisk(time) => {
            let disk = postgres.disk_to_fill().ok_or("there is no disk to fill")?;
            disk.fill()?;
            sleep(time).await;
            disk.free()?;
        }
        Fault::LockEvents(Against::Writers, time) => {
            lock(postgres, "LOCK TABLE cqrs.events IN SHARE MODE", time).await?;
        }
        Fault::LockEvents(Against::All, time) => {
            lock(postgres, "LOCK TABLE cqrs.events IN ACCESS EXCLUSIVE MODE", time).await?;
        }
        Fault::LockViews(time) => {
            // Workers make the tables when they run for the first time.
            let mut locked = lock(postgres, VIEWS, time).await;
            for _ in 0..10 {
                if locked.is_err() {
                    sleep(Duration::from_millis(300)).await;
                    locked = lock(postgres, VIEWS, time).await;
                }
            }
            locked?;
        }
        Fault::Idle(time) => lock(postgres, "CREATE TABLE idle (id bigint)", time).await?,
        Fault::Hold(time, then) => injector.hold(postgres, random, time, then).await?,
        Fault::Prepare(time, then, crash) => {
            injector.prepare(postgres, random, time, then, crash).await?;
        }
        Fault::JumpLeases(jump) => {
            let by = match jump {
                Jump::Ahead => "- interval '1 hour'",
                Jump::Back => "+ interval '2 seconds'",
            };
            for table in ["checkpoints", "members"] {
                let sql =
                    format!("UPDATE cqrs.{table} SET until = until {by} WHERE until IS NOT NULL");
                // All of it is written here.
                postgres.connect().await?.execute(sqlx::AssertSqlSafe(sql)).await?;
            }
        }
        Fault::Rescale(slots) => injector.rescale(slots).await?,
        fault => return Err(format!("{fault:?} is no fault of PostgreSQL").into()),
    }
    Ok(())
}

/// Has the next statement that moves checkpoints be late.
async fn stall(proxy: &Proxy, late: Duration) -> Result<(), Error> {
    proxy.stall(Some(late));
    let until = Instant::now() + Duration::from_secs(3);
    while proxy.is_to_stall() && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
    if proxy.is_to_stall() {
        proxy.stall(None);
        return Err("no checkpoint was moved".into());
    }
    sleep(late).await;
    Ok(())
}

/// Kills the server, and waits until all of its processes are gone.
pub(super) async fn kill(postgres: &Postgres, which: Processes) -> Result<(), Error> {
    let processes = postgres.server().processes()?;
    match which {
        // One that ends by itself meanwhile is no longer there to be killed.
        Processes::All => drop(send_signal("KILL", &processes)),
        Processes::First => send_signal("KILL", &processes[..1])?,
    }
    // Those that are left find out that the first one is gone.
    let until = Instant::now() + Duration::from_secs(10);
    while cqrs_test_harness::any_alive(&processes) {
        if Instant::now() >= until {
            drop(send_signal("KILL", &processes));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

pub(super) fn restart(postgres: &Postgres) -> Result<(), Error> {
    Ok(tokio::task::block_in_place(|| postgres.server().restart())?)
}

/// Takes connections until there are no more, and those that others give back as well.
async fn take_connections(postgres: &Postgres, time: Duration) -> Result<(), Error> {
    let until = Instant::now() + time;
    let mut taken = Vec::new();
    while Instant::now() < until {
        match postgres.connect().await {
            Ok(connection) => taken.push(connection),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    let count = taken.len();
    for connection in taken {
        connection.close().await?;
    }
    if count == 0 { Err("there was no connection to take".into()) } else { Ok(()) }
}

/// Holds a transaction open, with whatever the statement locks.
async fn lock(postgres: &Postgres, sql: &'static str, time: Duration) -> Result<(), Error> {
    let mut connection = postgres.connect().await?;
    connection.execute("SET lock_timeout = '5s'").await?;
    let mut transaction = connection.begin().await?;
    transaction.execute(sql).await?;
    sleep(time).await;
    transaction.rollback().await?;
    Ok(connection.close().await?)
}
