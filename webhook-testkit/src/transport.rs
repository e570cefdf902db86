//! A transport that answers by script, and remembers what it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use webhook_core::{
    Clock, EndpointTls, Secret, Timestamp,
    signing::Verifier,
    transport::{Request, Response, Transport, TransportError},
};

use crate::{
    ManualClock, PlainSigner,
    scripted_response::{ScriptedResponse, status},
};

/// A transport that answers by script. Clones are the same transport.
///
/// Each request takes the next answer of its URL's own script, then of the common one, then the
/// answer for all others, which is 200 until [`otherwise`](Self::otherwise) says something else.
///
/// ```
/// use webhook_core::{transport::{Request, Transport}};
/// use webhook_testkit::{ScriptedTransport, status};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let transport = ScriptedTransport::new();
/// transport.answers([status(503).body("try later")]);
/// let request = || Request::new("https://a.example/".parse().unwrap(), Default::default(), "{}".into());
///
/// assert_eq!(transport.send(request()).await.unwrap().status, 503);
/// assert_eq!(transport.send(request()).await.unwrap().status, 200);
/// assert_eq!(transport.requests().len(), 2);
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct ScriptedTransport {
    script: Arc<Mutex<Script>>,
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Default)]
struct Script {
    common: VecDeque<ScriptedResponse>,
    by_url: BTreeMap<String, VecDeque<ScriptedResponse>>,
    otherwise: Option<ScriptedResponse>,
    /// Until when everything is answered so, whatever the scripts say.
    outage: Option<(Timestamp, ScriptedResponse)>,
    sent: Vec<SentRequest>,
}

/// A request that a [`ScriptedTransport`] was given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SentRequest {
    /// When, by the transport's clock; [`ManualClock::START`] when it has none.
    pub at: Timestamp,
    /// The request.
    pub request: Request,
    /// What it was answered, or is going to be.
    pub answer: ScriptedResponse,
}

impl SentRequest {
    /// Whether a receiver that knows `secret` takes it for genuine; signed, that is, by a
    /// [`PlainSigner`], as in a [`World`](crate::World).
    pub fn is_signed_with(&self, secret: &Secret) -> bool {
        let Request { headers, body, .. } = &self.request;
        Verifier::new(secret.clone()).verify(&PlainSigner::new(), headers, body, self.at).is_ok()
    }
}

impl ScriptedTransport {
    /// A transport without a clock: every answer comes at once, time-outs too.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transport whose answers take their time by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..Self::default() }
    }

    /// Appends to the script for requests to any URL.
    pub fn answers(&self, answers: impl IntoIterator<Item = ScriptedResponse>) {
        self.script().common.extend(answers);
    }

    /// Appends to the script for requests to `url`, as written there, query included.
    pub fn answers_at(&self, url: &str, answers: impl IntoIterator<Item = ScriptedResponse>) {
        self.script().by_url.entry(url.to_owned()).or_default().extend(answers);
    }

    /// Sets what is answered when the scripts are at their ends.
    pub fn otherwise(&self, answer: ScriptedResponse) {
        self.script().otherwise = Some(answer);
    }

    /// Answers everything so before `until`, and leaves the scripts for later.
    pub(crate) fn outage(&self, until: Timestamp, answer: ScriptedResponse) {
        self.script().outage = Some((until, answer));
    }

    /// The requests so far, in the order they were sent.
    pub fn requests(&self) -> Vec<SentRequest> {
        self.script().sent.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, request: &Request) -> ScriptedResponse {
        let at = self.clock.as_ref().map_or(ManualClock::START, |clock| clock.now());
        let mut script = self.script();
        let answer = script.next(request.url.as_str(), at);
        script.sent.push(SentRequest { at, request: request.clone(), answer: answer.clone() });
        answer
    }
}

impl Script {
    fn next(&mut self, url: &str, at: Timestamp) -> ScriptedResponse {
        if let Some((until, answer)) = &self.outage
            && at < *until
        {
            return answer.clone();
        }
        let own = self.by_url.get_mut(url).and_then(VecDeque::pop_front);
        let next = own.or_else(|| self.common.pop_front()).or_else(|| self.otherwise.clone());
        next.unwrap_or_else(|| status(200))
    }
}

#[async_trait]
impl Transport for ScriptedTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let answer = self.take(&request);
        match (answer.takes(request.timeout), &self.clock) {
            (None, _) => std::future::pending().await,
            (Some(wait), Some(clock)) if !wait.is_zero() => clock.sleep(wait).await,
            _ => {}
        }
        answer.into_result(request.max_response_body)
    }

    /// There is no connection to secure.
    fn accepts_tls(&self, _tls: &EndpointTls) -> Result<(), TransportError> {
        Ok(())
    }
}

impl fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.script().sent.len();
        f.debug_struct("ScriptedTransport").field("sent", &sent).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_response::{refused, silence, timeout};
    use futures_util::FutureExt;
    use std::time::Duration;

    fn request(url: &str) -> Request {
        Request::new(url.parse().unwrap(), http::HeaderMap::new(), "{}".into())
    }

    fn status_of(transport: &ScriptedTransport, url: &str) -> u16 {
        let answer = transport.send(request(url)).now_or_never().unwrap();
        answer.unwrap().status.as_u16()
    }

    #[test]
    fn a_urls_own_script_goes_before_the_common_one() {
        let transport = ScriptedTransport::new();
        transport.answers([status(503), status(502)]);
        transport.answers_at("https://b.example/", [status(410)]);
        transport.otherwise(status(204));
        let (a, b) = ("https://a.example/", "https://b.example/");
        let sent: Vec<_> = [a, b, b, a].iter().map(|url| status_of(&transport, url)).collect();
        assert_eq!(sent, [503, 410, 502, 204]);
    }

    #[test]
    fn a_timeout_takes_the_whole_deadline_by_the_clock() {
        let clock = ManualClock::new();
        let transport = ScriptedTransport::with_clock(Arc::new(clock.clone()));
        transport.answers([timeout(), refused()]);
        let deadline = Duration::from_secs(7);
        let mut late = transport.send(request("https://a.example/").with_timeout(deadline));
        assert!((&mut late).now_or_never().is_none());
        assert_eq!(clock.next_deadline(), Some(deadline));
        clock.advance(deadline);
        assert!(late.now_or_never().unwrap().is_err());
        assert!(transport.send(request("https://a.example/")).now_or_never().unwrap().is_err());
    }

    #[test]
    fn silence_lasts_for_ever() {
        let clock = ManualClock::new();
        let transport = ScriptedTransport::with_clock(Arc::new(clock.clone()));
        transport.answers([silence()]);
        let mut send = transport.send(request("https://a.example/"));
        assert!((&mut send).now_or_never().is_none());
        clock.advance(Duration::from_secs(1_000_000));
        assert!(send.now_or_never().is_none());
    }
}
