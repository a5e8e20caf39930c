//! The description that a server gives of itself, and answers held against it.
//!
//! `support::answer` asks it about every answer that a test looks at, so each test of this program also tests it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jsonschema::Validator;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

/// The description, and the validators that were needed so far.
pub(crate) struct Description {
    pub(crate) document: Value,
    validators: Mutex<HashMap<String, Validator>>,
}

/// An answer, as far as it is described.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a Value,
}

impl Description {
    /// The description of this program, asked for once of the server at `url`; none if that one has just been killed.
    pub(crate) async fn get(url: &str) -> Option<&'static Self> {
        static DESCRIPTION: OnceCell<Description> = OnceCell::const_new();
        let ask = || async {
            let answer = reqwest::get(format!("{url}/openapi.json")).await?;
            let document = serde_json::from_slice(&answer.bytes().await?).expect("it is JSON");
            Ok::<_, reqwest::Error>(Self { document, validators: Mutex::default() })
        };
        DESCRIPTION.get_or_try_init(ask).await.ok()
    }

    /// Each operation: its method, its path, and what is said of it.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (Method, &str, &Value)> {
        let paths = self.document["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            item.as_object().expect("operations").iter().map(move |(method, operation)| {
                (method.to_uppercase().parse().expect("a method"), path.as_str(), operation)
            })
        })
    }

    /// What is said of one answer of an operation.
    pub(crate) fn response(&self, operation: &Value, status: StatusCode) -> Option<Value> {
        let response = operation["responses"].get(status.as_str())?;
        Some(match response["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).expect("it is there").clone(),
            None => response.clone(),
        })
    }

    /// Fails unless an answer is as described; an unknown path is answered with 404 or sent elsewhere.
    pub(crate) fn check(&self, answer: &Answer<'_>) {
        let of_path: Vec<_> = self.operations().filter(|(_, path, _)| is_like(path, answer.path)).collect();
        // A parameter stands for anything, so a path without one is meant first.
        let plain = of_path.iter().find(|(_, path, _)| !path.contains('{')).map(|(_, path, _)| *path);
        let path = plain.or(of_path.first().map(|(_, path, _)| *path));
        let of_path = of_path.into_iter().filter(|(_, other, _)| Some(*other) == path);
        let wanted = if answer.method == Method::HEAD { Method::GET } else { answer.method.clone() };
        // One method that is described speaks for those that are not: they are refused, as is said there.
        let of_path: Vec<_> = of_path.collect();
        let described = of_path.iter().find(|(method, ..)| *method == wanted).or(of_path.first());
        let Some((_, _, operation)) = described else {
            assert!(
                matches!(answer.status.as_u16(), 307 | 400 | 401 | 403 | 404 | 414 | 421 | 431),
                "{answer:?} is not described"
            );
            return;
        };
        // A page of a listed origin is asked before it sends; that is CORS and no operation.
        if answer.method == Method::OPTIONS && answer.status == StatusCode::NO_CONTENT {
            return;
        }
        let response = self.response(operation, answer.status);
        let response = response.unwrap_or_else(|| panic!("the status of {answer:?} is not described"));
        let Some(content) = response["content"].as_object() else {
            assert!(answer.body == "", "the body of {answer:?} is not described");
            return;
        };
        if answer.method == Method::HEAD {
            return;
        }
        let essence = answer.content_type.split(';').next().unwrap_or_default();
        let media_type = content.get(essence).or(content.get("*/*"));
        let media_type = media_type.unwrap_or_else(|| panic!("the content type of {answer:?} is not described"));
        let outcome = match (essence, answer.body.as_str()) {
            ("text/event-stream", Some(events)) => self.validate_events(&media_type["schema"], events),
            _ => self.validate(&media_type["schema"], answer.body),
        };
        if let Err(fault) = outcome {
            panic!("{answer:?} is not as described: {fault}");
        }
    }

    /// Holds each event of a stream against a schema, and what it carries against the schema of that.
    pub(crate) fn validate_events(&self, schema: &Value, events: &str) -> Result<(), String> {
        let reference = schema["$ref"].as_str().expect("events are described in one place");
        let described = self.document.pointer(reference.trim_start_matches('#')).expect("it is there");
        for block in events.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':')) {
            let fields = block.lines().map(|line| line.split_once(": ").expect("a field and its value"));
            let event: Map<String, Value> = fields.map(|(name, value)| (name.to_owned(), value.into())).collect();
            let data = event["data"].as_str().and_then(|data| serde_json::from_str(data).ok()).expect("JSON");
            self.validate(schema, &event.into())?;
            self.validate(&described["properties"]["data"]["contentSchema"], &data)?;
        }
        Ok(())
    }

    /// Holds a value against a schema of the description. A key that the schema does not name is a fault.
    pub(crate) fn validate(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = validators.entry(schema.to_string()).or_insert_with(|| {
            let mut components = self.document["components"]["schemas"].clone();
            components.as_object_mut().expect("schemas").values_mut().for_each(|schema| close(schema, false));
            let mut whole = schema.clone();
            close(&mut whole, true);
            whole["components"] = json!({ "schemas": components });
            jsonschema::draft202012::new(&whole).expect("a schema")
        });
        let faults: Vec<String> =
            validator.iter_errors(value).map(|fault| format!("{} at {}", fault, fault.instance_path())).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }
}

/// Closes the objects of a schema to keys that it does not name. One that is a part of another is closed with that.
fn close(schema: &mut Value, is_whole: bool) {
    let Some(object) = schema.as_object_mut() else { return };
    for keyword in ["allOf", "anyOf", "oneOf"] {
        object.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten().for_each(|part| close(part, false));
    }
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(|property| close(property, true));
    if let Some(items) = object.get_mut("items") {
        close(items, true);
    }
    let names_keys =
        ["properties", "allOf", "anyOf", "oneOf", "$ref"].iter().any(|keyword| object.contains_key(*keyword));
    if is_whole && names_keys {
        object.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

/// Whether a path is one of a template, whose last parameter may hold slashes if it is called `name`.
fn is_like(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        match (wanted, parts.next()) {
            ("{name}", Some(part)) => return !part.is_empty(),
            (wanted, Some(part)) if wanted == part || (wanted.starts_with('{') && !part.is_empty()) => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}
