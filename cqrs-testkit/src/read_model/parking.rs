//! Parked streams, and what is asked to be done about them (G8).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::{Maintain as _, Parked, ParkedRequest, ReadModel as _, StoreError, Version};

use super::Fixture;
use super::support::{
    Model, NAME, Worker, all_parked, at, done, id, opened, parked, same, state, stream,
};

/// Parks streams, in a commit.
async fn park<M: Model>(worker: &mut Worker<M>, all: &[Parked]) {
    let mut transaction = worker.begin().await;
    for parked in all {
        let noted = worker.model.park(&mut transaction, &worker.id, parked).await;
        done(format!("parking stream `{}`", parked.stream), noted);
    }
    commit(worker, transaction).await;
}

async fn unpark<M: Model>(worker: &mut Worker<M>, keys: &[&str]) {
    let mut transaction = worker.begin().await;
    for key in keys {
        let noted = worker.model.unpark(&mut transaction, &worker.id, &stream(key)).await;
        done(format!("unparking stream `{key}`"), noted);
    }
    commit(worker, transaction).await;
}

async fn commit<M: Model>(worker: &mut Worker<M>, transaction: M::Transaction) {
    let leases = worker.leases.clone();
    assert!(worker.commit_under(transaction, &leases).await, "a commit was refused");
    for lease in &mut worker.leases {
        lease.commits += 1;
    }
}

pub(super) async fn g8_parked_streams_are_kept_as_they_are<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 2, 0).await;
    let large = Parked {
        version: Version::new(u64::from(u32::MAX) + 5),
        position: at(1 << 47),
        attempts: u32::MAX,
        event_type: "t".repeat(128),
        error: "long ".repeat(20_000),
        since: SystemTime::UNIX_EPOCH + Duration::from_micros(1),
        ..parked("large", 0)
    };
    let asked = Parked { request: Some(ParkedRequest::Replay), attempts: 0, ..parked("asked", 7) };
    let all = [parked("small", 5), asked, large];
    park(&mut worker, &all).await;
    same("the parked streams", all_parked(&other, 1).await, all.to_vec());
    same("the parked streams of a share", worker.share().await.parked, all.to_vec());
    let mut second = Worker::new(&other, 1);
    same("the parked streams of another's share", second.share().await.parked, all.to_vec());
    same("how many are parked", state(&other, 1).await.parked, 3);
    same("what a version that is not there has parked", all_parked(&model, 2).await, vec![]);
}

pub(super) async fn g8_a_stream_that_fails_again_keeps_since_when<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    park(&mut worker, &[parked("1", 5), parked("2", 6)]).await;
    let asked = model.request(NAME, 1, &stream("1"), ParkedRequest::Replay).await;
    assert!(done("asking for a replay", asked), "a parked stream is not found");
    let again = Parked {
        version: Version::new(9),
        position: at(20),
        event_type: "suite.other".to_owned(),
        attempts: 1,
        error: "something else".to_owned(),
        since: parked("1", 5).since + Duration::from_mins(1),
        ..parked("1", 5)
    };
    park(&mut worker, std::slice::from_ref(&again)).await;
    // What was asked for is done.
    let kept = Parked { since: parked("1", 5).since, ..again };
    same("the parked streams", all_parked(&model, 1).await, vec![parked("2", 6), kept]);
    same("how many are parked", state(&model, 1).await.parked, 2);
}

pub(super) async fn g8_parked_streams_are_listed_by_position<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 0).await;
    // Slots that are behind park what comes before.
    for position in [50, 9, 100, 30] {
        let stream = parked(&format!("{}", 1_000 - position), position);
        park(&mut worker, &[stream]).await;
    }
    let listed = all_parked(&model, 1).await;
    let order: Vec<u64> = listed.iter().map(|parked| parked.position.get()).collect();
    same("the positions of the parked streams", order, vec![9, 30, 50, 100]);
    same("the parked streams of a share", worker.share().await.parked, listed);
}

pub(super) async fn g8_streams_are_unparked_one_by_one<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    park(&mut worker, &[parked("1", 5), parked("2", 6), parked("3", 7)]).await;
    unpark(&mut worker, &["2", "never parked"]).await;
    same("what is left", all_parked(&model, 1).await, vec![parked("1", 5), parked("3", 7)]);
    // In one transaction, in order.
    let mut transaction = worker.begin().await;
    let noted: Result<(), StoreError> = async {
        worker.model.unpark(&mut transaction, &worker.id, &stream("1")).await?;
        worker.model.park(&mut transaction, &worker.id, &parked("1", 8)).await?;
        worker.model.park(&mut transaction, &worker.id, &parked("4", 9)).await?;
        worker.model.unpark(&mut transaction, &worker.id, &stream("4")).await
    }
    .await;
    done("parking and unparking", noted);
    commit(&mut worker, transaction).await;
    same("what is left", all_parked(&model, 1).await, vec![parked("3", 7), parked("1", 8)]);
    same("what a share says of it", worker.share().await.parked.len(), 2);
}

