use webhook_core::{
    DeliveryId, EndpointId, EventId, NewEvent, Trigger,
    store::{Enqueued, NewDelivery},
};

use super::Operator;
use crate::error::{EndpointError, PublishError, TestError};

/// Event type of a test by default.
const TEST_EVENT_TYPE: &str = "webhook.test";

/// Body of a test by default.
const TEST_EVENT_BODY: &str = r#"{"test":true}"#;

/// Tests of endpoints.
impl Operator<'_> {
    /// Sends a small event of the type `webhook.test` to this endpoint and no other, whatever it
    /// wants: a delivery like any other, signed, tried again and on record, made by a worker. Its
    /// attempts say that they are [a test](Trigger::Test), and tell nothing of the endpoint's
    /// health.
    ///
    /// # Errors
    ///
    /// [`TestError::NotActive`] when the endpoint is paused or disabled, so that nothing would
    /// arrive; [`TestError::Endpoint`] when there is none.
    pub async fn send_test(&self, endpoint: EndpointId) -> Result<DeliveryId, TestError> {
        let event = NewEvent::new(TEST_EVENT_TYPE, TEST_EVENT_BODY).map_err(PublishError::from)?;
        self.send_test_event(endpoint, event).await
    }

    /// The same, with an event of your own: it is its endpoint's tenant's, whatever tenant it
    /// names.
    ///
    /// # Errors
    ///
    /// As [`send_test`](Self::send_test); [`TestError::Publish`] when the event cannot be stored.
    pub async fn send_test_event(
        &self,
        endpoint: EndpointId,
        event: NewEvent,
    ) -> Result<DeliveryId, TestError> {
        let found = self.endpoint(endpoint).await?;
        if !found.state.is_active() {
            return Err(TestError::NotActive { endpoint, state: found.state });
        }
        event.check_size(self.engine.max_body).map_err(PublishError::from)?;
        let new_id = || EventId::from_uuid(self.engine.ids.next_id());
        let event = event.tenant(found.tenant).into_event(new_id, self.engine.clock.now());
        let delivery = DeliveryId::new(event.id, endpoint);
        let direct = NewDelivery::pending(endpoint).with_cause(Trigger::Test);
        let answer = self.engine.publisher.publish_directly(event, direct).await;
        match answer.map_err(PublishError::from)? {
            Enqueued::EndpointGone => Err(EndpointError::NotFound(endpoint).into()),
            Enqueued::Conflict(first) => {
                let taken = crate::error::Taken::Id(delivery.event);
                Err(PublishError::Conflict { taken, first }.into())
            }
            // A duplicate is our own, stored by an earlier try whose answer was lost.
            _ => Ok(delivery),
        }
    }
}
