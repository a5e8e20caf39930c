//! The target `ingest`: request bodies. Built by `cargo fuzz`, libFuzzer makes the bytes; built otherwise, it replays files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tracehub_fuzz::ingest::check(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    tracehub_fuzz::replay(tracehub_fuzz::ingest::check)
}
