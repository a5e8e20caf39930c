//! The description of the HTTP interface (OpenAPI 3.1), put together once from the code that answers.
//!
//! Schemas come from the wire types and their comments, refusals from [`ApiError`](crate::error::ApiError), secrets from
//! [`Guard`](crate::access::Guard), limits from the constants that the handlers check, examples from the code that writes
//! real answers. Only which route has which of them is said here.
//!
//! **To describe a new route**, add its [`Operation`] to the list in `routes.rs`, in the order of `app.rs`; mostly three
//! lines. It names the method, the operation, the path as it is registered and one sentence; then what the route takes
//! (`takes`, `body`), what it gives (`gives`, `gives_text`, `gives_nothing`), and what it refuses besides what every route of
//! its kind does (`refuses`). An answer's type derives `JsonSchema` where it derives `Serialize`. Tests fail until the
//! route is there, and as long as it is not so: `tests.rs` knows what is registered and which error codes there are,
//! `tests/it/openapi.rs` holds real answers against it, `tests/it/schemathesis.rs` attacks the server with it.

mod examples;
mod operation;
mod parameters;
mod refusals;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::web::Bytes;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::operation::Operation;
use crate::access::{SECRET_HEADER, sessions};
use crate::page::hash_of;

/// What stands above all routes. What OpenAPI has no field for is said here.
const INTRODUCTION: &str = "\
Checkpoints of many services, put together by the correlation id of the request.

`HEAD` is answered wherever `GET` is. A path with a slash too many at its end is redirected (307). Query parameters that are \
not known are passed over; of one that stands twice, the last counts. Without a secret on the server, no route asks for one. \
Every refusal is an `ErrorBody`; one with `retry_after` may be sent again, no other. Limits of texts are in bytes of UTF-8.

Bodies may be compressed: `Content-Encoding: gzip` or `zstd`, with the limit on what comes out.";

/// What `GET /openapi.json` gives.
pub(crate) static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::new);

/// The description, ready to be sent. Put together when it is first asked for.
#[derive(Debug)]
pub(crate) struct Document {
    json: Bytes,
    etag: String,
}

impl Document {
    fn new() -> Self {
        let json = Bytes::from(describe(&routes::all()).to_string());
        let etag = hash_of([&*json]);
        Self { json, etag }
    }

    /// The JSON.
    pub(crate) fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// The hash of the JSON.
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }
}

/// What the operations share, collected while they are described.
#[derive(Debug)]
struct Components {
    schemas: SchemaGenerator,
    responses: BTreeMap<String, Value>,
}

fn describe(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut components = Components { schemas: settings.into_generator(), responses: BTreeMap::new() };
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path_template()).or_insert_with(|| json!({}));
        path[operation.method] = operation.describe(&mut components);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "TraceHub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": routes::TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "schemas": components.schemas.take_definitions(true),
            "responses": components.responses,
            "securitySchemes": security_schemes(),
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "secret": {
            "type": "apiKey",
            "in": "header",
            "name": SECRET_HEADER,
            "description": "The secret for sending, or the one for reading, whichever the route asks for.",
        },
        "bearer": { "type": "http", "scheme": "bearer", "description": "The same secret." },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": sessions::NAME,
            "description": "What `POST /login` gives a browser. It opens reading and nothing else.",
        },
    })
}
