//! Webhook delivery as pure decisions.
//!
//! This crate knows events, endpoints, deliveries and attempts, the meaning of an answer, and the
//! next step. It does no I/O, reads no clock, draws no random number and spawns no task: it reaches
//! the world through ports, [`Transport`](transport::Transport), [`Signer`](signing::Signer),
//! [`Clock`] (with [`Ids`]) and [`Store`](store::Store).
//!
//! A delivery goes through these steps, each in a module of its name:
//!
//! | step | where |
//! |---|---|
//! | select the endpoints of an event | [`fan_out()`](policy::fan_out()) |
//! | store event and deliveries in one transaction | [`Store::enqueue`](store::Store::enqueue) |
//! | claim due deliveries under a lease | [`Store::claim_due`](store::Store::claim_due) |
//! | publish: the steps above, and sending from memory | [`EventPublisher`](engine::EventPublisher) |
//! | build and sign the request | [`compose()`](transport::compose()) |
//! | send it | [`Transport::send`](transport::Transport::send) |
//! | classify the outcome | [`classify()`](policy::classify()) |
//! | decide about the delivery | [`decide()`](policy::decide()) |
//! | record attempt and decision | [`Store::finish`](store::Store::finish) |
//!
//! [`Dispatcher`] does this for stored deliveries, [`Publisher`] inside one call. Most programs use
//! both through the crate `webhook-registry`.
//!
//! | module | for |
//! |---|---|
//! | the root | programs that publish, deliver and manage endpoints |
//! | [`store`], [`transport`], [`signing`] | implementers of a port |
//! | [`store_state`] | the decisions of a store, as functions |
//! | [`store_record`] | the values of a store, serializable |
//! | [`engine`], [`policy`] | programs that compose the engine, or reuse its decisions |
//! | [`explain`], [`view`] | programs that show deliveries to people |
//! | [`error`] | errors of values that are parsed or built |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod engine;
mod model;
pub mod policy;
mod port;
mod read;
mod wire;

pub use crate::{
    engine::{
        dispatcher::{Dispatcher, DispatcherConfig, Report},
        send_now::{Publisher, SendError, Sent},
    },
    model::{
        attempt::{Attempt, Failure, FailureKind, Outcome},
        delivery::{Delivery, DeliveryStatus},
        endpoint::{Endpoint, Timeout},
        endpoint_state::{DisabledReason, EndpointState},
        event::{ContentType, Event, EventKey, EventType, NewEvent},
        filter::EventFilter,
        header::CustomHeaders,
        health::{Health, HealthPolicy},
        id::{DeliveryId, EndpointId, EventId, Revision, TenantId},
        metadata::{Description, ExternalId, Metadata},
        notice::{Notice, NoticeId, NoticeKind},
        order::OrderPolicy,
        ordering_key::OrderingKey,
        rate::RateLimit,
        replay::{Include, Replay},
        retry::RetryPolicy,
        secret::Secret,
        signing::{Profile, Signing, SigningKey},
        stats::EndpointStats,
        time::Timestamp,
        tls::{ClientIdentity, EndpointTls},
        trigger::Trigger,
        url::EndpointUrl,
        worker::WorkerName,
    },
    port::{Clock, Ids, StoreError, StoreErrorKind},
};

pub mod store {
    //! The store port, and its records.
    //!
    //! For those who implement a store: [`Store`] is the required part, the other traits are optional.

    pub use crate::{
        model::{
            delivery::{Lease, Progress},
            id::{LeaseEpoch, TenantVersion},
            rate::RateUsed,
            replay::{ReplayCandidate, ReplayCursor, ReplayState},
            routing::{RoutingEntry, Snapshot},
            stats::AttemptDurations,
            time::whole_millis,
        },
        port::{
            Capabilities, Capability, DeliveryLog, DeliveryOperations, EndpointDirectory,
            Maintenance, NoticeQueue, SEALED, SecretVault, Store, TrackedDeliveries, VaultError,
            VaultErrorKind, WorkSignal,
            store::{
                edit::Updated,
                intake::{
                    ClaimedUnrouted, Enqueue, Enqueued, FanOut, NewDelivery, Route, Routed,
                    UnroutedEvent,
                },
                maintenance::{FailingEndpoint, StoreStatus},
                operations::{Cancelled, Redeliver, Redelivered, Skipped},
                prune::{Prune, PruneCursor, Pruned},
                query::{Cursor, DeliveryQuery, Page},
                replay_page::{ReplayPage, Replayed},
                routing_update::RoutingUpdate,
                work::{
                    Backlog, Claim, ClaimCursor, ClaimDue, Claimed, Finish, Finished, Settle,
                    TenantLimits,
                },
            },
        },
    };
}

