//! The harness and, started by it, each of its child processes.

fn main() -> std::process::ExitCode {
    xtask_crash::main()
}
