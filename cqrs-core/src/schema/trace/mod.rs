//! Finds out what a type asks for when it is read, without a value of it.
//!
//! `T::deserialize` is run many times, each time along a path to one part of the type: what is asked for there is noted,
//! and the run is given up. The part is the first that is read, so that one that accepts no made-up value, such as a date,
//! hides none of those beside it. What is accepted is tried with JSON, so that it shows which parts are checked, and which
//! fields may be absent.

mod access;
mod deserializer;
mod order;
mod sample;

use std::cell::RefCell;
use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::deserializer::{Ask, Finding, Halt, Origin, Question, Step, Tracer};
use self::order::in_order;
use super::shape::{Content, Form, Member, Shape, Tagging, TypeContent, TypeShape};

/// Longest path into a type.
const MAX_DEPTH: usize = 48;

/// Most runs for one type.
const MAX_RUNS: usize = 50_000;

/// The shape of `T`, as its `Deserialize` tells it.
pub(super) fn shape_of<T: DeserializeOwned>() -> Shape {
    let mut trace = Trace {
        look: |tracer| T::deserialize(tracer).map(drop),
        accepts: |json| serde_json::from_str::<T>(json).is_ok(),
        path: Vec::new(),
        types: Vec::new(),
        known: HashMap::new(),
        runs: 0,
    };
    let part = trace.part();
    in_order(&trace.types, part.form)
}

struct Trace {
    look: fn(Tracer<'_>) -> Result<(), Halt>,
    accepts: fn(&str) -> bool,
    path: Vec<Step>,
    types: Vec<Type>,
    /// Where a struct or enum is among `types`.
    known: HashMap<String, usize>,
    runs: usize,
}

/// What is known of a part of the type.
struct Part {
    form: Form,
    /// A JSON value that is accepted there.
    sample: Option<Value>,
}

struct Type {
    shape: TypeShape,
    sample: Option<Value>,
    is_done: bool,
    /// Whether it is met within itself.
    is_recursive: bool,
}

impl Trace {
    /// The part at the end of the path.
    fn part(&mut self) -> Part {
        let ask = match self.find(&Question::Asks) {
            Some(Finding::Asks(ask)) if self.path.len() < MAX_DEPTH => ask,
            _ => return Part { form: Form::Opaque, sample: None },
        };
        match ask {
            Ask::Leaf(form) => self.leaf(form),
            Ask::Identifier => self.leaf(Form::Text),
            Ask::Any(reader) => self.any(reader),
            Ask::Option => {
                let inner = self.within(Step::Some, Self::part);
                let form = Form::Option(Box::new(inner.form));
                self.composite(form, [Some(Value::Null), inner.sample])
            }
            Ask::Sequence => {
                let element = self.within(Step::Element, Self::part);
                let one = element.sample.map(|element| Value::from(vec![element]));
                let form = Form::Sequence(Box::new(element.form));
                self.composite(form, [Some(Value::Array(Vec::new())), one])
            }
            Ask::Tuple(length) => {
                let (forms, sample) = self.tuple(length);
                self.composite(Form::Tuple(forms), [sample])
            }
            Ask::Map => self.map(),
            Ask::Newtype(Origin { name, .. }) if name.starts_with("$serde_json::private::") => {
                self.any("")
            }
            Ask::Newtype(origin) => self.type_of(&origin, &[], |trace, _| {
                let inner = trace.within(Step::Newtype, Self::part);
                let sample = trace.accepted([inner.sample]);
                (TypeContent::Struct(Content::Newtype(inner.form)), sample)
            }),
            Ask::TupleStruct(origin, length) => self.type_of(&origin, &[], |trace, _| {
                let (forms, sample) = trace.tuple(length);
                let sample = trace.accepted([sample]);
                (TypeContent::Struct(Content::Tuple(forms)), sample)
            }),
            Ask::Struct(origin, fields) => self.type_of(&origin, fields, |trace, _| {
                let (members, sample) = trace.members(fields);
                match trace.adjacently_tagged(&members) {
                    Some(tagged) => tagged,
                    None => (TypeContent::Struct(Content::Fields(members)), sample),
                }
            }),
            Ask::Enum(origin, names) => self.type_of(&origin, names, |trace, index| {
                let content =
                    |trace: &mut Self, name| trace.within(Step::Variant(name), Self::content);
                let mut variants: Vec<_> = names.iter().map(|name| content(trace, *name)).collect();
                let sample = variants.iter().find_map(|(_, sample)| sample.clone());
                // What is made of the enum itself can be tried once a value of it is known.
                trace.types[index].sample.clone_from(&sample);
                for (name, variant) in names.iter().zip(&mut variants) {
                    if sample.is_some() && variant.1.is_none() {
                        *variant = content(trace, *name);
                    }
                }
                let contents = variants.into_iter().map(|(content, _)| content);
                let variants = names.iter().copied().zip(contents).collect();
                (TypeContent::Enum(Tagging::External, variants), sample)
            }),
            // Asked for only where a variant was chosen.
            Ask::UnitVariant
            | Ask::NewtypeVariant
            | Ask::TupleVariant(_)
            | Ask::StructVariant(_) => Part { form: Form::Opaque, sample: None },
        }
    }

