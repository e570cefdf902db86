//! Changes of a stored endpoint: by an edit, and by the outcome of an attempt.

use crate::{
    model::{
        endpoint::Endpoint,
        endpoint_state::{DisabledReason, EndpointState},
        health::Health,
        notice::{Notice, NoticeKind},
        time::Timestamp,
    },
    port::store::{edit::Updated, work::Finish},
};

/// Change of an endpoint by the outcome of an attempt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EndpointChange {
    /// Health to store, at the present revision.
    pub health: Health,
    /// State to store if the attempt disables the endpoint. This is an edit: it raises the
    /// revision of the endpoint and the version of its tenant.
    pub disabled: Option<EndpointState>,
    /// Notice to store.
    pub notice: Option<Notice>,
}

impl EndpointChange {
    /// Returns the endpoint to store.
    #[must_use]
    pub fn apply_to(&self, mut endpoint: Endpoint) -> Endpoint {
        endpoint.health = self.health;
        if let Some(state) = self.disabled {
            endpoint.state = state;
            endpoint.revision = endpoint.revision.next();
        }
        endpoint
    }
}

/// Returns the change of an endpoint by an attempt that is recorded at `now`. Returns `None` for a
/// disabled endpoint.
///
/// A claim that is released counts as [`Finish::void`].
pub fn endpoint_change(
    endpoint: &Endpoint,
    item: &Finish,
    now: Timestamp,
) -> Option<EndpointChange> {
    if !endpoint.state.is_routed() {
        return None;
    }
    let error = item.last_error();
    let notice = |kind| Notice::new(item.lease, now, endpoint.tenant.clone(), kind);
    if let Some(reason) = item.disable_endpoint {
        let state = EndpointState::Disabled(reason);
        return Some(EndpointChange {
            health: Health::HEALTHY,
            disabled: Some(state),
            notice: Some(notice(NoticeKind::disabled(state, error))),
        });
    }
    let (signal, policy) = &item.health_signal;
    let change = endpoint.health.after(*signal, error, now, policy, endpoint.max_in_flight);
    let failing = EndpointState::Disabled(DisabledReason::Failing);
    Some(EndpointChange {
        health: if change.disables { Health::HEALTHY } else { change.health },
        disabled: change.disables.then_some(failing),
        notice: change.notice.map(notice),
    })
}

