//! Photos for the desks: the picture and its thumbnail.

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::photos::service::PhotoService;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use callout_storage::photos::{Photo, PhotoState};
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::problem::ProblemType;
use utoipa::OpenApi;

routes! {
    GET "/v1/photos/{id}" => photo_show: FieldTestRead;
    GET "/v1/photos/{id}/thumbnail" => photo_thumbnail: FieldTestRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(photo_show, photo_thumbnail))]
pub struct Api;

/// A photo's very bytes, as they were taken. One that was refused comes as a plain file, never as a picture.
#[utoipa::path(get, path = "/v1/photos/{id}", tag = "photos", params(("id" = PhotoId, Path)), responses(
    (status = 200, description = "The photo; a refused one as application/octet-stream",
        content(("image/jpeg"), ("image/png"), ("application/octet-stream"))),
    (status = 304, description = "The caller has it already"),
    (status = 404, description = "No such photo, or its bytes have not arrived yet", body = Problem),
))]
async fn photo_show(
    app: web::Data<App>,
    photos: web::Data<PhotoService>,
    caller: Caller,
    id: web::Path<PhotoId>,
    request: HttpRequest,
) -> AppResult<HttpResponse> {
    let photo = blocking(move || app.photo_show(&caller, *id)).await?;
    let content_type = match photo.state {
        PhotoState::Refused => "application/octet-stream",
        PhotoState::Announced | PhotoState::Stored => photo.media_type.as_str(),
    };
    stored(&photos, &request, &photo, photo.object_key.as_deref(), content_type).await
}

/// A photo's thumbnail: upright, at most 512 pixels a side, without camera data.
#[utoipa::path(get, path = "/v1/photos/{id}/thumbnail", tag = "photos", params(("id" = PhotoId, Path)), responses(
    (status = 200, description = "The thumbnail", content_type = "image/jpeg"),
    (status = 304, description = "The caller has it already"),
    (status = 404, description = "No such photo, or its bytes have not arrived yet", body = Problem),
))]
async fn photo_thumbnail(
    app: web::Data<App>,
    photos: web::Data<PhotoService>,
    caller: Caller,
    id: web::Path<PhotoId>,
    request: HttpRequest,
) -> AppResult<HttpResponse> {
    let photo = blocking(move || app.photo_show(&caller, *id)).await?;
    stored(&photos, &request, &photo, photo.thumbnail_key.as_deref(), "image/jpeg").await
}

/// Streams an object. Its key follows from the photo's content, so what has the same tag has the same bytes for ever.
async fn stored(
    photos: &PhotoService,
    request: &HttpRequest,
    photo: &Photo,
    key: Option<&str>,
    content_type: &str,
) -> AppResult<HttpResponse> {
    let key = key.ok_or_else(|| {
        let detail = match photo.state {
            PhotoState::Refused => "the photo was refused and has no picture to show",
            PhotoState::Announced | PhotoState::Stored => "the photo is announced, its bytes have not arrived yet",
        };
        AppError::new(ProblemType::NotFound, detail)
    })?;
    let tag = format!("\"{}\"", photo.hash);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, tag.clone()))
        .insert_header((header::CACHE_CONTROL, "private, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    if photo.state == PhotoState::Refused {
        response.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    }
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok(response.status(actix_web::http::StatusCode::NOT_MODIFIED).finish());
    }
    let bytes = photos.store().get(key).await?;
    Ok(response.content_type(content_type).no_chunking(bytes.length).streaming(bytes.stream))
}
