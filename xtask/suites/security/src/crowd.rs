//! J2: many endpoints, all at somebody else's host.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use webhook_core::{
    EndpointUrl,
    transport::{Request, Transport},
};
use webhook_http::HttpTransport;
use webhook_testkit::{Reply, TestReceiver};

/// Number of endpoints: more than the limit of requests to one host, and fewer than the file
/// descriptors of a process.
const ENDPOINTS_OF_HOST: usize = 300;

/// As long as nobody has come, nobody will.
const A_WHILE: Duration = Duration::from_millis(300);

/// Number of concurrent requests to a host that never responds.
pub(crate) async fn play() -> String {
    let victim = TestReceiver::answering([Reply::never()]).await;
    let builder = HttpTransport::builder().dangerous_allow_private_addresses();
    let transport = builder.build().expect("a transport");
    let url = |n: usize| -> EndpointUrl { format!("{}/{n}", victim.url()).parse().expect("a URL") };
    let request = |n| Request::new(url(n), http::HeaderMap::new(), "{}".into());
    let all = join_all((0..ENDPOINTS_OF_HOST).map(|n| transport.send(request(n))));
    tokio::select! {
        biased;
        _ = all => "all ended".to_owned(),
        count = everybody(&victim) => format!("{count} at once"),
    }
}

/// How many have come once no more do.
async fn everybody(victim: &TestReceiver) -> usize {
    let mut count = 0;
    loop {
        sleep(A_WHILE).await;
        let now = victim.connections();
        if now == count && now > 0 {
            return count;
        }
        count = now;
    }
}
