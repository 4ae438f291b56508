//! The shape of an aggregate's state as text. A snapshot of another shape is not used.

use std::fmt::Write as _;

use syn::{Attribute, Data, DeriveInput, Fields};

use crate::names;
use crate::serde_attr;
use crate::text::text;

/// Version, names, types and serde attributes: what decides how the state is written. Comments and other attributes
/// have no part in it.
pub(super) fn of(input: &DeriveInput, version: u32) -> String {
    let mut shape = format!("v{version} ");
    add_attributes(&mut shape, &input.attrs);
    match &input.data {
        Data::Struct(data) => add_fields(&mut shape, &data.fields),
        Data::Enum(data) => {
            for variant in &data.variants {
                add_attributes(&mut shape, &variant.attrs);
                shape.push_str(&names::plain(&variant.ident));
                add_fields(&mut shape, &variant.fields);
            }
        }
        Data::Union(_) => {}
    }
    shape
}

fn add_fields(shape: &mut String, fields: &Fields) {
    shape.push('{');
    for (index, field) in fields.iter().enumerate() {
        add_attributes(shape, &field.attrs);
        // Writing to a `String` can't fail.
        let _ = match &field.ident {
            Some(ident) => write!(shape, "{}: ", names::plain(ident)),
            None => write!(shape, "{index}: "),
        };
        shape.push_str(&text(&field.ty));
        shape.push(',');
    }
    shape.push('}');
}

fn add_attributes(shape: &mut String, attributes: &[Attribute]) {
    let written = serde_attr::written(attributes);
    if !written.is_empty() {
        let _ = write!(shape, "{written} ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(source: &str) -> String {
        of(&syn::parse_str(source).unwrap(), 1)
    }

    #[test]
    fn g9_what_changes_the_written_state_changes_the_shape() {
        let shapes = [
            "struct A { a: u32, b: Vec<String> }",
            "struct A { a: u32 }",
            "struct A { a: u64, b: Vec<String> }",
            "struct A { c: u32, b: Vec<String> }",
            "struct A { b: Vec<String>, a: u32 }",
            "struct A { #[serde(rename = \"x\")] a: u32, b: Vec<String> }",
            "#[serde(rename_all = \"camelCase\")] struct A { a: u32, b: Vec<String> }",
            "struct A(u32, Vec<String>);",
            "struct A;",
            "enum A { B { a: u32 }, C }",
            "enum A { B { a: u32 }, D }",
            "enum A { #[serde(rename = \"x\")] B { a: u32 }, C }",
        ]
        .map(shape);
        for (index, one) in shapes.iter().enumerate() {
            assert!(!shapes[..index].contains(one), "{one}");
        }
        let input = syn::parse_str("struct A;").unwrap();
        assert_ne!(of(&input, 1), of(&input, 2));
    }

    #[test]
    fn what_does_not_change_the_written_state_does_not_change_the_shape() {
        let plain = shape("struct A { a: u32, b: Vec<String>, r#type: [u8; 2] }");
        let decorated = shape(
            "/// Text.\n#[derive(Debug)]\npub struct A {\n/// More.\n pub a: u32,\n\n #[allow(unused)]\n \
             b: Vec <\n String\n >,\n pub(crate) r#type: [ u8;2 ],\n}",
        );
        assert_eq!(plain, decorated);
    }
}
