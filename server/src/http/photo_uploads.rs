//! Photo uploads by tus 1.0.0: headers in, headers out, bytes passed on piece by piece.
//!
//! Every answer, also a refusal, tells how far the upload is. What does not belong here: what the headers mean (`photos::tus`)
//! and what becomes of the bytes (`photos::service`).

use super::problem::Problem;
use super::routes::routes;
use crate::app::access::Caller;
use crate::app::error::AppError;
use crate::photos::service::{PhotoService, UploadError};
use crate::photos::tus::{self, Header, Piece, TusHeaders, TusMethod, UploadProgress};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use bytes::{Bytes, BytesMut};
use callout_sync_protocol::ids::PhotoId;
use callout_sync_protocol::photos::MAX_PHOTO_BYTES;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use futures_util::StreamExt;
use std::sync::Arc;
use utoipa::OpenApi;

/// Most bytes of a request that are in memory at once. A longer request is stored as several pieces while it comes in; one
/// with a checksum cannot be, since nothing of it may be kept before the checksum is known to hold.
pub const MAX_PIECE_BYTES: usize = 8 * 1024 * 1024;

routes! {
    OPTIONS "/v1/photo-uploads" => upload_options: Public;
    POST "/v1/photo-uploads" => upload_create: PhotoUpload;
    OPTIONS "/v1/photo-uploads/{id}" => upload_options_one: Public;
    HEAD "/v1/photo-uploads/{id}" => upload_status: PhotoUpload;
    PATCH "/v1/photo-uploads/{id}" => upload_append: PhotoUpload;
    DELETE "/v1/photo-uploads/{id}" => upload_terminate: PhotoUpload;
    POST "/v1/photo-uploads/{id}" => upload_overridden: PhotoUpload;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    upload_options,
    upload_options_one,
    upload_create,
    upload_status,
    upload_append,
    upload_terminate,
    upload_overridden
))]
pub struct Api;

/// What the upload protocol offers here.
#[utoipa::path(options, path = "/v1/photo-uploads", tag = "photo uploads", responses(
    (status = 204, description = "Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm"),
))]
async fn upload_options() -> HttpResponse {
    with_headers(HttpResponse::NoContent().finish(), tus::options_headers(MAX_PHOTO_BYTES))
}

/// The same, asked of one upload.
#[utoipa::path(options, path = "/v1/photo-uploads/{id}", tag = "photo uploads", params(("id" = PhotoId, Path)), responses(
    (status = 204, description = "Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm"),
))]
async fn upload_options_one() -> HttpResponse {
    upload_options().await
}

/// Begin the upload of a photo that a sync has announced. Asked again, it answers with the same upload.
#[utoipa::path(post, path = "/v1/photo-uploads", tag = "photo uploads", params(
    ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ("Upload-Length" = u64, Header, description = "How many bytes the photo has"),
    ("Upload-Metadata" = String, Header, description = "photo_id, a space, and the base64 of the photo id's text"),
), responses(
    (status = 201, description = "Location, Upload-Offset, Upload-Expires"),
    (status = 404, description = "This phone has not announced that photo: sync first", body = Problem),
    (status = 412, description = "Another version of tus", body = Problem),
    (status = 413, description = "Longer than any photo may be", body = Problem),
    (status = 422, description = "Another length than announced, or bytes that are no image", body = Problem),
))]
async fn upload_create(
    photos: web::Data<PhotoService>,
    caller: Caller,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    answered(create(photos.into_inner(), caller, &request, body).await)
}

async fn create(
    photos: Arc<PhotoService>,
    caller: Caller,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, UploadError> {
    let creation = tus::read_creation(&headers_of(request)?, MAX_PHOTO_BYTES)?;
    let photo_id = creation.photo_id;
    let mut progress = photos.upload_create(&caller, &creation).await?;
    // A repeated creation finds bytes already there: those that come along are superfluous then.
    if let Some(piece) = creation.piece.filter(|_| progress.offset == 0) {
        progress = receive(photos, caller, photo_id, piece, body).await?;
    }
    let location = format!("/v1/photo-uploads/{photo_id}");
    Ok(with_headers(HttpResponse::Created().finish(), tus::creation_headers(&location, &progress)))
}

/// How far an upload is.
#[utoipa::path(head, path = "/v1/photo-uploads/{id}", tag = "photo uploads", params(
    ("id" = PhotoId, Path),
    ("Tus-Resumable" = String, Header, description = "1.0.0"),
), responses(
    (status = 200, description = "Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires"),
    (status = 404, description = "This phone has not announced that photo"),
    (status = 410, description = "Never begun, ended, or rested too long: begin it anew"),
))]
async fn upload_status(
    photos: web::Data<PhotoService>,
    caller: Caller,
    id: web::Path<PhotoId>,
    request: HttpRequest,
) -> HttpResponse {
    answered(status(&photos, &caller, *id, &request).await)
}

