//! Events as earlier programs have stored them, and what this program makes of them.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use cqrs_core::{
    DecodeError, Event, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent, StreamId,
    Version,
};
use serde_json::Value;

use crate::given::report::{difference, indented};

/// An event as it is stored: under this name, at this version of its schema. It is the first of its stream, unless
/// something else is said.
///
/// ```
/// # mod domain {
/// #     use cqrs_core::{*, __private as codec};
/// #     #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// #     pub struct Deposited { pub cents: u64 }
/// #     impl Event for Deposited {
/// #         const TYPES: &'static [EventType] = &[EventType::new("account.deposited", 1)];
/// #         fn event_type(&self) -> EventType { Self::TYPES[0] }
/// #         fn encode(&self) -> Result<Payload, EncodeError> { codec::encode_struct(self) }
/// #         fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> { codec::decode_struct(event, &[]) }
/// #     }
/// # }
/// # use domain::Deposited;
/// use cqrs_testkit::stored;
/// use serde_json::json;
///
/// stored("account.deposited", 1, json!({ "cents": 500 })).becomes([Deposited { cents: 500 }]);
/// assert!(stored("account.deposited", 2, json!({})).fails::<Deposited>().is_newer());
/// ```
///
/// # Panics
/// When no store could have it: a name that is empty, or the version 0.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "a `json!` reads better without a reference")]
pub fn stored(event_type: &str, schema_version: u32, payload: Value) -> Stored {
    let id = EventId::random();
    let metadata = Metadata::of(id.as_uuid());
    let payload = match Payload::of(&payload) {
        Ok(payload) => payload,
        Err(error) => panic!("no store has this payload: {error}"),
    };
    let event_type = event_type.to_owned();
    let event =
        match NewEvent::from_parts(id, event_type, schema_version, payload, Arc::new(metadata)) {
            Ok(event) => event,
            Err(error) => panic!("no store has this event: {error}"),
        };
    let stream = match StreamId::new("stored", "1") {
        Ok(stream) => stream,
        Err(error) => panic!("{error}"),
    };
    Stored(RecordedEvent::new(
        event,
        stream,
        Version::FIRST,
        Position::new(1),
        SystemTime::UNIX_EPOCH,
    ))
}

/// An event as it is stored, made by [`stored`].
#[derive(Debug, Clone)]
#[must_use = "nothing is tested yet: go on with `.becomes(…)`"]
pub struct Stored(RecordedEvent);

impl Stored {
    /// Stored at this place.
    pub fn at(mut self, stream: StreamId, version: Version) -> Self {
        (self.0.stream, self.0.version) = (stream, version);
        self
    }

    /// Stored at this time.
    pub fn recorded_at(mut self, time: SystemTime) -> Self {
        self.0.recorded_at = time;
        self
    }

    /// Stored with this metadata.
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata.into();
        self
    }

    /// To a program that knows `E`, it is these events.
    ///
    /// # Panics
    /// When it is others, or can't be read.
    #[track_caller]
    pub fn becomes<E: Event + PartialEq + Debug>(&self, expected: impl IntoIterator<Item = E>) {
        let shown = self.shown();
        let found: Vec<E> = match E::decode(&self.0) {
            Ok(events) => events.into_iter().collect(),
            Err(error) => panic!("{error}\n\n{shown}\n"),
        };
        let expected: Vec<E> = expected.into_iter().collect();
        if found != expected {
            let texts = |events: &[E]| -> Vec<String> {
                events.iter().map(|event| format!("{event:#?}")).collect()
            };
            let difference = indented(&difference(&texts(&expected), &texts(&found)));
            panic!(
                "a stored event becomes something else than expected\n\nstored\n{shown}\n\nevents (- expected, + found)\n\
                 {difference}\n"
            );
        }
    }

    /// A program that knows `E` can't read it, for this reason.
    ///
    /// # Panics
    /// When it can.
    #[track_caller]
    pub fn fails<E: Event>(&self) -> DecodeError {
        match E::decode(&self.0) {
            Ok(events) => {
                let events = events.as_slice().len();
                panic!("it can be read: it becomes {events} event(s)\n\n{}\n", self.shown())
            }
            Err(error) => error,
        }
    }

    fn shown(&self) -> String {
        let RecordedEvent { event_type, schema_version, payload, .. } = &self.0;
        indented(&format!("{event_type} v{schema_version} {payload}"))
    }
}
