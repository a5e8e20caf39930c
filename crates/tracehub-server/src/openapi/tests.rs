//! What the description must have: every route that is registered, every code there is, every parameter that is asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{DOCUMENT, routes};

fn document() -> Value {
    serde_json::from_slice(&DOCUMENT.json()).unwrap()
}

/// The methods and paths that `app.rs` registers.
fn registered() -> BTreeSet<(String, String)> {
    let services = include_str!("../app.rs").lines().filter(|line| line.trim_start().starts_with(".service("));
    let route = |line: &str| {
        let texts: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let method = if line.contains("(readable(") { "get".to_owned() } else { texts[1].to_lowercase() };
        (method, texts[0].to_owned())
    };
    services.map(route).collect()
}

#[test]
fn every_route_that_is_registered_is_described_and_no_other() {
    let described: BTreeSet<(String, String)> =
        routes::all().iter().map(|operation| (operation.method.to_owned(), operation.path.to_owned())).collect();
    assert_eq!(described, registered());
    let document = document();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let names: BTreeSet<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), described.len(), "names of operations are their own");
}

#[test]
fn every_error_code_is_described_where_it_may_come() {
    let document = document();
    let codes = document["components"]["schemas"]["ErrorCode"]["oneOf"].as_array().unwrap();
    let codes: BTreeSet<&str> = codes.iter().map(|code| code["const"].as_str().unwrap()).collect();
    assert!(codes.len() > 20, "{codes:?}");
    let responses = document["components"]["responses"].as_object().unwrap();
    let said: BTreeSet<&str> = responses
        .values()
        .flat_map(|response| response["content"]["application/json"]["examples"].as_object().unwrap().keys())
        .map(String::as_str)
        .collect();
    assert_eq!(said, codes);
}

/// The parameters of the query that a handler's file asks for by name.
fn asked_for(file: &str) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for method in ["text", "required", "one_of", "integer", "optional_integer", "number", "whole_seconds"] {
        let call = format!("query.{method}(\"");
        names.extend(file.match_indices(&call).map(|(start, _)| {
            let rest = &file[start + call.len()..];
            &rest[..rest.find('"').unwrap()]
        }));
    }
    if file.contains("query.place()") {
        names.extend(["source", "endpoint", "host", "operation"]);
    }
    names
}

#[test]
fn every_parameter_that_is_asked_for_is_described_and_no_other() {
    let files = [
        ("/traces/{correlation_id}", include_str!("../routes/traces.rs")),
        ("/traces/{correlation_id}/calls", include_str!("../routes/traces.rs")),
        ("/traces/{correlation_id}/stream", include_str!("../routes/live.rs")),
        ("/stream", include_str!("../routes/live.rs")),
        ("/recent", include_str!("../routes/recent.rs")),
        ("/compare", include_str!("../routes/compare.rs")),
        ("/correlations", include_str!("../routes/correlations.rs")),
    ];
    let document = document();
    let mut described: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operations = item.as_object().unwrap().values();
        let parameters = operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
        let names = parameters.filter(|parameter| parameter["in"] == "query").map(|one| one["name"].as_str().unwrap());
        let file = files.iter().find(|(other, _)| other == path).map(|(_, file)| *file);
        let names: BTreeSet<&str> = names.collect();
        assert!(file.is_some() || names.is_empty(), "{path} is not in this table");
        described.entry(file.unwrap_or_default()).or_default().extend(names);
    }
    for (file, names) in described {
        assert_eq!(names, asked_for(file), "{}", file.lines().next().unwrap_or_default());
    }
}

#[test]
fn what_is_referred_to_is_there() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 30);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}
