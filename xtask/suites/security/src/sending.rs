//! One request with few words, and what came of it.

use std::{error::Error as _, time::Duration};

use webhook_core::{
    EndpointUrl,
    transport::{Request, Response, Transport, TransportError},
};
use webhook_http::HttpTransport;

/// The deadline of every request here.
pub(crate) const DEADLINE: Duration = Duration::from_millis(400);

pub(crate) async fn post(
    transport: &HttpTransport,
    url: &EndpointUrl,
) -> Result<Response, TransportError> {
    let request = Request::new(url.clone(), http::HeaderMap::new(), "{}".into());
    transport.send(request.with_timeout(DEADLINE)).await
}

/// The rule behind a refusal, as it is told to whoever has to mend it; without the advice that follows.
pub(crate) fn reason(error: &TransportError) -> String {
    let rule = error.source().map(ToString::to_string).unwrap_or_else(|| error.to_string());
    let rule = rule.split(';').next().unwrap_or_default();
    format!("refused: {rule}")
}
