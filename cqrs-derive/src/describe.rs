//! Writes what programs can be asked about their events and commands: documentation, fields, and the shapes of their types.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Fields, Ident, Lit, Meta, Path, Type};

use crate::names;
use crate::serde_attr;
use crate::subject::Subject;
use crate::text::shown;

/// An event type, or a command.
pub(crate) struct Described {
    name: String,
    docs: String,
    /// Those of serde, on the type and on the variant.
    attributes: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    type_text: String,
    attributes: String,
    docs: String,
    /// Whose shape is that of the field, unless serde is told to write it in another way or nobody knows here which it is.
    type_: Option<Type>,
}

impl Described {
    /// The struct, or the variants of the enum.
    pub(crate) fn all(input: &DeriveInput, subject: &Subject) -> Vec<Self> {
        match &input.data {
            Data::Struct(data) => {
                vec![Self::of(&input.ident, &[&input.attrs], &data.fields, subject)]
            }
            Data::Enum(data) => {
                let variants = data.variants.iter();
                variants
                    .map(|variant| {
                        let attributes = [&input.attrs, &variant.attrs];
                        Self::of(&variant.ident, &attributes, &variant.fields, subject)
                    })
                    .collect()
            }
            Data::Union(_) => Vec::new(),
        }
    }

    fn of(
        ident: &Ident,
        attributes: &[&Vec<Attribute>],
        fields: &Fields,
        subject: &Subject,
    ) -> Self {
        let written: Vec<String> =
            attributes.iter().map(|attributes| serde_attr::written(attributes)).collect();
        let own = attributes.last().copied();
        let is_replaced =
            attributes.len() > 1 && own.is_some_and(|own| serde_attr::is_replaced(own));
        let fields = fields.members().zip(fields).map(|(member, field)| {
            let is_known = !is_replaced
                && !serde_attr::is_replaced(&field.attrs)
                && !subject.is_mentioned(&field.ty)
                && !is_opaque(field.ty.to_token_stream());
            Field {
                name: match &field.ident {
                    Some(ident) => names::plain(ident),
                    None => member.to_token_stream().to_string(),
                },
                type_text: shown(&field.ty),
                attributes: serde_attr::written(&field.attrs),
                docs: docs(&field.attrs),
                type_: is_known.then(|| field.ty.clone()),
            }
        });
        let is_any = written.iter().any(|written| !written.is_empty());
        Self {
            name: names::plain(ident),
            docs: own.map_or_else(String::new, |own| docs(own)),
            attributes: if is_any { written.join(" | ").trim().to_owned() } else { String::new() },
            fields: fields.collect(),
        }
    }
}

/// `fn describe`. It is generic, so that it is only compiled for programs that ask.
pub(crate) fn describe(cqrs: &Path, described: &[Described]) -> TokenStream {
    let has_shape =
        |described: &Described| described.fields.iter().any(|field| field.type_.is_some());
    let imports = described.iter().any(has_shape).then(|| {
        quote! {
            use #cqrs::__private::{ProbeOpaque as _, ProbeShape as _};
        }
    });
    let kinds = described.iter().map(|kind| {
        let Described { name, docs, attributes, fields } = kind;
        let fields = fields.iter().map(|field| field.describe(cqrs));
        quote! {
            #cqrs::__private::Describe::kind(__to, #name, #docs, #attributes);
            #(#fields)*
        }
    });
    quote! {
        fn describe<__D: #cqrs::__private::Describe>(__to: &mut __D) {
            #imports
            #(#kinds)*
        }
    }
}

impl Field {
    fn describe(&self, cqrs: &Path) -> TokenStream {
        let Self { name, type_text, attributes, docs, type_ } = self;
        let private = quote!(#cqrs::__private);
        let shape = type_.as_ref().map_or_else(
            || quote!(#private::ProbeOpaque::shape(&#private::Probe::<()>::new())),
            |type_| quote!((&&#private::Probe::<#type_>::new()).shape()),
        );
        quote! {
            #private::Describe::field(
                __to,
                #private::Field {
                    name: #name,
                    type_: #type_text,
                    attributes: #attributes,
                    docs: #docs,
                },
                || #shape,
            );
        }
    }
}

/// The doc comment.
fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(value) if value.path.is_ident("doc") => match &value.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines = lines.map(|text| {
        let lines: Vec<&str> =
            text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
        lines.join("\n")
    });
    lines.collect::<Vec<String>>().join("\n").trim().to_owned()
}

/// Whether the type speaks of `Self`, which has another meaning elsewhere, or borrows: what borrows looks to the compiler
/// as if it could be read, until it is too late for another answer.
fn is_opaque(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => is_opaque(group.stream()),
        TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
        TokenTree::Literal(_) => false,
    })
}
