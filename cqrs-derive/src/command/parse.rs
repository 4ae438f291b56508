//! Reads what `#[derive(Command)]` is on, and checks it.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{Data, DeriveInput, Fields, Ident, LitStr, Member, Path, Type, parse_quote};

use super::{Command, Id, Route, Variant};
use crate::attr::{self, Slot, Table};
use crate::describe::Described;
use crate::errors::{Errors, nearest};
use crate::message::{self, infallible};
use crate::names;
use crate::subject::{Subject, cqrs_path};

const ON_TYPE: Table = Table {
    attribute: "command",
    known: &[
        ("aggregate", "aggregate = Account"),
        ("id", "id = account"),
        ("outcome", "outcome = TransferDone"),
        ("error", "error = TransferError"),
        ("likely_new", "likely_new"),
        ("name", "name = \"Withdraw\""),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[("output", "what comes of a command is its `outcome`")],
};

const ON_VARIANT: Table = Table {
    attribute: "command",
    known: &[("name", "name = \"Open\""), ("likely_new", "likely_new")],
    misplaced: &[
        ("aggregate", "one aggregate decides on all variants; write it on the enum"),
        ("id", "all variants have the key in a field of one name; write it on the enum"),
        ("outcome", "the variants share one outcome; write it on the enum"),
        ("error", "the variants share one error; write it on the enum"),
        ("crate", "write it on the enum"),
    ],
};

#[derive(Default)]
struct Options {
    aggregate: Slot<Type>,
    id: Slot<Member>,
    outcome: Slot<Type>,
    error: Slot<Type>,
    likely_new: Slot<()>,
    name: Slot<LitStr>,
    crate_path: Slot<Path>,
}

/// The command that `input` is; `None` if there is no way to make it one.
pub(super) fn command(input: &DeriveInput, errors: &mut Errors) -> Option<Command> {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a union can't be a command: make it a struct");
        return None;
    }
    let subject = Subject::of(input, "a command", errors);
    let mut options = Options::default();
    ON_TYPE.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "aggregate" => options.aggregate.set(key, key.type_(input)?, errors),
            "id" => options.id.set(key, key.field(input)?, errors),
            "outcome" => options.outcome.set(key, key.type_(input)?, errors),
            "error" => options.error.set(key, key.type_(input)?, errors),
            "likely_new" => {
                key.flag(input)?;
                options.likely_new.set(key, (), errors);
            }
            "name" => options.name.set(key, key.text(input)?, errors),
            _ => options.crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    attr::refuse_on_fields("command", input, errors);
    let name = message::name(options.name.get(), &subject.name, errors);
    let (variants, first) = variants(input, &name, errors);
    let route =
        route(input, (options.aggregate, options.id), (options.outcome, options.error), errors);
    let likely_new = options.likely_new.key();
    check_likely_new(input, likely_new, first.as_ref(), &route, errors);
    Some(Command {
        described: Described::all(input, &subject),
        variants,
        name,
        cqrs: cqrs_path(options.crate_path.take()),
        is_likely_new: likely_new.is_some(),
        route,
        subject,
    })
}

/// It is on a struct, or on variants of an enum; and on commands of aggregates.
fn check_likely_new(
    input: &DeriveInput,
    on_type: Option<&Ident>,
    on_variant: Option<&Ident>,
    route: &Route,
    errors: &mut Errors,
) {
    if let (Some(key), Data::Enum(_)) = (on_type, &input.data) {
        errors.at(
            key,
            "not all variants are the first command to their aggregate: write `#[command(likely_new)]` on the variant \
             that is",
        );
    } else if let (Some(key), Route::Handler { .. }) = (on_type.or(on_variant), route) {
        errors.at(
            key,
            "only an aggregate is new: remove `likely_new`, or write `aggregate = Account` and `id = account`",
        );
    }
}