/// Returns the endpoint to store for an edit. An edit keeps the time of registration, and the
/// health unless the endpoint [starts again](Endpoint::keeps_health).
///
/// # Errors
///
/// [`Updated::NotFound`] if the tenant has no such endpoint, [`Updated::Stale`] if the edit is of
/// another revision.
pub fn edited_endpoint(stored: Option<&Endpoint>, mut edit: Endpoint) -> Result<Endpoint, Updated> {
    let stored = stored.filter(|stored| stored.tenant == edit.tenant);
    let stored = stored.ok_or(Updated::NotFound)?;
    if stored.revision != edit.revision {
        return Err(Updated::Stale);
    }
    edit.created_at = stored.created_at;
    edit.health = if stored.keeps_health(&edit) { stored.health } else { Health::HEALTHY };
    edit.revision = stored.revision.next();
    Ok(edit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            attempt::{Attempt, Failure, FailureKind},
            delivery::Lease,
            health::{HealthPolicy, HealthSignal},
            id::{DeliveryId, EndpointId, EventId, LeaseEpoch, Revision, TenantId},
        },
        port::store::work::Settle,
    };
    use bytes::Bytes;
    use std::time::Duration;
    use uuid::Uuid;

    const RECORDED_AT: Timestamp = Timestamp::from_unix_secs(7);
    const GONE: EndpointState = EndpointState::Disabled(DisabledReason::Gone);

    fn endpoint() -> Endpoint {
        let id = EndpointId::from_uuid(Uuid::from_u128(2));
        let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap());
        endpoint.with_revision(Revision::from_u64(4)).with_created_at(Timestamp::from_unix_secs(1))
    }

    fn failing() -> Endpoint {
        let policy = HealthPolicy::new();
        let change = Health::HEALTHY.after(HealthSignal::Bad, None, RECORDED_AT, &policy, 16);
        endpoint().with_health(change.health)
    }

    fn finish(signal: HealthSignal, policy: HealthPolicy) -> Finish {
        let event = EventId::from_uuid(Uuid::from_u128(1));
        let delivery = DeliveryId::new(event, endpoint().id);
        let lease = Lease { delivery, epoch: LeaseEpoch::from_u64(1) };
        let failure = Some(Failure::new(FailureKind::Other, "refused"));
        let attempt =
            Attempt::from_parts(1, RECORDED_AT, Duration::ZERO, None, failure, Bytes::new());
        let settle = Settle::Retry(Duration::ZERO);
        Finish::new(lease, vec![attempt], 1, settle).with_health_signal(signal, policy)
    }

    #[test]
    fn an_attempt_changes_the_health_of_its_endpoint() {
        let policy = HealthPolicy::new().with_warn_after(1);
        let change =
            endpoint_change(&endpoint(), &finish(HealthSignal::Bad, policy), RECORDED_AT).unwrap();
        let expected =
            Health::HEALTHY.after(HealthSignal::Bad, Some("refused"), RECORDED_AT, &policy, 16);
        assert_eq!((change.health, change.disabled), (expected.health, None));
        let stored = change.apply_to(endpoint());
        assert_eq!((stored.health, stored.state), (expected.health, EndpointState::Active));
        assert_eq!(stored.revision, endpoint().revision, "only an edit raises it");
        let notice = change.notice.unwrap();
        assert_eq!((Some(notice.kind), notice.at), (expected.notice, RECORDED_AT));
    }

    #[test]
    fn an_attempt_may_disable_the_endpoint() {
        let by_response = finish(HealthSignal::Bad, HealthPolicy::new())
            .with_disabled_endpoint(Some(DisabledReason::Gone));
        let change = endpoint_change(&failing(), &by_response, RECORDED_AT).unwrap();
        assert_eq!((change.health, change.disabled), (Health::HEALTHY, Some(GONE)));
        let kind = NoticeKind::disabled(GONE, Some("refused"));
        let stored = change.apply_to(failing());
        assert_eq!((stored.health, stored.state), (Health::HEALTHY, GONE));
        assert_eq!(stored.revision, Revision::from_u64(5));
        assert_eq!(change.notice.unwrap().kind, kind);

        let strict =
            HealthPolicy::new().with_disable_after(Some(Duration::ZERO)).with_disable_min(1);
        let by_failures = finish(HealthSignal::Bad, strict);
        let change = endpoint_change(&failing(), &by_failures, RECORDED_AT).unwrap();
        let failing_state = EndpointState::Disabled(DisabledReason::Failing);
        assert_eq!((change.health, change.disabled), (Health::HEALTHY, Some(failing_state)));
        assert_eq!(change.notice.unwrap().kind.name(), "endpoint_disabled");
    }

    #[test]
    fn a_disabled_endpoint_does_not_change() {
        let item = finish(HealthSignal::Bad, HealthPolicy::new());
        assert_eq!(endpoint_change(&endpoint().with_state(GONE), &item, RECORDED_AT), None);
        let paused = endpoint().with_state(EndpointState::Paused);
        assert!(endpoint_change(&paused, &item, RECORDED_AT).is_some());
    }

    #[test]
    fn an_edit_raises_the_revision_and_keeps_the_rest_of_the_record() {
        let edit = endpoint().with_max_in_flight(3).with_created_at(RECORDED_AT);
        let stored = edited_endpoint(Some(&failing()), edit).unwrap();
        assert_eq!((stored.max_in_flight, stored.revision), (3, Revision::from_u64(5)));
        assert_eq!((stored.created_at, stored.health), (endpoint().created_at, failing().health));

        let moved = Endpoint { url: "https://b.example/".parse().unwrap(), ..failing() };
        let stored = edited_endpoint(Some(&failing()), moved).unwrap();
        assert_eq!(stored.health, Health::HEALTHY);
    }

    #[test]
    fn an_edit_of_another_revision_or_tenant_is_rejected() {
        let stale = endpoint().with_revision(Revision::from_u64(3));
        assert_eq!(edited_endpoint(Some(&endpoint()), stale).err(), Some(Updated::Stale));
        assert_eq!(edited_endpoint(None, endpoint()).err(), Some(Updated::NotFound));
        let tenant: TenantId = "other".parse().unwrap();
        let foreign = endpoint().with_tenant(tenant).with_revision(Revision::from_u64(3));
        assert_eq!(edited_endpoint(Some(&endpoint()), foreign).err(), Some(Updated::NotFound));
    }
}
