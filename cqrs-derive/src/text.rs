//! Tokens as text.

use std::fmt::Write as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

/// The tokens with a space between each two: unlike their `Display`, the same with every compiler and every layout of
/// the source.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    add_tokens(&mut text, tokens.into_token_stream());
    text.truncate(text.trim_end().len());
    text
}

fn add_tokens(text: &mut String, tokens: TokenStream) {
    for token in tokens {
        // Writing to a `String` can't fail.
        let _ = match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("( ", ") "),
                    Delimiter::Brace => ("{ ", "} "),
                    Delimiter::Bracket => ("[ ", "] "),
                    // The invisible group around what a macro puts in is not part of the source.
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                add_tokens(text, group.stream());
                text.push_str(close);
                Ok(())
            }
            TokenTree::Ident(token) => write!(text, "{token} "),
            TokenTree::Punct(token) => write!(text, "{token} "),
            TokenTree::Literal(token) => write!(text, "{token} "),
        };
    }
}
