//! The tables and their indexes.
//!
//! Times are integer milliseconds of Unix time. An open delivery, one that a worker may still have to
//! do with, is one whose `due_at` is not NULL: when it is due while pending, when its lease ends
//! while in flight. Finished and tracked ones have none, and so are in no index that a claim reads,
//! however many millions there are.
//!
//! The events table has a default for everything but id, type and body: other programs publish by a
//! plain `INSERT` of these three, and an event is unrouted and due unless its row says otherwise.
//!
//! The log reads three more indexes of deliveries, each with the status in the middle. A listing of
//! every status asks for each by itself: six short reads, instead of an index more to write.
//!
//! What waits for its turn in a line is open and due at the largest number there is; `order` says why.
//!
//! A claim changes a row, and PostgreSQL writes a changed row anew to every index it is in. Where an
//! index can be of some rows alone, those of the log are kept out of the way: what is in flight is in
//! a small one of its own, and what is open is listed by endpoint only.

/// The bookkeeping: which steps were taken, and when.
pub(super) const SCHEMA_TABLE: &str =
    "CREATE TABLE {schema} (version {int} NOT NULL PRIMARY KEY, applied_at {int} NOT NULL){table}";

/// The steps, each a list of statements. A step that was released never changes.
pub(super) const STEPS: [&[&str]; 1] = [&[
    "CREATE TABLE {tenants} (
        id {name} NOT NULL PRIMARY KEY,
        version {int} NOT NULL,
        restricted_until {int} NOT NULL DEFAULT 0
    ){table}",
    "CREATE TABLE {endpoints} (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant {name} NOT NULL,
        url {text} NOT NULL,
        filters {text} NOT NULL,
        signing_keys {text} NOT NULL,
        profiles {text} NOT NULL,
        headers {text} NOT NULL,
        client_tls {text},
        timeout_ms {int} NOT NULL,
        retry {text} NOT NULL,
        max_in_flight {int} NOT NULL,
        rate {name},
        order_policy {name},
        description {text},
        external_id {name},
        metadata {text} NOT NULL,
        state {name} NOT NULL,
        revision {int} NOT NULL,
        created_at {int} NOT NULL,
        removed_at {int},
        health {text},
        cools_down_until {int},
        rate_used {int} NOT NULL DEFAULT 0
    ){table}",
    "CREATE INDEX {bare endpoints_tenant} ON {endpoints} (tenant, created_at, id)",
    "CREATE TABLE {events} (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant {name} NOT NULL DEFAULT 'default',
        event_type {name} NOT NULL,
        occurred_at {int} NOT NULL DEFAULT {at_insert},
        content_type {name} NOT NULL DEFAULT 'application/json',
        body {bytes} NOT NULL,
        event_key {name},
        ordering_key {name},
        hops {int} NOT NULL DEFAULT 0,
        created_at {int} NOT NULL DEFAULT {at_insert},
        route_due_at {int} DEFAULT {at_insert}{unrouted_column}
    ){table}",
    "CREATE UNIQUE INDEX {bare events_key} ON {events} (tenant, event_key){where_keyed}",
    "CREATE INDEX {bare events_routed} ON {events} (created_at, id){where_routed}",
    "CREATE INDEX {bare events_unrouted} ON {events} (route_due_at, id){where_unrouted}",
    "CREATE INDEX {bare events_ordered} ON {events} ({unrouted_key}, tenant, created_at, id){where_unrouted_ordered}",
    "CREATE TABLE {deliveries} (
        event_id {uuid} NOT NULL,
        endpoint_id {uuid} NOT NULL,
        tenant {name} NOT NULL,
        event_type {name} NOT NULL,
        url {text},
        status {name} NOT NULL,
        epoch {int} NOT NULL,
        attempts {int} NOT NULL,
        recorded {int} NOT NULL DEFAULT 0,
        budget_from {int} NOT NULL DEFAULT 0,
        forgiven {int} NOT NULL DEFAULT 0,
        cause {name} NOT NULL DEFAULT 'first',
        due_at {int},
        claimed_at {int},
        claimed_before {int},
        claimed_by {name},
        last_error {text},
        created_at {int} NOT NULL,
        finished_at {int},
        {open_column}
        PRIMARY KEY (event_id, endpoint_id)
    ){clustered}",
    "CREATE INDEX {bare deliveries_open} ON {deliveries} ({open_endpoint}, due_at, event_id, status){where_open}",
    "CREATE INDEX {bare deliveries_status} ON {deliveries} (status, created_at, event_id, endpoint_id){where_not_open}",
    "CREATE INDEX {bare deliveries_tenant} ON {deliveries} (tenant, status, created_at, event_id, endpoint_id){where_not_open}",
    "CREATE INDEX {bare deliveries_endpoint} ON {deliveries} (endpoint_id, status, created_at, event_id){where_not_in_flight}",
    "{in_flight_index}",
    "CREATE TABLE {ordered_endpoints} (endpoint_id {uuid} NOT NULL PRIMARY KEY){table}",
    "CREATE TABLE {ordered_deliveries} (
        endpoint_id {uuid} NOT NULL,
        ordering_key {name} NOT NULL,
        seq {int} NOT NULL,
        event_id {uuid} NOT NULL,
        PRIMARY KEY (endpoint_id, ordering_key, seq)
    ){table}",
    "CREATE UNIQUE INDEX {bare ordered_deliveries_delivery} ON {ordered_deliveries} (event_id, endpoint_id)",
    "CREATE TABLE {attempts} (
        event_id {uuid} NOT NULL,
        endpoint_id {uuid} NOT NULL,
        number {int} NOT NULL,
        triggered_by {name} NOT NULL DEFAULT 'retry',
        epoch {int} NOT NULL,
        started_at {int} NOT NULL,
        duration_ms {int} NOT NULL,
        status {int},
        failure_kind {name},
        failure_text {text},
        response_body {bytes} NOT NULL,
        PRIMARY KEY (event_id, endpoint_id, number)
    ){table}",
    "CREATE TABLE {notices} (
        id {name} NOT NULL PRIMARY KEY,
        noticed_at {int} NOT NULL,
        tenant {name} NOT NULL,
        endpoint_id {uuid} NOT NULL,
        kind {text} NOT NULL
    ){table}",
    "CREATE INDEX {bare notices_at} ON {notices} (noticed_at, id)",
    "CREATE TABLE {counters} (
        name {name} NOT NULL PRIMARY KEY,
        value {int} NOT NULL
    ){table}",
]];
