//! A version that is taken out of service before the program which has put it there gets to know.

use cqrs::prelude::*;
use cqrs::{BoxError, Maintain, OnChange, PostgresStore, Projector, Received, Stopped};
use sqlx::raw_sql;

use super::LONG;
use crate::domain::{Counter, CounterEvent, add};

/// How many events each counter has had.
macro_rules! times {
    ($row:ident, $version:literal) => {
        #[derive(Debug, Clone, PartialEq, View)]
        #[view(name = "times", version = $version, key(counter), events(CounterEvent))]
        struct $row {
            counter: String,
            times: i64,
        }

        impl Fold<CounterEvent> for $row {
            fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
                Some(received.stream.key().to_owned())
            }

            fn fold(
                row: &mut Option<Self>,
                counter: &String,
                _: &CounterEvent,
                _: &Received<'_>,
            ) -> Result<(), BoxError> {
                let row = row.get_or_insert_with(|| Self { counter: counter.clone(), times: 0 });
                row.times += 1;
                Ok(())
            }
        }
    };
}

times!(Times, 1);
times!(Newer, 2);

/// Rolls the second version back in the very transaction that has put it into service.
const AT_ONCE: &str = "
    CREATE FUNCTION at_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM cqrs.put_in_service('times', 1, false);
        RETURN NULL;
    END
    $$;
    CREATE CONSTRAINT TRIGGER at_once AFTER UPDATE ON cqrs.projections DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.version = 2 AND NEW.in_service) EXECUTE FUNCTION at_once();
";

#[tokio::test(flavor = "multi_thread")]
async fn who_is_rolled_back_at_once_stops() {
    let database = cqrs_test_harness::postgres().unwrap().database("at_once").await.unwrap();
    let store: PostgresStore = crate::stores::postgres(&database.url()).await;
    let model = store.model();
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    let old = Projector::new(store.clone()).start_view::<Times>(model.clone());
    let done = bus.send(add("a", 1)).await.unwrap();
    old.wait_for(&done, LONG).await.unwrap();
    raw_sql(AT_ONCE).execute(store.pool()).await.unwrap();

    let builder = Projector::new(store.clone()).on_change(OnChange::Build);
    let new = builder.start_view::<Newer>(model.clone());
    let stopped = tokio::time::timeout(LONG, new.stopped()).await.unwrap();
    assert!(matches!(stopped, Stopped::Replaced { version: 2, .. }), "{stopped}");
    let versions = model.projections(Some("times")).await.unwrap();
    let versions: Vec<_> = versions.iter().map(|state| (state.version, state.in_service)).collect();
    assert_eq!(versions, [(1, true), (2, false)]);
    // It is nobody's trouble: the other has its turn.
    let errors = model.projections(Some("times")).await.unwrap();
    assert!(errors.iter().flat_map(|state| &state.slots).all(|slot| slot.error.is_none()));
    // The other goes on, if it has not noticed; else it is started again.
    drop(old);
    let old = Projector::new(store).start_view::<Times>(model);
    let done = bus.send(add("a", 1)).await.unwrap();
    old.wait_for(&done, LONG).await.unwrap();
}
