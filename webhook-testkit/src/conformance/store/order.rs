//! Deliveries that go one after the other.

use std::cell::RefCell;

use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointId, Event, Include, OrderPolicy, Replay,
    store::{
        Cancelled, ClaimDue, DeliveryLog as _, DeliveryOperations as _, Maintenance as _, Prune,
        Redeliver, Redelivered, ReplayPage, Skipped, Updated,
    },
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, deliveries, failure, retry, success},
};

impl<H: StoreHarness> Fixture<H> {
    /// An event with an ordering key.
    pub(super) fn ordered(&self, key: &str) -> Event {
        self.event().with_ordering_key(Some(key.parse().unwrap()))
    }

    /// Adds an endpoint that asks for order.
    pub(super) async fn endpoint_in_order(&self, policy: OrderPolicy) -> EndpointId {
        self.add(self.new_endpoint().with_order(Some(policy))).await
    }

    /// Stores so many events of a key, with a delivery each.
    async fn line(&self, endpoint: EndpointId, key: &str, count: usize) -> Vec<DeliveryId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let event = self.ordered(key);
            ids.push(DeliveryId::new(event.id, endpoint));
            self.publish(event, &[endpoint]).await;
        }
        ids
    }

    /// A line of three whose first one was given up.
    async fn given_up(&self, policy: OrderPolicy) -> (EndpointId, Vec<DeliveryId>) {
        let endpoint = self.endpoint_in_order(policy).await;
        let line = self.line(endpoint, "a", 3).await;
        let claim = self.claim_one().await;
        assert_eq!(claim.lease.delivery, line[0], "the first of the line goes first");
        self.finish(failure(&claim)).await;
        (endpoint, line)
    }

    async fn set_order(&self, id: EndpointId, order: Option<OrderPolicy>) {
        let edited = self.stored(id).await.with_order(order);
        let answer = self.store.update_endpoint(edited).await.expect("an endpoint can be edited");
        assert!(matches!(answer, Updated::Done(_)), "the edit is stored");
    }

    async fn skip(&self, id: DeliveryId) -> Skipped {
        let answers = self.store.skip(vec![id]).await.expect("deliveries can be skipped");
        assert_eq!(answers.len(), 1, "there is one answer for each delivery of a batch");
        answers[0]
    }

    async fn first_in_line(&self, id: DeliveryId) -> Option<DeliveryId> {
        let first = self.store.first_in_line(id).await.expect("a line can be read");
        first.map(|first| first.id)
    }

    /// Delivers one after the other, and answers in which order.
    async fn deliver_all(&self) -> Vec<DeliveryId> {
        let mut order = Vec::new();
        loop {
            let claims = self.claim().await;
            if claims.is_empty() {
                return order;
            }
            for claim in claims {
                order.push(claim.lease.delivery);
                self.finish(success(&claim)).await;
            }
        }
    }

    async fn assert_delivers(&self, expected: &[DeliveryId], why: &str) {
        assert_eq!(self.deliver_all().await, expected, "{why}");
    }
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - self.first() != Some(id)
// + false
pub async fn only_the_first_of_a_line_is_claimed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let line = fixture.line(endpoint, "a", 3).await;
    assert_eq!(deliveries(&fixture.claim().await), line[..1], "the others wait for it");
    for (at, id) in line.iter().enumerate().skip(1) {
        let delivery = fixture.delivery(*id).await;
        assert_eq!(delivery.status, DeliveryStatus::Pending, "number {at} is pending");
        assert_eq!(delivery.due_at, None, "and due at no time");
        assert_eq!(
            fixture.first_in_line(*id).await,
            Some(line[0]),
            "as the first one is before it"
        );
    }
    assert_eq!(fixture.first_in_line(line[0]).await, Some(line[0]), "which is in the line itself");
}

