//! The binary `tracehub-cli`.

fn main() -> std::process::ExitCode {
    tracehub_cli::start()
}
