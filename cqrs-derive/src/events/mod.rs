//! The types that `events(…)` lists, and the one type of all their events.

mod listed;
mod union;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Path, Type};

pub(crate) use self::listed::{Question, listed};
use self::union::Union;
use crate::subject::{Subject, associated};

/// The type of all events: the one that is listed, or one that is generated over several.
pub(crate) struct AllEvents<'a> {
    cqrs: &'a Path,
    subject: &'a Subject,
    types: &'a [Type],
    form: Form<'a>,
}

enum Form<'a> {
    One(&'a Type),
    Several(Union<'a>),
}

impl<'a> AllEvents<'a> {
    pub(crate) fn of(cqrs: &'a Path, subject: &'a Subject, types: &'a [Type]) -> Self {
        let form = match types {
            [one] => Form::One(one),
            _ => Form::Several(Union::of(cqrs, subject, types)),
        };
        Self { cqrs, subject, types, form }
    }

    /// The type.
    pub(crate) fn type_(&self) -> TokenStream {
        match &self.form {
            Form::One(event) => event.to_token_stream(),
            Form::Several(union) => union.type_(),
        }
    }

    /// `type Event = …;`.
    pub(crate) fn associated(&self) -> TokenStream {
        match &self.form {
            Form::One(event) => associated("Event", event),
            Form::Several(union) => {
                let type_ = union.type_();
                quote!(type Event = #type_;)
            }
        }
    }

    /// What the listed types with parameters must be.
    pub(crate) fn bounds(&self) -> Vec<TokenStream> {
        bounds(self.cqrs, self.subject, self.types)
    }

    /// An expression that takes the event `__event` of this type to `body`, which gets it as `__event` of the listed
    /// type.
    pub(crate) fn each(&self, body: impl Fn(&Type) -> TokenStream) -> TokenStream {
        match &self.form {
            Form::One(event) => body(event),
            Form::Several(union) => {
                let arms = union.arms(&quote!(__event), body);
                quote!(match __event.0 { #arms })
            }
        }
    }

    /// The same with references: `__event` is one to an event of this type, and to one of the listed type in `body`.
    pub(crate) fn each_ref(&self, body: impl Fn(&Type) -> TokenStream) -> TokenStream {
        match &self.form {
            Form::One(event) => body(event),
            Form::Several(union) => {
                let arms = union.arms(&quote!(ref __event), body);
                quote!(match __event.0 { #arms })
            }
        }
    }

    /// The item, which may use the type, and the type if it has to be generated.
    pub(crate) fn beside(&self, item: &TokenStream) -> TokenStream {
        match &self.form {
            Form::One(_) => item.clone(),
            Form::Several(union) => union.beside(item),
        }
    }
}

fn bounds(cqrs: &Path, subject: &Subject, types: &[Type]) -> Vec<TokenStream> {
    let generic = types.iter().filter(|event| subject.is_mentioned(event));
    generic.map(|event| quote!(#event: #cqrs::Event)).collect()
}
