//! Writes what is done with one column, such that what rustc says of its type is said at the field.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned as _;

use super::{Column, DOCUMENT};
use crate::subject::{Subject, located, moved};

impl Column {
    /// Where rustc points.
    pub(super) fn span(&self) -> Span {
        located(self.type_.span())
    }

    /// The type as a `Column`.
    fn as_column(&self, cqrs: &Path) -> TokenStream {
        let (type_, at) = (&self.type_, self.span());
        let cqrs = moved(cqrs, at);
        quote_spanned!(at=> <#type_ as #cqrs::Column>)
    }

    /// Its `ColumnInfo`.
    pub(super) fn info(&self, cqrs: &Path) -> TokenStream {
        if self.json {
            return json_info(cqrs, &self.name);
        }
        let (name, at, as_column) = (&self.name, self.span(), self.as_column(cqrs));
        let cqrs = moved(cqrs, at);
        quote_spanned! {at=>
            #cqrs::ColumnInfo {
                name: #name,
                column_type: #as_column::TYPE,
                nullable: #as_column::NULLABLE,
            }
        }
    }

    /// Its `Value`, of a reference to what the field holds.
    pub(super) fn write(&self, cqrs: &Path, reference: &TokenStream) -> TokenStream {
        let (type_, at, as_column) = (&self.type_, self.span(), self.as_column(cqrs));
        let cqrs = moved(cqrs, at);
        let value = if self.json {
            quote_spanned!(at=> #cqrs::__private::json_value::<#type_>(#reference))
        } else {
            quote_spanned!(at=> #as_column::to_value(#reference))
        };
        of_column(&cqrs, at, &value, &self.name)
    }

    /// What the field holds, of its `Value`.
    pub(super) fn read(&self, cqrs: &Path, value: &TokenStream) -> TokenStream {
        let (type_, at, as_column) = (&self.type_, self.span(), self.as_column(cqrs));
        let cqrs = moved(cqrs, at);
        let read = if self.json {
            quote_spanned!(at=> #cqrs::__private::from_json_value::<#type_>(&#value))
        } else {
            quote_spanned!(at=> #as_column::from_value(#value))
        };
        of_column(&cqrs, at, &read, &self.name)
    }

    /// Panics with a message that names the field, if type and `NULLABLE` are of this pattern.
    pub(super) fn refuse(&self, cqrs: &Path, pattern: &TokenStream, message: &str) -> TokenStream {
        let (at, as_column) = (self.span(), self.as_column(cqrs));
        let message = format!("`{}` {message}", self.field);
        quote_spanned! {at=>
            if ::core::matches!((#as_column::TYPE, #as_column::NULLABLE), #pattern) {
                ::core::panic!(#message);
            }
        }
    }
}

fn json_info(cqrs: &Path, name: &str) -> TokenStream {
    quote! {
        #cqrs::ColumnInfo { name: #name, column_type: #cqrs::ColumnType::Json, nullable: false }
    }
}

/// The `ColumnInfo` of the column that holds the whole row.
pub(super) fn document_info(cqrs: &Path) -> TokenStream {
    json_info(cqrs, DOCUMENT)
}

/// The `Value` of the column that holds the whole row.
pub(super) fn write_document(cqrs: &Path, subject: &Subject) -> TokenStream {
    let at = subject.span();
    let cqrs = moved(cqrs, at);
    let value = quote_spanned!(at=> #cqrs::__private::json_value::<Self>(self));
    of_column(&cqrs, at, &value, DOCUMENT)
}

/// The result of reading the row, of the `Value` of the column that holds all of it.
pub(super) fn read_document(cqrs: &Path, subject: &Subject, value: &TokenStream) -> TokenStream {
    let at = subject.span();
    let cqrs = moved(cqrs, at);
    let read = quote_spanned!(at=> #cqrs::__private::from_json_value::<Self>(&#value));
    named(&cqrs, at, &read, DOCUMENT)
}

/// What the result is if it is no error; the error is given the name of the column.
fn of_column(cqrs: &TokenStream, at: Span, result: &TokenStream, column: &str) -> TokenStream {
    let named = named(cqrs, at, result, column);
    quote_spanned!(at=> #named?)
}

/// The result, with the name of the column in its error.
fn named(cqrs: &TokenStream, at: Span, result: &TokenStream, column: &str) -> TokenStream {
    quote_spanned! {at=>
        ::core::result::Result::map_err(#result, |__error| #cqrs::ColumnError::of(__error, #column))
    }
}
