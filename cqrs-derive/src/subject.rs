//! The type that a derive is on: its name, its generics, and the frame of an `impl` for it.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, GenericParam, Generics, Path, Type, TypeParamBound, Visibility,
    parse_quote,
};

use crate::errors::Errors;
use crate::names;

/// The type that a derive is on.
pub(crate) struct Subject {
    pub(crate) ident: Ident,
    /// The name of the type, without `r#`.
    pub(crate) name: String,
    pub(crate) visibility: Visibility,
    /// Its parameters, without lifetimes.
    pub(crate) generics: Generics,
    /// The type with its parameters.
    pub(crate) self_type: TokenStream,
    /// `#[allow(…)]`s that the impls need as well.
    allows: Vec<Attribute>,
}

impl Subject {
    /// Refuses lifetimes: everything the framework keeps or sends must own its data.
    pub(crate) fn of(input: &DeriveInput, what: &str, errors: &mut Errors) -> Self {
        for lifetime in input.generics.lifetimes() {
            errors.at(
                lifetime,
                format_args!(
                    "{what} can't borrow: remove the lifetime and own the data, `String` instead of `&str`"
                ),
            );
        }
        Self {
            ident: input.ident.clone(),
            name: names::plain(&input.ident),
            visibility: input.vis.clone(),
            generics: without_lifetimes(&input.generics),
            self_type: self_type(input),
            allows: allows(input),
        }
    }

    /// Where rustc shall point when the type lacks something that generated code needs.
    pub(crate) fn span(&self) -> Span {
        located(self.ident.span())
    }

    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    /// Whether these tokens speak of a parameter of the type.
    pub(crate) fn is_mentioned(&self, tokens: impl ToTokens) -> bool {
        let names: Vec<&Ident> = self
            .generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(parameter) => Some(&parameter.ident),
                GenericParam::Const(parameter) => Some(&parameter.ident),
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        !names.is_empty() && mentions(tokens.into_token_stream(), &names)
    }

    /// `impl what for Subject`. The bounds are added if the type is generic; if it is not, rustc says by itself what
    /// is missing, and where.
    pub(crate) fn implement(
        &self,
        what: &TokenStream,
        bounds: &[TokenStream],
        body: &TokenStream,
    ) -> TokenStream {
        let (self_type, allows) = (&self.self_type, &self.allows);
        let (parameters, _, _) = self.generics.split_for_impl();
        let where_clause = self.where_clause(bounds);
        quote! {
            #[automatically_derived]
            #(#allows)*
            impl #parameters #what for #self_type #where_clause {
                #body
            }
        }
    }

    /// The `where` clause of the type, with these bounds if the type is generic.
    pub(crate) fn where_clause(&self, bounds: &[TokenStream]) -> TokenStream {
        if !self.is_generic() {
            return TokenStream::new();
        }
        let given = self.generics.where_clause.iter();
        let given = given.flat_map(|clause| &clause.predicates);
        quote!(where #(#given,)* #(#bounds,)*)
    }
}

/// The place of `span`, with the names of the place where the derive was called.
pub(crate) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The same tokens, for rustc to point at another place when it speaks of them.
pub(crate) fn moved(tokens: impl ToTokens, to: Span) -> TokenStream {
    let tokens = tokens.into_token_stream().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(to));
        token
    });
    tokens.collect()
}

/// `type name = type_;`, such that what rustc says of it is said at the type in the attribute.
pub(crate) fn associated(name: &str, type_: &Type) -> TokenStream {
    let at = located(type_.span());
    let name = Ident::new(name, at);
    quote_spanned!(at=> type #name = #type_;)
}

/// The path to the framework: what `crate = …` says, or `::cqrs`.
pub(crate) fn cqrs_path(given: Option<Path>) -> Path {
    given.unwrap_or_else(|| parse_quote!(::cqrs))
}

fn mentions(tokens: TokenStream, names: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.contains(&&ident),
        TokenTree::Group(group) => mentions(group.stream(), names),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

fn has_lifetime(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '\'',
        TokenTree::Group(group) => has_lifetime(group.stream()),
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    })
}

/// The parameters as they stand in an `impl`. Those of a type with lifetimes are only used beside the error that
/// refuses them, for an impl over `'static` that keeps rustc from reporting more.
fn without_lifetimes(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let borrows = generics.lifetimes().next().is_some();
    generics.params = generics
        .params
        .into_iter()
        .filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
        .collect();
    for parameter in generics.type_params_mut() {
        parameter.default = None;
        if borrows {
            parameter.bounds = std::mem::take(&mut parameter.bounds)
                .into_iter()
                .filter(|bound| !matches!(bound, TypeParamBound::Lifetime(_)))
                .collect();
        }
    }
    for parameter in generics.const_params_mut() {
        parameter.default = None;
    }
    if borrows && let Some(clause) = &mut generics.where_clause {
        clause.predicates = std::mem::take(&mut clause.predicates)
            .into_iter()
            .filter(|predicate| !has_lifetime(predicate.to_token_stream()))
            .collect();
    }
    generics
}

fn self_type(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    if input.generics.params.is_empty() {
        return ident.into_token_stream();
    }
    let arguments = input.generics.params.iter().map(|parameter| match parameter {
        GenericParam::Lifetime(_) => quote!('static),
        GenericParam::Type(parameter) => parameter.ident.to_token_stream(),
        GenericParam::Const(parameter) => parameter.ident.to_token_stream(),
    });
    quote!(#ident<#(#arguments),*>)
}

/// What the user allows on the type is allowed in its impls; and what is deprecated in it must still be read.
fn allows(input: &DeriveInput) -> Vec<Attribute> {
    let is = |attribute: &&Attribute, name| attribute.path().is_ident(name);
    let mut attributes: Vec<Attribute> =
        input.attrs.iter().filter(|attribute| is(attribute, "allow")).cloned().collect();
    let inside: Vec<&Attribute> = match &input.data {
        Data::Struct(data) => data.fields.iter().flat_map(|field| &field.attrs).collect(),
        Data::Enum(data) => {
            let own = data.variants.iter().flat_map(|variant| &variant.attrs);
            let fields = data.variants.iter().flat_map(|variant| &variant.fields);
            own.chain(fields.flat_map(|field| &field.attrs)).collect()
        }
        Data::Union(_) => Vec::new(),
    };
    let is_about_deprecated = |attribute: &Attribute| {
        is(&attribute, "deprecated")
            || (is(&attribute, "allow")
                && mentions(attribute.meta.to_token_stream(), &[&format_ident!("deprecated")]))
    };
    if input.attrs.iter().chain(inside).any(is_about_deprecated) {
        attributes.push(parse_quote!(#[allow(deprecated)]));
    }
    attributes
}
