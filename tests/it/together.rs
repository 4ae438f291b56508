//! Commands that are too much for one append together, though each by itself is not.

use cqrs::SqliteStore;
use cqrs::limits::MAX_EVENTS_PER_APPEND;
use cqrs::prelude::*;
use futures_util::future::join_all;

use crate::domain::{AddAll, Counter};

/// The first makes the others wait in the lane, as an answer of this store is never there at once.
#[tokio::test]
async fn commands_that_are_too_much_together_are_stored_one_by_one() {
    let store = SqliteStore::in_memory().await.unwrap();
    let bus = Bus::builder(store).aggregate::<Counter>().build().unwrap();
    let sizes = [1, 200, MAX_EVENTS_PER_APPEND - 100, 2];
    let sent =
        sizes.map(|size| {
            let bus = bus.clone();
            async move {
                bus.send(AddAll { counter: "a".into(), amounts: vec![1; size], name: None }).await
            }
        });
    let mut version = 0;
    for (done, size) in join_all(sent).await.into_iter().zip(sizes) {
        let done = done.unwrap();
        version += size as u64;
        assert_eq!((done.version.get(), done.events), (version, size));
    }
    let loaded = bus.load::<Counter>("a").await.unwrap();
    assert_eq!(loaded.version.get(), version);
}
