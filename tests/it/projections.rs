//! Projections: each event counts exactly once (G7), failures are loud and narrow (G8), one owner at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    Acquired, Append, BoxError, EventId, EventStore as _, ExpectedVersion, MemoryModel,
    MemoryStore, MemoryTransaction, Metadata, NewEvent, ParkedError, Payload, Phase, Position,
    ProjectionId, Projector, ReadModel as _, RecordedEvent, Running, Stopped, StoreError,
    StoreErrorKind, StreamId, Version,
};
use cqrs_testkit::FaultyStore;

use crate::domain::{AddAll, Counter, CounterEvent, Renamed, add};

/// Long enough for anything that happens at all.
const LONG: Duration = Duration::from_secs(30);

/// Instead of an amount that is refused: nothing can be taken.
const OUTAGE: i64 = i64::MAX;

/// What each counter has gone through, in order.
type Histories = BTreeMap<String, Vec<String>>;

#[derive(Projection)]
#[projection(name = "histories", model = MemoryModel<Histories>, events(CounterEvent, Renamed))]
struct History {
    /// An amount that can't be taken.
    refused: Arc<AtomicI64>,
}

impl History {
    fn new() -> (Self, Arc<AtomicI64>) {
        let refused = Arc::new(AtomicI64::new(i64::MIN));
        (Self { refused: refused.clone() }, refused)
    }

    fn note(
        recorded: &RecordedEvent,
        transaction: &mut MemoryTransaction<Histories>,
        what: String,
    ) {
        let key = recorded.stream.key().to_owned();
        transaction.value.entry(key).or_default().push(what);
    }
}

impl Project<CounterEvent> for History {
    async fn project(
        &self,
        event: CounterEvent,
        recorded: &RecordedEvent,
        transaction: &mut MemoryTransaction<Histories>,
    ) -> Result<(), BoxError> {
        let CounterEvent::Added { amount } = event else { return Ok(()) };
        // Written first, to be rolled back.
        Self::note(recorded, transaction, amount.to_string());
        match self.refused.load(Ordering::SeqCst) {
            OUTAGE => Err(StoreError::new(StoreErrorKind::Unavailable, "out of order").into()),
            refused if refused == amount => Err(format!("{amount} can't be taken").into()),
            _ => Ok(()),
        }
    }
}

impl Project<Renamed> for History {
    async fn project(
        &self,
        event: Renamed,
        recorded: &RecordedEvent,
        transaction: &mut MemoryTransaction<Histories>,
    ) -> Result<(), BoxError> {
        Self::note(recorded, transaction, event.name);
        Ok(())
    }
}

struct Setting {
    store: Arc<FaultyStore<MemoryStore>>,
    bus: Bus,
    model: MemoryModel<Histories>,
}

impl Setting {
    fn new() -> Self {
        let events = MemoryStore::new();
        // Only the projections meet the faults.
        let store = Arc::new(FaultyStore::new(events.clone()));
        let bus = Bus::builder(events).aggregate::<Counter>().build().unwrap();
        Self { store, bus, model: MemoryModel::new(Histories::new()) }
    }

    fn projector(&self) -> Projector {
        Projector::new(self.store.clone()).batch(7).attempts(2).lease(Duration::from_millis(400))
    }

    fn start(&self) -> (Running, Arc<AtomicI64>) {
        let (projection, refused) = History::new();
        (self.projector().start(projection, self.model.clone()), refused)
    }

    async fn add(&self, counter: &str, amounts: &[i64]) -> Position {
        let amounts = amounts.to_vec();
        let all = AddAll { counter: counter.into(), amounts, name: Some("named".into()) };
        self.bus.send(all).await.unwrap().position
    }

    fn history(&self, counter: &str) -> String {
        self.model.read(|all| all.get(counter).cloned().unwrap_or_default().join(" "))
    }
}

fn stream(counter: &str) -> StreamId {
    StreamId::new("counter", counter).unwrap()
}

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
async fn g7_a_worker_that_lost_its_lease_commits_nothing() {
    let model = MemoryModel::new(0);
    let id = ProjectionId { name: "p", version: 1, events: "a b".into() };
    let (first, second) = (EventId::random().as_uuid(), EventId::random().as_uuid());
    // Long enough for the other to find it held, on however slow a machine.
    let short = Duration::from_millis(700);
    let Acquired::Lease(mut stalled) = model.acquire(&id, first, short).await.unwrap() else {
        panic!("the lease is free")
    };
    let held = model.acquire(&id, second, LONG).await.unwrap();
    assert_eq!(held, Acquired::HeldBy { owner: first });
    let mut transaction = model.begin().await.unwrap();
    transaction.value += 1;
    tokio::time::sleep(short * 2).await;
    let Acquired::Lease(lease) = model.acquire(&id, second, LONG).await.unwrap() else {
        panic!("the lease has run out")
    };
    stalled.position = Position::new(9);
    assert!(!model.commit(transaction, &id, stalled, LONG).await.unwrap());
    assert!(!model.renew(&id, stalled, LONG).await.unwrap());
    assert_eq!((model.read(|value| *value), lease.position), (0, Position::START));
}

