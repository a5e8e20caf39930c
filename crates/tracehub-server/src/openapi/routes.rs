//! Every route, in the order of `app.rs`. `mod.rs` says how to add one.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};
use tracehub_core::wire::calls::CallsAnswer;
use tracehub_core::wire::compare::CompareAnswer;
use tracehub_core::wire::health::{Check, ReadyAnswer};
use tracehub_core::wire::ingest::{IngestAnswer, IngestSingleAnswer, MAX_BODY_BYTES};
use tracehub_core::wire::live::DEFAULT_TIMEOUT_SECONDS;
use tracehub_core::wire::read::{ChainAnswer, CleanupAnswer, CorrelationsAnswer, HealthAnswer, RecentAnswer};
use tracehub_core::wire::schema::{LiveEvent, NewBatch, NewEntry};
use tracehub_core::wire::session::{LoginRequest, MAX_LOGIN_BYTES};
use tracehub_core::wire::stats::StatsAnswer;

use super::examples;
use super::operation::Operation;
use super::parameters::{
    correlation_id, header, integer, integer_or, number, one_of, path, place, query, required, text,
};
use super::refusals::{of_the_store, of_the_writer};
use crate::error::ApiError;
use crate::routes::{correlations, ingest, recent, traces};

const SENDING: &str = "sending";
const READING: &str = "reading";
const LIVE: &str = "live";
const SERVER: &str = "server";
const PAGE: &str = "page";

/// The parts of the list.
pub(super) const TAGS: [(&str, &str); 5] = [
    (SENDING, "Entries in. 200 means stored."),
    (READING, "Chains, and lists of them."),
    (LIVE, "Entries as they are committed, as server-sent events."),
    (SERVER, "The server itself."),
    (PAGE, "The page, and its way in. Neither holds data."),
];

/// Every operation.
pub(super) fn all() -> Vec<Operation> {
    [(PAGE, page()), (SENDING, sending()), (READING, reading()), (LIVE, live()), (SERVER, server()), (PAGE, session())]
        .into_iter()
        .flat_map(|(tag, operations)| operations.into_iter().map(move |operation| operation.tagged(tag)))
        .collect()
}

fn page() -> Vec<Operation> {
    let hash = path("hash", text(), "The version of the page.", "0123456789abcdef");
    let name = path("name", text(), "A path within it; its slashes stand as they are.", "page/main.js");
    vec![
        Operation::new("get", "get_page", "/", "Gives the page for browsers")
            .gives_text("text/html", "HTML.")
            .revalidated(),
        Operation::new("get", "get_asset", "/assets/{hash}/{name:.*}", "Gives a file of the page")
            .looks_up([hash, name])
            .gives_text("*/*", "JavaScript, CSS or an image. It may be kept for ever."),
    ]
}

fn sending() -> Vec<Operation> {
    vec![
        Operation::new("post", "send_batch", "/ingest", "Stores a batch of entries, all or nothing")
            .body::<NewBatch>(MAX_BODY_BYTES, examples::new_batch())
            .gives::<IngestAnswer>(
                "Stored, and synced to disk unless the server is told otherwise.",
                examples::stored(),
            )
            .with_header("Accept-Encoding", "How a body may be compressed.", ingest::ACCEPTED_ENCODINGS.1)
            .refuses([ApiError::TooManyEntries, ApiError::RateLimited(1)])
            .refuses(of_the_writer()),
        Operation::new("post", "send_entry", "/ingest/single", "Stores one entry")
            .body::<NewEntry>(MAX_BODY_BYTES, examples::new_entry())
            .gives::<IngestSingleAnswer>("Stored now, or before.", examples::stored_single())
            .refuses([ApiError::RateLimited(1)])
            .refuses(of_the_writer()),
        Operation::new("delete", "clean_up", "/cleanup", "Deletes now what is older than the retention")
            .gives::<CleanupAnswer>("How many entries that were.", examples::cleaned_up())
            .refuses(of_the_writer()),
    ]
}

