//! Reading the log with a filter: what is wanted comes, nothing else does, and what is not wanted is passed.

use std::sync::Arc;

use cqrs_core::limits::{MAX_CATEGORY_BYTES, MAX_EVENT_TYPE_BYTES};
use cqrs_core::{EventId, ExpectedVersion, LogFilter, NewEvent, Position, RecordedEvent, Store};

use super::Fixture;
use super::support::{
    Follower, add, append_of, conflict, event, events, handles, json, log, named, same, stream,
    typed_event,
};
use super::text::TEXTS;

/// Events that alternate in category and type; each type is there in several categories.
async fn mixed(store: &dyn Store) {
    let kinds = [
        ("account", "opened"),
        ("account", "closed"),
        ("order", "opened"),
        ("accounts", "opened"),
        ("order", "placed"),
    ];
    for round in 0..7 {
        for (index, (category, name)) in kinds.into_iter().enumerate() {
            let batch = (0..=(round + index) % 3).map(|_| of_type(name)).collect();
            add(store, &stream(category, &(round % 2).to_string()), batch).await;
        }
    }
}

fn of_type(name: &str) -> NewEvent {
    typed_event(EventId::random(), name, 1, json("{}"))
}

fn filter_of(categories: &[&str], event_types: &[&str]) -> LogFilter {
    let filter = LogFilter::all();
    let filter = categories.iter().fold(filter, |filter, name| filter.category(*name));
    event_types.iter().fold(filter, |filter, name| filter.event_type(*name))
}

/// What is wanted of the log; empty lists want all.
fn wanted(log: &[RecordedEvent], categories: &[&str], event_types: &[&str]) -> Vec<RecordedEvent> {
    let among = |names: &[&str], name: &str| names.is_empty() || names.contains(&name);
    let wanted = log.iter().filter(|event| {
        among(categories, event.stream.category()) && among(event_types, &event.event_type)
    });
    wanted.cloned().collect()
}

/// What filters look at: what to show first where the events are not those wanted.
fn kinds(events: &[RecordedEvent]) -> Vec<(Position, &str, &str)> {
    let mut kinds = Vec::new();
    for event in events {
        kinds.push((event.position, event.stream.category(), &*event.event_type));
    }
    kinds
}

/// Reads a page of a log nobody appends to, and checks it against what is `wanted` of all its events.
async fn check_page(
    store: &dyn Store,
    filter: &LogFilter,
    after: Position,
    limit: usize,
    wanted: &[RecordedEvent],
    end: Position,
) {
    let what = format!("{limit} events of the log after position {after} with {filter:?}");
    let page = store.read_log(filter, after, limit).await;
    let page = page.unwrap_or_else(|error| panic!("reading {what} failed: {error}"));
    let mut following = wanted.iter().filter(|event| event.position > after);
    let expected: Vec<RecordedEvent> = following.by_ref().take(limit).cloned().collect();
    let (full, through) = (page.events.len() == limit, page.through);
    same(&what, kinds(&page.events), kinds(&expected));
    same(&what, page.events, expected);
    assert!(through >= after, "reading {what} leads back to {through}");
    if let Some(next) = following.next() {
        assert!(
            through < next.position,
            "reading {what} leads through {through}, past {}",
            named(next)
        );
    }
    assert!(
        full || through >= end,
        "reading {what} gives all there are and leads through {through}; \
         nothing up to {end}, the end of the log, is wanted, so that is where to go on"
    );
}

pub(super) async fn filters_take_events_of_the_categories_and_types_they_name(
    fixture: Arc<dyn Fixture>,
) {
    let store = fixture.open().await;
    mixed(&*store).await;
    let log = log(&store).await;
    let end = log.last().map_or(Position::START, |event| event.position);
    let filters: [(&[&str], &[&str]); 14] = [
        (&[], &[]),
        (&["account"], &[]),
        (&["accounts"], &[]),
        (&["order", "account"], &[]),
        (&["account", "account"], &[]),
        (&["missing"], &[]),
        (&["missing", "order"], &[]),
        (&[], &["opened"]),
        (&[], &["placed", "closed"]),
        (&[], &["missing"]),
        (&["account"], &["opened"]),
        (&["accounts", "order"], &["opened", "placed", "missing"]),
        (&["order"], &["closed"]),
        (&["account"], &["account"]),
    ];
    for (categories, types) in filters {
        let (filter, wanted) = (filter_of(categories, types), wanted(&log, categories, types));
        check_page(&*store, &filter, Position::START, usize::MAX, &wanted, end).await;
    }
}

