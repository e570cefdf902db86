//! reqwest, signed by hand: what a team takes that writes its own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Client;

use super::{DEADLINE, Lane, Lanes, SendTask, bare::trusting, body, signed::Signed};
use crate::Failure;

pub(super) fn lanes(task: &SendTask) -> Result<Lanes, Failure> {
    let builder = Client::builder().timeout(DEADLINE).pool_max_idle_per_host(task.at_once);
    // It wants a configuration of TLS whether or not it needs one.
    let root = task.root.clone().map_or_else(some_root, Ok)?;
    let config = Arc::unwrap_or_clone(trusting(&root)?);
    let client = builder.tls_backend_preconfigured(config).build()?;
    let signed = Arc::new(Signed::new()?);
    let lane = |_| -> Box<dyn Lane> {
        let (url, body) = (task.url.clone(), body().into());
        Box::new(Peer { client: client.clone(), url, signed: Arc::clone(&signed), body })
    };
    Ok((0..task.at_once).map(lane).collect())
}

/// A root that nobody has signed anything with.
fn some_root() -> Result<String, Failure> {
    let key = rcgen::KeyPair::generate()?;
    Ok(rcgen::CertificateParams::new(Vec::new())?.self_signed(&key)?.pem())
}

struct Peer {
    client: Client,
    url: String,
    signed: Arc<Signed>,
    body: Bytes,
}

#[async_trait]
impl Lane for Peer {
    async fn post(&mut self) -> Result<(), Failure> {
        let headers = self.signed.headers(&self.body)?;
        let request = self.client.post(&self.url).headers(headers).body(self.body.clone());
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}
