//! B: names, and what they lead to.
//!
//! A name server answers by the script that is the input. 127.0.0.2 stands for an address that anybody
//! may reach: its net is permitted, and a receiver answers there. 127.0.0.1 stays refused, and is where
//! the canary listens.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::time::timeout;
use webhook_core::{
    EndpointUrl, FailureKind, Outcome, RetryPolicy,
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
};
use webhook_http::{AddressPolicy, HttpTransport, Proxy};

use crate::{
    canary::Canary,
    case::Seen,
    decided,
    dns::{DnsAnswer, NameServer},
    environment,
    ids::Id,
    public::Public,
    sending::{DEADLINE, post, reason},
};

pub(crate) async fn play(id: Id, input: &str) -> Seen {
    match id.number {
        2 => judged_by_one_look_up(input).await,
        7..=9 => failed(input).await,
        10 => never_answered().await,
        12 => absolute().await,
        13 => looked_up_again(input).await,
        14 => kept(input).await,
        15..=17 => environment::play(input).await,
        _ => answered(input).await,
    }
}

/// `A 127.0.0.1 10.0.0.1 then AAAA ::1 then code 3 then silence then alias localhost A 127.0.0.1`.
fn script(input: &str) -> Vec<DnsAnswer> {
    input.split(" then ").map(one_answer).collect()
}

fn one_answer(spelled: &str) -> DnsAnswer {
    let mut answer = DnsAnswer::default();
    let mut words = spelled.split(' ').peekable();
    while let Some(word) = words.next() {
        match word {
            "A" | "AAAA" | "nothing" => {}
            "silence" => answer.silent = true,
            "alias" => answer.alias = words.next().map(str::to_owned),
            "code" => {
                answer.code = words.next().and_then(|code| code.parse().ok()).expect("a code");
            }
            net if net.ends_with("/*") => {
                let first = net.trim_end_matches("/*");
                let address = |n| format!("{first}.{n}").parse::<IpAddr>().expect("an address");
                answer.addresses.extend((0..250).map(address));
            }
            address => answer.addresses.push(address.parse().expect("an address")),
        };
    }
    answer
}

fn transport(names: &NameServer, policy: AddressPolicy) -> HttpTransport {
    let builder = HttpTransport::builder().addresses(policy.allow_http());
    builder.name_servers([names.addr()]).build().expect("a transport")
}

/// The net of the receiver, and that of many addresses where nobody is.
fn guarded(names: &NameServer) -> HttpTransport {
    let nets = ["127.0.0.2/32", "127.1.0.0/16"].map(|net| net.parse().expect("a net"));
    transport(names, nets.into_iter().fold(AddressPolicy::new(), AddressPolicy::allow_net))
}

fn open(names: &NameServer) -> HttpTransport {
    let policy = AddressPolicy::new().dangerous_allow_private_addresses();
    transport(names, policy.dangerous_allow_metadata_addresses())
}

fn url(port: u16) -> EndpointUrl {
    format!("http://billing.example:{port}/").parse().expect("a URL")
}

fn outcome_text(result: &Result<Response, TransportError>) -> String {
    match result {
        Ok(_) => "delivered".to_owned(),
        Err(error) if error.kind() == TransportErrorKind::BlockedName => reason(error),
        Err(error) => error.to_string(),
    }
}

/// Whom a request reaches whose name is looked up by this script.
async fn answered(input: &str) -> Seen {
    let mut outcomes = Vec::new();
    for make in [guarded, open] {
        let (names, both) =
            (NameServer::answering(script(input)).await, Public::beside_a_canary().await);
        let sent = post(&make(&names), &url(both.port())).await;
        outcomes.push(match (&sent, both.canary.is_reached().await) {
            (_, true) => "reaches the canary".to_owned(),
            (Err(error), false) if !is_refusal(error) => "is dialled".to_owned(),
            (sent, false) => outcome_text(sent),
        });
    }
    let open = outcomes.pop().expect("two were played");
    Seen::new(outcomes.pop().expect("two were played"), open)
}

fn is_refusal(error: &TransportError) -> bool {
    matches!(error.kind(), TransportErrorKind::BlockedName | TransportErrorKind::BlockedLiteral)
}

/// Rebinding. Without the guard one look-up is judged, and another one dialled.
async fn judged_by_one_look_up(input: &str) -> Seen {
    let (names, both) =
        (NameServer::answering(script(input)).await, Public::beside_a_canary().await);
    let sent = post(&guarded(&names), &url(both.port())).await;
    let with = match both.canary.is_reached().await {
        true => "reaches the canary".to_owned(),
        false => format!("{} after {} look-up", outcome_text(&sent), names.asked().len()),
    };
    let names = NameServer::answering(script(input)).await;
    names.skip();
    let sent = post(&open(&names), &url(both.port())).await;
    let reached = both.canary.is_reached().await;
    Seen::new(with, if reached { "reaches the canary".to_owned() } else { outcome_text(&sent) })
}

