//! Reads the options of an attribute such as `#[event(name = "opened", version = 2)]`.
//!
//! After a mistake reading goes on at the next option, so that all mistakes of all attributes are found in one go.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Result};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Lit, LitInt, LitStr, Member, Meta, Path, Token,
    Type, Variant, parenthesized,
};

use crate::bare;
use crate::errors::{Errors, nearest};

/// The options that an attribute may have at one place.
pub(crate) struct Table {
    /// What stands before the options: `event` of `#[event(…)]`.
    pub(crate) attribute: &'static str,
    /// Each option, and how one writes it; at least one.
    pub(crate) known: &'static [(&'static str, &'static str)],
    /// Options of other places, and what to do instead.
    pub(crate) misplaced: &'static [(&'static str, &'static str)],
}

/// The name of an option, as it was written.
pub(crate) struct Key {
    pub(crate) ident: Ident,
    /// The option without `r#`, as it stands in the table.
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

impl Table {
    /// Reads all attributes of this name. `set` takes the value of each known option from the input.
    pub(crate) fn read(
        &self,
        attributes: &[Attribute],
        errors: &mut Errors,
        mut set: impl FnMut(&Key, ParseStream, &mut Errors) -> Result<()>,
    ) {
        for attribute in attributes {
            if !attribute.path().is_ident(self.attribute) {
                continue;
            }
            let in_parentheses = matches!(
                &attribute.meta,
                Meta::List(list) if matches!(list.delimiter, syn::MacroDelimiter::Paren(_))
            );
            if !in_parentheses {
                errors.at(
                    &attribute.meta,
                    format_args!(
                        "the options of `{name}` stand in parentheses: `#[{name}({})]`",
                        self.example(),
                        name = self.attribute,
                    ),
                );
                continue;
            }
            let read = attribute.parse_args_with(|input: ParseStream| {
                self.read_list(input, errors, &mut set);
                Ok(())
            });
            if let Err(error) = read {
                errors.push(error);
            }
        }
    }

    /// Reads options up to the end of the input.
    pub(crate) fn read_list(
        &self,
        input: ParseStream,
        errors: &mut Errors,
        set: &mut impl FnMut(&Key, ParseStream, &mut Errors) -> Result<()>,
    ) {
        while !input.is_empty() {
            if let Err(error) = self.read_option(input, errors, set) {
                errors.push(error);
                skip_option(input);
            }
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                errors.push(input.error("expected a comma before the next option"));
                skip_option(input);
                // There is a comma or nothing; both are fine.
                let _ = input.parse::<Option<Token![,]>>();
            }
        }
    }

    fn read_option(
        &self,
        input: ParseStream,
        errors: &mut Errors,
        set: &mut impl FnMut(&Key, ParseStream, &mut Errors) -> Result<()>,
    ) -> Result<()> {
        let ident = input.call(Ident::parse_any).map_err(|error| {
            Error::new(error.span(), format_args!("expected an option: {}", self.listing()))
        })?;
        let name = ident.unraw().to_string();
        match self.known.iter().find(|(known, _)| *known == name) {
            Some((name, example)) => set(&Key { ident, name, example }, input, errors),
            None => Err(self.unknown(&ident, &name)),
        }
    }

    fn unknown(&self, ident: &Ident, name: &str) -> Error {
        let message = match self.misplaced.iter().find(|(known, _)| *known == name) {
            Some((_, mend)) => format!("`{name}` can't stand here: {mend}"),
            None => match nearest(name, self.known.iter().map(|(known, _)| *known)) {
                Some(meant) => {
                    let known = self.known.iter().find(|(known, _)| *known == meant);
                    let example = known.map_or(meant, |(_, example)| *example);
                    format!("unknown option `{name}`; did you mean `{meant}`? write `{example}`")
                }
                None => format!("unknown option `{name}`; {}", self.listing()),
            },
        };
        Error::new_spanned(ident, message)
    }

    fn listing(&self) -> String {
        let examples: Vec<String> =
            self.known.iter().map(|(_, example)| format!("`{example}`")).collect();
        format!("`{}` takes {} here", self.attribute, examples.join(", "))
    }

    fn example(&self) -> &'static str {
        self.known.first().map_or("…", |(_, example)| example)
    }
}

/// Goes to the comma before the next option, or to the end.
fn skip_option(input: ParseStream) {
    while !input.is_empty() && !at_next_option(input) {
        // Any token will do: there is one, since the input is not empty.
        let _ = input.parse::<TokenTree>();
    }
}

/// Whether a comma with something like an option after it comes next, rather than one inside a value.
fn at_next_option(input: ParseStream) -> bool {
    let ahead = input.fork();
    if ahead.parse::<Token![,]>().is_err() {
        return false;
    }
    if ahead.is_empty() {
        return true;
    }
    ahead.call(Ident::parse_any).is_ok()
        && (ahead.is_empty()
            || ahead.peek(Token![=])
            || ahead.peek(Token![,])
            || ahead.peek(syn::token::Paren))
}

impl Key {
    /// `key = "text"`.
    pub(crate) fn text(&self, input: ParseStream) -> Result<LitStr> {
        let text: LitStr = self.value(input, "a text in quotes", Parse::parse)?;
        match text.suffix() {
            "" => Ok(text),
            suffix => Err(self.wrong(&text, format_args!("remove `{suffix}` after the text"))),
        }
    }

