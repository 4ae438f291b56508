//! Writes `impl Event`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;

use super::{Event, EventType, Shape};
use crate::subject::moved;

pub(super) fn event(event: &Event) -> TokenStream {
    let Event { cqrs, serde, .. } = event;
    // Where rustc points when the type has no `Serialize` or `Deserialize`.
    let at = event.subject.span();
    let moved = moved(cqrs, at);
    let stored = quote!(Self: #serde::Serialize + #serde::de::DeserializeOwned);
    let sent = quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static);
    match &event.shape {
        Shape::Empty(event_type) => implement(
            event,
            &[sent],
            &[event_type],
            &of_index(cqrs, &quote!(0)),
            &quote!(::core::result::Result::Ok(#cqrs::__private::encode_unit())),
            &quote!(#cqrs::__private::decode_unit(__event, Self {})),
        ),
        Shape::Struct(event_type) => implement(
            event,
            &[sent, stored],
            &[event_type],
            &of_index(cqrs, &quote!(0)),
            &quote_spanned!(at=> #moved::__private::encode_struct(self)),
            &quote_spanned!(at=> #moved::__private::decode_struct(__event)),
        ),
        Shape::Enum(variants) => {
            let types: Vec<&EventType> =
                variants.iter().map(|(_, event_type)| event_type).collect();
            let arms = variants.iter().enumerate().map(|(index, (variant, _))| {
                let index = proc_macro2::Literal::usize_unsuffixed(index);
                quote!(Self::#variant { .. } => #index,)
            });
            implement(
                event,
                &[sent, stored],
                &types,
                &of_index(cqrs, &quote!(match self { #(#arms)* })),
                &quote_spanned!(at=> #moved::__private::encode_variant(self)),
                &quote_spanned!(at=> #moved::__private::decode_variant(__event)),
            )
        }
    }
}

fn of_index(cqrs: &Path, index: &TokenStream) -> TokenStream {
    quote!(<Self as #cqrs::Event>::TYPES[#index])
}

/// An impl that does nothing, beside errors: what uses the type as an event gives no errors of its own.
pub(super) fn stub(event: &Event) -> TokenStream {
    let nothing = quote!(::core::unimplemented!());
    let sent = quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static);
    implement(event, &[sent], &[], &nothing, &nothing, &nothing)
}

fn implement(
    event: &Event,
    bounds: &[TokenStream],
    types: &[&EventType],
    event_type: &TokenStream,
    encode: &TokenStream,
    decode: &TokenStream,
) -> TokenStream {
    let Event { cqrs, subject, .. } = event;
    let types = types.iter().map(|EventType { name, version }| {
        let version = proc_macro2::Literal::u32_unsuffixed(*version);
        quote!(#cqrs::EventType::new(#name, #version))
    });
    subject.implement(
        &quote!(#cqrs::Event),
        bounds,
        &quote! {
            const TYPES: &'static [#cqrs::EventType] = &[#(#types),*];

            fn event_type(&self) -> #cqrs::EventType {
                #event_type
            }

            fn encode(&self) -> ::core::result::Result<#cqrs::Payload, #cqrs::EncodeError> {
                #encode
            }

            fn decode(
                __event: &#cqrs::RecordedEvent,
            ) -> ::core::result::Result<Self, #cqrs::DecodeError> {
                #decode
            }
        },
    )
}
