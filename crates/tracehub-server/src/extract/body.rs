//! A JSON body's bytes: declared as JSON, not too large, not too slow, decompressed.

use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use tracehub_core::wire::ingest::MAX_BODY_BYTES;

use super::inflate::{Encoding, inflate};
use super::room::{BodyRoom, Share};
use crate::connection::Handle;
use crate::error::ApiError;
use crate::state::State;

/// How long a body may take to arrive. The largest needs 5 Mbit/s for it.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long nothing of it may come.
const BODY_IDLE: Duration = Duration::from_secs(5);
/// What is kept ready for a body before anything of it has come: its declared length is a mere word.
const MAX_READY_BYTES: usize = 64 << 10;

/// The bytes of a body that claims to be JSON; at most `MOST`, decompressed too.
#[derive(Debug)]
pub(crate) struct JsonBody<const MOST: usize>(pub(crate) Vec<u8>);

/// The same of a body for the writer's queue. While that is full nothing of it is kept.
#[derive(Debug)]
pub(crate) struct IngestBody(pub(crate) Vec<u8>);

/// The bytes of a body as it was sent, and their share of the memory.
struct Received(Vec<u8>, Share);

impl<const MOST: usize> FromRequest for JsonBody<MOST> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (checked, incoming) = (check_headers(request, MOST), Incoming::of(request, payload.take()));
        Box::pin(async { Ok(Self(incoming.receive(checked?, MOST).await?)) })
    }
}

impl FromRequest for IngestBody {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = payload.take();
        let state = request.app_data::<web::Data<State>>();
        let checked = check_headers(request, MAX_BODY_BYTES);
        let queue = |declared: &Declared| state.map_or(Ok(()), |state| state.ingest.check(declared.length));
        if let Err(refusal) = checked.as_ref().map_or(Ok(()), queue) {
            return Box::pin(async move {
                discard(payload, MAX_BODY_BYTES).await;
                Err(refusal)
            });
        }
        let incoming = Incoming::of(request, payload);
        Box::pin(async { Ok(Self(incoming.receive(checked?, MAX_BODY_BYTES).await?)) })
    }
}

/// A body on its way.
struct Incoming {
    payload: Payload,
    /// The memory that this server's bodies share.
    room: BodyRoom,
    connection: Option<Rc<Handle>>,
}

impl Incoming {
    fn of(request: &HttpRequest, payload: Payload) -> Self {
        let state = request.app_data::<web::Data<State>>();
        let room = state.map(|state| state.bodies.clone()).unwrap_or_default();
        Self { payload, room, connection: request.conn_data::<Rc<Handle>>().cloned() }
    }