/// A look-up that fails is tried again later. Without retries the event is lost.
async fn failed(input: &str) -> Seen {
    let names = NameServer::answering(script(input)).await;
    let sent = post(&guarded(&names), &url(8443)).await;
    let Err(error) = sent else { return Seen::new("delivered", "delivered") };
    let kind = FailureKind::from(error.kind());
    let outcome = Outcome::NotAnswered(error);
    let then = |policy| decided::outcome_text(decided::after(&outcome, &policy));
    Seen::new(format!("{kind}: {}", then(RetryPolicy::durable())), then(RetryPolicy::none()))
}

/// A thousand look-ups that are never answered end with their attempts. Without a deadline they wait on.
async fn never_answered() -> Seen {
    const LOOKUPS: usize = 1000;
    /// How much later than its deadline the last of a thousand may end, on a machine that is busy.
    const GRACE: Duration = Duration::from_secs(2);
    let silent = DnsAnswer { silent: true, ..DnsAnswer::default() };
    let names = NameServer::answering([silent]).await;
    let transport = guarded(&names);
    let url = |n: usize| format!("http://h{n}.example/").parse().expect("a URL");
    let begun = Instant::now();
    let urls: Vec<EndpointUrl> = (0..LOOKUPS).map(url).collect();
    let ended = join_all(urls.iter().map(|url| post(&transport, url))).await;
    let in_time = begun.elapsed() < DEADLINE + GRACE;
    let phases = ended.iter().filter(|sent| outcome_text(sent).contains("resolv")).count();
    let patient = Request::new(url(LOOKUPS), http::HeaderMap::new(), "".into());
    let without = timeout(DEADLINE * 2, transport.send(patient)).await;
    let with = match (in_time, phases) {
        (true, LOOKUPS) => format!("{}, all {LOOKUPS} in time", outcome_text(&ended[0])),
        (in_time, phases) => format!("in time: {in_time}, {phases} of {LOOKUPS} while resolving"),
    };
    Seen::new(with, without.map_or_else(|_| "waits on".to_owned(), |sent| outcome_text(&sent)))
}

/// A name is asked for as it stands. Without the guard the search domain of the machine is tried.
async fn absolute() -> Seen {
    let here = || one_answer("A 127.0.0.1");
    let missing = NameServer::answering([one_answer("code 3")]).await;
    let policy = AddressPolicy::new().allow_name("db".parse().expect("a name"));
    let canary = Canary::everywhere().await;
    let to = |name: &str| format!("http://{name}:{}/", canary.port()).parse().expect("a URL");
    let sent = post(&transport(&missing, policy), &to("db")).await;
    let mut asked = missing.asked();
    asked.dedup();
    let with = format!("asks for {}; {}", asked.join(", "), outcome_text(&sent));
    let found = NameServer::answering([here()]).await;
    let _ = post(&open(&found), &to("db.corp.example")).await;
    let reached = if canary.is_reached().await { "reaches the canary" } else { "is lost" };
    Seen::new(with, format!("asks for {}; {reached}", found.asked().join(", ")))
}

/// What is not kept is asked for again, and judged again.
async fn looked_up_again(input: &str) -> Seen {
    let mut outcomes = Vec::new();
    for make in [guarded, open] {
        let names = NameServer::answering(script(input)).await;
        let both = Public::beside_a_canary().await.closing();
        let transport = make(&names);
        let first = post(&transport, &url(both.port())).await;
        let next = post(&transport, &url(both.port())).await;
        let next = if both.canary.is_reached().await {
            "reaches the canary".to_owned()
        } else {
            outcome_text(&next)
        };
        outcomes.push(format!("{}; the next one: {next}", outcome_text(&first)));
    }
    let open = outcomes.pop().expect("two were played");
    Seen::new(outcomes.pop().expect("two were played"), open)
}

/// A connection leads where it was judged, whatever its name leads to now. Without the guard the name
/// counts again.
async fn kept(input: &str) -> Seen {
    let names = NameServer::answering(script(input)).await;
    let both = Public::beside_a_canary().await;
    let transport = guarded(&names);
    let first = post(&transport, &url(both.port())).await;
    let next = post(&transport, &url(both.port())).await;
    let with = format!(
        "{}; the next one: {}, {} look-up",
        outcome_text(&first),
        outcome_text(&next),
        names.asked().len()
    );
    let _ = post(&open(&names), &url(both.port())).await;
    let reached = both.canary.is_reached().await;
    Seen::new(with, if reached { "reaches the canary" } else { "is lost" })
}

/// The proxy that the operator has named, whatever the environment says.
pub(crate) fn through(proxy: Option<Proxy>) -> HttpTransport {
    let builder = HttpTransport::builder().dangerous_allow_private_addresses();
    let builder = match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    };
    builder.build().expect("a transport")
}
