//! Names that are stored or shown: how they come from Rust names, and which are allowed.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

/// `cqrs_core::limits::MAX_EVENT_TYPE_BYTES`.
pub(crate) const MAX_EVENT_TYPE_BYTES: usize = 128;

/// `cqrs_core::limits::MAX_CATEGORY_BYTES`.
pub(crate) const MAX_CATEGORY_BYTES: usize = 64;

/// What PostgreSQL tells names of tables and columns apart by.
const MAX_SQL_NAME_BYTES: usize = 63;

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

/// Says what is wrong with `name`, if it can't be that of a table or a column.
pub(crate) fn sql_problem(name: &str) -> Option<String> {
    const TAKEN: [(&str, &str); 3] =
        [("cqrs_", "the framework"), ("sqlite_", "SQLite"), ("pg_", "PostgreSQL")];
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > MAX_SQL_NAME_BYTES {
        let (length, limit) = (name.len(), MAX_SQL_NAME_BYTES);
        return Some(format!("it has {length} bytes, and databases allow {limit}"));
    }
    let refused =
        |character: &char| character.is_control() || matches!(character, '"' | '\'' | '`' | '.');
    if let Some(character) = name.chars().find(refused) {
        return Some(format!("it has the character {character:?}"));
    }
    let begins = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let (prefix, whose) = TAKEN.into_iter().find(|(prefix, _)| begins(prefix))?;
    Some(format!("names that begin with `{prefix}` belong to {whose}"))
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
    fn names_that_no_table_or_column_has_are_found() {
        for name in ["balances", "Größe", "two words", "type", "cqrs", "pgs_", &"n".repeat(63)] {
            assert_eq!(sql_problem(name), None, "{name}");
        }
        assert!(sql_problem("").unwrap().contains("empty"));
        assert!(sql_problem(&"n".repeat(64)).unwrap().contains("64"));
        for name in ["a\0", "a\"b", "a'b", "a`b", "a\nb", "a.b"] {
            assert!(sql_problem(name).unwrap().contains("character"), "{name}");
        }
        assert!(sql_problem("cqrs_log").unwrap().contains("the framework"));
        assert!(sql_problem("SQLite_master").unwrap().contains("SQLite"));
        assert!(sql_problem("pg_class").unwrap().contains("PostgreSQL"));
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
