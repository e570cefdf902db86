//! Fixture of a measurement: a database with endpoints, and their receiver.

use webhook_registry::{NewEndpoint, Webhooks, transport::HttpTransport};

use crate::{
    Failure,
    place::{Place, kind},
    receiver::Receiver,
};

/// Attempts that one endpoint takes at once: as many as one tenant may have.
const AT_ONCE: u32 = 512;

/// Type that every endpoint of a fixture wants.
pub(crate) const TO_ALL: &str = "all";

/// A database with endpoints, and their receiver.
pub(crate) struct Fixture {
    pub(crate) place: Place,
    pub(crate) receiver: Receiver,
    /// What kind of database it is.
    pub(crate) kind: String,
}

impl Fixture {
    /// Creates endpoints; each of them wants the type that [`to`] names and [`TO_ALL`].
    pub(crate) async fn make(db: &str, name: &str, endpoints: usize) -> Result<Self, Failure> {
        let place = Place::make(db, name).await?;
        let receiver = Receiver::start().await?;
        let builder = Webhooks::builder().store(place.store().await?).transport(transport()?);
        let webhooks = builder.build()?;
        for number in 0..endpoints {
            let endpoint = NewEndpoint::new(receiver.url(&format!("sink/{number}")));
            let endpoint = endpoint.max_in_flight(AT_ONCE).events([to(number).as_str(), TO_ALL]);
            webhooks.add_endpoint(endpoint).await?;
        }
        Ok(Self { place, receiver, kind: kind(db).to_owned() })
    }

    /// Removes the database.
    pub(crate) async fn clear(self) -> Result<(), Failure> {
        self.receiver.stop().await?;
        self.place.clear().await
    }
}

/// The type that this endpoint alone wants.
pub(crate) fn to(endpoint: usize) -> String {
    format!("to.{endpoint}")
}

/// The default transport, for receivers on this machine.
pub(crate) fn transport() -> Result<HttpTransport, Failure> {
    Ok(HttpTransport::builder().dangerous_allow_private_addresses().build()?)
}
