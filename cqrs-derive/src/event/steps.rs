//! Reads lists of steps such as `1 => cents_from_units, 2 => type DepositedV2`.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprPath, LitInt, Token, Type};

use super::Step;
use crate::attr::{self, Key};
use crate::bare;
use crate::errors::Errors;
use crate::names;

/// A step, and the version it begins at.
pub(super) struct WrittenStep {
    pub(super) version: u32,
    /// The version, as it is written.
    pub(super) literal: LitInt,
    pub(super) by: Step,
}

/// The steps, without those that are wrong.
pub(super) fn read(key: &Key, list: TokenStream, errors: &mut Errors) -> Vec<WrittenStep> {
    if list.is_empty() {
        errors.at(
            &key.ident,
            format_args!("`{}` has no steps: write `{}`, or remove it", key.name, key.example),
        );
    }
    let mut steps = Vec::new();
    let read = |input: ParseStream| {
        while !input.is_empty() {
            match step(key, input) {
                Ok(step) => steps.push(step),
                Err(error) => {
                    errors.push(error);
                    skip_step(input);
                }
            }
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                errors.push(input.error("expected a comma before the next step"));
                skip_step(input);
                // There is a comma or nothing; both are fine.
                let _ = input.parse::<Option<Token![,]>>();
            }
        }
        Ok(())
    };
    if let Err(error) = read.parse2(list) {
        errors.push(error);
    }
    steps
}

fn step(key: &Key, input: ParseStream) -> syn::Result<WrittenStep> {
    let Ok(literal) = input.parse::<LitInt>() else {
        return Err(input.error(format_args!(
            "a step begins with the number of a version: write `{}`",
            key.example
        )));
    };
    let version = number(key, &literal)?;
    if input.parse::<Token![=>]>().is_err() {
        let message = format!("after the version comes `=>`: write `{}`", key.example);
        return Err(attr::error_here(input, &literal, message));
    }
    let by = if input.peek(Token![type]) {
        shape(version, input)?
    } else {
        function(key, version, input)?
    };
    if let ("downcast", Step::Type(type_)) = (key.name, &by) {
        let message = "a step back is a function: write `fn step(draft: &mut Draft) -> Result<(), UpcastError>`, and \
                       its name here, without `type`";
        return Err(Error::new_spanned(type_, message));
    }
    Ok(WrittenStep { version, literal, by })
}

fn number(key: &Key, literal: &LitInt) -> syn::Result<u32> {
    let wrong = |message: String| Err(Error::new_spanned(literal, message));
    match literal.base10_parse() {
        _ if !literal.suffix().is_empty() => wrong(format!(
            "remove `{}` after the number: write `{}`",
            literal.suffix(),
            key.example
        )),
        Ok(0) => wrong(format!(
            "versions count from 1, so there is no step at 0: write `{}`",
            key.example
        )),
        Ok(version) => Ok(version),
        Err(_) => wrong(format!("a version is a whole number from 1 on, up to {}", u32::MAX)),
    }
}

/// `type DepositedV1`.
fn shape(version: u32, input: ParseStream) -> syn::Result<Step> {
    let keyword = input.parse::<Token![type]>()?;
    let expected = format!(
        "after `type` comes the shape of version {version}, a type with `#[derive(Deserialize, Upcast)]`: write \
         `{version} => type DepositedV{version}`"
    );
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new_spanned(keyword, expected));
    }
    match input.parse::<Type>().map(|type_| bare::type_(&type_).clone()) {
        Ok(type_ @ Type::Path(_)) => Ok(Step::Type(type_)),
        Ok(other) => Err(Error::new_spanned(other, expected)),
        Err(error) => Err(Error::new(error.span(), expected)),
    }
}

fn function(key: &Key, version: u32, input: ParseStream) -> syn::Result<Step> {
    let expected = "a step is the name of a function";
    if input.is_empty() || input.peek(Token![,]) {
        return Err(input.error(format_args!("{expected}: write `{}`", key.example)));
    }
    match input.parse::<Expr>().map(|expression| bare::expression(&expression).clone()) {
        Ok(Expr::Path(path)) => match type_like(&path) {
            Some(name) => {
                let mend = match key.name {
                    "downcast" => "steps back are functions".to_owned(),
                    _ => format!(
                        "for the shape of version {version} write `{version} => type {name}`"
                    ),
                };
                Err(Error::new_spanned(
                    &path,
                    format_args!("`{name}` is a type, and {expected}: {mend}"),
                ))
            }
            None => Ok(Step::Function(path)),
        },
        Ok(closure @ Expr::Closure(_)) => Err(Error::new_spanned(
            closure,
            format_args!(
                "a step has a name, which listings of the history show: write a function `fn step(draft: &mut Draft) \
                 -> Result<(), UpcastError>`, and `{version} => step`"
            ),
        )),
        Ok(Expr::Call(call)) => Err(Error::new_spanned(
            call,
            format_args!("{expected}, without arguments: write `{}`", key.example),
        )),
        Ok(other) => {
            Err(Error::new_spanned(other, format_args!("{expected}: write `{}`", key.example)))
        }
        Err(error) => {
            Err(Error::new(error.span(), format_args!("{expected}: write `{}`", key.example)))
        }
    }
}

/// The name, if it is written like that of a type: constants, which may be functions as well, have no small letters.
fn type_like(path: &ExprPath) -> Option<String> {
    let name = names::plain(&path.path.segments.last()?.ident);
    let is_type = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    is_type.then_some(name)
}

/// Goes to the comma before the next step, or to the end.
fn skip_step(input: ParseStream) {
    while !input.is_empty() && !at_next_step(input) {
        // Any token will do: there is one, since the input is not empty.
        let _ = input.parse::<proc_macro2::TokenTree>();
    }
}

/// Whether a comma with a step after it comes next, rather than one inside a step.
fn at_next_step(input: ParseStream) -> bool {
    let ahead = input.fork();
    if ahead.parse::<Token![,]>().is_err() {
        return false;
    }
    ahead.is_empty() || ahead.parse::<LitInt>().is_ok() && ahead.peek(Token![=>])
}
