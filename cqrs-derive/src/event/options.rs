//! The options of `#[event(…)]`, as they are written.

use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, LitStr, Token};

use super::steps::{self, WrittenStep};
use crate::attr::{self, Key, Slot, Table};
use crate::errors::Errors;

pub(super) const ON_STRUCT: Table = Table {
    attribute: "event",
    known: &[
        ("name", "name = \"account.opened\""),
        ("version", "version = 2"),
        ("alias", ALIAS),
        ("upcast", UPCAST),
        ("from", FROM),
        ("retired", "retired"),
        ("write_version", WRITE_VERSION),
        ("downcast", DOWNCAST),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[
        (
            "prefix",
            "a struct is one event type; write the whole name, as in `name = \"account.opened\"`",
        ),
        ("into", INTO),
    ],
};

pub(super) const ON_ENUM: Table = Table {
    attribute: "event",
    known: &[("prefix", "prefix = \"account\""), ("crate", "crate = some::path")],
    misplaced: &[
        (
            "name",
            "each variant is an event type of its own; write `prefix = \"account\"` here, or `name` on a variant",
        ),
        ("version", "each variant has its own version; write it on the variant that changed"),
        (
            "alias",
            "each variant is an event type of its own; write the whole stored name on the variant that had it, as in \
             `#[event(alias = \"account.created\")]`",
        ),
        ("upcast", "each variant has its own version; write it on the variant that changed"),
        (
            "from",
            "each variant is an event type of its own; write it on each that the stored events become",
        ),
        (
            "retired",
            "each variant is an event type of its own; write it on the variants that are no longer written",
        ),
        ("write_version", "each variant has its own version; write it on the variant that changed"),
        ("downcast", "each variant has its own version; write it on the variant that changed"),
    ],
};

pub(super) const ON_VARIANT: Table = Table {
    attribute: "event",
    known: &[
        ("name", "name = \"opened\""),
        ("version", "version = 2"),
        ("alias", ALIAS),
        ("upcast", UPCAST),
        ("from", FROM),
        ("retired", "retired"),
        ("write_version", WRITE_VERSION),
        ("downcast", DOWNCAST),
    ],
    misplaced: &[
        ("prefix", "the variants share one prefix; write it on the enum"),
        ("crate", "write it on the enum"),
        ("into", INTO),
    ],
};

const IN_FROM: Table = Table {
    attribute: "from",
    known: &[("upcast", UPCAST), ("into", "into = 2")],
    misplaced: &[
        ("version", "its versions are those of the steps; the version they lead to is `into`"),
        ("alias", "write another `from(…)` for another stored name"),
        ("downcast", "what is written is an event of this type; write it beside `from(…)`"),
    ],
};

const ALIAS: &str = "alias = \"account.created\"";
const UPCAST: &str = "upcast(1 => cents_from_units)";
const FROM: &str = "from(\"account.opened-with-deposit\", upcast(1 => deposit_of))";
const WRITE_VERSION: &str = "write_version = 1";
const DOWNCAST: &str = "downcast(2 => units_from_cents)";
const INTO: &str = "it says where the steps of another stored name lead: write it inside `from(\"…\", upcast(…), into = …)`";

/// What is written of one event type.
#[derive(Default)]
pub(super) struct Options {
    pub(super) name: Slot<LitStr>,
    pub(super) version: Slot<u32>,
    pub(super) aliases: Vec<LitStr>,
    pub(super) upcast: Slot<Vec<WrittenStep>>,
    pub(super) sources: Vec<SourceOptions>,
    pub(super) retired: Slot<()>,
    pub(super) write_version: Slot<u32>,
    pub(super) downcast: Slot<Vec<WrittenStep>>,
}

/// `from("name", upcast(…), into = N)`.
pub(super) struct SourceOptions {
    pub(super) key: Ident,
    pub(super) name: LitStr,
    pub(super) upcast: Slot<Vec<WrittenStep>>,
    pub(super) into: Slot<u32>,
}

impl Options {
    /// Takes the value of an option.
    pub(super) fn set(
        &mut self,
        key: &Key,
        input: ParseStream,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        match key.name {
            "name" => self.name.set(key, key.text(input)?, errors),
            "version" => self.version.set(key, key.version(input)?, errors),
            "alias" => self.aliases.push(key.text(input)?),
            "upcast" => {
                let steps = steps::read(key, key.list(input)?, errors);
                self.upcast.set(key, steps, errors);
            }
            "from" => self.sources.extend(source(key, input, errors)?),
            "retired" => {
                key.flag(input)?;
                self.retired.set(key, (), errors);
            }
            "write_version" => self.write_version.set(key, key.version(input)?, errors),
            _ => {
                let steps = steps::read(key, key.list(input)?, errors);
                self.downcast.set(key, steps, errors);
            }
        }
        Ok(())
    }
}

fn source(
    key: &Key,
    input: ParseStream,
    errors: &mut Errors,
) -> syn::Result<Option<SourceOptions>> {
    let list = key.list(input)?;
    let read = |input: ParseStream| {
        let Ok(name) = input.parse::<LitStr>() else {
            let message = format!(
                "`from` begins with the stored name of other events, in quotes: write `{}`",
                key.example
            );
            return Err(attr::error_here(input, &key.ident, message));
        };
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            return Err(input.error("expected a comma after the stored name"));
        }
        let (mut upcast, mut into) = (Slot::default(), Slot::default());
        IN_FROM.read_list(input, errors, &mut |key, input, errors| {
            match key.name {
                "upcast" => {
                    let steps = steps::read(key, key.list(input)?, errors);
                    upcast.set(key, steps, errors);
                }
                _ => into.set(key, key.version(input)?, errors),
            }
            Ok(())
        });
        Ok(SourceOptions { key: key.ident.clone(), name, upcast, into })
    };
    match read.parse2(list) {
        Ok(source) => Ok(Some(source)),
        Err(error) => {
            errors.push(error);
            Ok(None)
        }
    }
}
