//! Calls that are given up on a pool of one connection: what each does is wholly there or not at all,
//! and the next query of the pool is outside of any transaction.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, DisabledReason, Endpoint, EndpointId,
    EndpointState, Include, Outcome, Replay, TenantId, Timestamp,
    store::{
        ClaimDue, Cursor, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery,
        EndpointDirectory as _, Enqueue, FanOut, Finish, Lease, LeaseEpoch, Maintenance as _,
        NewDelivery, Prune, PruneCursor, Redeliver, ReplayPage, Route, Settle, Store as _,
        TenantVersion, TrackedDeliveries as _, WorkSignal as _,
    },
};
use webhook_store_seaorm::{SchemaStatus, SeaOrmStore};

use crate::common::{
    add_endpoint,
    cut::{Cut, State, Watched, narrow},
    endpoint, enqueue, event,
    place::Place,
    port,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Events by what has become of them: each call finds the same.
const UNROUTED: u128 = 1;
const PENDING: u128 = 2;
const LEASED: u128 = 3;
const FAILED: u128 = 4;
const TRACKED: u128 = 5;
const NEW: u128 = 6;

const fn now() -> Timestamp {
    Timestamp::from_unix_secs(1_767_225_600)
}

fn id(number: u128) -> DeliveryId {
    DeliveryId::new(event(number).id, endpoint())
}

fn version() -> TenantVersion {
    TenantVersion::default().next()
}

fn leased(number: u128) -> Enqueue {
    let mut fan_out = FanOut::pending(version(), []);
    fan_out.deliveries.push(NewDelivery::leased(endpoint(), MINUTE));
    Enqueue::routed(event(number), fan_out)
}

fn lease(number: u128) -> Lease {
    Lease { delivery: id(number), epoch: LeaseEpoch::from_u64(1) }
}

fn attempt() -> Attempt {
    Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown)
}

fn failure(number: u128) -> Finish {
    Finish::new(lease(number), vec![attempt()], 1, Settle::Failed)
}

fn tracked(number: u128) -> Delivery {
    let (event, url) = (event(number), "https://a.example/hooks".parse().unwrap());
    Delivery::new(id(number), event.tenant, event.event_type, url, now())
}

/// The store, and what each call finds.
struct Fixture(Watched);

impl Fixture {
    async fn new(place: &Place) -> Self {
        Self(Watched::new(place, now()).await)
    }

    async fn prepare(&self) {
        self.0.empty().await;
        let other = &self.0.other;
        other.set_clock(now().before(DAY * 2));
        assert_eq!(add_endpoint(other).await, version());
        other.enqueue(vec![leased(FAILED)]).await.unwrap();
        other.finish(vec![failure(FAILED)]).await.unwrap();
        other.set_clock(now());
        let unrouted = Enqueue::unrouted(event(UNROUTED));
        let rest = vec![unrouted, enqueue(PENDING, version()), leased(LEASED)];
        other.enqueue(rest).await.unwrap();
        other.open_tracked(&event(TRACKED), tracked(TRACKED)).await.unwrap();
    }

    /// What `call` leaves when nobody gives it up.
    async fn whole<T>(&self, call: &impl AsyncFn(&SeaOrmStore) -> T) -> (State, State) {
        self.prepare().await;
        let before = self.0.state().await;
        call(&self.0.store).await;
        (before, self.0.state().await)
    }

    /// A call that writes is done wholly, once it has begun.
    async fn writes<T>(&self, what: &str, call: impl AsyncFn(&SeaOrmStore) -> T) {
        let (before, after) = self.whole(&call).await;
        assert_ne!(before, after, "{what} finds something to do");
        Cut::everywhere(async |cut| self.drop_at(cut, what, (&before, &after), &call).await).await;
    }

    /// A call that reads changes nothing.
    async fn reads<T>(&self, what: &str, call: impl AsyncFn(&SeaOrmStore) -> T) {
        let (before, after) = self.whole(&call).await;
        assert_eq!(before, after, "{what} only reads");
        Cut::everywhere(async |cut| self.drop_at(cut, what, (&before, &after), &call).await).await;
    }

    async fn drop_at<T>(
        &self,
        cut: Cut,
        what: &str,
        (before, after): (&State, &State),
        call: &impl AsyncFn(&SeaOrmStore) -> T,
    ) -> bool {
        self.prepare().await;
        let what = format!("{what}, {cut:?}");
        let ended = cut.short(call(&self.0.store)).await;
        self.0.assert_outside_a_transaction(&what).await;
        let end = if cut.is_before() { before } else { after };
        self.0.settles(&[before], end, &what).await;
        self.0.assert_outside_a_transaction(&what).await;
        self.0.assert_sees_others(&what).await;
        ended
    }
}

