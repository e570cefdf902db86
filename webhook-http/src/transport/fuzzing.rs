//! Exchanges on a stream that a fuzzer brings, instead of one that was dialled.

use std::pin::pin;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep_until,
};
use webhook_core::transport::{Request, Response, TransportError};

use super::{
    compose,
    connection::{Connection, ExchangeFailure},
    deadline,
};

/// A connection that is dialled and secured. For fuzzers.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "nobody prints it")]
pub struct FuzzConnection(Connection);

impl FuzzConnection {
    /// Opens a connection on `stream`.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the handshake of HTTP fails.
    pub async fn open<S>(stream: S) -> Result<Self, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Connection::open(stream).await.map(Self)
    }

    /// Runs one exchange as the transport does. Returns the connection if the transport would keep
    /// it.
    pub async fn send(
        mut self,
        request: Request,
    ) -> (Result<Response, TransportError>, Option<Self>) {
        let mut time = pin!(sleep_until(deadline(request.timeout)));
        let message = compose(&request.url, request.headers, request.body);
        let pending = pin!(self.0.start_exchange(message));
        match self.0.read_response(pending, request.max_response_body, time.as_mut()).await {
            Ok(response) => {
                let is_reusable = self.0.end_exchange();
                (Ok(response), is_reusable.then_some(self))
            }
            Err(ExchangeFailure::NotWritten(_, error) | ExchangeFailure::Failed(error)) => {
                (Err(error), None)
            }
        }
    }
}
