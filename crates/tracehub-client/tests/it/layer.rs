//! The layer: spans of `tracing` come out as checkpoints, whatever runs them.

mod support;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracehub_client::{
    CheckpointLayer, CheckpointLogger, Complaint, FlushOutcome, TestSink, TraceHubClient, correlation,
};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, Level, Span, Subscriber, info_span};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, registry};

use self::support::{data, ends, seen, traced, traced_by};
use crate::support::{LONG, Reply, Server, runtime};

#[test]
fn a_span_is_a_pair_with_its_fields() {
    let sink = traced(|| {
        let span = info_span!(
            "orders.insert",
            correlation_id = "c1",
            operation = "DB",
            rows = 3,
            below = -1,
            share = 0.5,
            ready = true,
            name = "ü",
            shown = ?Some(1),
            told = %"x",
            not_a_number = f64::NAN,
            long = u128::MAX,
            token = "hunter2",
            never = tracing::field::Empty,
        );
        span.in_scope(|| ());
    });
    let chain = sink.chain("c1");
    assert_eq!(seen(&chain), ["-> DB orders.insert", "<- DB orders.insert"]);
    assert_eq!(chain[0].suffix(), chain[1].suffix(), "a pair is paired by it");
    let mut expected = json!({
        "rows": 3, "below": -1, "share": 0.5, "ready": true, "name": "ü", "shown": "Some(1)", "told": "x",
        "not_a_number": "NaN", "token": "[redacted]",
    });
    assert!(chain[0].data().unwrap().contains(&format!("\"long\":{}", u128::MAX)));
    let without_long = |entry| {
        let mut data = data(entry);
        data.as_object_mut().unwrap().remove("long");
        data
    };
    assert_eq!(without_long(&chain[0]), expected);
    let mut left = without_long(&chain[1]);
    for time in ["busy_ms", "idle_ms"] {
        expected[time] = left[time].take();
        assert!(expected[time].as_f64().is_some_and(|ms| (0.0..30_000.0).contains(&ms)), "{}", expected[time]);
        left[time] = expected[time].clone();
    }
    assert_eq!(left, expected);
}

#[test]
fn spans_share_a_chain_and_nest() {
    let sink = traced(|| {
        let outer = info_span!("outer").entered();
        info_span!("first").in_scope(|| info_span!("inmost").in_scope(|| ()));
        info_span!("second").in_scope(|| ());
        drop(outer);
        info_span!("another").in_scope(|| ());
    });
    let entries = sink.entries();
    sink.assert_balanced();
    let id = entries[0].correlation_id();
    assert!(correlation::valid_inbound(id));
    assert_eq!(
        seen(&sink.chain(id)),
        [
            "-> SPAN outer",
            "-> SPAN first",
            "-> SPAN inmost",
            "<- SPAN inmost",
            "<- SPAN first",
            "-> SPAN second",
            "<- SPAN second",
            "<- SPAN outer"
        ]
    );
    assert_eq!(entries.len(), 10, "the next root is a chain of its own");
}

#[test]
fn the_id_comes_from_the_nearest_field_then_the_current_one_then_the_span_around() {
    let id_of = |sink: &TestSink, endpoint: &str| {
        let entries = sink.entries();
        entries.iter().find(|entry| entry.endpoint() == endpoint).map(|entry| entry.correlation_id().to_owned())
    };
    let sink = traced(|| {
        let _current = correlation::scope("current");
        let _named = info_span!("named", correlation_id = 42).entered();
        info_span!("within").in_scope(|| ());
        info_span!("nearer", correlation_id = %"near").in_scope(|| info_span!("deep").in_scope(|| ()));
        info_span!(parent: None, "by current").in_scope(|| ());
        info_span!(parent: None, "unusable", correlation_id = "").in_scope(|| ());
    });
    for (endpoint, expected) in [
        ("named", "42"),
        ("within", "42"),
        ("nearer", "near"),
        ("deep", "near"),
        ("by current", "current"),
        ("unusable", "current"),
    ] {
        assert_eq!(id_of(&sink, endpoint).as_deref(), Some(expected), "{endpoint}");
    }
    assert_eq!(data(&sink.entries()[0]), Value::Null, "what the entry says anyway is not repeated");

    let sink = traced(|| {
        let outer = correlation::scope("current").id().clone();
        let parent = info_span!("parent");
        {
            let _current = correlation::scope(outer);
            parent.in_scope(|| ());
        }
        info_span!(parent: &parent, "child").in_scope(|| ());
    });
    assert_eq!(id_of(&sink, "child").as_deref(), Some("current"), "the chain of the span around it");
}

