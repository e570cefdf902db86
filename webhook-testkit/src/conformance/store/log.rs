//! Looking things up.

use std::collections::BTreeSet;

use bytes::Bytes;
use webhook_core::{
    Attempt, DeliveryId, DeliveryStatus, DisabledReason, EndpointId, EndpointState, EventId,
    TenantId,
    store::{
        ClaimDue, Cursor, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery, Finish,
        Finished, Page, Redeliver, Settle,
    },
};

use super::{
    Fixture, StoreHarness,
    fixture::{
        DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, accepted, failure, refused, retry, success,
    },
};

impl<H: StoreHarness> Fixture<H> {
    async fn page(&self, query: DeliveryQuery) -> Page<webhook_core::Delivery> {
        self.store.deliveries(query).await.expect("deliveries can be listed")
    }

    async fn listed(&self, query: DeliveryQuery) -> Vec<DeliveryId> {
        self.page(query).await.items.iter().map(|delivery| delivery.id).collect()
    }
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(state.deliveries.get(&id).and_then(|row| state.to_delivery(id, row)))
// + let other = StoreError::new(webhook_core::StoreErrorKind::Other);
// + let row = state.deliveries.get(&id).ok_or(other)?;
// + Ok(state.to_delivery(id, row))
pub async fn what_does_not_exist_is_not_found<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = DeliveryId::new(fixture.ids.event(), fixture.ids.endpoint());
    assert_eq!(fixture.store.event(id.event).await.unwrap(), None, "no such event");
    assert_eq!(fixture.store.delivery(id).await.unwrap(), None, "no such delivery");
    assert!(fixture.attempts(id).await.is_empty(), "no such attempts");
    assert_eq!(fixture.page(DeliveryQuery::new()).await, Page::new(vec![], None), "an empty page");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - std::cmp::Reverse(Cursor::after(delivery))
// + Cursor::after(delivery)
pub async fn deliveries_are_listed_newest_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.insert(0, fixture.pending(endpoint).await);
        fixture.advance(SECOND).await;
    }
    assert_eq!(fixture.listed(DeliveryQuery::new()).await, expected, "by time of creation");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - std::cmp::Reverse(Cursor::after(delivery))
// + std::cmp::Reverse(delivery.created_at)
pub async fn deliveries_of_one_moment_are_listed_by_id<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let mut expected = fixture.pendings(endpoint, 3).await;
    expected.reverse();
    assert_eq!(fixture.listed(DeliveryQuery::new()).await, expected, "the highest id first");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - found.truncate(limit);
// + found.truncate(limit);
// + found.iter_mut().for_each(|delivery| delivery.last_error = None);
pub async fn a_listed_delivery_is_the_one_that_is_read_by_id<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(failure(&claim)).await;
    let page = fixture.page(DeliveryQuery::new()).await;
    assert_eq!(page.items, [fixture.delivery(id).await], "both tell the same");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - query.tenant.as_ref().is_none_or(|tenant| *tenant == row.event.tenant)
// + true
pub async fn deliveries_are_listed_by_what_is_asked_for<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let acme: TenantId = "acme".parse().unwrap();
    let (one, two) = (fixture.endpoint().await, fixture.endpoint().await);
    let theirs = fixture.add(fixture.new_endpoint().with_tenant(acme.clone())).await;
    let (ours, foreign) = (fixture.event(), fixture.event_of(&acme));
    let id = |event: EventId, endpoint: EndpointId| DeliveryId::new(event, endpoint);
    fixture.publish(ours.clone(), &[one, two]).await;
    fixture.publish(foreign.clone(), &[theirs]).await;
    let ask = DeliveryQuery::new;
    let both = vec![id(ours.id, two), id(ours.id, one)];
    assert_eq!(fixture.listed(ask().event(ours.id)).await, both, "by event");
    assert_eq!(fixture.listed(ask().endpoint(one)).await, [id(ours.id, one)], "by endpoint");
    assert_eq!(fixture.listed(ask().tenant(acme)).await, [id(foreign.id, theirs)], "by tenant");
    assert_eq!(fixture.listed(ask().tenant(TenantId::default())).await, both, "by our tenant");
    let nothing = ask().tenant(TenantId::default()).event(foreign.id);
    assert!(fixture.listed(nothing).await.is_empty(), "a tenant never sees another's");
    let exact = ask().event(ours.id).endpoint(two).status(DeliveryStatus::Pending);
    assert_eq!(fixture.listed(exact).await, [id(ours.id, two)], "all conditions hold at once");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - && query.status.is_none_or(|status| status == row.state.status)
