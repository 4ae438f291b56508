//! Each event counts exactly once, whoever runs the projection (G7).

use std::sync::Arc;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::sqlite::SqliteModel;
use cqrs::{MemoryStore, Phase, Position, Projector, Stopped, StoreErrorKind};

use super::refused::Amounts;
use super::{LONG, Setting};
use crate::domain::{Counter, add};

#[tokio::test]
async fn a_projection_catches_up_and_stays_live() {
    let setting = Setting::new();
    let stored = setting.add("a", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    let (running, _) = setting.start();
    running.wait_for(stored, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "1 2 3 4 5 6 7 8 9 10 named");
    let later = setting.add("b", &[1]).await;
    running.wait_for(later, LONG).await.unwrap();
    assert_eq!(setting.history("b"), "1 named");
    let not_yet = running.wait_for(Position::new(1_000), Duration::from_millis(20)).await;
    let not_yet = not_yet.unwrap_err().to_string();
    assert!(not_yet.contains("`histories`") && not_yet.contains("13"), "{not_yet}");
    assert!(matches!(running.stop().await, Stopped::Asked));
}

#[tokio::test]
async fn g7_each_event_counts_once_whatever_fails_and_whoever_runs() {
    let setting = Setting::new();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let bus = setting.bus.clone();
            tokio::spawn(async move {
                let mut last = Position::START;
                for round in 0..50 {
                    let counter = format!("c{}", (writer + round) % 5);
                    last = bus.send(add(&counter, 1)).await.unwrap().position;
                    tokio::task::yield_now().await;
                }
                last
            })
        })
        .collect();
    // Started and stopped again and again, while reads fail.
    for round in 0..20 {
        let (running, _) = setting.start();
        setting.store.fail_next_reads(round % 3, StoreErrorKind::Unavailable);
        let _ = running.wait_for(Position::new(round as u64 * 10), Duration::from_millis(30)).await;
        running.stop().await;
    }
    let mut last = Position::START;
    for writer in writers {
        last = last.max(writer.await.unwrap());
    }
    let (running, _) = setting.start();
    running.wait_for(last, LONG).await.unwrap();
    let taken: usize = setting.model.read(|all| all.values().map(Vec::len).sum());
    assert_eq!(taken, 200);
}

#[tokio::test]
async fn one_process_runs_a_projection_and_another_takes_over() {
    let setting = Setting::new();
    let (first, _) = setting.start();
    let last = setting.add("a", &[1]).await;
    first.wait_for(last, LONG).await.unwrap();
    let (second, _) = setting.start();
    while !matches!(second.status().phase, Phase::Standby) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.stop().await;
    let last = setting.add("a", &[2]).await;
    second.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "1 named 2 named");
}

/// A crash of the machine, where the database does not wait for the disk: its rows and its checkpoint are as they were
/// a commit before, while the owner goes on.
#[tokio::test]
async fn g7_a_projection_whose_last_commit_is_lost_goes_on_from_its_rows() {
    let (store, model) = (MemoryStore::new(), SqliteModel::in_memory().await.unwrap());
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    let projection = Amounts { taken: Arc::default() };
    let running = Projector::new(store).start(projection, model.clone());
    for amount in [1, 2, 3] {
        let done = bus.send(add("a", amount)).await.unwrap();
        running.wait_for(&done, LONG).await.unwrap();
    }
    let crash = "DELETE FROM amounts WHERE amount = 3; \
                 UPDATE cqrs_checkpoints SET commits = commits - 1, position = 2";
    sqlx::raw_sql(crash).execute(model.pool()).await.unwrap();
    let done = bus.send(add("a", 4)).await.unwrap();
    running.wait_for(&done, LONG).await.unwrap();
    let amounts: Vec<i64> = sqlx::query_scalar("SELECT amount FROM amounts ORDER BY amount")
        .fetch_all(model.pool())
        .await
        .unwrap();
    assert_eq!(amounts, [1, 2, 3, 4]);
}
