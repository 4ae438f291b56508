//! Writes `impl Upcast`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::Upcast;
use crate::subject::{associated, located, moved};

pub(super) fn upcast(upcast: &Upcast) -> TokenStream {
    let Upcast { cqrs, into, next, may_fail, .. } = upcast;
    // Where rustc points when there is no conversion.
    let at = located(into.span());
    let cqrs = moved(cqrs, at);
    let decoded =
        quote_spanned!(at=> <#cqrs::Decoded<#next> as ::core::convert::From<#into>>::from);
    let (bound, body) = if *may_fail {
        let bound = quote! {
            #into: ::core::convert::TryFrom<Self, Error: ::core::convert::Into<#cqrs::BoxError>>
        };
        let body = quote_spanned! {at=>
            match <#into as ::core::convert::TryFrom<Self>>::try_from(self) {
                ::core::result::Result::Ok(__next) => ::core::result::Result::Ok(#decoded(__next)),
                ::core::result::Result::Err(__error) => {
                    ::core::result::Result::Err(::core::convert::Into::into(__error))
                }
            }
        };
        (bound, body)
    } else {
        let bound = quote!(#into: ::core::convert::From<Self>);
        let body = quote_spanned! {at=>
            ::core::result::Result::Ok(#decoded(<#into as ::core::convert::From<Self>>::from(self)))
        };
        (bound, body)
    };
    implement(upcast, &[bound], &body)
}

/// An impl that does nothing, beside errors: what uses the type as a shape gives no errors of its own.
pub(super) fn stub(upcast: &Upcast) -> TokenStream {
    implement(upcast, &[], &quote!(::core::unimplemented!()))
}

fn implement(upcast: &Upcast, bounds: &[TokenStream], body: &TokenStream) -> TokenStream {
    let Upcast { cqrs, serde, subject, next, .. } = upcast;
    // Where rustc points when the type can't be read.
    let cqrs = moved(cqrs, subject.span());
    let next_type = associated("Next", next);
    let mut all = vec![quote!(Self: #serde::de::DeserializeOwned)];
    all.extend_from_slice(bounds);
    subject.implement(
        &quote_spanned!(subject.span()=> #cqrs::Upcast),
        &all,
        &quote! {
            #next_type

            fn upcast(
                self,
                _: &#cqrs::RecordedEvent,
            ) -> ::core::result::Result<#cqrs::Decoded<#next>, #cqrs::BoxError> {
                #body
            }
        },
    )
}
