//! Reads which fields are the key of a view, and which have an index.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _, Result};
use syn::punctuated::Punctuated;
use syn::token::Paren;
use syn::{Error, Field, FieldsNamed, Token, Type};

use super::Column;
use crate::attr::{Key, Slot};
use crate::errors::{Errors, nearest};
use crate::names;
use crate::subject::Subject;

/// Tuples of more fields can't be compared.
const MAX_KEY_FIELDS: usize = 12;

/// An index, as it was written.
pub(super) struct Index {
    option: Ident,
    fields: Vec<Ident>,
}

impl Index {
    pub(super) fn read(key: &Key, input: ParseStream) -> Result<Self> {
        Ok(Self { option: key.ident.clone(), fields: named(key, input)? })
    }
}

/// `key(account, line)` or `key = (account, line)`; for one field `key(account)` or `key = account`.
///
/// Clippy takes a field that is in the parentheses of two indexes for a slip. It does not look behind `=`.
pub(super) fn named(key: &Key, input: ParseStream) -> Result<Vec<Ident>> {
    let after_equals = input.parse::<Option<Token![=]>>()?.is_some();
    let list = if input.peek(Paren) {
        key.list(input)?
    } else if after_equals {
        input.parse::<TokenTree>().map_or_else(|_| TokenStream::new(), TokenStream::from)
    } else {
        return Err(wrong(key, key.ident.span()));
    };
    let parse = Punctuated::<Ident, Token![,]>::parse_terminated_with;
    let fields = (|input: ParseStream| parse(input, Ident::parse_any)).parse2(list);
    let fields = fields.map_err(|error| wrong(key, error.span()))?;
    if fields.is_empty() {
        return Err(wrong(key, key.ident.span()));
    }
    Ok(fields.into_iter().collect())
}

fn wrong(key: &Key, at: Span) -> Error {
    let Key { name, example, .. } = key;
    let message =
        format!("`{name}` takes the names of fields with commas between them: write `{example}`");
    Error::new(at, message)
}

/// The fields of the key, in its order, without those that can't be compared. One that could not be read has its error
/// already.
pub(super) fn key<'a>(
    given: &Slot<Vec<Ident>>,
    fields: &'a FieldsNamed,
    (subject, all_read): (&Subject, bool),
    errors: &mut Errors,
) -> Vec<&'a Field> {
    let (Some(option), Some(named)) = (given.key(), given.get()) else {
        if all_read {
            errors.at(
                &subject.ident,
                "what tells the rows of the view apart? name the fields, as in `key(account)`, in `#[view(…)]`",
            );
        }
        return Vec::new();
    };
    if named.len() > MAX_KEY_FIELDS {
        errors.at(
            option,
            format_args!(
                "a key has at most {MAX_KEY_FIELDS} fields, and this one has {}",
                named.len()
            ),
        );
    }
    let found = found("key", named, fields, errors);
    let found = found.into_iter().take(MAX_KEY_FIELDS);
    let comparable = found.filter(|(name, field)| {
        let is_real = is(&field.ty, "f64");
        if is(&field.ty, "Option") {
            errors.at(name, "a key is never null: take a field that is no `Option`");
        } else if is_real {
            errors.at(
                name,
                "a floating-point number can't be a key: it does not always equal itself; take a whole number or a \
                 text",
            );
        }
        !is_real
    });
    comparable.map(|(_, field)| field).collect()
}

/// The numbers of the columns of the key.
pub(super) fn columns_of_key(
    key: &[&Field],
    columns: &[Column],
    errors: &mut Errors,
) -> Vec<usize> {
    for column in columns.iter().filter(|column| column.json) {
        if key.iter().any(|field| field.ident.as_ref() == Some(&column.field)) {
            errors.at(
                &column.field,
                "what is stored as JSON can't be a key, as documents have no order: remove `json` here, or take \
                 another field",
            );
        }
    }
    key.iter().filter_map(|field| number(field, columns)).collect()
}

/// The numbers of the columns of each index, without those that are wrong.
pub(super) fn indexes(
    given: &[Index],
    key: &[&Field],
    fields: &FieldsNamed,
    columns: &[Column],
    errors: &mut Errors,
) -> Vec<Vec<usize>> {
    let mut indexes: Vec<Vec<usize>> = Vec::new();
    let key: Vec<usize> = key.iter().filter_map(|field| number(field, columns)).collect();
    for Index { option, fields: named } in given {
        let before = errors.count();
        let found = found("index", named, fields, errors);
        let mut index = Vec::new();
        for (name, field) in &found {
            match number(field, columns) {
                None => errors.at(
                    name,
                    "with `document` this field has no column of its own, so it can't have an index: remove \
                     `document`, and write `#[view(json)]` on the fields that have no column type",
                ),
                Some(number) if columns[number].json => errors.at(
                    name,
                    "what is stored as JSON can't have an index, as documents have no order: remove `json` from the \
                     field, or remove it here",
                ),
                Some(number) => index.push(number),
            }
        }
        if errors.count() > before {
            continue;
        }
        if index == key {
            errors.at(option, "the key has an index already: remove this one");
        } else if indexes.contains(&index) {
            errors.at(option, "this index is given twice: remove it here");
        } else {
            indexes.push(index);
        }
    }
    indexes
}

fn number(field: &Field, columns: &[Column]) -> Option<usize> {
    columns.iter().position(|column| field.ident.as_ref() == Some(&column.field))
}

/// The fields of these names, each once.
fn found<'a, 'b>(
    option: &str,
    named: &'b [Ident],
    fields: &'a FieldsNamed,
    errors: &mut Errors,
) -> Vec<(&'b Ident, &'a Field)> {
    let mut found: Vec<(&Ident, &Field)> = Vec::new();
    for name in named {
        let wanted = names::plain(name);
        let field = fields.named.iter().find(|field| name_of(field) == wanted);
        match field {
            None => unknown(name, &wanted, fields, errors),
            Some(field) if found.iter().any(|(_, before)| *before == field) => {
                errors.at(name, format_args!("`{option}` names this field twice: remove it here"));
            }
            Some(field) => found.push((name, field)),
        }
    }
    found
}

fn unknown(name: &Ident, written: &str, fields: &FieldsNamed, errors: &mut Errors) {
    let known: Vec<String> = fields.named.iter().map(name_of).collect();
    let meant = nearest(written, known.iter().map(String::as_str))
        .map_or_else(String::new, |meant| format!(" (did you mean `{meant}`?)"));
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let listed = if quoted.is_empty() {
        "it has no fields, so add one".to_owned()
    } else {
        format!("the fields are {}", quoted.join(", "))
    };
    errors.at(name, format_args!("`{written}`{meant} is no field of the struct; {listed}"));
}

fn name_of(field: &Field) -> String {
    field.ident.as_ref().map_or_else(String::new, names::plain)
}

/// Whether the type is written with this name.
fn is(type_: &Type, name: &str) -> bool {
    match type_ {
        Type::Group(group) => is(&group.elem, name),
        Type::Paren(paren) => is(&paren.elem, name),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == name),
        _ => false,
    }
}
