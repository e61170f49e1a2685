//! The launcher as a program of its own, for tests; the product starts itself again in this role.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::launcher::main_if_launcher();
    ExitCode::FAILURE
}
