//! Writes `impl Query`.

use proc_macro2::TokenStream;
use quote::quote;

use super::Query;
use crate::message;
use crate::subject::associated;

pub(super) fn query(query: &Query) -> TokenStream {
    let Query { cqrs, subject, name, output, error } = query;
    let output_type = associated("Output", output);
    let error_type = associated("Error", error);
    subject.implement(
        &quote!(#cqrs::Query),
        &message::bounds(subject, output, error),
        &quote! {
            const NAME: &'static ::core::primitive::str = #name;
            #output_type
            #error_type
        },
    )
}
