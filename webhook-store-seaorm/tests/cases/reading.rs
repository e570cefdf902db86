//! How much is read, on empty tables and on full ones: by what the server itself counts, pages on
//! PostgreSQL and rows on MySQL.

use std::{env, time::Duration};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use uuid::Uuid;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, DisabledReason, Endpoint, EndpointId,
    EndpointState, Event, EventId, Include, OrderPolicy, Outcome, Replay, TenantId, Timestamp,
    store::{
        ClaimDue, Cursor, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery, Enqueue,
        Enqueued, FanOut, Finish, Finished, Lease, LeaseEpoch, Maintenance as _, Redeliver,
        ReplayPage, Route, Settle, Store as _, TrackedDeliveries as _,
    },
};
use webhook_store_seaorm::SeaOrmStore;

use crate::common::{place::Place, port};

const MINUTE: Duration = Duration::from_secs(60);

/// What one call may read in tables of any size: some rows, and the way to each through an index.
const CALL: u64 = 500;

/// A store with one connection, and what is read through it.
struct Read<'a> {
    place: &'a Place,
    store: SeaOrmStore,
}

impl<'a> Read<'a> {
    async fn new(place: &'a Place) -> Self {
        let store = SeaOrmStore::builder(&place.url)
            .pool_size(1)
            .unit_limit(Duration::from_secs(600))
            .connect()
            .await
            .unwrap();
        store.migrate().await.unwrap();
        store.release(vec![]).await.unwrap();
        Self { place, store }
    }

    /// Rows or pages so far.
    async fn so_far(&self) -> u64 {
        let ours = self.store.connection();
        if self.place.is("mysql") {
            let sql = "SHOW SESSION STATUS LIKE 'Handler_read%'";
            let rows = Statement::from_string(DbBackend::MySql, sql);
            let rows = ours.query_all_raw(rows).await.unwrap();
            let values = rows.iter().map(|row| row.try_get_by_index::<String>(1).unwrap());
            return values.map(|value| value.parse::<u64>().unwrap()).sum();
        }
        // The server tells what a connection has read when that connection wants it to.
        for _ in 0..2 {
            ours.execute_unprepared("SELECT pg_stat_force_next_flush()").await.unwrap();
        }
        let sql = format!(
            "SELECT CAST(SUM(COALESCE(heap_blks_read, 0) + COALESCE(heap_blks_hit, 0) \
             + COALESCE(idx_blks_read, 0) + COALESCE(idx_blks_hit, 0)) AS BIGINT) \
             FROM pg_statio_all_tables WHERE schemaname = '{}'",
            self.place.name
        );
        let row = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.place.connect().await.query_one_raw(row).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap().try_into().unwrap()
    }

    /// What `call` answers, and how much it reads.
    async fn during<T>(&self, call: impl Future<Output = T>) -> (T, u64) {
        let before = self.so_far().await;
        let answer = call.await;
        (answer, self.so_far().await - before)
    }

    /// What `call` answers, after reading little.
    async fn little<T>(&self, what: &str, call: impl Future<Output = T>) -> T {
        let (answer, read) = self.during(call).await;
        assert!(read <= CALL, "{what} reads {read}");
        answer
    }
}

fn event(number: u128) -> Event {
    let id = EventId::from_uuid(Uuid::from_u128(number));
    let event = Event::new(id, "a.b".parse().unwrap(), Timestamp::default(), "{}");
    event.with_key(Some(format!("key-{number}").parse().unwrap()))
}

fn endpoint(number: u128) -> EndpointId {
    EndpointId::from_uuid(Uuid::from_u128(number))
}

