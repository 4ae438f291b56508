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

/// A path or a type as one writes it, for people to read.
pub(crate) fn shown(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    add_shown(&mut text, tokens.into_token_stream());
    text
}

fn add_shown(text: &mut String, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                if text.ends_with("mut") {
                    text.push(' ');
                }
                text.push_str(open);
                add_shown(text, group.stream());
                text.truncate(text.trim_end().len());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                mark @ (',' | ';') => text.extend([mark, ' ']),
                mark @ ('=' | '+') => text.extend([' ', mark, ' ']),
                '-' => text.push_str(" -"),
                '>' if text.ends_with('-') => text.push_str("> "),
                mark => text.push(mark),
            },
            word @ (TokenTree::Ident(_) | TokenTree::Literal(_)) => {
                if text.ends_with(|end: char| end.is_alphanumeric() || matches!(end, '_' | '>')) {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_as_one_writes_them() {
        for source in [
            "u8",
            "steps::cents_of_units",
            "Vec<Option<String>>",
            "BTreeMap<String, (u8, [char; 2])>",
            "<Old as Upcast>::upcast",
            "Box<dyn Fn(&mut [u8], &'static str) -> Result<(), E> + Send>",
            "Measured::<T, { N }>",
            "impl Iterator<Item = u8>",
        ] {
            let tokens: TokenStream = source.parse().unwrap();
            assert_eq!(shown(tokens), source.replace("{ N }", "{N}"));
        }
    }
}
