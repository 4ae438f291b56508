//! Projections: one listed type, several, parameters, and what a projector makes of them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use cqrs::{
    Append, BoxError, DecodeReason, Draft, Event, EventId, EventStore as _, ExpectedVersion,
    Maintain as _, MemoryModel, MemoryStore, MemoryTransaction, NewEvent, Position, Project,
    Projection, ProjectionId, Projector, Received, StreamId, Transaction, UpcastError,
};
use serde::{Deserialize, Serialize};

use crate::{decode, metadata};

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum AccountEvent {
    Deposited(i64),
    #[event(version = 2, upcast(1 => cents_of_amount))]
    Withdrawn {
        cents: i64,
    },
}

fn cents_of_amount(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("amount", "cents")
}

/// What several categories have in common.
mod shared {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize, cqrs::Event)]
    #[event(name = "audited")]
    pub(super) struct Audited {
        pub(super) by: String,
    }
}

#[derive(Event)]
#[event(name = "account.closed")]
struct Closed;

/// Cents by account.
type Balances = BTreeMap<String, i64>;

#[derive(Projection)]
#[projection(model = MemoryModel<Balances>, events(AccountEvent))]
struct AccountBalances;

impl Project<AccountEvent> for AccountBalances {
    async fn project(
        &self,
        event: AccountEvent,
        received: &Received<'_>,
        transaction: &mut MemoryTransaction<Balances>,
    ) -> Result<(), BoxError> {
        let balance = transaction.value.entry(received.stream.to_string()).or_default();
        match event {
            AccountEvent::Deposited(cents) => *balance += cents,
            AccountEvent::Withdrawn { cents } => *balance -= cents,
        }
        Ok(())
    }
}

/// More visible than the events it lists, and with something in it.
#[derive(Projection)]
#[projection(
    name = "accounts.history",
    version = 7,
    model = MemoryModel<Vec<String>>,
    events(AccountEvent, shared::Audited, Closed)
)]
pub(crate) struct History {
    mark: &'static str,
}

impl History {
    async fn note(&self, text: &str, transaction: &mut Transaction<Self>) {
        // Futures may hold the transaction while they wait.
        tokio::task::yield_now().await;
        transaction.value.push(format!("{}{text}", self.mark));
    }
}

impl Project<AccountEvent> for History {
    async fn project(
        &self,
        event: AccountEvent,
        _: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        self.note(&format!("{event:?}"), transaction).await;
        Ok(())
    }
}

impl Project<shared::Audited> for History {
    async fn project(
        &self,
        event: shared::Audited,
        _: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        if event.by.is_empty() {
            return Err("audited by nobody".into());
        }
        self.note(&event.by, transaction).await;
        Ok(())
    }
}

impl Project<Closed> for History {
    async fn project(
        &self,
        _: Closed,
        received: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        self.note(&received.event_type, transaction).await;
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "paid")]
struct Paid<C> {
    cents: i64,
    currency: PhantomData<C>,
}

trait Currency: Send + Sync + 'static {
    const NAME: &'static str;
}

#[derive(Serialize, Deserialize)]
struct Euro;

impl Currency for Euro {
    const NAME: &'static str = "EUR";
}

#[derive(Projection)]
#[projection(name = "payments", model = MemoryModel<Balances>, events(Paid<C>))]
struct Payments<C: Currency>(PhantomData<C>);

impl<C: Currency> Project<Paid<C>> for Payments<C> {
    async fn project(
        &self,
        event: Paid<C>,
        _: &Received<'_>,
        transaction: &mut MemoryTransaction<Balances>,
    ) -> Result<(), BoxError> {
        *transaction.value.entry(C::NAME.to_owned()).or_default() += event.cents;
        Ok(())
    }
}

/// With parameters in the model, and several types.
#[derive(Projection)]
#[projection(model = MemoryModel<[T; N]>, events(Paid<C>, Closed))]
struct Counts<C, T, const N: usize>
where
    C: Currency,
    T: Copy + From<u8> + std::ops::AddAssign + Send + Sync + 'static,
{
    types: PhantomData<(C, T)>,
}

impl<C, T, const N: usize> Project<Paid<C>> for Counts<C, T, N>
where
    C: Currency,
    T: Copy + From<u8> + std::ops::AddAssign + Send + Sync + 'static,
{
    async fn project(
        &self,
        _: Paid<C>,
        _: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        transaction.value[0] += T::from(1);
        Ok(())
    }
}

impl<C, T, const N: usize> Project<Closed> for Counts<C, T, N>
where
    C: Currency,
    T: Copy + From<u8> + std::ops::AddAssign + Send + Sync + 'static,
{
    async fn project(
        &self,
        _: Closed,
        _: &Received<'_>,
        transaction: &mut MemoryTransaction<[T; N]>,
    ) -> Result<(), BoxError> {
        transaction.value[N - 1] += T::from(1);
        Ok(())
    }
}

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(1);

/// A store with these events, each in the stream of this key, and the position of the last.
async fn stored(events: Vec<(&str, NewEvent)>) -> (MemoryStore, Position) {
    let store = MemoryStore::new();
    let mut position = Position::START;
    for (key, event) in events {
        let stream = StreamId::new("account", key).unwrap();
        let append = Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        position = store.append(&append).await.unwrap().position;
    }
    (store, position)
}

fn new(event: &impl Event) -> NewEvent {
    NewEvent::of(event, EventId::random(), metadata()).unwrap()
}

/// The read model after the projection has seen all these events.
async fn projected<P, T>(projection: P, value: T, events: Vec<(&str, NewEvent)>) -> T
where
    P: Projection<Model = MemoryModel<T>>,
    T: Clone + Send + Sync + 'static,
{
    let (store, position) = stored(events).await;
    let model = MemoryModel::new(value);
    let running = Projector::new(store).start(projection, model.clone());
    running.wait_for(position, LONG).await.unwrap();
    running.stop().await;
    model.read(T::clone)
}

