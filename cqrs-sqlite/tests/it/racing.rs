//! Owners that race for the lease of a projection.

use std::path::Path;
use std::time::Duration;

use cqrs_core::{Acquired, ProjectionId, ReadModel};
use cqrs_sqlite::SqliteModel;
use uuid::Uuid;

use crate::model::{HOUR, RUN_OUT, accounts, at, balances, commit, create_table};
use crate::support::{Place, connect, execute, open_patiently, place};

/// Many owners, each with connections of its own, ask for leases of these projections at once.
async fn race(
    path: &Path,
    projections: [ProjectionId; 8],
    time: Duration,
) -> Vec<(SqliteModel, Acquired)> {
    let mut racers = Vec::new();
    // All of them find the lease free, before any of them may write.
    let mut other = connect(path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    for projection in projections {
        let model = open_patiently(path).await.model();
        racers.push(tokio::spawn(async move {
            let acquired = model.acquire(&projection, Uuid::now_v7(), time).await.unwrap();
            (model, acquired)
        }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    execute(&mut other, "COMMIT").await;
    let mut outcomes = Vec::new();
    for racer in racers {
        outcomes.push(racer.await.unwrap());
    }
    outcomes
}

/// A file with the tables.
async fn prepared() -> Place {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    create_table(&model).await;
    model.close().await;
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_one_of_many_owners_gets_the_lease() {
    let place = prepared().await;
    let acquired = race(&place.path, [(); 8].map(|()| balances()), HOUR).await;
    let (winners, losers): (Vec<_>, Vec<_>) =
        acquired.iter().partition(|(_, acquired)| matches!(acquired, Acquired::Lease(_)));
    assert_eq!(winners.len(), 1, "{acquired:?}");
    assert!(losers.iter().all(|(_, acquired)| matches!(acquired, Acquired::HeldBy { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_versions_gets_the_lease() {
    let place = prepared().await;
    let mut versions = 0..;
    let projections =
        [(); 8].map(|()| ProjectionId { version: versions.next().unwrap() % 2, ..balances() });
    // Those of the version that came first take it from each other.
    let acquired = race(&place.path, projections, RUN_OUT).await;
    let leases = acquired.iter().filter(|(_, acquired)| matches!(acquired, Acquired::Lease(_)));
    assert_eq!(leases.count(), 4, "{acquired:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_of_many_that_had_the_lease_only_the_last_commits() {
    let place = prepared().await;
    let acquired = race(&place.path, [(); 8].map(|()| balances()), RUN_OUT).await;
    let leases: Vec<_> = acquired
        .into_iter()
        .map(|(model, acquired)| match acquired {
            Acquired::Lease(lease) => (model, lease),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut tokens: Vec<i64> = leases.iter().map(|(_, lease)| lease.token).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 2, 3, 4, 5, 6, 7, 8]);
    let committing: Vec<_> = leases
        .into_iter()
        .map(|(model, lease)| {
            tokio::spawn(async move { (commit(&model, at(lease, 1), lease.token).await, lease) })
        })
        .collect();
    for committing in committing {
        let (committed, lease) = committing.await.unwrap();
        assert_eq!(committed, lease.token == 8);
    }
    assert_eq!(accounts(&SqliteModel::open(&place.path).await.unwrap()).await, [8]);
}
