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
//! Any other implementation of a port serves as well: see [`Transport`], [`Signer`], [`Clock`],
//! [`Ids`] and [`Store`].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod engine;
mod error;
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
    error::{BuildError, EndpointError, PublishError, Taken, TestError},
    ids::UuidV7,
    mode::{InvalidMode, Mode},
    new_endpoint::{InvalidEndpoint, NewEndpoint, TextOr},
    notices::Notices,
    operator::{Operator, RedeliveredPage, Rotation},
    publish::{Deliveries, Published},
    registry::Registry,
    replay::Replaying,
    settings::{InvalidSetting, Settings, SettingsBuilder},
    tenant::{Tenant, TenantEndpoints},
    webhooks::{Registered, Webhooks},
    webhooks_builder::WebhooksBuilder,
};
#[doc(no_inline)]
pub use webhook_core::{
    Allowance, Attempt, AttemptDurations, AttemptView, Backlog, ByteBudget, Cancelled,
    Capabilities, Capability, Claim, ClaimCursor, ClaimDue, Claimed, ClaimedUnrouted,
    ClientIdentity, Clock, Condition, ContentType, Cursor, CustomHeaders, Decision, Delivery,
    DeliveryId, DeliveryLog, DeliveryOperations, DeliveryQuery, DeliveryStatus, DeliveryView,
    Description, DisabledReason, Dispatcher, DispatcherConfig, Endpoint, EndpointDirectory,
    EndpointId, EndpointState, EndpointStats, EndpointTls, EndpointUrl, EndpointView, Enqueue,
    Enqueued, Event, EventFilter, EventId, EventKey, EventPublisher, EventType, EventView,
    ExplainedAttempt, Explanation, ExternalId, FailReason, FailingEndpoint, Failure, FailureKind,
    FanOut, Finish, Finished, Health, HealthChange, HealthPolicy, HealthSignal, Hops, Ids, Include,
    InvalidContentType, InvalidCursor, InvalidDeliveryStatus, InvalidDescription,
    InvalidDispatcherConfig, InvalidDuration, InvalidEndpointState, InvalidEvent,
    InvalidEventFilter, InvalidEventKey, InvalidEventType, InvalidExternalId, InvalidHeader,
    InvalidId, InvalidInclude, InvalidMetadata, InvalidOrderPolicy, InvalidOrderingKey,
    InvalidRateLimit, InvalidReplayState, InvalidRetryPolicy, InvalidSecret, InvalidSigning,
    InvalidTimeout, InvalidTls, InvalidUrl, InvalidWorkerName, Lease, LeaseEpoch, Maintenance,
    Message, Metadata, NewDelivery, NewEvent, NextAttempt, Notice, NoticeId, NoticeKind,
    NoticeQueue, OrderPolicy, OrderingKey, Outcome, Page, Phase, Plan, PlannedAttempt, PolicyWait,
    Ports, Profile, Progress, Prune, PruneCursor, Pruned, Publisher, RateLimit, RateUsed,
    Redeliver, Redelivered, Replay, ReplayCandidate, ReplayCursor, ReplayPage, ReplayState,
    Replayed, Report, Request, Response, RetryPolicy, Revision, Route, Routed, RoutingEntry,
    RoutingUpdate, SEALED, Secret, SecretVault, SendError, Sent, Settle, Shares, Signer,
    SignerError, Signing, SigningKey, Skipped, Snapshot, Standing, Store, StoreError,
    StoreErrorKind, StoreStatus, TenantExplanation, TenantId, TenantLimits, TenantVersion, Timeout,
    Timestamp, TlsFailure, TrackedDeliveries, Transport, TransportError, TransportErrorKind,
    Trigger, UnroutedEvent, Updated, VaultError, VaultErrorKind, Verdict, Verifier, VerifyError,
    WEBHOOK_HOPS, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, WaitRule, Wake, Wanted,
    WorkSignal, WorkerName, X_EVENT_TYPE, X_SIGNATURE, X_SIGNATURE_256, X_TIMESTAMP,
    body_signature, classify, compose, decide, explain, explain_to_tenant, fan_out,
    format_duration, health_signal, parse_duration, retry_after, standard_signature, until_idle,
    verify_body_signature, whole_millis,
};
#[cfg(feature = "http")]
#[doc(no_inline)]
pub use webhook_http::{
    AddressPolicy, HostPattern, HttpTransport, HttpTransportBuilder, InvalidHostPattern,
    InvalidNat64Prefix, InvalidProxy, InvalidVaultKey, IpNet, Nat64Prefix, Proxy, RingSigner,
    RingVault, TlsVersion, TransportBuildError, VaultKey, verify, verify_signature,
};
#[cfg(feature = "receiver")]
#[doc(no_inline)]
pub use webhook_http::{BindError, ReceivedRequest, Receiver, ReceiverResponse};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[doc(no_inline)]
pub use webhook_store_seaorm::{
    CallersTransaction, ConnectError, DatabaseKind, InvalidDatabaseKind, LAST_STEP, PublishInError,
    Resealed, SchemaStatus, SeaOrmStore, SeaOrmStoreBuilder, SealStatus, TableNames, grants_sql,
    migration_sql, sea_orm,
};

#[cfg(feature = "check")]
#[doc(no_inline)]
pub use webhook_http::{
    CheckedAddress, CheckedCertificate, CheckedStep, EndpointCheck, StepResult,
};

/// Decisions about stored deliveries, for implementers of [`Store`].
pub mod store_state {
    #[doc(no_inline)]
    pub use webhook_core::store_state::{
        DeliveryChange, DeliveryState, EndpointChange, Intake, OrderQueue, Transition,
        UnroutedEntry, claim_unrouted_first, edited_endpoint, endpoint_change, enqueued_again,
        intake, leaves_queue,
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
