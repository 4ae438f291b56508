//! Shapes as text, a line for each field and each variant.

use std::fmt::Write as _;

use super::shape::{Content, Form, Member, Shape, Tagging, TypeContent, TypeShape};

/// Structs and enums that several shapes share, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Types(pub(super) Vec<TypeShape>);

impl Types {
    /// Takes in those of `shape`; returns its form, which counts types as they are here.
    pub(super) fn add(&mut self, shape: Shape) -> Form {
        let Shape { form, types } = shape;
        let mut added = Vec::new();
        let mut index = Vec::with_capacity(types.len());
        for found in types {
            let known = self.0.iter().position(|known| known.identity == found.identity);
            index.push(known.unwrap_or_else(|| {
                added.push(self.0.len());
                self.0.push(found);
                self.0.len() - 1
            }));
        }
        let renumbered = |form: Form| renumber(form, &index);
        for at in added {
            let content =
                std::mem::replace(&mut self.0[at].content, TypeContent::Struct(Content::Unknown));
            self.0[at].content = match content {
                TypeContent::Struct(content) => TypeContent::Struct(content.map(&renumbered)),
                TypeContent::Enum(tagging, variants) => {
                    let variant = |(name, content): (_, Content)| (name, content.map(&renumbered));
                    TypeContent::Enum(tagging, variants.into_iter().map(variant).collect())
                }
            };
        }
        renumbered(form)
    }
}

fn renumber(form: Form, index: &[usize]) -> Form {
    form.map_types(&|at| index.get(at).map_or(Form::Opaque, |new| Form::Type(*new)))
}

/// A name for each of these types that no other has: `Line`, `Line.2`.
pub(super) fn names(types: &[TypeShape]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(types.len());
    for (index, found) in types.iter().enumerate() {
        let alike = types[..index].iter().filter(|other| other.name == found.name).count();
        names.push(match alike {
            0 => found.name.to_owned(),
            alike => format!("{}.{}", found.name, alike + 1),
        });
    }
    names
}

/// Each struct and enum as text, in order of their names.
pub(super) fn outlines(types: &[TypeShape]) -> Vec<String> {
    let names = names(types);
    let mut order: Vec<(&String, &TypeShape)> = names.iter().zip(types).collect();
    order.sort_by_key(|(name, _)| *name);
    order.into_iter().map(|(name, found)| outline(name, found, &names)).collect()
}

pub(super) fn form(form: &Form, names: &[String]) -> String {
    form.display(&|index| names.get(index).map_or("opaque", String::as_str)).to_string()
}

fn outline(name: &str, found: &TypeShape, names: &[String]) -> String {
    match &found.content {
        TypeContent::Struct(content) => format!("type {name}{}", content_of(content, 1, names)),
        TypeContent::Enum(tagging, variants) => {
            let tagging = match tagging {
                Tagging::External => String::new(),
                Tagging::Internal(tag) => format!(" by {tag:?}"),
                Tagging::Adjacent(tag, content) => format!(" by {tag:?} of {content:?}"),
            };
            let mut lines: Vec<String> = variants
                .iter()
                .map(|(name, content)| format!("\n  {name}{}", content_of(content, 2, names)))
                .collect();
            lines.sort();
            format!("enum {name}{tagging}{}", lines.concat())
        }
    }
}

fn content_of(content: &Content, depth: usize, names: &[String]) -> String {
    match content {
        Content::Unit => String::new(),
        Content::Newtype(inner) => format!(" = {}", form(inner, names)),
        Content::Tuple(forms) => format!(" = {}", form(&Form::Tuple(forms.clone()), names)),
        Content::Fields(members) => {
            let mut lines: Vec<String> = members.iter().map(|found| member(found, names)).collect();
            lines.sort();
            let mut text = String::from(" {}");
            if !lines.is_empty() {
                text.clear();
            }
            for line in lines {
                // Writing to a `String` can't fail.
                let _ = write!(text, "\n{:indent$}{line}", "", indent = depth * 2);
            }
            text
        }
        Content::Unknown => " = opaque".to_owned(),
    }
}

fn member(member: &Member, names: &[String]) -> String {
    let mark = match member.may_be_absent {
        Some(true) => "?",
        Some(false) => "",
        None => "~",
    };
    format!("{}{mark}: {}", member.name, form(&member.form, names))
}