// Catches in webhook-testkit/src/memory/finish.rs:
// - self.unblock_line(item.lease.delivery, change.next_due_at);
pub async fn the_next_one_goes_when_the_first_is_delivered<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let line = fixture.line(endpoint, "a", 3).await;
    let claim = fixture.claim_one().await;
    fixture.advance(SECOND).await;
    fixture.finish(success(&claim)).await;
    let created_at = fixture.delivery(line[1]).await.created_at;
    let due_at = fixture.delivery(line[1]).await.due_at;
    assert_eq!(due_at, Some(created_at.after(SECOND)), "the next one is due from then on");
    assert_eq!(fixture.delivery(line[2]).await.due_at, None, "and nobody else");
    assert_eq!(fixture.first_in_line(line[0]).await, None, "what is delivered is in no line");
    fixture.assert_delivers(&line[1..], "one after the other").await;
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - policy.is_some_and(|policy| policy.leaves_line(status))
// + policy.is_some_and(|policy| policy.leaves_line(status) || status == DeliveryStatus::Pending)
pub async fn those_behind_wait_for_the_retries_of_the_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Skip).await;
    let line = fixture.line(endpoint, "a", 2).await;
    let claim = fixture.claim_one().await;
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    fixture.assert_nothing_to_claim("a retry keeps its place").await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    fixture.assert_delivers(&line, "its retry, and then the next one").await;
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - self.deliveries.push_back(id);
// + self.deliveries.push_front(id);
pub async fn a_claim_that_is_lost_or_given_back_keeps_its_place<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let line = fixture.line(endpoint, "a", 2).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.lease.delivery, line[0], "what was stored first goes first");
    fixture.release(claim.lease).await;
    assert_eq!(fixture.claim_one().await.lease.delivery, line[0], "what is given back is first");
    fixture.advance(DEFAULT_LEASE).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.lease.delivery, line[0], "and so is what was lost with its worker");
    fixture.finish(success(&claim)).await;
    fixture.assert_delivers(&line[1..], "the next one comes after it").await;
}

// Catches in webhook-testkit/src/memory/order.rs:
// - let queue = self.lines.entry((id.endpoint, key)).or_default();
// + let name = self.lines.keys().next().cloned().unwrap_or((id.endpoint, key));
// + let queue = self.lines.entry(name).or_default();
pub async fn keys_and_endpoints_do_not_wait_for_each_other<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let one = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let other = fixture.endpoint_in_order(OrderPolicy::Block).await;
    for endpoint in [one, other] {
        for key in ["a", "A", "b"] {
            fixture.line(endpoint, key, 2).await;
        }
    }
    assert_eq!(fixture.claim().await.len(), 6, "the first of each line is due");
}

// Catches in webhook-testkit/src/memory/order.rs:
// - .filter(|_| endpoint.keeps_order_of(&row.event));
// + ;
pub async fn only_keyed_events_of_endpoints_that_ask_for_order_stand_in_line<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (plain, ordered) =
        (fixture.endpoint().await, fixture.endpoint_in_order(OrderPolicy::Block).await);
    let keyed = fixture.line(plain, "a", 2).await;
    fixture.pendings(ordered, 2).await;
    assert_eq!(fixture.claim().await.len(), 4, "all of them are due");
    assert_eq!(fixture.first_in_line(keyed[0]).await, None, "they are in no line");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - if new.lease.is_none() && !new.missed {
// + if !new.missed {
pub async fn what_is_leased_from_the_beginning_stands_in_no_line<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let mut item = fixture.routed(fixture.ordered("a"), &[endpoint]).await;
    for new in item.fan_out.iter_mut().flat_map(|fan_out| &mut fan_out.deliveries) {
        new.lease = Some(DEFAULT_LEASE);
    }
    fixture.enqueue(vec![item]).await;
    let line = fixture.line(endpoint, "a", 1).await;
    assert_eq!(fixture.claim_one().await.lease.delivery, line[0], "nobody waits for it");
}