pub async fn deliveries_are_listed_by_status<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (endpoint, gone) = (fixture.endpoint().await, fixture.endpoint().await);
    let cancelled = fixture.pending(gone).await;
    fixture.remove(gone).await;
    let claimed = fixture.pendings(endpoint, 3).await;
    let claims = fixture.claim().await;
    let claim_of = |id| claims.iter().find(|claim| claim.lease.delivery == id).unwrap();
    fixture.finish(success(claim_of(claimed[0]))).await;
    fixture.finish(failure(claim_of(claimed[1]))).await;
    let pending = fixture.pending(endpoint).await;
    let expected = [
        (DeliveryStatus::Pending, pending),
        (DeliveryStatus::InFlight, claimed[2]),
        (DeliveryStatus::Success, claimed[0]),
        (DeliveryStatus::Failed, claimed[1]),
        (DeliveryStatus::Cancelled, cancelled),
    ];
    for (status, id) in expected {
        let listed = fixture.listed(DeliveryQuery::new().status(status)).await;
        assert_eq!(listed, [id], "the one that is {status}");
    }
}

// Catches in webhook-testkit/src/memory/log.rs:
// - row.state.created_at < until
// + row.state.created_at <= until
pub async fn deliveries_are_listed_by_when_they_came_about<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.insert(0, fixture.pending(endpoint).await);
        fixture.advance(SECOND).await;
    }
    let at = |id| fixture.delivery(id);
    let (second, fourth) = (at(ids[2]).await.created_at, at(ids[0]).await.created_at);
    for ask in [DeliveryQuery::new(), DeliveryQuery::new().endpoint(endpoint)] {
        let since = ask.clone().since(second);
        assert_eq!(fixture.listed(since.clone()).await, ids[..3], "from then on");
        assert_eq!(fixture.listed(since.until(fourth)).await, ids[1..3], "and before then");
        assert_eq!(fixture.listed(ask.until(second)).await, ids[3..], "whatever came before");
    }
}

// Catches in webhook-testkit/src/memory/log.rs:
// - && query.wants(&row.event.event_type)
pub async fn deliveries_are_listed_by_the_type_of_their_event<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let mut ids = Vec::new();
    for event_type in ["invoice.paid", "user.made", "invoice.paid.late", "invoice.sent"] {
        let mut event = fixture.event();
        event.event_type = event_type.parse().unwrap();
        ids.push(DeliveryId::new(event.id, endpoint));
        fixture.publish(event, &[endpoint]).await;
        fixture.advance(SECOND).await;
    }
    let of = |filters: &[&str]| {
        DeliveryQuery::new().types(filters.iter().map(|filter| filter.parse().unwrap()))
    };
    assert_eq!(fixture.listed(of(&["invoice.paid"])).await, [ids[0]], "one type");
    assert_eq!(fixture.listed(of(&["invoice.*"])).await, [ids[3], ids[0]], "of a pattern");
    let two = of(&["user.made", "invoice.paid.*"]);
    assert_eq!(fixture.listed(two.clone()).await, [ids[2], ids[1]], "any of them is enough");
    assert_eq!(fixture.listed(two.endpoint(endpoint)).await, [ids[2], ids[1]], "at the endpoint");
    assert!(fixture.listed(of(&["invoice"])).await.is_empty(), "nothing of another type");

    let page = fixture.page(of(&["invoice.*"]).limit(1)).await;
    assert_eq!(page.items[0].id, ids[3], "a page of some types");
    let second = of(&["invoice.*"]).limit(1).after(page.next.unwrap());
    let page = fixture.page(second).await;
    assert_eq!((page.items[0].id, page.next), (ids[0], None), "and the last one");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - place < (cursor.created_at, cursor.id)
// + place.0 < cursor.created_at
pub async fn pages_follow_each_other_without_gaps_or_repeats<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    // Some were created in the same millisecond, so that pages end within it.
    let mut expected = Vec::new();
    for count in [3, 1, 4] {
        expected.extend(fixture.pendings(endpoint, count).await);
        fixture.advance(SECOND).await;
    }
    expected.reverse();
    for limit in [1, 2, 3, 8, 9] {
        let mut listed = Vec::new();
        let mut query = DeliveryQuery::new().endpoint(endpoint).limit(limit);
        while let page = fixture.page(query.clone()).await
            && listed.len() <= expected.len()
        {
            assert!(page.items.len() <= limit, "a page holds at most its limit");
            listed.extend(page.items.iter().map(|delivery| delivery.id));
            let Some(next) = page.next else { break };
            query = query.after(next);
        }
        assert_eq!(listed, expected, "in pages of {limit}");
    }
}

