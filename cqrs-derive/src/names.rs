//! Names that are stored or shown: how they come from Rust names, and which are allowed.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

/// `cqrs_core::limits::MAX_EVENT_TYPE_BYTES`.
pub(crate) const MAX_EVENT_TYPE_BYTES: usize = 128;

/// `cqrs_core::limits::MAX_CATEGORY_BYTES`.
pub(crate) const MAX_CATEGORY_BYTES: usize = 64;

/// The name of a Rust item, without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// `HTTPCallFailed2` as `http_call_failed2`.
pub(crate) fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| characters[index]);
        let ends_acronym = characters.get(index + 1).is_some_and(|next| next.is_lowercase());
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && ends_acronym)
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// Says what is wrong with `name`, if it can't be stored.
pub(crate) fn problem(name: &str, limit: usize) -> Option<String> {
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > limit {
        return Some(format!("it has {} bytes, and at most {limit} are allowed", name.len()));
    }
    let character = name.chars().find(|character| !allowed(*character))?;
    Some(format!(
        "it has the character {character:?}, and only ASCII letters, digits, `_`, `-` and `.` are allowed"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case_parts_words_and_keeps_acronyms_whole() {
        for (name, snake) in [
            ("Opened", "opened"),
            ("MoneyDeposited", "money_deposited"),
            ("HTTPCalled", "http_called"),
            ("CalledHTTP", "called_http"),
            ("V2Opened", "v2_opened"),
            ("Sha256Sum", "sha256_sum"),
            ("Opened2", "opened2"),
            ("already_snake", "already_snake"),
            ("Two_Words", "two_words"),
            ("X", "x"),
            ("", ""),
        ] {
            assert_eq!(snake_case(name), snake, "{name}");
        }
    }

    #[test]
    fn g13_limits_are_those_of_the_stores() {
        assert_eq!(MAX_EVENT_TYPE_BYTES, cqrs::limits::MAX_EVENT_TYPE_BYTES);
        assert_eq!(MAX_CATEGORY_BYTES, cqrs::limits::MAX_CATEGORY_BYTES);
    }

    #[test]
    fn g13_names_that_cannot_be_stored_are_found() {
        assert_eq!(problem("account.opened-2_x", 128), None);
        assert_eq!(problem(&"n".repeat(128), 128), None);
        assert!(problem(&"n".repeat(129), 128).unwrap().contains("129"));
        assert!(problem("", 128).unwrap().contains("empty"));
        assert!(problem("a b", 128).unwrap().contains("' '"));
        assert!(problem("größe", 128).unwrap().contains("'ö'"));
        assert!(problem("a\0", 128).unwrap().contains("'\\0'"));
    }
}
