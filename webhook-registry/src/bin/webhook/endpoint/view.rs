//! Endpoints, as they are shown: everything but what is secret.

use serde::Serialize;
use webhook_registry::{
    Endpoint, EndpointId, EndpointState, Profile, Registered, TenantId, format_duration,
};

use crate::output::{Row, View, fields, rfc3339};

#[derive(Debug, Serialize)]
pub(super) struct EndpointView {
    id: EndpointId,
    tenant: TenantId,
    url: String,
    events: Vec<String>,
    state: EndpointState,
    profiles: Vec<Profile>,
    /// Until when each secret signs, the current one first.
    secrets_until: Vec<Option<String>>,
    /// Names only: a value may be a password.
    headers: Vec<String>,
    timeout: String,
    retry: String,
    max_in_flight: u32,
    created_at: String,
}

impl EndpointView {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id,
            tenant: endpoint.tenant.clone(),
            // Without its query, which may hold a token.
            url: endpoint.url.to_string(),
            events: endpoint.filters.iter().map(ToString::to_string).collect(),
            state: endpoint.state,
            profiles: endpoint.signing.profiles().to_vec(),
            secrets_until: endpoint
                .signing
                .keys()
                .iter()
                .map(|key| key.expires_at.map(rfc3339))
                .collect(),
            headers: endpoint.headers.as_map().keys().map(ToString::to_string).collect(),
            timeout: format_duration(endpoint.timeout.as_duration()),
            retry: endpoint.retry.to_string(),
            max_in_flight: endpoint.max_in_flight,
            created_at: rfc3339(endpoint.created_at),
        }
    }
}

impl EndpointView {
    fn secrets(&self) -> String {
        let each = self.secrets_until.iter().map(|until| match until {
            None => "one without end".to_owned(),
            Some(until) => format!("one until {until}"),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

impl Row for EndpointView {
    const HEAD: &'static [&'static str] = &["ID", "TENANT", "URL", "EVENTS", "STATE"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.tenant.to_string(),
            self.url.clone(),
            self.events.join(","),
            self.state.to_string(),
        ]
    }
}

impl View for EndpointView {
    fn text(&self) -> String {
        let profiles: Vec<_> = self.profiles.iter().map(ToString::to_string).collect();
        let or_none = |list: String| if list.is_empty() { "none".to_owned() } else { list };
        fields([
            ("endpoint", self.id.to_string()),
            ("tenant", self.tenant.to_string()),
            ("url", self.url.clone()),
            ("events", self.events.join(",")),
            ("state", self.state.to_string()),
            ("signatures", or_none(profiles.join(","))),
            ("secrets", or_none(self.secrets())),
            ("headers", or_none(self.headers.join(","))),
            ("timeout", self.timeout.clone()),
            ("retry", self.retry.clone()),
            ("in flight", format!("at most {} in each process", self.max_in_flight)),
            ("created", self.created_at.clone()),
        ])
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
