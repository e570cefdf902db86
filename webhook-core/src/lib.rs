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
//! | store event and deliveries in one transaction | [`DeliveryStore::enqueue`] |
//! | take what is due, under a lease | [`DeliveryStore::claim_due`] |
//! | or send what was just published | [`FastLane`] |
//! | build and sign the request | [`compose()`] |
//! | send it | [`Transport::send`] |
//! | what does the outcome mean? | [`classify()`] |
//! | what do we do about it? | [`decide()`] |
//! | write it down | [`DeliveryStore::finish`] |
//!
//! [`Dispatcher`] walks it for stored deliveries, [`Publisher`] inside one call. Most programs use
//! both through the crate `webhook-registry`.
mod about;
mod attempt;
mod classify;
mod decide;
mod delivery;
mod dispatcher;
mod duration;
mod endpoint;
mod event;
mod exchange;
mod explain;
mod fan_out;
mod filter;
mod header;
mod health;
mod hops;
mod id;
mod idle;
mod notice;
mod order;
mod pace;
mod port;
mod publisher;
mod rate;
mod replay;
mod request;
mod retry;
mod retry_after;
mod secret;
mod share;
mod signature;
mod stats;
mod text;
mod time;
mod tls;
mod trigger;
mod url;
mod verify;
mod view;
mod wake;
mod worker;

pub use crate::{
    about::{
        Description, ExternalId, InvalidDescription, InvalidExternalId, InvalidMetadata, Metadata,
    },
    attempt::{Attempt, Failure, FailureKind, Outcome},
    classify::{Verdict, classify, sign},
    decide::{Decision, FailReason, Progress, decide},
    delivery::{
        Cursor, Delivery, DeliveryQuery, DeliveryStatus, InvalidCursor, InvalidDeliveryStatus, Page,
    },
    dispatcher::{
        Dispatcher, DispatcherConfig, FastLane, InvalidDispatcherConfig, Ports, Report,
        Reservation, Settled,
    },
    duration::{InvalidDuration, format_duration, parse_duration},
    endpoint::{
        DisabledReason, Endpoint, EndpointState, InvalidEndpointState, InvalidTimeout, Timeout,
    },
    event::{
        ContentType, Event, EventKey, EventType, InvalidContentType, InvalidEvent, InvalidEventKey,
        InvalidEventType, NewEvent,
    },
    explain::{
        ExplainedAttempt, Explanation, NextAttempt, PolicyWait, Standing, TenantExplanation,
        WaitRule, Wanted, explain, explain_to_tenant,
    },
    fan_out::{Snapshot, fan_out},
    filter::{EventFilter, InvalidEventFilter},
    header::{CustomHeaders, InvalidHeader},
    health::{Condition, Health, HealthPolicy, Sign, Turn},
    hops::{Hops, WEBHOOK_HOPS},
    id::{
        DeliveryId, EndpointId, EventId, InvalidId, LeaseEpoch, Revision, TenantId, TenantVersion,
    },
    idle::until_idle,
    notice::{Notice, NoticeId, NoticeKind},
    order::{InvalidOrderPolicy, InvalidOrderingKey, OrderPolicy, OrderingKey},
    pace::Pace,
    port::{
        Clock, DeliveryLog, DeliveryStore, EndpointStore, Ids, Phase, Request, Response, SEALED,
        SecretVault, Signer, SignerError, Store, StoreError, StoreErrorKind, TlsFailure, Transport,
        TransportError, TransportErrorKind, Upkeep, VaultError, VaultErrorKind,
        store::{
            deliveries::{
                Backlog, Claim, ClaimDue, Claimed, ClaimedUnrouted, Enqueue, Enqueued, FanOut,
                Finish, Finished, Lease, NewDelivery, Route, Routed, Settle, UnroutedEvent,
            },
            endpoints::Updated,
            prune::{Prune, PruneCursor, Pruned},
            replay::{ReplayPage, Replayed},
            upkeep::{Cancelled, FailingEndpoint, Redeliver, Redelivered, Skipped, StoreStatus},
        },
    },
    publisher::{Publisher, SendError, Sent},
    rate::{InvalidRateLimit, RateLimit, RateUsed},
    replay::{
        Include, InvalidInclude, InvalidReplayState, Replay, ReplayCandidate, ReplayCursor,
        ReplayState,
    },
    request::{X_EVENT_TYPE, X_TIMESTAMP, compose},
    retry::{InvalidRetryPolicy, Plan, PlannedAttempt, RetryPolicy},
    retry_after::retry_after,
    secret::{InvalidSecret, Secret},
    share::Shares,
    signature::{
        InvalidSigning, Message, Profile, Signing, SigningKey, WEBHOOK_ID, WEBHOOK_SIGNATURE,
        WEBHOOK_TIMESTAMP, X_SIGNATURE, X_SIGNATURE_256, body_signature, standard_signature,
    },
    stats::{AttemptDurations, EndpointStats},
    time::{Timestamp, whole_millis},
    tls::{ClientIdentity, EndpointTls, InvalidTls},
    trigger::Trigger,
    url::{EndpointUrl, InvalidUrl},
    verify::{Verifier, VerifyError, verify_body_signature},
    view::{AttemptView, DeliveryView, EndpointView, EventView},
    wake::Wake,
    worker::{InvalidWorkerName, WorkerName},
};
