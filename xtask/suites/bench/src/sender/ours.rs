//! Ours: `Publisher` over `HttpTransport`, as the documentation shows it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use webhook_registry::{
    EndpointId, Event, EventId, EventType, Publisher, Signing, SystemClock, Timestamp,
    signing::RingSigner, transport::HttpTransport,
};

use super::{Lane, Lanes, SendTask, body, signed::SECRET};
use crate::Failure;

pub(super) fn lanes(task: &SendTask) -> Result<Lanes, Failure> {
    let mut builder = HttpTransport::builder().dangerous_allow_private_addresses();
    if let Some(root) = &task.root {
        builder = builder.root_certificates_pem(root.as_bytes());
    }
    let publisher = Publisher::new(
        EndpointId::from_uuid(uuid::Uuid::nil()),
        task.url.parse()?,
        Arc::new(builder.build()?),
        Arc::new(RingSigner),
        Arc::new(SystemClock::new()),
    );
    let publisher = publisher.signing(Signing::with_secret(SECRET.parse()?));
    let event_type: EventType = "invoice.paid".parse()?;
    let lane = |_| -> Box<dyn Lane> {
        let (event_type, body) = (event_type.clone(), body().into());
        Box::new(Ours { publisher: publisher.clone(), event_type, body })
    };
    Ok((0..task.at_once).map(lane).collect())
}

struct Ours {
    publisher: Publisher,
    event_type: EventType,
    body: Bytes,
}

#[async_trait]
impl Lane for Ours {
    async fn post(&mut self) -> Result<(), Failure> {
        let id = EventId::from_uuid(uuid::Uuid::now_v7());
        let now = Timestamp::from_unix_secs(0);
        let event = Event::new(id, self.event_type.clone(), now, self.body.clone());
        self.publisher.publish(&event).await?;
        Ok(())
    }
}
