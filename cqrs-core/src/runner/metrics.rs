//! Gauges of what a projection is doing, through the `metrics` facade.

#![expect(clippy::cast_precision_loss, reason = "a gauge is an f64")]

use std::time::SystemTime;

use super::consumer::Consumer;
use super::worker::Worker;
use crate::store::EventStore as _;

impl<C: Consumer> Worker<C> {
    /// Tells how far the slots of this worker are. Slots that other processes have are told by those.
    pub(super) async fn measure(&self) {
        // Without the store there is nothing to tell.
        let Ok(head) = self.store.head().await else { return };
        let parked = self.parked.len();
        metrics::gauge!("cqrs_projection_parked", "projection" => self.id.name).set(parked as f64);
        for lease in self.leases.values() {
            let slot = lease.slot.to_string();
            let labels = [("projection", self.id.name.to_owned()), ("slot", slot)];
            metrics::gauge!("cqrs_projection_position", &labels).set(lease.position.get() as f64);
        }
        // The slots that are furthest behind tell for all.
        let after = self.position();
        let next = self.store.read_log(&self.filter, after, 1).await;
        let next = next.ok().and_then(|page| page.events.into_iter().next());
        let (behind, seconds) = next.map_or((0, 0.0), |next| {
            let age = SystemTime::now().duration_since(next.recorded_at).unwrap_or_default();
            ((head.last.get() + 1).saturating_sub(next.position.get()), age.as_secs_f64())
        });
        let member =
            [("projection", self.id.name.to_owned()), ("member", self.options.label.to_string())];
        metrics::gauge!("cqrs_projection_lag_positions", &member).set(behind as f64);
        metrics::gauge!("cqrs_projection_lag_seconds", &member).set(seconds);
    }
}