    fn leaf(&mut self, form: Form) -> Part {
        let samples = sample::of_leaf(&form);
        let any = samples.first().cloned();
        let sample = self.accepted(samples.into_iter().map(Some));
        if sample.is_some() && sample == any {
            return Part { form, sample };
        }
        let like = sample.as_ref().map(Value::to_string);
        Part { form: Form::Checked { form: Box::new(form), like }, sample }
    }

    /// A part that accepts one of these, or is checked if it does not.
    fn composite<const N: usize>(&mut self, form: Form, samples: [Option<Value>; N]) -> Part {
        let is_tried = samples.iter().any(Option::is_some);
        let sample = self.accepted(samples);
        if sample.is_none() && is_tried {
            return Part { form: Form::Checked { form: Box::new(form), like: None }, sample };
        }
        Part { form, sample }
    }

    /// The elements of a tuple. What follows one that accepts nothing that is tried can't be reached.
    fn tuple(&mut self, length: usize) -> (Vec<Form>, Option<Value>) {
        let (mut forms, mut samples, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..length {
            if samples.len() < index {
                forms.push(Form::Opaque);
                continue;
            }
            let element = self.within(Step::Item(before.clone()), Self::part);
            forms.push(element.form);
            if let Some(sample) = element.sample {
                before.push(sample.to_string());
                samples.push(sample);
            }
        }
        let sample = (samples.len() == length).then_some(Value::Array(samples));
        (forms, sample)
    }

    fn map(&mut self) -> Part {
        let empty = Some(Value::Object(Map::new()));
        let key = self.within(Step::Key, |trace| trace.find(&Question::Asks));
        if let Some(Finding::Asks(Ask::Identifier)) = key {
            // A struct with flattened parts: what is in it shows only when it is read.
            let sample = self.accepted([empty]);
            return Part { form: Form::Any, sample };
        }
        let key = self.within(Step::Key, Self::part);
        let (value, one) = match &key.sample {
            None => (Form::Opaque, None),
            Some(json) => {
                let value = self.within(Step::Value(json.to_string()), Self::part);
                let name = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
                let one = value.sample.map(|value| Value::Object(Map::from_iter([(name, value)])));
                (value.form, one)
            }
        };
        self.composite(Form::Map(Box::new(key.form), Box::new(value)), [empty, one])
    }

    /// The fields of a struct, or of the variant at the end of the path, without those that are aliases of others.
    fn members(&mut self, names: &[&'static str]) -> (Vec<Member>, Option<Value>) {
        let mut members = Vec::new();
        let mut object = Map::new();
        for name in names {
            let part = self.within(Step::Field(name), Self::part);
            if let Some(sample) = part.sample {
                if self.is_alias(name, &sample) {
                    continue;
                }
                object.insert((*name).to_owned(), sample);
            }
            members.push(Member { name, form: part.form, may_be_absent: None });
        }
        let sample = self.accepted([Some(Value::Object(object))]);
        if let Some(Value::Object(whole)) = &sample {
            for member in &mut members {
                let mut object = whole.clone();
                // One that accepted nothing was left out already.
                let may_be_absent = object.remove(member.name).is_none()
                    || self.accepted([Some(Value::Object(object))]).is_some();
                member.may_be_absent = Some(may_be_absent);
            }
        }
        (members, sample)
    }

    fn is_alias(&mut self, name: &'static str, sample: &Value) -> bool {
        let found = self.find(&Question::Twice(name, sample.to_string()));
        matches!(found, Some(Finding::Says(Halt::Twice(field))) if field != name)
    }

    /// The content of the variant at the end of the path, and a value of the enum.
    fn content(&mut self) -> (Content, Option<Value>) {
        let (content, sample) = match self.find(&Question::Asks) {
            Some(Finding::Asks(Ask::NewtypeVariant)) => {
                let inner = self.within(Step::Newtype, Self::part);
                (Content::Newtype(inner.form), inner.sample)
            }
            Some(Finding::Asks(Ask::TupleVariant(length))) => {
                let (forms, sample) = self.tuple(length);
                (Content::Tuple(forms), sample)
            }
            Some(Finding::Asks(Ask::StructVariant(fields))) => {
                let (members, sample) = self.members(fields);
                (Content::Fields(members), sample)
            }
            Some(Finding::Asks(Ask::UnitVariant)) => (Content::Unit, Some(Value::Null)),
            _ => (Content::Unknown, None),
        };
        let sample = self.accepted([sample]).and_then(|sample| self.around(sample));
        (content, sample)
    }

    /// An enum whose `Deserialize` asks for a struct of two fields, and the second depends on the first.
    fn adjacently_tagged(&mut self, members: &[Member]) -> Option<(TypeContent, Option<Value>)> {
        let [Member { name: tag, form: Form::Type(names), .. }, content] = members else {
            return None;
        };
        let names = match &self.types[*names].shape.content {
            TypeContent::Enum(Tagging::External, names) if content.form == Form::Any => names,
            _ => return None,
        };
        let names: Vec<&'static str> = names.iter().map(|(name, _)| *name).collect();
        let (mut variants, mut samples, mut is_tagged) = (Vec::new(), Vec::new(), false);
        for name in names {
            let json = Value::from(name).to_string();
            let step = Step::After { first: tag, json, field: content.name };
            let inner = self.within(step, Self::part);
            is_tagged |= inner.form != Form::Any;
            let alone = Some(sample::object([(*tag, name.into())]));
            let whole = inner
                .sample
                .map(|value| sample::object([(*tag, name.into()), (content.name, value)]));
            let is_unit = self.accepted([alone.clone()]).is_some();
            let content = match inner.form {
                Form::Any if is_unit => Content::Unit,
                Form::Any => Content::Unknown,
                form => Content::Newtype(form),
            };
            variants.push((name, content));
            samples.extend([alone, whole]);
        }
        if !is_tagged {
            return None;
        }
        let sample = self.accepted(samples);
        Some((TypeContent::Enum(Tagging::Adjacent(tag, content.name), variants), sample))
    }

    /// What takes anything: an enum that finds its variant inside says so, of others no more is known.
    fn any(&mut self, reader: &'static str) -> Part {
        if reader.contains("TaggedContentVisitor")
            && let Some(Finding::Says(Halt::Missing(tag))) = self.find(&Question::Says(Vec::new()))
            && let question = Question::Says(vec![(tag, sample::NO_VARIANT)])
            && let Some(Finding::Says(Halt::UnknownVariant(names))) = self.find(&question)
        {
            return self.type_of(&Origin { name: "Tagged", reader }, names, |trace, _| {
                let objects = names.iter().map(|name| sample::object([(tag, (*name).into())]));
                let sample = trace.accepted(objects.map(Some));
                let variants = names.iter().map(|name| (*name, Content::Unknown)).collect();
                (TypeContent::Enum(Tagging::Internal(tag), variants), sample)
            });
        }
        let sample = self.accepted(sample::of_any().into_iter().map(Some));
        Part { form: Form::Any, sample }
    }

    /// A struct or enum, which is looked into once.
    fn type_of(
        &mut self,
        origin: &Origin,
        names: &[&'static str],
        content: impl FnOnce(&mut Self, usize) -> (TypeContent, Option<Value>),
    ) -> Part {
        let identity = format!("{} {} {names:?}", origin.reader, origin.name);
        if let Some(index) = self.known.get(&identity) {
            let known = &mut self.types[*index];
            known.is_recursive |= !known.is_done;
            return Part { form: Form::Type(*index), sample: known.sample.clone() };
        }
        let index = self.types.len();
        self.known.insert(identity.clone(), index);
        let unknown = TypeContent::Struct(Content::Unknown);
        let shape = TypeShape { identity, name: origin.name, content: unknown };
        self.types.push(Type { shape, sample: None, is_done: false, is_recursive: false });
        let (content, sample) = content(self, index);
        let known = &mut self.types[index];
        known.shape.content = content;
        known.sample.clone_from(&sample);
        known.is_done = true;
        Part { form: Form::Type(index), sample }
    }

    /// The first of these values that is accepted at the end of the path.
    fn accepted(&mut self, samples: impl IntoIterator<Item = Option<Value>>) -> Option<Value> {
        samples.into_iter().flatten().find(|sample| self.is_accepted(sample))
    }

    fn is_accepted(&mut self, sample: &Value) -> bool {
        // The content of a variant is tried together with its name.
        if let Some(whole) = self.around(sample.clone()) {
            return self.outside(|trace| trace.is_accepted(&whole));
        }
        if self.path.is_empty() {
            self.runs += 1;
            return self.runs <= MAX_RUNS && (self.accepts)(&sample.to_string());
        }
        let found = self.find(&Question::Accepts(sample.to_string()));
        matches!(found, Some(Finding::Accepts(true)))
    }

    /// The value of the enum whose variant is at the end of the path, around this content.
    fn around(&self, content: Value) -> Option<Value> {
        match self.path.last() {
            Some(Step::Variant(name)) if content.is_null() => Some(Value::from(*name)),
            Some(Step::Variant(name)) => Some(sample::object([(*name, content)])),
            _ => None,
        }
    }

    fn find(&mut self, question: &Question) -> Option<Finding> {
        self.runs += 1;
        if self.runs > MAX_RUNS {
            return None;
        }
        let finding = RefCell::new(None);
        let tracer = Tracer { path: &self.path, question, finding: &finding };
        // How it ends does not matter: it is given up where something is found.
        let _ = (self.look)(tracer);
        finding.into_inner()
    }

    /// One step further in.
    fn within<R>(&mut self, step: Step, look: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(step);
        let found = look(self);
        self.path.pop();
        found
    }

    /// One step back.
    fn outside<R>(&mut self, look: impl FnOnce(&mut Self) -> R) -> R {
        let last = self.path.pop();
        let found = look(self);
        self.path.extend(last);
        found
    }
}

#[cfg(test)]
mod tests;
