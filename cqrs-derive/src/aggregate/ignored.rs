//! The list of `ignore(…)`: stored names of event types that mean nothing to the aggregate any more.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{LitStr, Path, Token};

use crate::attr::Key;
use crate::errors::Errors;
use crate::names::{self, MAX_EVENT_TYPE_BYTES};
use crate::subject::located;

/// The names, each once, without those that are wrong.
pub(super) fn read(key: &Key, list: TokenStream, errors: &mut Errors) -> Vec<LitStr> {
    let mend = format!("write the whole stored names, as in `{}`", key.example);
    if list.is_empty() {
        errors.at(&key.ident, format_args!("`ignore` is empty: {mend}, or remove it"));
    }
    let names = match Punctuated::<LitStr, Token![,]>::parse_terminated.parse2(list) {
        Ok(names) => names,
        Err(error) => {
            let message =
                format!("`ignore` takes texts in quotes with commas between them: {mend}");
            errors.push(syn::Error::new(error.span(), message));
            return Vec::new();
        }
    };
    let mut all: Vec<LitStr> = Vec::new();
    for name in names {
        let text = name.value();
        if let Some(problem) = names::problem(&text, MAX_EVENT_TYPE_BYTES) {
            errors.at(
                name,
                format_args!(
                    "{text:?} can't be the stored name of an event type: {problem}; {mend}"
                ),
            );
        } else if all.iter().any(|before| before.value() == text) {
            errors.at(name, format_args!("{text:?} is ignored twice: remove it here"));
        } else {
            all.push(name);
        }
    }
    all
}

/// Refuses names of events that the aggregate knows. They are not ignored, whatever the list says.
pub(super) fn checks(cqrs: &Path, ignored: &[LitStr], event: &TokenStream) -> TokenStream {
    let checks = ignored.iter().map(|name| {
        let at = located(name.span());
        let message = format!(
            "events stored as {:?} are read by the types in `events(…)`, so they can't be ignored: remove the name from \
             `ignore(…)`, or the event type, alias or `from` with that name from its events",
            name.value(),
        );
        let message = message.replace('{', "{{").replace('}', "}}");
        quote_spanned! {at=>
            if #cqrs::__private::is_read(<#event as #cqrs::Event>::TYPES, #name) {
                ::core::panic!(#message);
            }
        }
    });
    quote!(#(#checks)*)
}
