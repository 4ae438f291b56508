//! Reads what `#[derive(Aggregate)]` is on, and checks it.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Data, DeriveInput, Field, LitStr, Path, Token, Type};

use super::{Aggregate, Policy, Snapshots, ignored, shape};
use crate::attr::{self, Key, Slot, Table};
use crate::errors::Errors;
use crate::events::{self, Question};
use crate::message::infallible;
use crate::names::{self, MAX_CATEGORY_BYTES};
use crate::serde_attr;
use crate::subject::{Subject, cqrs_path};

const ON_TYPE: Table = Table {
    attribute: "aggregate",
    known: &[
        ("events", "events(AccountEvent)"),
        ("category", "category = \"account\""),
        ("error", "error = AccountError"),
        ("snapshot", "snapshot(every = 100)"),
        ("cache", "cache = 10_000"),
        ("ignore", "ignore(\"account.audited\")"),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[
        ("event", "write `events(…)`, also for one type"),
        ("name", "the name of the streams is the `category`"),
        (
            "ignored",
            "write `ignore(…)`, with the stored names of events that mean nothing to it any more",
        ),
    ],
};

const IN_SNAPSHOT: Table = Table {
    attribute: "snapshot",
    known: &[("every", "every = 100"), ("replay_ms", "replay_ms = 20"), ("version", "version = 2")],
    misplaced: &[],
};

const WHICH_EVENTS: Question =
    Question { attribute: "aggregate", text: "which events change the aggregate?" };

#[derive(Default)]
struct Options {
    category: Slot<LitStr>,
    events: Slot<TokenStream>,
    error: Slot<Type>,
    snapshot: Slot<SnapshotOptions>,
    cache: Slot<u64>,
    ignore: Slot<Vec<LitStr>>,
    crate_path: Slot<Path>,
}

#[derive(Default)]
struct SnapshotOptions {
    every: Slot<u64>,
    replay_ms: Slot<u64>,
    version: Slot<u32>,
}

/// The aggregate that `input` is; `None` if there is no way to make it one.
pub(super) fn aggregate(input: &DeriveInput, errors: &mut Errors) -> Option<Aggregate> {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a union can't be an aggregate: make it a struct");
        return None;
    }
    let subject = Subject::of(input, "an aggregate", errors);
    let mut options = Options::default();
    ON_TYPE.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "events" => options.events.set(key, key.list(input)?, errors),
            "category" => options.category.set(key, key.text(input)?, errors),
            "error" => options.error.set(key, key.type_(input)?, errors),
            "snapshot" => {
                let value = snapshot_options(key, input, errors)?;
                options.snapshot.set(key, value, errors);
            }
            "cache" => options.cache.set(key, key.number(input)?.0, errors),
            "ignore" => {
                let names = ignored::read(key, key.list(input)?, errors);
                options.ignore.set(key, names, errors);
            }
            _ => options.crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    attr::refuse_on_variants("aggregate", input, errors);
    attr::refuse_on_fields("aggregate", input, errors);
    Some(Aggregate {
        cqrs: cqrs_path(options.crate_path.take()),
        serde: serde_attr::serde_path(&input.attrs),
        category: category(options.category.get(), &subject, errors),
        events: events::listed(&options.events, &WHICH_EVENTS, &subject, errors),
        error: options.error.take().unwrap_or_else(infallible),
        snapshots: snapshots(&options.snapshot, input, errors),
        cache: options.cache.take(),
        ignored: options.ignore.take().unwrap_or_default(),
        subject,
    })
}

fn category(given: Option<&LitStr>, subject: &Subject, errors: &mut Errors) -> String {
    let category = match given {
        Some(given) => given.value(),
        None => names::snake_case(&subject.name),
    };
    if let Some(problem) = names::problem(&category, MAX_CATEGORY_BYTES) {
        let message = format!(
            "{category:?} can't be the category of streams: {problem}; write one like \
             `#[aggregate(category = \"account\")]`"
        );
        match given {
            Some(given) => errors.at(given, message),
            None => errors.at(&subject.ident, message),
        }
    }
    category
}

fn snapshot_options(
    key: &Key,
    input: ParseStream,
    errors: &mut Errors,
) -> syn::Result<SnapshotOptions> {
    let mut options = SnapshotOptions::default();
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(options);
    }
    let list = key.list(input)?;
    let read = |input: ParseStream| {
        IN_SNAPSHOT.read_list(input, errors, &mut |key, input, errors| {
            match key.name {
                "every" => options.every.set(key, key.number(input)?.0, errors),
                "replay_ms" => options.replay_ms.set(key, key.number(input)?.0, errors),
                _ => options.version.set(key, key.version(input)?, errors),
            }
            Ok(())
        });
        Ok(())
    };
    read.parse2(list)?;
    Ok(options)
}

fn snapshots(
    given: &Slot<SnapshotOptions>,
    input: &DeriveInput,
    errors: &mut Errors,
) -> Option<Snapshots> {
    let options = given.get()?;
    refuse_skipped(input, errors);
    let policy = match (options.every.get(), options.replay_ms.get()) {
        (Some(every), None) => Policy::EveryEvents(*every),
        (None, Some(millis)) => Policy::ReplayLongerThanMillis(*millis),
        (Some(every), Some(_)) => {
            if let Some(key) = options.replay_ms.key() {
                errors.at(
                    key,
                    "snapshots are taken by `every` or by `replay_ms`, not both: keep one of the two",
                );
            }
            Policy::EveryEvents(*every)
        }
        (None, None) => Policy::Default,
    };
    Some(Snapshots { policy, shape: shape::of(input, options.version.get().copied().unwrap_or(1)) })
}

/// A field that serde skips is lost in a snapshot.
fn refuse_skipped(input: &DeriveInput, errors: &mut Errors) {
    let mut refuse = |attributes, what| {
        for option in serde_attr::skips(attributes) {
            errors.at(
                option,
                format_args!(
                    "a snapshot without this {what} would not be the whole state: remove `skip`, or remove \
                     `snapshot(…)` from the aggregate"
                ),
            );
        }
    };
    let fields: Vec<&Field> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => {
            for variant in &data.variants {
                refuse(&variant.attrs, "variant");
            }
            data.variants.iter().flat_map(|variant| &variant.fields).collect()
        }
        Data::Union(_) => Vec::new(),
    };
    for field in fields {
        refuse(&field.attrs, "field");
    }
}
