//! Names of streams: a category and a key, validated once and cheap to clone.

use std::fmt;
use std::sync::Arc;

use crate::limits::{MAX_CATEGORY_BYTES, MAX_KEY_BYTES};

/// Name of a stream: a category such as `account` and a key such as `42`, shown as `account/42`.
///
/// A category consists of ASCII letters, digits, `_`, `-` and `.`; a key is any text without NUL characters.
/// Both are compared byte by byte. Cloning is one reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// `category/key`; a category has no slash, so that the first one divides the two.
    text: Arc<str>,
    category_bytes: usize,
}

impl StreamId {
    /// The stream with this category and key.
    ///
    /// # Errors
    /// When either is empty, too long ([`MAX_CATEGORY_BYTES`], [`MAX_KEY_BYTES`]) or has characters that are not
    /// allowed (G13).
    pub fn new(category: &str, key: &str) -> Result<Self, InvalidStreamId> {
        check_category(category)?;
        check_key(key)?;
        let mut text = String::with_capacity(category.len() + 1 + key.len());
        text.push_str(category);
        text.push('/');
        text.push_str(key);
        Ok(Self { text: text.into(), category_bytes: category.len() })
    }

    /// The category: the kind of aggregate whose events the stream holds.
    #[inline]
    pub fn category(&self) -> &str {
        &self.text[..self.category_bytes]
    }

    /// The key: which aggregate of its category.
    #[inline]
    pub fn key(&self) -> &str {
        &self.text[self.category_bytes + 1..]
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StreamId({:?})", &*self.text)
    }
}

/// A text that can't name a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStreamId {
    /// The category is empty.
    #[error(
        "the category of a stream is empty; give it the name of the kind of aggregate, such as `account`"
    )]
    EmptyCategory,
    /// The category is longer than [`MAX_CATEGORY_BYTES`].
    #[error("the category of a stream has {0} bytes; at most {MAX_CATEGORY_BYTES} are allowed")]
    CategoryTooLong(usize),
    /// The category has a character that is not allowed.
    #[error(
        "the category {category:?} of a stream has the character {character:?}; \
         use ASCII letters, digits, `_`, `-` and `.`"
    )]
    CategoryCharacter {
        /// The category as given.
        category: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// The key is empty.
    #[error("the key of a stream is empty; give it the id of the aggregate")]
    EmptyKey,
    /// The key is longer than [`MAX_KEY_BYTES`].
    #[error("the key of a stream has {0} bytes; at most {MAX_KEY_BYTES} are allowed")]
    KeyTooLong(usize),
    /// The key has a NUL character, which no database can store as text.
    #[error("the key of a stream has a NUL character at byte {0}, which databases can't store")]
    NulInKey(usize),
}

fn check_category(category: &str) -> Result<(), InvalidStreamId> {
    if category.is_empty() {
        return Err(InvalidStreamId::EmptyCategory);
    }
    if category.len() > MAX_CATEGORY_BYTES {
        return Err(InvalidStreamId::CategoryTooLong(category.len()));
    }
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    match category.chars().find(|character| !allowed(*character)) {
        None => Ok(()),
        Some(character) => {
            Err(InvalidStreamId::CategoryCharacter { category: category.to_owned(), character })
        }
    }
}

fn check_key(key: &str) -> Result<(), InvalidStreamId> {
    if key.is_empty() {
        return Err(InvalidStreamId::EmptyKey);
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(InvalidStreamId::KeyTooLong(key.len()));
    }
    match key.bytes().position(|byte| byte == 0) {
        None => Ok(()),
        Some(at) => Err(InvalidStreamId::NulInKey(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g13_streams_with_bad_names_are_refused() {
        assert_eq!(StreamId::new("", "1"), Err(InvalidStreamId::EmptyCategory));
        assert_eq!(StreamId::new("account", ""), Err(InvalidStreamId::EmptyKey));
        assert_eq!(StreamId::new(&"c".repeat(65), "1"), Err(InvalidStreamId::CategoryTooLong(65)));
        assert_eq!(
            StreamId::new("account", &"k".repeat(10_000)),
            Err(InvalidStreamId::KeyTooLong(10_000))
        );
        assert_eq!(StreamId::new("account", "a\0b"), Err(InvalidStreamId::NulInKey(1)));
        assert!(matches!(
            StreamId::new("a/b", "1"),
            Err(InvalidStreamId::CategoryCharacter { character: '/', .. })
        ));
    }

    #[test]
    fn category_and_key_are_told_apart_whatever_the_key_holds() {
        let stream = StreamId::new("account", "a/b/'; DROP TABLE \u{1F980}").unwrap();
        assert_eq!((stream.category(), stream.key()), ("account", "a/b/'; DROP TABLE \u{1F980}"));
        assert_eq!(stream.to_string(), "account/a/b/'; DROP TABLE \u{1F980}");
    }
}