#[test]
fn a_root_that_is_entered_after_its_children_shares_their_chain() {
    let sink = traced(|| {
        let root = info_span!("root");
        info_span!(parent: &root, "one").in_scope(|| ());
        info_span!(parent: &root, "two").in_scope(|| ());
        root.in_scope(|| ());
    });
    let entries = sink.entries();
    assert_eq!(entries.len(), 6);
    assert!(entries.iter().all(|entry| entry.correlation_id() == entries[0].correlation_id()));
}

#[test]
fn fields_that_are_recorded_late_are_in_the_leave() {
    let sink = traced(|| {
        let empty = tracing::field::Empty;
        let span = info_span!("s", early = empty, late = empty, operation = "OP", correlation_id = empty);
        span.record("early", 1);
        span.in_scope(|| {
            span.record("late", "soon");
            span.record("late", "at last");
            span.record("operation", "OTHER");
            span.record("correlation_id", "c9");
            info_span!("inner").in_scope(|| ());
        });
    });
    let entries = sink.entries();
    sink.assert_balanced();
    assert_eq!(seen(&entries), ["-> OP s", "-> SPAN inner", "<- SPAN inner", "<- OP s"]);
    assert_eq!(data(&entries[0]), json!({"early": 1}));
    let left = data(&entries[3]);
    assert_eq!((&left["early"], &left["late"], &left["operation"]), (&json!(1), &json!("at last"), &json!("OTHER")));
    assert_eq!(entries[1].correlation_id(), "c9", "spans in it follow the id");
    assert_ne!(entries[3].correlation_id(), "c9", "a pair stays together");
}

#[test]
fn a_leave_has_the_time_of_the_last_exit_and_a_span_that_is_never_entered_logs_nothing() {
    let mut exited = 0.0;
    let sink = traced(|| {
        drop(info_span!("never"));
        let span = info_span!("held");
        span.in_scope(|| ());
        span.in_scope(|| std::thread::sleep(Duration::from_millis(2)));
        exited = support::unix_ms();
        std::thread::sleep(Duration::from_millis(20));
        drop(span);
    });
    let entries = sink.entries();
    assert_eq!(seen(&entries), ["-> SPAN held", "<- SPAN held"]);
    let late = entries[1].timestamp() - exited;
    assert!(late < 10.0, "{late} ms after the exit");
    let busy = data(&entries[1])["busy_ms"].as_f64().unwrap();
    assert!(busy >= 2.0, "{busy}");
}

#[test]
fn a_span_that_is_not_closed_is_an_open_call() {
    let sink = traced(|| {
        let span = info_span!("leaked", correlation_id = "c1");
        span.in_scope(|| ());
        std::mem::forget(span);
    });
    assert_eq!(seen(&sink.entries()), ["-> SPAN leaked"]);
    let message = support::panic_message(|| sink.assert_balanced());
    assert!(message.ends_with("chain \"c1\": MA SPAN leaked was entered and never left"), "{message}");
}

