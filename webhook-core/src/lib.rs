//! Webhook delivery as pure decisions.
//!
//! This crate knows what an event, an endpoint, a delivery and an attempt are, what an answer means
//! and what to do next. It does no I/O, reads no clock, rolls no dice and spawns nothing: the world
//! comes in through four kinds of ports, [`Transport`], [`Signer`], [`Clock`] (with [`Ids`]) and
//! [`Store`].
//!
//! A delivery goes one straight way, and each step is a module of its name:
//!
//! | step | where |
//! |---|---|
//! | which endpoints get the event | [`fan_out()`] |
//! | store event and deliveries in one transaction | [`Store::enqueue`] |
//! | take what is due, under a lease | [`Store::claim_due`] |
//! | publish: the two steps above, and sending from memory | [`EventPublisher`] |
//! | build and sign the request | [`compose()`] |
//! | send it | [`Transport::send`] |
//! | what does the outcome mean? | [`classify()`] |
//! | what do we do about it? | [`decide()`] |
//! | write it down | [`Store::finish`] |
//!
//! [`Dispatcher`] walks it for stored deliveries, [`Publisher`] inside one call. Most programs use
//! both through the crate `webhook-registry`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod engine;
mod model;
mod policy;
mod port;
mod read;
mod wire;

pub use crate::{
    engine::{
        dispatcher::{Dispatcher, DispatcherConfig, InvalidDispatcherConfig, Ports, Report},
        idle::until_idle,
        publish::EventPublisher,
        send_now::{Publisher, SendError, Sent},
        wake::Wake,
    },
    model::{
        attempt::{Attempt, Failure, FailureKind, Outcome},
        delivery::{Delivery, DeliveryStatus, InvalidDeliveryStatus, Lease, Progress},
        duration::{InvalidDuration, format_duration, parse_duration},
        endpoint::{Endpoint, InvalidTimeout, Timeout},
        endpoint_state::{DisabledReason, EndpointState, InvalidEndpointState},
        event::{
            ContentType, Event, EventKey, EventType, InvalidContentType, InvalidEvent,
            InvalidEventKey, InvalidEventType, NewEvent,
        },
        exchange::{Phase, Response, SignerError, TlsFailure, TransportError, TransportErrorKind},
        filter::{EventFilter, InvalidEventFilter},
        header::{CustomHeaders, InvalidHeader},
        health::{Condition, Health, HealthChange, HealthPolicy, HealthSignal},
        hops::{Hops, WEBHOOK_HOPS},
        id::{
            DeliveryId, EndpointId, EventId, InvalidId, LeaseEpoch, Revision, TenantId,
            TenantVersion,
        },
        metadata::{
            Description, ExternalId, InvalidDescription, InvalidExternalId, InvalidMetadata,
            Metadata,
        },
        notice::{Notice, NoticeId, NoticeKind},
        order::{InvalidOrderPolicy, OrderPolicy},
        ordering_key::{InvalidOrderingKey, OrderingKey},
        rate::{InvalidRateLimit, RateLimit, RateUsed},
        replay::{
            Include, InvalidInclude, InvalidReplayState, Replay, ReplayCandidate, ReplayCursor,
            ReplayState,
        },
        retry::{InvalidRetryPolicy, Plan, PlannedAttempt, RetryPolicy},
        routing::{RoutingEntry, Snapshot},
        secret::{InvalidSecret, Secret},
        signing::{InvalidSigning, Profile, Signing, SigningKey},
        stats::{AttemptDurations, EndpointStats},
        time::{Timestamp, whole_millis},
        tls::{ClientIdentity, EndpointTls, InvalidTls},
        trigger::Trigger,
        url::{EndpointUrl, InvalidUrl},
        worker::{InvalidWorkerName, WorkerName},
    },
    policy::{
        allowance::Allowance,
        byte_budget::ByteBudget,
        classify::{Verdict, classify, health_signal},
        decide::{Decision, FailReason, decide},
        fan_out::fan_out,
        retry_after::retry_after,
        tenant_share::Shares,
    },
    port::{
        Capabilities, Capability, Clock, DeliveryLog, DeliveryOperations, EndpointDirectory, Ids,
        Maintenance, NoticeQueue, Request, SEALED, SecretVault, Signer, Store, StoreError,
        StoreErrorKind, TrackedDeliveries, Transport, VaultError, VaultErrorKind, WorkSignal,
        store::{
            edit::Updated,
            intake::{
                ClaimedUnrouted, Enqueue, Enqueued, FanOut, NewDelivery, Route, Routed,
                UnroutedEvent,
            },
            maintenance::{FailingEndpoint, StoreStatus},
            operations::{Cancelled, Redeliver, Redelivered, Skipped},
            prune::{Prune, PruneCursor, Pruned},
            query::{Cursor, DeliveryQuery, InvalidCursor, Page},
            replay_page::{ReplayPage, Replayed},
            routing::RoutingUpdate,
            work::{
                Backlog, Claim, ClaimCursor, ClaimDue, Claimed, Finish, Finished, Settle,
                TenantLimits,
            },
        },
    },
    read::{
        explain::{
            ExplainedAttempt, Explanation, NextAttempt, PolicyWait, Standing, TenantExplanation,
            WaitRule, Wanted, explain, explain_to_tenant,
        },
        view::{AttemptView, DeliveryView, EndpointView, EventView},
    },
    wire::{
        request::{X_EVENT_TYPE, X_TIMESTAMP, compose},
        signature::{
            Message, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP, X_SIGNATURE,
            X_SIGNATURE_256, body_signature, standard_signature,
        },
        verify::{Verifier, VerifyError, verify_body_signature},
    },
};

/// Decisions about stored deliveries, for implementers of [`Store`].
pub mod store_state {
    #[doc(inline)]
    pub use crate::port::store::state::{
        DeliveryChange, DeliveryState, EndpointChange, Intake, OrderQueue, Transition,
        UnroutedEntry, claim_unrouted_first, edited_endpoint, endpoint_change, enqueued_again,
        intake, leaves_queue,
    };
}
