//! Refusals as `OpenAPI`: each is made as it would be sent, so status, headers and body cannot differ from the description.

use std::collections::BTreeMap;

use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError as _};
use serde_json::{Map, Value, json};
use tracehub_core::wire::error::{ErrorBody, FieldError};

use super::Components;
use crate::access::Guard;
use crate::app::READ;
use crate::error::ApiError;

/// What the connection, the gate and the routing may refuse of a route with this guard.
pub(super) fn of_every_route(method: &str, guard: Guard) -> Vec<ApiError> {
    let allowed = match method {
        "post" => "POST",
        "delete" => "DELETE",
        _ => READ,
    };
    let mut refusals = vec![
        ApiError::BadHost,
        ApiError::BadRequest("secrets do not belong in URLs, which are logged; send a header".to_owned()),
        ApiError::MethodNotAllowed(allowed),
        ApiError::RequestTimeout,
        ApiError::UriTooLong,
        ApiError::HeadTooLarge,
        ApiError::TooManyConnections,
        ApiError::Internal,
    ];
    if method != "get" {
        refusals.push(ApiError::BadOrigin);
    }
    if guard != Guard::Open {
        refusals.extend([ApiError::Unauthorized, ApiError::Forbidden, ApiError::TooManyAttempts(42)]);
    }
    refusals
}

/// What is said of a field of the body, the query or the path that breaks a rule.
pub(super) fn invalid(place: &'static str) -> ApiError {
    let location = vec![place.into(), "field".into()];
    ApiError::Invalid(vec![FieldError::new("missing", location, "Field required")])
}

/// What may be wrong with a body of at most `limit` bytes.
pub(super) fn of_a_body(limit: usize) -> [ApiError; 7] {
    [
        ApiError::BadRequest("the body is not valid UTF-8".to_owned()),
        ApiError::BodyIncomplete,
        ApiError::Overloaded,
        ApiError::BodyTooLarge(limit),
        ApiError::UnsupportedMediaType,
        ApiError::UnsupportedEncoding("br".to_owned()),
        invalid("body"),
    ]
}

/// What the store may answer: all that `error.rs` makes of a `StoreError`.
pub(super) fn of_the_store() -> [ApiError; 5] {
    use ApiError::{QueryTimeout, Storage, StorageBusy, StorageFull, StorageReadonly};
    [StorageFull, StorageBusy, StorageReadonly, QueryTimeout, Storage]
}

/// What the way to the writer may answer.
pub(super) fn of_the_writer() -> Vec<ApiError> {
    [ApiError::Overloaded, ApiError::ShuttingDown].into_iter().chain(of_the_store()).collect()
}

/// A response for each status, with what it says for each of its codes. Equal ones are kept once, as components.
pub(super) fn responses(refusals: &[ApiError], components: &mut Components) -> Vec<(StatusCode, Value)> {
    let mut by_status: BTreeMap<StatusCode, Refused> = BTreeMap::new();
    for refusal in refusals {
        let refused = by_status.entry(refusal.status_code()).or_default();
        refused.add(refusal.error_response());
    }
    let reference = |(status, refused): (StatusCode, Refused)| {
        let schema = components.schemas.subschema_for::<ErrorBody>().to_value();
        let meaning = |code: &str| meaning(components.schemas.definitions(), code);
        let (name, response) = (refused.name(), refused.describe(&schema, meaning));
        // Two that have the same codes may still differ, in the limit that they name.
        let mut names = (2..).map(|number| format!("{name}_{number}"));
        let mut name = name.clone();
        while components.responses.get(&name).is_some_and(|other| *other != response) {
            name = names.next().unwrap_or_default();
        }
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        components.responses.insert(name, response);
        (status, reference)
    };
    by_status.into_iter().map(reference).collect()
}

/// What a code means: the comment that stands where it is defined.
fn meaning(definitions: &Map<String, Value>, code: &str) -> String {
    let mut codes = definitions.get("ErrorCode").and_then(|codes| codes["oneOf"].as_array()).into_iter().flatten();
    let described = codes.find(|one| one["const"] == code).and_then(|one| one["description"].as_str());
    format!("`{code}`: {}", described.unwrap_or_default())
}

/// The refusals of one status: their headers, and an example of each code.
#[derive(Debug, Default)]
struct Refused {
    headers: Map<String, Value>,
    examples: BTreeMap<String, Value>,
    always_says_when_again: bool,
}

impl Refused {
    fn add(&mut self, sent: HttpResponse) {
        self.add_headers(sent.headers());
        let body = sent.into_body().try_into_bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let says_when_again = body.get("retry_after").is_some();
        self.always_says_when_again = says_when_again && (self.examples.is_empty() || self.always_says_when_again);
        let code = body["error"].as_str().unwrap_or_default().to_owned();
        self.examples.entry(code).or_insert(body);
    }

    fn add_headers(&mut self, sent: &HeaderMap) {
        let known = [
            (ALLOW, "Allow", "string", "The methods that the route has."),
            (WWW_AUTHENTICATE, "WWW-Authenticate", "string", "How to send the secret."),
            (RETRY_AFTER, "Retry-After", "integer", "When to try again, in seconds."),
        ];
        for (name, written, kind, description) in known {
            let Some(value) = sent.get(name).and_then(|value| value.to_str().ok()) else { continue };
            let example = value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from);
            let header = json!({
                "description": description, "required": true, "schema": { "type": kind }, "example": example,
            });
            self.headers.entry(written).or_insert(header);
        }
    }

    /// The codes are the name, and the route's methods where they are part of it.
    fn name(&self) -> String {
        let codes = self.examples.keys().map(String::as_str);
        let allowed = self.headers.get("Allow").and_then(|allow| allow["example"].as_str());
        let methods = allowed.into_iter().flat_map(|methods| methods.split(", "));
        codes.chain(methods).collect::<Vec<_>>().join(".")
    }

    fn describe(self, schema: &Value, meaning: impl Fn(&str) -> String) -> Value {
        let codes: Vec<&String> = self.examples.keys().collect();
        let description = codes.iter().map(|code| meaning(code)).collect::<Vec<_>>().join("\n\n");
        let mut narrowed = json!({ "properties": { "error": { "enum": codes } } });
        if self.always_says_when_again {
            narrowed["required"] = json!(["retry_after"]);
        }
        let examples: Map<String, Value> =
            self.examples.iter().map(|(code, body)| (code.clone(), json!({ "value": body }))).collect();
        let content = json!({ "schema": { "allOf": [schema, narrowed] }, "examples": examples });
        let mut response = json!({ "description": description, "content": { "application/json": content } });
        if !self.headers.is_empty() {
            response["headers"] = self.headers.into();
        }
        response
    }
}
