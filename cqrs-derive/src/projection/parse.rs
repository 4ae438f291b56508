//! Reads what `#[derive(Projection)]` is on, and checks it.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Expr, LitStr, Path, Type, parse_quote};

use super::Projection;
use crate::attr::{self, Slot, Table};
use crate::errors::Errors;
use crate::events::{self, Question};
use crate::names::{self, MAX_EVENT_TYPE_BYTES};
use crate::subject::{Subject, cqrs_path};

const ON_TYPE: Table = Table {
    attribute: "projection",
    known: &[
        ("model", "model = SqliteModel"),
        ("events", "events(AccountEvent)"),
        ("name", "name = \"balances\""),
        ("version", "version = 2"),
        ("tables", "tables = include_str!(\"balances.sql\")"),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[
        ("event", "write `events(…)`, also for one type"),
        (
            "table",
            "the SQL that makes its tables is `tables = include_str!(\"…\")`; the rows of a `View` are in one table",
        ),
        ("category", "a projection reads streams of any category, and its checkpoint has a `name`"),
    ],
};

const WHICH_EVENTS: Question =
    Question { attribute: "projection", text: "which events does the projection want?" };

#[derive(Default)]
struct Options {
    name: Slot<LitStr>,
    version: Slot<u32>,
    model: Slot<Type>,
    events: Slot<TokenStream>,
    tables: Slot<Expr>,
    crate_path: Slot<Path>,
}

/// The projection that `input` is; `None` if there is no way to make it one.
pub(super) fn projection(input: &DeriveInput, errors: &mut Errors) -> Option<Projection> {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a union can't be a projection: make it a struct");
        return None;
    }
    let subject = Subject::of(input, "a projection", errors);
    let mut options = Options::default();
    ON_TYPE.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "name" => options.name.set(key, key.text(input)?, errors),
            "version" => options.version.set(key, key.version(input)?, errors),
            "model" => options.model.set(key, key.type_(input)?, errors),
            "events" => options.events.set(key, key.list(input)?, errors),
            "tables" => options.tables.set(key, key.sql(input)?, errors),
            _ => options.crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    attr::refuse_on_variants("projection", input, errors);
    attr::refuse_on_fields("projection", input, errors);
    // An option that could not be read is missing as well; one error about it is enough.
    let all_read = errors.is_empty();
    let events = events::listed(&options.events, &WHICH_EVENTS, &subject, errors);
    if options.model.get().is_none() && all_read {
        errors.at(
            &subject.ident,
            "where does the projection keep its rows? write the read model, as in `model = SqliteModel`, in \
             `#[projection(…)]`",
        );
    }
    let cqrs = cqrs_path(options.crate_path.take());
    Some(Projection {
        name: name(options.name.get(), &subject, errors),
        version: options.version.take().unwrap_or(1),
        events,
        model: options.model.take().unwrap_or_else(|| parse_quote!(#cqrs::MemoryModel<()>)),
        tables: options.tables.take(),
        cqrs,
        subject,
    })
}

/// The name of the checkpoint.
fn name(given: Option<&LitStr>, subject: &Subject, errors: &mut Errors) -> String {
    let name = match given {
        Some(given) => given.value(),
        None => names::snake_case(&subject.name),
    };
    if let Some(problem) = names::problem(&name, MAX_EVENT_TYPE_BYTES) {
        let message = format!(
            "{name:?} can't be the name of a projection: {problem}; write one like \
             `#[projection(name = \"balances\")]`"
        );
        match given {
            Some(given) => errors.at(given, message),
            None => errors.at(&subject.ident, message),
        }
    }
    name
}
