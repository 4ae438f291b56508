//! Reads what `#[derive(View)]` is on, and checks it.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Fields, FieldsNamed, Ident, LitStr, Path};

use super::keys::Index;
use super::{View, column, keys};
use crate::attr::{Slot, Table};
use crate::errors::Errors;
use crate::events::{self, Question};
use crate::names::{self, MAX_EVENT_TYPE_BYTES};
use crate::serde_attr;
use crate::subject::{Subject, cqrs_path};

const ON_TYPE: Table = Table {
    attribute: "view",
    known: &[
        ("key", "key(account)"),
        ("events", "events(AccountEvent)"),
        ("name", "name = \"balances\""),
        ("version", "version = 2"),
        ("table", "table = \"balances\""),
        ("index", "index(owner)"),
        ("document", "document"),
        ("crate", "crate = some::path"),
    ],
    misplaced: &[
        ("event", "write `events(…)`, also for one type"),
        ("id", "what tells rows apart is the `key`"),
        ("indexes", "write `index(…)` for each index"),
        ("model", "a view can be kept in any read model: it is started with one"),
        ("tables", "a view has one table, made from its fields, with a name in `table = \"…\"`"),
        ("category", "a view reads streams of any category, and its checkpoint has a `name`"),
        ("json", "write it on the field that is stored as JSON, or `document` for the whole row"),
        ("column", "write it on the field"),
    ],
};

const WHICH_EVENTS: Question =
    Question { attribute: "view", text: "which events are folded into the view?" };

#[derive(Default)]
struct Options {
    name: Slot<LitStr>,
    version: Slot<u32>,
    table: Slot<LitStr>,
    events: Slot<TokenStream>,
    key: Slot<Vec<Ident>>,
    indexes: Vec<Index>,
    document: Slot<()>,
    crate_path: Slot<Path>,
}

/// The view that `input` is; `None` if there is no way to make it one.
pub(super) fn view(input: &DeriveInput, errors: &mut Errors) -> Option<View> {
    let fields = fields_of(input, errors)?;
    let subject = Subject::of(input, "a view", errors);
    let mut options = Options::default();
    ON_TYPE.read(&input.attrs, errors, |key, input, errors| {
        match key.name {
            "name" => options.name.set(key, key.text(input)?, errors),
            "version" => options.version.set(key, key.version(input)?, errors),
            "table" => options.table.set(key, key.text(input)?, errors),
            "events" => options.events.set(key, key.list(input)?, errors),
            "key" => options.key.set(key, keys::named(key, input)?, errors),
            "index" => options.indexes.push(Index::read(key, input)?),
            "document" => options.document.set(key, key.flag(input)?, errors),
            _ => options.crate_path.set(key, key.path(input)?, errors),
        }
        Ok(())
    });
    // An option that could not be read is missing as well; one error about it is enough.
    let all_read = errors.is_empty();
    let events = events::listed(&options.events, &WHICH_EVENTS, &subject, errors);
    let document = options.document.get().is_some();
    let key = keys::key(&options.key, fields, (&subject, all_read), errors);
    let columns = column::of(fields, document.then_some(&*key), errors);
    let name = name(options.name.get(), &subject, errors);
    Some(View {
        cqrs: cqrs_path(options.crate_path.take()),
        serde: serde_attr::serde_path(&input.attrs),
        version: options.version.take().unwrap_or(1),
        table: table(options.table.get(), (options.name.get(), &name), &subject, errors),
        events,
        key_span: options.key.key().unwrap_or(&subject.ident).span(),
        key: keys::columns_of_key(&key, &columns, errors),
        indexes: keys::indexes(&options.indexes, &key, fields, &columns, errors),
        columns,
        document,
        name,
        subject,
    })
}

fn fields_of<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    const MEND: &str = "make it a struct with a named field for each column";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(fields) => errors.at(
                fields,
                format_args!(
                    "a view is a row, and these fields have no names for its columns: {MEND}"
                ),
            ),
            Fields::Unit => errors.at(
                &input.ident,
                format_args!("a view is a row, and this one has no columns: {MEND}"),
            ),
        },
        Data::Enum(data) => {
            errors.at(data.enum_token, format_args!("an enum can't be a view: {MEND}"));
        }
        Data::Union(data) => {
            errors.at(data.union_token, format_args!("a union can't be a view: {MEND}"));
        }
    }
    None
}

/// The name of the checkpoint.
fn name(given: Option<&LitStr>, subject: &Subject, errors: &mut Errors) -> String {
    let name = match given {
        Some(given) => given.value(),
        None => names::snake_case(&subject.name),
    };
    if let Some(problem) = names::problem(&name, MAX_EVENT_TYPE_BYTES) {
        let message = format!(
            "{name:?} can't be the name of a view: {problem}; write one like `#[view(name = \"balances\")]`"
        );
        match given {
            Some(given) => errors.at(given, message),
            None => errors.at(&subject.ident, message),
        }
    }
    name
}

/// The table: that of the name, unless another is given.
fn table(
    given: Option<&LitStr>,
    (given_name, name): (Option<&LitStr>, &str),
    subject: &Subject,
    errors: &mut Errors,
) -> String {
    let table = given.map_or_else(|| name.to_owned(), LitStr::value);
    // What can't be a name at all has its error already.
    let is_checked = given.is_some() || names::problem(name, MAX_EVENT_TYPE_BYTES).is_none();
    if is_checked && let Some(problem) = names::sql_problem(&table) {
        let message = format!(
            "{table:?} can't be the name of a table: {problem}; write one like `#[view(table = \"balances\")]`"
        );
        match given.or(given_name) {
            Some(given) => errors.at(given, message),
            None => errors.at(&subject.ident, message),
        }
    }
    table
}
