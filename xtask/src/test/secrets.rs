//! Secrets of the tests, which must appear neither in output nor in logs.

/// Secrets in the tests of all crates: keys, headers, URLs and bodies of endpoints, and passwords
/// of databases and proxies.
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

/// Variable with which `webhook-testkit` makes test programs search their log.
pub(super) const FORBIDDEN_VARIABLE: &str = "WEBHOOK_TEST_FORBIDDEN";

/// Lines of the output that hold a secret.
#[derive(Debug, Default)]
pub(super) struct Leaks {
    lines: Vec<String>,
}

impl Leaks {
    /// Searches a line of the output.
    pub(super) fn check(&mut self, line: &str) {
        if CANARIES.iter().any(|secret| line.contains(secret)) {
            self.lines.push(line.to_owned());
        }
    }

    /// Error for the leaked lines; `None` if there are none.
    pub(super) fn complaint(&self) -> Option<String> {
        let first = self.lines.first()?;
        Some(format!(
            "{} lines of the output hold a secret, and the first is: {first}",
            self.lines.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_output_is_reported() {
        let mut leaks = Leaks::default();
        leaks.check("test a_test ... ok");
        assert!(leaks.complaint().is_none());
        leaks.check("authorization: Bearer t0ken");
        assert!(leaks.complaint().is_some_and(|text| text.starts_with("1 lines")));
    }
}
