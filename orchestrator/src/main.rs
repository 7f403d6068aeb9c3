//! The `orchestrator` program.

fn main() -> std::process::ExitCode {
    orchestrator::cli::main()
}
