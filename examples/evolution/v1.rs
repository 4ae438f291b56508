//! The program as it was at version 1, as far as it wrote events. It made `v1.ndjson`; nothing else uses it.

use std::fmt::Write as _;

use serde_json::{Value, json};

const NAMES: [(&str, &str); 8] = [
    ("Ada", "Byron"),
    ("Grace", "Hopper"),
    ("Alan", "Turing"),
    ("Edith", "Clarke"),
    ("Emil", "Post"),
    ("Mary", "Somerville"),
    ("Kurt", "Gödel"),
    ("Rózsa", "Péter"),
];
const CITIES: [&str; 3] = ["Lyon", "Turin", "Graz"];

/// The events of a year, a line of JSON each.
pub fn events() -> String {
    let mut lines = String::new();
    for number in 0..40_u32 {
        let member = format!("m-{:03}", number + 1);
        for (event_type, payload) in of_member(number) {
            let line = json!({ "stream": member, "type": event_type, "payload": payload });
            // Writing to a `String` can't fail.
            let _ = writeln!(lines, "{line}");
        }
    }
    lines
}

fn of_member(number: u32) -> Vec<(&'static str, Value)> {
    let pick = |length: usize, factor: u32| (number * factor) as usize % length;
    let (given, family) = (NAMES[pick(8, 1)].0, NAMES[pick(8, 3)].1);
    let name = format!("{given} {family}");
    let plan = if number.is_multiple_of(4) { "premium" } else { "basic" };
    let mut events = if number.is_multiple_of(5) {
        let payload = json!({ "name": name, "plan": plan, "euros": 20 });
        vec![("member.joined_and_paid", payload)]
    } else {
        vec![("member.joined", json!({ "name": name, "plan": plan }))]
    };
    for month in 0..number % 4 {
        events.push(("member.paid", json!({ "euros": 20 + month })));
    }
    if number.is_multiple_of(3) {
        let address = json!({ "street": format!("Via Roma {number}"), "city": CITIES[pick(3, 7)] });
        events.push(("member.moved", address));
    }
    match number % 6 {
        1 => events.push(("member.upgraded", json!({}))),
        4 => events.push(("member.downgraded", json!({}))),
        5 => events.push(("member.newsletter_read", json!({ "issue": number }))),
        _ => {}
    }
    if number % 9 == 8 {
        events.push(("member.left", json!({})));
    }
    events
}
