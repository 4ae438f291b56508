//! What is given to a derive, without the parentheses and invisible groups around it: macros put these around what they
//! are given.

use syn::{Expr, Type};

pub(crate) fn expression(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => self::expression(&group.expr),
        Expr::Paren(paren) => self::expression(&paren.expr),
        expression => expression,
    }
}

pub(crate) fn type_(type_: &Type) -> &Type {
    match type_ {
        Type::Group(group) => self::type_(&group.elem),
        Type::Paren(paren) => self::type_(&paren.elem),
        type_ => type_,
    }
}
