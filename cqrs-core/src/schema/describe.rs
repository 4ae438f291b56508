//! What derived code tells of events and commands.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::shape::Shape;
use super::trace::shape_of;

/// Is told of event types, or of a command, in order. Being generic, it costs programs that ask nobody nothing.
#[doc(hidden)]
pub trait Describe {
    /// The next event type or command: the name of the struct or the variant, its doc comment, and the serde attributes of
    /// the struct, or of the enum and of the variant with ` | ` between.
    fn kind(&mut self, name: &'static str, docs: &'static str, attributes: &'static str);

    /// Its next field.
    fn field(&mut self, field: Field, shape: impl FnOnce() -> Shape);
}

/// A field as it is declared.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name, or its number.
    pub name: &'static str,
    /// Its type, as it is written.
    pub type_: &'static str,
    /// Its serde attributes.
    pub attributes: &'static str,
    /// Its doc comment.
    pub docs: &'static str,
}

/// Finds out the shape of `T`, if it can be read: `(&&Probe::<T>::new()).shape()` finds [`ProbeShape`] first.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<T>(PhantomData<fn() -> T>);

impl<T> Probe<T> {
    #[allow(clippy::new_without_default, reason = "derived code calls it by name")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

#[doc(hidden)]
pub trait ProbeShape {
    fn shape(&self) -> Shape;
}

impl<T: DeserializeOwned> ProbeShape for &Probe<T> {
    fn shape(&self) -> Shape {
        shape_of::<T>()
    }
}

#[doc(hidden)]
pub trait ProbeOpaque {
    fn shape(&self) -> Shape;
}

impl<T> ProbeOpaque for Probe<T> {
    fn shape(&self) -> Shape {
        Shape::OPAQUE
    }
}
