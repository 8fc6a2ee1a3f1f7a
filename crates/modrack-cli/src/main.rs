//! The `modrack` command: a process without an interpreter of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(modrack_cli::run(std::env::args_os().collect(), modrack_cli::Host::plain()))
}
