//! Views: tables, values there and back, and what folds make of events.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use cqrs::{
    Append, BoxError, Column, ColumnError, ColumnType, Event, EventId, EventStore as _,
    ExpectedVersion, Fold, MemoryModel, MemoryStore, NewEvent, ProjectionId, Projector, Received,
    StreamId, Value, View,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{metadata, record};

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened { owner: String },
    Deposited(u64),
    Moved { to: String, cents: u64 },
}

#[derive(Event)]
#[event(name = "closed")]
struct Closed;

/// A column of a type of the application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct AccountId(String);

impl Column for AccountId {
    const TYPE: ColumnType = ColumnType::Text;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        self.0.to_value()
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        String::from_value(value).map(Self)
    }
}

#[derive(Debug, Clone, PartialEq, View)]
#[view(key(account), events(AccountEvent))]
struct AccountBalance {
    account: AccountId,
    owner: Option<String>,
    cents: u64,
}

impl Fold<AccountEvent> for AccountBalance {
    fn rows(event: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = AccountId> {
        let own = AccountId(received.stream.key().to_owned());
        let other = match event {
            AccountEvent::Moved { to, .. } => Some(AccountId(to.clone())),
            _ => None,
        };
        [Some(own), other].into_iter().flatten()
    }

    fn fold(
        row: &mut Option<Self>,
        key: &AccountId,
        event: &AccountEvent,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let new = || Self { account: key.clone(), owner: None, cents: 0 };
        let row = row.get_or_insert_with(new);
        match event {
            AccountEvent::Opened { owner } => row.owner = Some(owner.clone()),
            AccountEvent::Moved { cents, .. } if key.0 == received.stream.key() => {
                row.cents = row.cents.checked_sub(*cents).ok_or("more than there is")?;
            }
            AccountEvent::Deposited(cents) | AccountEvent::Moved { cents, .. } => {
                row.cents += cents;
            }
        }
        Ok(())
    }
}

/// One of everything.
#[derive(Debug, Clone, PartialEq, View)]
#[view(
    name = "accounts.lines",
    version = 3,
    table = "lines",
    key(account, r#type),
    index = time,
    index = (owner, time),
    index(account, rate,),
    events(Closed, AccountEvent)
)]
pub(crate) struct Line {
    time: SystemTime,
    r#type: u32,
    account: String,
    owner: Option<String>,
    #[view(column = "is_open")]
    open: bool,
    rate: f64,
    #[view(json)]
    tags: Vec<String>,
    #[view(json, column = "more")]
    rest: Option<BTreeMap<String, i64>>,
}

impl Line {
    fn new() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001),
            r#type: 7,
            account: "a".to_owned(),
            owner: None,
            open: true,
            rate: 0.25,
            tags: vec!["new".to_owned()],
            rest: Some(BTreeMap::from([("x".to_owned(), -1)])),
        }
    }
}

impl Fold<AccountEvent> for Line {
    fn rows(event: &AccountEvent, _: &Received<'_>) -> impl IntoIterator<Item = Self::Key> {
        let cents = match event {
            AccountEvent::Deposited(cents) => Some(*cents),
            _ => None,
        };
        cents.map(|cents| ("deposited".to_owned(), u32::try_from(cents).unwrap_or_default()))
    }

