//! Writes `impl Aggregate`.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::{Aggregate, Policy, Snapshots, union};
use crate::message;
use crate::subject::{associated, located, moved};

pub(super) fn aggregate(aggregate: &Aggregate) -> TokenStream {
    match &*aggregate.events {
        [event] => {
            let dispatch = apply(aggregate, event, &quote!(__event));
            implement(aggregate, &quote!(#event), &associated("Event", event), &dispatch)
        }
        _ => union::aggregate(aggregate),
    }
}

/// `self.apply(event)`, such that a missing `Apply` is reported at the listed type.
pub(super) fn apply(aggregate: &Aggregate, event: &Type, value: &TokenStream) -> TokenStream {
    let at = located(event.span());
    let cqrs = moved(&aggregate.cqrs, at);
    quote_spanned!(at=> <Self as #cqrs::Apply<#event>>::apply(self, #value))
}

/// `impl Aggregate`, with events of type `event`, which `associated_event` declares.
pub(super) fn implement(
    aggregate: &Aggregate,
    event: &TokenStream,
    associated_event: &TokenStream,
    dispatch: &TokenStream,
) -> TokenStream {
    let Aggregate { cqrs, subject, category, error, .. } = aggregate;
    let snapshots =
        aggregate.snapshots.as_ref().map(|snapshots| snapshots_fn(aggregate, snapshots));
    let error_type = associated("Error", error);
    subject.implement(
        &quote!(#cqrs::Aggregate),
        &bounds(aggregate),
        &quote! {
            const CATEGORY: &'static ::core::primitive::str = #category;
            #associated_event
            #error_type

            fn dispatch(&mut self, __event: #event) {
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
    let moved = moved(cqrs, at);
    let snapshots = match policy {
        Policy::EveryEvents(events) => {
            let events = Literal::u64_unsuffixed(*events);
            quote_spanned!(at=> #moved::Snapshots::<Self>::every(#events, #shape))
        }
        Policy::ReplayLongerThanMillis(millis) => {
            let millis = Literal::u64_unsuffixed(*millis);
            quote_spanned! {at=>
                #moved::Snapshots::<Self>::when_replay_exceeds(
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
