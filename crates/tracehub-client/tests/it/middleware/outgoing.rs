//! The id on requests that go out through reqwest.

use tracehub_client::correlation::with_correlation;
use tracehub_client::middleware::reqwest::CorrelationExt;

use crate::support::{Reply, Server, runtime};

#[test]
fn each_request_carries_the_id_that_is_current_where_it_is_made() {
    let server = Server::start(|_, _| Reply::Status(200, String::new()));
    let http = reqwest::Client::new();
    let ask = async || {
        let request = http.get(server.url()).with_correlation();
        request.send().await.expect("the server answers");
    };
    runtime().block_on(async {
        with_correlation("c1", ask()).await;
        ask().await;
        tokio::join!(with_correlation("c2", ask()), with_correlation("c2", ask()));
    });
    let seen: Vec<_> =
        server.requests().iter().map(|request| request.header("x-correlation-id").map(str::to_owned)).collect();
    let expected = [Some("c1"), None, Some("c2"), Some("c2")];
    assert_eq!(seen, expected.map(|id| id.map(str::to_owned)));
}

/// The whole road: in by one service's header, out by its request to the next.
#[cfg(feature = "tower")]
#[test]
fn an_id_goes_through_a_service_to_the_next() {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower_service::Service;
    use tracehub_client::middleware::tower::CorrelationLayer;

    let next = Server::start(|_, _| Reply::Status(200, String::new()));
    let (http, url) = (reqwest::Client::new(), next.url());
    let handler = async move || {
        let request = http.get(url).with_correlation();
        // Made in the handler, sent by a task of its own.
        let task = tracehub_client::correlation::spawn(async { request.send().await.map(|answer| answer.status()) });
        task.await.expect("it does not panic").expect("the next service answers").to_string()
    };
    let mut app: Router = Router::new().route("/", get(handler)).layer(CorrelationLayer::new());
    let request = Request::get("/").header("X-Request-ID", "r1").body(Body::empty()).expect("it is valid");
    let response = runtime().block_on(async { app.call(request).await }).expect("it cannot fail");
    assert_eq!(response.status(), 200);
    assert_eq!(next.requests()[0].header("x-correlation-id"), Some("r1"));
}