#[tokio::test]
async fn g8_a_failing_event_parks_its_stream_and_nothing_else() {
    let setting = Setting::new();
    let (running, refused) = setting.start();
    refused.store(13, Ordering::SeqCst);
    setting.add("a", &[1, 13, 2]).await;
    let last = setting.add("b", &[1, 2]).await;
    running.wait_for(last, LONG).await.unwrap();
    // What came before the failure is there, what comes after it in the stream waits, other streams go on.
    assert_eq!((setting.history("a"), setting.history("b")), ("1".into(), "1 2 named".into()));
    let parked = setting.model.parked("histories").await.unwrap();
    let [parked] = &parked[..] else { panic!("{parked:?}") };
    assert_eq!((&parked.stream, parked.version), (&stream("a"), Version::new(2)));
    assert_eq!((&*parked.event_type, parked.attempts), ("counter.added", 2));
    assert_eq!(parked.error, "13 can't be taken");
    let last = setting.add("a", &[3]).await;
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!((setting.history("a"), running.status().parked.len()), ("1".into(), 1));

    // It stays parked, at the same event, as long as that fails; and parked it is after a restart.
    let again = running.replay(stream("a")).await.unwrap_err();
    assert!(matches!(again, ParkedError::Failed { version, .. } if version == Version::new(2)));
    running.stop().await;
    let (running, _) = setting.start();
    running.replay(stream("a")).await.unwrap();
    assert_eq!(setting.history("a"), "1 13 2 named 3 named");
    assert_eq!(setting.model.parked("histories").await.unwrap(), []);
    let not_parked = running.replay(stream("a")).await.unwrap_err();
    assert!(matches!(not_parked, ParkedError::NotParked(_)), "{not_parked}");
    let last = setting.add("a", &[4]).await;
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "1 13 2 named 3 named 4 named");
}

#[tokio::test]
async fn g8_a_parked_event_may_be_discarded_and_long_queues_are_replayed_in_order() {
    let setting = Setting::new();
    let (running, refused) = setting.start();
    refused.store(0, Ordering::SeqCst);
    let many: Vec<i64> = (0..40).collect();
    let last = setting.add("a", &many).await;
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "");
    running.discard(stream("a")).await.unwrap();
    let rest: Vec<String> = many[1..].iter().map(ToString::to_string).collect();
    assert_eq!(setting.history("a"), format!("{} named", rest.join(" ")));
}

#[tokio::test]
async fn g8_too_many_parked_streams_stop_the_projection() {
    let setting = Setting::new();
    let (projection, refused) = History::new();
    refused.store(13, Ordering::SeqCst);
    let running =
        setting.projector().max_parked(2).attempts(1).start(projection, setting.model.clone());
    for counter in ["a", "b", "c"] {
        setting.add(counter, &[13]).await;
    }
    let stopped = running.stopped().await;
    assert!(matches!(stopped, Stopped::TooManyParked { parked: 3, .. }), "{stopped}");
}

#[tokio::test]
async fn what_passes_by_itself_is_not_parked() {
    let setting = Setting::new();
    let (projection, refused) = History::new();
    refused.store(13, Ordering::SeqCst);
    let running = setting.projector().attempts(100).start(projection, setting.model.clone());
    let last = setting.add("a", &[13, 1]).await;
    while running.status().phase != Phase::Retrying {
        tokio::task::yield_now().await;
    }
    let error = running.status().last_error.unwrap();
    assert!(error.contains("counter/a") && error.contains("version 1"), "{error}");
    refused.store(0, Ordering::SeqCst);
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!((setting.history("a"), running.status().parked.len()), ("13 1 named".into(), 0));
}

#[tokio::test]
async fn g8_an_outage_is_not_the_fault_of_an_event() {
    let setting = Setting::new();
    let (projection, refused) = History::new();
    refused.store(OUTAGE, Ordering::SeqCst);
    let running = setting.projector().attempts(1).start(projection, setting.model.clone());
    let last = setting.add("a", &[1]).await;
    while running.status().phase != Phase::Retrying {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(running.status().parked.is_empty());
    refused.store(0, Ordering::SeqCst);
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "1 named");
}

#[tokio::test]
async fn one_process_runs_a_projection_and_another_takes_over() {
    let setting = Setting::new();
    let (first, _) = setting.start();
    let last = setting.add("a", &[1]).await;
    first.wait_for(last, LONG).await.unwrap();
    let (second, _) = setting.start();
    while !matches!(second.status().phase, Phase::Standby { .. }) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.stop().await;
    let last = setting.add("a", &[2]).await;
    second.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "1 named 2 named");
}