/// Calls everything once; `round` keeps what it writes apart.
async fn walk(read: &Read<'_>, round: u128) {
    let store = &read.store;
    let (base, id) = (round * 1000, endpoint(round));
    let url = "https://a.example/";
    let added = Endpoint::new(id, url.parse().unwrap());
    read.little("add_endpoint", store.add_endpoint(added)).await.unwrap();
    let tenant = TenantId::default();
    let version = read.little("snapshot", port(store).snapshot(&tenant)).await.unwrap().version();
    let routed = [event(base + 1), event(base + 2)]
        .map(|event| Enqueue::routed(event, FanOut::pending(version, [id])));
    read.little("enqueue", store.enqueue(routed.into())).await.unwrap();
    store.enqueue(vec![Enqueue::unrouted(event(base + 3))]).await.unwrap();
    let unrouted = read.little("claim_unrouted", store.claim_unrouted(10, MINUTE)).await.unwrap();
    let route = Route::new(unrouted.events[0].id, version, vec![id]);
    read.little("route", store.route(vec![route])).await.unwrap();
    let claim = store.claim_due(ClaimDue::new(10, MINUTE));
    let claims = read.little("claim_due", claim).await.unwrap().claims;
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease).collect();
    read.little("release", store.release(vec![leases[0]])).await.unwrap();
    let attempt = Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown);
    let finish = |lease, settle| Finish::new(lease, vec![attempt.clone()], 1, settle);
    let finishes = vec![
        finish(leases[1], Settle::Success),
        finish(leases[2], Settle::Retry(MINUTE)).with_disabled_endpoint(Some(DisabledReason::Gone)),
    ];
    read.little("finish", store.finish(finishes)).await.unwrap();
    look_up(read, leases[1].delivery).await;
    let cancel = store.cancel(vec![leases[0].delivery]);
    read.little("cancel", cancel).await.unwrap();
    let again = leases.iter().map(|lease| Redeliver::new(lease.delivery));
    read.little("redeliver", store.redeliver(again.collect())).await.unwrap();
    let page = || ReplayPage::first(Replay::new(id, Include::All)).limit(5);
    let mut more = page();
    more.cursor.after = Some((Timestamp::default(), EventId::from_uuid(Uuid::nil())));
    read.little("replay", store.replay(page())).await.unwrap();
    read.little("replay, further on", store.replay(more.clone())).await.unwrap();
    read.little("replay in a dry run", store.replay(more.dry_run())).await.unwrap();
    deliver(read, base).await;
    order(read, base).await;
    track(read, base + 9).await;
    read.little("remove_endpoint", store.remove_endpoint(&tenant, id)).await.unwrap();
}

/// What nearly always happens: new events, each of which is delivered at its first attempt.
async fn deliver(read: &Read<'_>, base: u128) {
    let (store, id, tenant) = (&read.store, endpoint(base + 60), TenantId::default());
    let url = "https://a.example/".parse().unwrap();
    store.add_endpoint(Endpoint::new(id, url)).await.unwrap();
    let version = port(store).snapshot(&tenant).await.unwrap().version();
    let events: Vec<_> = (base + 61..base + 71).map(|it| event(it).with_key(None)).collect();
    let ids: Vec<_> = events.iter().map(|event| DeliveryId::new(event.id, id)).collect();
    let leased = |event| {
        let mut fan_out = FanOut::pending(version, [id]);
        fan_out.deliveries.iter_mut().for_each(|new| new.lease = Some(MINUTE));
        Enqueue::routed(event, fan_out)
    };
    let enqueue = store.enqueue(events.into_iter().map(leased).collect());
    let stored = read.little("enqueue, leased", enqueue).await.unwrap();
    assert_eq!(stored, [Enqueued::Routed(1); 10]);
    let mut attempt = Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown);
    (attempt.status, attempt.failure) = (Some(200), None);
    let done = |delivery| {
        let lease = Lease { delivery, epoch: LeaseEpoch::default().next() };
        Finish::new(lease, vec![attempt.clone()], 1, Settle::Success)
    };
    let finish = store.finish(ids.into_iter().map(done).collect());
    let finished = read.little("finish, all delivered", finish).await.unwrap();
    assert_eq!(finished, [Finished::Recorded; 10]);
}

