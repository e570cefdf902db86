//! A [mockall](https://docs.rs/mockall) mock of every port, for those who prefer expectations to
//! fakes.
//!
//! ```
//! use webhook_core::{Clock, Timestamp};
//! use webhook_testkit::mock::MockClock;
//!
//! let mut clock = MockClock::new();
//! clock.expect_now().return_const(Timestamp::from_unix_secs(7));
//! assert_eq!(clock.now(), Timestamp::from_unix_secs(7));
//! ```

#![allow(missing_docs, reason = "generated; the ports themselves are documented")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mockall::mock;
use uuid::Uuid;
use webhook_core::{
    Attempt, Backlog, Cancelled, ClaimDue, Claimed, ClaimedUnrouted, Clock, Delivery, DeliveryId,
    DeliveryLog, DeliveryQuery, DeliveryStatus, DeliveryStore, Endpoint, EndpointId, EndpointStats,
    EndpointStore, EndpointTls, EndpointUrl, Enqueue, Enqueued, Event, EventId, Finish, Finished,
    Ids, Lease, Maintenance, Notice, NoticeId, Page, Prune, Pruned, Redeliver, Redelivered,
    ReplayPage, Replayed, Request, Response, Route, Routed, SecretVault, Signer, SignerError,
    Skipped, Snapshot, StoreError, StoreStatus, TenantId, Timestamp, Transport, TransportError,
    Updated, VaultError,
};
use zeroize::Zeroizing;

mock! {
    /// A mock of [`Transport`].
    #[derive(Debug)]
    pub Transport {}

    #[async_trait]
    impl Transport for Transport {
        async fn send(&self, request: Request) -> Result<Response, TransportError>;
        fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError>;
        fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError>;
    }
}

mock! {
    /// A mock of [`Signer`].
    #[derive(Debug)]
    pub Signer {}

    impl Signer for Signer {
        fn hmac_sha256<'a>(&self, key: &[u8], content: &[&'a [u8]]) -> Result<[u8; 32], SignerError>;
        fn verify_hmac_sha256<'a>(&self, key: &[u8], content: &[&'a [u8]], tag: &[u8]) -> bool;
        fn fill_random(&self, bytes: &mut [u8]) -> Result<(), SignerError>;
    }
}

mock! {
    /// A mock of [`SecretVault`].
    #[derive(Debug)]
    pub SecretVault {}

    impl SecretVault for SecretVault {
        fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError>;
        fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError>;
        fn is_current(&self, sealed: &str) -> bool;
    }
}

mock! {
    /// A mock of [`Clock`].
    #[derive(Debug)]
    pub Clock {}

    #[async_trait]
    impl Clock for Clock {
        fn now(&self) -> Timestamp;
        fn monotonic(&self) -> Duration;
        async fn sleep(&self, wait: Duration);
    }
}

mock! {
    /// A mock of [`Ids`].
    #[derive(Debug)]
    pub Ids {}

    impl Ids for Ids {
        fn next_id(&self) -> Uuid;
    }
}

mock! {
    /// A mock of [`DeliveryStore`].
    #[derive(Debug)]
    pub DeliveryStore {}

    #[async_trait]
    impl DeliveryStore for DeliveryStore {
        async fn enqueue(&self, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError>;
        async fn claim_unrouted(&self, limit: usize, lease: Duration) -> Result<ClaimedUnrouted, StoreError>;
        async fn route(&self, batch: Vec<Route>) -> Result<Vec<Routed>, StoreError>;
        async fn claim_due(&self, claim: ClaimDue) -> Result<Claimed, StoreError>;
        async fn finish(&self, batch: Vec<Finish>) -> Result<Vec<Finished>, StoreError>;
        async fn release(&self, batch: Vec<Lease>) -> Result<Vec<Finished>, StoreError>;
        async fn backlog(&self) -> Result<Backlog, StoreError>;
    }
}

mock! {
    /// A mock of [`EndpointStore`].
    #[derive(Debug)]
    pub EndpointStore {}

    #[async_trait]
    impl EndpointStore for EndpointStore {
        async fn add_endpoint(&self, endpoint: Endpoint) -> Result<(), StoreError>;
        async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Updated, StoreError>;
        async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Result<bool, StoreError>;
        async fn endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Endpoint>, StoreError>;
        async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, StoreError>;
        async fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;
    }
}

mock! {
    /// A mock of [`DeliveryLog`].
    #[derive(Debug)]
    pub DeliveryLog {}

    #[async_trait]
    impl DeliveryLog for DeliveryLog {
        async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError>;
        async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
        async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError>;
        async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError>;
        async fn endpoint_stats(&self, endpoint: EndpointId, window: Duration) -> Result<EndpointStats, StoreError>;

        async fn first_in_line(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;
        async fn open_tracked(&self, event: &Event, delivery: Delivery) -> Result<u32, StoreError>;
        async fn record_tracked(&self, id: DeliveryId, attempt: Attempt, status: DeliveryStatus) -> Result<(), StoreError>;
    }
}

mock! {
    /// A mock of [`Maintenance`].
    #[derive(Debug)]
    pub Maintenance {}

    #[async_trait]
    impl Maintenance for Maintenance {
        async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError>;
        async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError>;
        async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError>;
        async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError>;
        async fn status(&self) -> Result<StoreStatus, StoreError>;
        async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError>;
        async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError>;
        async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError>;
    }
}
