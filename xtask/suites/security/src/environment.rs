//! Variables of the environment that would send requests elsewhere.
//!
//! Each is set for a process of its own, which sends one request: this program, called with [`SEND`].

use std::{env, process::Stdio};

use tokio::process::Command;
use webhook_core::EndpointUrl;
use webhook_testkit::TestReceiver;

use crate::{canary::Canary, case::Seen, names::through, sending::post};

/// Sends to the URL that follows, through the proxy that follows it, if one does.
pub(crate) const SEND: &str = "send";

/// The same, as senders do that heed the environment.
const HEED: &str = "heed";

/// `HTTP_PROXY=http://proxy` or `NO_PROXY=127.0.0.1`; `proxy` stands for the canary's address. Only the
/// latter is about a proxy that the operator has named.
pub(crate) async fn play(input: &str) -> Seen {
    let (name, value) = input.split_once('=').expect("a variable and its value");
    let mut outcomes = Vec::new();
    for how in [SEND, HEED] {
        let (receiver, canary) = (TestReceiver::answering([200]).await, Canary::everywhere().await);
        let proxy = format!("127.0.0.1:{}", canary.port());
        let mut child = Command::new(env::current_exe().expect("this program is somewhere"));
        child.args([how, &receiver.url()]).env(name, value.replace("proxy", &proxy));
        if name == "NO_PROXY" {
            child.arg(format!("http://{proxy}"));
        }
        let ran = child.stdout(Stdio::null()).status().await.expect("this program runs twice");
        assert!(ran.success(), "the sender ended with {ran}");
        outcomes.push(match (receiver.connections() > 0, canary.is_reached().await) {
            (true, false) => "goes straight to the receiver",
            (false, true) => "goes to the proxy",
            (true, true) => "goes to both",
            (false, false) => "goes nowhere",
        });
    }
    Seen::new(outcomes[0], outcomes[1])
}

/// What the process does.
pub(crate) async fn send(args: &[String]) {
    let [how, url, named @ ..] = args else { return };
    let url: EndpointUrl = url.parse().expect("a URL");
    let named = named.first().cloned();
    let proxy = if how == SEND { named } else { heeded(named) };
    let transport = through(proxy.map(|proxy| proxy.parse().expect("a proxy")));
    let _ = post(&transport, &url).await;
}

/// What a sender makes of the environment that heeds it.
fn heeded(named: Option<String>) -> Option<String> {
    if env::var_os("NO_PROXY").is_some() {
        return None;
    }
    named.or_else(|| env::var("HTTP_PROXY").or_else(|_| env::var("ALL_PROXY")).ok())
}

/// Whether this is the process that sends.
pub(crate) fn is_asked(args: &[String]) -> bool {
    args.first().is_some_and(|how| how == SEND || how == HEED)
}