/// Events that go one after the other.
async fn order(read: &Read<'_>, base: u128) {
    let (store, id, tenant) = (&read.store, endpoint(base + 50), TenantId::default());
    let added = Endpoint::new(id, "https://a.example/".parse().unwrap());
    store.add_endpoint(added.with_order(Some(OrderPolicy::Block))).await.unwrap();
    let version = port(store).snapshot(&tenant).await.unwrap().version();
    let ordered = |number| event(base + number).with_ordering_key("order-17".parse().ok());
    let unrouted = store.enqueue(vec![Enqueue::unrouted(ordered(51))]);
    read.little("enqueue unrouted", unrouted).await.unwrap();
    let claimed = read.little("claim_unrouted", store.claim_unrouted(10, MINUTE)).await.unwrap();
    let route = Route::new(claimed.events[0].id, version, vec![id]);
    read.little("route in order", store.route(vec![route])).await.unwrap();
    let batch = [52, 53].map(|it| Enqueue::routed(ordered(it), FanOut::pending(version, [id])));
    read.little("enqueue in order", store.enqueue(batch.into())).await.unwrap();
    let claims = store.claim_due(ClaimDue::new(10, MINUTE)).await.unwrap().claims;
    let claim = claims.iter().find(|claim| claim.lease.delivery.endpoint == id).unwrap();
    let finish = Finish::new(claim.lease, vec![], 1, Settle::Success).with_ordered(true);
    read.little("finish in order", store.finish(vec![finish])).await.unwrap();
    let next = DeliveryId::new(ordered(52).id, id);
    read.little("first_in_line", store.first_in_line(next)).await.unwrap();
    read.little("skip", store.skip(vec![next])).await.unwrap();
    read.little("cancel in order", store.cancel(vec![next])).await.unwrap();
    let again = vec![Redeliver::new(claim.lease.delivery)];
    read.little("redeliver in order", store.redeliver(again)).await.unwrap();
    let stored = store.endpoints(&[id]).await.unwrap().remove(0).unwrap().unwrap();
    read.little("no order", store.update_endpoint(stored.with_order(None))).await.unwrap();
    store.remove_endpoint(&tenant, id).await.unwrap();
}

async fn look_up(read: &Read<'_>, id: DeliveryId) {
    let store = &read.store;
    read.little("backlog", store.backlog()).await.unwrap();
    read.little("endpoints", store.endpoints(&[id.endpoint])).await.unwrap();
    read.little("event", store.event(id.event)).await.unwrap();
    let delivery = read.little("delivery", store.delivery(id)).await.unwrap().unwrap();
    read.little("attempts", store.attempts(id)).await.unwrap();
    let all = DeliveryQuery::new;
    for query in [
        all(),
        all().tenant(TenantId::default()),
        all().event(id.event),
        all().endpoint(id.endpoint),
        all().status(DeliveryStatus::Success),
        all().tenant(TenantId::default()).status(DeliveryStatus::Success),
    ] {
        let query = query.limit(10);
        // From the newest, from the middle, and from behind all of them.
        let mut middle = Cursor::after(&delivery);
        middle.created_at = Timestamp::from_unix_millis(10_000);
        let mut old = middle;
        old.created_at = Timestamp::from_unix_millis(3);
        let what = format!("{query:?}");
        read.little(&what, store.deliveries(query.clone())).await.unwrap();
        for cursor in [Cursor::after(&delivery), middle, old] {
            read.little(&what, store.deliveries(query.clone().after(cursor))).await.unwrap();
        }
    }
}

async fn track(read: &Read<'_>, number: u128) {
    let event = event(number);
    let id = DeliveryId::new(event.id, endpoint(number));
    let url = "https://a.example/".parse().unwrap();
    let now = Timestamp::default();
    let delivery = Delivery::new(id, event.tenant.clone(), event.event_type.clone(), url, now);
    let open = read.store.open_tracked(&event, delivery);
    read.little("open_tracked", open).await.unwrap();
    let attempt = Attempt::record(1, now, Duration::ZERO, &Outcome::Unknown);
    let record = read.store.record_tracked(id, attempt, DeliveryStatus::Success);
    read.little("record_tracked", record).await.unwrap();
}

/// As many rows as wanted, numbered, in everybody's SQL.
fn numbers(rows: u64) -> String {
    let digits = (0..10).map(|digit| format!("SELECT {digit} AS n")).collect::<Vec<_>>();
    let digits = digits.join(" UNION ALL ");
    let places = rows.to_string().len();
    let from = (0..places).map(|place| format!("({digits}) AS d{place}"));
    let sum = (0..places).map(|place| format!("d{place}.n * {}", 10u64.pow(place as u32)));
    format!(
        "(SELECT * FROM (SELECT {} AS n FROM {}) AS all_of_them WHERE n < {rows}) AS numbers",
        sum.collect::<Vec<_>>().join(" + "),
        from.collect::<Vec<_>>().join(" CROSS JOIN ")
    )
}

