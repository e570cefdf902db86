use std::{fmt, net::IpAddr};

use serde::{Serialize, Serializer};
use webhook_core::Timestamp;

/// What a [check](crate::HttpTransport::check) of an endpoint has found. Its `Display` is a list
/// for people, and its JSON holds the same.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EndpointCheck {
    /// The URL, less its query; absent when it could not be read.
    pub url: Option<String>,
    /// The steps in their order, each of them there: `url`, `policy`, `name`, `addresses`,
    /// `connect`, `tls`, `certificate`.
    pub steps: Vec<CheckedStep>,
    /// Where the name leads, and what the guard says to it.
    pub addresses: Vec<CheckedAddress>,
    /// The certificate that the receiver has shown, trusted or not.
    pub certificate: Option<CheckedCertificate>,
}

/// One step of a check.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CheckedStep {
    /// Its name.
    pub step: &'static str,
    /// How it went.
    pub result: StepResult,
    /// What was found. Parts of it may come from the receiver.
    pub found: String,
    /// What to do about it.
    pub advice: Option<&'static str>,
}

/// How a step went.
///
/// Closed: a step succeeds, fails or is not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepResult {
    /// It is as it should be.
    Ok,
    /// No request would get further.
    Failed,
    /// There was nothing to look at, or an earlier step has failed.
    Skipped,
}

/// An address, and what the guard says to it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CheckedAddress {
    /// The address.
    pub address: IpAddr,
    /// The rule that refuses it.
    pub refused: Option<String>,
}

/// A certificate, as the receiver has shown it. What it says is the receiver's word.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CheckedCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who has issued it.
    pub issuer: String,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// From when on it is valid.
    #[serde(serialize_with = "as_text")]
    pub not_before: Timestamp,
    /// Until when it is valid.
    #[serde(serialize_with = "as_text")]
    pub not_after: Timestamp,
    /// Whole days until then; below 0 when it has expired.
    pub days_left: i64,
}

fn as_text<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

const STEP_NAMES: [&str; 7] =
    ["url", "policy", "name", "addresses", "connect", "tls", "certificate"];

impl EndpointCheck {
    /// A report in which no step was taken.
    pub(super) fn new() -> Self {
        let skipped = |step| CheckedStep {
            step,
            result: StepResult::Skipped,
            found: "an earlier step has failed".to_owned(),
            advice: None,
        };
        let steps = STEP_NAMES.map(skipped).into();
        Self { url: None, steps, addresses: Vec::new(), certificate: None }
    }

    /// Whether no step has failed: a request would get there.
    pub fn is_ok(&self) -> bool {
        self.steps.iter().all(|step| step.result != StepResult::Failed)
    }

    pub(super) fn step(
        &mut self,
        name: &'static str,
        result: StepResult,
        found: impl Into<String>,
        advice: Option<&'static str>,
    ) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.step == name) {
            *step = CheckedStep { step: name, result, found: found.into(), advice };
        }
    }

    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.step(name, StepResult::Ok, found, None);
    }

    pub(super) fn failed(
        &mut self,
        name: &'static str,
        found: impl Into<String>,
        advice: &'static str,
    ) {
        self.step(name, StepResult::Failed, found, Some(advice));
    }

    pub(super) fn skipped(&mut self, name: &'static str, found: impl Into<String>) {
        self.step(name, StepResult::Skipped, found, None);
    }
}

impl fmt::Display for EndpointCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url.as_deref().unwrap_or("not a URL"))?;
        for step in &self.steps {
            let result = match step.result {
                StepResult::Ok => "ok",
                StepResult::Failed => "failed",
                StepResult::Skipped => "skipped",
            };
            write!(f, "\n  {result:<8}{:<13}{}", step.step, step.found)?;
            if step.step == "addresses" {
                for one in &self.addresses {
                    write!(
                        f,
                        "\n{:23}{}: {}",
                        "",
                        one.address,
                        one.refused.as_deref().unwrap_or("permitted")
                    )?;
                }
            }
            if let Some(advice) = step.advice {
                write!(f, "\n{:23}-> {advice}", "")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for CheckedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Names in the text: a certificate may have hundreds.
        const MAX_SHOWN_NAMES: usize = 5;
        let names: Vec<_> = self.names.iter().take(MAX_SHOWN_NAMES).map(String::as_str).collect();
        let more = if self.names.len() > MAX_SHOWN_NAMES { " and more" } else { "" };
        let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        write!(f, "for {names}{more}, issued by {}, ", self.issuer)?;
        match self.days_left {
            days @ ..0 => write!(f, "expired {} days ago", days.unsigned_abs()),
            days => write!(f, "{days} days left"),
        }
    }
}
