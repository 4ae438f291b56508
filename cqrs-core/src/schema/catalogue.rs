//! All that a program stores and reads.

use std::any::type_name;

use super::check::clashes;
use super::describe::{Describe, Field};
use super::outline::{Types, form, names, outlines};
use super::shape::{Form, Shape, TypeShape};
use crate::aggregate::Aggregate;
use crate::command::{AggregateCommand, Command};
use crate::event::{DecodeError, EncodeError, Event, EventId, EventType, NewEvent, RecordedEvent};

/// All that a program stores and reads: its event types, with their versions and shapes, and its commands.
///
/// It is put together by hand, in one place, so that tests and tools see what the program sees:
///
/// ```
/// # use cqrs_core as cqrs;
/// use cqrs::Catalogue;
/// # mod domain {
/// #     use cqrs_core::{*, __private as codec};
/// #     #[derive(serde::Serialize, serde::Deserialize)]
/// #     pub struct Opened { pub owner: String }
/// #     impl Event for Opened {
/// #         const TYPES: &'static [EventType] = &[EventType::new("account.opened", 1)];
/// #         fn event_type(&self) -> EventType { Self::TYPES[0] }
/// #         fn encode(&self) -> Result<Payload, EncodeError> { codec::encode_struct(self) }
/// #         fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
/// #             codec::decode_struct(event, &[])
/// #         }
/// #     }
/// #     #[derive(Default)]
/// #     pub struct Account;
/// #     impl Aggregate for Account {
/// #         const CATEGORY: &'static str = "account";
/// #         type Event = Opened;
/// #         type Error = std::convert::Infallible;
/// #         fn dispatch(&mut self, _: Opened) {}
/// #     }
/// # }
/// # use domain::Account;
///
/// fn catalogue() -> Catalogue {
///     Catalogue::new().aggregate::<Account>()
/// }
///
/// assert!(catalogue().check().is_ok());
/// assert!(catalogue().to_string().contains("account.opened"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    pub(super) events: Vec<EventSchema>,
    pub(super) commands: Vec<CommandSchema>,
    pub(super) ignored: Vec<Ignored>,
    readers: Vec<EventReader>,
    /// Descriptions of the same event type that differ.
    pub(super) differing: Vec<(EventSchema, EventSchema)>,
}

/// An event type, as this program knows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventSchema {
    /// Its names, versions and steps.
    pub event_type: EventType,
    /// The Rust type it was registered with.
    pub rust_type: &'static str,
    /// The categories of the aggregates that have it.
    pub categories: Vec<&'static str>,
    /// Its content.
    pub content: ContentSchema,
}

/// A command, or a variant of a command that is an enum.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CommandSchema {
    /// Its name.
    pub name: &'static str,
    /// The category of the aggregate that decides on it; `None` for one that a handler carries out.
    pub category: Option<&'static str>,
    /// Its content: that of each variant, for an enum.
    pub contents: Vec<ContentSchema>,
}

/// The content of an event type or of a command, as it is declared and as it is stored.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ContentSchema {
    /// Whether anything is known of it: what is derived tells its fields.
    pub is_described: bool,
    /// The name of the struct or the variant.
    pub name: &'static str,
    /// The doc comment.
    pub docs: &'static str,
    /// The serde attributes of the type, and of the variant.
    pub attributes: &'static str,
    /// The fields, in order of declaration.
    pub fields: Vec<FieldSchema>,
    /// The structs and enums in the fields.
    pub types: Vec<TypeShape>,
}

/// A field, as it is declared and as it is stored.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FieldSchema {
    /// Its name in Rust, or its number.
    pub name: &'static str,
    /// Its type, as it is written.
    pub type_text: &'static str,
    /// Its serde attributes.
    pub attributes: &'static str,
    /// Its doc comment.
    pub docs: &'static str,
    /// The form of its type; [`Form::Type`] counts the types of the content.
    pub form: Form,
}

/// Reads the events of a Rust type.
#[derive(Debug, Clone, Copy)]
pub struct EventReader {
    rust_type: &'static str,
    types: &'static [EventType],
    decode: fn(&RecordedEvent) -> Result<usize, DecodeError>,
    rewrite: fn(&RecordedEvent) -> Result<Vec<NewEvent>, RewriteError>,
}

/// Names of event types that an aggregate passes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ignored {
    pub(super) category: &'static str,
    pub(super) names: &'static [&'static str],
}

/// A stored event that can't be read, or can't be written again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// It can't be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What it becomes can't be written.
    #[error("what it becomes can't be written: {0}")]
    Encode(#[from] EncodeError),
}

