//! Writes `impl Event`.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, Path};

use super::{Event, EventType, Shape, Written, links};
use crate::describe;
use crate::subject::{located, moved};

pub(super) fn event(event: &Event) -> TokenStream {
    let Event { cqrs, serde, shape, .. } = event;
    let sent = quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static);
    let types = shape.types();
    let mut bounds = vec![sent];
    let is_written = types.iter().any(|known| !matches!(known.history.written, Written::Never(_)));
    match shape {
        Shape::Empty(_) => {}
        Shape::Struct(_) if !is_written => bounds.push(quote!(Self: #serde::de::DeserializeOwned)),
        Shape::Struct(_) | Shape::Enum(_) => {
            bounds.push(quote!(Self: #serde::Serialize + #serde::de::DeserializeOwned));
        }
    }
    bounds.extend(links::bounds(event, &types));
    let index = match shape {
        Shape::Empty(_) | Shape::Struct(_) => quote!(0),
        Shape::Enum(variants) => {
            let arms = variants.iter().enumerate().map(|(index, (variant, _))| {
                let index = Literal::usize_unsuffixed(index);
                quote!(Self::#variant { .. } => #index,)
            });
            quote!(match self { #(#arms)* })
        }
    };
    let codec = Codec {
        event_type: of_index(cqrs, &index),
        encode: encode(event),
        decode: decode(event, &types),
    };
    let describe = describe::describe(cqrs, &event.described);
    let emitted = emitted(event);
    implement(event, &bounds, &types, &codec, &quote!(#describe #emitted))
}

/// Refuses to be emitted: a struct that is retired. Of an enum only the value tells which variant it is.
fn emitted(event: &Event) -> Option<TokenStream> {
    let (Shape::Empty(known) | Shape::Struct(known)) = &event.shape else { return None };
    let Written::Never(retired) = &known.history.written else { return None };
    let message = format!(
        "`{}` is retired: it is only read, and can't be emitted; emit another event, or remove `retired`",
        event.subject.name,
    );
    let panic = quote_spanned!(located(*retired)=> ::core::panic!(#message));
    Some(quote!(const EMITTED: () = #panic;))
}

/// An impl that does nothing, beside errors: what uses the type as an event gives no errors of its own.
pub(super) fn stub(event: &Event) -> TokenStream {
    let nothing = quote!(::core::unimplemented!());
    let sent = quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static);
    let codec = Codec { event_type: nothing.clone(), encode: nothing.clone(), decode: nothing };
    implement(event, &[sent], &[], &codec, &TokenStream::new())
}

impl Shape {
    fn types(&self) -> Vec<&EventType> {
        match self {
            Self::Empty(event_type) | Self::Struct(event_type) => vec![event_type],
            Self::Enum(variants) => variants.iter().map(|(_, event_type)| event_type).collect(),
        }
    }
}

/// The bodies of the methods.
struct Codec {
    event_type: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

fn of_index(cqrs: &Path, index: &TokenStream) -> TokenStream {
    quote!(<Self as #cqrs::Event>::TYPES[#index])
}

fn encode(event: &Event) -> TokenStream {
    let Event { cqrs, shape, .. } = event;
    // Where rustc points when the type has no `Serialize`.
    let at = event.subject.span();
    let moved = moved(cqrs, at);
    match shape {
        Shape::Empty(known) => {
            let unit = quote!(::core::result::Result::Ok(#cqrs::__private::encode_unit()));
            written(cqrs, known, 0, &unit)
        }
        Shape::Struct(known) => {
            written(cqrs, known, 0, &quote_spanned!(at=> #moved::__private::encode_struct(self)))
        }
        Shape::Enum(variants) => {
            let as_it_is = quote_spanned!(at=> #moved::__private::encode_variant(self));
            let is_plain =
                |(_, known): &&(Ident, EventType)| matches!(known.history.written, Written::AsItIs);
            let plain = variants.iter().filter(is_plain).map(|(variant, _)| variant);
            let plain: Vec<&Ident> = plain.collect();
            if plain.len() == variants.len() {
                return as_it_is;
            }
            let others = variants.iter().enumerate().filter(|(_, variant)| !is_plain(variant));
            let arms = others.map(|(index, (variant, known))| {
                let body = written(cqrs, known, index, &as_it_is);
                quote!(Self::#variant { .. } => #body,)
            });
            let plain = (!plain.is_empty()).then(|| quote!(#(Self::#plain { .. })|* => #as_it_is,));
            quote!(match self { #(#arms)* #plain })
        }
    }
}

/// The payload as it is written to the store.
fn written(cqrs: &Path, known: &EventType, index: usize, as_it_is: &TokenStream) -> TokenStream {
    match &known.history.written {
        Written::AsItIs => as_it_is.clone(),
        Written::Never(_) => {
            let event_type = of_index(cqrs, &quote!(#index));
            quote!(#cqrs::__private::encode_retired(#event_type))
        }
        Written::Earlier(_, steps) => quote! {
            ::core::result::Result::and_then(
                #as_it_is,
                |__payload| #cqrs::__private::downcast(&__payload, &[#(#steps),*]),
            )
        },
    }
}

fn decode(event: &Event, types: &[&EventType]) -> TokenStream {
    let Event { cqrs, subject, shape, .. } = event;
    // Where rustc points when the type has no `Deserialize`.
    let at = subject.span();
    let histories = links::histories(cqrs, types, at);
    let moved = moved(cqrs, at);
    let decode = match shape {
        Shape::Empty(_) => {
            return quote!(#cqrs::__private::decode_unit(__event, #histories, || Self {}));
        }
        Shape::Struct(_) => quote_spanned!(at=> #moved::__private::decode_struct),
        Shape::Enum(_) => quote_spanned!(at=> #moved::__private::decode_variant),
    };
    quote_spanned!(at=> #decode(__event, #histories))
}

fn implement(
    event: &Event,
    bounds: &[TokenStream],
    types: &[&EventType],
    codec: &Codec,
    further: &TokenStream,
) -> TokenStream {
    let Event { cqrs, subject, .. } = event;
    let types = types.iter().map(|known| links::event_type(cqrs, known));
    let Codec { event_type, encode, decode } = codec;
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
            ) -> ::core::result::Result<#cqrs::Decoded<Self>, #cqrs::DecodeError> {
                #decode
            }

            #further
        },
    )
}
