//! `#[derive(Command)]`.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Ident, Member, Path, Type};

use crate::describe::Described;
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
    /// The variants of an enum.
    variants: Vec<Variant>,
    /// Of a struct, whether its aggregate most likely is new.
    is_likely_new: bool,
    route: Route,
    /// The struct, or each variant of the enum.
    described: Vec<Described>,
}

struct Variant {
    ident: Ident,
    /// The whole name, with that of the command.
    name: String,
    is_likely_new: bool,
}

enum Route {
    /// An aggregate decides on it. Without `id` there is an error that says why.
    Aggregate { aggregate: Type, id: Option<Id> },
    /// A command handler carries it out.
    Handler { outcome: Type, error: Type },
}

/// The field that has the key of the aggregate's stream: of the struct, or of every variant of the enum.
struct Id {
    field: Member,
    type_: Type,
}
