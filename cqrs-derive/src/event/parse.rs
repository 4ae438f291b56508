//! Reads what `#[derive(Event)]` is on, and checks it.

use syn::{Attribute, Data, DataEnum, DeriveInput, Fields, Ident, LitStr, Path};

use super::options::{ON_ENUM, ON_STRUCT, ON_VARIANT, Options};
use super::stored_names::{self, StoredNames};
use super::{Event, EventType, History, Shape, Written, history};
use crate::attr::{self, Slot};
use crate::describe::Described;
use crate::errors::Errors;
use crate::names::{self, MAX_EVENT_TYPE_BYTES};
use crate::serde_attr;
use crate::subject::{Subject, cqrs_path, located};

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

/// The event that `input` is; `None` if there is no way to make it one.
pub(super) fn event(input: &DeriveInput, errors: &mut Errors) -> Option<Event> {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a union can't be an event: make it an enum");
        return None;
    }
    attr::refuse_on_fields("event", input, errors);
    let subject = Subject::of(input, "an event", errors);
    let mut crate_path = Slot::default();
    let shape = match &input.data {
        Data::Enum(data) => enum_shape(input, data, &subject, &mut crate_path, errors),
        Data::Struct(data) => struct_shape(input, &data.fields, &subject, &mut crate_path, errors),
        Data::Union(_) => return None,
    };
    Some(Event {
        cqrs: cqrs_path(crate_path.take()),
        serde: serde_attr::serde_path(&input.attrs),
        described: Described::all(input, &subject),
        subject,
        shape,
    })
}

fn struct_shape(
    input: &DeriveInput,
    fields: &Fields,
    subject: &Subject,
    crate_path: &mut Slot<Path>,
    errors: &mut Errors,
) -> Shape {
    let mut options = Options::default();
    let before = errors.count();
    ON_STRUCT.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "crate" => crate_path.set(key, key.path(input)?, errors),
            _ => options.set(key, input, errors)?,
        }
        Ok(())
    });
    let all_read = errors.count() == before;
    let name = match options.name.get() {
        Some(name) => name.value(),
        None => names::snake_case(&subject.name),
    };
    stored_names::check(&[stored_names(&subject.ident, &name, &options)], errors);
    let event_type = event_type(name, options, all_read, errors);
    if fields.is_empty() { Shape::Empty(event_type) } else { Shape::Struct(event_type) }
}

fn enum_shape(
    input: &DeriveInput,
    data: &DataEnum,
    subject: &Subject,
    crate_path: &mut Slot<Path>,
    errors: &mut Errors,
) -> Shape {
    let mut prefix = Slot::default();
    ON_ENUM.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "prefix" => prefix.set(key, key.text(input)?, errors),
            _ => crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    if data.variants.is_empty() {
        errors.at(
            &input.ident,
            "an enum without variants has no event types: add a variant for each event",
        );
    }
    refuse_serde(&input.attrs, SERDE_ON_ENUM, errors);
    let prefix = whole_prefix(subject, &prefix, errors);
    let mut variants = Vec::with_capacity(data.variants.len());
    for variant in &data.variants {
        refuse_serde(&variant.attrs, SERDE_ON_VARIANT, errors);
        let mut options = Options::default();
        let before = errors.count();
        ON_VARIANT
            .read(&variant.attrs, errors, |key, input, errors| options.set(key, input, errors));
        let all_read = errors.count() == before;
        let own = match options.name.get() {
            Some(name) => name.value(),
            None => names::snake_case(&names::plain(&variant.ident)),
        };
        let name = match &*prefix {
            // An empty name is an error by itself, with or without a prefix.
            prefix if prefix.is_empty() || own.is_empty() => own,
            prefix => format!("{prefix}.{own}"),
        };
        variants.push((&variant.ident, name, options, all_read));
    }
    let all_names =
        variants.iter().map(|(ident, name, options, _)| stored_names(ident, name, options));
    stored_names::check(&all_names.collect::<Vec<_>>(), errors);
    let variants = variants.into_iter().map(|(ident, name, options, all_read)| {
        (respanned(ident), event_type(name, options, all_read, errors))
    });
    Shape::Enum(variants.collect())
}

fn stored_names<'a>(ident: &'a Ident, name: &str, options: &'a Options) -> StoredNames<'a> {
    StoredNames {
        ident,
        given: options.name.get(),
        name: name.to_owned(),
        aliases: options.aliases.iter().collect(),
        sources: options.sources.iter().map(|source| &source.name).collect(),
    }
}

/// The event type with this name. Where an option could not be read, what depends on it is not looked at.
fn event_type(name: String, options: Options, all_read: bool, errors: &mut Errors) -> EventType {
    let aliases = options.aliases.iter().map(LitStr::value).collect();
    let history = if all_read {
        history::history(options, errors)
    } else {
        History { version: 1, steps: Vec::new(), sources: Vec::new(), written: Written::AsItIs }
    };
    EventType { name, aliases, history }
}

/// What the stored names of the variants begin with: `account` for `AccountEvent`, unless it is given.
fn whole_prefix(subject: &Subject, given: &Slot<LitStr>, errors: &mut Errors) -> String {
    let (prefix, problem) = match given.get() {
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
    match given.get() {
        Some(given) => errors.at(given, mend),
        None => errors.at(&subject.ident, mend),
    }
    // Without the prefix, so that its mistake is not found in every name again.
    String::new()
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
    ident.set_span(located(ident.span()));
    ident
}