#[test]
fn a_panic_is_told_of_and_cleaning_up_is_not_one() {
    struct CleansUp;
    impl Drop for CleansUp {
        fn drop(&mut self) {
            info_span!("cleanup").in_scope(|| ());
        }
    }
    let sink = traced(|| {
        let unwound = std::panic::catch_unwind(|| {
            let _span = info_span!("work").entered();
            let _cleans_up = CleansUp;
            // Unlike `panic!`, this does not print.
            std::panic::resume_unwind(Box::new("a fault of the host"));
        });
        assert!(unwound.is_err());
    });
    let entries = sink.entries();
    assert_eq!(seen(&entries), ["-> SPAN work", "-> SPAN cleanup", "<- SPAN cleanup", "<- SPAN work"]);
    assert_eq!(data(&entries[3])["panicked"], true);
    assert_eq!(data(&entries[2]).get("panicked"), None);
}

#[test]
fn a_future_is_one_pair_however_often_it_is_polled_and_wherever() {
    let (client, sink) = TestSink::new();
    let layer = CheckpointLayer::new(CheckpointLogger::new(client, "MA")).build();
    let dispatch: tracing::Dispatch = registry().with(layer).into();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        // For as long as the thread lives.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
        .build()
        .unwrap();
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen_threads = Arc::clone(&threads);
    let request = move |number: u64| {
        let threads = Arc::clone(&seen_threads);
        async move {
            let work = async {
                for _ in 0..20 {
                    threads.lock().unwrap().insert((number, std::thread::current().id()));
                    tokio::task::yield_now().await;
                    tokio::time::sleep(Duration::from_micros(50)).await;
                }
            };
            work.instrument(info_span!("inner")).await;
        }
    };
    let all = runtime.spawn(async move {
        let start = |number| {
            let span = info_span!("request", correlation_id = %format!("c{number}"));
            tokio::spawn(request(number).instrument(span))
        };
        let tasks: Vec<_> = (0..40).map(start).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    runtime.block_on(all).unwrap();
    assert!(threads.lock().unwrap().len() > 40, "no task moved, so this has proved nothing");
    sink.assert_balanced();
    for number in 0..40 {
        let chain = sink.chain(&format!("c{number}"));
        assert_eq!(seen(&chain), ["-> SPAN request", "-> SPAN inner", "<- SPAN inner", "<- SPAN request"]);
        let left = data(&chain[3]);
        assert!(left["idle_ms"].as_f64().unwrap() >= 1.0, "it slept 20 times 50 µs: {left}");
    }
}

#[test]
fn tasks_of_one_name_that_interleave_in_one_chain_keep_their_own_ends() {
    let sink = traced(|| {
        runtime().block_on(async {
            let _current = correlation::scope("c1");
            let fetch = |number: u64| {
                let nap = async move { tokio::time::sleep(Duration::from_millis(5 * number)).await };
                nap.instrument(info_span!("fetch", number))
            };
            tokio::join!(fetch(1), fetch(3), fetch(2));
        });
    });
    let chain = sink.chain("c1");
    assert_eq!(chain.len(), 6);
    for number in 1..=3 {
        let ends: Vec<_> = chain.iter().filter(|entry| data(entry)["number"] == number).collect();
        assert_eq!((ends.len(), ends[0].suffix()), (2, ends[1].suffix()));
    }
}

#[test]
fn instrumented_functions_are_calls() {
    #[tracing::instrument(fields(correlation_id = id))]
    async fn handler(id: &str, items: u32) -> Result<u32, fmt::Error> {
        tokio::task::yield_now().await;
        Ok(step(items).await)
    }
    #[tracing::instrument(level = "info", name = "inner step", skip_all, fields(operation = "STEP"))]
    async fn step(items: u32) -> u32 {
        tokio::task::yield_now().await;
        items + 1
    }
    let sink = traced(|| assert_eq!(runtime().block_on(handler("c1", 2)), Ok(3)));
    let chain = sink.chain("c1");
    assert_eq!(seen(&chain), ["-> SPAN handler", "-> STEP inner step", "<- STEP inner step", "<- SPAN handler"]);
    assert_eq!((data(&chain[0]), data(&chain[1])), (json!({"id": "c1", "items": 2}), Value::Null));
}

#[test]
fn level_targets_and_operation_can_be_set() {
    let layer =
        |layer: CheckpointLayer| layer.level(Level::DEBUG).include("shop").exclude("shop::noise").operation("CALL");
    let sink = traced_by(layer, || {
        tracing::debug_span!(target: "shop", "yes").in_scope(|| ());
        tracing::trace_span!(target: "shop", "too detailed").in_scope(|| ());
        tracing::error_span!(target: "shop::noise", "excluded").in_scope(|| ());
        tracing::error_span!(target: "shopping", "not included").in_scope(|| ());
    });
    assert_eq!(seen(&sink.entries()), ["-> CALL yes", "<- CALL yes"]);
    let sink = traced(|| {
        for span in [
            tracing::error_span!(target: "hyper::client", "no"),
            tracing::error_span!(target: "tower", "no"),
            tracing::error_span!(target: "tracehub_client", "no"),
            tracing::debug_span!("no"),
        ] {
            span.in_scope(|| ());
        }
        tracing::error_span!(target: "tower_http::trace", "yes").in_scope(|| ());
    });
    assert_eq!(seen(&sink.entries()), ["-> SPAN yes", "<- SPAN yes"]);
}

#[test]
fn events_are_marks_if_asked_for() {
    let work = || {
        tracing::info!("of no chain");
        info_span!("s", correlation_id = "c1").in_scope(|| {
            tracing::warn!(target: "shop", left = 2, "few items");
            tracing::debug!("too detailed");
        });
        let _current = correlation::scope("c2");
        tracing::info!("bare");
        tracing::info!(correlation_id = "c3", "named");
    };
    let sink = traced(work);
    assert_eq!(sink.entries().len(), 2);
    let sink = traced_by(|layer| layer.marks(true), work);
    let chain = sink.chain("c1");
    assert_eq!(seen(&chain), ["-> SPAN s", "warn EVENT shop", "<- SPAN s"]);
    assert_eq!(data(&chain[1]), json!({"message": "few items", "left": 2}));
    assert_eq!(data(&sink.chain("c2")[0]), json!({"message": "bare"}));
    assert_eq!(data(&sink.chain("c3")[0]), json!({"message": "named"}));
    assert_eq!(sink.entries().len(), 5);
}

/// Counts what reaches it.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Vec<&'static str>>>);

impl Layer<Registry> for Counting {
    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, _: &tracing::Id, _: Context<'_, Registry>) {
        self.0.lock().expect("no test panics in here").push(attributes.metadata().name());
    }
}

#[test]
fn where_nothing_is_logged_spans_are_switched_off_and_other_layers_see_theirs() {
    // What a program with one subscriber is told of this place in its code. With several, each is asked each time.
    let interest = |subscriber: &dyn Subscriber| {
        let span = tracing::subscriber::with_default(registry(), || info_span!("a place"));
        subscriber.register_callsite(span.metadata().expect("a span that is on"))
    };
    let disabled = CheckpointLogger::new(TraceHubClient::disabled(), "MA");
    let (without_checkpoints, sink) = TestSink::with(|builder| builder.checkpoints(false));
    let switched_off = CheckpointLogger::new(without_checkpoints, "MA");
    for logger in [disabled, switched_off] {
        let alone = registry().with(CheckpointLayer::new(logger.clone()).build());
        assert!(interest(&alone).is_never());
        assert_eq!(alone.max_level_hint(), Some(LevelFilter::OFF));
        let counting = Counting::default();
        let both = registry().with(counting.clone()).with(CheckpointLayer::new(logger).build());
        tracing::subscriber::with_default(both, || {
            assert!(!info_span!("info").is_disabled());
            assert!(!tracing::trace_span!("trace").is_disabled());
        });
        assert_eq!(*counting.0.lock().unwrap(), ["info", "trace"]);
    }
    assert!(sink.entries().is_empty());

    let (client, _sink) = TestSink::new();
    let on = |set: fn(CheckpointLayer) -> CheckpointLayer| {
        registry().with(set(CheckpointLayer::new(CheckpointLogger::new(client.clone(), "MA"))).build())
    };
    assert!(interest(&on(|layer| layer)).is_always());
    assert!(interest(&on(|layer| layer.exclude("it"))).is_never());
    assert!(interest(&on(|layer| layer.level(Level::WARN))).is_never());
}

#[test]
fn two_layers_do_not_disturb_each_other() {
    let (client, sink) = TestSink::new();
    let layer = |source| CheckpointLayer::new(CheckpointLogger::new(client.clone(), source));
    let subscriber = registry().with(layer("A").operation("OF A").build()).with(layer("B").level(Level::DEBUG).build());
    tracing::subscriber::with_default(subscriber, || {
        info_span!("both", correlation_id = "c1").in_scope(|| tracing::debug_span!("one").in_scope(|| ()));
    });
    let of = |source: &str| {
        let mut entries = sink.chain("c1");
        entries.retain(|entry| entry.source_id() == source);
        seen(&entries)
    };
    assert_eq!(of("A"), ["-> OF A both", "<- OF A both"]);
    assert_eq!(of("B"), ["-> SPAN both", "-> SPAN one", "<- SPAN one", "<- SPAN both"]);
}

/// A value whose text touches the very span that it is a field of, and logs.
struct Meddles(Span);

impl fmt::Debug for Meddles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A span knows its subscriber, so these calls arrive also where new spans are kept from it.
        self.0.record("count", 7);
        self.0.in_scope(|| ());
        info_span!("from within").in_scope(|| tracing::info!("from within"));
        formatter.write_str("meddled")
    }
}

