use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Gather, GatherLimits, Group, Pending};
use crate::event::{EventId, NewEvent, Payload};
use crate::metadata::Metadata;
use crate::store::{
    Append, AppendError, Appended, EventStore, MemoryStore, StoreError, StoreErrorKind,
};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Version};

/// A store that does something only when it is let to, and notes what it was asked for at once.
#[derive(Clone)]
struct Slow {
    store: MemoryStore,
    lets: Arc<Semaphore>,
    asked: Arc<std::sync::Mutex<Vec<Vec<String>>>>,
    panics: Arc<AtomicBool>,
}

impl Slow {
    async fn begin(&self, streams: Vec<String>) {
        self.asked.lock().unwrap().push(streams);
        self.lets.acquire().await.unwrap().forget();
        assert!(!self.panics.swap(false, Ordering::SeqCst), "a store with a mistake");
    }
}

#[async_trait]
impl Group for Slow {
    type Job = Append;
    type Answer = Result<Appended, AppendError>;

    fn size(append: &Append) -> (usize, usize) {
        append.size()
    }

    fn stream(append: &Append) -> Option<&StreamId> {
        Some(append.stream())
    }

    fn ended(append: &Append) -> Result<Appended, AppendError> {
        Err(StoreError::outcome_unknown(append.stream()).into())
    }

    async fn one(&self, append: &Append) -> Result<Appended, AppendError> {
        self.begin(vec![append.stream().to_string()]).await;
        self.store.append(append).await
    }

    async fn many(&self, appends: Vec<Pending<Self>>) {
        self.begin(appends.iter().map(|pending| pending.job().stream().to_string()).collect())
            .await;
        for pending in appends {
            let outcome = self.store.append(pending.job()).await;
            pending.finish(outcome);
        }
    }
}

struct Setting {
    slow: Slow,
    group: Arc<Gather<Slow>>,
}

type Running = JoinHandle<Result<Appended, AppendError>>;

impl Setting {
    fn new(limits: GatherLimits) -> Self {
        let slow = Slow {
            store: MemoryStore::new(),
            lets: Arc::new(Semaphore::new(0)),
            asked: Arc::default(),
            panics: Arc::default(),
        };
        Self { group: Arc::new(Gather::new(slow.clone(), limits)), slow }
    }

    /// Begins to append, and goes on once it waits.
    async fn begin(&self, stream: &str, expected: ExpectedVersion) -> Running {
        let (group, append) = (self.group.clone(), append(stream, expected, 1));
        let running = tokio::spawn(async move { group.carry_out(&append).await });
        settle().await;
        running
    }

    fn asked(&self) -> Vec<Vec<String>> {
        self.slow.asked.lock().unwrap().clone()
    }
}

/// Everything that can go on has gone on: there is one thread, and nothing here waits for anything else.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn append(stream: &str, expected: ExpectedVersion, events: usize) -> Append {
    let stream = StreamId::new("thing", stream).unwrap();
    let event = || {
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        NewEvent::from_parts(id, "happened", 1, Payload::of(&()).unwrap(), metadata).unwrap()
    };
    Append::new(stream, expected, (0..events).map(|_| event()).collect()).unwrap()
}

const ONE_AT_A_TIME: GatherLimits =
    GatherLimits { in_flight: 1, events: 3, bytes: 1_000, waiting: 100 };

#[tokio::test]
async fn appends_that_arrive_meanwhile_are_stored_together() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let mut all = Vec::new();
    for stream in ["a", "b", "c", "d", "e"] {
        all.push(setting.begin(stream, ExpectedVersion::NoStream).await);
    }
    // Nothing was waited for, and then nothing more than there was room for.
    assert_eq!(setting.asked(), [["thing/a"]]);
    setting.slow.lets.add_permits(1);
    settle().await;
    assert_eq!(setting.asked()[1..], [["thing/b", "thing/c", "thing/d"]]);
    setting.slow.lets.add_permits(2);
    for running in all {
        assert_eq!(running.await.unwrap().unwrap().version, Version::FIRST);
    }
    assert_eq!(setting.asked()[2..], [["thing/e"]]);
    // Idle again, the next is stored at once.
    setting.slow.lets.add_permits(1);
    let last = setting.begin("a", ExpectedVersion::Exact(Version::FIRST)).await;
    assert_eq!(last.await.unwrap().unwrap().version.get(), 2);
}

