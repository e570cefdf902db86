//! Exchanger: signs and sends one request.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{Either, select},
};

use crate::{
    model::{
        attempt::{Attempt, Outcome},
        endpoint::Endpoint,
        event::Event,
        exchange::{Phase, TransportError, TransportErrorKind},
        time::Timestamp,
        trigger::Trigger,
    },
    port::{Clock, Signer, Transport},
    wire::request::compose,
};

/// Makes attempts through the ports that they need.
#[derive(Clone, Debug)]
pub(crate) struct Exchanger {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Maximum timeout of an attempt, also if its endpoint has a longer one.
    pub(crate) max_timeout: Duration,
}

/// Outcome of an attempt, with its times.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) duration: Duration,
    pub(crate) outcome: Outcome,
}

impl Exchange {
    /// Returns the record of the exchange as the `number`-th attempt, made for this reason.
    pub(crate) fn record(&self, number: u32, trigger: Trigger) -> Attempt {
        Attempt::record(number, self.started_at, self.duration, &self.outcome).with_trigger(trigger)
    }
}

/// Time after its timeout at which a transport's call is cut off.
const TIMEOUT_GRACE: Duration = Duration::from_millis(250);

impl Exchanger {
    /// Makes one attempt. Every failure, including a panic in a port, is an outcome.
    pub(crate) async fn exchange(&self, event: &Event, endpoint: &Endpoint) -> Exchange {
        let (started_at, start) = (self.clock.now(), self.clock.monotonic());
        let signed_and_sent = AssertUnwindSafe(self.sign_and_send(event, endpoint, started_at));
        let outcome = signed_and_sent.catch_unwind().await.unwrap_or_else(|_| panicked());
        let duration = self.clock.monotonic().saturating_sub(start);
        Exchange { started_at, ended_at: started_at.after(duration), duration, outcome }
    }

    async fn sign_and_send(&self, event: &Event, endpoint: &Endpoint, now: Timestamp) -> Outcome {
        let request = match compose(event, endpoint, &*self.signer, now) {
            Ok(request) => request,
            Err(error) => return Outcome::NotSigned(error),
        };
        let timeout = request.timeout.min(self.max_timeout);
        let sent = self.transport.send(request.with_timeout(timeout));
        let answer = if self.transport.enforces_timeout() {
            sent.await
        } else {
            self.cut_off(sent, timeout.saturating_add(TIMEOUT_GRACE)).await
        };
        answer.map_or_else(Outcome::NotAnswered, Outcome::Answered)
    }

    /// Cuts off a transport that exceeds its timeout, because the lease depends on it.
    async fn cut_off<T>(
        &self,
        sent: impl Future<Output = Result<T, TransportError>> + Unpin,
        after: Duration,
    ) -> Result<T, TransportError> {
        match select(sent, self.clock.sleep(after)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                Err(TransportError::new(TransportErrorKind::Timeout(Phase::Exchange)))
            }
        }
    }
}

fn panicked() -> Outcome {
    let reason = "a transport, signer or clock panicked";
    Outcome::NotAnswered(TransportError::because(TransportErrorKind::Other, reason))
}
