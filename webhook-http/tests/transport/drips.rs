//! A thousand receivers that answer a byte a second, all at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use webhook_core::{Phase, Request, Transport, TransportErrorKind};
use webhook_http::HttpTransport;
use webhook_testkit::{Reply, TestReceiver};

const MANY: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(3);

/// How much later than its deadline an attempt may end, and how late the answer of a healthy receiver may be.
/// A machine that has other things to do is late itself: by how much, timers beside the attempts tell.
const GRACE: Duration = Duration::from_millis(250);

/// What a thousand attempts may take besides: sockets and buffers of both sides, which are one process
/// here.
const MOST_MEMORY: usize = 128 * 1024 * 1024;

fn request(receiver: &TestReceiver) -> Request {
    let url = receiver.url().parse().unwrap();
    Request::new(url, http::HeaderMap::new(), "{}".into()).with_timeout(DEADLINE)
}

/// A thousand, or as many as this process may have descriptors for: two each, and some for others.
fn many() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = files.and_then(|limits| limits.split_whitespace().next()?.parse::<usize>().ok());
    MANY.min(soft.unwrap_or(1024).saturating_sub(400) / 2)
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
    let transport = open.max_per_host(2 * MANY).build().unwrap();
    let transport = Arc::new(transport);
    let (before, many) = (memory(), many());
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
                    tokio::time::sleep(DEADLINE).await;
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
    assert!(waits[50] < GRACE, "others wait: {:?}", waits[50]);
    let during = memory();
    let mut longest = Duration::ZERO;
    for drip in join_all(drips).await {
        let ((ended, took), timer) = drip.unwrap();
        assert_eq!(ended.unwrap_err().kind(), TransportErrorKind::Timeout(Phase::Head));
        assert!(took >= DEADLINE && took < timer + GRACE, "{took:?}, when a timer took {timer:?}");
        longest = longest.max(took);
    }
    let grown = during.zip(before).map_or(0, |(during, before)| during.saturating_sub(before));
    println!("{many} at once, longest {longest:?}, {} KiB more in memory", grown / 1024);
    assert!(grown < MOST_MEMORY, "{grown} bytes for {many} attempts");
}
