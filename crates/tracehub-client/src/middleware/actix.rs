//! Correlation for actix-web servers (feature `actix-web`).

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::{Error, InternalError};
use actix_web::http::header::{HeaderName, HeaderValue};
use pin_project_lite::pin_project;

use super::request::RequestCheckpoint;
use crate::checkpoint::CheckpointLogger;
use crate::correlation::{self, WithCorrelation};

/// [`CORRELATION_HEADER`](correlation::CORRELATION_HEADER) as the name that it is on the wire.
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// Runs every request with its correlation id, and echoes the id in `X-Correlation-ID`.
///
/// What that means in detail stands with [`middleware`](crate::middleware). It belongs outermost, which is last in a
/// chain of `.wrap(…)`: what other middlewares do and answer then carries the id too. An error that one of them
/// answers with keeps its answer, but reaches what is further out as an `InternalError`.
///
/// actix-web notices a client that has gone, and gives its request up, only if the server is told so with
/// `HttpServer::h1_allow_half_closed(false)`. Otherwise the handler runs to its end, and that is what the leave says.
///
/// ```
/// use actix_web::{App, get};
/// use tracehub_client::middleware::actix::CorrelationMiddleware;
/// use tracehub_client::{CheckpointLogger, TraceHubClient, correlation};
///
/// #[get("/orders/{id}")]
/// async fn order() -> String {
///     correlation::current().map_or_else(String::new, |id| format!("part of {id}"))
/// }
///
/// let logger = CheckpointLogger::new(TraceHubClient::disabled(), "MA");
/// let app = App::new().service(order).wrap(CorrelationMiddleware::new().with_checkpoints(logger));
/// ```
#[derive(Debug, Clone, Default)]
pub struct CorrelationMiddleware {
    logger: Option<CheckpointLogger>,
}

impl CorrelationMiddleware {
    /// A middleware that writes no checkpoints.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every request a pair of checkpoints with the operation `REST`. The endpoint is the pattern of the route,
    /// such as `/orders/{id}`, or the path if no route matches.
    #[must_use]
    pub fn with_checkpoints(mut self, logger: CheckpointLogger) -> Self {
        self.logger = Some(logger);
        self
    }
}

impl<S, B> Transform<S, ServiceRequest> for CorrelationMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = CorrelationService<S>;
    type InitError = ();
    type Future = Ready<Result<CorrelationService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(CorrelationService { inner, logger: self.logger.clone() }))
    }
}

/// The service that [`CorrelationMiddleware`] makes of another.
#[derive(Debug)]
pub struct CorrelationService<S> {
    inner: S,
    logger: Option<CheckpointLogger>,
}

impl<S, B> Service<ServiceRequest> for CorrelationService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = CorrelationFuture<S::Future>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let headers = request.headers();
        let id = correlation::from_headers(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        let id: Arc<str> = id.into();
        let mut checkpoint = RequestCheckpoint::enter(self.logger.as_ref(), &id, || {
            request.match_pattern().unwrap_or_else(|| request.path().to_owned())
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

impl<F, B> Future for CorrelationFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = std::task::ready!(this.checkpoint.watch(|| this.inner.poll(context)));
        let echo = this.echo.take();
        Poll::Ready(match answer {
            Ok(mut response) => {
                this.checkpoint.answered(response.status().as_u16());
                if let Some(id) = echo {
                    response.headers_mut().insert(CORRELATION, id);
                }
                Ok(response)
            }
            Err(err) => {
                // Asked once only: some errors give their answer away.
                let mut response = err.error_response();
                this.checkpoint.answered(response.status().as_u16());
                if let Some(id) = echo {
                    response.headers_mut().insert(CORRELATION, id);
                }
                Err(InternalError::from_response(err, response).into())
            }
        })
    }
}