    /// `key = 3`, a whole number from 1.
    pub(crate) fn number(&self, input: ParseStream) -> Result<(u64, LitInt)> {
        let literal: LitInt = self.value(input, "a whole number from 1", Parse::parse)?;
        if !literal.suffix().is_empty() {
            let mend = format_args!("remove `{}` after the number", literal.suffix());
            return Err(self.wrong(&literal, mend));
        }
        match literal.base10_parse() {
            Ok(0) => {
                Err(self.wrong(&literal, format_args!("`{}` counts from 1, not 0", self.name)))
            }
            Ok(number) => Ok((number, literal)),
            Err(_) if literal.base10_digits().starts_with('-') => {
                Err(self.wrong(&literal, format_args!("`{}` counts from 1", self.name)))
            }
            Err(_) => Err(self.wrong(&literal, "the number is too large")),
        }
    }

    /// `key = 3`, a number of a version.
    pub(crate) fn version(&self, input: ParseStream) -> Result<u32> {
        let (number, literal) = self.number(input)?;
        u32::try_from(number).map_err(|_| self.wrong(&literal, "the number is too large"))
    }

    /// `key = Type`.
    pub(crate) fn type_(&self, input: ParseStream) -> Result<Type> {
        self.value(input, "a type", Parse::parse)
    }

    /// `key = "CREATE TABLE …"`, or a constant with such a text.
    pub(crate) fn sql(&self, input: ParseStream) -> Result<Expr> {
        let sql: Expr =
            self.value(input, "SQL, as a text in quotes or as a constant", Parse::parse)?;
        let Expr::Lit(literal) = bare::expression(&sql) else {
            return Ok(sql);
        };
        match &literal.lit {
            Lit::Str(text) if !text.suffix().is_empty() => {
                let mend = format_args!("remove `{}` after the text", text.suffix());
                Err(self.wrong(text, mend))
            }
            Lit::Str(text) if text.value().trim().is_empty() => {
                let mend = format_args!("`{}` is empty: leave it out, or", self.name);
                Err(Error::new_spanned(text, format_args!("{mend} write `{}`", self.example)))
            }
            Lit::Str(_) => Ok(sql),
            other => {
                Err(self
                    .wrong(other, format_args!("`{}` takes SQL as a text in quotes", self.name)))
            }
        }
    }

    /// `key = some::path`.
    pub(crate) fn path(&self, input: ParseStream) -> Result<Path> {
        self.value(input, "a path", Path::parse_mod_style)
    }

    /// `key = field`.
    pub(crate) fn field(&self, input: ParseStream) -> Result<Member> {
        let field = self.value(input, "the name of a field, without quotes", Parse::parse)?;
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(field);
        }
        Err(input.error(format_args!(
            "`{}` names one field of the struct, nothing inside it: give the whole field and its type a `Display`",
            self.name
        )))
    }

    /// `key`, without a value.
    pub(crate) fn flag(&self, input: ParseStream) -> Result<()> {
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(());
        }
        Err(self.wrong(&self.ident, format_args!("`{}` has no value", self.name)))
    }

    /// `key(…)`: what stands in the parentheses.
    pub(crate) fn list(&self, input: ParseStream) -> Result<TokenStream> {
        if !input.peek(syn::token::Paren) {
            return Err(self
                .wrong(&self.ident, format_args!("`{}` takes a list in parentheses", self.name)));
        }
        let content;
        parenthesized!(content in input);
        content.parse()
    }

    fn value<T>(
        &self,
        input: ParseStream,
        what: &str,
        parse: impl FnOnce(ParseStream) -> Result<T>,
    ) -> Result<T> {
        if !input.peek(Token![=]) || input.peek(Token![==]) {
            return Err(self.wrong(&self.ident, format_args!("`{}` needs {what}", self.name)));
        }
        input.parse::<Token![=]>()?;
        parse(input).map_err(|error| {
            let message = format!("`{}` takes {what}: write `{}`", self.name, self.example);
            Error::new(error.span(), message)
        })
    }

    fn wrong(&self, tokens: impl ToTokens, what: impl Display) -> Error {
        Error::new_spanned(tokens, format_args!("{what}: write `{}`", self.example))
    }
}

/// An option that may be given once.
pub(crate) struct Slot<T>(Option<(Ident, T)>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Slot<T> {
    /// Keeps the value, unless there is one already.
    pub(crate) fn set(&mut self, key: &Key, value: T, errors: &mut Errors) {
        if self.0.is_some() {
            errors
                .at(&key.ident, format_args!("`{}` is given twice; keep one of the two", key.name));
        } else {
            self.0 = Some((key.ident.clone(), value));
        }
    }

    /// The option as it was written, to point at.
    pub(crate) fn key(&self) -> Option<&Ident> {
        self.0.as_ref().map(|(key, _)| key)
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn take(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }
}

/// A mistake at what comes next, or in `before` if nothing does.
pub(crate) fn error_here(input: ParseStream, before: impl ToTokens, message: String) -> Error {
    if input.is_empty() { Error::new_spanned(before, message) } else { input.error(message) }
}

/// Refuses the attribute on fields, where rustc lets it pass.
pub(crate) fn refuse_on_fields(attribute: &str, input: &DeriveInput, errors: &mut Errors) {
    let fields: Vec<_> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => return,
    };
    for field in fields {
        refuse(attribute, &field.attrs, "a field", errors);
    }
}

/// Refuses the attribute on variants, where rustc lets it pass.
pub(crate) fn refuse_on_variants(attribute: &str, input: &DeriveInput, errors: &mut Errors) {
    if let Data::Enum(data) = &input.data {
        for Variant { attrs, .. } in &data.variants {
            refuse(attribute, attrs, "a variant", errors);
        }
    }
}

fn refuse(attribute: &str, attributes: &[Attribute], place: &str, errors: &mut Errors) {
    for found in attributes {
        if found.path().is_ident(attribute) {
            errors.at(
                &found.meta,
                format_args!("`#[{attribute}(…)]` has no meaning on {place}: move it to the type, or remove it"),
            );
        }
    }
}
