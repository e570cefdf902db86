use std::{fmt::Write as _, path::PathBuf};

use async_trait::async_trait;
use webhook_registry::transport::{
    Phase, Request, Response, Transport, TransportError, TransportErrorKind,
};

/// Writes each request into a folder, one file each, for a courier to carry out.
#[derive(Clone, Debug)]
pub struct SpoolTransport {
    folder: PathBuf,
}

impl SpoolTransport {
    /// Spools into `folder`, which must exist.
    pub fn into_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

#[async_trait]
impl Transport for SpoolTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut letter = format!("POST {}\r\n", request.url.as_str());
        for (name, value) in &request.headers {
            let _ = write!(letter, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
        letter.push_str("\r\n");
        let id = request.headers.get("webhook-id").and_then(|id| id.to_str().ok());
        let path = self.folder.join(id.unwrap_or("unnamed"));
        let bytes = [letter.as_bytes(), &request.body].concat();
        let written = tokio::time::timeout(request.timeout, tokio::fs::write(path, bytes)).await;
        match written {
            Ok(Ok(())) => Ok(Response::new(http::StatusCode::ACCEPTED)),
            Ok(Err(error)) => Err(TransportError::because(TransportErrorKind::Local, error)),
            Err(_) => Err(TransportError::new(TransportErrorKind::Timeout(Phase::Write))),
        }
    }
}