async fn status(
    photos: &PhotoService,
    caller: &Caller,
    id: PhotoId,
    request: &HttpRequest,
) -> Result<HttpResponse, UploadError> {
    tus::check_version(&headers_of(request)?)?;
    let progress = photos.upload_status(caller, id).await?;
    Ok(with_headers(HttpResponse::Ok().finish(), tus::head_headers(&progress)))
}

/// Send more bytes. What arrives before a cut is kept, unless the request has an Upload-Checksum.
#[utoipa::path(patch, path = "/v1/photo-uploads/{id}", tag = "photo uploads", params(
    ("id" = PhotoId, Path),
    ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ("Upload-Offset" = u64, Header, description = "Where the upload continues"),
    ("Upload-Checksum" = Option<String>, Header, description = "sha1 or sha256, a space, and the digest of this body in base64"),
), request_body(content_type = "application/offset+octet-stream"), responses(
    (status = 204, description = "Upload-Offset, Upload-Expires; the photo is stored once the offset is its length"),
    (status = 404, description = "This phone has not announced that photo", body = Problem),
    (status = 409, description = "The upload continues at another offset: Upload-Offset tells which", body = Problem),
    (status = 410, description = "Never begun, ended, or rested too long: begin it anew", body = Problem),
    (status = 413, description = "Beyond the announced length, or too long for a body with a checksum", body = Problem),
    (status = 415, description = "Another content type", body = Problem),
    (status = 422, description = "The bytes are as announced, but no image", body = Problem),
    (status = 460, description = "Checksum mismatch, or the whole has another SHA-256 than announced", body = Problem),
))]
async fn upload_append(
    photos: web::Data<PhotoService>,
    caller: Caller,
    id: web::Path<PhotoId>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    answered(append(photos.into_inner(), caller, *id, &request, body).await)
}

async fn append(
    photos: Arc<PhotoService>,
    caller: Caller,
    id: PhotoId,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, UploadError> {
    let piece = tus::read_piece(&headers_of(request)?)?;
    photos.upload_check(&caller, id, &piece).await?;
    let progress = receive(photos, caller, id, piece, body).await?;
    Ok(with_headers(HttpResponse::NoContent().finish(), tus::progress_headers(&progress)))
}

/// End an unfinished upload. A stored photo is evidence and stays.
#[utoipa::path(delete, path = "/v1/photo-uploads/{id}", tag = "photo uploads", params(
    ("id" = PhotoId, Path),
    ("Tus-Resumable" = String, Header, description = "1.0.0"),
), responses(
    (status = 204, description = "Ended; the photo stays announced"),
    (status = 404, description = "This phone has not announced that photo", body = Problem),
    (status = 409, description = "The photo is stored", body = Problem),
    (status = 410, description = "There is no unfinished upload", body = Problem),
))]
async fn upload_terminate(
    photos: web::Data<PhotoService>,
    caller: Caller,
    id: web::Path<PhotoId>,
    request: HttpRequest,
) -> HttpResponse {
    answered(terminate(&photos, &caller, *id, &request).await)
}

async fn terminate(
    photos: &PhotoService,
    caller: &Caller,
    id: PhotoId,
    request: &HttpRequest,
) -> Result<HttpResponse, UploadError> {
    tus::check_version(&headers_of(request)?)?;
    photos.upload_terminate(caller, id).await?;
    Ok(with_headers(HttpResponse::NoContent().finish(), tus::common_headers()))
}

