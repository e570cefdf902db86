//! Deliver events to other people's servers, and keep at it: signed ([Standard
//! Webhooks](https://www.standardwebhooks.com)), retried over days, stored in the database you
//! already have.
//!
//! This crate puts the others together and is the one to add. By itself it knows only
//! `webhook-core`; adapters come with features:
//!
//! | feature | brings | default |
//! |---|---|---|
//! | `http` | `HttpTransport` (hyper and rustls), `RingSigner` and `RingVault` | yes |
//! | `check` | `HttpTransport::check`: would a request get there? | no |
//! | `webpki-roots` | root certificates compiled in, for containers without any | no |
//! | `sqlite` | `SeaOrmStore` on SQLite | no |
//! | `postgres`, `mysql` | `SeaOrmStore` on PostgreSQL, on MySQL or MariaDB | no |
//! | `sqlx` | `SeaOrmStore::publish_in` for transactions of sqlx, besides those of SeaORM | no |
//! | `receiver` | `Receiver`, a small server for development | no |
//!
//! Any other implementation of a port can take their place: see
//! [`Transport`](transport::Transport), [`Signer`](signing::Signer), [`Clock`], [`Ids`] and
//! [`Store`](store::Store).
//!
//! # Dropping a call
//!
//! The future of each call is `Send`, and may be dropped at any await.
//!
//! | call | after its future was dropped |
//! |---|---|
//! | `publish`, `publish_many`, `publish_json` | the events are stored or not; publish them again under the same id or key |
//! | `add_endpoint`, edits of an endpoint | stored whole or not at all; read the endpoint |
//! | removal of an endpoint | hidden or not; a second call completes it |
//! | `redeliver`, `cancel`, `skip`, `prune`, replay | each page is done whole or not at all; repeat the call |
//! | `send`, `Publisher::publish` | an attempt in flight may arrive; a tracked record shows those that ended |
//! | `run`, `run_until_idle` | attempts in flight are recorded as unknown after their leases; let it end by its shutdown |
//! | reads | nothing changes |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
pub mod engine;
pub mod error;
mod ids;
mod mode;
mod new_endpoint;
mod notices;
mod operator;
mod publish;
mod registry;
mod replay;
mod settings;
mod tenant;
mod webhooks;
mod webhooks_builder;
mod worker;

pub use crate::{
    clock::SystemClock,
    ids::UuidV7,
    mode::Mode,
    new_endpoint::{NewEndpoint, TextOr},
    notices::Notices,
    operator::{Operator, RedeliveredPage, Rotation},
    publish::{Deliveries, Published},
    registry::Registry,
    replay::Replaying,
    settings::{Settings, SettingsBuilder},
    tenant::{Tenant, TenantEndpoints},
    webhooks::{Registered, Webhooks},
    webhooks_builder::WebhooksBuilder,
};
#[doc(no_inline)]
pub use webhook_core::{
    Attempt, ClientIdentity, Clock, ContentType, CustomHeaders, Delivery, DeliveryId,
    DeliveryStatus, Description, DisabledReason, Dispatcher, DispatcherConfig, Endpoint,
    EndpointId, EndpointState, EndpointStats, EndpointTls, EndpointUrl, Event, EventFilter,
    EventId, EventKey, EventType, ExternalId, Failure, FailureKind, Health, HealthPolicy, Ids,
    Include, Metadata, NewEvent, Notice, NoticeId, NoticeKind, OrderPolicy, OrderingKey, Outcome,
    Profile, Publisher, RateLimit, Replay, Report, RetryPolicy, Revision, Secret, SendError, Sent,
    Signing, SigningKey, StoreError, StoreErrorKind, TenantId, Timeout, Timestamp, Trigger,
    WorkerName,
};

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub mod database {
    //! The store in SQLite, PostgreSQL, MySQL or MariaDB.

    #[doc(no_inline)]
    pub use webhook_store_seaorm::{
        CallersTransaction, DatabaseKind, LAST_STEP, Resealed, SchemaStatus, SeaOrmStore,
        SeaOrmStoreBuilder, SealStatus, TableNames, grants_sql, migration_sql, sea_orm,
    };
}

pub mod transport {
    //! Transports: the port, and the one on hyper and rustls.

