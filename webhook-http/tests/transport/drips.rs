//! A thousand receivers that answer a byte a second, all at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use webhook_core::transport::{Phase, Request, Transport, TransportErrorKind};
use webhook_http::HttpTransport;
use webhook_testkit::{Reply, TestReceiver};

const MAX_RECEIVERS: usize = 1000;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Delay after its deadline within which an attempt ends, and within which a healthy receiver
/// responds. Timers next to the attempts measure the delay of a busy machine.
const MAX_LATENESS: Duration = Duration::from_millis(250);

/// Memory of a thousand attempts: sockets and buffers of both sides, which are one process here.
const MAX_MEMORY_BYTES: usize = 128 * 1024 * 1024;

fn request(receiver: &TestReceiver) -> Request {
    let url = receiver.url().parse().unwrap();
    Request::new(url, http::HeaderMap::new(), "{}".into()).with_timeout(ATTEMPT_TIMEOUT)
}

/// Number of receivers that the file descriptors of this process permit: two for each, some for
/// others.
fn receiver_count() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = files.and_then(|limits| limits.split_whitespace().next()?.parse::<usize>().ok());
    MAX_RECEIVERS.min(soft.unwrap_or(1024).saturating_sub(400) / 2)
}

/// Bytes in memory of this process, where the system tells.
fn memory() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<usize>().ok()?.checked_mul(4096)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_receivers_that_drip_end_in_time_and_harm_nobody() {
    let dripping = TestReceiver::answering([Reply::slow_head()]).await;
    let healthy = TestReceiver::answering([200]).await;
    let open = HttpTransport::builder().dangerous_allow_private_addresses();
    let transport = open.max_per_host(2 * MAX_RECEIVERS).build().unwrap();
    let transport = Arc::new(transport);
    let (before, many) = (memory(), receiver_count());
    assert!(many > 100, "too few descriptors to tell: raise the limit of open files");
    let drips: Vec<_> = (0..many)
        .map(|_| {
            let (transport, request) = (Arc::clone(&transport), request(&dripping));
            tokio::spawn(async move {
                let begun = Instant::now();
                let attempt = async {
                    let answer = transport.send(request).await;
                    (answer.map(|answer| answer.status), begun.elapsed())
                };
                let timer = async {
                    tokio::time::sleep(ATTEMPT_TIMEOUT).await;
                    begun.elapsed()
                };
                tokio::join!(attempt, timer)
            })
        })
        .collect();
    // All of them are on their way.
    dripping.received(many).await;
    let mut waits = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        assert_eq!(transport.send(request(&healthy)).await.unwrap().status, 200);
        waits.push(begun.elapsed());
    }
    waits.sort();
    assert!(waits[50] < MAX_LATENESS, "others wait: {:?}", waits[50]);
    let during = memory();
    let mut longest = Duration::ZERO;
    for drip in join_all(drips).await {
        let ((ended, took), timer) = drip.unwrap();
        assert_eq!(ended.unwrap_err().kind(), TransportErrorKind::Timeout(Phase::Head));
        assert!(
            took >= ATTEMPT_TIMEOUT && took < timer + MAX_LATENESS,
            "{took:?}, when a timer took {timer:?}"
        );
        longest = longest.max(took);
    }
    let grown = during.zip(before).map_or(0, |(during, before)| during.saturating_sub(before));
    println!("{many} at once, longest {longest:?}, {} KiB more in memory", grown / 1024);
    assert!(grown < MAX_MEMORY_BYTES, "{grown} bytes for {many} attempts");
}