/// HEAD, PATCH or DELETE for those who can only POST: X-HTTP-Method-Override says which.
#[utoipa::path(post, path = "/v1/photo-uploads/{id}", tag = "photo uploads", params(
    ("id" = PhotoId, Path),
    ("X-HTTP-Method-Override" = String, Header, description = "HEAD, PATCH or DELETE"),
), responses(
    (status = 200, description = "As HEAD"),
    (status = 204, description = "As PATCH or DELETE"),
    (status = 405, description = "Another method", body = Problem),
))]
async fn upload_overridden(
    photos: web::Data<PhotoService>,
    caller: Caller,
    id: web::Path<PhotoId>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    let method = request.headers().get("x-http-method-override").and_then(|value| value.to_str().ok());
    answered(match TusMethod::of("POST", method) {
        Ok(TusMethod::Head) => status(&photos, &caller, *id, &request).await,
        Ok(TusMethod::Patch) => append(photos.into_inner(), caller, *id, &request, body).await,
        Ok(TusMethod::Delete) => terminate(&photos, &caller, *id, &request).await,
        Ok(TusMethod::Options | TusMethod::Post) => {
            let detail = "an upload takes HEAD, PATCH and DELETE; send POST to /v1/photo-uploads";
            Err(Rejection::new(ProblemType::MethodNotAllowed, detail).into())
        }
        Err(rejection) => Err(rejection.into()),
    })
}

/// Passes a body on, at most [`MAX_PIECE_BYTES`] at a time, and tells how far the upload is then.
async fn receive(
    photos: Arc<PhotoService>,
    caller: Caller,
    photo_id: PhotoId,
    mut piece: Piece,
    mut body: web::Payload,
) -> Result<UploadProgress, UploadError> {
    let mut pending = BytesMut::new();
    let is_cut = loop {
        match body.next().await {
            Some(Ok(mut bytes)) => {
                if piece.checksum.is_some() && pending.len() + bytes.len() > MAX_PIECE_BYTES {
                    return Err(too_long_for_a_checksum());
                }
                while pending.len() + bytes.len() > MAX_PIECE_BYTES {
                    pending.extend_from_slice(&bytes.split_to(MAX_PIECE_BYTES - pending.len()));
                    let whole = pending.split().freeze();
                    let next = Piece { length: None, ..piece.clone() };
                    piece.offset = keep(&photos, &caller, photo_id, next, whole).await?.offset;
                }
                pending.extend_from_slice(&bytes);
            }
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    if is_cut {
        // The phone is gone and nobody reads the answer; but what came of it need not be sent again.
        if piece.checksum.is_none() && !pending.is_empty() {
            keep(&photos, &caller, photo_id, Piece { length: None, ..piece }, pending.freeze()).await?;
        }
        return Err(AppError::new(ProblemType::MalformedRequest, "the body ended early").into());
    }
    keep(&photos, &caller, photo_id, Piece { length: None, ..piece }, pending.freeze()).await
}

/// Hands bytes to the service in a task of its own, so that a phone that hangs up does not stop what is under way.
async fn keep(
    photos: &Arc<PhotoService>,
    caller: &Caller,
    photo_id: PhotoId,
    piece: Piece,
    bytes: Bytes,
) -> Result<UploadProgress, UploadError> {
    let (photos, caller) = (photos.clone(), caller.clone());
    tokio::spawn(async move { photos.upload_append(&caller, photo_id, &piece, bytes).await })
        .await
        .map_err(AppError::internal)?
}

fn too_long_for_a_checksum() -> UploadError {
    let detail = "a body with Upload-Checksum may have at most 8 MiB; send several, or leave the checksum out";
    AppError::new(ProblemType::TooLarge, detail).into()
}

fn headers_of(request: &HttpRequest) -> Result<TusHeaders<'_>, Rejection> {
    TusHeaders::collect(|name| request.headers().get(name).map(|value| value.as_bytes()))
}

fn answered(result: Result<HttpResponse, UploadError>) -> HttpResponse {
    let UploadError { error, progress } = match result {
        Ok(response) => return response,
        Err(refused) => refused,
    };
    let headers = progress.map_or_else(tus::common_headers, |progress| tus::progress_headers(&progress));
    with_headers(error.error_response(), headers)
}

fn with_headers(mut response: HttpResponse, headers: Vec<Header>) -> HttpResponse {
    use actix_web::http::header::{HeaderName, HeaderValue};
    for (name, value) in headers {
        // Names are ours, and values were checked to be visible ASCII when they came in.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
