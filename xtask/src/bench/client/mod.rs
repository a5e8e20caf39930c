//! Phase `client`: what a checkpoint costs the thread that logs it, and what gets through, beside other senders.
//!
//! `event` says what is sent and what a sender is; `ours` and `peers` are the senders, `sink` is our server. `pace`
//! measures calls in bursts that no queue refuses, `burst` sends more than any queue takes, `memory` fills ours.
//! The rounds go over all senders in turn, so that a slow spell of the machine meets all of them; each figure is the
//! median of the rounds.

mod burst;
mod clock;
mod event;
mod memory;
mod ours;
mod pace;
mod peers;
mod sink;

use anyhow::Result;

use self::burst::Burst;
use self::clock::{middle, process_cpu};
use self::event::{Fate, ORDER, Sender};
use self::ours::Ours;
use self::pace::{Cost, Pace};
use self::peers::{Fastrace, OpenTelemetry, Sentry};
use super::plan::Plan;
use super::report::{Budget, Figure};

pub(super) use self::memory::fill;

/// What many threads are.
const MANY: usize = 8;

/// Something to measure in each round.
struct Case {
    name: String,
    run: Box<dyn Fn() -> Result<Vec<Figure>>>,
    rounds: Vec<Vec<Figure>>,
}

impl Case {
    fn new(name: impl Into<String>, run: impl Fn() -> Result<Vec<Figure>> + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run), rounds: Vec::new() }
    }

    /// Each figure's median of the rounds.
    fn medians(&self) -> Vec<Figure> {
        let figures = self.rounds.first().into_iter().flatten().enumerate();
        let medians = figures.map(|(place, figure)| {
            let values = self.rounds.iter().filter_map(|round| Some(round.get(place)?.value)).collect();
            Figure { value: middle(values), ..*figure }
        });
        medians.collect()
    }
}

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let (rounds, bursts, events) = if plan.quick { (3, 30, 100_000) } else { (5, 60, 200_000) };
    let mut cases = Vec::new();
    for threads in [1, MANY] {
        let pace = Pace::gentle(threads, bursts);
        cases.extend(paced("ours", Ours::start, pace));
        cases.extend(paced("opentelemetry", OpenTelemetry::start, pace));
        cases.extend(paced("sentry", Sentry::start, pace));
        cases.extend(paced("fastrace", Fastrace::start, pace));
    }
    for threads in [1, MANY] {
        let pace = Pace::unbroken(threads, bursts);
        cases.push(Case::new(format!("nothing at all, {}", of(threads)), move || {
            Ok(costs(pace::measure(pace, |_| ())?))
        }));
        cases.push(Case::new(format!("ours, disabled, 3 fields, {}", of(threads)), move || {
            let disabled = Ours::disabled();
            Ok(costs(pace::measure(pace, |id| disabled.send_with_data(id, &ORDER))?))
        }));
        cases.push(Case::new(format!("ours, queue full, 3 fields, {}", of(threads)), move || {
            let full = Ours::hanging()?.filled()?;
            Ok(costs(pace::measure(pace, |id| full.send_with_data(id, &ORDER))?))
        }));
    }
    for (threads, short_lived) in [(1, false), (MANY, false), (MANY, true)] {
        let burst = Burst { threads, events, short_lived };
        cases.push(saturated("ours", Ours::start, burst));
        cases.push(saturated("opentelemetry", OpenTelemetry::start, burst));
        cases.push(saturated("sentry", Sentry::start, burst));
        cases.push(saturated("fastrace", Fastrace::start, burst));
    }
    for data_bytes in [0, 100, 2_000] {
        let growth = move || Ok(vec![Figure { label: "memory", unit: "MiB", value: memory::growth(data_bytes)? }]);
        cases.push(Case::new(format!("ours, queue full, data of {data_bytes} bytes"), growth));
    }
    for round in 1..=rounds {
        eprintln!("measuring: the client and its peers, round {round} of {rounds}");
        for case in &mut cases {
            plan.interrupt.check()?;
            case.rounds.push((case.run)()?);
        }
    }
    for case in &cases {
        plan.report.figures(case.name.clone(), case.medians());
    }
    judge(plan, &cases);
    Ok(())
}