    #[doc(no_inline)]
    pub use webhook_core::transport::{
        Hops, Phase, Request, Response, TlsFailure, Transport, TransportError, TransportErrorKind,
        WEBHOOK_HOPS, X_EVENT_TYPE, X_TIMESTAMP, compose,
    };
    #[cfg(feature = "http")]
    #[doc(no_inline)]
    pub use webhook_http::{
        AddressPolicy, HostPattern, HttpTransport, HttpTransportBuilder, IpNet, Nat64Prefix, Proxy,
        TlsVersion,
    };
    #[cfg(feature = "check")]
    #[doc(no_inline)]
    pub use webhook_http::{
        CheckedAddress, CheckedCertificate, CheckedStep, EndpointCheck, StepResult,
    };
    #[cfg(feature = "receiver")]
    #[doc(no_inline)]
    pub use webhook_http::{ReceivedRequest, Receiver, ReceiverResponse};
}

pub mod signing {
    //! Signers, vaults, signatures, and their verification.

    #[doc(no_inline)]
    pub use webhook_core::signing::{
        Message, Signer, SignerError, Verifier, VerifyError, WEBHOOK_ID, WEBHOOK_SIGNATURE,
        WEBHOOK_TIMESTAMP, X_SIGNATURE, X_SIGNATURE_256, body_signature, standard_signature,
        verify_body_signature,
    };
    #[cfg(feature = "http")]
    #[doc(no_inline)]
    pub use webhook_http::{RingSigner, RingVault, VaultKey, verify, verify_signature};
}

pub mod store {
    //! The store port and its records, for those who implement a store or read one.

    #[doc(no_inline)]
    pub use webhook_core::store::{
        AttemptDurations, Backlog, Cancelled, Capabilities, Capability, Claim, ClaimCursor,
        ClaimDue, Claimed, ClaimedUnrouted, Cursor, DeliveryLog, DeliveryOperations, DeliveryQuery,
        EndpointDirectory, Enqueue, Enqueued, FailingEndpoint, FanOut, Finish, Finished, Lease,
        LeaseEpoch, Maintenance, NewDelivery, NoticeQueue, Page, Progress, Prune, PruneCursor,
        Pruned, RateUsed, Redeliver, Redelivered, ReplayCandidate, ReplayCursor, ReplayPage,
        ReplayState, Replayed, Route, Routed, RoutingEntry, RoutingUpdate, SEALED, SecretVault,
        Settle, Skipped, Snapshot, Store, StoreStatus, TenantLimits, TenantVersion,
        TrackedDeliveries, UnroutedEvent, Updated, VaultError, VaultErrorKind, WorkSignal,
        whole_millis,
    };
}

pub mod policy {
    //! Decisions of the engine, as functions of their arguments.

    #[doc(no_inline)]
    pub use webhook_core::policy::{
        Allowance, ByteBudget, Condition, Decision, FailReason, HealthChange, HealthSignal, Plan,
        PlannedAttempt, Shares, Verdict, classify, decide, fan_out, health_signal, retry_after,
    };
}

pub mod explain {
    //! Explains why a delivery is in its state, and when its next attempt is due.

    #[doc(no_inline)]
    pub use webhook_core::explain::{
        ExplainedAttempt, Explanation, NextAttempt, PolicyWait, Standing, TenantExplanation,
        WaitRule, Wanted, explain, explain_to_tenant,
    };
}

pub mod view {
    //! Views: values as they may be shown to a tenant, without secrets, and durations as text.

    #[doc(no_inline)]
    pub use webhook_core::view::{
        AttemptView, DeliveryView, EndpointView, EventView, format_duration, parse_duration,
    };
}

/// Decisions about stored deliveries, for implementers of [`Store`](crate::store::Store).
pub mod store_state {
    #[doc(no_inline)]
    pub use webhook_core::store_state::{
        DeliveryChange, DeliveryState, EndpointChange, Intake, OrderQueue, Transition,
        UnroutedEntry, claim_unrouted_first, edited_endpoint, endpoint_change, enqueued_again,
        intake, leaves_queue,
    };
}

pub mod store_record {
    //! Records of stored values, for implementers of [`Store`](crate::store::Store).

    #[doc(no_inline)]
    pub use webhook_core::store_record::{
        AttemptRecord, DeliveryRecord, EndpointRecord, EventRecord, RecordError, record_from_json,
    };
}

/// An error and its cause, each said once.
fn text_of(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Compiles the example of the package's README.
#[cfg(all(doctest, feature = "http", feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct PackageReadme;

/// Compiles the examples of the workspace's README, which is no part of the package.
#[cfg(all(doctest, feature = "http", feature = "sqlite"))]
#[doc = include_str!("../../README.md")]
struct WorkspaceReadme;
