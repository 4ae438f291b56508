//! Writes `impl Projection`.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Path, Type};

use super::Projection;
use crate::events::AllEvents;
use crate::subject::{associated, located, moved};

pub(super) fn projection(projection: &Projection) -> TokenStream {
    let all = AllEvents::of(&projection.cqrs, &projection.subject, &projection.events);
    all.beside(&implement(projection, &all))
}

fn implement(projection: &Projection, all: &AllEvents) -> TokenStream {
    let Projection { cqrs, subject, name, model, tables, .. } = projection;
    let version = Literal::u32_unsuffixed(projection.version);
    let event_type = all.associated();
    let model_type = associated("Model", model);
    let tables = tables_const(tables.as_ref());
    let dispatch = dispatch(projection, all);
    subject.implement(
        &quote!(#cqrs::Projection),
        &bounds(projection, all),
        &quote! {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: ::core::primitive::u32 = #version;
            #tables
            #event_type
            #model_type
            #dispatch
        },
    )
}

/// `const TABLES`, such that what rustc says of the expression is said in the attribute.
fn tables_const(given: Option<&Expr>) -> TokenStream {
    let tables = given.map_or_else(|| quote!(""), Expr::to_token_stream);
    let at = located(tables.span());
    let type_ = quote_spanned!(at=> &'static ::core::primitive::str);
    quote!(const TABLES: #type_ = #tables;)
}

fn dispatch(Projection { cqrs, model, .. }: &Projection, all: &AllEvents) -> TokenStream {
    let event = all.type_();
    let body = all.each(|event| project(cqrs, event));
    // Where rustc points when the model is none: what has no transaction is named here again.
    let at = located(model.span());
    let cqrs = moved(cqrs, at);
    quote_spanned! {at=>
        async fn dispatch(
            &self,
            __event: #event,
            __received: &#cqrs::Received<'_>,
            __transaction: &mut <#model as #cqrs::ReadModel>::Transaction,
        ) -> ::core::result::Result<(), #cqrs::BoxError> {
            #body
        }
    }
}

/// `self.project(event, …)`, such that a missing `Project` is reported at the listed type.
fn project(cqrs: &Path, event: &Type) -> TokenStream {
    let at = located(event.span());
    let cqrs = moved(cqrs, at);
    quote_spanned! {at=>
        <Self as #cqrs::Project<#event>>::project(self, __event, __received, __transaction).await
    }
}

/// Without `Self: Project<…>`: that would say `Self: Projection` as well, from where `Self::Event` could be any type.
fn bounds(projection: &Projection, all: &AllEvents) -> Vec<TokenStream> {
    let Projection { cqrs, subject, model, .. } = projection;
    let mut bounds = vec![quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static)];
    bounds.extend(all.bounds());
    if subject.is_mentioned(model) {
        bounds.push(quote!(#model: #cqrs::ReadModel));
    }
    bounds
}