    fn fold(
        row: &mut Option<Self>,
        (account, r#type): &(String, u32),
        _: &AccountEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        *row = Some(Self { account: account.clone(), r#type: *r#type, ..Self::new() });
        Ok(())
    }
}

impl Fold<Closed> for Line {
    fn rows(_: &Closed, _: &Received<'_>) -> impl IntoIterator<Item = Self::Key> {
        [("deposited".to_owned(), 1), ("closed".to_owned(), 2)]
    }

    fn fold(
        row: &mut Option<Self>,
        _: &Self::Key,
        _: &Closed,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        match row.take() {
            Some(_) => Ok(()),
            None => Err(format!("closed twice by {}", received.event_type).into()),
        }
    }
}

/// What is only kept to be read back whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, View)]
#[view(document, key = (line, account), events(Closed))]
struct Receipt {
    account: String,
    #[serde(rename = "what")]
    text: Option<String>,
    #[view(column = "number")]
    line: i64,
    parts: Vec<(String, u8)>,
}

impl Fold<Closed> for Receipt {
    fn rows(_: &Closed, _: &Received<'_>) -> impl IntoIterator<Item = (i64, String)> {
        None
    }

    fn fold(
        _: &mut Option<Self>,
        _: &(i64, String),
        _: &Closed,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Nothing but a key.
#[derive(Debug, Clone, PartialEq, View)]
#[view(key = account, events(Closed))]
struct ClosedAccount {
    account: String,
}

impl Fold<Closed> for ClosedAccount {
    fn rows(_: &Closed, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        key: &String,
        _: &Closed,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        *row = Some(Self { account: key.clone() });
        Ok(())
    }
}

/// What keys of the application have in common.
trait Id: Column + Clone + Ord + Hash + Debug + From<u8> + Send + Sync + 'static {}

impl Id for u16 {}

/// With parameters in the key, in a column, in a document, and in an event.
#[derive(Debug, Clone, PartialEq, View)]
#[view(key(id), index(value), events(Noted<T>, Closed))]
struct Latest<K: Id, T, const N: usize>
where
    T: Column + Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    id: K,
    value: Option<T>,
    #[view(json)]
    marks: PhantomData<[T; N]>,
}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "noted")]
struct Noted<T> {
    value: T,
}

impl<K: Id, T, const N: usize> Fold<Noted<T>> for Latest<K, T, N>
where
    T: Column + Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    fn rows(_: &Noted<T>, _: &Received<'_>) -> impl IntoIterator<Item = K> {
        [K::from(1)]
    }

    fn fold(
        row: &mut Option<Self>,
        key: &K,
        event: &Noted<T>,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        *row = Some(Self { id: key.clone(), value: Some(event.value.clone()), marks: PhantomData });
        Ok(())
    }
}

impl<K: Id, T, const N: usize> Fold<Closed> for Latest<K, T, N>
where
    T: Column + Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    fn rows(_: &Closed, _: &Received<'_>) -> impl IntoIterator<Item = K> {
        None
    }

    fn fold(row: &mut Option<Self>, _: &K, _: &Closed, _: &Received<'_>) -> Result<(), BoxError> {
        *row = None;
        Ok(())
    }
}

/// A document with parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, View)]
#[serde(bound = "")]
#[view(document, key(id), events(Closed))]
struct Page<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    id: u8,
    content: T,
}

impl<T> Fold<Closed> for Page<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    fn rows(_: &Closed, _: &Received<'_>) -> impl IntoIterator<Item = u8> {
        [1]
    }

    fn fold(row: &mut Option<Self>, _: &u8, _: &Closed, _: &Received<'_>) -> Result<(), BoxError> {
        *row = None;
        Ok(())
    }
}

/// The columns as text: name, type, and a question mark if it may be null.
fn columns<V: View>() -> Vec<String> {
    let columns = V::TABLE.columns.iter().map(|column| {
        let null = if column.nullable { "?" } else { "" };
        format!("{} {:?}{null}", column.name, column.column_type)
    });
    columns.collect()
}

fn id<V: View>() -> (&'static str, u32, String) {
    let ProjectionId { name, version, events } = ProjectionId::of::<V::Event>(V::NAME, V::VERSION);
    (name, version, events)
}

#[test]
fn the_table_has_a_column_for_each_field() {
    let table = Line::TABLE;
    assert_eq!(table.name, "lines");
    assert_eq!(
        columns::<Line>(),
        [
            "time Time",
            "type Integer",
            "account Text",
            "owner Text?",
            "is_open Boolean",
            "rate Real",
            "tags Json",
            "more Json",
        ]
    );
    let key: Vec<_> = table.key_columns().map(|column| column.name).collect();
    assert_eq!(key, ["account", "type"]);
    assert_eq!(table.indexes, [&[0][..], &[3, 0], &[2, 5]]);
    let events = "account.deposited account.moved account.opened closed".to_owned();
    assert_eq!(id::<Line>(), ("accounts.lines", 3, events));
}

