//! Faults of files.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::sleep;

use super::Injector;
use crate::base::{Error, Sqlite};
use crate::faults::{Against, Fault, Jump};

pub(super) async fn inject(
    injector: &Injector,
    sqlite: &Sqlite,
    fault: Fault,
) -> Result<(), Error> {
    match fault {
        Fault::FillDisk(time) => {
            let disk = sqlite.disk_to_fill().ok_or("there is no disk to fill")?;
            disk.fill()?;
            sleep(time).await;
            disk.free()?;
        }
        Fault::LockEvents(against, time) => {
            let mut connection = sqlite.connect_to_events().await?;
            connection
                .execute(match against {
                    Against::Writers => "BEGIN IMMEDIATE",
                    Against::All => "BEGIN EXCLUSIVE",
                })
                .await?;
            sleep(time).await;
            connection.execute("ROLLBACK").await?;
            connection.close().await?;
        }
        Fault::HoldRead(time) => {
            let mut connection = sqlite.connect_to_events().await?;
            connection.execute("BEGIN").await?;
            connection.execute("SELECT count(*) FROM cqrs_events").await?;
            sleep(time).await;
            connection.execute("ROLLBACK").await?;
            connection.close().await?;
        }
        Fault::Checkpoint => {
            let mut connection = sqlite.connect_to_events().await?;
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            connection.close().await?;
        }
        Fault::JumpLeases(jump) => {
            let by = match jump {
                Jump::Ahead => -3_600_000,
                Jump::Back => 2_000,
            };
            let mut connection = sqlite.connect_to_views().await?;
            for table in ["cqrs_checkpoints", "cqrs_members"] {
                let sql = format!("UPDATE {table} SET until = until + {by}");
                // All of it is written here.
                connection.execute(AssertSqlSafe(sql)).await?;
            }
            connection.close().await?;
        }
        Fault::Rescale(slots) => injector.rescale(slots).await?,
        fault => return Err(format!("{fault:?} is no fault of SQLite").into()),
    }
    Ok(())
}
