//! At which version events are written, and which are not written at all.

use cqrs::{
    Aggregate, Apply, Command, Decision, Draft, EncodeError, Event, EventId, Handle, NewEvent,
    Upcast, UpcastError, emit,
};
use serde::{Deserialize, Serialize};

use crate::{decode, metadata, record};

/// Programs that know up to version 1 still run.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(
    name = "noted",
    version = 3,
    upcast(1 => text_of_note, 2 => with_author),
    write_version = 1,
    downcast(2 => note_of_text, 3 => Self::without_author)
)]
struct Noted {
    text: String,
    author: String,
}

impl Noted {
    fn without_author(draft: &mut Draft) -> Result<(), UpcastError> {
        let author: String = draft.get("author")?;
        if author.is_empty() {
            return Err(UpcastError::other("nobody wrote it"));
        }
        draft.remove("author")?;
        draft.map("text", |text: String| format!("{text} ({author})"))
    }
}

fn text_of_note(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("note", "text")
}

fn note_of_text(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("text", "note")
}

fn with_author(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.set("author", "unknown")
}

#[test]
fn an_event_is_written_at_an_earlier_version() {
    let event = Noted { text: "a".into(), author: "b".into() };
    assert_eq!((event.event_type().schema_version, event.event_type().write_version), (3, 1));
    let recorded = record(&event);
    assert_eq!(recorded.schema_version, 1);
    assert_eq!(recorded.payload.as_str(), r#"{"note":"a (b)"}"#);
    // What is written is what an older program would have written.
    let read = Noted::decode(&recorded).unwrap();
    assert_eq!(read.as_slice(), [Noted { text: "a (b)".into(), author: "unknown".into() }]);
}

#[test]
fn a_step_back_that_fails_is_an_error() {
    let event = Noted { text: "a".into(), author: String::new() };
    let error = event.encode().unwrap_err();
    assert!(matches!(error, EncodeError::Downcast(_)));
    assert!(error.to_string().contains("nobody wrote it"), "{error}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "shop")]
enum ShopEvent {
    Opened(u8),
    #[event(version = 2, upcast(1 => type Bare), write_version = 1, downcast(2 => bare))]
    Sold {
        item: String,
    },
    #[event(retired)]
    Audited {
        by: String,
    },
    #[event(retired, version = 2, upcast(1 => type Old))]
    Burnt,
    Closed,
}

#[derive(Deserialize, Upcast)]
#[upcast(into = ShopEvent)]
struct Bare(String);

impl From<Bare> for ShopEvent {
    fn from(old: Bare) -> Self {
        Self::Sold { item: old.0 }
    }
}

fn bare(draft: &mut Draft) -> Result<(), UpcastError> {
    let item: String = draft.get("item")?;
    draft.write(&item)
}

#[derive(Deserialize, Upcast)]
#[upcast(into = ShopEvent)]
struct Old {}

impl From<Old> for ShopEvent {
    fn from(Old {}: Old) -> Self {
        Self::Burnt
    }
}

#[test]
fn each_variant_is_written_in_its_own_way() {
    let opened = record(&ShopEvent::Opened(1));
    assert_eq!((opened.schema_version, opened.payload.as_str()), (1, "1"));
    let sold = record(&ShopEvent::Sold { item: "a".into() });
    assert_eq!((sold.schema_version, sold.payload.as_str()), (1, r#""a""#));
    let closed = record(&ShopEvent::Closed);
    assert_eq!((closed.schema_version, closed.payload.as_str()), (1, "{}"));
}

#[test]
fn what_is_retired_is_read_and_not_written() {
    let audited = || ShopEvent::Audited { by: "a".into() };
    assert_eq!(decode::<ShopEvent>("shop.audited", 1, r#"{"by":"a"}"#).unwrap(), audited());
    assert_eq!(decode::<ShopEvent>("shop.burnt", 1, "{}").unwrap(), ShopEvent::Burnt);
    for event in [audited(), ShopEvent::Burnt] {
        let name = event.event_type().name;
        let refused = NewEvent::of(&event, EventId::random(), metadata()).unwrap_err();
        assert!(matches!(refused, EncodeError::Retired { event_type } if event_type == name));
    }
}

// It is never written, so it has no `Serialize`.
#[derive(Debug, PartialEq, Deserialize, Event)]
#[event(name = "weighed", retired)]
struct Weighed<T> {
    grams: T,
}

#[derive(Debug, PartialEq, Event)]
#[event(name = "sealed", retired)]
struct Sealed;

#[derive(Debug, Default, Aggregate)]
#[aggregate(events(Weighed<u32>, Sealed, ShopEvent))]
struct Parcel {
    grams: u32,
}

impl Apply<Weighed<u32>> for Parcel {
    fn apply(&mut self, event: Weighed<u32>) {
        self.grams = event.grams;
    }
}

impl Apply<Sealed> for Parcel {
    fn apply(&mut self, _: Sealed) {}
}

impl Apply<ShopEvent> for Parcel {
    fn apply(&mut self, _: ShopEvent) {}
}

#[derive(Clone, Command)]
#[command(aggregate = Parcel, id = 0)]
struct Send(u32);

impl Handle<Send> for Parcel {
    fn handle(&self, _: Send) -> Decision<Self> {
        emit((ShopEvent::Closed, Some(ShopEvent::Burnt)))
    }
}

#[test]
fn a_retired_struct_is_still_applied() {
    type Events = <Parcel as Aggregate>::Event;
    let mut parcel = Parcel::default();
    parcel.dispatch(decode::<Events>("weighed", 1, r#"{"grams":7}"#).unwrap());
    parcel.dispatch(decode::<Events>("sealed", 1, "{}").unwrap());
    assert_eq!(parcel.grams, 7);
    let weighed: Events = Weighed { grams: 7 }.into();
    assert!(matches!(weighed.encode(), Err(EncodeError::Retired { event_type: "weighed" })));
    assert!(matches!(Sealed.encode(), Err(EncodeError::Retired { event_type: "sealed" })));
    // A variant that is retired is only found out where it is written.
    let decided = parcel.handle(Send(1)).unwrap();
    assert!(decided.as_slice()[0].encode().is_ok() && decided.as_slice()[1].encode().is_err());
}
