//! Values that are tried, to see what is accepted.

use serde_json::{Value, json};

use super::Form;

/// A text that names no variant.
pub(super) const NO_VARIANT: &str = "\u{1}";

/// Values of this form. What is not checked accepts the first.
pub(super) fn of_leaf(form: &Form) -> Vec<Value> {
    match form {
        Form::Bool => vec![json!(true), json!(false)],
        Form::Integer { .. } => vec![json!(0), json!(1)],
        Form::Float { .. } => vec![json!(0.0), json!(1.0)],
        Form::Char => vec![json!("é"), json!("a")],
        Form::Text => TEXTS.iter().copied().map(Value::from).collect(),
        Form::Bytes => vec![json!([]), json!("")],
        Form::Unit => vec![Value::Null],
        _ => Vec::new(),
    }
}

pub(super) fn of_any() -> Vec<Value> {
    vec![Value::Null, json!({}), json!([]), json!(""), json!(0), json!(false)]
}

pub(super) fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Texts as they are often written; the first is none of them.
const TEXTS: [&str; 18] = [
    "é \" ?",
    "a",
    "A",
    "0",
    "1.0",
    "00000000-0000-0000-0000-000000000000",
    "2000-01-01",
    "2000-01-01T00:00:00Z",
    "2000-01-01T00:00:00",
    "2000-01-01 00:00:00.0 +00:00:00",
    "00:00:00",
    "00:00:00.0",
    "PT0S",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "http://localhost/",
    "a@localhost.localdomain",
];
