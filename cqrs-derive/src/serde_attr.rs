//! Looks at the serde attributes beside ours, as far as the two concern each other.

use proc_macro2::TokenTree;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Ident, LitStr, Path, Token, parse_quote};

use crate::text::text;

/// The options of all `#[serde(…)]` attributes, by their names. What serde would not understand is left to serde.
pub(crate) fn options(attributes: &[Attribute]) -> Vec<Ident> {
    let mut options = Vec::new();
    each_option(attributes, |option, _| options.push(option));
    options
}

/// The options that keep serde from writing or reading a field or a variant.
pub(crate) fn skips(attributes: &[Attribute]) -> Vec<Ident> {
    const SKIPS: [&str; 3] = ["skip", "skip_serializing", "skip_deserializing"];
    let mut options = options(attributes);
    options.retain(|option| SKIPS.iter().any(|skip| option == skip));
    options
}

/// Whether what is written is not what the type of the field, or of the variant's content, writes by itself.
pub(crate) fn is_replaced(attributes: &[Attribute]) -> bool {
    const REPLACED: [&str; 3] = ["with", "serialize_with", "deserialize_with"];
    let is = |name: &str| options(attributes).iter().any(|option| option == name);
    !skips(attributes).is_empty() || REPLACED.into_iter().any(is)
}

/// All `#[serde(…)]` attributes as text, the same for every layout of the source.
pub(crate) fn written(attributes: &[Attribute]) -> String {
    let attributes = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    attributes
        .map(|attribute| format!("#[{}]", text(&attribute.meta)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The path to serde that `#[serde(crate = "…")]` gives, or `::serde`.
pub(crate) fn serde_path(attributes: &[Attribute]) -> Path {
    let mut path = None;
    each_option(attributes, |option, input| {
        let ahead = input.fork();
        if option == "crate" && ahead.parse::<Token![=]>().is_ok() {
            let text = ahead.parse::<LitStr>().ok();
            path = text.and_then(|text| text.parse_with(Path::parse_mod_style).ok());
        }
    });
    path.unwrap_or_else(|| parse_quote!(::serde))
}

/// Calls `see` with every option and the input after its name.
fn each_option(attributes: &[Attribute], mut see: impl FnMut(Ident, ParseStream)) {
    for attribute in attributes {
        if !attribute.path().is_ident("serde") {
            continue;
        }
        // An error here is one that serde reports.
        let _ = attribute.parse_args_with(|input: ParseStream| {
            while !input.is_empty() {
                see(input.call(Ident::parse_any)?, input);
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<TokenTree>()?;
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        });
    }
}