impl Catalogue {
    /// A catalogue of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With an aggregate: all its event types, and the names it passes over.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        self.ignored.push(Ignored { category: A::CATEGORY, names: A::IGNORED });
        self.add::<A::Event>(Some(A::CATEGORY));
        self
    }

    /// With event types outside of aggregates.
    #[must_use]
    pub fn events<E: Event>(mut self) -> Self {
        self.add::<E>(None);
        self
    }

    /// With a command that an aggregate decides on.
    #[must_use]
    pub fn command<C: AggregateCommand>(self) -> Self {
        self.with_command::<C>(Some(C::Aggregate::CATEGORY))
    }

    /// With a command that a handler carries out.
    #[must_use]
    pub fn handled_command<C: Command>(self) -> Self {
        self.with_command::<C>(None)
    }

    /// The event types, by name.
    pub fn event_types(&self) -> impl Iterator<Item = &EventSchema> {
        self.events.iter()
    }

    /// The commands, by name.
    pub fn commands(&self) -> impl Iterator<Item = &CommandSchema> {
        self.commands.iter()
    }

    /// The names that are passed over, each with the category of the aggregate that does.
    pub fn ignored(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.ignored
            .iter()
            .flat_map(|ignored| ignored.names.iter().map(|name| (ignored.category, *name)))
    }

    /// What reads events that are stored under this name: nothing, or one reader, or several if the event was split among
    /// types that are registered apart.
    pub fn readers_of(&self, name: &str) -> impl Iterator<Item = &EventReader> {
        self.readers.iter().filter(move |reader| reader.knows(name))
    }

    /// Whether no stored name means two things.
    ///
    /// # Errors
    /// All the names that do, and what they mean.
    pub fn check(&self) -> Result<(), Clashes> {
        match clashes(self) {
            clashes if clashes.is_empty() => Ok(()),
            clashes => Err(Clashes(clashes)),
        }
    }

    fn add<E: Event>(&mut self, category: Option<&'static str>) {
        let rust_type = type_name::<E>();
        let mut contents = Contents(Vec::new());
        E::describe(&mut contents);
        let mut contents = contents.0.into_iter();
        for event_type in E::TYPES {
            self.insert(EventSchema {
                event_type: *event_type,
                rust_type,
                categories: category.into_iter().collect(),
                content: contents.next().unwrap_or_default(),
            });
        }
        if self.readers.iter().all(|reader| reader.rust_type != rust_type) {
            self.readers.push(EventReader::of::<E>());
        }
    }

    fn insert(&mut self, event: EventSchema) {
        let is_same = |known: &EventSchema| known.event_type == event.event_type;
        if let Some(known) = self.events.iter_mut().find(|known| is_same(known)) {
            for category in &event.categories {
                if !known.categories.contains(category) {
                    known.categories.push(category);
                }
            }
            if known.content != event.content {
                self.differing.push((known.clone(), event));
            }
            return;
        }
        let key = |event: &EventSchema| (event.event_type.name, event.event_type.schema_version);
        let at = self.events.partition_point(|known| key(known) <= key(&event));
        self.events.insert(at, event);
    }

    fn with_command<C: Command>(mut self, category: Option<&'static str>) -> Self {
        let mut contents = Contents(Vec::new());
        C::describe(&mut contents);
        let command = CommandSchema { name: C::NAME, category, contents: contents.0 };
        if !self.commands.contains(&command) {
            let at = self.commands.partition_point(|known| known.name <= command.name);
            self.commands.insert(at, command);
        }
        self
    }
}

impl ContentSchema {
    /// The stored forms of the fields as text, in order of declaration; with them goes [`type_outlines`](Self::type_outlines).
    pub fn form_of(&self, field: &FieldSchema) -> String {
        form(&field.form, &names(&self.types))
    }

    /// The structs and enums in the fields as text, each with its fields or variants, in order of their names.
    pub fn type_outlines(&self) -> Vec<String> {
        outlines(&self.types)
    }
}

impl EventReader {
    fn of<E: Event>() -> Self {
        Self {
            rust_type: type_name::<E>(),
            types: E::TYPES,
            decode: |event| Ok(E::decode(event)?.as_slice().len()),
            rewrite: |event| {
                let events = E::decode(event)?.into_iter();
                let rewrite =
                    |new| Ok(NewEvent::of(&new, EventId::random(), event.metadata.clone())?);
                events.map(rewrite).collect()
            },
        }
    }

    /// The Rust type.
    pub fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// Whether events that are stored under this name become events of the type.
    pub fn knows(&self, name: &str) -> bool {
        self.types.iter().any(|known| known.is_read_from(name))
    }

    /// Reads a stored event; returns how many events it becomes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn decode(&self, event: &RecordedEvent) -> Result<usize, DecodeError> {
        (self.decode)(event)
    }

    /// Reads a stored event and returns what this program would store instead of it.
    ///
    /// # Errors
    /// When it can't be read, or what it becomes is not written, such as what is retired.
    pub fn rewrite(&self, event: &RecordedEvent) -> Result<Vec<NewEvent>, RewriteError> {
        (self.rewrite)(event)
    }
}

/// Takes down what is described.
struct Contents(Vec<ContentSchema>);

impl Describe for Contents {
    fn kind(&mut self, name: &'static str, docs: &'static str, attributes: &'static str) {
        let content =
            ContentSchema { is_described: true, name, docs, attributes, ..Default::default() };
        self.0.push(content);
    }

    fn field(&mut self, field: Field, shape: impl FnOnce() -> Shape) {
        let Some(content) = self.0.last_mut() else { return };
        let mut types = Types(std::mem::take(&mut content.types));
        let form = types.add(shape());
        content.types = types.0;
        content.fields.push(FieldSchema {
            name: field.name,
            type_text: field.type_,
            attributes: field.attributes,
            docs: field.docs,
            form,
        });
    }
}

/// Stored names that mean two things. `Display` lists all of them, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored names mean two things:\n  {}", .0.join("\n  "))]
pub struct Clashes(Vec<String>);

impl Clashes {
    /// What is wrong, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
