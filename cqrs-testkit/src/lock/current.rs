//! What the lock of the program would be.

use cqrs_core::Catalogue;
use cqrs_core::schema::{ContentSchema, EventSchema, FieldSchema};

use super::text::{Event, Kind, Lock};

/// The lock of what is in the catalogue, without earlier versions.
pub(super) fn lock_of(catalogue: &Catalogue) -> Lock {
    let mut lock = Lock::default();
    for (category, name) in catalogue.ignored() {
        lock.ignored.insert((name.to_owned(), category.to_owned()));
    }
    for EventSchema { event_type, content, .. } in catalogue.event_types() {
        let name = event_type.name.to_owned();
        let kind = |(name, version): (&str, u32)| -> Kind { (name.to_owned(), version) };
        let mut aliases: Vec<String> =
            event_type.aliases.iter().map(|alias| (*alias).to_owned()).collect();
        aliases.sort_unstable();
        let mut steps: Vec<(Kind, Kind)> =
            event_type.steps.iter().map(|step| (kind(step.from), kind(step.to))).collect();
        steps.sort_unstable();
        let event = Event {
            version: event_type.schema_version,
            written: event_type.write_version,
            is_retired: event_type.is_retired,
            aliases,
            steps,
        };
        lock.events.insert(name.clone(), event);
        lock.shapes.insert((name, event_type.schema_version), shape(content));
    }
    lock
}

/// The lines of a shape. The order of fields and of variants, layout and documentation don't show: none of them is stored.
fn shape(content: &ContentSchema) -> Vec<String> {
    if !content.is_described {
        return vec!["nobody knows".to_owned()];
    }
    let mut lines = Vec::new();
    let attributes = squeezed(content.attributes);
    if !attributes.is_empty() {
        lines.push(attributes);
    }
    let mut fields: Vec<&FieldSchema> = content.fields.iter().collect();
    fields.sort_by_key(|field| (field.name.parse::<usize>().ok(), field.name));
    for field in fields {
        let form = content.form_of(field);
        let mut line = format!("{}: {form} as `{}`", field.name, squeezed(field.type_text));
        let attributes = squeezed(field.attributes);
        if !attributes.is_empty() {
            line.push(' ');
            line.push_str(&attributes);
        }
        lines.push(line);
    }
    for outline in content.type_outlines() {
        lines.extend(outline.lines().map(str::to_owned));
    }
    lines
}

/// The text of tokens in one layout; what is within quotation marks stays.
fn squeezed(tokens: &str) -> String {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut text = String::new();
    let mut is_apart = false;
    let (mut in_literal, mut is_escaped) = (false, false);
    for character in tokens.chars() {
        if in_literal {
            text.push(character);
            in_literal = is_escaped || character != '"';
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        if character.is_whitespace() {
            is_apart = true;
            continue;
        }
        let last = text.chars().next_back();
        let are_words = last.is_some_and(is_word) && (is_word(character) || character == '\'');
        let reads_better = matches!(last, Some(',' | '=' | ';' | '|'))
            || matches!(character, '=' | '|')
            || (last == Some(']') && character == '#');
        if (is_apart && are_words) || (reads_better && !text.is_empty()) {
            text.push(' ');
        }
        text.push(character);
        in_literal = character == '"';
        is_apart = false;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::squeezed;

    #[test]
    fn the_layout_of_tokens_does_not_matter() {
        for text in [
            "HashMap<String,Vec<u8>>",
            "HashMap < String , Vec < u8 > >",
            "HashMap<String, Vec<u8>>\n",
        ] {
            assert_eq!(squeezed(text), "HashMap<String, Vec<u8>>");
        }
        for text in [
            r#"#[serde(rename="a  \" b",default)]#[serde(skip)]"#,
            r#"#[serde ( rename = "a  \" b" , default )] #[serde ( skip )]"#,
        ] {
            assert_eq!(squeezed(text), r#"#[serde(rename = "a  \" b", default)] #[serde(skip)]"#);
        }
        assert_eq!(squeezed("Box < dyn  Any >"), "Box<dyn Any>");
        assert_eq!(squeezed("[u8;4]"), squeezed("[ u8 ; 4 ]"));
        assert_eq!(squeezed("Cow < 'static , str >"), "Cow<'static, str>");
        assert_eq!(squeezed("#[serde(a)] | #[serde(b)]"), squeezed("#[serde ( a )]|#[serde(b)]"));
    }
}
