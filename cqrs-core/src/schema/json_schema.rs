//! The catalogue as JSON Schema.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::attributes::{Container, Options};
use super::catalogue::{Catalogue, ContentSchema, FieldSchema};
use super::outline::{Types, names};
use super::shape::{Content, Form, Member, Shape, Tagging, TypeContent};

impl Catalogue {
    /// The catalogue as JSON Schema (2020-12): under `$defs`, the payload of each event type as `account.opened.v2`, the
    /// content of each command as `command.Open`, and what they share as `type.Address`. Where the stored form does not
    /// show, anything is allowed.
    pub fn json_schema(&self) -> Value {
        let mut schemas = Schemas::default();
        let mut definitions = Map::new();
        for event in &self.events {
            let event_type = &event.event_type;
            let mut schema = schemas.content(&event.content);
            schema.insert("title".into(), event_type.name.into());
            if event_type.is_retired {
                schema.insert("deprecated".into(), true.into());
            }
            let name = format!("{}.v{}", event_type.name, event_type.schema_version);
            definitions.insert(name, Value::Object(schema));
        }
        for command in &self.commands {
            let mut contents: Vec<Value> = command
                .contents
                .iter()
                .map(|content| {
                    let mut schema = schemas.content(content);
                    schema.insert("title".into(), content.name.into());
                    Value::Object(schema)
                })
                .collect();
            let schema = match contents.len() {
                0 => json!({}),
                1 => contents.swap_remove(0),
                _ => json!({ "anyOf": contents }),
            };
            definitions.insert(format!("command.{}", command.name), schema);
        }
        definitions.extend(schemas.types());
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions })
    }
}

/// Schemas that share structs and enums.
#[derive(Default)]
struct Schemas {
    types: Types,
}

impl Schemas {
    fn content(&mut self, content: &ContentSchema) -> Map<String, Value> {
        let container = Container::of(content.attributes);
        let mut schema = self.fields(content, &container);
        if !content.docs.is_empty() {
            schema.insert("description".into(), content.docs.into());
        }
        schema
    }

    fn fields(&mut self, content: &ContentSchema, container: &Container) -> Map<String, Value> {
        let replaced = ["from", "try_from", "into", "with", "serialize_with", "deserialize_with"];
        let is_replaced = |options: &Options| replaced.iter().any(|name| options.has(name));
        if !content.is_described || is_replaced(&container.own) {
            return Map::new();
        }
        let mut fields = Vec::new();
        for field in &content.fields {
            let options = Options::of(field.attributes);
            if options.has("skip") || options.has("skip_serializing") {
                continue;
            }
            let shape = Shape { form: field.form.clone(), types: content.types.clone() };
            let form = self.types.add(shape);
            let form = if is_replaced(&options) { Form::Any } else { form };
            fields.push((field, options, form));
        }
        let is_tuple = fields.iter().all(|(field, ..)| field.name.parse::<usize>().is_ok());
        match &fields[..] {
            [(_, _, form)] if is_tuple || container.own.has("transparent") => self.object(form),
            [_, ..] if is_tuple => {
                self.object(&Form::Tuple(fields.into_iter().map(|(_, _, form)| form).collect()))
            }
            _ => self.named(container, &fields),
        }
    }

    fn named(
        &self,
        container: &Container,
        fields: &[(&FieldSchema, Options, Form)],
    ) -> Map<String, Value> {
        let (mut properties, mut required, mut parts) = (Map::new(), Vec::new(), Vec::new());
        for (field, options, form) in fields {
            let mut schema = self.object(form);
            if !field.docs.is_empty() {
                schema.insert("description".into(), field.docs.into());
            }
            if options.has("flatten") {
                parts.push(Value::Object(schema));
                continue;
            }
            let name = container.stored_name(field.name, options);
            let may_be_absent = matches!(form, Form::Option(_))
                || options.has("default")
                || options.has("skip_serializing_if")
                || container.own.has("default");
            if !may_be_absent {
                required.push(Value::from(&*name));
            }
            properties.insert(name, Value::Object(schema));
        }
        let mut schema = Map::from_iter([
            ("type".to_owned(), "object".into()),
            ("properties".to_owned(), properties.into()),
            ("required".to_owned(), required.into()),
        ]);
        if !parts.is_empty() {
            schema.insert("allOf".into(), parts.into());
        }
        schema
    }

