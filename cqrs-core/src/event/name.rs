//! The name an event type is stored under.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The stored name of an event type: text that is copied without being allocated anew.
#[derive(Clone)]
pub struct EventTypeName(Text);

/// Names that the program declares are there all the time; those that come from a database are shared.
#[derive(Clone)]
enum Text {
    Declared(&'static str),
    Shared(Arc<str>),
}

impl EventTypeName {
    /// The name.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Declared(name) => name,
            Text::Shared(name) => name,
        }
    }
}

impl Deref for EventTypeName {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for EventTypeName {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for EventTypeName {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&'static str> for EventTypeName {
    fn from(name: &'static str) -> Self {
        Self(Text::Declared(name))
    }
}

impl From<Arc<str>> for EventTypeName {
    fn from(name: Arc<str>) -> Self {
        Self(Text::Shared(name))
    }
}

impl From<String> for EventTypeName {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<Cow<'static, str>> for EventTypeName {
    fn from(name: Cow<'static, str>) -> Self {
        match name {
            Cow::Borrowed(name) => name.into(),
            Cow::Owned(name) => name.into(),
        }
    }
}

impl PartialEq for EventTypeName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for EventTypeName {}

impl PartialEq<str> for EventTypeName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for EventTypeName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for EventTypeName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventTypeName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

/// As the text itself, so that a map can be asked for a `str`.
impl Hash for EventTypeName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for EventTypeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl fmt::Display for EventTypeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self)
    }
}
