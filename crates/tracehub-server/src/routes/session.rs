//! `POST /login` and `POST /logout`: the page's way in, a cookie that opens what the secret for reading opens.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use tracehub_core::wire::session::{LoginRequest, MAX_LOGIN_BYTES};

use crate::access::sessions;
use crate::error::ApiError;
use crate::extract::body::JsonBody;
use crate::state::State;

pub(crate) async fn log_in(
    request: HttpRequest,
    state: web::Data<State>,
    body: JsonBody<MAX_LOGIN_BYTES>,
) -> Result<HttpResponse, ApiError> {
    let login = LoginRequest::parse(&body.0).map_err(|fault| ApiError::Invalid(vec![fault]))?;
    let mut answer = HttpResponse::NoContent();
    if let Some(cookie) = state.access.sign_in(&login.secret, state.access.address_of(&request))? {
        answer.insert_header((header::SET_COOKIE, cookie));
    }
    Ok(answer.finish())
}

pub(crate) async fn log_out(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let no_cookie = state.access.sign_out(sessions::ids(request.headers()));
    HttpResponse::NoContent().insert_header((header::SET_COOKIE, no_cookie)).finish()
}
