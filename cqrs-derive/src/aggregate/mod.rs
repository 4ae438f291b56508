//! `#[derive(Aggregate)]`.

mod expand;
mod ignored;
mod parse;
mod shape;

use proc_macro2::TokenStream;
use syn::{DeriveInput, LitStr, Path, Type};

use crate::errors::Errors;
use crate::subject::Subject;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::aggregate(input, &mut errors) {
        // What is known to be wrong needs no check by the compiler.
        Some(aggregate) => expand::aggregate(&aggregate, errors.is_empty()),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// State that decides on commands. After mistakes it has defaults in the place of what is wrong.
struct Aggregate {
    cqrs: Path,
    serde: Path,
    subject: Subject,
    category: String,
    /// The listed event types, each once.
    events: Vec<Type>,
    error: Type,
    snapshots: Option<Snapshots>,
    /// How many are kept in memory.
    cache: Option<u64>,
    /// Stored names that mean nothing any more, each once.
    ignored: Vec<LitStr>,
}

struct Snapshots {
    policy: Policy,
    /// The shape of the state as text: another text, other snapshots.
    shape: String,
}

enum Policy {
    Default,
    EveryEvents(u64),
    ReplayLongerThanMillis(u64),
}
