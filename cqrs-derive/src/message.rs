//! What commands and queries have in common.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{LitStr, Type, parse_quote};

use crate::errors::Errors;
use crate::names::{self, MAX_EVENT_TYPE_BYTES};
use crate::subject::Subject;

/// The name in traces, metrics and errors: that of the type or variant, unless it is given.
pub(crate) fn name(given: Option<&LitStr>, default: &str, errors: &mut Errors) -> String {
    let Some(given) = given else {
        return default.to_owned();
    };
    let name = given.value();
    if let Some(problem) = names::problem(&name, MAX_EVENT_TYPE_BYTES) {
        errors.at(
            given,
            format_args!(
                "{name:?} can't be a name in metrics: {problem}; write a name like `name = {default:?}`, or leave it \
                 out"
            ),
        );
    }
    name
}

/// The error of what can't fail.
pub(crate) fn infallible() -> Type {
    parse_quote!(::core::convert::Infallible)
}

/// The bounds of the impl for a generic message.
pub(crate) fn bounds(subject: &Subject, output: &Type, error: &Type) -> Vec<TokenStream> {
    let mut bounds = vec![
        quote!(Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static),
    ];
    if subject.is_mentioned(output) {
        bounds.push(quote!(#output: ::core::marker::Send + 'static));
    }
    if subject.is_mentioned(error) {
        bounds.push(error_bound(error));
    }
    bounds
}

/// What the error of an aggregate, a command or a query must be.
pub(crate) fn error_bound(error: &Type) -> TokenStream {
    quote!(#error: ::core::error::Error + ::core::marker::Send + ::core::marker::Sync + 'static)
}
