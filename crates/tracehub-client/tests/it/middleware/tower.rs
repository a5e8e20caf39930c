//! The tower layer, in an axum server.

use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Poll, Waker};
use std::thread;

use axum::extract::MatchedPath;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use axum::{Router, middleware};
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;
use tracehub_client::middleware::tower::CorrelationLayer;

use super::server::{self, Running, here, hub};
use crate::support::runtime;

fn start(layer: CorrelationLayer) -> (Running, Receiver<String>) {
    let (sender, started) = channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (address_sender, address) = channel();
    let thread = thread::spawn(move || {
        let app: Router = Router::new()
            .route("/orders/{id}", get(async || here()))
            .route("/fails", get(async || StatusCode::INTERNAL_SERVER_ERROR))
            .route("/panics", get(async || server::panics()))
            .route("/hangs", get(move || server::hangs(sender.clone())))
            .route("/sets", get(async || ([("X-Correlation-ID", "of the handler")], "")))
            .layer(layer);
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
            address_sender.send(listener.local_addr().expect("it is bound")).expect("the test listens");
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served.expect("it serves"),
                _ = stopped => {}
            }
        });
    });
    let stop = move || {
        // Fails if the server is gone, which the join tells.
        let _ = stop.send(());
        thread.join().expect("the server does not panic");
    };
    (Running { address: address.recv().expect("the server starts"), stop: Some(Box::new(stop)) }, started)
}

#[test]
fn the_id_comes_from_the_request_and_goes_into_the_answer() {
    let (server, _started) = start(CorrelationLayer::new());
    server::takes_and_echoes_the_id(&server);
    server::replaces_hostile_ids(&server);
    server::echoes_on_errors(&server);
    let answer = server::ask(server.address, "/sets", &[("X-Correlation-ID", "c1")]);
    assert_eq!(answer.ids, ["c1"], "the handler's own is replaced");
}

#[test]
fn requests_become_checkpoints() {
    let (hub, logger) = hub();
    let (server, _started) = start(CorrelationLayer::new().with_checkpoints(logger.clone()));
    server::answers_are_pairs_of_checkpoints(&server, &hub, &logger, "/orders/17");
}

#[test]
fn the_pattern_of_a_route_can_be_the_endpoint() {
    let (hub, logger) = hub();
    let layer = CorrelationLayer::new()
        .with_checkpoints(logger.clone())
        .with_endpoint(|extensions| Some(extensions.get::<MatchedPath>()?.as_str().to_owned()));
    let (server, _started) = start(layer);
    server::answers_are_pairs_of_checkpoints(&server, &hub, &logger, "/orders/{id}");
}

#[test]
fn a_handler_that_panics_is_told() {
    let (hub, logger) = hub();
    let (server, _started) = start(CorrelationLayer::new().with_checkpoints(logger.clone()));
    server::a_panic_is_told(&server, &hub, &logger);
}

#[test]
fn a_request_whose_client_goes_is_told() {
    let (hub, logger) = hub();
    let (server, started) = start(CorrelationLayer::new().with_checkpoints(logger.clone()));
    server::a_client_that_goes_is_told(&server, &started, &hub, &logger);
}

/// A layer that runs before the handler is part of the request.
#[test]
fn layers_further_in_have_the_id() {
    let layer = CorrelationLayer::new();
    let app: Router = Router::new()
        .route("/", get(async || here()))
        .layer(middleware::from_fn(async |request, next: middleware::Next| {
            let mut response = next.run(request).await;
            response.headers_mut().insert("x-seen", here().parse().expect("an id fits a header"));
            response
        }))
        .layer(layer);
    let request = Request::get("/").header("X-Correlation-ID", "c1").body(axum::body::Body::empty());
    let response = runtime().block_on(async { app.clone().call(request.expect("it is valid")).await });
    let response = response.expect("it cannot fail");
    assert_eq!(response.headers()["x-seen"], "c1");
}

/// Fails, or panics before it has a future.
#[derive(Clone)]
struct Broken;

impl Service<Request<bool>> for Broken {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Response<()>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<bool>) -> Self::Future {
        assert_eq!(here(), "c1", "the id is current before there is a future");
        if *request.body() {
            server::panics();
        }
        std::future::ready(Err("out of order"))
    }
}

#[test]
fn a_service_that_fails_or_panics_at_once_is_told() {
    let (hub, logger) = hub();
    let mut service = CorrelationLayer::new().with_checkpoints(logger.clone()).layer(Broken);
    let mut call = |panics: bool| {
        let request = Request::get("/").header("X-Correlation-ID", "c1").body(panics).expect("it is valid");
        let mut future = std::pin::pin!(service.call(request));
        future.as_mut().poll(&mut Context::from_waker(Waker::noop())).map_ok(|_| ())
    };
    assert_eq!(call(false), Poll::Ready(Err("out of order")));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(true)));
    assert!(unwound.is_err());
    let expected = [json!({"failed": true}), json!({"panicked": true})].map(|data| server::pair("c1", "/", &data));
    assert_eq!(server::checkpoints(&hub, &logger, 4), expected.concat());
    assert_eq!(here(), "");
}

/// Somebody catches the panic and keeps the future a while: it was a panic all the same. And a request that is given
/// up while another thing's panic unwinds has not panicked.
#[test]
fn a_panic_is_told_from_a_cancelled_request_however_it_is_dropped() {
    let (hub, logger) = hub();
    let layer = CorrelationLayer::new().with_checkpoints(logger.clone());
    let service = |panics: bool| {
        layer.layer(axum::routing::get(
            async move || if panics { server::panics() } else { std::future::pending().await },
        ))
    };
    let request = || Request::get("/").header("X-Correlation-ID", "c1").body(axum::body::Body::empty()).expect("valid");
    let context = &mut Context::from_waker(Waker::noop());

    let mut panicked = Box::pin(service(true).call(request()));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicked.as_mut().poll(context).is_ready()));
    assert!(unwound.is_err());
    drop(panicked);

    let mut cancelled = Box::pin(service(false).call(request()));
    assert!(cancelled.as_mut().poll(context).is_pending());
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _cancelled = cancelled;
        server::panics()
    }));
    assert!(unwound.is_err());

    let expected = [json!({"panicked": true}), json!({"cancelled": true})].map(|data| server::pair("c1", "/", &data));
    assert_eq!(server::checkpoints(&hub, &logger, 4), expected.concat());
}
