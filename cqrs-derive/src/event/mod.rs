//! `#[derive(Event)]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Ident, Path};

use crate::errors::Errors;
use crate::subject::Subject;

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
    version: u32,
}