#[test]
fn what_is_not_given_comes_from_the_name_of_the_type() {
    assert_eq!(AccountBalance::TABLE.name, "account_balance");
    assert_eq!(columns::<AccountBalance>(), ["account Text", "owner Text?", "cents Integer"]);
    assert!(AccountBalance::TABLE.indexes.is_empty());
    let events = "account.deposited account.moved account.opened".to_owned();
    assert_eq!(id::<AccountBalance>(), ("account_balance", 1, events));

    assert_eq!(ClosedAccount::TABLE.name, "closed_account");
    assert_eq!(columns::<ClosedAccount>(), ["account Text"]);
    assert_eq!(ClosedAccount::TABLE.key, [0]);
}

#[test]
fn a_document_has_the_columns_of_its_key_beside_it() {
    assert_eq!(columns::<Receipt>(), ["account Text", "number Integer", "document Json"]);
    assert_eq!(Receipt::TABLE.key, [1, 0]);
    let receipt = Receipt {
        account: "a".to_owned(),
        text: Some("x".to_owned()),
        line: -1,
        parts: vec![("y".to_owned(), 2)],
    };
    let values = receipt.values().unwrap();
    let json = r#"{"account":"a","what":"x","line":-1,"parts":[["y",2]]}"#;
    let expected = [Value::Text("a".into()), Value::Integer(-1), Value::Json(json.into())];
    assert_eq!(values, expected);
    assert_eq!(Receipt::from_values(values).unwrap(), receipt);
    assert_eq!(receipt.key(), (-1, "a".to_owned()));
}

#[test]
fn a_row_comes_back_from_its_values() {
    fn round<V: View + PartialEq + Debug>(row: &V) {
        let values = row.values().unwrap();
        assert_eq!(values.len(), V::TABLE.columns.len());
        let key: Vec<_> = V::TABLE.key.iter().map(|number| values[*number].clone()).collect();
        assert_eq!(V::key_values(&row.key()).unwrap(), key);
        assert_eq!(V::from_values(values).unwrap(), *row);
    }
    round(&Line::new());
    round(&Line { owner: Some("me".to_owned()), rest: None, ..Line::new() });
    round(&AccountBalance { account: AccountId("a".to_owned()), owner: None, cents: 3 });
    round(&ClosedAccount { account: "a".to_owned() });
    round(&Latest::<u16, i32, 2> { id: 1, value: Some(-1), marks: PhantomData });
    round(&Page { id: 1, content: vec![1.5] });
}

#[test]
fn the_key_is_the_value_of_the_field_or_a_tuple() {
    let id: AccountId =
        AccountBalance { account: AccountId("a".to_owned()), owner: None, cents: 3 }.key();
    assert_eq!(AccountBalance::key_values(&id).unwrap(), [Value::Text("a".into())]);
    let key: (String, u32) = Line::new().key();
    let expected = [Value::Text("a".into()), Value::Integer(7)];
    assert_eq!(Line::key_values(&key).unwrap(), expected);
}

#[test]
fn an_error_names_the_column() {
    let error = Line { rate: f64::NAN, ..Line::new() }.values().unwrap_err();
    assert_eq!(error.to_string(), "column `rate`: NaN is not a finite number");
    let error = Line { tags: vec!["a\0".to_owned()], ..Line::new() }.values().unwrap_err();
    assert_eq!(error.column, "tags");
    let error = Line::key_values(&("a\0".to_owned(), 7)).unwrap_err();
    assert_eq!(error.column, "account");

    let line = Line::new();
    for (number, column) in Line::TABLE.columns.iter().enumerate() {
        let mut values = line.values().unwrap();
        values[number] = Value::Uuid(EventId::random().as_uuid());
        assert_eq!(Line::from_values(values).unwrap_err().column, column.name);
    }

    let mut values = Page { id: 1, content: 2_u8 }.values().unwrap();
    values[1] = Value::Json("[]".into());
    assert_eq!(Page::<u8>::from_values(values).unwrap_err().column, "document");
}

