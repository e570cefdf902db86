//! What an exchange may cost at most, whatever the receiver does.

use std::{fs, time::Duration};

use tokio::time::Instant;
use webhook_core::transport::Request;

/// What an exchange has to end in.
pub(crate) const DEADLINE: Duration = Duration::from_millis(400);

/// How much later it may have ended.
const GRACE: Duration = Duration::from_millis(250);

/// Bytes that are read of heads, and of what follows them.
const MAX_READ: usize = 64 * 1024 + 80 * 1024;

/// What the buffers of the sockets hold besides, read by nobody.
const MAX_BUFFERED: usize = 2 * 1024 * 1024;

/// By how much the process may grow meanwhile, the receiver included.
const MAX_MEMORY: usize = 16 * 1024 * 1024;

/// Begins with an exchange.
pub(crate) struct Meter {
    begun: Instant,
    /// Bytes in memory, where the system tells.
    memory: Option<usize>,
}

impl Meter {
    pub(crate) fn begin() -> Self {
        forget_peak();
        Self { memory: peak(), begun: Instant::now() }
    }

    /// Which bounds the exchange has broken that has just ended, if `given` bytes came and `kept` were kept.
    pub(crate) fn broken(&self, given: usize, kept: usize) -> Vec<String> {
        let took = self.begun.elapsed();
        let grown = self.memory.zip(peak()).map_or(0, |(before, now)| now.saturating_sub(before));
        let mib = |bytes: usize| format!("{} MiB", bytes.div_ceil(1024 * 1024));
        [
            (took > DEADLINE + GRACE).then(|| format!("took {took:.1?}")),
            (kept > Request::MAX_RESPONSE_BODY).then(|| format!("kept {kept} bytes")),
            (given > MAX_READ + MAX_BUFFERED).then(|| format!("took {}", mib(given))),
            (grown > MAX_MEMORY).then(|| format!("grew by {}", mib(grown))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The peak begins anew, at what is in memory now.
fn forget_peak() {
    // Systems that do not know of it tell no peak either.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most bytes that were in memory at once.
fn peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_told() {
        let meter = Meter::begin();
        assert!(meter.broken(MAX_READ, 1).is_empty());
        assert_eq!(meter.broken(12 * 1024 * 1024, 20_000), ["kept 20000 bytes", "took 12 MiB"]);
        let held = vec![1u8; 2 * MAX_MEMORY];
        if peak().is_some() {
            assert!(
                meter.broken(0, 0).iter().any(|outcome_text| outcome_text.starts_with("grew by"))
            );
        }
        drop(held);
    }
}
