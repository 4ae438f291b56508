//! Workers with connections of their own that race: for the first checkpoint, and for its lease.

use std::path::Path;
use std::time::Duration;

use cqrs_core::{Lease, Member, Opened, ReadModel};
use cqrs_sqlite::SqliteModel;
use uuid::Uuid;

use crate::model::{ACCOUNTS, HOUR, accounts, at, balances, commit, setup};
use crate::support::{connect, execute, open_patiently, place};

/// A lease for no time has run out when it is had.
const RUN_OUT: Duration = Duration::ZERO;

struct Racer {
    model: SqliteModel,
    opened: Opened,
    lease: Option<Lease>,
}

/// Many workers open these versions at once and ask for the lease.
async fn race(path: &Path, versions: [u32; 8], time: Duration) -> Vec<Racer> {
    // There is a file, so that only the projection is made in the race.
    open_patiently(path).await.close().await;
    let mut racers = Vec::new();
    // All of them find nothing, before any of them may write.
    let mut other = connect(path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    for version in versions {
        let model = open_patiently(path).await.model();
        racers.push(tokio::spawn(async move {
            let id = balances(version);
            let setup = cqrs_core::Setup { beside: false, ..setup(ACCOUNTS) };
            let opened = model.open(&id, &setup).await.unwrap();
            let id_of_member = Uuid::now_v7();
            let member =
                Member { id: id_of_member, label: "racer", leases: &[], time, error: None };
            let share = model.share(&id, &member).await.unwrap();
            let lease = share.and_then(|share| share.leases.first().copied());
            Racer { model, opened, lease }
        }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    execute(&mut other, "COMMIT").await;
    let mut all = Vec::new();
    for racer in racers {
        all.push(racer.await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_one_of_many_workers_gets_the_lease() {
    let place = place();
    let racers = race(&place.path, [1; 8], HOUR).await;
    assert!(racers.iter().all(|racer| racer.opened == Opened::InService));
    assert_eq!(racers.iter().filter(|racer| racer.lease.is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_versions_is_made() {
    let place = place();
    let racers = race(&place.path, [1, 2, 1, 2, 1, 2, 1, 2], RUN_OUT).await;
    let in_service = racers.iter().filter(|racer| racer.opened == Opened::InService).count();
    assert_eq!(in_service, 4);
    // Those of the version that came first take the lease from each other.
    let with_lease = |racer: &&Racer| racer.lease.is_some();
    assert_eq!(racers.iter().filter(with_lease).count(), 4);
    assert!(racers.iter().filter(with_lease).all(|racer| racer.opened == Opened::InService));
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_of_many_that_had_the_lease_only_the_last_commits() {
    let place = place();
    let racers = race(&place.path, [1; 8], RUN_OUT).await;
    let mut tokens: Vec<i64> = racers.iter().filter_map(|racer| Some(racer.lease?.token)).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 2, 3, 4, 5, 6, 7, 8]);
    let committing: Vec<_> = racers
        .into_iter()
        .map(|Racer { model, lease, .. }| {
            let lease = lease.unwrap();
            tokio::spawn(async move { (commit(&model, 1, at(lease, 1), lease.token).await, lease) })
        })
        .collect();
    for committing in committing {
        let (committed, lease) = committing.await.unwrap();
        assert_eq!(committed, lease.token == 8);
    }
    assert_eq!(accounts(&SqliteModel::open(&place.path).await.unwrap()).await, [8]);
}
