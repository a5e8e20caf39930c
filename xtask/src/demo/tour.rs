//! The guided minute: what one asks of a shop where something is wrong, and what the CLI answers.

use std::io::IsTerminal as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::orders::{Fate, Order};
use crate::process::{Interrupt, built_program, emphasised, set_environment};

/// How long each answer is left to be read, where somebody is there to do so.
const READING: Duration = Duration::from_secs(6);
/// As much of an id as tells it from others.
const ID_BEGINNING: usize = 12;

/// Asks one thing after the other.
pub(super) fn guide(url: &str, orders: &[Order], interrupt: &Interrupt) -> Result<()> {
    let one = |fate: Fate| {
        let order = orders.iter().rev().find(|order| order.fate == fate);
        let order = order.with_context(|| format!("no order is {fate:?}, although some always are"))?;
        Ok::<_, anyhow::Error>(order.correlation_id.get(..ID_BEGINNING).unwrap_or(&order.correlation_id))
    };
    let (good, slow, hung) = (one(Fate::Good)?, one(Fate::Slow)?, one(Fate::Hung)?);
    let steps: [(&str, &[&str]); 6] = [
        ("What is stuck right now?", &["correlations", "--incomplete", "--limit", "5"]),
        ("What happened to one of these? The beginning of its id is enough.", &["show", hung]),
        ("What came back, but late?", &["correlations", "--complete", "--min-duration", "250ms", "--limit", "5"]),
        ("What is different in one of these from a good one?", &["diff", good, slow]),
        ("And what went on a moment ago at the till?", &["recent", "--source", "CA", "--limit", "4"]),
        ("How is the server?", &["stats"]),
    ];
    for (question, arguments) in steps {
        println!("\n{}", emphasised(question));
        show(url, arguments)?;
        if std::io::stdout().is_terminal() {
            interrupt.wait(READING)?;
        }
    }
    Ok(())
}

fn show(url: &str, arguments: &[&str]) -> Result<()> {
    println!("{}", emphasised(&format!("$ tracehub-cli {}", arguments.join(" "))));
    let mut command = Command::new(built_program("tracehub-cli"));
    command.args(arguments).arg("--no-pager");
    set_environment(&mut command, &[("TRACEHUB_URL", url)]);
    let status = command.status().context("tracehub-cli did not start")?;
    ensure!(status.success(), "`tracehub-cli {}` ended with {status}", arguments.join(" "));
    Ok(())
}