// Catches in webhook-testkit/src/memory/order.rs:
// - None => drop(self.lines.remove(&name)),
// + None => {}
// + }
// + if self.lines.values().any(|line| line.is_empty()) {
// + self.endpoints.clear();
pub async fn a_line_that_has_run_empty_begins_anew<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    for _ in 0..2 {
        let line = fixture.line(endpoint, "a", 2).await;
        fixture.assert_delivers(&line, "one after the other").await;
    }
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - policy.is_some_and(|policy| policy.leaves_line(status))
// + policy.is_some_and(|_| status.is_final())
pub async fn a_delivery_that_is_given_up_blocks_its_line<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (_, line) = fixture.given_up(OrderPolicy::Block).await;
    fixture.assert_nothing_to_claim("the line is blocked").await;
    assert_eq!(fixture.first_in_line(line[2]).await, Some(line[0]), "by what was given up");
    let ask = ClaimDue::new(100, DEFAULT_LEASE);
    assert_eq!(fixture.claim_due(ask).await.next_due, None, "nothing is ever due");
    let backlog = fixture.store.backlog().await.unwrap();
    assert_eq!((backlog.pending, backlog.next_due), (2, None), "those behind are pending");
    let status = fixture.store.status().await.unwrap();
    assert_eq!((status.pending, status.oldest_due), (2, None), "and not late");
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - policy.is_some_and(|policy| policy.leaves_line(status))
// + policy.is_some_and(|policy| policy.leaves_line(status)) && status != DeliveryStatus::Failed
pub async fn an_endpoint_may_skip_what_is_given_up<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (_, line) = fixture.given_up(OrderPolicy::Skip).await;
    fixture.assert_delivers(&line[1..], "the line goes on without it").await;
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - self.leave_line(id, now);
pub async fn skipping_what_blocks_lets_its_line_go_on<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (_, line) = fixture.given_up(OrderPolicy::Block).await;
    assert_eq!(fixture.skip(line[0]).await, Skipped::Done, "the line goes on without it");
    assert_eq!(fixture.status(line[0]).await, DeliveryStatus::Failed, "it stays failed");
    let again = fixture.skip(line[0]).await;
    assert_eq!(again, Skipped::Unchanged(DeliveryStatus::Failed), "it blocks nobody any more");
    fixture.assert_delivers(&line[1..], "one after the other").await;
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - if !self.blocks(id) {
// + if false {
pub async fn only_what_blocks_a_line_is_skipped<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let failed = fixture.failed().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let line = fixture.line(endpoint, "a", 2).await;
    let unknown = DeliveryId::new(fixture.ids.event(), endpoint);
    let batch = vec![failed, line[0], line[1], unknown];
    let answers = fixture.store.skip(batch).await.unwrap();
    let pending = Skipped::Unchanged(DeliveryStatus::Pending);
    let expected =
        [Skipped::Unchanged(DeliveryStatus::Failed), pending, pending, Skipped::NotFound];
    assert_eq!(answers, expected, "what is not over can be cancelled");
    fixture.assert_delivers(&line, "nothing has changed").await;
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - if !self.contains(id) {
// + if true {
// +     self.deliveries.retain(|held| *held != id);
pub async fn redelivering_what_blocks_keeps_its_place<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (_, line) = fixture.given_up(OrderPolicy::Block).await;
    assert_eq!(fixture.redeliver(line[0]).await, Redelivered::Done, "it is tried again");
    fixture.assert_delivers(&line, "and then the others").await;
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - done.into_iter().for_each(|id| self.append_to_line(id));
pub async fn a_redelivery_goes_to_the_end_of_its_line<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let old = fixture.line(endpoint, "a", 2).await;
    fixture.assert_delivers(&old, "one after the other").await;
    let new = fixture.line(endpoint, "a", 1).await;
    // Whichever is named first.
    let batch = vec![Redeliver::new(old[1]), Redeliver::new(old[0])];
    let answers = fixture.redeliver_all(batch).await;
    assert_eq!(answers, [Redelivered::Done; 2], "they are tried again");
    assert_eq!(fixture.delivery(old[0]).await.due_at, None, "when it is their turn");
    let expected = [new[0], old[0], old[1]];
    fixture.assert_delivers(&expected, "in the order of their ids, after what was there").await;
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - done.sort_by_key(|id| (self.deliveries.get(id).map(|row| row.state.created_at), *id));
pub async fn what_is_redelivered_together_goes_the_oldest_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let (late, early) = (fixture.ordered("a"), fixture.ordered("a"));
    let ids = [early, late].map(|event| (DeliveryId::new(event.id, endpoint), event));
    let [first, second] = [ids[0].0, ids[1].0];
    for (_, event) in ids {
        fixture.publish(event, &[endpoint]).await;
        fixture.advance(SECOND).await;
    }
    assert!(second < first, "their ids say nothing of that");
    fixture.assert_delivers(&[first, second], "one after the other").await;
    fixture.redeliver_all(vec![Redeliver::new(second), Redeliver::new(first)]).await;
    fixture.assert_delivers(&[first, second], "whichever is named first").await;
    fixture.advance(SECOND).await;
    let mut page = ReplayPage::first(Replay::new(endpoint, Include::All));
    page.cursor.status = DeliveryStatus::Success;
    fixture.store.replay(page).await.unwrap();
    fixture.assert_delivers(&[first, second], "by a replay too").await;
}

// Catches in webhook-testkit/src/memory/maintenance.rs:
// - self.unblock_line(id, change.next_due_at);
pub async fn cancelling_closes_the_gap<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let line = fixture.line(endpoint, "a", 4).await;
    let both = vec![line[0], line[2]];
    assert_eq!(fixture.cancel_all(both).await, [Cancelled::Done; 2], "they are over");
    assert_eq!(fixture.first_in_line(line[3]).await, Some(line[1]), "the next one is the first");
    fixture.assert_delivers(&[line[1], line[3]], "the others go on").await;
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - self.due_at.max(now)
// + now
pub async fn the_next_one_waits_for_an_attempt_that_was_cancelled<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let line = fixture.line(endpoint, "a", 2).await;
    let claim = fixture.claim_one().await;
    fixture.advance(SECOND).await;
    assert_eq!(fixture.cancel(line[0]).await, Cancelled::InFlight, "an attempt is under way");
    fixture.assert_nothing_to_claim("it may still arrive").await;
    fixture.finish(success(&claim)).await;
    fixture.advance(DEFAULT_LEASE - SECOND).await;
    fixture.assert_delivers(&line[1..], "after the end of its lease the next one goes").await;
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - return self.deliveries.drain(..).collect();
// + self.deliveries.clear();
// + return Vec::new();
pub async fn without_order_all_that_waited_is_due<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (endpoint, line) = fixture.given_up(OrderPolicy::Block).await;
    fixture.line(endpoint, "b", 2).await;
    fixture.set_order(endpoint, None).await;
    assert_eq!(fixture.claim().await.len(), 4, "they are due, whatever was before them");
    assert_eq!(fixture.first_in_line(line[1]).await, None, "and in no line any more");
    fixture.set_order(endpoint, Some(OrderPolicy::Block)).await;
    let line = fixture.line(endpoint, "a", 2).await;
    fixture.assert_delivers(&line, "with order, a line begins anew").await;
}