pub(super) async fn filters_take_names_byte_for_byte(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let longest = "t".repeat(MAX_EVENT_TYPE_BYTES);
    let types = TEXTS.iter().copied().filter(|text| !text.is_empty());
    let types = types.chain([
        "a",
        "A",
        "a ",
        "ab",
        "a_",
        "a%",
        "a*",
        "a?",
        "a,b",
        "b",
        "a.b",
        "a-b",
        "1,2",
        "{a,b}",
        "[\"a\",\"b\"]",
        "\"a\"",
        "a'b",
        "a\\b",
        "01",
        "+1",
        "-",
        "\u{130}",
        "i\u{307}",
        "ß",
        "ss",
        &longest,
        &longest[1..],
    ]);
    let types: Vec<&str> = types.collect();
    let longest = "c".repeat(MAX_CATEGORY_BYTES);
    let categories = [
        "a",
        "A",
        "ab",
        "a_",
        "a_b",
        "a.b",
        "a-b",
        "axb",
        "1",
        "01",
        "1.0",
        "NULL",
        "null",
        "-",
        "--",
        ".",
        "_",
        &longest,
        &longest[1..],
    ];
    for category in categories {
        add(&*store, &stream(category, "1"), events(category, 1)).await;
    }
    add(&*store, &stream("typed", "1"), types.iter().map(|name| of_type(name)).collect()).await;
    let log = log(&store).await;
    let end = log.last().map_or(Position::START, |event| event.position);
    for names in types.chunks(1).chain(types.windows(3)).chain([&*types]) {
        let (filter, wanted) = (filter_of(&[], names), wanted(&log, &[], names));
        assert!(wanted.len() >= names.len(), "the suite appends each of {names:?}");
        check_page(&*store, &filter, Position::START, usize::MAX, &wanted, end).await;
    }
    for names in categories.chunks(1).chain(categories.windows(3)).chain([&categories[..]]) {
        let (filter, wanted) = (filter_of(names, &[]), wanted(&log, names, &[]));
        same("the number of events", wanted.len(), names.len());
        check_page(&*store, &filter, Position::START, usize::MAX, &wanted, end).await;
    }
}

pub(super) async fn g13_filters_find_nothing_under_names_no_event_has(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    mixed(&*store).await;
    let end = log(&store).await.last().map_or(Position::START, |event| event.position);
    let long = "a".repeat(100_000);
    let names = [
        "",
        "\0",
        "order\0",
        "opened\0",
        "order/0",
        "ORDER",
        "OPENED",
        "Opened",
        "%",
        "_____",
        "*",
        "order%",
        "opened%",
        " opened",
        "opened ",
        "order,account",
        "opened,closed",
        "ordero",
        "opened' OR '1'='1",
        "opened\" OR 1=1 --",
        "{order}",
        "[\"order\"]",
        "\"opened\"",
        "NULL",
        &long,
    ];
    for name in names.chunks(1).chain([&names[..]]) {
        for filter in [filter_of(name, &[]), filter_of(&[], name), filter_of(name, name)] {
            check_page(&*store, &filter, Position::START, 1_000, &[], end).await;
        }
    }
}

pub(super) async fn a_filtered_log_is_read_in_pages_of_any_size(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let filters: [(&[&str], &[&str]); 4] =
        [(&["order"], &[]), (&[], &["opened"]), (&["account"], &["closed"]), (&["missing"], &[])];
    for (categories, types) in filters {
        let filter = filter_of(categories, types);
        check_page(&*store, &filter, Position::START, 9, &[], Position::START).await;
    }
    mixed(&*store).await;
    let log = log(&store).await;
    let end = log.last().map_or(Position::START, |event| event.position);
    for (categories, types) in filters {
        let (filter, wanted) = (filter_of(categories, types), wanted(&log, categories, types));
        let all = wanted.len();
        for limit in [1, 2, 3, 7, all.saturating_sub(1).max(1), all.max(1), all + 1, usize::MAX] {
            let mut follower = Follower::with_filter(&store, limit, filter.clone());
            follower.catch_up().await;
            same(format!("{filter:?} in pages of {limit}"), follower.seen, wanted.clone());
        }
        // From every event on, wanted or not.
        for after in [Position::START].into_iter().chain(log.iter().map(|event| event.position)) {
            for limit in [0, 1, 4, usize::MAX] {
                check_page(&*store, &filter, after, limit, &wanted, end).await;
            }
        }
    }
}

