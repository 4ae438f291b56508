//! Reads what `#[derive(Query)]` is on, and checks it.

use syn::{Data, DeriveInput, parse_quote};

use super::Query;
use crate::attr::{self, Slot, Table};
use crate::errors::Errors;
use crate::message::{self, infallible};
use crate::subject::{Subject, cqrs_path};

const ON_TYPE: Table = Table {
    attribute: "query",
    known: &[
        ("output", "output = u64"),
        ("error", "error = BalanceError"),
        ("name", "name = \"GetBalance\""),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[("outcome", "what a query gives is its `output`")],
};

/// The query that `input` is; `None` if there is no way to make it one.
pub(super) fn query(input: &DeriveInput, errors: &mut Errors) -> Option<Query> {
    if let Data::Union(data) = &input.data {
        errors.at(data.union_token, "a union can't be a query: make it a struct");
        return None;
    }
    let subject = Subject::of(input, "a query", errors);
    let mut output = Slot::default();
    let mut error = Slot::default();
    let mut name = Slot::default();
    let mut crate_path = Slot::default();
    ON_TYPE.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "output" => output.set(key, key.type_(input)?, errors),
            "error" => error.set(key, key.type_(input)?, errors),
            "name" => name.set(key, key.text(input)?, errors),
            _ => crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    attr::refuse_on_variants("query", input, errors);
    attr::refuse_on_fields("query", input, errors);
    if output.get().is_none() && errors.is_empty() {
        errors.at(
            &input.ident,
            "what does the query give? write `#[query(output = …)]` with the type of the answer",
        );
    }
    Some(Query {
        cqrs: cqrs_path(crate_path.take()),
        name: message::name(name.get(), &subject.name, errors),
        output: output.take().unwrap_or_else(|| parse_quote!(())),
        error: error.take().unwrap_or_else(infallible),
        subject,
    })
}