// Catches in webhook-core/src/port/store/state/order_queue.rs:
// - self.first().filter(|_| leaves_queue(policy, first_status));
// + self.first().filter(|_| false);
pub async fn a_change_to_skipping_lets_blocked_lines_go_on<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (endpoint, line) = fixture.given_up(OrderPolicy::Block).await;
    let busy = fixture.line(endpoint, "b", 2).await;
    fixture.set_order(endpoint, Some(OrderPolicy::Skip)).await;
    let claims = fixture.claim().await;
    let mut first: Vec<_> = deliveries(&claims);
    first.sort_unstable();
    assert_eq!(first, [line[1], busy[0]], "one of each line, as before");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.reorder(id, now);
// + for id in self.deliveries.keys().copied().collect::<Vec<_>>() {
// + self.append_to_line(id);
// + }
pub async fn what_was_stored_before_order_was_asked_for_is_in_no_line<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    fixture.line(endpoint, "a", 2).await;
    fixture.set_order(endpoint, Some(OrderPolicy::Block)).await;
    fixture.line(endpoint, "a", 2).await;
    assert_eq!(fixture.claim().await.len(), 3, "those of before, and the first of the line");
}

// Catches in webhook-testkit/src/memory/endpoints.rs:
// - self.lines.retain(|(endpoint, _), _| *endpoint != id);
pub async fn removing_an_endpoint_cancels_all_that_waits<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (endpoint, line) = fixture.given_up(OrderPolicy::Block).await;
    fixture.remove(endpoint).await;
    for id in &line[1..] {
        assert_eq!(fixture.status(*id).await, DeliveryStatus::Cancelled, "it is over");
    }
    assert_eq!(fixture.first_in_line(line[0]).await, None, "there is no line any more");
    fixture.assert_nothing_to_claim("nothing is left").await;
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - let old = old.filter(|(id, _)| !self.blocks(**id));
pub async fn what_blocks_a_line_is_not_pruned<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (_, line) = fixture.given_up(OrderPolicy::Block).await;
    fixture.advance(SECOND * 60).await;
    for prune in [Prune::older_than(SECOND).dry_run(), Prune::older_than(SECOND)] {
        let pruned = fixture.prune_all(prune).await;
        assert_eq!((pruned.deliveries, pruned.events), (0, 0), "it is not over");
    }
    assert_eq!(fixture.skip(line[0]).await, Skipped::Done, "once it is skipped");
    let pruned = fixture.prune_all(Prune::older_than(SECOND)).await;
    assert_eq!((pruned.deliveries, pruned.events), (1, 1), "it is pruned as others are");
    fixture.assert_delivers(&line[1..], "the others go on").await;
}

// Catches in webhook-testkit/src/memory/order.rs:
// - Some(first) => self.unblock(first, due_at),
// + Some(_) => {}
pub async fn publishers_and_workers_at_once_keep_order_and_forget_nobody<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint_in_order(OrderPolicy::Block).await;
    let rounds = 12;
    let sent = RefCell::new(Vec::new());
    let publisher = async |key: &'static str| fixture.line(endpoint, key, rounds).await;
    let worker = async || {
        for _ in 0..rounds * 2 {
            for claim in fixture.claim_due(ClaimDue::new(1, DEFAULT_LEASE)).await.claims {
                sent.borrow_mut().push(claim.lease.delivery);
                fixture.finish(success(&claim)).await;
            }
            tokio::task::yield_now().await;
        }
    };
    let (one, other, ..) = tokio::join!(publisher("a"), publisher("b"), worker(), worker());
    let mut sent = sent.into_inner();
    sent.extend(fixture.deliver_all().await);
    for line in [one, other] {
        let of_line: Vec<_> = sent.iter().filter(|id| line.contains(id)).copied().collect();
        assert_eq!(of_line, line, "each once, each after the one before");
    }
}
