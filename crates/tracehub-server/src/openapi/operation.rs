//! One route and method: what is said of it, and how that becomes OpenAPI.

use actix_web::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::parameters::{header, text};
use super::{Components, refusals};
use crate::access::Guard;
use crate::error::ApiError;

/// How a type's schema is made, and a reference to it.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A route and method.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    tag: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Body>,
    answers: Vec<Answer>,
    refusals: Vec<ApiError>,
}

#[derive(Debug)]
struct Body {
    schema: SchemaOf,
    example: Value,
}

/// What a route gives when all is well.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    description: &'static str,
    headers: Map<String, Value>,
    content: Option<Content>,
}

#[derive(Debug)]
struct Content {
    media_type: &'static str,
    schema: SchemaOf,
    example: Option<Value>,
}

impl Operation {
    /// An operation by its method in small letters, its name, its path as `app.rs` registers it, and what it does.
    pub(super) fn new(method: &'static str, id: &'static str, path: &'static str, summary: &'static str) -> Self {
        let refusals = refusals::of_every_route(method, Guard::of(path));
        let (tag, parameters, answers) = ("", Vec::new(), Vec::new());
        Self { method, path, tag, id, summary, parameters, body: None, answers, refusals }
    }

    /// The part of the list that it stands in.
    pub(super) fn tagged(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// Parameters. Whatever they hold is checked, but for that of headers.
    pub(super) fn takes<const N: usize>(mut self, parameters: [Value; N]) -> Self {
        if parameters.iter().any(|parameter| parameter["in"] != "header") {
            self.refusals.push(refusals::invalid("query"));
        }
        self.parameters.extend(parameters);
        self
    }

    /// Parts of the path that are looked up as they are, and 404 if there is nothing.
    pub(super) fn looks_up<const N: usize>(mut self, parameters: [Value; N]) -> Self {
        self.parameters.extend(parameters);
        self.refuses([ApiError::NotFound])
    }

    /// A JSON body of at most `limit` bytes.
    pub(super) fn body<T: JsonSchema>(mut self, limit: usize, example: Value) -> Self {
        self.body = Some(Body { schema: SchemaGenerator::subschema_for::<T>, example });
        self.refuses(refusals::of_a_body(limit))
    }

    /// 200 with JSON.
    pub(super) fn gives<T: JsonSchema>(self, description: &'static str, example: Value) -> Self {
        let schema: SchemaOf = SchemaGenerator::subschema_for::<T>;
        let content = Content { media_type: "application/json", schema, example: Some(example) };
        self.answer(StatusCode::OK, description, Some(content))
    }

    /// 200 with server-sent events.
    pub(super) fn gives_events<T: JsonSchema>(self, description: &'static str, example: Value) -> Self {
        let schema: SchemaOf = SchemaGenerator::subschema_for::<T>;
        let content = Content { media_type: "text/event-stream", schema, example: Some(example) };
        self.answer(StatusCode::OK, description, Some(content))
    }

    /// 200 with anything else.
    pub(super) fn gives_text(self, media_type: &'static str, description: &'static str) -> Self {
        let content = Content { media_type, schema: SchemaGenerator::subschema_for::<String>, example: None };
        self.answer(StatusCode::OK, description, Some(content))
    }

    /// A status without content.
    pub(super) fn gives_nothing(self, status: StatusCode, description: &'static str) -> Self {
        self.answer(status, description, None)
    }

    fn answer(mut self, status: StatusCode, description: &'static str, content: Option<Content>) -> Self {
        self.answers.push(Answer { status, description, headers: Map::new(), content });
        self
    }

    /// A header of the answer that was named last; `example` is all it ever says, or like it.
    pub(super) fn with_header(mut self, name: &'static str, description: &'static str, example: &str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            let header = json!({ "description": description, "schema": { "type": "string" }, "example": example });
            answer.headers.insert(name.to_owned(), header);
        }
        self
    }

    /// Asked again with the tag of the answer that was named last, it says 304 while that is the same.
    pub(super) fn revalidated(self) -> Self {
        let tag = ("ETag", "What to send as `If-None-Match` the next time.", "\"0123456789abcdef\"");
        let known = header("If-None-Match", text(), "The `ETag` of what is known; 304 while it is the same.");
        self.takes([known])
            .with_header(tag.0, tag.1, tag.2)
            .gives_nothing(StatusCode::NOT_MODIFIED, "It is as it was.")
            .with_header(tag.0, tag.1, tag.2)
    }

    /// What it refuses besides what every route like it does.
    pub(super) fn refuses(mut self, refusals: impl IntoIterator<Item = ApiError>) -> Self {
        self.refusals.extend(refusals);
        self
    }

    /// The path as OpenAPI writes it: without the patterns of its parameters.
    pub(super) fn path_template(&self) -> String {
        let parts = self.path.split('/').map(|part| match part.split_once(':') {
            Some((name, _)) => format!("{name}}}"),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// The operation as OpenAPI.
    pub(super) fn describe(&self, components: &mut Components) -> Value {
        let mut responses = Map::new();
        for answer in &self.answers {
            responses.insert(answer.status.as_str().to_owned(), answer.describe(components));
        }
        for (status, response) in refusals::responses(&self.refusals, components) {
            responses.insert(status.as_str().to_owned(), response);
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "security": security(Guard::of(self.path)),
            "responses": responses,
        });
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.clone().into();
        }
        if let Some(body) = &self.body {
            let schema = (body.schema)(&mut components.schemas);
            let content = json!({ "schema": schema, "example": body.example });
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": content } });
        }
        operation
    }
}

impl Answer {
    fn describe(&self, components: &mut Components) -> Value {
        let mut response = json!({ "description": self.description });
        if !self.headers.is_empty() {
            response["headers"] = self.headers.clone().into();
        }
        if let Some(content) = &self.content {
            let mut media_type = json!({ "schema": (content.schema)(&mut components.schemas) });
            if let Some(example) = &content.example {
                media_type["example"] = example.clone();
            }
            response["content"] = json!({ content.media_type: media_type });
        }
        response
    }
}

/// Any one of these opens it; an empty list is no lock.
fn security(guard: Guard) -> Value {
    match guard {
        Guard::Open => json!([]),
        Guard::Ingest => json!([{ "secret": [] }, { "bearer": [] }]),
        Guard::Read => json!([{ "secret": [] }, { "bearer": [] }, { "session": [] }]),
    }
}
