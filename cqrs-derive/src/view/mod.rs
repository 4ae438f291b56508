//! `#[derive(View)]`.

mod cell;
mod column;
mod expand;
mod keys;
mod parse;

use proc_macro2::{Ident, Span, TokenStream};
use syn::{DeriveInput, Path, Type};

use crate::errors::Errors;
use crate::subject::Subject;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::view(input, &mut errors) {
        // What is known to be wrong needs no check by the compiler.
        Some(view) => expand::view(&view, errors.is_empty()),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// A row of a read model. After mistakes it has defaults in the place of what is wrong.
struct View {
    cqrs: Path,
    serde: Path,
    subject: Subject,
    name: String,
    version: u32,
    table: String,
    /// The listed event types, each once.
    events: Vec<Type>,
    columns: Vec<Column>,
    /// Where the key was given.
    key_span: Span,
    /// The numbers of the columns that tell rows apart.
    key: Vec<usize>,
    /// The numbers of the columns of each index.
    indexes: Vec<Vec<usize>>,
    /// Whether one more column, [`DOCUMENT`], holds the whole row.
    document: bool,
}

/// A field with a column of its own.
struct Column {
    field: Ident,
    type_: Type,
    name: String,
    /// Stored as a JSON document, whatever its type.
    json: bool,
}

/// The column that holds a whole row.
const DOCUMENT: &str = "document";