/// Events with one delivery each, of an endpoint, in a status; open ones are due in their order.
async fn fill(place: &Place, number: u128, status: &str, rows: u64) {
    let (id, endpoint) = if place.is("mysql") {
        (format!("UNHEX(MD5(n + {number}000000000))"), format!("UNHEX('{number:032x}')"))
    } else {
        let id = format!("CAST(MD5(CAST(n + {number}000000000 AS TEXT)) AS UUID)");
        (id, format!("CAST('{}' AS UUID)", Uuid::from_u128(number)))
    };
    let (due_at, numbers) = (if status == "pending" { "n" } else { "NULL" }, numbers(rows));
    place
        .sql(&format!(
            "INSERT INTO webhook_events (id, tenant, event_type, occurred_at, content_type, body, \
             created_at, route_due_at) SELECT {id}, 'default', 'a.b', n, 'a/b', '', n, NULL FROM {numbers}"
        ))
        .await;
    place
        .sql(&format!(
            "INSERT INTO webhook_deliveries (event_id, endpoint_id, tenant, event_type, status, \
             epoch, attempts, due_at, created_at) SELECT {id}, {endpoint}, 'default', 'a.b', \
             '{status}', 1, 1, {due_at}, n FROM {numbers}"
        ))
        .await;
}

/// A number of rows for a long run, or the usual one.
fn rows(variable: &str, usual: u64) -> u64 {
    env::var(variable).map_or(usual, |rows| rows.parse().unwrap())
}

/// On the same connection first on empty tables, where any plan is a good one, and then on full
/// ones.
pub async fn every_call_reads_little_on_empty_tables_and_on_full_ones(place: &Place) {
    let read = Read::new(place).await;
    for round in 1..8 {
        walk(&read, round).await;
    }
    let finished = rows("WEBHOOK_TEST_FINISHED", 20_000);
    // Nobody has told the planner, nor will in the long run, how many have become how many.
    let others = Endpoint::new(endpoint(500), "https://b.example/".parse().unwrap());
    read.store.add_endpoint(others).await.unwrap();
    fill(place, 500, "success", finished).await;
    walk(&read, 10).await;
    for table in ["deliveries", "events", "attempts"] {
        let analyze = if place.is("mysql") { "ANALYZE TABLE" } else { "ANALYZE" };
        place.sql(&format!("{analyze} webhook_{table}")).await;
    }
    walk(&read, 11).await;
}

/// One endpoint that is full and one that is paused have all the backlog, and come first.
pub async fn a_claim_reads_little_however_much_waits_in_front(place: &Place) {
    let read = Read::new(place).await;
    let (full, paused, healthy) = (endpoint(1), endpoint(2), 3..13);
    let url = "https://a.example/";
    for number in [1, 2].into_iter().chain(healthy.clone()) {
        let mut added = Endpoint::new(endpoint(number), url.parse().unwrap());
        if added.id == paused {
            added = added.with_state(EndpointState::Paused);
        }
        read.store.add_endpoint(added).await.unwrap();
    }
    let most = 20;
    let waiting = rows("WEBHOOK_TEST_BACKLOG", 100_000);
    fill(place, 1, "pending", waiting).await;
    fill(place, 2, "pending", waiting / 10).await;
    fill(place, 3, "success", rows("WEBHOOK_TEST_FINISHED", 20_000)).await;
    let version = port(&read.store).snapshot(&TenantId::default()).await.unwrap().version();
    for round in 1..4u128 {
        let batch = healthy.clone().cycle().take(100).zip(0u128..).map(|(number, nth)| {
            let event = event(round << 64 | nth);
            Enqueue::routed(event, FanOut::pending(version, [endpoint(number)]))
        });
        read.store.enqueue(batch.collect()).await.unwrap();
        let mut ask = ClaimDue::new(100, MINUTE);
        ask.in_flight.insert(full, u32::MAX);
        let (claimed, read) = read.during(read.store.claim_due(ask)).await;
        assert_eq!(claimed.unwrap().claims.len(), 100);
        assert!(read <= most * 100, "{read} for 100 claims");
        eprintln!("{read} for 100 claims behind {waiting} of others");
    }
}
