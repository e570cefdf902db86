//! Secrets of the tests, which must not turn up in anything that is printed or logged.

/// What endpoints are signed with, what stands in their headers, URLs and bodies, and what opens a database or
/// a proxy, in the tests of all crates.
pub(super) const CANARIES: [&str; 8] = [
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "t0ken",
    "hunter2",
    "s3cret",
    "p4yload",
    "canary-of-the-header",
    "canary-of-the-key",
];

/// The variable that has test programs watch their own log; `webhook-testkit` reads it.
pub(super) const FORBIDDEN: &str = "WEBHOOK_TEST_FORBIDDEN";

/// What was found in the output so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    lines: Vec<String>,
}

impl Found {
    /// Looks at a line of the output.
    pub(super) fn look(&mut self, line: &str) {
        if CANARIES.iter().any(|secret| line.contains(secret)) {
            self.lines.push(line.to_owned());
        }
    }

    /// What to say about it, if there is anything.
    pub(super) fn complaint(&self) -> Option<String> {
        let first = self.lines.first()?;
        Some(format!(
            "{} lines of the output hold a secret, the first is: {first}",
            self.lines.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_output_is_told() {
        let mut found = Found::default();
        found.look("test a_test ... ok");
        assert!(found.complaint().is_none());
        found.look("authorization: Bearer t0ken");
        assert!(found.complaint().is_some_and(|told| told.starts_with("1 lines")));
    }
}
