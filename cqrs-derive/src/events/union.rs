//! Writes the type of all events where several types are listed.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Path, Type};

use super::bounds;
use crate::subject::{Subject, located};
use crate::text::shown;

/// Array lengths can't be computed from types with parameters, so that there the array of all event types has this
/// length and the slice of it that is in use is given out.
const CAPACITY_IF_GENERIC: usize = 256;

/// The type of all events, for `Account` over `AccountEvent` and `Audited`:
///
/// ```text
/// pub struct __AccountEvent(__OneOf<AccountEvent, Audited>, PhantomData<fn() -> Account>);
/// enum __OneOf<E0, E1> { E0(E0), E1(E1) }
/// ```
///
/// The struct hides the enum: listed types may be less visible than the type that lists them.
pub(super) struct Union<'a> {
    cqrs: &'a Path,
    subject: &'a Subject,
    events: &'a [Type],
    ident: Ident,
    /// The variants, and the parameters of the same names that stand for their contents.
    members: Vec<Ident>,
}

impl<'a> Union<'a> {
    pub(super) fn of(cqrs: &'a Path, subject: &'a Subject, events: &'a [Type]) -> Self {
        Self {
            cqrs,
            subject,
            events,
            ident: format_ident!("__{}Event", subject.name),
            members: (0..events.len()).map(|index| format_ident!("E{index}")).collect(),
        }
    }

    /// The type with its impls and the item that uses it, in a block in which nobody else sees the names.
    pub(super) fn beside(&self, item: &TokenStream) -> TokenStream {
        let declaration = self.declaration();
        let conversions = self.conversions();
        let table = self.table();
        let event = self.event();
        quote! {
            const _: () = {
                #declaration
                #conversions
                #table
                #event
                #item
            };
        }
    }

