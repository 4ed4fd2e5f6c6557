//! Photos' bytes by resumable upload: a client of tus 1.0 (core, creation, checksum).
//!
//! The store knows the upload's place and how many bytes the server confirmed; after any failure the server is asked where to
//! go on. What does not belong here: announcing photos (a command), choosing when photos may travel (`mod`).

use super::http::{HttpRequest, HttpResponse, Method, RequestId};
use crate::store::photos::StoredPhoto;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Where uploads are made, and what every upload's path begins with.
const UPLOADS_PATH: &str = "/v1/photo-uploads";
const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

/// What an answer says of the upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UploadAnswer {
    /// The upload continues here, from this byte.
    At {
        /// Absent: where it was.
        path: Option<String>,
        /// Bytes that the server has.
        offset: u64,
    },
    /// The server is at another byte; ask.
    OffsetUnknown,
    /// The chunk was damaged on its way, or the whole does not match its hash.
    Damaged,
    /// There is no such upload any more.
    Gone,
    /// Anything else; see the status.
    Other,
}

fn authorized(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

pub(super) fn create_request(id: RequestId, token: &str, photo: &StoredPhoto) -> HttpRequest {
    let photo_id = STANDARD.encode(photo.manifest.id.to_string());
    HttpRequest {
        id,
        method: Method::Post,
        path: UPLOADS_PATH.to_owned(),
        headers: vec![
            authorized(token),
            (TUS.0, TUS.1.to_owned()),
            ("upload-length", photo.manifest.byte_length.to_string()),
            ("upload-metadata", format!("photo_id {photo_id}")),
        ],
        body: Vec::new(),
    }
}

pub(super) fn offset_request(id: RequestId, token: &str, path: &str) -> HttpRequest {
    HttpRequest {
        id,
        method: Method::Head,
        path: path.to_owned(),
        headers: vec![authorized(token), (TUS.0, TUS.1.to_owned())],
        body: Vec::new(),
    }
}

pub(super) fn chunk_request(id: RequestId, token: &str, path: &str, offset: u64, chunk: Vec<u8>) -> HttpRequest {
    let checksum = STANDARD.encode(Sha256::digest(&chunk));
    HttpRequest {
        id,
        method: Method::Patch,
        path: path.to_owned(),
        headers: vec![
            authorized(token),
            (TUS.0, TUS.1.to_owned()),
            ("content-type", "application/offset+octet-stream".to_owned()),
            ("upload-offset", offset.to_string()),
            ("upload-checksum", format!("sha256 {checksum}")),
        ],
        body: chunk,
    }
}

fn offset_header(response: &HttpResponse) -> Option<u64> {
    response.header("upload-offset")?.trim().parse().ok()
}

/// The path of an upload on our own server, whatever host the answer names: the token must go nowhere else.
fn upload_path(location: &str) -> Option<String> {
    let path = location.find(UPLOADS_PATH).and_then(|at| location.get(at..))?;
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte));
    (is_plain && path.len() > UPLOADS_PATH.len() + 1 && path.len() < 200 && !path.contains(".."))
        .then(|| path.to_owned())
}

pub(super) fn create_answer(response: &HttpResponse) -> UploadAnswer {
    match response.status {
        200 | 201 => match response.header("location").and_then(upload_path) {
            // An upload that was made before may have bytes already; the server says so, or a wrong guess is answered by 409.
            Some(path) => UploadAnswer::At { path: Some(path), offset: offset_header(response).unwrap_or(0) },
            None => UploadAnswer::Other,
        },
        _ => UploadAnswer::Other,
    }
}

pub(super) fn offset_answer(response: &HttpResponse) -> UploadAnswer {
    match (response.status, offset_header(response)) {
        (200 | 204, Some(offset)) => UploadAnswer::At { path: None, offset },
        (404 | 410, _) => UploadAnswer::Gone,
        _ => UploadAnswer::Other,
    }
}

pub(super) fn chunk_answer(response: &HttpResponse) -> UploadAnswer {
    match (response.status, offset_header(response)) {
        (200 | 204, Some(offset)) => UploadAnswer::At { path: None, offset },
        (200 | 204, None) | (409, _) => UploadAnswer::OffsetUnknown,
        (404 | 410, _) => UploadAnswer::Gone,
        (460, _) => UploadAnswer::Damaged,
        _ => UploadAnswer::Other,
    }
}

/// Whether the phone's own copy still is what it promised.
pub(super) fn is_intact(photo: &StoredPhoto, bytes: &[u8]) -> bool {
    Sha256::digest(bytes).as_slice() == photo.manifest.hash.0
}
