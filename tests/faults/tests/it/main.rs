//! Short rounds of faults. `cargo run --release -p cqrs-faults` runs longer ones.

#![cfg(unix)]

use std::time::Duration;

use cqrs_faults::base::Error;
use cqrs_faults::random::fresh_seed;
use cqrs_faults::round::{Kind, Settings, round};

/// Has a round of faults, and prints what it comes to: its seed above all, to have the same faults again.
async fn survives(store: Kind, length: Duration) -> Result<(), Error> {
    let seed = match std::env::var("CQRS_FAULTS_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => fresh_seed(),
    };
    println!("CQRS_FAULTS_SEED={seed}");
    let settings = Settings::new(store, seed, length, env!("CARGO_BIN_EXE_cqrs-faults").into());
    let report = round(&settings).await?;
    println!("{report}");
    assert_eq!(report.violations, []);
    // What was disturbed was at work.
    assert!(!report.evidence.log.is_empty());
    assert!(report.counts.injected.values().sum::<u64>() > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_lose_and_double_nothing_under_faults() {
    survives(Kind::Postgres, Duration::from_secs(18)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_sqlite_lose_and_double_nothing_under_faults() {
    survives(Kind::Sqlite, Duration::from_secs(9)).await.unwrap();
}