fn route(
    input: &DeriveInput,
    (aggregate, id): (Slot<Type>, Slot<Member>),
    (outcome, error): (Slot<Type>, Slot<Type>),
    errors: &mut Errors,
) -> Route {
    // An option that could not be read is missing as well; one error about it is enough.
    let all_read = errors.is_empty();
    if aggregate.key().is_some() || id.key().is_some() {
        if let Some(key) = outcome.key() {
            errors.at(
                key,
                "what comes of the command of an aggregate is always `Committed`: remove `outcome`, or remove \
                 `aggregate` and `id` and write a `CommandHandler`",
            );
        }
        if let Some(key) = error.key() {
            errors.at(
                key,
                "the command of an aggregate fails with the aggregate's error: remove `error`, or remove `aggregate` \
                 and `id` and write a `CommandHandler`",
            );
        }
        match (aggregate.key(), id.key()) {
            (None, Some(key)) if all_read => errors.at(
                key,
                "`id` is the key of an aggregate: say of which, as in `aggregate = Account`",
            ),
            (Some(key), None) if all_read => errors.at(
                key,
                format_args!(
                    "which field has the key of the aggregate? write `id = …` beside it{}",
                    fields_of(input)
                ),
            ),
            _ => {}
        }
        if let Some(aggregate) = aggregate.take() {
            let id = checked_id(input, id.take(), errors);
            return Route::Aggregate { aggregate, id };
        }
    } else if outcome.key().is_none() && error.key().is_none() && all_read {
        errors.at(
            &input.ident,
            "who carries the command out? write `#[command(aggregate = Account, id = account)]` if an aggregate \
             decides on it, or `#[command(outcome = …, error = …)]` if a `CommandHandler` does",
        );
    }
    Route::Handler {
        outcome: outcome.take().unwrap_or_else(|| parse_quote!(())),
        error: error.take().unwrap_or_else(infallible),
    }
}

fn checked_id(input: &DeriveInput, id: Option<Member>, errors: &mut Errors) -> Option<Id> {
    let field = id?;
    match &input.data {
        Data::Struct(data) => {
            let type_ = type_of(&field, &data.fields);
            if type_.is_none() {
                missing_field(&field, &field, "the struct", &data.fields, errors);
            }
            Some(Id { type_: type_?, field })
        }
        Data::Enum(data) => {
            if data.variants.is_empty() {
                errors.at(&input.ident, "an enum without variants asks for nothing: add a variant");
            }
            let mut found = Vec::new();
            for variant in &data.variants {
                let type_ = type_of(&field, &variant.fields);
                if type_.is_none() {
                    let what = format!("the variant `{}`", variant.ident);
                    missing_field(&variant.ident, &field, &what, &variant.fields, errors);
                }
                found.extend(type_);
            }
            let all = found.len() == data.variants.len();
            let type_ = found.into_iter().next().filter(|_| all)?;
            Some(Id { field, type_ })
        }
        Data::Union(_) => None,
    }
}

/// The variants of an enum, each with a name of its own: otherwise two of them sent with one idempotency key would pass
/// for the same command; and where the first of them is said to come to new aggregates.
fn variants(
    input: &DeriveInput,
    command: &str,
    errors: &mut Errors,
) -> (Vec<Variant>, Option<Ident>) {
    let Data::Enum(data) = &input.data else {
        return (Vec::new(), None);
    };
    let (mut taken, mut first_new) = (HashMap::new(), None);
    let variants = data.variants.iter().map(|variant| {
        let (mut given, mut likely_new) = (Slot::default(), Slot::default());
        ON_VARIANT.read(&variant.attrs, errors, |key, input, errors| {
            if key.name == "name" {
                given.set(key, key.text(input)?, errors);
            } else {
                key.flag(input)?;
                likely_new.set(key, (), errors);
            }
            Ok(())
        });
        let own = message::name(given.get(), &names::plain(&variant.ident), errors);
        let name = format!("{command}::{own}");
        if let Some(first) = taken.insert(own, &variant.ident) {
            let message = format!(
                "`{first}` has the name {name:?} already: give one of the two another with \
                 `#[command(name = \"…\")]`"
            );
            match given.get() {
                Some(given) => errors.at(given, message),
                None => errors.at(&variant.ident, message),
            }
        }
        first_new = first_new.take().or(likely_new.key().cloned());
        Variant { ident: variant.ident.clone(), name, is_likely_new: likely_new.key().is_some() }
    });
    (variants.collect(), first_new)
}

fn type_of(field: &Member, fields: &Fields) -> Option<Type> {
    let mut fields = fields.members().zip(fields);
    fields.find(|(member, _)| member == field).map(|(_, found)| found.ty.clone())
}

fn missing_field(
    at: &impl ToTokens,
    field: &Member,
    what: &str,
    fields: &Fields,
    errors: &mut Errors,
) {
    let written = field.to_token_stream().to_string();
    let names = field_names(fields);
    let meant = nearest(&written, names.iter().map(String::as_str))
        .map_or_else(String::new, |meant| format!(" (did you mean `{meant}`?)"));
    errors.at(
        at,
        format_args!(
            "`{written}`{meant} is no field of {what}, so it can't have the key of the aggregate{}",
            listed(&names)
        ),
    );
}

fn field_names(fields: &Fields) -> Vec<String> {
    fields.members().map(|member| member.to_token_stream().to_string()).collect()
}

/// Names the fields there are, as the end of a message.
fn fields_of(input: &DeriveInput) -> String {
    match &input.data {
        Data::Struct(data) => listed(&field_names(&data.fields)),
        _ => String::new(),
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "; it has no fields, so add one".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("; the fields are {}", quoted.join(", "))
}
