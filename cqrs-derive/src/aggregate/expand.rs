//! Writes `impl Aggregate`.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::{Aggregate, Policy, Snapshots, union};
use crate::message;
use crate::subject::located;

pub(super) fn aggregate(aggregate: &Aggregate) -> TokenStream {
    match &*aggregate.events {
        [event] => {
            let dispatch = apply(aggregate, event, &quote!(__event));
            implement(aggregate, &quote!(#event), &dispatch)
        }
        _ => union::aggregate(aggregate),
    }
}

/// `self.apply(event)`, such that a missing `Apply` is reported at the listed type.
pub(super) fn apply(aggregate: &Aggregate, event: &Type, value: &TokenStream) -> TokenStream {
    let cqrs = &aggregate.cqrs;
    let at = located(event.span());
    quote_spanned!(at=> <Self as #cqrs::Apply<#event>>::apply(self, #value))
}

pub(super) fn implement(
    aggregate: &Aggregate,
    event: &TokenStream,
    dispatch: &TokenStream,
) -> TokenStream {
    let Aggregate { cqrs, subject, category, error, .. } = aggregate;
    let snapshots =
        aggregate.snapshots.as_ref().map(|snapshots| snapshots_fn(aggregate, snapshots));
    subject.implement(
        &quote!(#cqrs::Aggregate),
        &bounds(aggregate),
        &quote! {
            const CATEGORY: &'static ::core::primitive::str = #category;
            type Event = #event;
            type Error = #error;

            fn dispatch(&mut self, __event: <Self as #cqrs::Aggregate>::Event) {
                #dispatch
            }

            #snapshots
        },
    )
}

fn snapshots_fn(aggregate: &Aggregate, Snapshots { policy, shape }: &Snapshots) -> TokenStream {
    let cqrs = &aggregate.cqrs;
    // Where rustc points when the state can't be compared, written or read.
    let at = aggregate.subject.span();
    let snapshots = match policy {
        Policy::EveryEvents(events) => {
            let events = Literal::u64_unsuffixed(*events);
            quote_spanned!(at=> #cqrs::Snapshots::<Self>::every(#events, #shape))
        }
        Policy::ReplayLongerThanMillis(millis) => {
            let millis = Literal::u64_unsuffixed(*millis);
            quote_spanned! {at=>
                #cqrs::Snapshots::<Self>::when_replay_exceeds(
                    ::core::time::Duration::from_millis(#millis),
                    #shape,
                )
            }
        }
    };
    quote! {
        fn snapshots() -> ::core::option::Option<#cqrs::Snapshots<Self>> {
            ::core::option::Option::Some(#snapshots)
        }
    }
}

fn bounds(aggregate: &Aggregate) -> Vec<TokenStream> {
    let Aggregate { cqrs, serde, subject, events, error, snapshots, .. } = aggregate;
    let mut bounds = vec![quote! {
        Self: ::core::default::Default + ::core::marker::Send + ::core::marker::Sync + 'static
    }];
    bounds.extend(event_bounds(aggregate));
    bounds.extend(events.iter().map(|event| quote!(Self: #cqrs::Apply<#event>)));
    if subject.is_mentioned(error) {
        bounds.push(message::error_bound(error));
    }
    if snapshots.is_some() {
        bounds.push(quote! {
            Self: ::core::cmp::PartialEq + #serde::Serialize + #serde::de::DeserializeOwned
        });
    }
    bounds
}

/// What the listed types with parameters must be.
pub(super) fn event_bounds(aggregate: &Aggregate) -> Vec<TokenStream> {
    let cqrs = &aggregate.cqrs;
    let generic = |event: &&Type| aggregate.subject.is_mentioned(event);
    let events = aggregate.events.iter().filter(generic);
    events.map(|event| quote!(#event: #cqrs::Event)).collect()
}
