//! Correlation for servers built on tower, such as axum (feature `tower`).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::request::RequestCheckpoint;
use crate::checkpoint::CheckpointLogger;
use crate::correlation::{self, WithCorrelation};

/// [`CORRELATION_HEADER`](correlation::CORRELATION_HEADER) as the name that it is on the wire.
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// What names a request's endpoint, from what other layers left with the request.
type EndpointOf = fn(&http::Extensions) -> Option<String>;

/// Runs every request with its correlation id, and echoes the id in `X-Correlation-ID`.
///
/// What that means in detail stands with [`middleware`](crate::middleware). The layer belongs outermost, which is last
/// in a chain of `.layer(…)` of axum: what other layers do and answer then carries the id too.
///
/// ```
/// use axum::{Router, extract::MatchedPath, routing::get};
/// use tracehub_client::middleware::tower::CorrelationLayer;
/// use tracehub_client::{CheckpointLogger, TraceHubClient, correlation};
///
/// async fn order() -> String {
///     correlation::current().map_or_else(String::new, |id| format!("part of {id}"))
/// }
///
/// let logger = CheckpointLogger::new(TraceHubClient::disabled(), "MA");
/// let layer = CorrelationLayer::new()
///     .with_checkpoints(logger)
///     .with_endpoint(|extensions| Some(extensions.get::<MatchedPath>()?.as_str().to_owned()));
/// let app: Router = Router::new().route("/orders/{id}", get(order)).layer(layer);
/// ```
#[derive(Debug, Clone, Default)]
pub struct CorrelationLayer {
    logger: Option<CheckpointLogger>,
    endpoint_of: Option<EndpointOf>,
}

impl CorrelationLayer {
    /// A layer that writes no checkpoints.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every request a pair of checkpoints with the operation `REST` and the path, without its query, as the
    /// endpoint.
    #[must_use]
    pub fn with_checkpoints(mut self, logger: CheckpointLogger) -> Self {
        self.logger = Some(logger);
        self
    }

    /// Takes the endpoint from the request's extensions, where routers leave the pattern of the route. If `endpoint_of`
    /// finds none, the endpoint is the path.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint_of: fn(&http::Extensions) -> Option<String>) -> Self {
        self.endpoint_of = Some(endpoint_of);
        self
    }
}

impl<S> Layer<S> for CorrelationLayer {
    type Service = CorrelationService<S>;

    fn layer(&self, inner: S) -> CorrelationService<S> {
        CorrelationService { inner, layer: self.clone() }
    }
}

/// The service that [`CorrelationLayer`] makes of another.
#[derive(Debug, Clone)]
pub struct CorrelationService<S> {
    inner: S,
    layer: CorrelationLayer,
}

impl<S, B, R> Service<Request<B>> for CorrelationService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CorrelationFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let headers = request.headers();
        let id = correlation::from_headers(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        let id: Arc<str> = id.into();
        let mut checkpoint = RequestCheckpoint::enter(self.layer.logger.as_ref(), &id, || {
            let named = self.layer.endpoint_of.and_then(|endpoint_of| endpoint_of(request.extensions()));
            named.unwrap_or_else(|| request.uri().path().to_owned())
        });
        let inner = checkpoint.watch(|| {
            let _scope = correlation::scope(Arc::clone(&id));
            self.inner.call(request)
        });
        // An id from `from_headers` always fits a header.
        let echo = HeaderValue::from_str(&id).ok();
        CorrelationFuture { inner: correlation::with_correlation(id, inner), checkpoint, echo }
    }
}

pin_project! {
    /// The answer that is to come from a [`CorrelationService`].
    #[derive(Debug)]
    pub struct CorrelationFuture<F> {
        // Before the checkpoint, because what the handler entered is left before the request is.
        #[pin]
        inner: WithCorrelation<F>,
        checkpoint: RequestCheckpoint,
        echo: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for CorrelationFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.checkpoint.watch(|| this.inner.poll(context)));
        match &mut answer {
            Ok(response) => {
                this.checkpoint.answered(response.status().as_u16());
                if let Some(id) = this.echo.take() {
                    response.headers_mut().insert(CORRELATION, id);
                }
            }
            Err(_) => this.checkpoint.failed(),
        }
        Poll::Ready(answer)
    }
}
