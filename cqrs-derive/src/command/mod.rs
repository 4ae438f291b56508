//! `#[derive(Command)]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Member, Path, Type};

use crate::errors::Errors;
use crate::subject::Subject;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut tokens = match parse::command(input, &mut errors) {
        Some(command) => expand::command(&command),
        None => TokenStream::new(),
    };
    tokens.extend(errors.into_tokens());
    tokens
}

/// A wish to change something. After mistakes it has defaults in the place of what is wrong.
struct Command {
    cqrs: Path,
    subject: Subject,
    name: String,
    route: Route,
}

enum Route {
    /// An aggregate decides on it.
    Aggregate { aggregate: Type, id: Id },
    /// A command handler carries it out.
    Handler { outcome: Type, error: Type },
}

/// What has the key of the aggregate's stream.
enum Id {
    Field(Member),
    /// Beside an error that says what is wrong.
    Unknown,
}
