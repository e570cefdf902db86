//! The same, built as the tests are: for a short run that judges no times.

fn main() -> std::process::ExitCode {
    xtask_bench::main()
}
