//! Exchanges on a stream that a fuzzer brings, instead of one that was dialled.

use std::pin::pin;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep_until,
};
use webhook_core::{Request, Response, TransportError};

use super::{
    compose,
    connection::{Connection, Unanswered},
    deadline,
};

/// A connection, from the moment it is dialled and secured. For tests.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "nobody prints it")]
pub struct Line(Connection);

impl Line {
    /// Takes `stream` for a connection.
    ///
    /// # Errors
    ///
    /// [`TransportError`] where none can be made of it.
    pub async fn open<S>(stream: S) -> Result<Self, TransportError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Connection::open(stream).await.map(Self)
    }

    /// One exchange, as the transport makes it. The line comes back if the transport would keep it.
    pub async fn send(
        mut self,
        request: Request,
    ) -> (Result<Response, TransportError>, Option<Self>) {
        let mut time = pin!(sleep_until(deadline(request.timeout)));
        let message = compose(&request.url, request.headers, request.body);
        let asked = pin!(self.0.ask(message));
        match self.0.answer(asked, request.max_response_body, time.as_mut()).await {
            Ok(response) => {
                let rested = self.0.rest();
                (Ok(response), rested.then_some(self))
            }
            Err(Unanswered::NotWritten(_, error) | Unanswered::Failed(error)) => (Err(error), None),
        }
    }
}
