//! Reads what `#[derive(Upcast)]` is on, and checks it.

use syn::{Data, DeriveInput, Fields, GenericArgument, Path, PathArguments, Type};

use super::Upcast;
use crate::attr::{self, Slot, Table};
use crate::bare;
use crate::errors::Errors;
use crate::serde_attr;
use crate::subject::{Subject, cqrs_path};

const ON_TYPE: Table = Table {
    attribute: "upcast",
    known: &[
        ("into", "into = AccountEvent"),
        ("try_into", "try_into = AccountEvent"),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[
        ("from", "the earlier shape says what becomes of it: write `into = …` with the next one"),
        (
            "version",
            "which version has this shape is said where the event is: `upcast(1 => type …)`",
        ),
        ("name", "which event has this shape is said where that is: `upcast(1 => type …)`"),
    ],
};

/// The earlier shape that `input` is; `None` if there is no way to make it one.
pub(super) fn upcast(input: &DeriveInput, errors: &mut Errors) -> Option<Upcast> {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a union can't be read from what is stored: make it a struct");
        return None;
    }
    let subject = Subject::of(input, "the shape of an earlier version", errors);
    let (mut into, mut try_into) = (Slot::default(), Slot::default());
    let mut crate_path: Slot<Path> = Slot::default();
    let before = errors.count();
    ON_TYPE.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "into" => into.set(key, key.type_(input)?, errors),
            "try_into" => try_into.set(key, key.type_(input)?, errors),
            _ => crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    let all_read = errors.count() == before;
    attr::refuse_on_variants("upcast", input, errors);
    attr::refuse_on_fields("upcast", input, errors);
    if let Data::Struct(data) = &input.data
        && matches!(data.fields, Fields::Unit)
    {
        errors.at(
            &input.ident,
            format_args!(
                "events without fields are stored as `{{}}`, which serde does not read as a struct without braces: \
                 write `struct {} {{}}`",
                input.ident
            ),
        );
    }
    if let (Some(_), Some(key)) = (into.key(), try_into.key()) {
        errors.at(
            key,
            "`into` uses `From` and `try_into` uses `TryFrom`: keep the one that is written",
        );
    }
    if into.key().is_none() && try_into.key().is_none() && all_read {
        errors.at(
            &input.ident,
            "what becomes of it in the next version? write `#[upcast(into = …)]` with the shape of the next version, \
             or with the event, and an `impl From`; with an `impl TryFrom` it is `try_into`",
        );
    }
    // What borrows is no shape; that is an error already.
    if input.generics.lifetimes().next().is_some() {
        return None;
    }
    let may_fail = into.key().is_none();
    let into: Type = into.take().or(try_into.take())?;
    let into = bare::type_(&into).clone();
    Some(Upcast {
        cqrs: cqrs_path(crate_path.take()),
        serde: serde_attr::serde_path(&input.attrs),
        next: content(&into).unwrap_or(&into).clone(),
        subject,
        into,
        may_fail,
    })
}

/// What may be in this `Option` or this `Vec`.
fn content(type_: &Type) -> Option<&Type> {
    let Type::Path(path) = type_ else { return None };
    let last = path.path.segments.last()?;
    if last.ident != "Option" && last.ident != "Vec" {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(content)) if arguments.args.len() == 1 => Some(content),
        _ => None,
    }
}
