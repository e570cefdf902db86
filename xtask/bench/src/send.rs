//! Send now: how much of what hyper can do is left, and how much more than reqwest it is.

use std::collections::BTreeMap;

use crate::{
    Failure, Options,
    cost::{Cost, median},
    receiver::Receiver,
    report::{Goal, Report, Table},
    sender::{Client, Task, send},
};

/// Requests under way at once.
const AT_ONCE: usize = 64;

/// The part of the bare loop's requests per CPU second that ours has to reach, and how many times
/// reqwest's.
const OF_BARE: f64 = 0.9;
const TIMES_PEER: f64 = 1.6;

const CLIENTS: [(Client, &str); 3] =
    [(Client::Bare, "bare hyper"), (Client::Ours, "Publisher"), (Client::Peer, "reqwest")];

/// Measures all clients in turn, over and over, so that a slow minute is everybody's.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    for secured in [false, true] {
        let mut costs: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
        let mut receiving: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for _ in 0..options.runs {
            for (client, name) in CLIENTS {
                let (cost, receiver) = one(client, secured, options.requests).await?;
                costs.entry(name).or_default().push(cost);
                receiving.entry(name).or_default().push(receiver);
            }
        }
        let how = if secured { "send now, over TLS" } else { "send now" };
        tell(how, &costs, &receiving, report)?;
    }
    Ok(())
}

/// What the sender used, and seconds of CPU per request of the receiver.
async fn one(client: Client, secured: bool, requests: usize) -> Result<(Cost, f64), Failure> {
    let receiver =
        if secured { Receiver::start_secured().await? } else { Receiver::start().await? };
    let (url, root) = (receiver.url("sink"), receiver.root());
    let cost = send(&Task { client, url, root, requests, at_once: AT_ONCE }).await?;
    let seen = receiver.stop().await?;
    Ok((cost, seen.cpu / seen.requests.max(1) as f64))
}

fn tell(
    how: &str,
    costs: &BTreeMap<&str, Vec<Cost>>,
    receiving: &BTreeMap<&str, Vec<f64>>,
    report: &mut Report,
) -> Result<(), Failure> {
    let columns =
        ["per second", "per CPU s", "CPU s/100k", "receiver's", "p50 ms", "p99 ms", "peak MiB"];
    let mut table = Table::new(how, &columns);
    let mut rates = BTreeMap::new();
    for (_, name) in CLIENTS {
        let all = costs.get(name).cloned().unwrap_or_default();
        let cost = median(all, Cost::per_cpu_second).ok_or("nothing was measured")?;
        let receiver = median(receiving.get(name).cloned().unwrap_or_default(), |it| *it);
        let hundred_thousand = |per_request: f64| per_request * 1e5;
        table.row(
            name,
            &[
                cost.per_second(),
                cost.per_cpu_second(),
                hundred_thousand(1.0 / cost.per_cpu_second()),
                hundred_thousand(receiver.unwrap_or_default()),
                cost.p50.as_secs_f64() * 1e3,
                cost.p99.as_secs_f64() * 1e3,
                cost.peak_mib,
            ],
        );
        rates.insert(name, cost.per_cpu_second());
    }
    report.add(table);
    let ours = rates.get("Publisher").copied().unwrap_or_default();
    let than = |name: &str| ours / rates.get(name).copied().unwrap_or(f64::INFINITY);
    report.judge(Goal::at_least(format!("{how}: part of bare hyper"), than("bare hyper"), OF_BARE));
    report.judge(Goal::at_least(format!("{how}: times reqwest"), than("reqwest"), TIMES_PEER));
    Ok(())
}