fn reading() -> Vec<Operation> {
    let skew = || query("skew", one_of(&["on", "off"], Some("on")), "`off` takes times as they were logged.");
    let chain_too_large = || [ApiError::ChainTooLarge(traces::MAX_ANALYSED_ENTRIES)];
    let [source, endpoint, host, operation] = place();
    vec![
        Operation::new("get", "get_chain", "/traces/{correlation_id}", "Gives a chain")
            .takes([
                correlation_id(),
                query("source", text(), "Only entries of this source."),
                query("since_ts", number(), "Only entries with a later timestamp, Unix ms."),
            ])
            .gives::<ChainAnswer>("The chain.", examples::chain())
            .refuses(of_the_store()),
        Operation::new("get", "get_calls", "/traces/{correlation_id}/calls", "Gives a chain as a forest of calls")
            .takes([correlation_id(), skew()])
            .gives::<CallsAnswer>("Its calls, and where its time went.", examples::calls())
            .refuses(chain_too_large())
            .refuses(of_the_store()),
        Operation::new(
            "get",
            "get_recent",
            "/recent",
            "Gives the newest entries of all chains, in the order of commits",
        )
        .takes([
            query("since_id", integer(0, i64::MAX), "Only entries after this; without it the newest."),
            query("since", number(), "Only entries that arrived then or later, Unix ms; the oldest of them first."),
            query("limit", integer_or(recent::DEFAULT_LIMIT, 0, recent::MAX_LIMIT), "How many."),
            query("source", text(), "Only entries of this source. Go on while `last_id` grows."),
        ])
        .gives::<RecentAnswer>("The entries, and where to go on.", examples::recent())
        .refuses(of_the_store()),
        Operation::new("get", "compare_chains", "/compare", "Gives two chains side by side, call by call")
            .takes([
                example(required("a", not_empty(), "The one."), examples::CHAIN),
                example(required("b", not_empty(), "The other."), examples::OTHER_CHAIN),
                skew(),
            ])
            .gives::<CompareAnswer>("What is missing, added and slower in `b`.", examples::compared())
            .refuses(chain_too_large())
            .refuses(of_the_store()),
        Operation::new("get", "list_chains", "/correlations", "Lists the chains, the most recently active first")
            .takes([
                query("limit", integer_or(correlations::DEFAULT_LIMIT, 0, correlations::MAX_LIMIT), "How many."),
                query("include", one_of(&["complete"], None), "Adds to each whether it is complete."),
                query("status", one_of(&["complete", "incomplete"], None), "Only those that are."),
                source,
                endpoint,
                host,
                operation,
                query("q", text(), "Only chains whose id begins with this."),
                query("min_duration_ms", number(), "Only chains that took so long."),
                query("since", number(), "Only chains of which something arrived then or later, Unix ms."),
                query("cursor", integer(1, i64::MAX), "Goes on after a page: its `next_cursor`."),
            ])
            .gives::<CorrelationsAnswer>("The chains.", examples::correlations())
            .refuses(of_the_store()),
    ]
}

fn live() -> Vec<Operation> {
    let after = || query("after", integer(0, i64::MAX), "Only entries after this event id.");
    let timeout = |schema, description| query("timeout", schema, description);
    let last_event_id = || header("Last-Event-ID", text(), "The last event that was seen; it counts before `after`.");
    let any = integer_or(DEFAULT_TIMEOUT_SECONDS, i64::MIN, i64::MAX);
    let [source, endpoint, host, operation] = place();
    vec![
        Operation::new("get", "follow_chain", "/traces/{correlation_id}/stream", "Gives a chain and goes on, live")
            .takes([
                correlation_id(),
                timeout(any, "How long to go on, in seconds. 0 or less gives what is stored and ends."),
                after(),
                last_event_id(),
            ])
            .gives_events::<LiveEvent>("Each event: an entry, or the last one.", examples::event())
            .refuses([ApiError::TooManyStreams]),
        Operation::new("get", "follow_all", "/stream", "Gives the entries of all chains, live")
            .takes([
                source,
                endpoint,
                host,
                operation,
                query("correlation_id", text(), "Only chains whose id begins with this."),
                timeout(integer(0, i64::MAX), "How long to go on, in seconds; without it, for ever."),
                after(),
                last_event_id(),
            ])
            .gives_events::<LiveEvent>("Each event: an entry, or the last one.", examples::event())
            .refuses([ApiError::TooManyStreams]),
    ]
}

fn server() -> Vec<Operation> {
    vec![
        Operation::new("get", "get_health", "/health", "Says that the server is there, and whether it takes entries")
            .gives::<HealthAnswer>("How it is.", examples::health()),
        Operation::new("get", "is_alive", "/healthz", "Says that the process answers")
            .gives_text("text/plain", "`ok` and a line end."),
        Operation::new("get", "is_ready", "/readyz", "Says whether the server can do its work")
            .gives::<ReadyAnswer>("It can.", examples::ready())
            .refuses([ApiError::NotReady(examples::checks(Check::Full))]),
        Operation::new("get", "get_stats", "/stats", "Says how much there is, what waits, and what came")
            .gives::<StatsAnswer>("The figures.", examples::stats())
            .refuses(of_the_store()),
        Operation::new("get", "get_metrics", "/metrics", "Gives everything that is counted, for Prometheus")
            .gives_text("text/plain", "The text format 0.0.4."),
        Operation::new("get", "get_openapi", "/openapi.json", "Gives this description")
            .gives::<Map<String, Value>>("OpenAPI.", json!({ "openapi": "3.1.0" }))
            .revalidated(),
    ]
}

fn session() -> Vec<Operation> {
    vec![
        Operation::new("post", "log_in", "/login", "Lets a browser in with the secret for reading")
            .body::<LoginRequest>(MAX_LOGIN_BYTES, examples::login())
            .gives_nothing(StatusCode::NO_CONTENT, "Let in. Where reading asks for nothing, without a cookie.")
            .with_header("Set-Cookie", "The session.", "tracehub_session=6a2b; HttpOnly; SameSite=Strict; Path=/")
            .refuses([ApiError::Forbidden, ApiError::TooManyAttempts(42)]),
        Operation::new("post", "log_out", "/logout", "Ends the session")
            .gives_nothing(StatusCode::NO_CONTENT, "Ended, whether there was one or not.")
            .with_header(
                "Set-Cookie",
                "No session.",
                "tracehub_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0",
            ),
    ]
}

fn not_empty() -> Value {
    let mut schema = text();
    schema["minLength"] = 1.into();
    schema
}

fn example(mut parameter: Value, value: &str) -> Value {
    parameter["example"] = value.into();
    parameter
}
