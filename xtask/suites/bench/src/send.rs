//! Send now: how much of what hyper can do is left, and how much more than reqwest it is.

use std::collections::BTreeMap;

use crate::{
    Failure,
    child::Build,
    cost::{Cost, median},
    options::Options,
    receiver::Receiver,
    report::{Report, Table, ms},
    sender::{Client, SendTask, send},
};

/// Requests under way at once.
const AT_ONCE: usize = 64;

/// The part of the bare loop's requests per CPU second that ours has to reach, and how many times
/// reqwest's.
const OF_BARE: f64 = 0.9;
const TIMES_PEER: f64 = 1.6;

const CLIENTS: [(Client, &str); 3] =
    [(Client::Bare, "bare hyper"), (Client::Ours, "Publisher"), (Client::Peer, "reqwest")];

/// How many times each client sends for a run of the others: what is compared lies close together, and a
/// round takes seconds.
const ROUNDS: usize = 3;

/// The most requests of which allocations are counted: they differ little from one to the next.
const COUNTED: usize = 20_000;

/// Measures all clients in turn, over and over, so that a slow minute is everybody's.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    for secured in [false, true] {
        let mut sent: BTreeMap<&str, Vec<Sent>> = BTreeMap::new();
        for _ in 0..options.size(options.runs * ROUNDS, 1) {
            for (client, name) in CLIENTS {
                let one = once(Build::Plain, client, secured, options.requests).await?;
                sent.entry(name).or_default().push(one);
            }
        }
        tell(if secured { "send now, over TLS" } else { "send now" }, sent, report)?;
    }
    if !report.can_count() {
        return Ok(());
    }
    let mut counted = Vec::new();
    for (client, name) in CLIENTS {
        let requests = options.requests.min(COUNTED);
        counted.push((name, once(Build::Counting, client, false, requests).await?.cost));
    }
    report.add_allocations("send now, each request", &counted);
    Ok(())
}

/// What so many requests took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) cost: Cost,
    /// Seconds of CPU of the receiver, for each of them.
    pub(crate) receiving: f64,
}

/// Sends over plain HTTP as the bare loop does.
pub(crate) async fn bare(requests: usize) -> Result<Sent, Failure> {
    once(Build::Plain, Client::Bare, false, requests).await
}

async fn once(
    build: Build,
    client: Client,
    secured: bool,
    requests: usize,
) -> Result<Sent, Failure> {
    let receiver =
        if secured { Receiver::start_secured().await? } else { Receiver::start().await? };
    let (url, root) = (receiver.url("sink"), receiver.root());
    let cost = send(build, &SendTask { client, url, root, requests, at_once: AT_ONCE }).await?;
    let seen = receiver.stop().await?;
    Ok(Sent { cost, receiving: seen.cpu / seen.requests.max(1) as f64 })
}

fn tell(how: &str, sent: BTreeMap<&str, Vec<Sent>>, report: &mut Report) -> Result<(), Failure> {
    let columns =
        ["per second", "per CPU s", "CPU s/10k", "receiver's", "p50 ms", "p99 ms", "peak MiB"];
    let mut table = Table::new(how, &columns);
    for (_, name) in CLIENTS {
        let all = sent.get(name).cloned().unwrap_or_default();
        let middle = median(all, |it| it.cost.per_cpu_second()).ok_or("nothing was measured")?;
        let Sent { cost, receiving } = middle;
        let figures = [
            cost.per_second(),
            cost.per_cpu_second(),
            1e4 / cost.per_cpu_second(),
            1e4 * receiving,
            ms(cost.latency.p50),
            ms(cost.latency.p99),
            cost.peak_mib,
        ];
        table.row(name, &figures);
    }
    report.add(table);
    let than = |name: &str| ours_to(&sent, name).ok_or("nothing was measured");
    report.at_least(format!("{how}: part of bare hyper"), than("bare hyper")?, OF_BARE);
    report.at_least(format!("{how}: times reqwest"), than("reqwest")?, TIMES_PEER);
    Ok(())
}

/// How many requests for each CPU second ours makes for one of the other's. Compared round by round, as a
/// slow minute is not the same for two medians.
fn ours_to(sent: &BTreeMap<&str, Vec<Sent>>, other: &str) -> Option<f64> {
    let (ours, other) = (sent.get("Publisher")?, sent.get(other)?);
    let ratio = |(ours, other): (&Sent, &Sent)| {
        ours.cost.per_cpu_second() / other.cost.per_cpu_second().max(f64::EPSILON)
    };
    median(ours.iter().zip(other).map(ratio).collect(), |ratio| *ratio)
}
