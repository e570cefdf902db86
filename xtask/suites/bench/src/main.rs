//! The measurements, and each of their processes.

fn main() -> std::process::ExitCode {
    xtask_bench::main()
}
