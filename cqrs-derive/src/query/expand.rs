//! Writes `impl Query`.

use proc_macro2::TokenStream;
use quote::quote;

use super::Query;
use crate::message;

pub(super) fn query(query: &Query) -> TokenStream {
    let Query { cqrs, subject, name, output, error } = query;
    subject.implement(
        &quote!(#cqrs::Query),
        &message::bounds(subject, output, error),
        &quote! {
            const NAME: &'static ::core::primitive::str = #name;
            type Output = #output;
            type Error = #error;
        },
    )
}