pub async fn a_dropped_call_of_the_engine_is_done_wholly(place: &Place) {
    let fixture = Fixture::new(place).await;
    let new = || vec![enqueue(NEW, version())];
    fixture.writes("enqueue", async |store| store.enqueue(new()).await.unwrap()).await;
    let claim = async |store: &SeaOrmStore| store.claim_unrouted(10, MINUTE).await.unwrap();
    fixture.writes("claim_unrouted", claim).await;
    let route = || vec![Route::new(event(UNROUTED).id, version(), vec![endpoint()])];
    fixture.writes("route", async |store| store.route(route()).await.unwrap()).await;
    let claim = || ClaimDue::new(10, MINUTE);
    fixture.writes("claim_due", async |store| store.claim_due(claim()).await.unwrap()).await;
    let finish = || vec![failure(LEASED).with_disabled_endpoint(Some(DisabledReason::Gone))];
    fixture.writes("finish", async |store| store.finish(finish()).await.unwrap()).await;
    let leases = || vec![lease(LEASED)];
    fixture.writes("release", async |store| store.release(leases()).await.unwrap()).await;
    fixture.reads("backlog", async |store| store.backlog().await.unwrap()).await;
    // Nothing may ever come of it.
    fixture.prepare().await;
    let before = fixture.0.state().await;
    for cut in Cut::in_turn() {
        let notified = async |store: &SeaOrmStore| store.work_notified().await;
        fixture.drop_at(cut, "work_notified", (&before, &before), &notified).await;
    }
}

pub async fn a_dropped_call_about_endpoints_is_done_wholly(place: &Place) {
    let fixture = Fixture::new(place).await;
    let new = || {
        let id = EndpointId::from_uuid(event(NEW).id.as_uuid());
        Endpoint::new(id, "https://b.example/hooks".parse().unwrap()).with_created_at(now())
    };
    fixture.writes("add_endpoint", async |store| store.add_endpoint(new()).await.unwrap()).await;
    fixture.prepare().await;
    let stored =
        fixture.0.other.endpoints(&[endpoint()]).await.unwrap().remove(0).unwrap().unwrap();
    let edited = || stored.clone().with_state(EndpointState::Paused);
    let edit = async |store: &SeaOrmStore| store.update_endpoint(edited()).await.unwrap();
    fixture.writes("update_endpoint", edit).await;
    let load = async |store: &SeaOrmStore| store.endpoints(&[endpoint()]).await.unwrap();
    fixture.reads("endpoints", load).await;
    let tenant = TenantId::default();
    fixture.reads("snapshot", async |store| port(store).snapshot(&tenant).await.unwrap()).await;
    fixture.reads("tenants", async |store| store.tenants(None, 100).await.unwrap()).await;
}

/// Hiding it is one unit, cancelling what is open of it another.
pub async fn a_dropped_removal_is_done_unit_by_unit(place: &Place) {
    let fixture = Fixture::new(place).await;
    let watched = &fixture.0;
    let tenant = TenantId::default();
    let remove =
        async |store: &SeaOrmStore| store.remove_endpoint(&tenant, endpoint()).await.unwrap();
    let (before, after) = fixture.whole(&remove).await;
    // What the first of them leaves.
    fixture.prepare().await;
    let hide = format!(
        "UPDATE webhook_endpoints SET removed_at = {}, revision = revision + 1, \
         signing_keys = '[]', profiles = '[]', headers = '[]'",
        now().as_unix_millis()
    );
    place.sql(&hide).await;
    place.sql("UPDATE webhook_tenants SET version = version + 1").await;
    let hidden = watched.state().await;
    Cut::everywhere(async |cut| {
        fixture.prepare().await;
        let what = format!("remove_endpoint, {cut:?}");
        let ended = cut.short(remove(&watched.store)).await;
        watched.assert_outside_a_transaction(&what).await;
        let there = watched.state().await;
        assert!([&before, &hidden, &after].contains(&&there), "{what}: half of a unit: {there:#?}");
        assert!(!cut.is_before() || there == before, "{what}: it was never begun");
        remove(&watched.store).await;
        watched.settles(&[], &after, &what).await;
        watched.assert_outside_a_transaction(&what).await;
        watched.assert_sees_others(&what).await;
        ended
    })
    .await;
}

