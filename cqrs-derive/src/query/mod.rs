//! `#[derive(Query)]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Path, Type};

use crate::errors::Errors;
use crate::subject::Subject;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::query(input, &mut errors) {
        Some(query) => expand::query(&query),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// A question. After mistakes it has defaults in the place of what is wrong.
struct Query {
    cqrs: Path,
    subject: Subject,
    name: String,
    output: Type,
    error: Type,
}
