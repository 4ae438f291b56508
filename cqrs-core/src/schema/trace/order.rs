//! Puts the structs and enums that were met in order.

use std::cell::RefCell;

use super::super::shape::{Content, Form, Shape, TypeContent, TypeShape};
use super::Type;

/// Only the structs and enums that are still needed, in the order in which they are met.
pub(super) fn in_order(types: &[Type], form: Form) -> Shape {
    let order = Order { types, new: RefCell::default() };
    let form = order.form(form);
    let mut shapes = Vec::new();
    // A content that is put in order may lead to more.
    while let Some(index) = order.met(shapes.len()) {
        let TypeShape { identity, name, content } = types[index].shape.clone();
        let content = match content {
            TypeContent::Struct(content) => {
                TypeContent::Struct(content.map(&|form| order.form(form)))
            }
            TypeContent::Enum(tagging, variants) => {
                let variant =
                    |(name, content): (_, Content)| (name, content.map(&|form| order.form(form)));
                TypeContent::Enum(tagging, variants.into_iter().map(variant).collect())
            }
        };
        shapes.push(TypeShape { identity, name, content });
    }
    Shape { form, types: shapes }
}

/// The structs and enums that are met, by the order in which they are.
struct Order<'a> {
    types: &'a [Type],
    new: RefCell<Vec<usize>>,
}

impl Order<'_> {
    fn met(&self, index: usize) -> Option<usize> {
        self.new.borrow().get(index).copied()
    }

    fn form(&self, form: Form) -> Form {
        form.map_types(&|index| self.type_(index))
    }

    fn type_(&self, index: usize) -> Form {
        let Type { shape, is_recursive, .. } = &self.types[index];
        // A struct around one value is stored as that value; only one that is met within itself needs its name.
        if let TypeContent::Struct(Content::Newtype(inner)) = &shape.content
            && !is_recursive
        {
            return self.form(inner.clone());
        }
        let mut new = self.new.borrow_mut();
        let position = new.iter().position(|known| *known == index).unwrap_or_else(|| {
            new.push(index);
            new.len() - 1
        });
        Form::Type(position)
    }
}