    async fn receive(self, declared: Declared, most: usize) -> Result<Vec<u8>, ApiError> {
        let reading = self.read(declared.length, most);
        let Received(body, share) =
            tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| ApiError::RequestTimeout)??;
        let body = match declared.encoding {
            None => body,
            Some(encoding) => inflate(encoding, body, most).await?,
        };
        // Parsed at once, and then counted by the queue.
        drop(share);
        Ok(body)
    }

    async fn read(mut self, declared: usize, most: usize) -> Result<Received, ApiError> {
        let mut share = self.room.share();
        let mut body = Vec::with_capacity(declared.min(MAX_READY_BYTES));
        loop {
            let next = tokio::time::timeout(BODY_IDLE, self.payload.next()).await;
            let Some(chunk) = next.map_err(|_| ApiError::RequestTimeout)? else { return Ok(Received(body, share)) };
            let chunk = chunk.map_err(|err| self.broken(&err))?;
            if body.len() + chunk.len() > most {
                return Err(ApiError::BodyTooLarge(most));
            }
            if !share.grow(chunk.len()) {
                return Err(ApiError::Overloaded);
            }
            // By doubling it would hold up to twice as much as comes, and copy it.
            if body.capacity() < body.len() + chunk.len() {
                body.reserve_exact(chunk.len().max(declared.saturating_sub(body.len())));
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Why there is no more. The end of a connection says nothing against the body, which may be sent again; wrong chunks do.
    /// Both are the same error here, and where both come at once it is taken for the end.
    fn broken(&self, err: &PayloadError) -> ApiError {
        if self.connection.as_ref().is_some_and(|connection| connection.has_ended()) {
            return ApiError::BodyIncomplete;
        }
        ApiError::BadRequest(format!("the body cannot be read: {err}"))
    }
}

/// What the headers say of the body.
struct Declared {
    length: usize,
    encoding: Option<Encoding>,
}

/// Checks what can be refused before a byte is read.
fn check_headers(request: &HttpRequest, most: usize) -> Result<Declared, ApiError> {
    let length = length(request)?.unwrap_or(0);
    if length > most {
        return Err(ApiError::BodyTooLarge(most));
    }
    // The original says 422 to an empty body whatever its type, so that is left to the parser.
    let has_body = length > 0 || request.headers().contains_key(header::TRANSFER_ENCODING);
    if has_body && !is_json(request) {
        return Err(ApiError::UnsupportedMediaType);
    }
    Ok(Declared { length, encoding: encoding(request)? })
}

/// The one encoding of the body. What is not known is refused, because its bytes would be parsed as they are.
fn encoding(request: &HttpRequest) -> Result<Option<Encoding>, ApiError> {
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING);
    let Some(value) = encodings.next() else { return Ok(None) };
    let name = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
    match name.as_str() {
        _ if encodings.next().is_some() => Err(ApiError::UnsupportedEncoding(format!("{name}, and more"))),
        "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Encoding::Gzip)),
        "zstd" => Ok(Some(Encoding::Zstd)),
        _ => Err(ApiError::UnsupportedEncoding(name)),
    }
}

fn length(request: &HttpRequest) -> Result<Option<usize>, ApiError> {
    let Some(value) = request.headers().get(header::CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
    let length = length.ok_or_else(|| ApiError::BadRequest("Content-Length is not a number".to_owned()))?;
    Ok(Some(usize::try_from(length).unwrap_or(usize::MAX)))
}

/// `application/json` or `application/*+json`, whatever its parameters.
fn is_json(request: &HttpRequest) -> bool {
    let Some(content_type) = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Lets a body pass that nobody wants, so that the connection stays good for the next request. What is too large or too
/// slow is left to the connection.
async fn discard(mut payload: Payload, most: usize) {
    let passing = async {
        let mut bytes = 0;
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(BODY_IDLE, payload.next()).await {
            bytes += chunk.len();
            if bytes > most {
                return;
            }
        }
    };
    // Its end does not matter: the refusal is the same.
    let _ = tokio::time::timeout(BODY_TIMEOUT, passing).await;
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::stream;
    use tokio::time::Instant;

    use super::*;

    /// What becomes of a body of which a byte comes after each of these pauses, in seconds, and how long that takes.
    async fn receive(pauses: &'static [u64]) -> (Result<usize, ApiError>, u64) {
        let bytes = stream::iter(pauses).then(async |pause| {
            tokio::time::sleep(Duration::from_secs(*pause)).await;
            Ok(web::Bytes::from_static(b" "))
        });
        let mut payload = Payload::from(Box::pin(bytes) as std::pin::Pin<Box<dyn stream::Stream<Item = _>>>);
        let began = Instant::now();
        let body = JsonBody::<1000>::from_request(&TestRequest::default().to_http_request(), &mut payload).await;
        (body.map(|body| body.0.len()), began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_not_for_long() {
        assert!(matches!(receive(&[4, 4, 4]).await, (Ok(3), 12)));
        assert!(matches!(receive(&[1, 6, 1]).await, (Err(ApiError::RequestTimeout), 6)));
        assert!(matches!(receive(&[2; 100]).await, (Err(ApiError::RequestTimeout), 15)));
        assert!(matches!(receive(&[0; 1001]).await, (Err(ApiError::BodyTooLarge(1000)), 0)));
    }
}
