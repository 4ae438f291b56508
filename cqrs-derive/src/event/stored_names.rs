//! Checks the names under which event types are, were or come from what is stored: each names one thing.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{Ident, LitStr};

use crate::errors::Errors;
use crate::names::{self, MAX_EVENT_TYPE_BYTES};

/// The names of an event type, as they are written.
pub(super) struct StoredNames<'a> {
    /// The type or the variant.
    pub(super) ident: &'a Ident,
    pub(super) given: Option<&'a LitStr>,
    /// The whole stored name.
    pub(super) name: String,
    pub(super) aliases: Vec<&'a LitStr>,
    pub(super) sources: Vec<&'a LitStr>,
}

/// Checks those of all event types of a Rust type.
pub(super) fn check(all: &[StoredNames<'_>], errors: &mut Errors) {
    let mut owners: HashMap<String, &Ident> = HashMap::new();
    for names in all {
        let StoredNames { ident, given, name, .. } = names;
        let at: &dyn ToTokens = if let Some(given) = given { given } else { ident };
        refuse_impossible(at, name, "name = \"opened\"", errors);
        if let Some(first) = owners.insert(name.clone(), ident) {
            let message = format!(
                "`{first}` has the stored name {name:?} already: give one of the two another with \
                 `#[event(name = \"…\")]`"
            );
            errors.at(at, message);
        }
    }
    for names in all {
        check_aliases(names, &mut owners, errors);
    }
    for names in all {
        check_sources(names, &owners, errors);
    }
}

fn check_aliases<'a>(
    StoredNames { ident, name, aliases, .. }: &StoredNames<'a>,
    owners: &mut HashMap<String, &'a Ident>,
    errors: &mut Errors,
) {
    for (index, alias) in aliases.iter().enumerate() {
        let text = alias.value();
        refuse_impossible(alias, &text, "alias = \"account.created\"", errors);
        if text == *name {
            errors.at(
                alias,
                format_args!("{text:?} is the stored name itself: an alias is a name it had before, so remove it"),
            );
        } else if aliases[..index].iter().any(|before| before.value() == text) {
            errors
                .at(alias, format_args!("the alias {text:?} is given twice; keep one of the two"));
        } else if let Some(owner) = owners.insert(text.clone(), ident) {
            errors.at(
                alias,
                format_args!(
                    "events stored as {text:?} are those of `{owner}`: remove the alias here, or the name there"
                ),
            );
        }
    }
}

fn check_sources(
    StoredNames { ident, sources, .. }: &StoredNames<'_>,
    owners: &HashMap<String, &Ident>,
    errors: &mut Errors,
) {
    for (index, source) in sources.iter().enumerate() {
        let text = source.value();
        refuse_impossible(source, &text, "from(\"account.created\", upcast(…))", errors);
        if sources[..index].iter().any(|before| before.value() == text) {
            errors.at(
                source,
                format_args!(
                    "`from({text:?}, …)` is given twice: write the steps of all its versions in one, `upcast(1 => …, \
                     2 => …)`"
                ),
            );
            continue;
        }
        match owners.get(&text) {
            Some(owner) if owner == ident => errors.at(
                source,
                format_args!(
                    "events stored as {text:?} are of this event type already: write the steps of their versions in \
                     its own `upcast(…)`, and remove `from`"
                ),
            ),
            Some(owner) => errors.at(
                source,
                format_args!(
                    "events stored as {text:?} are those of `{owner}`, and `from` takes over what is of no event \
                     type any more: remove it, or give `{owner}` another name and `from({text:?}, upcast(…))` as well"
                ),
            ),
            None => {}
        }
    }
}

/// Refuses what can't be the stored name of an event type.
fn refuse_impossible(at: impl ToTokens, name: &str, example: &str, errors: &mut Errors) {
    if let Some(problem) = names::problem(name, MAX_EVENT_TYPE_BYTES) {
        errors.at(
            at,
            format_args!(
                "{name:?} can't be the stored name of an event type: {problem}; write a name like \
                 `#[event({example})]`"
            ),
        );
    }
}
