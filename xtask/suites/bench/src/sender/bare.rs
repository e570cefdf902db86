//! hyper, and nothing around it: the limit.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{DEADLINE, Lane, Lanes, SendTask, body, signed::Signed};
use crate::Failure;

pub(super) async fn lanes(task: &SendTask) -> Result<Lanes, Failure> {
    let url: Uri = task.url.parse()?;
    let authority = url.authority().ok_or("a URL has a host")?.clone();
    let signed = Arc::new(Signed::new()?);
    let tls = task.root.as_deref().map(trusting).transpose()?;
    let mut lanes: Lanes = Vec::new();
    for _ in 0..task.at_once {
        let stream = TcpStream::connect(authority.as_str()).await?;
        stream.set_nodelay(true)?;
        let sender = match &tls {
            Some(config) => {
                let name = ServerName::try_from(authority.host().to_owned())?;
                let connector = TlsConnector::from(Arc::clone(config));
                open(connector.connect(name, stream).await?).await?
            }
            None => open(stream).await?,
        };
        lanes.push(Box::new(Bare {
            sender,
            path: url.path().parse()?,
            host: HeaderValue::from_str(authority.as_str())?,
            signed: Arc::clone(&signed),
            body: body().into(),
        }));
    }
    Ok(lanes)
}

/// A client that trusts this root alone.
pub(super) fn trusting(root: &str) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

async fn open<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

struct Bare {
    sender: SendRequest<Full<Bytes>>,
    path: Uri,
    host: HeaderValue,
    signed: Arc<Signed>,
    body: Bytes,
}

#[async_trait]
impl Lane for Bare {
    async fn post(&mut self) -> Result<(), Failure> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.signed.headers(&self.body)?;
        request.headers_mut().insert(header::HOST, self.host.clone());
        timeout(DEADLINE, async {
            let answer = self.sender.send_request(request).await?;
            let is_success = answer.status().is_success();
            answer.into_body().collect().await?;
            if is_success { Ok(()) } else { Err("the receiver did not accept it".into()) }
        })
        .await?
    }
}
