//! Attributes of arbitrary tokens, and valid ones with tokens that are missing, doubled, exchanged or put in: no derive
//! panics, and its answer is code.
//!
//! `CQRS_SOAK` is how many times as many cases are tried.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quote::{TokenStreamExt as _, quote};
use syn::DeriveInput;

use super::DERIVES;

/// An item for each derive, in its order, with as much in the attributes as there can be.
const VALID: [&str; 14] = [
    r#"#[event(prefix = "account", crate = my::framework)] #[serde(rename_all = "kebab-case")]
       enum E<T> { #[event(name = "a", version = 3, upcast(1 => f, 2 => type V2))] A { x: T },
                   #[event(alias = "c", from("d", upcast(1 => g::h), into = 1))] B(u8), #[event(retired)] C }"#,
    r#"#[event(name = "a", version = 4, upcast(1 => type A1<T>, 2 => b, 3 => type A3), alias = "x", alias = "y")]
       #[event(from("d", upcast(1 => e), into = 2), write_version = 3, downcast(4 => f))] struct A<T: Copy>(T);"#,
    r#"#[event(name = "unit")] pub(crate) struct Unit;"#,
    r#"#[aggregate(category = "a", events(B<T>, C), error = x::E, snapshot(every = 10, version = 2))]
       #[aggregate(cache = 10, ignore("d", "e"))] struct A<T> { #[serde(default)] t: T }"#,
    r"#[aggregate(events(B), snapshot(replay_ms = 5))] struct A;",
    r#"#[command(aggregate = A, id = account, name = "a.b")] struct C { account: u8, r#type: String }"#,
    r"#[command(aggregate = A<T>, id = 0)] struct C<T>(T, u8);",
    r#"#[command(aggregate = A, id = account)]
       enum C { #[command(likely_new)] Open { account: u8 }, #[command(name = "x")] Close { account: u8 } }"#,
    r"#[command(outcome = u8, error = E)] struct C { x: u8 }",
    r#"#[query(output = Option<T>, error = E, name = "q")] struct Q<T> { t: T }"#,
    r#"#[projection(model = M<T>, name = "p", version = 2, events(A, B<T>))]
       #[projection(tables = include_str!("a.sql"))] struct P<T>(T);"#,
    r#"#[view(name = "v", table = "t", version = 2, key(a, b), events(A), index(b, c), index(c))]
       struct V { a: u8, #[view(column = "bee")] b: String, #[view(json)] c: Vec<u8> }"#,
    r"#[view(key = (a, b), events(A, B), document)] struct V<T> { a: u8, b: T, c: T }",
    r"#[upcast(try_into = Vec<T>)] struct U<T> { t: T }",
];

/// So many, or as many times more as `CQRS_SOAK` says.
fn cases(of: u32) -> ProptestConfig {
    let times = env::var("CQRS_SOAK").map_or(1, |times| times.parse().unwrap());
    ProptestConfig::with_cases(of * times)
}

fn word() -> impl Strategy<Value = TokenTree> {
    let known = "name prefix version crate events category error snapshot every replay_ms aggregate id outcome output \
        model tables table key index document json column alias upcast from into try_into retired write_version \
        downcast ignore cache type event view serde tag skip untagged default flatten Self self super T A fn impl dyn \
        for where const mut ref as in _ async await union macro_rules Übergröße 日本";
    let raw = "r#type r#fn r#crate_ r#name";
    let known: Vec<&str> = known.split_whitespace().chain(raw.split_whitespace()).collect();
    select(known).prop_map(|word| match word.strip_prefix("r#") {
        Some(word) => Ident::new_raw(word, Span::call_site()).into(),
        None => Ident::new(word, Span::call_site()).into(),
    })
}

fn literal() -> impl Strategy<Value = TokenTree> {
    let numbers = "99999999999999999999999999999999999999999999 0xffff_ffff_ffff_ffff_f 0b1 0o7 1_000 1e400 0.1f32 1u8 \
        4294967296 1i128 c\"x\" r##\"a\"#b\"## br\"x\" b'x' \"x\"y";
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    let made = prop_oneof![
        any::<String>().prop_map(|text| Literal::string(&text)),
        "[a-z.]{0,10}".prop_map(|text| Literal::string(&text)),
        (0_usize..300).prop_map(|length| Literal::string(&"n".repeat(length))),
        any::<char>().prop_map(Literal::character),
        any::<Vec<u8>>().prop_map(|bytes| Literal::byte_string(&bytes)),
        any::<u64>().prop_map(Literal::u64_unsuffixed),
        any::<i128>().prop_map(Literal::i128_suffixed),
        (0_u32..4).prop_map(Literal::u32_unsuffixed),
        prop::num::f64::NORMAL.prop_map(Literal::f64_unsuffixed),
    ];
    let parsed = select(numbers).prop_map(|text| text.parse::<Literal>().unwrap());
    prop_oneof![8 => made, 2 => parsed].prop_map(TokenTree::Literal)
}

fn mark() -> impl Strategy<Value = TokenTree> {
    let marks: Vec<char> = ",,,,====::<>;!#&*-.+/%^|~@$?'".chars().collect();
    (select(marks), any::<bool>()).prop_map(|(mark, joint)| {
        let spacing = if joint { Spacing::Joint } else { Spacing::Alone };
        Punct::new(mark, spacing).into()
    })
}

fn tree() -> impl Strategy<Value = TokenTree> {
    let leaf = prop_oneof![4 => word(), 2 => literal(), 3 => mark()];
    leaf.prop_recursive(4, 24, 6, |tree| {
        let delimiters =
            vec![Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket, Delimiter::None];
        (select(delimiters), prop::collection::vec(tree, 0..6)).prop_map(|(delimiter, trees)| {
            Group::new(delimiter, trees.into_iter().collect()).into()
        })
    })
}

fn tokens() -> impl Strategy<Value = TokenStream> {
    prop::collection::vec(tree(), 0..10).prop_map(|trees| trees.into_iter().collect())
}

/// An attribute of one of the derives, or of serde, which they read as well.
fn attribute() -> impl Strategy<Value = TokenStream> {
    let names = ["event", "upcast", "aggregate", "command", "query", "view", "projection", "serde"];
    (select(names.to_vec()), tokens(), 0..6_u8).prop_map(|(name, tokens, form)| {
        let name = Ident::new(name, Span::call_site());
        match form {
            0 => quote!(#[#name = #tokens]),
            1 => quote!(#[#name[#tokens]]),
            2 => quote!(#[#name{#tokens}]),
            3 => quote!(#[#name]),
            _ => quote!(#[#name(#tokens)]),
        }
    })
}

/// A type with arbitrary attributes wherever there can be some.
fn item() -> impl Strategy<Value = TokenStream> {
    let attributes = || prop::collection::vec(attribute(), 0..3).prop_map(TokenStream::from_iter);
    (attributes(), attributes(), attributes(), 0..9_u8).prop_map(|(a, b, c, form)| match form {
        0 => quote!(#a struct S;),
        1 => quote!(#a struct S(#b u8, #c String);),
        2 => quote!(#a struct S<'a, #[cfg(x)] T: 'a = u8, const N: usize = 2> where T: Copy { #b a: &'a [T; N] }),
        3 => quote!(#a enum S { #b One, #c Two { #a name: u8 }, r#type(u8), Four = 4 }),
        4 => quote!(#a enum S {}),
        5 => quote!(#a union S { #b x: u8 }),
        6 => quote!(#a struct S { #b a: fn(u8) -> !, #c r#b: [u8; { 1 + 1 }], c: impl_!() }),
        7 => quote!(#a struct S {}),
        _ => quote!(#a pub(in a::b) enum S<T> { #b A(T, #c T), #c B() }),
    })
}

/// A change of what stands in an attribute.
#[derive(Debug, Clone)]
enum Change {
    Delete,
    Double,
    /// Exchanged with the token after it.
    Swap,
    Replace(TokenTree),
    PutIn(TokenTree),
    /// What is in the group, without it.
    Unwrap,
    Wrap(Delimiter),
}

fn change() -> impl Strategy<Value = (Index, Change)> {
    let change = prop_oneof![
        3 => Just(Change::Delete),
        2 => Just(Change::Double),
        2 => Just(Change::Swap),
        3 => tree().prop_map(Change::Replace),
        2 => tree().prop_map(Change::PutIn),
        1 => Just(Change::Unwrap),
        1 => select(vec![Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::None])
            .prop_map(Change::Wrap),
    ];
    (any::<Index>(), change)
}

/// How many tokens stand in attributes; a group counts as one, besides those in it.
fn count(tokens: &TokenStream, within: bool) -> usize {
    let mut is_attribute = false;
    let mut found = 0;
    for tree in tokens.clone() {
        found += usize::from(within);
        if let TokenTree::Group(group) = &tree {
            found += count(&group.stream(), within || is_attribute);
        }
        is_attribute = matches!(&tree, TokenTree::Punct(mark) if mark.as_char() == '#');
    }
    found
}

/// The tokens with the one of this number, among those in attributes, changed.
fn changed(
    tokens: TokenStream,
    within: bool,
    at: &mut Option<usize>,
    change: &Change,
) -> TokenStream {
    let mut is_attribute = false;
    let mut made = TokenStream::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let is_here = within && *at == Some(0);
        if within {
            *at = at.and_then(|at| at.checked_sub(1));
        }
        let begins_attribute = matches!(&tree, TokenTree::Punct(mark) if mark.as_char() == '#');
        match (is_here, change, tree) {
            (false, _, TokenTree::Group(group)) => {
                let inner = changed(group.stream(), within || is_attribute, at, change);
                made.append(Group::new(group.delimiter(), inner));
            }
            (true, Change::Unwrap, TokenTree::Group(group)) => made.extend(group.stream()),
            (false, _, tree) | (true, Change::Unwrap, tree) => made.append(tree),
            (true, Change::Delete, _) => {}
            (true, Change::Double, tree) => made.extend([tree.clone(), tree]),
            (true, Change::Swap, tree) => made.extend(trees.next().into_iter().chain([tree])),
            (true, Change::Replace(other), _) => made.append(other.clone()),
            (true, Change::PutIn(other), tree) => made.extend([other.clone(), tree]),
            (true, Change::Wrap(delimiter), tree) => {
                made.append(Group::new(*delimiter, tree.into()));
            }
        }
        is_attribute = begins_attribute;
    }
    made
}

/// Whether the word stands anywhere in the tokens.
fn names(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => names(&group.stream(), word),
        TokenTree::Ident(name) => name == word,
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Gives the item to all derives, and tells how many found nothing wrong. What is no item to the compiler never comes to
/// them.
fn expand(item: &TokenStream) -> Result<usize, TestCaseError> {
    let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) else { return Ok(0) };
    let mut clean = 0;
    for (number, derive) in DERIVES.iter().enumerate() {
        let output = catch_unwind(AssertUnwindSafe(|| derive(&input)));
        let Ok(output) = output else {
            return Err(TestCaseError::fail(format!("derive {number} panics: {item}")));
        };
        let parsed = syn::parse2::<syn::File>(output.clone());
        prop_assert!(parsed.is_ok(), "derive {}: {}\n{}", number, item, output);
        clean += usize::from(!names(&output, "compile_error"));
    }
    Ok(clean)
}

#[test]
fn what_is_changed_is_valid_as_it_stands() {
    for item in VALID {
        let item: TokenStream = item.parse().unwrap();
        assert!(expand(&item).unwrap() > 0, "refused by all: {item}");
        assert!(count(&item, false) > 0, "{item}");
    }
}

proptest! {
    #![proptest_config(cases(700))]

    #[test]
    fn arbitrary_tokens_in_attributes_are_code_or_errors(item in item()) {
        expand(&item)?;
    }

    #[test]
    fn valid_attributes_with_tokens_changed_are_code_or_errors(
        valid in select(VALID.to_vec()),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let mut item: TokenStream = valid.parse().unwrap();
        for (index, change) in changes {
            let tokens = count(&item, false);
            if tokens > 0 {
                item = changed(item, false, &mut Some(index.index(tokens)), &change);
            }
        }
        expand(&item)?;
    }
}
