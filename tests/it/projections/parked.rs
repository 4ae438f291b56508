//! Failures are loud and narrow (G8), and unknown data is never guessed (G11).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cqrs::{
    Append, EventId, EventStore as _, ExpectedVersion, Maintain as _, Metadata, NewEvent,
    ParkedError, Payload, Phase, Position, Stopped, Version, slot_of,
};

use super::renamed::until;
use super::{History, LONG, OUTAGE, Setting, stream};

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
    let parked = setting.model.parked("histories", 1).await.unwrap();
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
    assert_eq!(setting.model.parked("histories", 1).await.unwrap(), []);
    let not_parked = running.replay(stream("a")).await.unwrap_err();
    assert!(matches!(not_parked, ParkedError::NotParked { .. }), "{not_parked}");
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
    let projector = setting.projector().max_parked(2).attempts(1).slots(2).workers(2);
    let running = projector.start(projection, setting.model.clone());
    let states = async || setting.model.projections(Some("histories")).await.unwrap();
    until(async || states().await.iter().any(|state| state.members.len() == 2)).await;
    let counters = (0..).map(|number| format!("c{number}"));
    for counter in counters.filter(|counter| slot_of(&stream(counter), 2) == 0).take(3) {
        setting.add(&counter, &[13]).await;
    }
    // What stops one worker stops all, and is told.
    until(async || running.status().phase == Phase::Stopped).await;
    let told = running.status().last_error.unwrap();
    assert!(told.contains("3 parked streams"), "{told}");
    let stopped = running.stopped().await;
    assert!(matches!(stopped, Stopped::TooManyParked { parked: 3, .. }), "{stopped}");
    // Where nobody runs it any more, others see why.
    assert_eq!(states().await[0].slots[0].error.as_deref(), Some(&*told));
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
    // It stands aside again and again, and has no slots for a moment then.
    let with_slots = async {
        loop {
            let status = running.status();
            if !status.slots.is_empty() {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let status = tokio::time::timeout(LONG, with_slots).await.unwrap();
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
        let parked = setting.model.parked("histories", 1).await.unwrap();
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