#[test]
fn values_that_use_their_own_span_while_they_are_written_do_not_hang() {
    let entries = ends(|| {
        let work = || {
            let span = info_span!("s", count = 0, value = tracing::field::Empty);
            span.in_scope(|| {
                span.record("value", tracing::field::debug(Meddles(span.clone())));
                tracing::info!(value = ?Meddles(span.clone()), "an event");
                info_span!("inner", value = ?Meddles(span.clone())).in_scope(|| ());
            });
        };
        traced_by(|layer| layer.marks(true), work).entries()
    });
    let left = data(entries.last().unwrap());
    assert_eq!((&left["count"], &left["value"]), (&json!(7), &json!("meddled")));
}

/// The whole way: the layer is the default of the process, and so of the client's own thread and of what it sends
/// through; values that log are written; a hook that the client calls logs, too. What the server gets is what the host
/// did, and comes to an end.
#[test]
fn as_the_default_of_the_process_it_does_not_log_itself() {
    let server = Server::start(|number, _| if number == 0 { Reply::Status(503, String::new()) } else { Reply::Store });
    let complaints = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&complaints);
    let hook = move |_: &Complaint| {
        counted.fetch_add(1, Ordering::SeqCst);
        tracing::error_span!(target: "loop", "in the hook").in_scope(|| tracing::error!(target: "loop", "in the hook"));
        tracing::error!(target: "loop", correlation_id = "c1", "in the hook");
    };
    let client = TraceHubClient::builder(&server.url()).on_error(hook).build().expect("the settings are valid");
    let logger = CheckpointLogger::new(client.clone(), "MA");
    // Everything, as far as it may; but of the tests that run beside this one, and their servers, nothing.
    let layer = CheckpointLayer::new(logger).level(Level::TRACE).marks(true);
    let layer =
        ["it", "actix_http", "actix_server", "actix_web", "axum"].into_iter().fold(layer, CheckpointLayer::exclude);
    tracing::subscriber::set_global_default(registry().with(layer.build())).expect("no other test sets it");
    ends(|| {
        for number in 0..100 {
            let span = tracing::info_span!(target: "loop", "work", number, count = 0, value = tracing::field::Empty);
            span.in_scope(|| span.record("value", tracing::field::debug(Meddles(span.clone()))));
        }
    });
    // An entry that sending made would make another when it is sent.
    for _ in 0..5 {
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
        std::thread::sleep(Duration::from_millis(25));
    }
    assert!(complaints.load(Ordering::SeqCst) > 0, "the hook was not called, so it has proved nothing");
    assert_eq!(client.stats().accepted, 200);
}
