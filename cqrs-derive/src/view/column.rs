//! Reads the fields of a view, each a column.

use syn::{Field, FieldsNamed, Ident, LitStr};

use super::{Column, DOCUMENT};
use crate::attr::{Slot, Table};
use crate::errors::Errors;
use crate::names;
use crate::serde_attr;

const ON_FIELD: Table = Table {
    attribute: "view",
    known: &[("json", "json"), ("column", "column = \"cents\"")],
    misplaced: &[
        ("name", "the name of a column is `column = \"…\"`"),
        ("rename", "the name of a column is `column = \"…\"`"),
        ("key", "write `key(…)` with the names of the fields on the struct"),
        ("index", "write `index(…)` with the names of the fields on the struct"),
        ("events", "write it on the struct"),
        ("version", "write it on the struct"),
        ("table", "write it on the struct"),
        ("document", "it is the form of the whole row: write it on the struct, or `json` here"),
        ("skip", "a row comes back from its columns, so each field has one"),
        ("crate", "write it on the struct"),
    ],
};

/// The columns: all fields, or in a row that is a document those of its key.
pub(super) fn of(
    fields: &FieldsNamed,
    key_of_document: Option<&[&Field]>,
    errors: &mut Errors,
) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let mut json = Slot::default();
        let mut name = Slot::default();
        ON_FIELD.read(&field.attrs, errors, |key, input, errors| {
            match key.name {
                "json" => json.set(key, key.flag(input)?, errors),
                _ => name.set(key, key.text(input)?, errors),
            }
            Ok(())
        });
        if let Some(key) = key_of_document {
            refuse_skipped(field, errors);
            if !key.contains(&field) {
                // Without a key nothing is known of the columns.
                if !key.is_empty() {
                    refuse_without_column(&json, errors);
                    refuse_without_column(&name, errors);
                }
                continue;
            }
        }
        let column = Column {
            field: ident.clone(),
            type_: field.ty.clone(),
            name: name_of(name.get(), ident, &columns, key_of_document.is_some(), errors),
            json: json.get().is_some(),
        };
        columns.push(column);
    }
    columns
}

fn name_of(
    given: Option<&LitStr>,
    field: &Ident,
    columns: &[Column],
    document: bool,
    errors: &mut Errors,
) -> String {
    let name = given.map_or_else(|| names::plain(field), LitStr::value);
    // SQLite does not tell names apart by the case of their letters.
    let taken = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&name));
    let problem = if let Some(problem) = names::sql_problem(&name) {
        Some(problem)
    } else if POSTGRES_COLUMNS.contains(&&*name) {
        Some("in PostgreSQL every table has a column of its own with this name".to_owned())
    } else if document && name.eq_ignore_ascii_case(DOCUMENT) {
        Some("the column of the whole row has this name".to_owned())
    } else {
        taken.map(|taken| format!("`{}` has it already", taken.field))
    };
    if let Some(problem) = problem {
        let message = format!(
            "{name:?} can't be the name of this column: {problem}; write one like `#[view(column = \"cents\")]`"
        );
        match given {
            Some(given) => errors.at(given, message),
            None => errors.at(field, message),
        }
    }
    name
}

/// The columns that every table in PostgreSQL has.
const POSTGRES_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// What a field that is only in the document can't have.
fn refuse_without_column<T>(option: &Slot<T>, errors: &mut Errors) {
    if let Some(key) = option.key() {
        errors.at(
            key,
            format_args!(
                "with `document` this field has no column of its own: remove `{key}` here, or `document` on the struct"
            ),
        );
    }
}

/// A field that serde skips is lost in a document.
fn refuse_skipped(field: &Field, errors: &mut Errors) {
    for option in serde_attr::skips(&field.attrs) {
        errors.at(
            option,
            "a document without this field would not be the whole row: remove `skip`, or `document` on the struct",
        );
    }
}