#[tokio::test]
async fn a_changed_projection_is_refused_with_both_versions() {
    /// The same name with another version and fewer events.
    #[derive(Projection)]
    #[projection(name = "histories", version = 2, model = MemoryModel<Histories>, events(Renamed))]
    struct Names;

    impl Project<Renamed> for Names {
        async fn project(
            &self,
            _: Renamed,
            _: &RecordedEvent,
            _: &mut MemoryTransaction<Histories>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }

    let setting = Setting::new();
    let (running, _) = setting.start();
    let last = setting.add("a", &[1]).await;
    running.wait_for(last, LONG).await.unwrap();
    running.stop().await;
    let stopped = setting.projector().start(Names, setting.model.clone()).stopped().await;
    let text = stopped.to_string();
    assert!(matches!(stopped, Stopped::Changed { versions: (2, 1), .. }), "{text}");
    assert!(text.contains("`counter.added counter.measured counter.renamed`"), "{text}");
}

#[tokio::test]
async fn g11_an_event_of_a_newer_program_waits_for_that_program() {
    let setting = Setting::new();
    setting.add("a", &[1]).await;
    let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
    let payload = Payload::from_json(r#"{"name": "new", "style": "bold"}"#).unwrap();
    let newer = NewEvent::from_parts(EventId::random(), "counter.renamed", 2, payload, metadata);
    let append = Append::new(stream("a"), ExpectedVersion::Any, vec![newer.unwrap()]).unwrap();
    setting.store.append(&append).await.unwrap();
    let (running, _) = setting.start();
    while running.status().last_error.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let status = running.status();
    assert_eq!((status.phase, status.parked.len()), (Phase::Retrying, 0));
    let error = status.last_error.unwrap();
    assert!(error.contains("counter.renamed") && error.contains("newer program"), "{error}");
    // What came before is there, and nothing is skipped.
    assert_eq!((setting.history("a"), status.position), ("1 named".into(), Position::new(2)));
}

#[tokio::test]
async fn g8_a_stream_is_parked_at_the_event_that_fails_now() {
    let setting = Setting::new();
    let (running, refused) = setting.start();
    refused.store(1, Ordering::SeqCst);
    let last = setting.add("a", &[1, 2, 3, 4]).await;
    running.wait_for(last, LONG).await.unwrap();
    let place = async || {
        let parked = setting.model.parked("histories").await.unwrap();
        (parked[0].version.get(), parked[0].attempts, parked[0].error.clone())
    };
    assert_eq!(place().await, (1, 2, "1 can't be taken".into()));
    // The first is mended, the third fails: what is before it is taken.
    refused.store(3, Ordering::SeqCst);
    let failed = running.replay(stream("a")).await.unwrap_err();
    assert!(matches!(failed, ParkedError::Failed { version, .. } if version == Version::new(3)));
    assert_eq!(place().await, (3, 1, "3 can't be taken".into()));
    assert_eq!(setting.history("a"), "1 2");
    // Giving up the third leads on to the next that fails.
    refused.store(4, Ordering::SeqCst);
    let failed = running.discard(stream("a")).await.unwrap_err();
    assert!(matches!(failed, ParkedError::Failed { version, .. } if version == Version::new(4)));
    assert_eq!(place().await.0, 4);
    running.discard(stream("a")).await.unwrap();
    assert_eq!(setting.history("a"), "1 2 named");
}

#[tokio::test]
async fn a_process_that_stands_by_says_that_it_can_not_replay() {
    let setting = Setting::new();
    let (first, _) = setting.start();
    first.wait_for(setting.add("a", &[1]).await, LONG).await.unwrap();
    let (second, _) = setting.start();
    let answer = tokio::time::timeout(LONG, second.replay(stream("a"))).await.unwrap();
    assert!(matches!(answer, Err(ParkedError::NotRunning)), "{answer:?}");
}

#[derive(Debug, Clone, Query)]
#[query(output = String)]
struct Show(&'static str);

#[tokio::test]
async fn an_answer_after_a_command_shows_its_outcome() {
    let setting = Setting::new();
    let (running, refused) = setting.start();
    let model = setting.model.clone();
    let bus = Bus::builder(setting.store.clone())
        .aggregate::<Counter>()
        .view(running.progress())
        .query_handler(move |Show(counter)| {
            let history = model.read(|all| all.get(counter).cloned().unwrap_or_default().join(" "));
            async move { Ok(history) }
        })
        .build()
        .unwrap();
    for amount in 0..50 {
        let done = bus.send(add("a", amount)).await.unwrap();
        let shown = bus.ask(Show("a")).after(&done).patience(LONG).await.unwrap();
        assert!(shown.ends_with(&amount.to_string()), "{amount}: {shown}");
    }
    // A view that does not come so far in time says how far it is.
    refused.store(99, Ordering::SeqCst);
    let done = bus.send(add("a", 99)).await.unwrap();
    let late = bus.ask(Show("a")).after(&done).patience(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(QueryError::NotYet(_))), "{late:?}");
    // And so does one in which the stream of the command is parked, however long one waits.
    let parked = bus.ask(Show("a")).after(&done).patience(LONG).await.unwrap_err().to_string();
    assert!(parked.contains("`counter/a`, which is parked"), "{parked}");
    bus.ask(Show("b")).after(done.position).patience(LONG).await.unwrap();
}
