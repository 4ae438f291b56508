//! Writes `impl Aggregate`.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Path, Type};

use super::{Aggregate, Policy, Snapshots, ignored};
use crate::events::AllEvents;
use crate::message;
use crate::subject::{associated, located, moved};

/// The impl, and the `checks` of what only the compiler knows of the events.
pub(super) fn aggregate(aggregate: &Aggregate, checks: bool) -> TokenStream {
    let Aggregate { cqrs, subject, events, ignored, .. } = aggregate;
    let all = AllEvents::of(cqrs, subject, events);
    if ignored.is_empty() || !checks {
        return all.beside(&implement(aggregate, &all, &TokenStream::new()));
    }
    let checks = ignored::checks(cqrs, ignored, &all.type_());
    if subject.is_generic() {
        // Without arguments for the parameters nothing is known: rustc checks where the list is used.
        return all.beside(&implement(aggregate, &all, &checks));
    }
    let implement = implement(aggregate, &all, &TokenStream::new());
    all.beside(&quote!(#implement const _: () = { #checks };))
}

fn implement(aggregate: &Aggregate, all: &AllEvents, checks: &TokenStream) -> TokenStream {
    let Aggregate { cqrs, subject, category, error, ignored, .. } = aggregate;
    let ignored = (!ignored.is_empty()).then(|| {
        quote! {
            const IGNORED: &'static [&'static ::core::primitive::str] = { #checks &[#(#ignored),*] };
        }
    });
    let event = all.type_();
    let event_type = all.associated();
    let dispatch = all.each(|event| apply(cqrs, event));
    let error_type = associated("Error", error);
    let cache = aggregate.cache.map(|most| cache_fn(aggregate, most));
    let snapshots =
        aggregate.snapshots.as_ref().map(|snapshots| snapshots_fn(aggregate, snapshots));
    subject.implement(
        &quote!(#cqrs::Aggregate),
        &bounds(aggregate, all),
        &quote! {
            const CATEGORY: &'static ::core::primitive::str = #category;
            #event_type
            #ignored
            #error_type

            fn dispatch(&mut self, __event: #event) {
                #dispatch
            }

            #snapshots
            #cache
        },
    )
}

fn cache_fn(aggregate: &Aggregate, most: u64) -> TokenStream {
    let cqrs = &aggregate.cqrs;
    let most = Literal::u64_unsuffixed(most);
    // Where rustc points when the state can't be cloned.
    let at = aggregate.subject.span();
    let moved = moved(cqrs, at);
    let cached = quote_spanned!(at=> #moved::Cached::<Self>::most(#most));
    quote! {
        fn cache() -> ::core::option::Option<#cqrs::Cached<Self>> {
            ::core::option::Option::Some(#cached)
        }
    }
}

/// `self.apply(event)`, such that a missing `Apply` is reported at the listed type.
fn apply(cqrs: &Path, event: &Type) -> TokenStream {
    let at = located(event.span());
    let cqrs = moved(cqrs, at);
    quote_spanned!(at=> <Self as #cqrs::Apply<#event>>::apply(self, __event))
}

fn snapshots_fn(aggregate: &Aggregate, Snapshots { policy, shape }: &Snapshots) -> TokenStream {
    let cqrs = &aggregate.cqrs;
    // Where rustc points when the state can't be compared, written or read.
    let at = aggregate.subject.span();
    let moved = moved(cqrs, at);
    let snapshots = match policy {
        Policy::Default => quote_spanned!(at=> #moved::Snapshots::<Self>::by_default(#shape)),
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

fn bounds(aggregate: &Aggregate, all: &AllEvents) -> Vec<TokenStream> {
    let Aggregate { cqrs, serde, subject, events, error, snapshots, cache, .. } = aggregate;
    let mut bounds = vec![quote! {
        Self: ::core::default::Default + ::core::marker::Send + ::core::marker::Sync + 'static
    }];
    bounds.extend(all.bounds());
    bounds.extend(events.iter().map(|event| quote!(Self: #cqrs::Apply<#event>)));
    if subject.is_mentioned(error) {
        bounds.push(message::error_bound(error));
    }
    if cache.is_some() {
        bounds.push(quote!(Self: ::core::clone::Clone));
    }
    if snapshots.is_some() {
        bounds.push(quote! {
            Self: ::core::cmp::PartialEq + #serde::Serialize + #serde::de::DeserializeOwned
        });
    }
    bounds
}