/// A sender at the gentle pace, without and with data.
fn paced<S: Sender>(name: &str, start: impl Fn() -> Result<S> + Copy + 'static, pace: Pace) -> [Case; 2] {
    let threads = of(pace.threads);
    let bare = move || {
        let sender = start()?;
        in_full(pace, &sender, |id| sender.send_bare(id))
    };
    let with_data = move || {
        let sender = start()?;
        in_full(pace, &sender, |id| sender.send_with_data(id, &ORDER))
    };
    [
        Case::new(format!("{name}, no data, {threads}"), bare),
        Case::new(format!("{name}, 3 fields, {threads}"), with_data),
    ]
}

/// What calls cost their thread, and the whole process without the server. Nothing should be lost on the way.
fn in_full(pace: Pace, sender: &impl Sender, send: impl Fn(&str) + Sync) -> Result<Vec<Figure>> {
    let before = process_cpu();
    let cost = pace::measure(pace, send)?;
    let fate = sender.settle()?;
    let cpu = process_cpu() - before;
    let lost = (pace.calls() as u64).saturating_sub(fate.reached);
    let per_million = |nanoseconds: f64| nanoseconds / 1e3 / pace.calls() as f64;
    let whole = [
        Figure { label: "process", unit: "s/M", value: per_million(cpu - fate.server_cpu) },
        Figure { label: "server", unit: "s/M", value: per_million(fate.server_cpu) },
        Figure { label: "lost", unit: "%", value: lost as f64 * 100.0 / pace.calls() as f64 },
    ];
    Ok(costs(cost).into_iter().chain(whole).collect())
}

fn costs(cost: Cost) -> Vec<Figure> {
    let figure = |label, value| Figure { label, unit: "ns", value };
    vec![figure("CPU", cost.cpu), figure("p50", cost.p50), figure("p99", cost.p99)]
}

/// A sender that is given more than it can take.
fn saturated<S: Sender>(name: &str, start: impl Fn() -> Result<S> + 'static, burst: Burst) -> Case {
    let run = move || {
        let fate = burst::send(burst, &start()?)?;
        let share = |events: u64| events as f64 * 100.0 / burst.sent() as f64;
        let Fate { reached, told, .. } = fate;
        let figure = |label, events| Figure { label, unit: "%", value: share(events) };
        Ok(vec![
            figure("reached", reached),
            figure("lost, told", told),
            figure("lost, untold", fate.untold(burst.sent())),
        ])
    };
    let end = if burst.short_lived { " that end" } else { "" };
    Case::new(format!("{name}, {} at once, {}{end}", burst.events, of(burst.threads)), run)
}

fn of(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

fn judge(plan: &mut Plan, cases: &[Case]) {
    // The first figure of the case with this name: the CPU time of a call, or its only one.
    let first = |name: &str| {
        let case = cases.iter().find(|case| case.name == name);
        case.and_then(|case| case.medians().first().map(|figure| figure.value)).unwrap_or(f64::NAN)
    };
    let absolute = [
        ("no data, 1 thread", "ns", 60.0),
        ("3 fields, 1 thread", "ns", 150.0),
        ("disabled, 3 fields, 1 thread", "ns", 2.0),
        ("queue full, data of 2000 bytes", "MiB", 18.0),
    ];
    for (what, unit, most) in absolute {
        plan.report.judge(format!("ours, {what}, {unit}"), first(&format!("ours, {what}")), Budget::AtMost(most));
    }
    for what in ["no data, 1 thread", "3 fields, 1 thread", "no data, 8 threads", "3 fields, 8 threads"] {
        let peers = ["opentelemetry", "sentry", "fastrace"].map(|name| first(&format!("{name}, {what}")));
        let best = peers.into_iter().fold(f64::INFINITY, f64::min);
        let ratio = first(&format!("ours, {what}")) / best;
        plan.report.judge(format!("ours / the best peer, {what}"), ratio, Budget::AtMost(0.5));
    }
    // The worst round counts here, not the middle one.
    let untold =
        cases.iter().filter(|case| case.name.starts_with("ours")).flat_map(|case| case.rounds.iter().flatten());
    let worst = untold.filter(|figure| figure.label == "lost, untold").map(|figure| figure.value).fold(0.0, f64::max);
    plan.report.judge("ours, lost without being told, %", worst, Budget::AtMost(0.0));
}
