//! Endpoints, as they are shown: everything but what is secret.

use serde::Serialize;
use webhook_registry::{
    EndpointId, OrderPolicy, Registered, Timestamp,
    view::{EndpointView, format_duration},
};

use crate::output::{Row, View, fields};

impl Row for EndpointView {
    const HEAD: &'static [&'static str] = &["ID", "TENANT", "URL", "EVENTS", "STATE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.tenant.to_string(),
            self.url.clone(),
            joined(&self.events),
            self.state.to_string(),
        ]
    }
}

impl View for EndpointView {
    fn text(&self) -> String {
        let or_none = |list: String| if list.is_empty() { "none".to_owned() } else { list };
        let timeout = format_duration(self.timeout.as_duration());
        let mut pairs =
            vec![("endpoint", self.id.to_string()), ("tenant", self.tenant.to_string())];
        pairs.extend(self.external_id.iter().map(|id| ("external id", id.to_string())));
        pairs.extend(self.description.iter().map(|text| ("description", text.to_string())));
        pairs.extend(self.metadata.iter().map(|(k, v)| ("metadata", format!("{k}={v}"))));
        pairs.extend([
            ("url", self.url.clone()),
            ("events", joined(&self.events)),
            ("state", self.state.to_string()),
            ("signatures", or_none(joined(&self.profiles))),
            ("secrets", or_none(secrets(&self.secrets_until))),
            ("headers", or_none(self.headers.join(","))),
            ("tls", tls(self)),
            ("timeout", timeout),
            ("retry", self.retry.to_string()),
            ("in flight", format!("at most {} in each process", self.max_in_flight)),
            ("rate", self.rate.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string())),
            ("health", self.health.to_string()),
            ("order", order(self.order).to_owned()),
            ("created", self.created_at.to_string()),
        ]);
        fields(pairs)
    }
}

fn tls(endpoint: &EndpointView) -> String {
    let shows = if endpoint.client_certificate { "shows a certificate" } else { "no certificate" };
    let trusts =
        if endpoint.own_roots { "trusts roots of its own" } else { "trusts the usual roots" };
    format!("{shows}, {trusts}")
}

fn joined(list: &[impl ToString]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn secrets(until: &[Option<Timestamp>]) -> String {
    let each = until.iter().map(|until| match until {
        None => "one without end".to_owned(),
        Some(until) => format!("one until {until}"),
    });
    each.collect::<Vec<_>>().join(", ")
}

const fn order(policy: Option<OrderPolicy>) -> &'static str {
    match policy {
        None => "none in particular",
        Some(OrderPolicy::Block) => "by ordering key; what is given up blocks the later ones",
        Some(OrderPolicy::Skip) => "by ordering key; what is given up is skipped",
    }
}

/// An endpoint that was just added: the one time that its secret is shown.
#[derive(Serialize)]
pub(super) struct RegisteredView {
    id: EndpointId,
    /// Only one that was made here: who gave one has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl RegisteredView {
    pub(super) fn of(registered: &Registered, was_given: bool) -> Self {
        let secret = registered.secret.as_ref().filter(|_| !was_given);
        Self { id: registered.endpoint.id, secret: secret.map(|secret| secret.reveal().to_owned()) }
    }
}

impl View for RegisteredView {
    fn text(&self) -> String {
        let mut pairs = vec![("endpoint", self.id.to_string())];
        let note = "(shown this once; give it to the receiver)";
        pairs.extend(self.secret.iter().map(|secret| ("secret", format!("{secret}  {note}"))));
        fields(pairs)
    }
}
