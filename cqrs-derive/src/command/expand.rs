//! Writes `impl Command` and `impl AggregateCommand`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::{Command, Id, Route, Variant};
use crate::describe;
use crate::message;
use crate::subject::{associated, located, moved};

pub(super) fn command(command: &Command) -> TokenStream {
    match &command.route {
        Route::Handler { outcome, error } => {
            let cqrs = &command.cqrs;
            let bounds = message::bounds(&command.subject, outcome, error);
            implement(
                command,
                &bounds,
                &associated("Outcome", outcome),
                &associated("Error", error),
                &quote!(type Route = #cqrs::__private::ToHandler;),
            )
        }
        Route::Aggregate { aggregate, id } => of_aggregate(command, aggregate, id.as_ref()),
    }
}

fn of_aggregate(command: &Command, aggregate: &Type, id: Option<&Id>) -> TokenStream {
    let Command { cqrs, subject, variants, .. } = command;
    let mut bounds = vec![
        quote!(Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static),
        quote!(#aggregate: #cqrs::Handle<Self>),
    ];
    if let Some(Id { type_, .. }) = id
        && subject.is_mentioned(type_)
    {
        bounds.push(quote!(#type_: ::core::fmt::Display));
    }
    // Where rustc points when the aggregate is none, or does not handle the command.
    let at = located(aggregate.span());
    let moved_cqrs = moved(cqrs, at);
    let mut tokens = implement(
        command,
        &bounds,
        &quote!(type Outcome = #cqrs::Committed;),
        &quote_spanned!(at=> type Error = <#aggregate as #moved_cqrs::Aggregate>::Error;),
        &quote_spanned!(at=> type Route = #moved_cqrs::__private::ToAggregate;),
    );
    // Where rustc points when the field has no text form.
    let at = id.map_or_else(Span::call_site, |Id { field, .. }| located(field.span()));
    let moved_cqrs = moved(cqrs, at);
    let key = match id {
        None => quote!(""),
        Some(Id { field, .. }) if variants.is_empty() => {
            quote_spanned!(at=> &self.#field)
        }
        Some(Id { field, .. }) => {
            let variants = variants.iter().map(|variant| &variant.ident);
            quote_spanned!(at=> match self { #(Self::#variants { #field: __key, .. })|* => __key })
        }
    };
    let aggregate_type = associated("Aggregate", aggregate);
    let stream_key = quote_spanned! {at=>
        fn stream_key(&self) -> impl #moved_cqrs::StreamKey + '_ {
            #key
        }
    };
    let is_likely_new = is_likely_new(command);
    tokens.extend(subject.implement(
        &quote!(#cqrs::AggregateCommand),
        &bounds,
        &quote!(#aggregate_type #stream_key #is_likely_new),
    ));
    tokens
}

/// Says so of a struct, or of some variants; nothing where it is said of none.
fn is_likely_new(command: &Command) -> Option<TokenStream> {
    let new: Vec<_> = command.variants.iter().filter(|variant| variant.is_likely_new).collect();
    let is_likely_new = if command.is_likely_new {
        quote!(true)
    } else if new.is_empty() {
        return None;
    } else {
        let new = new.into_iter().map(|variant| &variant.ident);
        quote!(::core::matches!(self, #(Self::#new { .. })|*))
    };
    Some(quote! {
        fn is_likely_new(&self) -> ::core::primitive::bool {
            #is_likely_new
        }
    })
}

fn implement(
    command: &Command,
    bounds: &[TokenStream],
    outcome: &TokenStream,
    error: &TokenStream,
    route: &TokenStream,
) -> TokenStream {
    let Command { cqrs, subject, name, variants, .. } = command;
    let name_of_variant = (!variants.is_empty()).then(|| {
        let arms = variants
            .iter()
            .map(|Variant { ident, name, .. }| quote!(Self::#ident { .. } => #name,));
        quote! {
            fn name(&self) -> &'static ::core::primitive::str {
                match self { #(#arms)* }
            }
        }
    });
    let describe = describe::describe(cqrs, &command.described);
    subject.implement(
        &quote!(#cqrs::Command),
        bounds,
        &quote! {
            const NAME: &'static ::core::primitive::str = #name;
            #outcome
            #error
            #route
            #name_of_variant
            #describe
        },
    )
}
