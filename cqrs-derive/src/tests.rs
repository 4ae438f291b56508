//! What holds for all derives, whatever they are given.

mod fuzz;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::DeriveInput;

type Derive = fn(&DeriveInput) -> TokenStream;

const DERIVES: [Derive; 7] = [
    crate::event::derive,
    crate::aggregate::derive,
    crate::command::derive,
    crate::query::derive,
    crate::projection::derive,
    crate::view::derive,
    crate::upcast::derive,
];

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn tokens(&mut self, depth: usize) -> TokenStream {
        const WORDS: &str = "name prefix version crate events category error snapshot every replay_ms aggregate id \
            outcome output model event tables table key index document json column alias upcast \
            from into try_into retired write_version downcast ignore type => tag skip untagged account line Self \
            T Account r#type _ crate , , , , = = = == :: < > ! # & * - . ; 0 1 2 -1 1.5 99999999999999999999999 0xff 1u8 \
            \"\" \"a\" \"a b\" \"a.\" \"\\0\" \"crate::x\" 'c' b\"x\" r\"x\" \"x\"y 'a é dyn impl fn";
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let mut tokens = TokenStream::new();
        for _ in 0..self.below(9) {
            let delimiter = match self.below(16) {
                0 | 1 => Delimiter::Parenthesis,
                2 => Delimiter::Brace,
                3 => Delimiter::Bracket,
                4 => Delimiter::None,
                _ => {
                    // The words with a space in them fall apart into what is no token.
                    let word: Option<TokenStream> = words[self.below(words.len())].parse().ok();
                    tokens.extend(word);
                    continue;
                }
            };
            if depth > 0 {
                let content = self.tokens(depth - 1);
                tokens.extend([TokenTree::Group(Group::new(delimiter, content))]);
            }
        }
        tokens
    }

    /// Options that may stand in the attribute, each of them or not.
    fn options(&mut self, options: &[&str]) -> TokenStream {
        let chosen: Vec<&str> = options.iter().copied().filter(|_| self.below(2) == 0).collect();
        chosen.join(", ").parse().unwrap()
    }

    fn attributes(&mut self) -> TokenStream {
        const OPTIONS: [(&str, &[&str]); 9] = [
            ("event", &["name = \"a\"", "prefix = \"a\"", "version = 2", "upcast(1 => f)"]),
            ("event", &["alias = \"b\"", "from(\"c\", upcast(1 => type T))", "retired"]),
            ("aggregate", &["events(T, U)", "category = \"a\"", "snapshot(every = 2)"]),
            ("upcast", &["into = T", "try_into = Vec<T>", "ignore(\"a\")"]),
            ("command", &["aggregate = T", "id = account", "outcome = T", "name = \"a\""]),
            ("query", &["output = T", "error = T", "name = \"a\""]),
            ("projection", &["model = T", "events(T)", "tables = a!(b)", "version = 2"]),
            ("view", &["events(T, U), key(account)", "index(line)", "document", "table = \"a\""]),
            ("serde", &["tag = \"a\"", "skip", "bound = \"\""]),
        ];
        let attributes = (0..self.below(4)).map(|_| {
            let (name, options) = OPTIONS[self.below(OPTIONS.len())];
            let name: TokenStream = name.parse().unwrap();
            let tokens = match self.below(2) {
                0 => self.options(options),
                _ => self.tokens(2),
            };
            match self.below(12) {
                0 => quote!(#[#name]),
                1 => quote!(#[#name = "x"]),
                2 => quote!(#[#name[#tokens]]),
                3 => quote!(#[#name{#tokens}]),
                _ => quote!(#[#name(#tokens)]),
            }
        });
        attributes.collect()
    }

    fn item(&mut self) -> TokenStream {
        let (a, b, c) = (self.attributes(), self.attributes(), self.attributes());
        match self.below(10) {
            0 => quote!(#a struct Account;),
            1 => quote!(#a struct Account(#b u8, #c String);),
            2 => {
                quote!(#a pub struct Account<'a, T: 'a = u8, const N: usize = 2> where T: Copy { #b account: &'a T })
            }
            3 => quote!(#a enum Account { #b One, #c Two { #a name: u8 }, r#type(u8) }),
            4 => quote!(#a enum Account {}),
            5 => quote!(#a union Account { #b x: u8 }),
            6 | 7 => {
                quote!(#a struct Account { #b account: String, #c line: u8, r#type: f64 })
            }
            8 => quote!(#a struct Übergröße<T> { #b account: T }),
            _ => quote!(#a pub(in crate::x) enum Event<T> { #b Opened(T), #c Opened2 }),
        }
    }
}

#[test]
fn whatever_stands_in_the_attributes_the_answer_is_code() {
    let mut random = Random(7);
    let mut clean = [0; DERIVES.len()];
    for _ in 0..1_500 {
        let item = random.item();
        let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) else {
            continue;
        };
        for (clean, derive) in clean.iter_mut().zip(DERIVES) {
            let output = derive(&input);
            *clean += usize::from(!output.to_string().contains("compile_error"));
            assert!(syn::parse2::<syn::File>(output.clone()).is_ok(), "{item}\n{output}");
        }
    }
    assert!(clean.iter().all(|clean| *clean > 0), "{clean:?}");
}

#[test]
fn all_mistakes_are_reported_together() {
    let input = quote! {
        #[event(prefix = "a b", colour = 1, prefix = "x")]
        #[event(crate)]
        #[serde(tag = "x")]
        enum Account<'a> {
            #[event(version = 0, name = 7)]
            One(&'a str),
            #[event(name = "two")]
            #[serde(skip)]
            Two,
            #[event(name = "two")]
            Three,
        }
    };
    let output = crate::event::derive(&syn::parse2(input).unwrap()).to_string();
    assert_eq!(output.matches("compile_error").count(), 10, "{output}");
}

#[test]
fn the_path_to_the_framework_is_used_everywhere() {
    let inputs: [(Derive, TokenStream); 10] = [
        (
            DERIVES[0],
            quote!(
                #[event(crate = my::framework)]
                enum A<T> {
                    B(T),
                    C { d: u8 },
                }
            ),
        ),
        (
            DERIVES[0],
            quote!(
                #[event(crate = my::framework)]
                struct A;
            ),
        ),
        (
            DERIVES[0],
            quote!(
                #[event(crate = my::framework)]
                struct A(u8);
            ),
        ),
        (
            DERIVES[1],
            quote!(
                #[aggregate(crate = my::framework, events(B), snapshot(every = 1))]
                struct A;
            ),
        ),
        (
            DERIVES[1],
            quote!(
                #[aggregate(crate = my::framework, events(B<T>, C), snapshot(replay_ms = 1))]
                struct A<T>(T);
            ),
        ),
        (
            DERIVES[2],
            quote!(
                #[command(crate = my::framework, aggregate = B, id = 0)]
                struct A<T>(T);
            ),
        ),
        (
            DERIVES[2],
            quote!(
                #[command(crate = my::framework, outcome = B)]
                struct A;
            ),
        ),
        (
            DERIVES[3],
            quote!(
                #[query(crate = my::framework, output = B)]
                struct A;
            ),
        ),
        (
            DERIVES[4],
            quote!(
                #[projection(crate = my::framework, model = M, events(B))]
                struct A;
            ),
        ),
        (
            DERIVES[4],
            quote!(
                #[projection(crate = my::framework, model = M<T>, events(B<T>, C))]
                struct A<T>(T);
            ),
        ),
    ];
    for (derive, input) in inputs {
        assert_names_the_path(derive, input);
    }
}

#[test]
fn the_path_to_the_framework_is_used_in_histories() {
    let inputs: [(Derive, TokenStream); 4] = [
        (
            DERIVES[0],
            quote!(
                #[event(crate = my::framework, version = 4, upcast(1 => type A1<T>, 2 => b, 3 => type A3))]
                #[event(alias = "c", from("d", upcast(1 => e), into = 2), write_version = 3, downcast(4 => f))]
                struct A<T>(T);
            ),
        ),
        (
            DERIVES[0],
            quote!(
                #[event(crate = my::framework, retired)]
                struct A<T>(T);
            ),
        ),
        (
            DERIVES[6],
            quote!(
                #[upcast(crate = my::framework, try_into = Vec<B>)]
                struct A<T>(T);
            ),
        ),
        (
            DERIVES[1],
            quote!(
                #[aggregate(crate = my::framework, events(B, C), ignore("d"))]
                struct A;
            ),
        ),
    ];
    for (derive, input) in inputs {
        assert_names_the_path(derive, input);
    }
}

#[test]
fn the_path_to_the_framework_is_used_in_views() {
    let inputs = [
        quote! {
            #[view(crate = my::framework, events(B), key(a), index(b))]
            struct A {
                a: u8,
                b: u8,
                #[view(json)]
                c: u8,
            }
        },
        quote! {
            #[view(crate = my::framework, events(B<T>, C), key = (a, b))]
            struct A<T> {
                a: T,
                b: u8,
                #[view(json)]
                c: Vec<T>,
            }
        },
        quote! {
            #[view(crate = my::framework, events(B, C), key(a), document)]
            struct A<T> {
                a: u8,
                b: T,
            }
        },
    ];
    for input in inputs {
        assert_names_the_path(crate::view::derive, input);
    }
}

/// The expansion names the framework by the path `my::framework`, and only so.
fn assert_names_the_path(derive: Derive, input: TokenStream) {
    let output = derive(&syn::parse2(input).unwrap()).to_string();
    assert!(output.contains("my :: framework"), "{output}");
    assert!(!output.contains("cqrs"), "{output}");
    assert!(!output.contains("compile_error"), "{output}");
}