#[tokio::test]
async fn one_listed_type_is_the_event_type_itself() {
    let _: <AccountBalances as Projection>::Event = AccountEvent::Deposited(1);
    let events = vec![
        ("a", new(&AccountEvent::Deposited(5))),
        ("b", new(&AccountEvent::Deposited(7))),
        ("a", new(&Closed)),
        ("a", new(&AccountEvent::Withdrawn { cents: 2 })),
    ];
    let balances = projected(AccountBalances, Balances::new(), events).await;
    assert_eq!(balances.into_values().collect::<Vec<_>>(), [3, 7]);
}

#[tokio::test]
async fn each_of_several_listed_types_goes_to_its_own_impl() {
    let events = vec![
        ("a", new(&AccountEvent::Deposited(5))),
        ("a", new(&Paid { cents: 1, currency: PhantomData::<Euro> })),
        ("a", new(&shared::Audited { by: "me".to_owned() })),
        ("b", new(&AccountEvent::Withdrawn { cents: 2 })),
        ("a", new(&Closed)),
    ];
    let history = projected(History { mark: "* " }, Vec::new(), events).await;
    let expected = ["* Deposited(5)", "* me", "* Withdrawn { cents: 2 }", "* account.closed"];
    assert_eq!(history, expected);
}

#[tokio::test]
async fn projections_may_have_parameters() {
    let events = || {
        let paid = || new(&Paid { cents: 4, currency: PhantomData::<Euro> });
        vec![("a", paid()), ("b", new(&Closed)), ("c", paid())]
    };
    let payments = projected(Payments::<Euro>(PhantomData), Balances::new(), events()).await;
    assert_eq!(payments, Balances::from([("EUR".to_owned(), 8)]));

    let counts = Counts::<Euro, u16, 3> { types: PhantomData };
    assert_eq!(projected(counts, [0; 3], events()).await, [2, 0, 1]);
}

#[tokio::test]
async fn g8_an_error_of_an_impl_parks_the_stream() {
    let (store, position) = stored(vec![
        ("a", new(&shared::Audited { by: String::new() })),
        ("b", new(&AccountEvent::Deposited(1))),
    ])
    .await;
    let model = MemoryModel::new(Vec::new());
    let running = Projector::new(store).attempts(1).start(History { mark: "" }, model.clone());
    running.wait_for(position, LONG).await.unwrap();
    let parked = model.parked(History::NAME, History::VERSION).await.unwrap();
    let parked: Vec<_> =
        parked.iter().map(|parked| (&*parked.event_type, &*parked.error)).collect();
    assert_eq!(parked, [("audited", "audited by nobody")]);
    assert_eq!(model.read(Vec::clone), ["Deposited(1)"]);
    running.stop().await;
}

#[test]
fn the_checkpoint_is_that_of_the_attribute_or_the_default() {
    fn id<P: Projection>() -> (&'static str, u32, String) {
        let ProjectionId { name, version, events } =
            ProjectionId::of::<P::Event>(P::NAME, P::VERSION);
        (name, version, events)
    }
    let events = "account.deposited account.withdrawn".to_owned();
    assert_eq!(id::<AccountBalances>(), ("account_balances", 1, events));
    let events = "account.closed account.deposited account.withdrawn audited".to_owned();
    assert_eq!(id::<History>(), ("accounts.history", 7, events));
    let events = "account.closed paid".to_owned();
    assert_eq!(id::<Counts<Euro, u8, 1>>(), ("counts", 1, events));
}

mod sql {
    pub(super) const COUNTS: &str = "CREATE TABLE counts (count bigint)";
}

#[test]
fn tables_are_made_by_the_sql_of_the_attribute() {
    macro_rules! projection {
        ($name:ident, $($tables:tt)*) => {
            #[derive(Projection)]
            #[projection(model = MemoryModel<u8>, $($tables)*, events(Closed))]
            struct $name;

            impl Project<Closed> for $name {
                async fn project(
                    &self,
                    _: Closed,
                    _: &Received<'_>,
                    _: &mut Transaction<Self>,
                ) -> Result<(), BoxError> {
                    Ok(())
                }
            }
        };
    }
    projection!(Text, tables = "CREATE TABLE a (b text); CREATE INDEX c ON a (b)");
    projection!(Constant, tables = sql::COUNTS);
    projection!(File, tables = include_str!("counts.sql"));
    projection!(Several, tables = concat!("CREATE TABLE a (b text);", "CREATE TABLE c (d text)"));

    assert_eq!(Text::TABLES, "CREATE TABLE a (b text); CREATE INDEX c ON a (b)");
    assert_eq!(Constant::TABLES, sql::COUNTS);
    assert_eq!(
        File::TABLES,
        "CREATE TABLE counts (account text PRIMARY KEY, count bigint NOT NULL);\n"
    );
    assert_eq!(Several::TABLES, "CREATE TABLE a (b text);CREATE TABLE c (d text)");
    assert_eq!(AccountBalances::TABLES, "");
}

#[test]
fn g11_an_event_of_none_of_the_listed_types_is_an_error_that_lists_all() {
    type All = <History as Projection>::Event;
    let types: Vec<_> = All::TYPES.iter().map(ToString::to_string).collect();
    let expected =
        ["account.deposited v1", "account.withdrawn v2", "audited v1", "account.closed v1"];
    assert_eq!(types, expected);
    let error = decode::<All>("account.gone", 1, "{}").err().unwrap();
    assert!(matches!(
        error.reason,
        DecodeReason::UnknownType { known, .. } if known == All::TYPES
    ));
}
