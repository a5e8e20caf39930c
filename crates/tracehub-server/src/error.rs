//! The one door from a failure to an HTTP answer. Faults of the server are logged here, once, and not sent.

use std::fmt;

use actix_web::body::MessageBody as _;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use tracehub_core::store::StoreError;
use tracehub_core::wire::error::{Detail, ErrorBody, ErrorCode, FieldError};
use tracehub_core::wire::health::ReadyChecks;
use tracehub_core::wire::ingest::{IngestError, MAX_BATCH_ENTRIES};

/// When to try again after what passes by itself, in seconds. A full queue drains in well under one.
const OVERLOADED_RETRY_SECONDS: u32 = 1;
/// When to try again after the store failed, in seconds: time for someone to make room.
const STORAGE_RETRY_SECONDS: u32 = 30;
/// When to try again at a server that is stopping, in seconds: time to start again.
const SHUTDOWN_RETRY_SECONDS: u32 = 2;

/// The most bytes of a path with its query: every filter of a stream at its longest, percent-encoded, has room.
pub(crate) const MAX_URI_BYTES: usize = 16 << 10;
/// The most bytes of all headers.
pub(crate) const MAX_HEAD_BYTES: usize = 32 << 10;

/// Why a request is refused.
#[derive(Debug, Clone)]
pub(crate) enum ApiError {
    BadRequest(String),
    Malformed,
    UriTooLong,
    HeadTooLarge,
    Invalid(Vec<FieldError>),
    NotFound,
    MethodNotAllowed(&'static str),
    RequestTimeout,
    BodyIncomplete,
    BodyTooLarge(usize),
    TooManyEntries,
    UnsupportedMediaType,
    UnsupportedEncoding(String),
    Overloaded,
    ShuttingDown,
    NotReady(ReadyChecks),
    Storage,
    StorageFull,
    StorageBusy,
    StorageReadonly,
    QueryTimeout,
    TooManyStreams,
    ChainTooLarge(usize),
    Unauthorized,
    Forbidden,
    BadOrigin,
    BadHost,
    TooManyAttempts(u32),
    RateLimited(u32),
    TooManyConnections,
    Internal,
}

impl ApiError {
    fn code(&self) -> (StatusCode, ErrorCode) {
        match self {
            Self::BadRequest(_) | Self::Malformed => (StatusCode::BAD_REQUEST, ErrorCode::BadRequest),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, ErrorCode::UriTooLong),
            Self::HeadTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode::HeadTooLarge),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::Invalid),
            Self::NotFound => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, ErrorCode::RequestTimeout),
            // Not 400: what was sent is not at fault, and may be sent again.
            Self::BodyIncomplete => (StatusCode::REQUEST_TIMEOUT, ErrorCode::BodyIncomplete),
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::BodyTooLarge),
            Self::TooManyEntries => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooManyEntries),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedMediaType),
            Self::UnsupportedEncoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedEncoding),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Overloaded),
            Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::ShuttingDown),
            Self::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NotReady),
            Self::Storage => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::StorageUnavailable),
            Self::StorageFull => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::StorageFull),
            Self::StorageBusy => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::StorageBusy),
            Self::StorageReadonly => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::StorageReadonly),
            Self::QueryTimeout => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::QueryTimeout),
            Self::TooManyStreams => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TooManyStreams),
            Self::ChainTooLarge(_) => (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::ChainTooLarge),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized),
            Self::Forbidden => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
            Self::BadOrigin => (StatusCode::FORBIDDEN, ErrorCode::BadOrigin),
            Self::BadHost => (StatusCode::MISDIRECTED_REQUEST, ErrorCode::BadHost),
            Self::TooManyAttempts(_) => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyAttempts),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited),
            Self::TooManyConnections => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TooManyConnections),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal),
        }
    }

    /// The refusal's code, for those who count.
    pub(crate) fn error_code(&self) -> ErrorCode {
        self.code().1
    }

    /// The original's `detail`, where it has one.
    fn detail(&self) -> Option<Detail> {
        match self {
            Self::BadRequest(_) => Some(Detail::Text("There was an error parsing the body")),
            Self::Invalid(faults) => Some(Detail::Fields(faults.clone())),
            Self::NotFound => Some(Detail::Text("Not Found")),
            Self::MethodNotAllowed(_) => Some(Detail::Text("Method Not Allowed")),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Overloaded
            | Self::NotReady(_)
            | Self::StorageBusy
            | Self::QueryTimeout
            | Self::TooManyStreams
            | Self::TooManyConnections => Some(OVERLOADED_RETRY_SECONDS),
            Self::ShuttingDown => Some(SHUTDOWN_RETRY_SECONDS),
            Self::Storage | Self::StorageFull | Self::StorageReadonly => Some(STORAGE_RETRY_SECONDS),
            Self::TooManyAttempts(seconds) | Self::RateLimited(seconds) => Some(*seconds),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(reason) => formatter.write_str(reason),
            Self::Malformed => formatter.write_str("this is not HTTP/1.1, or its headers contradict each other"),
            Self::UriTooLong => write!(formatter, "a path with its query may have at most {MAX_URI_BYTES} bytes"),
            Self::HeadTooLarge => {
                write!(formatter, "there may be at most 96 headers, of {MAX_HEAD_BYTES} bytes together")
            }
            Self::Invalid(faults) => formatter.write_str(&FieldError::summary(faults)),
            Self::NotFound => formatter.write_str("there is no such route; docs/http-api.md lists them"),
            Self::MethodNotAllowed(allowed) => write!(formatter, "this route takes {allowed}"),
            Self::RequestTimeout => formatter.write_str("the request did not arrive in time"),
            Self::BodyIncomplete => formatter.write_str("the connection ended before the body did; send it again"),
            Self::BodyTooLarge(most) => write!(formatter, "a body here may have at most {most} bytes"),
            Self::TooManyEntries => write!(formatter, "a batch may have at most {MAX_BATCH_ENTRIES} entries"),
            Self::UnsupportedMediaType => formatter.write_str("the body must be declared as application/json"),
            Self::UnsupportedEncoding(encoding) => write!(formatter, "unknown Content-Encoding {encoding:?}"),
            Self::Overloaded => formatter.write_str("as much is waiting as may wait; try again shortly"),
            Self::ShuttingDown => formatter.write_str("the server is stopping; try again shortly"),
            Self::NotReady(checks) => match checks.trouble() {
                Some((name, check)) => write!(formatter, "the server is not ready: {name} is {check}"),
                None => formatter.write_str("the server was not ready"),
            },
            Self::Storage => formatter.write_str("the store is not available; the server's log says why"),
            Self::StorageFull => formatter.write_str("the disk is too full for more entries; those stored can be read"),
            Self::StorageBusy => formatter.write_str("another program holds the database; try again shortly"),
            Self::StorageReadonly => formatter.write_str("the file system is read-only; entries stored can be read"),
            Self::QueryTimeout => formatter.write_str("the question took too long; ask for less"),
            Self::TooManyStreams => formatter.write_str("there are as many streams as there may be; close some"),
            Self::ChainTooLarge(most) => write!(formatter, "a chain of more than {most} entries is not analysed"),
            Self::Unauthorized => {
                formatter.write_str("this asks for a secret: send it as X-TraceHub-Secret or Authorization: Bearer")
            }
            Self::Forbidden => formatter.write_str("the secret is not valid for this"),
            Self::BadOrigin => {
                formatter.write_str("pages of other origins may not do this; --cors-origin lists those that may")
            }
            Self::BadHost => formatter.write_str("this server has another name; --public-host adds one"),
            Self::TooManyAttempts(_) => formatter.write_str("there were too many wrong secrets from this address"),
            Self::RateLimited(_) => formatter.write_str("this address sends more entries than one may; slow down"),
            Self::TooManyConnections => formatter.write_str("there are as many connections as there may be"),
            Self::Internal => formatter.write_str("the server failed; its log says why"),
        }
    }
}

