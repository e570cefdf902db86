//! The table of security cases, played.

fn main() -> std::process::ExitCode {
    xtask_security::main()
}
