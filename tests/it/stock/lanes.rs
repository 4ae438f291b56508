//! Commands to one aggregate at the same time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cqrs::prelude::*;
use cqrs::{
    Append, EventId, EventStore as _, ExpectedVersion, Metadata, NewEvent, StreamId, Version,
};
use futures_util::future::join_all;

use super::watched::Watched;
use super::{NotEnough, Stock, Take, Taken, bus, settle};

#[tokio::test]
async fn commands_that_arrive_meanwhile_share_an_append_and_build_on_each_other() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |pieces: u32| {
        let sent = bus.send(Take::from(pieces));
        tokio::spawn(async move { sent.await })
    };
    let all: Vec<_> = [10, 20, 60, 20, 5, 0].into_iter().map(send).collect();
    settle().await;
    assert_eq!(store.appends.load(Ordering::SeqCst), 1, "the first is stored by itself");
    store.lets.add_permits(2);
    let outcomes = join_all(all).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(store.appends.load(Ordering::SeqCst), 2, "and all others together");
    assert_eq!(store.reads.load(Ordering::SeqCst), 1, "nothing is read again");
    let versions = |index: usize| outcomes[index].as_ref().unwrap().version.get();
    assert_eq!([versions(0), versions(1), versions(2), versions(4)], [1, 2, 3, 4]);
    let refused = outcomes[3].as_ref().unwrap_err();
    assert_eq!(refused.rejection(), Some(&NotEnough(10)), "{refused}");
    // One that leads to nothing is at the version it was decided at.
    assert_eq!((versions(5), outcomes[5].as_ref().unwrap().events), (4, 0));
    assert_eq!(bus.load::<Stock>("s").await.unwrap().state.left, 5);
}

#[tokio::test]
async fn a_busy_aggregate_does_not_hold_up_others() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |stock: String, pieces| {
        let sent = bus.send(Take { stock, pieces });
        tokio::spawn(async move { sent.await })
    };
    let busy: Vec<_> = (0..90).map(|_| send("s".into(), 1)).collect();
    settle().await;
    let others: Vec<_> = (0..3).map(|number| send(number.to_string(), 1)).collect();
    settle().await;
    // One append of the busy one, and one of each of the others: whatever waits there, they are in the next four.
    store.lets.add_permits(4);
    for other in others {
        assert_eq!(other.await.unwrap().unwrap().version.get(), 1);
    }
    store.lets.add_permits(90);
    for sent in busy {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(bus.load::<Stock>("s").await.unwrap().version.get(), 90);
}

#[tokio::test]
async fn g2_after_a_conflict_all_are_decided_on_again() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |pieces: u32| {
        let sent = bus.send(Take::from(pieces));
        tokio::spawn(async move { sent.await })
    };
    let first = send(10);
    settle().await;
    let (second, third, fourth) = (send(50), send(40), send(7));
    settle().await;
    // Another process takes what two of them want.
    let event = |pieces| {
        let id = EventId::random();
        NewEvent::of(&Taken { pieces }, id, Arc::new(Metadata::of(id.as_uuid()))).unwrap()
    };
    let stream = StreamId::new("stock", "s").unwrap();
    let other = Append::new(stream, ExpectedVersion::Any, vec![event(45)]).unwrap();
    store.store.append(&other).await.unwrap();
    store.lets.add_permits(10);
    assert_eq!(first.await.unwrap().unwrap().version.get(), 2);
    assert_eq!(second.await.unwrap().unwrap_err().rejection(), Some(&NotEnough(45)));
    assert_eq!(third.await.unwrap().unwrap().version.get(), 3);
    assert_eq!(fourth.await.unwrap().unwrap_err().rejection(), Some(&NotEnough(5)));
}

#[tokio::test]
async fn g14_a_command_that_is_given_up_or_panics_takes_nobody_with_it() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |pieces: u32| {
        let sent = bus.send(Take::from(pieces));
        tokio::spawn(async move { sent.await })
    };
    let (first, second, given_up) = (send(1), send(2), send(50));
    settle().await;
    let (handler, apply, last) = (send(99), send(13), send(4));
    settle().await;
    given_up.abort();
    // The one that is being stored passes its turn on.
    first.abort();
    settle().await;
    store.lets.add_permits(10);
    assert!(second.await.unwrap().is_ok());
    for panicked in [handler, apply] {
        let panic = panicked.await.unwrap_err().into_panic();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains("with a mistake"), "{said}");
    }
    assert!(last.await.unwrap().is_ok());
    let stock = bus.load::<Stock>("s").await.unwrap();
    assert_eq!((stock.version.get(), stock.state.left), (2, 94));
}

/// The caller of the first attempt is gone; nobody knows that it still gets through.
#[tokio::test]
async fn g4_a_command_that_is_carried_out_elsewhere_meanwhile_is_not_refused() {
    for (pieces, expected) in [(60, None), (10, Some(Version::NONE))] {
        let store = Watched::new(10);
        let bus = bus(store.clone());
        let send = |bus: &Bus| {
            let sent = bus.send(Take::from(pieces)).idempotency_key("k");
            if let Some(version) = expected { sent.expected_version(version) } else { sent }
        };
        let held = store.read_lets.clone().acquire_owned().await.unwrap();
        let second = send(&bus);
        let second = tokio::spawn(async move { second.await });
        settle().await;
        let elsewhere = Bus::builder(store.store.clone()).aggregate::<Stock>().build().unwrap();
        let first = send(&elsewhere).await.unwrap();
        drop(held);
        let second = second.await.unwrap().unwrap();
        assert_eq!((second.version, second.replayed), (first.version, true));
        assert_eq!(bus.load::<Stock>("s").await.unwrap().state.left, 100 - pieces);
    }
}
