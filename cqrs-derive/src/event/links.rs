//! Writes the steps of upcasters: as they are listed, and as they are carried out.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Path, Type};

use super::{Event, EventType, History, Source, Step, Written};
use crate::subject::{located, moved};
use crate::text::shown;

/// The expression for an `EventType`.
pub(super) fn event_type(cqrs: &Path, event_type: &EventType) -> TokenStream {
    let EventType { name, aliases, history } = event_type;
    let version = Literal::u32_unsuffixed(history.version);
    let mut expression = quote!(#cqrs::EventType::new(#name, #version));
    if !aliases.is_empty() {
        expression.extend(quote!(.aliases(&[#(#aliases),*])));
    }
    let steps = listed(cqrs, event_type);
    if !steps.is_empty() {
        expression.extend(quote!(.steps(&[#(#steps),*])));
    }
    match &history.written {
        Written::AsItIs => {}
        Written::Earlier(version, _) => {
            let version = Literal::u32_unsuffixed(*version);
            expression.extend(quote!(.written_at(#version)));
        }
        Written::Never(_) => expression.extend(quote!(.retired())),
    }
    expression
}

/// The `UpcastStep`s: its own, and then those of the other stored names.
fn listed(cqrs: &Path, EventType { name, history, .. }: &EventType) -> Vec<TokenStream> {
    let History { version, steps, sources, .. } = history;
    let own = listed_of(cqrs, name, steps, (name, *version));
    let others = sources.iter().flat_map(|Source { name: source, steps, into }| {
        listed_of(cqrs, source, steps, (name, *into))
    });
    own.into_iter().chain(others).collect()
}

fn listed_of(
    cqrs: &Path,
    name: &str,
    steps: &[Step],
    (last_name, last_version): (&str, u32),
) -> Vec<TokenStream> {
    let listed = (1_u32..).zip(steps).enumerate().map(|(index, (version, step))| {
        let is_last = index + 1 == steps.len();
        let (to_name, to_version) =
            if is_last { (last_name, last_version) } else { (name, version + 1) };
        let (from, to) = (Literal::u32_unsuffixed(version), Literal::u32_unsuffixed(to_version));
        let by = match step {
            Step::Function(path) => shown(path),
            Step::Type(type_) => shown(type_),
        };
        quote! {
            #cqrs::UpcastStep { from: (#name, #from), to: (#to_name, #to), by: #by }
        }
    });
    listed.collect()
}

/// The histories of all event types that have one: a list to pass on, computed while the program is compiled. `at` is
/// where rustc points when the type can't be read.
pub(super) fn histories(cqrs: &Path, types: &[&EventType], at: Span) -> TokenStream {
    let histories = types.iter().enumerate().flat_map(|(index, event_type)| {
        let EventType { name, aliases, history } = *event_type;
        let History { steps, sources, .. } = history;
        let own = (!steps.is_empty()).then(|| {
            let names = std::iter::once(name).chain(aliases);
            one(cqrs, index, &quote!(#(#names),*), &steps.iter().collect::<Vec<_>>())
        });
        let others = sources.iter().map(move |Source { name, steps: before, into }| {
            let after = steps.iter().skip(*into as usize - 1);
            one(cqrs, index, &quote!(#name), &before.iter().chain(after).collect::<Vec<_>>())
        });
        own.into_iter().chain(others)
    });
    let histories: Vec<TokenStream> = histories.collect();
    if histories.is_empty() {
        return quote_spanned!(at=> &[]);
    }
    quote_spanned!(at=> const { &[#(#histories),*] })
}

fn one(cqrs: &Path, index: usize, names: &TokenStream, steps: &[&Step]) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    let links = (0..steps.len()).map(|first| link(cqrs, &steps[first..]));
    quote! {
        #cqrs::__private::History {
            index: #index,
            names: &[#names],
            links: &[#(#links),*],
        }
    }
}

/// The step that comes first. Typed steps that follow it are carried out with it: from the old shape to the next, and so
/// on, without JSON between them.
fn link(cqrs: &Path, steps: &[&Step]) -> TokenStream {
    let types: Vec<&Type> = steps
        .iter()
        .map_while(|step| match step {
            Step::Type(type_) => Some(type_),
            Step::Function(_) => None,
        })
        .collect();
    match steps {
        [Step::Function(path), ..] => {
            // Where rustc points when it can't be a step.
            let at = located(path.span());
            let cqrs = moved(cqrs, at);
            quote_spanned! {at=>
                #cqrs::__private::Link::Draft(
                    1,
                    |__draft, __event| #cqrs::__private::run(&#path, __draft, __event),
                )
            }
        }
        _ if types.len() == steps.len() => {
            let shapes = shapes(cqrs, &types, &quote!(Self));
            quote!(#cqrs::__private::Link::Events(|__draft, __event| #shapes))
        }
        _ => {
            let versions = Literal::usize_unsuffixed(types.len());
            let last = types.last();
            let at = located(last.span());
            let cqrs = moved(cqrs, at);
            let next = quote_spanned!(at=> <#last as #cqrs::Upcast>::Next);
            let shapes = shapes(&cqrs, &types, &next);
            quote_spanned! {at=>
                #cqrs::__private::Link::Draft(
                    #versions,
                    |__draft, __event| {
                        ::core::result::Result::and_then(#shapes, #cqrs::__private::to_drafts)
                    },
                )
            }
        }
    }
}

/// What becomes of `__draft` through the typed steps.
fn shapes(cqrs: &impl ToTokens, types: &[&Type], end: &TokenStream) -> TokenStream {
    let mut shapes = TokenStream::new();
    for (index, type_) in types.iter().enumerate() {
        // Where rustc points when the types don't fit together.
        let at = located(type_.span());
        let cqrs = moved(cqrs, at);
        let next = types.get(index + 1).map_or_else(|| end.clone(), ToTokens::to_token_stream);
        shapes = if index == 0 {
            quote_spanned!(at=> #cqrs::__private::shaped::<#type_, #next>(&__draft, __event))
        } else {
            quote_spanned! {at=>
                ::core::result::Result::and_then(
                    #shapes,
                    |__shapes| #cqrs::__private::reshaped::<#type_, #next>(__shapes, __event),
                )
            }
        };
    }
    shapes
}

/// What typed steps that speak of the parameters of the event must be.
pub(super) fn bounds(event: &Event, types: &[&EventType]) -> Vec<TokenStream> {
    let Event { cqrs, serde, subject, .. } = event;
    let mut bounds = Vec::new();
    for EventType { history: History { steps, sources, .. }, .. } in types {
        let own: Vec<&Step> = steps.iter().collect();
        let others = sources.iter().map(|Source { steps: before, into, .. }| {
            before.iter().chain(steps.iter().skip(*into as usize - 1)).collect()
        });
        for chain in std::iter::once(own).chain(others) {
            for (index, step) in chain.iter().enumerate() {
                let Step::Type(shape) = step else { continue };
                if !subject.is_mentioned(shape) {
                    continue;
                }
                bounds.push(match chain.get(index + 1) {
                    Some(Step::Type(next)) => quote!(#shape: #cqrs::Upcast<Next = #next>),
                    Some(Step::Function(_)) => {
                        quote!(#shape: #cqrs::Upcast<Next: #serde::Serialize>)
                    }
                    None => quote!(#shape: #cqrs::Upcast<Next = Self>),
                });
            }
        }
    }
    bounds
}
