//! Notices: kept until somebody has acknowledged them.

use async_trait::async_trait;
use webhook_core::{Notice, NoticeId, NoticeKind, StoreErrorKind};

use crate::db::{
    fault::Fault,
    row::{Row, ToValue, limit, unreadable},
    tx::Tx,
    unit::Unit,
};

/// Stores notices; one that is there already is the same.
pub(crate) async fn insert_notices(tx: &Tx, notices: &[Notice]) -> Result<(), Fault> {
    let rows = notices.iter().map(|notice| {
        let kind = serde_json::to_string(&notice.kind)
            .map_err(|_| Fault::new(StoreErrorKind::Other, "cannot write a notice as JSON"))?;
        Ok([
            notice.id.as_str().into(),
            notice.at.to_value(),
            notice.tenant.to_value(),
            notice.endpoint.to_value(),
            kind.into(),
        ])
    });
    let rows = rows.collect::<Result<Vec<_>, Fault>>()?;
    let into = "{notices} (id, noticed_at, tenant, endpoint_id, kind)";
    tx.insert(into, rows, "{keep_first_event}").await.map(|_| ())
}

/// Reads the oldest notices.
pub(crate) struct ReadNotices(pub(crate) usize);

#[async_trait]
impl Unit for ReadNotices {
    type Output = Vec<Notice>;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Vec<Notice>, Fault> {
        let sql = "SELECT id, noticed_at, tenant, endpoint_id, kind FROM {notices} \
                   ORDER BY noticed_at, id LIMIT ? OFFSET ?";
        let (mut notices, mut seen) = (Vec::new(), 0);
        // One that a newer version has written stays for it, and hides no other.
        loop {
            let wanted = self.0.saturating_sub(notices.len());
            let rows = tx.all(sql, [limit(wanted), limit(seen)]).await?;
            seen += rows.len();
            notices.extend(rows.iter().filter_map(readable));
            if rows.len() < wanted || notices.len() >= self.0 {
                return Ok(notices);
            }
        }
    }
}

fn readable(row: &Row) -> Option<Notice> {
    let read = notice(row);
    if read.is_err() {
        let id = row.get::<String>("id").unwrap_or_default();
        tracing::error!(notice = id, "a stored notice cannot be read");
    }
    read.ok()
}

fn notice(row: &Row) -> Result<Notice, Fault> {
    let kind: NoticeKind =
        serde_json::from_str(&row.get::<String>("kind")?).map_err(|_| unreadable("kind"))?;
    Ok(Notice::stored(
        NoticeId::new(row.get::<String>("id")?),
        row.time("noticed_at")?,
        row.parse("tenant")?,
        row.endpoint("endpoint_id")?,
        kind,
    ))
}

/// Forgets notices.
pub(crate) struct Acknowledge(pub(crate) Vec<NoticeId>);

#[async_trait]
impl Unit for Acknowledge {
    type Output = ();
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let ids = self.0.iter().map(|id| id.as_str().into());
        tx.run_of("DELETE FROM {notices} WHERE id {in_list}", None, ids).await.map(|_| ())
    }
}
