//! The shapes of what is stored, as far as Rust types tell them.

mod attributes;
mod catalogue;
mod check;
mod describe;
mod dry_run;
mod json_schema;
mod outline;
mod shape;
mod tables;
mod trace;

pub use self::catalogue::{
    Catalogue, Clashes, CommandSchema, ContentSchema, EventReader, EventSchema, FieldSchema,
    RewriteError,
};
pub(crate) use self::check::clash;
#[doc(hidden)]
pub use self::describe::{Describe, Field, Probe, ProbeOpaque, ProbeShape};
pub use self::dry_run::{DryRun, Kind};
pub use self::shape::{Content, Form, Member, Shape, Tagging, TypeContent, TypeShape};

#[cfg(test)]
mod tests;
