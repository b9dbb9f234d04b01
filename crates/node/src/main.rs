//! The one binary.

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os(), &node::House)
}