#[test]
fn a_row_of_another_width_is_an_error() {
    let line = Line::new();
    let values = || line.values().unwrap().into_iter();
    let error = Line::from_values(Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "a row of 8 columns can't be made of 0 values");
    let longer = values().chain([Value::Null]).collect();
    let error = Line::from_values(longer).unwrap_err();
    assert_eq!(error.to_string(), "a row of 8 columns can't be made of 9 values");
    assert!(Line::from_values(values().skip(1).collect()).is_err());
    assert!(Receipt::from_values(vec![Value::Null, Value::Null]).is_err());
}

#[test]
fn each_of_several_listed_types_goes_to_its_own_impl() {
    let closed: <Line as View>::Event = Closed.into();
    let deposited: <Line as View>::Event = AccountEvent::Deposited(5).into();
    let recorded = (record(&Closed), record(&AccountEvent::Deposited(5)));
    let received = (Received::new(&recorded.0, false), Received::new(&recorded.1, false));
    let key = || ("deposited".to_owned(), 5);

    assert_eq!(Line::touched(&deposited, &received.1), [key()]);
    let touched = [("deposited".to_owned(), 1), ("closed".to_owned(), 2)];
    assert_eq!(Line::touched(&closed, &received.0), touched);

    let mut row = None;
    <Line as View>::fold(&mut row, &key(), &deposited, &received.1).unwrap();
    assert_eq!(row.as_ref().map(View::key), Some(key()));
    <Line as View>::fold(&mut row, &key(), &closed, &received.0).unwrap();
    assert_eq!(row, None);
    let error = <Line as View>::fold(&mut row, &key(), &closed, &received.0).unwrap_err();
    assert_eq!(error.to_string(), "closed twice by closed");
}

#[test]
fn views_may_have_parameters() {
    type Notes = Latest<u16, String, 2>;
    assert_eq!(columns::<Notes>(), ["id Integer", "value Text?", "marks Json"]);
    assert_eq!(Notes::TABLE.indexes, [[1]]);
    assert_eq!(id::<Notes>(), ("latest", 1, "closed noted".to_owned()));
    let noted = Noted { value: "x".to_owned() };
    let recorded = record(&noted);
    let received = Received::new(&recorded, false);
    let event: <Notes as View>::Event = noted.into();
    assert_eq!(Notes::touched(&event, &received), [1]);
    let mut row = None;
    <Notes as View>::fold(&mut row, &1, &event, &received).unwrap();
    assert_eq!(row, Some(Latest { id: 1, value: Some("x".to_owned()), marks: PhantomData }));
    assert_eq!(columns::<Page<u8>>(), ["id Integer", "document Json"]);
}

#[tokio::test]
async fn a_projector_folds_events_into_rows() {
    let store = MemoryStore::new();
    let mut end = None;
    let opened = || AccountEvent::Opened { owner: "me".to_owned() };
    let moved = |to: &str, cents| AccountEvent::Moved { to: to.to_owned(), cents };
    for (key, event) in [
        ("a", opened()),
        ("a", AccountEvent::Deposited(5)),
        ("b", AccountEvent::Deposited(1)),
        ("a", moved("b", 2)),
        ("b", moved("b", 3)),
        ("c", moved("a", 1)),
    ] {
        let stream = StreamId::new("account", key).unwrap();
        let event = NewEvent::of(&event, EventId::random(), metadata()).unwrap();
        let append = Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        end = Some(store.append(&append).await.unwrap().position);
    }
    let model = MemoryModel::new(BTreeMap::<AccountId, AccountBalance>::new());
    let running = Projector::new(store).attempts(1).start_view::<AccountBalance>(model.clone());
    running.wait_for(end.unwrap(), Duration::from_mins(1)).await.unwrap();
    running.stop().await;

    let rows: Vec<_> = model.read(|rows| rows.values().cloned().collect());
    let row = |account: &str, owner: Option<&str>, cents| AccountBalance {
        account: AccountId(account.to_owned()),
        owner: owner.map(str::to_owned),
        cents,
    };
    // What `c` has moved is more than it had: nothing of that is in any row.
    assert_eq!(rows, [row("a", Some("me"), 3), row("b", None, 0)]);
}
