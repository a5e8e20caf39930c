//! `cargo xtask fuzz`: libFuzzer against the parsers, with what it found so far and with what stands in `fuzz/corpus`.
//!
//! On the stable toolchain, without a sanitizer: our crates hold no unsafe code, so what can go wrong is a panic, a promise
//! broken, too much memory or time, and libFuzzer notices all of them.

use std::fs;
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::process::{Job, cargo, root, stage};

/// The most memory that a target may take, and the longest time for one input.
const LIMITS: [&str; 2] = ["-rss_limit_mb=1024", "-timeout=10"];

/// What to fuzz, and how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Seconds for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Only these targets, separated by commas; without any, all
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    target: Vec<String>,
}

/// What libFuzzer says at the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    /// Places in the code that were reached: by the corpus, and in the end.
    coverage: [u64; 2],
    /// Inputs that reached something new.
    found: u64,
    peak_mb: u64,
}

/// Runs each target and prints what came of it; a crash is an error that names its file.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = targets()?;
    if let Some(unknown) = options.target.iter().find(|target| !targets.contains(target)) {
        bail!("there is no target {unknown}; there are {}", targets.join(", "));
    }
    let wanted = if options.target.is_empty() { &targets } else { &options.target };
    stage("cargo-fuzz", install)?;
    stage("build", || fuzz(["build"]).args(build_options()).run())?;
    println!("{:<10} {:>12} {:>9} {:>18} {:>6} {:>8}", "target", "executions", "per s", "coverage", "new", "peak MB");
    for target in wanted {
        let Figures { executions, coverage: [before, after], found, peak_mb } = run_one(target, options.seconds)?;
        let (rate, coverage) = (executions / options.seconds, format!("{before} -> {after}"));
        println!("{target:<10} {executions:>12} {rate:>9} {coverage:>18} {found:>6} {peak_mb:>8}");
    }
    println!("no crashes");
    Ok(())
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets")).context("cannot list the fuzz targets")? {
        targets.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

fn install() -> Result<()> {
    if cargo(["fuzz", "--version"]).output().is_ok() {
        return Ok(());
    }
    eprintln!("cargo-fuzz is not there; installing it with `cargo install --locked cargo-fuzz`");
    cargo(["install", "--locked", "cargo-fuzz"]).run()
}

/// A command of cargo-fuzz.
fn fuzz<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Job {
    // Whole-program optimisation doubles the build's time and finds nothing.
    cargo(["fuzz"]).args(arguments).args(["--fuzz-dir", "fuzz"]).env("CARGO_PROFILE_RELEASE_LTO", "off")
}

/// Apart from other builds, whose flags differ.
fn build_options() -> [&'static str; 4] {
    ["--sanitizer", "none", "--target-dir", "target/fuzz"]
}

fn run_one(target: &str, seconds: u64) -> Result<Figures> {
    let found = format!("target/fuzz/corpus/{target}");
    let crashes = format!("target/fuzz/crashes/{target}/");
    for folder in [&found, &crashes] {
        fs::create_dir_all(root().join(folder)).with_context(|| format!("cannot make {folder}"))?;
    }
    eprintln!("fuzzing {target} for {seconds} s");
    // What is new goes to the first folder.
    let corpora = [found, format!("fuzz/corpus/{target}")];
    let ours = [
        format!("-max_total_time={seconds}"),
        format!("-artifact_prefix={crashes}"),
        format!("-dict=fuzz/dictionaries/{target}.dict"),
        "-print_final_stats=1".to_owned(),
    ];
    let job = fuzz(["run"]).args(build_options()).args([target]).args(corpora).args(["--"]).args(ours).args(LIMITS);
    let name = job.to_string();
    let Output { status, stderr, .. } = job.output_unchecked()?;
    let said = String::from_utf8_lossy(&stderr);
    if !status.success() {
        let tail: Vec<&str> = said.lines().rev().take(60).collect();
        eprintln!("{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        bail!(
            "{name} ended with {status}; `cargo run --package tracehub-fuzz --bin {target} FILE` shows it again, and the \
             file belongs into fuzz/corpus/{target} with the fix"
        );
    }
    let figures = figures(&said);
    ensure!(figures.executions > 0, "{name} ran nothing; it said: {said}");
    Ok(figures)
}

/// Reads what libFuzzer says: lines such as `#512 INITED cov: 10 ft: 20 …` and `stat::peak_rss_mb: 30`.
fn figures(said: &str) -> Figures {
    let after =
        |line: &str, word: &str| -> Option<u64> { line.split_once(word)?.1.split_whitespace().next()?.parse().ok() };
    let total = |name: &str| said.lines().filter_map(|line| after(line, name)).next_back().unwrap_or_default();
    let coverage: Vec<u64> = said.lines().filter_map(|line| after(line, " cov: ")).collect();
    let first = said.lines().find(|line| line.contains("INITED")).and_then(|line| after(line, " cov: "));
    Figures {
        executions: total("stat::number_of_executed_units:"),
        coverage: [first.unwrap_or_default(), coverage.last().copied().unwrap_or_default()],
        found: total("stat::new_units_added:"),
        peak_mb: total("stat::peak_rss_mb:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_libfuzzer_prints() {
        let said = "INFO: seed corpus: files: 178\n#179\tINITED cov: 812 ft: 2044 corp: 120/30Kb exec/s: 0 rss: 50Mb\n\
            #2048\tNEW    cov: 813 ft: 2050 corp: 121/31Kb lim: 4096 exec/s: 0 rss: 50Mb\n\
            #9000\tDONE   cov: 900 ft: 3000 corp: 130/32Kb lim: 4096 exec/s: 150 rss: 60Mb\n\
            stat::number_of_executed_units: 9000\nstat::new_units_added:          10\nstat::peak_rss_mb:              61\n";
        let expected = Figures { executions: 9000, coverage: [812, 900], found: 10, peak_mb: 61 };
        assert_eq!(figures(said), expected);
        assert_eq!(figures(""), Figures::default());
    }

    #[test]
    fn the_targets_are_found() {
        assert!(targets().expect("the folder is there").contains(&"ingest".to_owned()));
    }
}
