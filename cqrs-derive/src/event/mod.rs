//! `#[derive(Event)]`.

mod expand;
mod history;
mod links;
mod options;
mod parse;
mod steps;
mod stored_names;

use std::fmt;

use proc_macro2::{Span, TokenStream};
use syn::{DeriveInput, ExprPath, Ident, Path, Type};

use crate::describe::Described;
use crate::errors::Errors;
use crate::subject::Subject;
use crate::text::shown;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::event(input, &mut errors) {
        Some(event) if errors.is_empty() => expand::event(&event),
        Some(event) => expand::stub(&event),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// A Rust type whose values are events.
struct Event {
    cqrs: Path,
    serde: Path,
    subject: Subject,
    shape: Shape,
    /// One of each event type, in their order.
    described: Vec<Described>,
}

enum Shape {
    /// One event type without content.
    Empty(EventType),
    /// One event type.
    Struct(EventType),
    /// An event type a variant, in order of declaration.
    Enum(Vec<(Ident, EventType)>),
}

struct EventType {
    /// The whole name, as it is stored.
    name: String,
    aliases: Vec<String>,
    history: History,
}

/// How other versions and other stored events become an event type, and at which version it is written.
struct History {
    version: u32,
    /// From version 1 on, up to the version before [`version`](Self::version).
    steps: Vec<Step>,
    sources: Vec<Source>,
    written: Written,
}

#[derive(Clone)]
enum Step {
    Function(ExprPath),
    /// The shape before the step.
    Type(Type),
}

/// As it stands in the list of steps.
impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(path) => formatter.write_str(&shown(path)),
            Self::Type(type_) => write!(formatter, "type {}", shown(type_)),
        }
    }
}

/// Stored events of another name that become events of the type.
struct Source {
    name: String,
    /// From its version 1 on; the last leads to version `into` of the event type.
    steps: Vec<Step>,
    into: u32,
}

enum Written {
    AsItIs,
    /// At an earlier version, to which these steps lead back, the latest first.
    Earlier(u32, Vec<ExprPath>),
    /// Retired, as is said here.
    Never(Span),
}
