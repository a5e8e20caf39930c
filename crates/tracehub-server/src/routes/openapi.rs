//! `GET /openapi.json`: what this server takes and gives, for programs. It holds no data, so it asks for no secret.

use actix_web::http::header::{self, EntityTag};
use actix_web::{HttpRequest, HttpResponse};

use crate::extract::known_tag::is_known;
use crate::openapi::DOCUMENT;

pub(crate) async fn description(request: HttpRequest) -> HttpResponse {
    let tag = EntityTag::new_strong(DOCUMENT.etag().to_owned());
    let is_known = is_known(&request, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::CACHE_CONTROL, "no-cache")).insert_header((header::ETAG, tag));
    if is_known {
        return response.finish();
    }
    response.content_type("application/json").body(DOCUMENT.json())
}
