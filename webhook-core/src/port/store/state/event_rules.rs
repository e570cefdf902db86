//! Decisions about a new event.

use crate::{
    model::{
        endpoint::Endpoint,
        event::Event,
        id::{EndpointId, TenantVersion},
    },
    port::store::intake::{Enqueued, FanOut, NewDelivery},
};

/// Decision about an event whose id and key are not taken.
///
/// Closed: a store carries out each decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intake {
    /// The event is stored with its deliveries.
    Routed,
    /// The event is stored, and a worker routes it later.
    Unrouted,
    /// The event is not stored, because its direct delivery goes to a missing endpoint.
    EndpointGone,
}

/// Decides about a new event.
///
/// `version` is the present version of the tenant. `is_behind` is true if an earlier event of the
/// same tenant and ordering key is unrouted, which this one must not overtake. `endpoint` returns
/// the stored endpoint of an id.
pub fn intake<'e>(
    event: &Event,
    fan_out: Option<&FanOut>,
    version: TenantVersion,
    is_behind: bool,
    endpoint: impl Fn(EndpointId) -> Option<&'e Endpoint>,
) -> Intake {
    let Some(fan_out) = fan_out else { return Intake::Unrouted };
    let Some(routed_by) = fan_out.version else {
        let has = |new: &NewDelivery| {
            endpoint(new.endpoint).is_some_and(|endpoint| endpoint.tenant == event.tenant)
        };
        let has_all = fan_out.deliveries.iter().all(has);
        return if has_all { Intake::Routed } else { Intake::EndpointGone };
    };
    // A publisher cannot know the limits of a restricted endpoint.
    let leased = fan_out.deliveries.iter().filter(|new| new.lease.is_some());
    let mut leased = leased.filter_map(|new| endpoint(new.endpoint));
    let may_be_leased = leased.all(|endpoint| endpoint.health.is_unrestricted());
    let is_current = routed_by == version;
    if is_current && may_be_leased && !is_behind { Intake::Routed } else { Intake::Unrouted }
}

/// Returns the result for an event whose id or key belongs to the stored event `first`.
pub fn enqueued_again(first: &Event, second: &Event) -> Enqueued {
    let is_same = first.tenant == second.tenant
        && first.event_type == second.event_type
        && first.body == second.body;
    if is_same { Enqueued::Duplicate(first.id) } else { Enqueued::Conflict(first.id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        health::{Health, HealthPolicy, HealthSignal},
        id::{EventId, TenantId},
        time::Timestamp,
    };
    use std::time::Duration;
    use uuid::Uuid;

    const TARGET_ENDPOINT: EndpointId = EndpointId::from_uuid(Uuid::nil());
    const VERSION: TenantVersion = TenantVersion::from_u64(2);

    fn event(id: u128) -> Event {
        let id = EventId::from_uuid(Uuid::from_u128(id));
        Event::new(id, "a.b".parse().unwrap(), Timestamp::default(), "{}")
    }

    fn endpoint() -> Endpoint {
        Endpoint::new(TARGET_ENDPOINT, "https://a.example/".parse().unwrap())
    }

    /// Cools down, as its receiver asked.
    fn restricted() -> Endpoint {
        let signal = HealthSignal::Busy(Duration::from_secs(9));
        let (at, policy) = (Timestamp::default(), HealthPolicy::new());
        endpoint().with_health(Health::HEALTHY.after(signal, None, at, &policy, 16).health)
    }

    fn decision(fan_out: Option<FanOut>, is_behind: bool, stored: Option<Endpoint>) -> Intake {
        let find = |_| stored.as_ref();
        intake(&event(1), fan_out.as_ref(), VERSION, is_behind, find)
    }

    #[test]
    fn an_event_is_routed_by_the_present_version_in_order() {
        let pending = || NewDelivery::pending(TARGET_ENDPOINT);
        let leased = || NewDelivery::leased(TARGET_ENDPOINT, Duration::from_secs(45));
        let by = |version, new| Some(FanOut::by(version, vec![new]));
        let (old, now) = (TenantVersion::from_u64(1), VERSION);
        let table = [
            (None, false, endpoint(), Intake::Unrouted),
            (by(now, pending()), false, endpoint(), Intake::Routed),
            (by(old, pending()), false, endpoint(), Intake::Unrouted),
            (by(now, pending()), true, endpoint(), Intake::Unrouted),
            (by(now, pending()), false, restricted(), Intake::Routed),
            (by(now, leased()), false, endpoint(), Intake::Routed),
            (by(now, leased()), false, restricted(), Intake::Unrouted),
            (Some(FanOut::by(now, Vec::new())), false, endpoint(), Intake::Routed),
        ];
        for (fan_out, is_behind, endpoint, expected) in table {
            let case = format!("{fan_out:?}, behind: {is_behind}");
            assert_eq!(decision(fan_out, is_behind, Some(endpoint)), expected, "{case}");
        }
    }

    #[test]
    fn a_direct_event_goes_to_its_endpoint_or_is_not_stored() {
        let direct =
            || Some(FanOut::directly(NewDelivery::leased(TARGET_ENDPOINT, Duration::ZERO)));
        assert_eq!(decision(direct(), true, Some(restricted())), Intake::Routed);
        assert_eq!(decision(direct(), false, None), Intake::EndpointGone);
        let tenant: TenantId = "other".parse().unwrap();
        let foreign = endpoint().with_tenant(tenant);
        assert_eq!(decision(direct(), false, Some(foreign)), Intake::EndpointGone);
    }

    #[test]
    fn a_second_event_is_the_same_if_tenant_type_and_body_are() {
        let first = event(1);
        let (duplicate, conflict) = (Enqueued::Duplicate(first.id), Enqueued::Conflict(first.id));
        let other_tenant = Event { tenant: "other".parse().unwrap(), ..event(2) };
        let other_type = Event { event_type: "a.c".parse().unwrap(), ..event(2) };
        let other_body = Event { body: "[]".into(), ..event(2) };
        let table = [
            (event(1), duplicate),
            (event(2), duplicate),
            (other_tenant, conflict),
            (other_type, conflict),
            (other_body, conflict),
        ];
        for (second, expected) in table {
            assert_eq!(enqueued_again(&first, &second), expected, "{second:?}");
        }
    }
}
