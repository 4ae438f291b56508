//! Reads the list of `events(…)`, and checks it.

use proc_macro2::TokenStream;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Token, Type};

use crate::attr::Slot;
use crate::bare;
use crate::errors::Errors;
use crate::subject::Subject;
use crate::text::text;

const MEND: &str = "list the types of its events, as in `events(AccountEvent)`";

/// What is asked when there is no list.
pub(crate) struct Question {
    /// The attribute in which it should be.
    pub(crate) attribute: &'static str,
    pub(crate) text: &'static str,
}

/// The listed types, each once, without those that are wrong.
pub(crate) fn listed(
    given: &Slot<TokenStream>,
    question: &Question,
    subject: &Subject,
    errors: &mut Errors,
) -> Vec<Type> {
    let (Some(key), Some(list)) = (given.key(), given.get()) else {
        // An `events` that could not be read has its error already.
        if errors.is_empty() {
            let Question { attribute, text } = question;
            errors.at(&subject.ident, format_args!("{text} {MEND} in `#[{attribute}(…)]`"));
        }
        return Vec::new();
    };
    if list.is_empty() {
        errors.at(key, format_args!("`events` is empty: {MEND}"));
    }
    let parser = Punctuated::<Type, Token![,]>::parse_terminated;
    let Ok(types) = parser.parse2(list.clone()) else {
        errors.at(
            list,
            format_args!("`events` takes the names of types with commas between them: {MEND}"),
        );
        return Vec::new();
    };
    let mut listed: Vec<(String, Type)> = Vec::new();
    for event in types {
        let event = bare::type_(&event).clone();
        let text = text(&event);
        if !matches!(event, Type::Path(_)) {
            errors.at(&event, format_args!("this can't be an event: {MEND}"));
        } else if text.split(' ').any(|token| token == "Self") {
            errors.at(
                &event,
                format_args!(
                    "`Self` has another meaning in each impl: write the type's name, `{}`",
                    subject.name
                ),
            );
        } else if listed.iter().any(|(before, _)| *before == text) {
            errors.at(&event, "this type is listed twice: remove it here");
        } else {
            listed.push((text, event));
        }
    }
    listed.into_iter().map(|(_, event)| event).collect()
}
