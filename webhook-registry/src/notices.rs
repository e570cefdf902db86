//! What operators have to be told, and how they learn of it.

use std::time::Duration;

use webhook_core::{
    NewEvent, Notice, NoticeId, StoreError, TenantId, error::InvalidEvent, store::NoticeQueue as _,
};

use crate::{engine::Engine, error::PublishError, publish::publish};

/// What has to be told: endpoints that fail, are disabled or recover, deliveries that are given up.
///
/// Each notice is stored with its cause and stays until it is acknowledged, so that it is read at
/// least once. Either read them here, or let them be [published](Self::publish) as events of a
/// tenant of your own.
///
/// ```no_run
/// # async fn alert(webhooks: &webhook_registry::Webhooks) -> Result<(), webhook_registry::StoreError> {
/// let notices = webhooks.notices();
/// let unread = notices.read(100).await?;
/// for notice in &unread {
///     println!("{}: {}", notice.tenant, notice.kind); // or page somebody
/// }
/// notices.acknowledge(unread.into_iter().map(|notice| notice.id)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Notices<'a> {
    engine: &'a Engine,
}

/// Notices that are read and published together.
const NOTICES_PER_BATCH: usize = 100;

/// Time between two searches for notices to publish.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(5);

impl<'a> Notices<'a> {
    pub(crate) const fn new(engine: &'a Engine) -> Self {
        Self { engine }
    }

    /// The oldest that nobody has acknowledged, up to `limit`. They stay until somebody does.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn read(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.engine.store.notices(limit).await
    }

    /// Takes note of these: they are read no more. It is safe to repeat.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails: then they are read again.
    pub async fn acknowledge(
        &self,
        ids: impl IntoIterator<Item = NoticeId>,
    ) -> Result<(), StoreError> {
        self.engine.store.acknowledge(ids.into_iter().collect()).await
    }

    /// Publishes what there is as events of `tenant`, and acknowledges it. Answers how many events
    /// that were. Register an endpoint of that tenant to get them.
    ///
    /// An event's type is `webhook.endpoint.failing`, `webhook.endpoint.disabled`,
    /// `webhook.endpoint.recovered` or `webhook.delivery.exhausted`, its body the notice as JSON,
    /// its key the notice's id: what is said again, after a crash in between, is one event.
    ///
    /// What concerns an endpoint of that very tenant is only logged: it could not be told there,
    /// and would only cause the next notice.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; what was not published is there the next time.
    pub async fn publish(&self, tenant: &TenantId) -> Result<usize, PublishError> {
        let mut published = 0;
        loop {
            let unread = self.read(NOTICES_PER_BATCH).await?;
            for notice in &unread {
                if notice.tenant == *tenant {
                    tracing::warn!(endpoint = %notice.endpoint, "{}", notice.kind);
                } else {
                    published += usize::from(self.publish_one(notice, tenant).await?);
                }
            }
            let full = unread.len() == NOTICES_PER_BATCH;
            self.acknowledge(unread.into_iter().map(|notice| notice.id)).await?;
            if !full {
                return Ok(published);
            }
        }
    }

    /// Whether it is published now. One that can never be is told in the log: it must not stand in
    /// the way of the others.
    async fn publish_one(&self, notice: &Notice, tenant: &TenantId) -> Result<bool, PublishError> {
        let published = match event(notice, tenant) {
            Ok(event) => publish(self.engine, event).await.map(|_| true),
            Err(error) => Err(error.into()),
        };
        match published {
            Err(error @ (PublishError::Invalid(_) | PublishError::Conflict { .. })) => {
                let error = crate::text_of(&error);
                tracing::error!(notice = %notice.id, error, "a notice cannot be published: {}", notice.kind);
                Ok(false)
            }
            other => other,
        }
    }

    /// [Publishes](Self::publish) all notices; logs an error.
    pub(crate) async fn publish_or_log(&self, tenant: &TenantId) {
        if let Err(error) = self.publish(tenant).await {
            tracing::warn!(error = crate::text_of(&error), "notices could not be published");
        }
    }

    /// [Publishes](Self::publish) notices repeatedly until the future is dropped.
    pub(crate) async fn publish_until_dropped(
        &self,
        tenant: &TenantId,
    ) -> std::convert::Infallible {
        loop {
            self.publish_or_log(tenant).await;
            self.engine.clock.sleep(PUBLISH_INTERVAL).await;
        }
    }
}

fn event(notice: &Notice, tenant: &TenantId) -> Result<NewEvent, InvalidEvent> {
    let event_type = format!("webhook.{}", notice.kind.name().replacen('_', ".", 1));
    NewEvent::json(&event_type, notice)?.tenant(tenant.clone()).key(notice.id.as_str())
}
