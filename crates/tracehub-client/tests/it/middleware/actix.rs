//! The actix-web middleware, in a server of one worker.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpResponse, HttpServer, error, web};
use tracehub_client::middleware::actix::CorrelationMiddleware;

use super::server::{self, Running, here, hub};

/// A middleware further in, which refuses some requests with an error instead of an answer.
async fn refuses(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.path() == "/orders/forbidden" {
        let answer = HttpResponse::Forbidden().insert_header(("x-seen", here())).body("not yours");
        return Err(error::InternalError::from_response("refused", answer).into());
    }
    next.call(request).await
}

fn start(middleware: CorrelationMiddleware) -> (Running, Receiver<String>) {
    let (sender, started) = channel::<String>();
    let (running_sender, running) = channel();
    let thread = thread::spawn(move || {
        let app = move || {
            App::new()
                .app_data(web::Data::new(sender.clone()))
                .service(web::scope("/orders").route("/{id}", web::get().to(async || here())))
                .route("/fails", web::get().to(async || Err::<String, _>(error::ErrorInternalServerError("broken"))))
                .route("/panics", web::get().to(async || server::panics()))
                .route(
                    "/hangs",
                    web::get()
                        .to(async |started: web::Data<Sender<String>>| server::hangs(started.as_ref().clone()).await),
                )
                .wrap(from_fn(refuses))
                .wrap(middleware.clone())
        };
        actix_web::rt::System::new().block_on(async {
            let server = HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .h1_allow_half_closed(false)
                .bind("127.0.0.1:0")
                .expect("a port is free");
            let address = server.addrs()[0];
            let server = server.run();
            running_sender.send((address, server.handle())).expect("the test listens");
            server.await.expect("it serves");
        });
    });
    let (address, handle) = running.recv().expect("the server starts");
    let stop = move || {
        // Sent at once; what it gives would wait for the end, as the join does.
        drop(handle.stop(false));
        thread.join().expect("the server does not panic");
    };
    (Running { address, stop: Some(Box::new(stop)) }, started)
}

#[test]
fn the_id_comes_from_the_request_and_goes_into_the_answer() {
    let (server, _started) = start(CorrelationMiddleware::new());
    server::takes_and_echoes_the_id(&server);
    server::replaces_hostile_ids(&server);
    server::echoes_on_errors(&server);
}

#[test]
fn an_error_of_a_middleware_further_in_keeps_its_answer_and_gets_the_id() {
    let (hub, logger) = hub();
    let (server, _started) = start(CorrelationMiddleware::new().with_checkpoints(logger.clone()));
    let answer = server::ask(server.address, "/orders/forbidden", &[("X-Correlation-ID", "c1")]);
    assert_eq!((answer.status, &*answer.body, answer.ids), (403, "not yours", vec!["c1".to_owned()]));
    let expected = server::pair("c1", "/orders/{id}", &serde_json::json!({"status": 403}));
    assert_eq!(server::checkpoints(&hub, &logger, 2), expected);
}

#[test]
fn requests_become_checkpoints() {
    let (hub, logger) = hub();
    let (server, _started) = start(CorrelationMiddleware::new().with_checkpoints(logger.clone()));
    server::answers_are_pairs_of_checkpoints(&server, &hub, &logger, "/orders/{id}");
}

#[test]
fn a_handler_that_panics_is_told() {
    let (hub, logger) = hub();
    let (server, _started) = start(CorrelationMiddleware::new().with_checkpoints(logger.clone()));
    server::a_panic_is_told(&server, &hub, &logger);
}

#[test]
fn a_request_whose_client_goes_is_told() {
    let (hub, logger) = hub();
    let (server, started) = start(CorrelationMiddleware::new().with_checkpoints(logger.clone()));
    server::a_client_that_goes_is_told(&server, &started, &hub, &logger);
}