    /// The type, with the parameters of the one that lists the events.
    pub(super) fn type_(&self) -> TokenStream {
        let (_, arguments, _) = self.subject.generics.split_for_impl();
        let ident = &self.ident;
        quote!(#ident #arguments)
    }

    fn declaration(&self) -> TokenStream {
        let Self { subject, events, ident, members, .. } = self;
        let visibility = respanned(subject.visibility.to_token_stream());
        let (parameters, _, _) = subject.generics.split_for_impl();
        let where_clause = subject.where_clause(&[]);
        let self_type = &subject.self_type;
        quote! {
            #visibility struct #ident #parameters (
                __OneOf<#(#events),*>,
                ::core::marker::PhantomData<fn() -> #self_type>,
            ) #where_clause;

            enum __OneOf<#(#members),*> {
                #(#members(#members),)*
            }
        }
    }

    /// `From` each listed type.
    fn conversions(&self) -> TokenStream {
        let subject = self.subject;
        let (parameters, _, _) = subject.generics.split_for_impl();
        let where_clause = subject.where_clause(&[]);
        let type_ = self.type_();
        let impls = self.members.iter().zip(self.events).map(|(member, event)| {
            quote! {
                #[automatically_derived]
                impl #parameters ::core::convert::From<#event> for #type_ #where_clause {
                    fn from(__event: #event) -> Self {
                        Self(__OneOf::#member(__event), ::core::marker::PhantomData)
                    }
                }
            }
        });
        quote!(#(#impls)*)
    }

    fn event(&self) -> TokenStream {
        let Self { cqrs, subject, events, .. } = self;
        let (parameters, _, _) = subject.generics.split_for_impl();
        let self_type = &subject.self_type;
        let mut bounds = bounds(cqrs, subject, events);
        bounds.push(quote!(#self_type: 'static));
        let where_clause = subject.where_clause(&bounds);
        let type_ = self.type_();
        let event_type = self.arms(
            &quote!(ref __event),
            |event| quote!(<#event as #cqrs::Event>::event_type(__event)),
        );
        let encode = self
            .arms(&quote!(ref __event), |event| quote!(<#event as #cqrs::Event>::encode(__event)));
        quote! {
            #[automatically_derived]
            impl #parameters #cqrs::Event for #type_ #where_clause {
                const TYPES: &'static [#cqrs::EventType] = Self::__TYPES;

                fn event_type(&self) -> #cqrs::EventType {
                    match self.0 { #event_type }
                }

                fn encode(&self) -> ::core::result::Result<#cqrs::Payload, #cqrs::EncodeError> {
                    match self.0 { #encode }
                }

                fn decode(
                    __event: &#cqrs::RecordedEvent,
                ) -> ::core::result::Result<#cqrs::Decoded<Self>, #cqrs::DecodeError> {
                    #cqrs::__private::decode_union(
                        __event,
                        const { &[#(#cqrs::__private::UnionMember::<Self>::of::<#events>()),*] },
                    )
                }

                fn describe<__D: #cqrs::__private::Describe>(__to: &mut __D) {
                    #(<#events as #cqrs::Event>::describe(__to);)*
                }
            }
        }
    }

    /// All event types one after the other, and the check that no two have the same name.
    fn table(&self) -> TokenStream {
        let Self { cqrs, subject, events, .. } = self;
        let (parameters, _, _) = subject.generics.split_for_impl();
        let where_clause = subject.where_clause(&bounds(cqrs, subject, events));
        let type_ = self.type_();
        let length = quote!(0 #(+ <#events as #cqrs::Event>::TYPES.len())*);
        let lists = quote!(&[#(<#events as #cqrs::Event>::TYPES),*]);
        let checks = self.checks();
        if subject.is_generic() {
            // Without arguments for the parameters nothing can be computed: rustc checks where the type is used.
            quote! {
                #[automatically_derived]
                impl #parameters #type_ #where_clause {
                    const __ALL: &'static [#cqrs::EventType] = {
                        #checks
                        &#cqrs::__private::concatenate::<#CAPACITY_IF_GENERIC>(#lists)
                    };
                    const __TYPES: &'static [#cqrs::EventType] = Self::__ALL.split_at(#length).0;
                }
            }
        } else {
            quote! {
                const _: () = { #checks };

                #[automatically_derived]
                impl #type_ {
                    const __TYPES: &'static [#cqrs::EventType] =
                        &#cqrs::__private::concatenate::<{ #length }>(#lists);
                }
            }
        }
    }

    fn checks(&self) -> TokenStream {
        let Self { cqrs, events, .. } = self;
        let pairs = events.iter().enumerate().flat_map(|(index, second)| {
            events[..index].iter().map(move |first| {
                let message = format!(
                    "`{}` and `{}` would both be read from events of one stored name, which is the name or an alias of \
                     an event type in one of the two: give one another name with `#[event(name = \"…\")]`, or remove \
                     the `alias` or `from` with that name from the other",
                    in_message(second),
                    in_message(first),
                );
                let at = located(second.span());
                quote_spanned! {at=>
                    if !#cqrs::__private::are_apart(<#first as #cqrs::Event>::TYPES, <#second as #cqrs::Event>::TYPES) {
                        ::core::panic!(#message);
                    }
                }
            })
        });
        quote!(#(#pairs)*)
    }

    /// The arms of a `match` over the variants, with their content bound to `__event`.
    pub(super) fn arms(
        &self,
        binding: &TokenStream,
        body: impl Fn(&Type) -> TokenStream,
    ) -> TokenStream {
        let bodies = self.events.iter().map(body);
        let members = &self.members;
        quote!(#(__OneOf::#members(#binding) => #bodies,)*)
    }
}

/// A type as it stands in a message, with braces as `panic!` wants them.
fn in_message(event: &Type) -> String {
    shown(event).replace('{', "{{").replace('}', "}}")
}

/// The tokens as if the macro had made them: lints that look at the user's code don't look there.
fn respanned(tokens: TokenStream) -> TokenStream {
    let respan = |mut token: TokenTree| {
        token.set_span(Span::call_site());
        token
    };
    tokens.into_iter().map(respan).collect()
}
