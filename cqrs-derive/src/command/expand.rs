//! Writes `impl Command` and `impl AggregateCommand`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::{Command, Id, Route};
use crate::message;
use crate::subject::located;

pub(super) fn command(command: &Command) -> TokenStream {
    match &command.route {
        Route::Handler { outcome, error } => {
            let bounds = message::bounds(&command.subject, outcome, error);
            implement(command, &bounds, &quote!(#outcome), &quote!(#error), &quote!(ToHandler))
        }
        Route::Aggregate { aggregate, id } => of_aggregate(command, aggregate, id),
    }
}

fn of_aggregate(command: &Command, aggregate: &Type, id: &Id) -> TokenStream {
    let Command { cqrs, subject, .. } = command;
    let bounds = [
        quote!(Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static),
        quote!(#aggregate: #cqrs::Handle<Self>),
    ];
    let mut tokens = implement(
        command,
        &bounds,
        &quote!(#cqrs::Committed),
        &quote!(<#aggregate as #cqrs::Aggregate>::Error),
        &quote!(ToAggregate),
    );
    let key = match id {
        Id::Field(field) => {
            // Where rustc points when the field has no text form.
            let at = located(field.span());
            quote_spanned!(at=> &self.#field)
        }
        Id::Unknown => quote!(""),
    };
    tokens.extend(subject.implement(
        &quote!(#cqrs::AggregateCommand),
        &bounds,
        &quote! {
            type Aggregate = #aggregate;

            fn stream_key(&self) -> impl #cqrs::StreamKey + '_ {
                #key
            }
        },
    ));
    tokens
}

fn implement(
    command: &Command,
    bounds: &[TokenStream],
    outcome: &TokenStream,
    error: &TokenStream,
    route: &TokenStream,
) -> TokenStream {
    let Command { cqrs, subject, name, .. } = command;
    subject.implement(
        &quote!(#cqrs::Command),
        bounds,
        &quote! {
            const NAME: &'static ::core::primitive::str = #name;
            type Outcome = #outcome;
            type Error = #error;
            type Route = #cqrs::__private::#route;
        },
    )
}