// Catches in webhook-testkit/src/memory/log.rs:
// - found.len() > limit
// + found.len() >= limit
pub async fn the_last_page_names_no_next_one<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.endpoint().await, 2).await;
    let page = fixture.page(DeliveryQuery::new().limit(2)).await;
    assert_eq!((page.items.len(), page.next), (2, None), "a full page may be the last");
    let page = fixture.page(DeliveryQuery::new().limit(1)).await;
    let next = page.items.last().map(Cursor::after);
    assert_eq!(page.next, next, "the next page begins just after the last item");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - && query.cursor.is_none_or(|cursor| place < (cursor.created_at, cursor.id))
pub async fn a_listing_goes_on_while_new_deliveries_arrive<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let old: BTreeSet<_> = fixture.pendings(endpoint, 4).await.into_iter().collect();
    fixture.advance(SECOND).await;
    let first = fixture.page(DeliveryQuery::new().limit(2)).await;
    fixture.pendings(endpoint, 3).await;
    let second = fixture.listed(DeliveryQuery::new().after(first.next.unwrap())).await;
    let seen: BTreeSet<_> = first.items.iter().map(|item| item.id).chain(second).collect();
    assert_eq!(seen, old, "what is new does not shift the pages behind");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - std::cmp::Reverse(Cursor::after(delivery))
// + std::cmp::Reverse((delivery.last_attempt_at, delivery.id))
pub async fn claiming_and_finishing_do_not_reorder_a_listing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.pendings(fixture.endpoint().await, 3).await;
    let before = fixture.listed(DeliveryQuery::new()).await;
    fixture.advance(SECOND).await;
    let claimed = fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE)).await;
    fixture.finish(success(&claimed.claims[0])).await;
    assert_eq!(fixture.listed(DeliveryQuery::new()).await, before, "creation gives the order");
    fixture.advance(SECOND).await;
    for claim in fixture.claim().await.iter().rev() {
        fixture.finish(success(claim)).await;
    }
    assert_eq!(fixture.listed(DeliveryQuery::new()).await, before, "creation gives the order");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - state.last_error = error_of(attempt);
// + state.last_error = error_of(attempt).or_else(|| item.attempts.iter().find_map(error_of));
pub async fn optional_fields_of_attempts_may_be_empty_in_one_and_set_in_another<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let ids = fixture.pendings(endpoint, 4).await;
    let claims = fixture.claim().await;
    let claim_of = |id| claims.iter().find(|claim| claim.lease.delivery == id).unwrap().lease;
    let mut odd = refused(1);
    (odd.status, odd.response_body) = (Some(599), Bytes::from_static(b"\0"));
    let finish = |at: usize, attempts: &[Attempt]| {
        Finish::new(claim_of(ids[at]), attempts.to_vec(), 1, Settle::Failed)
    };
    let disabling =
        finish(3, &[]).with_disabled_endpoint(Some(DisabledReason::Gone)).with_forgiven(1);
    let batch = vec![
        finish(0, &[odd.clone()]),
        finish(1, &[refused(1), accepted(2)]),
        finish(2, &[accepted(1)]),
        disabling,
    ];
    assert_eq!(fixture.store.finish(batch).await.unwrap(), [Finished::Recorded; 4], "all four");
    assert_eq!(fixture.attempts(ids[0]).await, [odd], "a status, a failure and a body");
    let error = fixture.delivery(ids[0]).await.last_error;
    assert_eq!(error.as_deref(), Some("could not connect"), "the failure is told");
    assert_eq!(fixture.attempts(ids[1]).await, [refused(1), accepted(2)], "no status in the first");
    assert_eq!(fixture.attempts(ids[2]).await, [accepted(1)], "no failure");
    for id in &ids[1..] {
        assert_eq!(fixture.delivery(*id).await.last_error, None, "the last attempt went well");
    }
    assert!(fixture.attempts(ids[3]).await.is_empty(), "no attempt at all");
    let state = fixture.stored(endpoint).await.state;
    assert_eq!(state, EndpointState::Disabled(DisabledReason::Gone), "one of them disables");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - (delivery.budget_from, delivery.forgiven) = (self.budget_from, self.forgiven);
pub async fn a_delivery_says_how_far_it_is_through_its_policy<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT).with_forgiven(1)).await;
    let delivery = fixture.delivery(id).await;
    assert_eq!((delivery.attempts, delivery.budget_from, delivery.forgiven), (1, 0, 1));
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claim = fixture.claim_one().await;
    fixture.finish(failure(&claim).with_forgiven(1)).await;
    fixture.store.redeliver(vec![Redeliver::new(id)]).await.unwrap();
    let page = fixture.store.deliveries(DeliveryQuery::new()).await.unwrap();
    let listed = page.items.first().unwrap();
    assert_eq!((listed.attempts, listed.budget_from, listed.forgiven), (2, 2, 0), "a fresh budget");
}
