//! `#[derive(Projection)]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Expr, Path, Type};

use crate::errors::Errors;
use crate::subject::Subject;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::projection(input, &mut errors) {
        Some(projection) => expand::projection(&projection),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// What keeps a read model up to date. After mistakes it has defaults in the place of what is wrong.
struct Projection {
    cqrs: Path,
    subject: Subject,
    name: String,
    version: u32,
    /// The listed event types, each once.
    events: Vec<Type>,
    model: Type,
    /// The SQL that makes its tables.
    tables: Option<Expr>,
}
