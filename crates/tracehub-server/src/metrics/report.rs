//! Everything that is counted, as one answer. What each name means for whoever runs a server: `docs/operations.md`, which
//! a test holds against this.

use std::time::SystemTime;

use tracehub_core::wire::health::Check;
use tracehub_core::wire::stats::StoredStats;

use super::process::{Process, unix_seconds};
pub(crate) use super::text::CONTENT_TYPE;
use super::text::{NANOSECONDS, Text};
use crate::condition::Trouble;
use crate::ingest::{MAX_WAITING_COMMANDS, room};
use crate::live::admission::MAX_STREAMS;
use crate::state::State;

/// Writes the answer. A database that cannot be read costs what is read from it, and no more: that is when the rest is
/// wanted most.
pub(crate) async fn write(state: &State) -> String {
    let (stored, process) = looked_up(state).await;
    let mut text = Text::default();
    server(&mut text, state);
    requests(&mut text, state);
    ingest(&mut text, state);
    commits(&mut text, state);
    streams(&mut text, state);
    store(&mut text, state, stored);
    reads(&mut text, state);
    system(&mut text, state, process.as_ref());
    text.finish()
}

/// What must be looked up where blocking is allowed.
async fn looked_up(state: &State) -> (Option<StoredStats>, Option<Process>) {
    let looked = state.reader.query(|store| Ok((store.totals(), Process::look()))).await;
    match looked {
        Ok((Ok(stored), process)) => (Some(stored), Some(process)),
        Ok((Err(err), process)) => {
            tracing::debug!(error = %err, "the store was not counted");
            (None, Some(process))
        }
        Err(_) => (None, None),
    }
}

fn server(text: &mut Text, state: &State) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    text.gauge("tracehub_build_info", "The version that runs; always 1.").sample(&version, 1);
    let checks = state.pulse.checks(&state.condition, &state.ingest);
    text.gauge("tracehub_ready", "Whether /readyz says yes, for each thing that it looks at.");
    for (name, check) in checks.named() {
        text.sample(&[("check", name)], u8::from(check == Check::Ok));
    }
    text.gauge("tracehub_condition", "Whether entries are refused because of this trouble.");
    for trouble in Trouble::ALL {
        text.sample(&[("trouble", trouble.code())], u8::from(state.condition.trouble() == Some(trouble)));
    }
}

fn requests(text: &mut Text, state: &State) {
    text.counter("tracehub_http_requests_total", "Requests that were answered.");
    for (route, method, status, count) in state.requests.counts() {
        let status = if status == 0 { "other".to_owned() } else { status.to_string() };
        text.sample(&[("route", route), ("method", method), ("status", &status)], count);
    }
    text.histogram("tracehub_http_request_duration_seconds", "Time until the answer, of streams until they began.");
    for (route, durations) in state.requests.durations() {
        text.distribution(&[("route", route)], durations, NANOSECONDS);
    }
}

fn ingest(text: &mut Text, state: &State) {
    let counts = state.ingest.counts();
    text.counter("tracehub_ingest_entries_total", "Entries that were taken, by whether they were new.")
        .sample(&[("outcome", "inserted")], counts.inserted)
        .sample(&[("outcome", "duplicate")], counts.duplicates);
    text.counter("tracehub_ingest_refused_requests_total", "Requests with entries that were refused, by the reason.");
    for (code, count) in state.ingest.refused().counts() {
        text.sample(&[("error", &code.name())], count);
    }
    let waiting = state.ingest.waiting();
    text.gauge("tracehub_queue_entries", "Entries that wait for the writer.").value(waiting.entries);
    text.gauge("tracehub_queue_bytes", "Bytes of batches that wait for the writer.").value(waiting.bytes);
    text.gauge("tracehub_queue_requests", "Requests that wait for the writer.").value(state.ingest.waiting_commands());
    text.gauge("tracehub_queue_limit_entries", "Entries that may wait at the disk's present pace.")
        .value(state.ingest.most_waiting_rows());
    text.gauge("tracehub_queue_limit_bytes", "Bytes that may wait.").value(room::MAX_BYTES);
    text.gauge("tracehub_queue_limit_requests", "Requests that may wait.").value(MAX_WAITING_COMMANDS);
}