pub async fn a_dropped_call_of_the_log_is_done_wholly(place: &Place) {
    let fixture = Fixture::new(place).await;
    fixture.reads("event", async |store| store.event(event(PENDING).id).await.unwrap()).await;
    fixture.reads("delivery", async |store| store.delivery(id(PENDING)).await.unwrap()).await;
    let list = async |store: &SeaOrmStore| store.deliveries(DeliveryQuery::new()).await.unwrap();
    fixture.reads("deliveries", list).await;
    fixture.reads("attempts", async |store| store.attempts(id(FAILED)).await.unwrap()).await;
    let open = async |store: &SeaOrmStore| {
        store.open_tracked(&event(NEW), tracked(NEW)).await.unwrap();
    };
    fixture.writes("open_tracked", open).await;
    let record = async |store: &SeaOrmStore| {
        store.record_tracked(id(TRACKED), attempt(), DeliveryStatus::Failed).await.unwrap();
    };
    fixture.writes("record_tracked", record).await;
}

pub async fn a_dropped_call_of_an_operator_is_done_wholly(place: &Place) {
    let fixture = Fixture::new(place).await;
    let again = || vec![Redeliver::new(id(FAILED))];
    fixture.writes("redeliver", async |store| store.redeliver(again()).await.unwrap()).await;
    let failed = || ReplayPage::first(Replay::new(endpoint(), Include::Failed));
    fixture.writes("replay", async |store| store.replay(failed()).await.unwrap()).await;
    let dry = async |store: &SeaOrmStore| store.replay(failed().dry_run()).await.unwrap();
    fixture.reads("replay in a dry run", dry).await;
    let off = || vec![id(PENDING)];
    fixture.writes("cancel", async |store| store.cancel(off()).await.unwrap()).await;
    fixture.reads("status", async |store| store.status().await.unwrap()).await;
    let failed = PruneCursor::Deliveries(DeliveryStatus::Failed, None::<Cursor>);
    let prune = Prune::older_than(DAY).after(failed);
    fixture.writes("prune", async |store| store.prune(prune).await.unwrap()).await;
    let dry = async |store: &SeaOrmStore| store.prune(prune.dry_run()).await.unwrap();
    fixture.reads("prune in a dry run", dry).await;
    fixture.reads("schema_status", async |store| store.schema_status().await.unwrap()).await;
}

/// The first call of a store looks at the tables before, in units of its own.
pub async fn a_first_call_that_is_dropped_is_done_wholly_or_not_at_all(place: &Place) {
    let fixture = Fixture::new(place).await;
    let off = async |store: &SeaOrmStore| store.cancel(vec![id(PENDING)]).await.unwrap();
    let (before, after) = fixture.whole(&off).await;
    Cut::everywhere(async |cut| {
        fixture.prepare().await;
        let fresh = narrow(place).await;
        fresh.set_clock(now());
        let watched = fixture.0.with(fresh);
        let what = format!("the first call, {cut:?}");
        let ended = cut.short(off(&watched.store)).await;
        watched.assert_outside_a_transaction(&what).await;
        let there = watched.state().await;
        assert!([&before, &after].contains(&&there), "{what}: half of it is there: {there:#?}");
        off(&watched.store).await;
        watched.settles(&[], &after, &what).await;
        watched.assert_outside_a_transaction(&what).await;
        watched.assert_sees_others(&what).await;
        watched.store.close().await;
        ended
    })
    .await;
}

/// MySQL commits each statement that creates a table by itself: what was begun there is completed by
/// migrating again.
pub async fn a_dropped_migration_is_done_wholly_or_not_at_all(place: &Place) {
    let fixture = Fixture::new(place).await;
    Cut::everywhere(async |cut| {
        for table in [
            "schema",
            "tenants",
            "endpoints",
            "events",
            "deliveries",
            "ordered_endpoints",
            "ordered_deliveries",
            "attempts",
            "notices",
            "counters",
        ] {
            place.sql(&format!("DROP TABLE webhook_{table}")).await;
        }
        let watched = fixture.0.with(narrow(place).await);
        let what = format!("migrate, {cut:?}");
        let ended = cut.short(watched.store.migrate()).await;
        watched.assert_outside_a_transaction(&what).await;
        let there = watched.other.schema_status().await.unwrap();
        let fits = matches!(there, SchemaStatus::Missing | SchemaStatus::Current)
            || place.is("mysql") && there == SchemaStatus::Older(0);
        assert!(fits, "{what}: half of it is there: {there:?}");
        watched.store.migrate().await.unwrap();
        assert_eq!(watched.other.schema_status().await.unwrap(), SchemaStatus::Current, "{what}");
        watched.assert_outside_a_transaction(&what).await;
        watched.assert_sees_others(&what).await;
        watched.store.close().await;
        ended
    })
    .await;
}