/// Stores find what is wanted in different ways, by how much of the log that is and by what is known of it.
pub(super) async fn any_filter_finds_what_it_names_from_any_place_on(fixture: Arc<dyn Fixture>) {
    const CATEGORIES: [&str; 4] = ["account", "order", "stock", "missing"];
    const TYPES: [&str; 7] = ["a", "b", "c", "d", "rare", "rarest", "missing"];
    // The same sequence of numbers in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    let store = fixture.open().await;
    for round in 0..120_usize {
        let name = match round {
            17 | 103 => "rarest",
            round if round % 20 == 11 => "rare",
            _ => TYPES[random(4)],
        };
        let category = CATEGORIES[if round < 90 { random(2) } else { random(3) }];
        let batch = (0..=random(4)).map(|_| of_type(name)).collect();
        add(&*store, &stream(category, &random(5).to_string()), batch).await;
    }
    let log = log(&store).await;
    let end = log.last().map_or(Position::START, |event| event.position);
    for _ in 0..200 {
        let mut some = |names: &[&'static str], most: usize| -> Vec<&'static str> {
            (0..random(most + 1)).map(|_| names[random(names.len())]).collect()
        };
        let (categories, types) = (some(&CATEGORIES, 2), some(&TYPES, 4));
        let (filter, wanted) = (filter_of(&categories, &types), wanted(&log, &categories, &types));
        let after = match random(3) {
            0 => Position::START,
            _ => log[random(log.len())].position,
        };
        let limit = [1, 2, 3, 5, 20, 1_000][random(6)];
        check_page(&*store, &filter, after, limit, &wanted, end).await;
    }
}

pub(super) async fn a_filtered_log_has_nothing_beyond_its_end(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    mixed(&*store).await;
    let end = log(&store).await.last().map_or(0, |event| event.position.get());
    let largest = i64::MAX.unsigned_abs();
    for after in [end, end + 1_000_000, largest - 1, largest, largest + 1, u64::MAX - 1, u64::MAX] {
        let after = Position::new(after);
        for limit in [0, 1, 1_000, usize::MAX] {
            for filter in [filter_of(&["order"], &[]), filter_of(&["missing"], &["opened"])] {
                check_page(&*store, &filter, after, limit, &[], after).await;
            }
        }
    }
}

pub(super) async fn g5_what_a_filtered_page_went_through_is_final(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let followers = [1, 2, 100].map(|page| {
        [filter_of(&["order"], &[]), filter_of(&[], &["opened"]), filter_of(&["missing"], &[])]
            .map(|filter| Follower::with_filter(&store, page, filter))
    });
    let mut followers: Vec<Follower> = followers.into_iter().flatten().collect();
    for round in 0..20 {
        let stream = stream(["order", "account"][round % 2], "1");
        if round % 4 == 3 {
            // An append that fails may draw positions and leave them unused.
            let refused = append_of(&stream, ExpectedVersion::NoStream, events("refused", 5));
            conflict(&refused, store.append(&refused).await);
        }
        let name = ["opened", "closed", "opened"][round % 3];
        add(&*store, &stream, (0..=round % 3).map(|_| of_type(name)).collect()).await;
        let log = log(&store).await;
        for follower in &mut followers {
            // Not all the way at first: a page that is cut short by its limit is final as well.
            follower.turn().await;
            follower.catch_up().await;
            follower.has_seen(&log);
        }
    }
}

pub(super) async fn g5_filters_do_not_lead_past_an_append_held_open(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let followers = [(1, &store), (100, &other)].map(|(page, store)| {
        [filter_of(&["held"], &[]), filter_of(&["quick"], &[]), filter_of(&["missing"], &[])]
            .map(|filter| Follower::with_filter(store, page, filter))
    });
    let mut followers: Vec<Follower> = followers.into_iter().flatten().collect();
    for round in 0..3 {
        let mut held = Vec::new();
        for number in 0..3 {
            let stream = stream("held", &format!("{round} {number}"));
            let append = append_of(&stream, ExpectedVersion::Any, events("held", 1 + number));
            let Some(append) = fixture.hold(&append).await else {
                return;
            };
            held.push(append);
            add(&*other, &self::stream("quick", "1"), vec![event(number)]).await;
            for follower in &mut followers {
                follower.catch_up().await;
            }
        }
        // The last to begin commits first; one of them never does.
        while let Some(append) = held.pop() {
            if held.len() == 1 {
                append.roll_back().await;
            } else {
                append.commit().await;
            }
            for follower in &mut followers {
                follower.catch_up().await;
            }
        }
        let log = log(&store).await;
        for follower in &mut followers {
            follower.catch_up().await;
            follower.has_seen(&log);
        }
    }
}
