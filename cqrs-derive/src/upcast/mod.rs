//! `#[derive(Upcast)]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Path, Type};

use crate::errors::Errors;
use crate::subject::Subject;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::upcast(input, &mut errors) {
        Some(upcast) if errors.is_empty() => expand::upcast(&upcast),
        Some(upcast) => expand::stub(&upcast),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// The shape of an earlier version.
struct Upcast {
    cqrs: Path,
    serde: Path,
    subject: Subject,
    /// What `From` or `TryFrom` makes of it.
    into: Type,
    /// The shape of the next version: the same, or what stands in the `Option` or the `Vec`.
    next: Type,
    may_fail: bool,
}
