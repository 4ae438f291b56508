//! What serde attributes say of the stored names of fields.

/// The options of serde attributes as text, `#[serde(rename = "x", default)]`, in whatever layout. One within another
/// is named with it: `rename.serialize`.
#[derive(Debug, Default)]
pub(super) struct Options(Vec<(String, Option<String>)>);

impl Options {
    pub(super) fn of(attributes: &str) -> Self {
        let mut options = Vec::new();
        // `serde`, and an option that has others within it.
        let mut outer: Vec<&str> = Vec::new();
        let mut last = "";
        let mut rest = attributes;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => {
                    let (value, length) = literal(rest);
                    if let Some((_, option)) = options.last_mut() {
                        *option = Some(value);
                    }
                    length
                }
                '(' => {
                    outer.push(std::mem::take(&mut last));
                    1
                }
                ')' => {
                    outer.pop();
                    1
                }
                _ if first.is_alphanumeric() || first == '_' => {
                    let is_part = |next: char| next.is_alphanumeric() || next == '_';
                    let length = rest.find(|next| !is_part(next)).unwrap_or(rest.len());
                    last = &rest[..length];
                    match &outer[..] {
                        [_] => options.push((last.to_owned(), None)),
                        [_, within] => options.push((format!("{within}.{last}"), None)),
                        _ => {}
                    }
                    length
                }
                _ => first.len_utf8(),
            };
            rest = &rest[length..];
        }
        Self(options)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(option, _)| option == name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(option, _)| option == name)?.1.as_deref()
    }

    /// What is written in the place of an option such as `rename`, which may differ for reading.
    fn written(&self, name: &str) -> Option<&str> {
        self.value(name).or_else(|| self.value(&format!("{name}.serialize")))
    }
}

/// The value of the literal a text begins with, and its length.
fn literal(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, at + 1),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, text.len())
}

/// The attributes of a struct, or of an enum and a variant with ` | ` between.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) own: Options,
    rename_all: Option<String>,
}

impl Container {
    pub(super) fn of(attributes: &str) -> Self {
        let parts = match attributes.trim().strip_prefix('|') {
            Some(variant) => Some(("", variant)),
            None => attributes.split_once("] |"),
        };
        match parts {
            None => {
                let own = Options::of(attributes);
                Self { rename_all: own.written("rename_all").map(str::to_owned), own }
            }
            Some((outer, variant)) => {
                let own = Options::of(variant);
                let of_all = Options::of(outer);
                let rule = own.written("rename_all").or(of_all.written("rename_all_fields"));
                Self { rename_all: rule.map(str::to_owned), own }
            }
        }
    }

    /// The stored name of a field.
    pub(super) fn stored_name(&self, field: &str, options: &Options) -> String {
        if let Some(name) = options.written("rename") {
            return name.to_owned();
        }
        self.rename_all.as_deref().map_or_else(|| field.to_owned(), |rule| renamed(field, rule))
    }
}

/// A field in the case that a rule of serde names.
fn renamed(field: &str, rule: &str) -> String {
    let pascal = || -> String {
        let capitalised = |word: &str| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        field.split('_').map(capitalised).collect()
    };
    match rule {
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => field.to_ascii_uppercase(),
        "PascalCase" => pascal(),
        "camelCase" => {
            let name = pascal();
            let first = name.chars().next().map(|first| first.to_ascii_lowercase());
            first.into_iter().chain(name.chars().skip(1)).collect()
        }
        "kebab-case" => field.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => field.to_ascii_uppercase().replace('_', "-"),
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_any_layout() {
        let text = r#"#[serde(rename = "a\"b", default)] #[serde ( with = "x::y" , rename_all ( serialize = "camelCase" , deserialize = "PascalCase" ) )]"#;
        let options = Options::of(text);
        assert_eq!(options.value("rename"), Some("a\"b"));
        assert!(options.has("default") && options.has("with") && !options.has("serde"));
        assert_eq!(options.value("default"), None);
        assert_eq!(options.written("rename_all"), Some("camelCase"));
        assert_eq!(options.value("rename_all.deserialize"), Some("PascalCase"));
        for broken in ["", "#[serde(", "\"", "#[serde(rename = \"x", "((((", "))x\"\\", "é(ü\"ß"]
        {
            assert!(!Options::of(broken).has("flatten"));
        }
    }

    #[track_caller]
    fn stored(container: &str, field: &str, attributes: &str, expected: &str) {
        let stored = Container::of(container).stored_name(field, &Options::of(attributes));
        assert_eq!(stored, expected, "{container}");
    }

    #[test]
    fn fields_are_stored_under_the_names_serde_gives_them() {
        stored("", "owner_name", "", "owner_name");
        stored("", "owner_name", r#"#[serde(rename = "o")]"#, "o");
        stored("", "owner_name", r#"#[serde(rename(serialize = "o"))]"#, "o");
        for (rule, expected) in [
            ("lowercase", "owner_name"),
            ("UPPERCASE", "OWNER_NAME"),
            ("PascalCase", "OwnerName"),
            ("camelCase", "ownerName"),
            ("snake_case", "owner_name"),
            ("SCREAMING_SNAKE_CASE", "OWNER_NAME"),
            ("kebab-case", "owner-name"),
            ("SCREAMING-KEBAB-CASE", "OWNER-NAME"),
        ] {
            let container = format!("#[serde ( rename_all = {rule:?} )]");
            stored(&container, "owner_name", "", expected);
            stored(&container, "owner_name", r#"#[serde(rename = "o")]"#, "o");
            // That of an enum renames variants, not fields.
            stored(&format!("{container} |"), "owner_name", "", "owner_name");
            stored(&format!("| {container}"), "owner_name", "", expected);
            stored(&format!("#[serde(x)] | {container}"), "owner_name", "", expected);
            let all = format!("#[serde(rename_all_fields = {rule:?})] |");
            stored(&all, "owner_name", "", expected);
        }
    }
}