impl ApiError {
    /// The whole answer as bytes, for where no request has come about that could be answered.
    pub(crate) fn to_http(&self) -> Vec<u8> {
        let response = self.error_response();
        let mut answer = format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        // A body of JSON is there at once.
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        answer.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
        answer.extend(body);
        answer
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code().0
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Self::MethodNotAllowed(allowed) = self {
            response.insert_header((header::ALLOW, *allowed));
        }
        if let Self::Unauthorized = self {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"tracehub\""));
        }
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if matches!(self, Self::RequestTimeout | Self::BodyIncomplete | Self::TooManyConnections) {
            response.force_close();
        }
        let (error, message) = (self.code().1, self.to_string());
        let checks = if let Self::NotReady(checks) = self { Some(*checks) } else { None };
        response.json(ErrorBody { error, message, detail: self.detail(), retry_after: self.retry_after(), checks })
    }
}

impl From<IngestError> for ApiError {
    fn from(err: IngestError) -> Self {
        match err {
            IngestError::NotUtf8 => Self::BadRequest("the body is not valid UTF-8".to_owned()),
            IngestError::TooManyEntries => Self::TooManyEntries,
            IngestError::Invalid(faults) => Self::Invalid(faults),
        }
    }
}

impl From<&StoreError> for ApiError {
    fn from(err: &StoreError) -> Self {
        let cause = std::error::Error::source(err).map(ToString::to_string).unwrap_or_default();
        let answer = match err {
            StoreError::Full(_) => Self::StorageFull,
            StoreError::Busy(_) => Self::StorageBusy,
            StoreError::ReadOnly(_) => Self::StorageReadonly,
            StoreError::TooSlow(_) => Self::QueryTimeout,
            _ => Self::Storage,
        };
        tracing::error!(error = %err, cause, "the store failed");
        answer
    }
}
