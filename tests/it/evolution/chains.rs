//! Steps one after the other.

use std::time::SystemTime;

use cqrs::__private::{History, Link, decode_struct};
use cqrs::{
    DecodeError, Decoded, Draft, EncodeError, Event, EventType, Payload, Position, RecordedEvent,
    StreamId, UpcastError, UpcastStep, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::stored;

/// Whatever is in an object, at a version that leaves room for many steps before it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Anything(Map<String, Value>);

const NEWEST: u32 = 9;
const STEPS: [UpcastStep; NEWEST as usize - 1] = {
    let mut steps = [UpcastStep { from: ("any", 1), to: ("any", 2), by: "" }; 8];
    let mut index = 0;
    while index < steps.len() {
        #[allow(clippy::cast_possible_truncation, reason = "of 8")]
        let version = index as u32 + 1;
        steps[index] = UpcastStep { from: ("any", version), to: ("any", version + 1), by: "" };
        index += 1;
    }
    steps
};

impl Event for Anything {
    const TYPES: &'static [EventType] = &[EventType::new("any", NEWEST).steps(&STEPS)];

    fn event_type(&self) -> EventType {
        Self::TYPES[0]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        Payload::of(&self.0)
    }

    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        decode_struct(event, &[])
    }
}

type Changed = Result<Vec<Map<String, Value>>, ()>;

/// A step, and the same as a function over a map.
#[derive(Clone, Copy)]
struct Both {
    name: &'static str,
    step: fn(Draft, &RecordedEvent) -> Result<Decoded<Draft>, UpcastError>,
    model: fn(Map<String, Value>) -> Changed,
}

impl std::fmt::Debug for Both {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

macro_rules! both {
    ($name:literal, |$draft:ident| $step:expr, |$map:ident| $model:expr) => {
        Both {
            name: $name,
            step: |mut $draft, _| {
                let done: Result<(), UpcastError> = $step;
                done.map(|()| Decoded::One($draft))
            },
            model: |mut $map| {
                let done: Result<(), ()> = $model;
                done.map(|()| vec![$map])
            },
        }
    };
}

fn rename(map: &mut Map<String, Value>, from: &str, to: &str) -> Result<(), ()> {
    if map.contains_key(to) {
        return Err(());
    }
    let value = map.remove(from).ok_or(())?;
    map.insert(to.into(), value);
    Ok(())
}

const BOTH: [Both; 9] = [
    both!("rename", |draft| draft.rename("a", "b"), |map| rename(&mut map, "a", "b")),
    both!("rename back", |draft| draft.rename("b", "a"), |map| rename(&mut map, "b", "a")),
    both!("default", |draft| draft.default("a", &1), |map| {
        map.entry("a").or_insert(json!(1));
        Ok(())
    }),
    both!("remove", |draft| draft.remove("b"), |map| {
        map.remove("b");
        Ok(())
    }),
    both!("map", |draft| draft.map("a", |a: i64| a * 2), |map| {
        let a = map.get_mut("a").ok_or(())?;
        *a = json!(a.as_i64().ok_or(())? * 2);
        Ok(())
    }),
    both!("nest", |draft| draft.nest(&["a", "b"], "n"), |map| {
        if map.contains_key("n") {
            return Err(());
        }
        let inner = ["a", "b"].into_iter().filter_map(|name| map.remove_entry(name)).collect();
        map.insert("n".into(), Value::Object(inner));
        Ok(())
    }),
    both!("unnest", |draft| draft.unnest("n"), |map| {
        let Some(Value::Object(inner)) = map.get("n").cloned() else { return Err(()) };
        map.remove("n");
        if inner.keys().any(|name| map.contains_key(name)) {
            return Err(());
        }
        map.extend(inner);
        Ok(())
    }),
    Both {
        name: "twice",
        step: |draft, _| {
            let mut second = draft.clone();
            second.set("second", &true)?;
            Ok(Decoded::Many(vec![draft, second]))
        },
        model: |map| {
            let mut second = map.clone();
            second.insert("second".into(), json!(true));
            Ok(vec![map, second])
        },
    },
    Both {
        name: "none, if it is the second",
        step: |mut draft, _| {
            let is_second = draft.has("second")?;
            Ok(if is_second { Decoded::none() } else { draft.into() })
        },
        model: |map| Ok(if map.contains_key("second") { Vec::new() } else { vec![map] }),
    },
];

fn payloads() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        any::<i32>().prop_map(|number| json!(number)),
        "[a-z\"\\\\\u{e9}]{0,4}".prop_map(|text| json!(text)),
        Just(json!({ "a": 1, "b": [2, null] })),
        Just(json!(null)),
    ];
    vec((prop_oneof![Just("a"), Just("b"), Just("n"), Just("other")], value), 0..4)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

proptest! {
    #[test]
    fn a_chain_of_steps_is_the_composed_function(
        payload in payloads(),
        chosen in vec(proptest::sample::select(&BOTH[..]), NEWEST as usize - 1),
        version in 1..=NEWEST,
    ) {
        let mut expected: Changed = Ok(vec![payload.clone()]);
        for both in &chosen[version as usize - 1..] {
            expected = expected.and_then(|maps| {
                let changed: Result<Vec<_>, ()> = maps.into_iter().map(both.model).collect();
                Ok(changed?.into_iter().flatten().collect())
            });
        }

        // What derived code says at compile time is made up at run time here.
        let links: Vec<Link<Anything>> =
            chosen.iter().map(|both| Link::Draft(1, both.step)).collect();
        let histories =
            [History { index: 0, names: &["any"], links: Box::leak(links.into_boxed_slice()) }];
        let event = stored("any", version, Value::Object(payload)).to_new();
        let event = RecordedEvent::new(
            event,
            StreamId::new("any", "1").unwrap(),
            Version::FIRST,
            Position::new(1),
            SystemTime::UNIX_EPOCH,
        );
        let found = decode_struct(&event, &histories)
            .map(|events| events.into_iter().map(|Anything(map)| map).collect::<Vec<_>>());
        prop_assert_eq!(found.map_err(drop), expected);
    }

    #[test]
    fn what_no_step_touches_stays_byte_for_byte(
        number in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?",
        text in "\"([a-z]|\\\\u00e9|\\\\n){0,9}\"",
    ) {
        let json = format!(r#"{{"number":{number},"text":{text},"c":{{ "x" : [1 , 2] }}}}"#);
        let mut draft = Draft::from_json(&json).unwrap();
        draft.set("new", &1).unwrap();
        draft.rename("c", "d").unwrap();
        draft.remove("new").unwrap();
        draft.rename("d", "c").unwrap();
        prop_assert_eq!(draft.to_json(), json);
    }
}
