//! `GET /` and `GET /assets/…`: the page. Neither holds data, so neither asks for a secret.

use actix_web::http::header::{self, EntityTag};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use crate::error::ApiError;
use crate::extract::known_tag::is_known;
use crate::page::PAGE;

/// What the page may do in a browser: run and show what this server sends, and talk to this server. The last two have the
/// browser refuse whatever would make markup or code of a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      font-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// An address under a hash never has other content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The HTML: asked for each time, sent when it has changed.
pub(crate) async fn html(request: HttpRequest) -> HttpResponse {
    let tag = EntityTag::new_strong(PAGE.etag().to_owned());
    let is_known = is_known(&request, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    guard(&mut response).insert_header((header::CACHE_CONTROL, "no-cache")).insert_header((header::ETAG, tag));
    if is_known {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8")).body(PAGE.html())
}

/// A file of the page.
pub(crate) async fn asset(path: web::Path<(String, String)>) -> Result<HttpResponse, ApiError> {
    let (hash, name) = path.into_inner();
    let asset = PAGE.asset(&hash, &name).ok_or(ApiError::NotFound)?;
    Ok(guard(&mut HttpResponse::Ok())
        .insert_header((header::CACHE_CONTROL, FOR_EVER))
        .insert_header((header::CONTENT_TYPE, asset.content_type()))
        .body(asset.content))
}

/// What keeps a browser from taking more out of an answer than is meant.
fn guard(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
}
