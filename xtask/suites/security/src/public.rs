//! A receiver at a permitted address, and a canary at the same port of a refused one.

use std::net::SocketAddr;

use webhook_testkit::{Reply, TestReceiver};

use crate::canary::Canary;

pub(crate) struct Public {
    pub(crate) canary: Canary,
    receiver: TestReceiver,
}

impl Public {
    /// The receiver is at 127.0.0.2, the canary at 127.0.0.1.
    pub(crate) async fn beside_a_canary() -> Self {
        loop {
            let canary = Canary::everywhere().await;
            let addr = SocketAddr::from(([127, 0, 0, 2], canary.port()));
            if let Ok(receiver) = TestReceiver::at(addr, [200]).await {
                return Self { canary, receiver };
            }
        }
    }

    /// Closes each connection after its answer.
    pub(crate) fn closing(self) -> Self {
        self.receiver.answers([Reply::status(200).header("connection", "close").then_close()]);
        self
    }

    pub(crate) fn port(&self) -> u16 {
        self.canary.port()
    }
}
