//! Name of a worker by default.

use webhook_core::WorkerName;

/// Returns host and process, such as `host-1:4711`. Containers and shells set a variable to the
/// host's name; most other systems have it in a file.
pub(crate) fn this_process() -> WorkerName {
    let from_environment = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let host = from_environment.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    WorkerName::of_process(&host.unwrap_or_default(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_a_name_by_itself_that_tells_its_process() {
        let name = this_process();
        assert!(name.as_str().ends_with(&format!(":{}", std::process::id())), "{name}");
    }
}
