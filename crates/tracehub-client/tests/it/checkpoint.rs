//! The checkpoint logger: what its entries look like on the wire, and that chains stay whole.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};
use tracehub_client::{CheckpointLogger, FlushOutcome, TraceHubClient, correlation};

use crate::support::{LONG, Server, client};

/// The entries that the logger's client has sent.
fn sent(server: &Server, logger: &CheckpointLogger) -> Vec<Value> {
    assert_eq!(logger.client().flush(LONG), FlushOutcome::Complete);
    let bodies = server.requests().into_iter().map(|request| request.body);
    bodies
        .flat_map(|body| {
            let mut body: Value = serde_json::from_slice(&body).expect("a body is JSON");
            body["traces"].as_array_mut().map(std::mem::take).unwrap_or_default()
        })
        .collect()
}

#[test]
fn a_checkpoint_has_source_host_time_and_suffix() {
    let server = Server::storing();
    let logger = CheckpointLogger::new(client(&server), "MA");
    let id = correlation::new_id();
    logger.checkpoint_entry(&id, "REST", "/api/orders", &json!({"items": 3}));
    logger.checkpoint_exit(&id, "REST", "/api/orders", &());
    let entries = sent(&server, &logger);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0;
    let [enter, leave] = entries.as_slice() else { panic!("{entries:?}") };
    for (entry, direction) in [(enter, "->"), (leave, "<-")] {
        assert_eq!(entry["source_id"], "MA");
        assert_eq!(entry["correlation_id"], id);
        assert_eq!(entry["direction"], direction);
        assert_eq!((&entry["operation"], &entry["endpoint"]), (&json!("REST"), &json!("/api/orders")));
        assert_ne!(entry["hostname"], "unknown");
        let age = now - entry["timestamp"].as_f64().unwrap();
        assert!((0.0..60_000.0).contains(&age), "milliseconds since 1970: {age}");
    }
    assert_eq!((&enter["data"], &leave["data"]), (&json!({"items": 3}), &Value::Null));
    assert_ne!(enter["suffix"], leave["suffix"]);
}

#[test]
fn any_value_can_be_data() {
    let server = Server::storing();
    let logger = CheckpointLogger::new(client(&server), "MA");
    let by_pair: HashMap<(u8, u8), u8> = HashMap::from([((1, 2), 3)]);
    let mut deep = json!({});
    for _ in 0..125 {
        deep = json!({ "a": deep });
    }
    logger.checkpoint_entry("c1", "OP", "1", "text");
    logger.checkpoint_entry("c1", "OP", "2", &[1, 2]);
    logger.checkpoint_entry("c1", "OP", "3", &None::<u8>);
    logger.checkpoint_entry("c1", "OP", "4", &by_pair);
    logger.checkpoint_entry("c1", "OP", "5", &deep);
    let data: Vec<Value> = sent(&server, &logger).into_iter().map(|mut entry| entry["data"].take()).collect();
    assert_eq!(
        data,
        [
            json!({"value": "text"}),
            json!({"value": [1, 2]}),
            Value::Null,
            json!({"data_error": "key must be a string"}),
            json!({"data_error": "data: must nest at most 120 levels deep"}),
        ]
    );
}

#[test]
fn a_checkpoint_with_a_name_beyond_the_limits_is_counted() {
    let server = Server::storing();
    let logger = CheckpointLogger::new(client(&server), "MA");
    logger.checkpoint_entry("", "REST", "/", &());
    logger.checkpoint_entry(&"x".repeat(257), "REST", "/", &());
    let stats = logger.client().stats();
    assert_eq!((stats.refused.invalid, stats.accepted), (2, 0));
}

#[test]
fn a_scope_leaves_once_however_it_ends() {
    let server = Server::storing();
    let logger = CheckpointLogger::new(client(&server), "MA");
    drop(logger.scope("c1", "DB", "dropped"));
    logger.scope("c1", "DB", "left").leave(&json!({"rows": 2}));
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _scope = logger.scope("c1", "DB", "panicked");
        // Unlike `panic!`, this does not print.
        std::panic::resume_unwind(Box::new("a fault of the host"));
    }));
    assert!(unwound.is_err());
    let seen: Vec<(Value, Value, Value)> = sent(&server, &logger)
        .into_iter()
        .map(|mut entry| (entry["endpoint"].take(), entry["direction"].take(), entry["data"].take()))
        .collect();
    let expected = [
        ("dropped", "->", Value::Null),
        ("dropped", "<-", Value::Null),
        ("left", "->", Value::Null),
        ("left", "<-", json!({"rows": 2})),
        ("panicked", "->", Value::Null),
        ("panicked", "<-", json!({"panicked": true})),
    ];
    assert_eq!(seen, expected.map(|(endpoint, direction, data)| (json!(endpoint), json!(direction), data)));
}

/// A destructor that runs because of a panic, and does its own work well.
#[test]
fn a_scope_that_is_opened_while_a_panic_unwinds_has_not_panicked() {
    struct CleansUp<'a>(&'a CheckpointLogger);
    impl Drop for CleansUp<'_> {
        fn drop(&mut self) {
            drop(self.0.scope("c1", "DB", "rollback"));
        }
    }
    let server = Server::storing();
    let logger = CheckpointLogger::new(client(&server), "MA");
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _cleans_up = CleansUp(&logger);
        std::panic::resume_unwind(Box::new("a fault of the host"));
    }));
    assert!(unwound.is_err());
    let entries = sent(&server, &logger);
    assert_eq!((entries.len(), &entries[1]["data"]), (2, &Value::Null));
}

#[test]
fn suffixes_of_several_loggers_never_collide() {
    let server = Server::storing();
    let client = client(&server);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let logger = CheckpointLogger::new(client.clone(), "MA");
            scope.spawn(move || {
                for _ in 0..250 {
                    logger.checkpoint_entry("c1", "OP", "/", &());
                }
            });
        }
    });
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    let stored = server.stored();
    assert_eq!(stored.iter().collect::<HashSet<_>>().len(), 1_000);
}

#[test]
fn with_a_disabled_client_values_are_not_even_serialised() {
    struct Unwanted;
    impl Serialize for Unwanted {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("nobody wants this value");
        }
    }
    let logger = CheckpointLogger::new(TraceHubClient::disabled(), "MA");
    logger.checkpoint_entry("c1", "OP", "/", &Unwanted);
    logger.scope("c1", "OP", "/").leave(&Unwanted);
}