pub mod transport {
    //! The transport port, and requests and responses.
    //!
    //! For those who implement a transport, or build requests themselves.

    pub use crate::{
        model::{
            exchange::{Phase, Response, TlsFailure, TransportError, TransportErrorKind},
            hops::{Hops, WEBHOOK_HOPS},
        },
        port::{Request, Transport},
        wire::request::{X_EVENT_TYPE, X_TIMESTAMP, compose},
    };
}

pub mod signing {
    //! The signer port, signatures, and their verification.

    pub use crate::{
        model::exchange::SignerError,
        port::Signer,
        wire::{
            signature::{
                Message, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_SIGNATURE,
                X_SIGNATURE_256, body_signature, standard_signature,
            },
            verify::{Verifier, VerifyError, verify_body_signature},
        },
    };
}

pub mod explain {
    //! Explains why a delivery is in its state, and when its next attempt is due.

    pub use crate::read::explain::{
        ExplainedAttempt, Explanation, NextAttempt, PolicyWait, Standing, TenantExplanation,
        WaitRule, Wanted, explain, explain_to_tenant,
    };
}

pub mod view {
    //! Views: values as they may be shown to a tenant, without secrets, and durations as text.

    pub use crate::{
        model::duration::{format_duration, parse_duration},
        read::view::{AttemptView, DeliveryView, EndpointView, EventView},
    };
}

pub mod error {
    //! Errors of values that cannot be parsed or built.

    pub use crate::{
        engine::dispatcher::InvalidDispatcherConfig,
        model::{
            delivery::InvalidDeliveryStatus,
            duration::InvalidDuration,
            endpoint::InvalidTimeout,
            endpoint_state::InvalidEndpointState,
            event::{InvalidContentType, InvalidEvent, InvalidEventKey, InvalidEventType},
            filter::InvalidEventFilter,
            header::InvalidHeader,
            id::InvalidId,
            metadata::{InvalidDescription, InvalidExternalId, InvalidMetadata},
            order::InvalidOrderPolicy,
            ordering_key::InvalidOrderingKey,
            rate::InvalidRateLimit,
            replay::{InvalidInclude, InvalidReplayState},
            retry::InvalidRetryPolicy,
            secret::InvalidSecret,
            signing::InvalidSigning,
            tls::InvalidTls,
            url::InvalidUrl,
            worker::InvalidWorkerName,
        },
        port::store::query::InvalidCursor,
    };
}

/// Decisions about stored deliveries, for implementers of [`Store`](crate::store::Store).
pub mod store_state {
    #[doc(inline)]
    pub use crate::port::store::state::{
        DeliveryChange, DeliveryState, EndpointChange, Intake, OrderQueue, Transition,
        UnroutedEntry, claim_unrouted_first, edited_endpoint, endpoint_change, enqueued_again,
        intake, leaves_queue,
    };
}

pub mod store_record {
    //! Records of stored values, for implementers of [`Store`](crate::store::Store).
    //!
    //! Endpoints, events, deliveries and attempts cannot be serialized themselves. A store that
    //! keeps each as one text or blob serializes its record instead, with any format of serde that
    //! names its fields. Each record has a version. A record of an unknown version is an error of
    //! the format that names the version.
    //!
    //! ```
    //! use webhook_core::{Endpoint, EndpointId, store_record::EndpointRecord};
    //!
    //! let id = EndpointId::from_uuid(uuid::Uuid::nil());
    //! let endpoint = Endpoint::new(id, "https://billing.example/hooks".parse()?);
    //! let text = serde_json::to_string(&EndpointRecord::of(&endpoint, None)?)?;
    //! let record: EndpointRecord = serde_json::from_str(&text)?;
    //! assert_eq!(record.into_endpoint(None)?.url, endpoint.url);
    //!
    //! let newer = text.replacen("\"v\":1", "\"v\":2", 1);
    //! let error = serde_json::from_str::<EndpointRecord>(&newer).unwrap_err();
    //! assert!(error.to_string().contains("unknown version 2"));
    //! # Ok::<(), Box<dyn std::error::Error>>(())
    //! ```

    pub use crate::port::store::record::{
        AttemptRecord, DeliveryRecord, EndpointRecord, EventRecord, RecordError, record_from_json,
    };
}
