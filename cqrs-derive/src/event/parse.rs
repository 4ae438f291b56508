//! Reads what `#[derive(Event)]` is on, and checks it.

use std::collections::HashMap;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields, Ident, LitStr, Path};

use super::{Event, EventType, Shape};
use crate::attr::{self, Slot, Table};
use crate::errors::Errors;
use crate::names::{self, MAX_EVENT_TYPE_BYTES};
use crate::serde_attr;
use crate::subject::{Subject, cqrs_path};

const ON_STRUCT: Table = Table {
    attribute: "event",
    known: &[
        ("name", "name = \"account.opened\""),
        ("version", "version = 2"),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[(
        "prefix",
        "a struct is one event type; write the whole name, as in `name = \"account.opened\"`",
    )],
};

const ON_ENUM: Table = Table {
    attribute: "event",
    known: &[("prefix", "prefix = \"account\""), ("crate", "crate = some::path")],
    misplaced: &[
        (
            "name",
            "each variant is an event type of its own; write `prefix = \"account\"` here, or `name` on a variant",
        ),
        ("version", "each variant has its own version; write it on the variant that changed"),
    ],
};

const ON_VARIANT: Table = Table {
    attribute: "event",
    known: &[("name", "name = \"opened\""), ("version", "version = 2")],
    misplaced: &[
        ("prefix", "the variants share one prefix; write it on the enum"),
        ("crate", "write it on the enum"),
    ],
};

/// What changes how serde tells the variants of an enum apart, or replaces the enum by another type.
const SERDE_ON_ENUM: &[(&str, &str)] = &[
    ("tag", TAGGED),
    ("content", TAGGED),
    ("untagged", TAGGED),
    ("variant_identifier", TAGGED),
    ("field_identifier", TAGGED),
    ("from", REPLACED),
    ("try_from", REPLACED),
    ("into", REPLACED),
    ("remote", REPLACED),
    ("transparent", REPLACED),
];
const TAGGED: &str = "the stored name of the event type tells the variants apart, and the payload is the content of \
                      the variant alone; remove it";
const REPLACED: &str = "each variant is stored under its own name; remove it and convert where the event is used, or \
                        make the variants newtypes of structs that carry the attribute";

const SERDE_ON_VARIANT: &[(&str, &str)] = &[
    ("skip", SKIPPED),
    ("skip_serializing", SKIPPED),
    ("skip_deserializing", SKIPPED),
    ("other", "unknown events are errors, never another variant; remove it"),
    ("untagged", TAGGED),
];
const SKIPPED: &str = "every variant is an event type that must be stored and read back; remove it, or move what is \
                       never stored to another type";

/// Options on the type itself.
#[derive(Default)]
struct Container {
    name: Slot<LitStr>,
    prefix: Slot<LitStr>,
    version: Slot<u32>,
    crate_path: Slot<Path>,
}

/// The event that `input` is; `None` if there is no way to make it one.
pub(super) fn event(input: &DeriveInput, errors: &mut Errors) -> Option<Event> {
    let table = match &input.data {
        Data::Struct(_) => ON_STRUCT,
        Data::Enum(_) => ON_ENUM,
        Data::Union(data) => {
            errors.at(data.union_token, "a union can't be an event: make it an enum");
            return None;
        }
    };
    attr::refuse_on_fields("event", input, errors);
    let subject = Subject::of(input, "an event", errors);
    let container = container(&table, &input.attrs, errors);
    let shape = match &input.data {
        Data::Enum(data) => enum_shape(input, data, &subject, &container, errors),
        Data::Struct(data) => struct_shape(&data.fields, &subject, &container, errors),
        Data::Union(_) => return None,
    };
    Some(Event {
        cqrs: cqrs_path(container.crate_path.take()),
        serde: serde_attr::serde_path(&input.attrs),
        subject,
        shape,
    })
}

fn container(table: &Table, attributes: &[Attribute], errors: &mut Errors) -> Container {
    let mut options = Container::default();
    table.read(attributes, errors, |key, input, errors| {
        match key.name {
            "name" => options.name.set(key, key.text(input)?, errors),
            "prefix" => options.prefix.set(key, key.text(input)?, errors),
            "version" => options.version.set(key, key.version(input)?, errors),
            _ => options.crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    options
}

fn struct_shape(
    fields: &Fields,
    subject: &Subject,
    options: &Container,
    errors: &mut Errors,
) -> Shape {
    let name = match options.name.get() {
        Some(name) => name.value(),
        None => names::snake_case(&subject.name),
    };
    match options.name.get() {
        Some(given) => check_name(given, &name, errors),
        None => check_name(&subject.ident, &name, errors),
    }
    let event_type = EventType { name, version: options.version.get().copied().unwrap_or(1) };
    if fields.is_empty() { Shape::Empty(event_type) } else { Shape::Struct(event_type) }
}

fn enum_shape(
    input: &DeriveInput,
    data: &DataEnum,
    subject: &Subject,
    options: &Container,
    errors: &mut Errors,
) -> Shape {
    if data.variants.is_empty() {
        errors.at(
            &input.ident,
            "an enum without variants has no event types: add a variant for each event",
        );
    }
    refuse_serde(&input.attrs, SERDE_ON_ENUM, errors);
    let prefix = prefix(subject, options, errors);
    let mut taken = HashMap::new();
    let variants = data.variants.iter().map(|variant| {
        refuse_serde(&variant.attrs, SERDE_ON_VARIANT, errors);
        let mut name = Slot::default();
        let mut version = Slot::default();
        ON_VARIANT.read(&variant.attrs, errors, |key, input, errors| {
            match key.name {
                "name" => name.set(key, key.text(input)?, errors),
                _ => version.set(key, key.version(input)?, errors),
            }
            Ok(())
        });
        let own = match name.get() {
            Some(name) => name.value(),
            None => names::snake_case(&names::plain(&variant.ident)),
        };
        let whole = match &*prefix {
            // An empty name is an error by itself, with or without a prefix.
            prefix if prefix.is_empty() || own.is_empty() => own,
            prefix => format!("{prefix}.{own}"),
        };
        match name.get() {
            Some(given) => check_name(given, &whole, errors),
            None => check_name(&variant.ident, &whole, errors),
        }
        if let Some(first) = taken.insert(whole.clone(), &variant.ident) {
            let message = format!(
                "`{first}` has the stored name {whole:?} already: give one of the two another with \
                 `#[event(name = \"…\")]`"
            );
            match name.get() {
                Some(given) => errors.at(given, message),
                None => errors.at(&variant.ident, message),
            }
        }
        let event_type = EventType { name: whole, version: version.take().unwrap_or(1) };
        (respanned(&variant.ident), event_type)
    });
    Shape::Enum(variants.collect())
}

/// What the stored names of the variants begin with: `account` for `AccountEvent`, unless it is given.
fn prefix(subject: &Subject, options: &Container, errors: &mut Errors) -> String {
    let (prefix, problem) = match options.prefix.get() {
        Some(given) if given.value().is_empty() => return String::new(),
        Some(given) => (given.value(), names::problem(&given.value(), MAX_EVENT_TYPE_BYTES)),
        None => {
            let name = match subject.name.strip_suffix("Event") {
                Some(name) if !name.is_empty() => name,
                _ => &subject.name,
            };
            let prefix = names::snake_case(name);
            let problem = names::problem(&prefix, MAX_EVENT_TYPE_BYTES);
            (prefix, problem)
        }
    };
    let mend = match problem {
        Some(problem) => format!(
            "{prefix:?} can't begin the stored names of event types: {problem}; write a prefix like \
             `#[event(prefix = \"account\")]`"
        ),
        None if prefix.ends_with('.') => {
            "the dot between prefix and name comes by itself: remove it from the prefix".to_owned()
        }
        None => return prefix,
    };
    match options.prefix.get() {
        Some(given) => errors.at(given, mend),
        None => errors.at(&subject.ident, mend),
    }
    // Without the prefix, so that its mistake is not found in every name again.
    String::new()
}

fn check_name(at: impl ToTokens, name: &str, errors: &mut Errors) {
    if let Some(problem) = names::problem(name, MAX_EVENT_TYPE_BYTES) {
        errors.at(
            at,
            format_args!(
                "{name:?} can't be the stored name of an event type: {problem}; write a name like \
                 `#[event(name = \"opened\")]`"
            ),
        );
    }
}

fn refuse_serde(attributes: &[Attribute], refused: &[(&str, &str)], errors: &mut Errors) {
    for option in serde_attr::options(attributes) {
        let found = refused.iter().find(|(name, _)| option == name);
        if let Some((name, why)) = found {
            errors.at(option, format_args!("`serde({name})` does not work on an event: {why}"));
        }
    }
}

/// The name of a variant as generated code uses it: lints that look at the user's code don't look there.
fn respanned(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(Span::call_site().located_at(ident.span()));
    ident
}
