//! Writes `impl View`.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Path, Type};

use super::{Column, View, cell};
use crate::events::AllEvents;
use crate::subject::{located, moved};

/// The impl, and the `checks` of what only the compiler knows of the columns.
pub(super) fn view(view: &View, checks: bool) -> TokenStream {
    let all = AllEvents::of(&view.cqrs, &view.subject, &view.events);
    let checks = if checks { self::checks(view) } else { Vec::new() };
    if view.subject.is_generic() {
        // Without arguments for the parameters nothing is known: rustc checks where the table is used.
        return all.beside(&implement(view, &all, &checks));
    }
    let implement = implement(view, &all, &[]);
    all.beside(&quote!(#implement #(const _: () = { #checks };)*))
}

fn implement(view: &View, all: &AllEvents, checks: &[TokenStream]) -> TokenStream {
    let View { cqrs, subject, name, .. } = view;
    let version = Literal::u32_unsuffixed(view.version);
    let table = table(view);
    let event = all.type_();
    let event_type = all.associated();
    let key = key(view);
    let touched = all.each_ref(|event| rows(cqrs, event));
    let fold = all.each_ref(|event| fold(cqrs, event));
    let values = values(view);
    let from_values = from_values(view);
    subject.implement(
        &quote!(#cqrs::View),
        &bounds(view, all),
        &quote! {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: ::core::primitive::u32 = #version;
            const TABLE: #cqrs::Table = { #(#checks)* #table };
            #event_type
            #key

            fn touched(
                __event: &#event,
                __received: &#cqrs::Received<'_>,
            ) -> ::std::vec::Vec<Self::Key> {
                #touched
            }

            fn fold(
                __row: &mut ::core::option::Option<Self>,
                __key: &Self::Key,
                __event: &#event,
                __received: &#cqrs::Received<'_>,
            ) -> ::core::result::Result<(), #cqrs::BoxError> {
                #fold
            }

            #values
            #from_values
        },
    )
}

/// `Self::rows(event, …)`, such that a missing `Fold` is reported at the listed type.
fn rows(cqrs: &Path, event: &Type) -> TokenStream {
    let at = located(event.span());
    let cqrs = moved(cqrs, at);
    quote_spanned! {at=>
        ::core::iter::Iterator::collect(::core::iter::IntoIterator::into_iter(
            <Self as #cqrs::Fold<#event>>::rows(__event, __received),
        ))
    }
}

/// `Self::fold(…, event, …)`, likewise.
fn fold(cqrs: &Path, event: &Type) -> TokenStream {
    let at = located(event.span());
    let cqrs = moved(cqrs, at);
    quote_spanned!(at=> <Self as #cqrs::Fold<#event>>::fold(__row, __key, __event, __received))
}

fn table(View { cqrs, table, columns, key, indexes, document, .. }: &View) -> TokenStream {
    let columns = columns.iter().map(|column| column.info(cqrs));
    let columns = columns.chain(document.then(|| cell::document_info(cqrs)));
    let key = numbers(key);
    let indexes = indexes.iter().map(|index| numbers(index));
    quote! {
        #cqrs::Table {
            name: #table,
            columns: &[#(#columns),*],
            key: #key,
            indexes: &[#(#indexes),*],
        }
    }
}

fn numbers(columns: &[usize]) -> TokenStream {
    let numbers = columns.iter().map(|number| Literal::usize_unsuffixed(*number));
    quote!(&[#(#numbers),*])
}

/// `type Key`, `key` and `key_values`. The key is the value of one field, or a tuple of several.
fn key(View { cqrs, key_span, columns, key, .. }: &View) -> TokenStream {
    let key: Vec<&Column> = key.iter().map(|number| &columns[*number]).collect();
    // Where rustc points when a tuple can't be a key; the type of one field it finds by itself.
    let at = located(*key_span);
    let bindings: Vec<Ident> = (0..key.len()).map(|index| format_ident!("__key{index}")).collect();
    let types = key.iter().map(|column| &column.type_);
    let clones = key.iter().map(|column| {
        let (field, at) = (&column.field, column.span());
        quote_spanned!(at=> ::core::clone::Clone::clone(&self.#field))
    });
    let values =
        key.iter().zip(&bindings).map(|(column, binding)| column.write(cqrs, &quote!(#binding)));
    let values = quote!(::std::vec![#(#values),*]);
    let (types, clones, bind) = if key.len() == 1 {
        (quote!(#(#types)*), quote!(#(#clones)*), quote!(#(let #bindings = __key;)*))
    } else {
        let types = quote_spanned!(at=> (#(#types),*));
        (types, quote!((#(#clones),*)), quote!(let (#(ref #bindings),*) = *__key;))
    };
    let key_type = quote_spanned!(at=> type Key = #types;);
    quote! {
        #key_type

        fn key(&self) -> Self::Key {
            #clones
        }

        fn key_values(
            __key: &Self::Key,
        ) -> ::core::result::Result<::std::vec::Vec<#cqrs::Value<'_>>, #cqrs::ColumnError> {
            #bind
            ::core::result::Result::Ok(#values)
        }
    }
}

fn values(View { cqrs, subject, columns, document, .. }: &View) -> TokenStream {
    let values = columns.iter().map(|column| {
        let (field, at) = (&column.field, column.span());
        column.write(cqrs, &quote_spanned!(at=> &self.#field))
    });
    let values = values.chain(document.then(|| cell::write_document(cqrs, subject)));
    quote! {
        fn values(
            &self,
        ) -> ::core::result::Result<::std::vec::Vec<#cqrs::Value<'_>>, #cqrs::ColumnError> {
            ::core::result::Result::Ok(::std::vec![#(#values),*])
        }
    }
}

fn from_values(View { cqrs, subject, columns, document, .. }: &View) -> TokenStream {
    let (bindings, row) = if *document {
        let ignored = columns.iter().map(|_| quote!(_));
        let row = cell::read_document(cqrs, subject, &quote!(__document));
        (quote!(#(#ignored,)* __document), row)
    } else {
        let bindings = (0..columns.len()).map(|index| format_ident!("__value{index}"));
        let bindings: Vec<Ident> = bindings.collect();
        let fields = columns.iter().zip(&bindings).map(|(column, binding)| {
            let (field, value) = (&column.field, column.read(cqrs, &quote!(#binding)));
            quote!(#field: #value)
        });
        (quote!(#(#bindings),*), quote!(::core::result::Result::Ok(Self { #(#fields),* })))
    };
    let count = Literal::usize_unsuffixed(columns.len() + usize::from(*document));
    let wrong = format!("a row of {count} columns can't be made of {{}} values");
    quote! {
        fn from_values(
            __values: ::std::vec::Vec<#cqrs::Value<'_>>,
        ) -> ::core::result::Result<Self, #cqrs::ColumnError> {
            let [#bindings] = ::core::result::Result::map_err(
                <[#cqrs::Value<'_>; #count] as ::core::convert::TryFrom<_>>::try_from(__values),
                |__values: ::std::vec::Vec<#cqrs::Value<'_>>| {
                    #cqrs::ColumnError::new(::std::format!(#wrong, __values.len()))
                },
            )?;
            #row
        }
    }
}

/// Refuses what a type that is a `Column` can hide: a key that may be null, and values without an order.
fn checks(View { cqrs, columns, key, indexes, .. }: &View) -> Vec<TokenStream> {
    const UNORDERED: &str = "it is stored as JSON, and documents have no order";
    let real = quote!((#cqrs::ColumnType::Real, _));
    let json = quote!((#cqrs::ColumnType::Json, _));
    let keys = key.iter().flat_map(|number| {
        let column = &columns[*number];
        let nullable = column.refuse(cqrs, &quote!((_, true)), "can't be a key: it may be null");
        let real = column.refuse(
            cqrs,
            &real,
            "can't be a key: it is a floating-point number, which does not always equal itself",
        );
        let json = column.refuse(cqrs, &json, &format!("can't be a key: {UNORDERED}"));
        [nullable, real, json]
    });
    let is_indexed = |number: &usize| indexes.iter().any(|index| index.contains(number));
    let indexed = columns.iter().enumerate().filter(|(number, _)| is_indexed(number));
    let indexed = indexed.map(|(_, column)| {
        column.refuse(cqrs, &json, &format!("can't have an index: {UNORDERED}"))
    });
    keys.chain(indexed).collect()
}

/// Without `Self: Fold<…>`: that would say `Self: View` as well, from where `Self::Event` could be any type.
fn bounds(view: &View, all: &AllEvents) -> Vec<TokenStream> {
    let View { cqrs, serde, subject, columns, key, document, .. } = view;
    let json = quote!(#serde::Serialize + #serde::de::DeserializeOwned);
    let mut bounds = vec![quote! {
        Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static
    }];
    bounds.extend(all.bounds());
    for (number, Column { type_, json: is_json, .. }) in columns.iter().enumerate() {
        if !subject.is_mentioned(type_) {
            continue;
        }
        bounds.push(match is_json {
            true => quote!(#type_: #json),
            false => quote!(#type_: #cqrs::Column),
        });
        if key.contains(&number) {
            bounds.push(quote! {
                #type_: ::core::clone::Clone + ::core::cmp::Ord + ::core::hash::Hash + ::core::fmt::Debug
                    + ::core::marker::Send + ::core::marker::Sync + 'static
            });
        }
    }
    if *document {
        bounds.push(quote!(Self: #json));
    }
    bounds
}