#[tokio::test]
async fn g2_one_that_is_refused_is_refused_alone() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let first = setting.begin("a", ExpectedVersion::Any).await;
    let good = setting.begin("b", ExpectedVersion::NoStream).await;
    let bad = setting.begin("c", ExpectedVersion::Exact(Version::new(7))).await;
    let other = setting.begin("d", ExpectedVersion::NoStream).await;
    setting.slow.lets.add_permits(2);
    assert!(first.await.unwrap().is_ok() && good.await.unwrap().is_ok());
    assert!(matches!(bad.await.unwrap(), Err(AppendError::Conflict(_))));
    assert!(other.await.unwrap().is_ok());
    assert_eq!(setting.asked()[1].len(), 3);
}

#[tokio::test]
async fn appends_to_one_stream_are_stored_in_their_order() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let mut all = vec![setting.begin("x", ExpectedVersion::Any).await];
    for version in 0..4 {
        let expected = ExpectedVersion::Exact(Version::new(version));
        all.push(setting.begin("a", expected).await);
        all.push(setting.begin("b", expected).await);
    }
    setting.slow.lets.add_permits(10);
    for running in all {
        running.await.unwrap().unwrap();
    }
    // The second append to a stream waits for the outcome of the first.
    assert_eq!(setting.asked()[1..], vec![["thing/a", "thing/b"]; 4]);
}

#[tokio::test]
async fn a_stream_with_many_appends_does_not_hold_up_others() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let mut flood = Vec::new();
    for _ in 0..20 {
        flood.push(setting.begin("busy", ExpectedVersion::Any).await);
    }
    let other = setting.begin("other", ExpectedVersion::NoStream).await;
    setting.slow.lets.add_permits(2);
    assert_eq!(other.await.unwrap().unwrap().version, Version::new(1));
    assert_eq!(setting.asked()[..2], [vec!["thing/busy"], vec!["thing/busy", "thing/other"]]);
    setting.slow.lets.add_permits(19);
    for (append, version) in flood.into_iter().zip(1..) {
        assert_eq!(append.await.unwrap().unwrap().version, Version::new(version));
    }
}

#[tokio::test]
async fn g14_one_that_is_given_up_takes_nobody_with_it() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let first = setting.begin("a", ExpectedVersion::Any).await;
    let waiting = setting.begin("b", ExpectedVersion::Any).await;
    let given_up = setting.begin("c", ExpectedVersion::Any).await;
    // Whoever waits is left out; whoever was being stored passes the turn on.
    given_up.abort();
    first.abort();
    settle().await;
    assert_eq!(setting.asked(), [["thing/a"], ["thing/b"]]);
    setting.slow.lets.add_permits(2);
    assert!(waiting.await.unwrap().is_ok());
    assert!(setting.begin("d", ExpectedVersion::Any).await.await.unwrap().is_ok());
}

#[tokio::test]
async fn g4_where_storing_panics_the_outcome_is_unknown_and_others_go_on() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let first = setting.begin("a", ExpectedVersion::Any).await;
    let unlucky = setting.begin("b", ExpectedVersion::Any).await;
    setting.slow.lets.add_permits(1);
    assert!(first.await.unwrap().is_ok());
    let behind = setting.begin("c", ExpectedVersion::Any).await;
    setting.slow.panics.store(true, Ordering::SeqCst);
    setting.slow.lets.add_permits(2);
    let Err(AppendError::Store(error)) = unlucky.await.unwrap() else { panic!("it is stored") };
    assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown);
    assert!(behind.await.unwrap().is_ok());
}

#[tokio::test]
async fn there_is_room_for_so_many_and_the_rest_waits_to_be_let_in() {
    let limits = GatherLimits { waiting: 2, events: 100, ..ONE_AT_A_TIME };
    let setting = Setting::new(limits);
    let mut all = Vec::new();
    for stream in ["a", "b", "c", "d", "e"] {
        all.push(setting.begin(stream, ExpectedVersion::Any).await);
    }
    setting.slow.lets.add_permits(1);
    settle().await;
    assert_eq!(setting.asked()[1..], [["thing/b", "thing/c"]]);
    setting.slow.lets.add_permits(10);
    for running in all {
        assert!(running.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn one_that_is_too_large_for_a_commit_is_stored_by_itself() {
    let setting = Setting::new(ONE_AT_A_TIME);
    let first = setting.begin("a", ExpectedVersion::Any).await;
    let small = setting.begin("b", ExpectedVersion::Any).await;
    let (group, large) = (setting.group.clone(), append("c", ExpectedVersion::Any, 9));
    let large = tokio::spawn(async move { group.carry_out(&large).await });
    settle().await;
    let last = setting.begin("d", ExpectedVersion::Any).await;
    setting.slow.lets.add_permits(10);
    for running in [first, small, large, last] {
        assert!(running.await.unwrap().is_ok());
    }
    assert_eq!(setting.asked()[1..], [["thing/b"], ["thing/c"], ["thing/d"]]);
}
