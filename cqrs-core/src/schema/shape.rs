//! What a type looks like when it is stored.

use std::fmt;

/// What a type asks for when it is read: the stored form, as far as its `Deserialize` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The form of the type itself.
    pub form: Form,
    /// The structs and enums in it, which [`Form::Type`] counts from 0.
    pub types: Vec<TypeShape>,
}

/// The form of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Nobody knows: the type can't be read, or is too large to be looked through.
    Opaque,
    /// Any JSON: what is inside shows only when it is read.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// Its size.
        bits: u8,
        /// Whether it may be negative.
        signed: bool,
    },
    /// A number.
    Float {
        /// Its size.
        bits: u8,
    },
    /// A text of one character.
    Char,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// `null`.
    Unit,
    /// `null`, or a value.
    Option(Box<Form>),
    /// An array of any length.
    Sequence(Box<Form>),
    /// An array of this length.
    Tuple(Vec<Form>),
    /// An object whose keys are not those of a struct.
    Map(Box<Form>, Box<Form>),
    /// A struct or enum: which of [`Shape::types`].
    Type(usize),
    /// A value of this form that is checked when it is read, such as a text that is a date.
    Checked {
        /// What is asked for.
        form: Box<Form>,
        /// The JSON text of a value that passes, if one was found.
        like: Option<String>,
    },
}

/// A struct or enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeShape {
    /// What tells it from others of the same name.
    #[doc(hidden)]
    pub identity: String,
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub content: TypeContent,
}

/// What is in a struct or enum.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypeContent {
    /// The one form of a struct.
    Struct(Content),
    /// Forms to choose from, by their stored names.
    Enum(Tagging, Vec<(&'static str, Content)>),
}

/// How an enum tells its variants apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tagging {
    /// The name is the text, or the only key of an object around the content.
    External,
    /// The name is in a field among those of the content.
    Internal(&'static str),
    /// Name and content are two fields.
    Adjacent(&'static str, &'static str),
}

/// The content of a struct or of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// None.
    Unit,
    /// One value, without anything around it.
    Newtype(Form),
    /// An array.
    Tuple(Vec<Form>),
    /// An object, in order of declaration.
    Fields(Vec<Member>),
    /// It does not show.
    Unknown,
}

/// A field of a struct, or of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its stored name.
    pub name: &'static str,
    /// What is in it.
    pub form: Form,
    /// Whether it may be absent; `None` where that could not be found out.
    pub may_be_absent: Option<bool>,
}

impl Shape {
    /// Nobody knows.
    pub const OPAQUE: Self = Self { form: Form::Opaque, types: Vec::new() };
}

impl Content {
    /// With these forms changed.
    pub(super) fn map(self, change: &impl Fn(Form) -> Form) -> Self {
        match self {
            Self::Newtype(form) => Self::Newtype(change(form)),
            Self::Tuple(forms) => Self::Tuple(forms.into_iter().map(change).collect()),
            Self::Fields(members) => {
                let member = |member: Member| Member { form: change(member.form), ..member };
                Self::Fields(members.into_iter().map(member).collect())
            }
            other => other,
        }
    }
}

impl Form {
    /// With another form for each struct and enum.
    pub(super) fn map_types(self, change: &dyn Fn(usize) -> Self) -> Self {
        let boxed = |form: Box<Self>| Box::new(form.map_types(change));
        match self {
            Self::Type(index) => change(index),
            Self::Option(inner) => Self::Option(boxed(inner)),
            Self::Sequence(inner) => Self::Sequence(boxed(inner)),
            Self::Tuple(forms) => {
                Self::Tuple(forms.into_iter().map(|form| form.map_types(change)).collect())
            }
            Self::Map(key, value) => Self::Map(boxed(key), boxed(value)),
            Self::Checked { form, like } => Self::Checked { form: boxed(form), like },
            other => other,
        }
    }

    /// The form as text, with the names of types told by `name`.
    pub fn display<'a, N: AsRef<str>>(
        &'a self,
        name: &'a dyn Fn(usize) -> N,
    ) -> impl fmt::Display + 'a {
        fmt::from_fn(move |formatter| self.write(formatter, name))
    }

    fn write<N: AsRef<str>>(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        name: &dyn Fn(usize) -> N,
    ) -> fmt::Result {
        match self {
            Self::Opaque => formatter.write_str("opaque"),
            Self::Any => formatter.write_str("any"),
            Self::Bool => formatter.write_str("bool"),
            Self::Integer { bits, signed: true } => write!(formatter, "i{bits}"),
            Self::Integer { bits, signed: false } => write!(formatter, "u{bits}"),
            Self::Float { bits } => write!(formatter, "f{bits}"),
            Self::Char => formatter.write_str("char"),
            Self::Text => formatter.write_str("text"),
            Self::Bytes => formatter.write_str("bytes"),
            Self::Unit => formatter.write_str("null"),
            Self::Option(inner) => write!(formatter, "option<{}>", inner.display(name)),
            Self::Sequence(inner) => write!(formatter, "list<{}>", inner.display(name)),
            Self::Tuple(forms) => {
                formatter.write_str("tuple<")?;
                for (index, form) in forms.iter().enumerate() {
                    let between = if index == 0 { "" } else { ", " };
                    write!(formatter, "{between}{}", form.display(name))?;
                }
                formatter.write_str(">")
            }
            Self::Map(key, value) => {
                write!(formatter, "map<{}, {}>", key.display(name), value.display(name))
            }
            Self::Type(index) => formatter.write_str(name(*index).as_ref()),
            Self::Checked { form, like: Some(like) } => {
                write!(formatter, "{} like {like}", form.display(name))
            }
            Self::Checked { form, like: None } => {
                write!(formatter, "checked {}", form.display(name))
            }
        }
    }
}