    /// The definitions of what is shared.
    fn types(&self) -> Vec<(String, Value)> {
        let names = names(&self.types.0);
        let schemas = self.types.0.iter().map(|found| match &found.content {
            TypeContent::Struct(content) => self.of_content(content),
            TypeContent::Enum(tagging, variants) => self.of_enum(*tagging, variants),
        });
        names.iter().map(|name| format!("type.{name}")).zip(schemas).collect()
    }

    fn of_content(&self, content: &Content) -> Value {
        match content {
            Content::Unit => json!({ "type": "null" }),
            Content::Newtype(form) => self.form(form),
            Content::Tuple(forms) => self.form(&Form::Tuple(forms.clone())),
            Content::Fields(members) => {
                let property = |member: &Member| (member.name.to_owned(), self.form(&member.form));
                let properties: Map<String, Value> = members.iter().map(property).collect();
                let is_required = |member: &&Member| member.may_be_absent == Some(false);
                let required: Vec<&str> =
                    members.iter().filter(is_required).map(|member| member.name).collect();
                json!({ "type": "object", "properties": properties, "required": required })
            }
            Content::Unknown => json!({}),
        }
    }

    fn of_enum(&self, tagging: Tagging, variants: &[(&'static str, Content)]) -> Value {
        if let Tagging::Internal(tag) = tagging {
            let names: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
            return json!({
                "type": "object", "properties": { tag: { "enum": names } }, "required": [tag],
            });
        }
        let one_of: Vec<Value> = variants
            .iter()
            .map(|(name, content)| match (tagging, content) {
                (Tagging::Adjacent(tag, _), Content::Unit) => json!({
                    "type": "object", "properties": { tag: { "const": name } }, "required": [tag],
                }),
                (Tagging::Adjacent(tag, inner), content) => json!({
                    "type": "object",
                    "properties": { tag: { "const": name }, inner: self.of_content(content) },
                    "required": [tag],
                }),
                (_, Content::Unit) => json!({ "const": name }),
                (_, content) => json!({
                    "type": "object",
                    "properties": { *name: self.of_content(content) },
                    "required": [name],
                    "additionalProperties": false,
                }),
            })
            .collect();
        json!({ "oneOf": one_of })
    }

    fn object(&self, form: &Form) -> Map<String, Value> {
        match self.form(form) {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }

    fn form(&self, form: &Form) -> Value {
        match form {
            Form::Opaque | Form::Any => json!({}),
            Form::Bool => json!({ "type": "boolean" }),
            Form::Integer { bits, signed } => integer(*bits, *signed),
            Form::Float { .. } => json!({ "type": "number" }),
            Form::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Form::Text => json!({ "type": "string" }),
            Form::Bytes => json!({ "type": "array", "items": integer(8, false) }),
            Form::Unit => json!({ "type": "null" }),
            Form::Option(inner) => match self.form(inner) {
                Value::Object(schema) if schema.is_empty() => json!({}),
                schema => json!({ "anyOf": [schema, { "type": "null" }] }),
            },
            Form::Sequence(inner) => json!({ "type": "array", "items": self.form(inner) }),
            Form::Tuple(forms) => {
                let items: Vec<Value> = forms.iter().map(|form| self.form(form)).collect();
                let length = items.len();
                json!({ "type": "array", "prefixItems": items, "minItems": length, "maxItems": length })
            }
            Form::Map(_, value) => {
                json!({ "type": "object", "additionalProperties": self.form(value) })
            }
            Form::Type(index) => {
                let name = names(&self.types.0);
                let name = name.get(*index).map_or("", String::as_str);
                json!({ "$ref": format!("#/$defs/type.{}", escaped(name)) })
            }
            Form::Checked { form, like } => {
                let mut schema = self.object(form);
                let like = like.as_deref().and_then(|like| serde_json::from_str(like).ok());
                if let Some(like) = like {
                    schema.insert("examples".into(), Value::Array(vec![like]));
                }
                Value::Object(schema)
            }
        }
    }
}

fn integer(bits: u8, signed: bool) -> Value {
    let mut schema = json!({ "type": "integer" });
    // Larger bounds are none that JSON numbers keep everywhere.
    if bits <= 32 {
        let values = 1_i64 << bits;
        let (least, most) = if signed { (-values / 2, values / 2 - 1) } else { (0, values - 1) };
        schema["minimum"] = least.into();
        schema["maximum"] = most.into();
    } else if !signed {
        schema["minimum"] = 0.into();
    }
    schema
}

/// A name as a part of a JSON pointer in an address.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b'~' => escaped.push_str("~0"),
            b'/' => escaped.push_str("~1"),
            b'.' | b'-' | b'_' => escaped.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            byte => {
                // Writing to a `String` can't fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}