pub(super) async fn g8_unparking_is_rolled_back_with_the_rest<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    park(&mut worker, &[parked("1", 5)]).await;
    let mut transaction = worker.begin().await;
    done("unparking", model.unpark(&mut transaction, &worker.id, &stream("1")).await);
    drop(transaction);
    same("what is parked", all_parked(&model, 1).await, vec![parked("1", 5)]);
    worker.commits(10, &["a"]).await;
    same("what is parked", all_parked(&model, 1).await, vec![parked("1", 5)]);
}

pub(super) async fn g8_requests_reach_those_who_share<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 1, 0).await;
    park(&mut worker, &[parked("1", 5), parked("2", 6)]).await;
    let request = async |version: u32, key: &str, request| {
        let asked = other.request(NAME, version, &stream(key), request).await;
        done("asking for something to be done about a parked stream", asked)
    };
    same(
        "asking for a stream that is not parked",
        request(1, "3", ParkedRequest::Replay).await,
        false,
    );
    same(
        "asking of a version that is not there",
        request(2, "1", ParkedRequest::Replay).await,
        false,
    );
    for asked in [ParkedRequest::Replay, ParkedRequest::Discard, ParkedRequest::Replay] {
        same("asking for a stream that is parked", request(1, "2", asked).await, true);
        let now = vec![parked("1", 5), Parked { request: Some(asked), ..parked("2", 6) }];
        same("what is asked for", all_parked(&model, 1).await, now.clone());
        same("what a share says is asked for", worker.share().await.parked, now);
    }
    unpark(&mut worker, &["2"]).await;
    same(
        "asking for a stream that was parked",
        request(1, "2", ParkedRequest::Replay).await,
        false,
    );
}

pub(super) async fn g8_names_of_parked_streams_are_kept_apart<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let long = "k".repeat(511);
    let (one, other) = (format!("{long}1"), format!("{long}2"));
    let keys = ["a", "A", "a ", " a", "a%", "a_", "é", "e\u{301}", "🦀", "'", "a/b", &one, &other];
    let all: Vec<Parked> = keys.iter().zip(1..).map(|(key, at)| parked(key, at)).collect();
    park(&mut worker, &all).await;
    same("the parked streams", all_parked(&model, 1).await, all.clone());
    for (number, key) in keys.iter().enumerate() {
        unpark(&mut worker, &[key]).await;
        same(
            format!("what is left after {key:?}"),
            all_parked(&model, 1).await,
            all[number + 1..].to_vec(),
        );
    }
}

pub(super) async fn g8_streams_are_parked_whatever_the_error_says<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let said = ["", "\"'\\%_\n\t", "не проходит 🦀", "\u{1}\u{7f}\u{fffe}"];
    let of = |(error, at): (&&str, u64)| Parked {
        error: (*error).to_owned(),
        ..parked(&at.to_string(), at)
    };
    let all: Vec<Parked> = said.iter().zip(1..).map(of).collect();
    park(&mut worker, &all).await;
    same("the parked streams", all_parked(&model, 1).await, all);
    // Not all databases keep this character; the stream is parked all the same.
    park(&mut worker, &[Parked { error: "nul \0 nul".to_owned(), ..parked("nul", 9) }]).await;
    let last = all_parked(&model, 1).await.pop();
    assert!(
        last.as_ref().is_some_and(|parked| parked.error.starts_with("nul ")),
        "a stream with a NUL character in its error is parked as {last:?}"
    );
}

pub(super) async fn g8_versions_park_streams_of_their_own<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut served = opened(&model, 1, 1, 0).await;
    let mut beside = opened(&model, 2, 1, 0).await;
    park(&mut served, &[parked("1", 5)]).await;
    park(&mut beside, &[parked("1", 6), parked("2", 7)]).await;
    same("what is parked in service", all_parked(&model, 1).await, vec![parked("1", 5)]);
    same(
        "what is parked beside",
        beside.share().await.parked,
        vec![parked("1", 6), parked("2", 7)],
    );
    let asked = model.request(NAME, 2, &stream("1"), ParkedRequest::Discard).await;
    assert!(done("asking", asked), "a parked stream is not found");
    same("what is asked for in service", all_parked(&model, 1).await[0].request, None);
    unpark(&mut beside, &["1"]).await;
    same("what is parked in service", served.share().await.parked, vec![parked("1", 5)]);
    same(
        "how many are parked",
        [state(&model, 1).await.parked, state(&model, 2).await.parked],
        [1, 1],
    );
    same("another name", done("listing", model.parked("other", id(1).version).await), vec![]);
}
