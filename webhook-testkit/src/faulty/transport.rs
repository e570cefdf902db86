use async_trait::async_trait;
use webhook_core::{
    EndpointTls, EndpointUrl,
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
};

use super::{FAULT_MESSAGE, Fault, FaultScript};

/// A transport with scripted faults. Tests often lack a fault *after* the effect: the receiver has
/// the event, and the sender does not know.
///
/// ```
/// use webhook_core::transport::TransportErrorKind;
/// use webhook_testkit::{Fault, FaultyTransport, ScriptedTransport};
///
/// let transport = FaultyTransport::new(ScriptedTransport::new());
/// transport.fails([Fault::After(TransportErrorKind::Other), Fault::None]);
/// ```
#[derive(Debug)]
pub struct FaultyTransport<T> {
    inner: T,
    faults: FaultScript<TransportErrorKind>,
}

impl<T> FaultyTransport<T> {
    /// A transport that passes every request to `inner`, without faults at first.
    pub fn new(inner: T) -> Self {
        Self { inner, faults: FaultScript::default() }
    }

    /// Appends to the script of faults: one for each request.
    pub fn fails(&self, faults: impl IntoIterator<Item = Fault<TransportErrorKind>>) {
        self.faults.add(faults);
    }

    /// Releases the [held](Fault::Held) results.
    pub fn release_held(&self) {
        self.faults.release_held();
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Transport> Transport for FaultyTransport<T> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.faults.around(self.inner.send(request), failed).await
    }

    /// Not with faults that hold a call back.
    fn enforces_timeout(&self) -> bool {
        false
    }

    fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError> {
        self.inner.accepts(url)
    }

    fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError> {
        self.inner.accepts_tls(tls)
    }
}

fn failed(kind: TransportErrorKind) -> TransportError {
    TransportError::because(kind, FAULT_MESSAGE)
}