fn commits(text: &mut Text, state: &State) {
    let commits = &state.commits;
    text.histogram("tracehub_commit_duration_seconds", "Time of a group's transaction, its sync included.")
        .distribution(&[], &commits.duration, NANOSECONDS);
    text.histogram("tracehub_commit_entries", "Entries of a group that was committed at once.").distribution(
        &[],
        &commits.entries,
        1.0,
    );
    text.histogram("tracehub_commit_batches", "Requests of a group that was committed at once.").distribution(
        &[],
        &commits.batches,
        1.0,
    );
    text.counter("tracehub_commit_failures_total", "Transactions that failed; nothing of them was stored.")
        .value(commits.failed.get());
    text.counter("tracehub_deleted_entries_total", "Entries that were deleted, by the reason.")
        .sample(&[("reason", "expired")], commits.expired.get())
        .sample(&[("reason", "evicted")], commits.evicted.get());
    text.counter("tracehub_cleanup_runs_total", "Clean-ups that have ended.").value(commits.cleanups.get());
    text.counter("tracehub_given_back_bytes_total", "Bytes of the database that were given back to the disk.")
        .value(commits.given_back_bytes.get());
}

fn streams(text: &mut Text, state: &State) {
    let counts = state.hub.counts();
    let (opened, refused) = state.streams.since_start();
    text.gauge("tracehub_streams_open", "Streams that are open.").value(state.streams.open());
    text.gauge("tracehub_streams_limit", "Streams that may be open.").value(MAX_STREAMS);
    text.counter("tracehub_streams_opened_total", "Streams that were opened.").value(opened);
    text.counter("tracehub_streams_refused_total", "Streams that were refused because there were too many.")
        .value(refused);
    text.counter(
        "tracehub_streams_behind_total",
        "Times that a stream fell behind and had to catch up from the store: too much waited for it, or for all.",
    )
    .sample(&[("cause", "own_limit")], counts.lagged.get())
    .sample(&[("cause", "common_limit")], counts.cut_off.get());
    text.counter("tracehub_stream_events_total", "Entries that were sent as events.").value(counts.events.get());
    text.gauge("tracehub_stream_waiting_bytes", "Bytes of events that wait for streams.").value(state.hub.kept_bytes());
}

fn store(text: &mut Text, state: &State, stored: Option<StoredStats>) {
    text.gauge("tracehub_store_entries", "Entries that are stored.");
    stored.map(|stored| text.value(stored.entries));
    text.gauge("tracehub_store_chains", "Chains that are stored, at the most.");
    stored.map(|stored| text.value(stored.chains_at_most));
    text.gauge("tracehub_store_wal_bytes", "Bytes of the database's write-ahead log.");
    stored.map(|stored| text.value(stored.wal_bytes));
    let commits = &state.commits;
    text.gauge("tracehub_store_bytes", "Bytes of the database.").value(commits.store_bytes.get());
    text.gauge("tracehub_store_reusable_bytes", "Bytes of the database that hold nothing and will be used again.")
        .value(commits.reusable_bytes.get());
    text.gauge("tracehub_store_limit_bytes", "Bytes that the database may hold; only if there is a limit.");
    state.config.max_db_bytes.map(|most| text.value(most));
    text.gauge("tracehub_disk_free_bytes", "Bytes that are free on the database's disk.");
    commits.free_disk_bytes().map(|free| text.value(free));
    text.gauge("tracehub_disk_min_free_bytes", "Bytes that stay free: with less, entries are refused.")
        .value(state.config.min_free_bytes);
    text.gauge("tracehub_retention_seconds", "How long entries are kept.").value(state.config.retention.as_secs());
}

fn reads(text: &mut Text, state: &State) {
    let counts = state.reader.counts();
    text.gauge("tracehub_reads_busy", "Questions to the database under way.").value(counts.busy());
    text.counter("tracehub_reads_total", "Questions to the database.").value(counts.questions.get());
    text.counter("tracehub_read_timeouts_total", "Questions that were broken off because they took too long.")
        .value(counts.too_slow.get());
}

/// By the names that every Prometheus client gives them, so that what exists for those fits.
fn system(text: &mut Text, state: &State, process: Option<&Process>) {
    let started = SystemTime::now().checked_sub(state.started.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
    text.gauge("process_start_time_seconds", "When the server started, Unix time.").value(unix_seconds(started));
    let families: [(&'static str, &str, Option<u64>); 4] = [
        ("process_resident_memory_bytes", "Memory in use.", process.and_then(|process| process.resident_bytes)),
        ("process_open_fds", "Open descriptors.", process.and_then(|process| process.open_descriptors)),
        ("process_max_fds", "Descriptors that may be open.", process.and_then(|process| process.most_descriptors)),
        ("process_threads", "Threads.", process.and_then(|process| process.threads)),
    ];
    text.counter("process_cpu_seconds_total", "User and system time.");
    process.map(|process| text.value(process.cpu_seconds));
    for (name, help, value) in families {
        text.gauge(name, help);
        value.map(|value| text.value(value));
    }
}
