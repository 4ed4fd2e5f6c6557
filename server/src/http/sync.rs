//! A phone's sync: one framed message in, one out (`sync-protocol/SPEC.md`).

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::app::sync_admission::SyncPlace;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use bytes::BytesMut;
use callout_sync_protocol::frame::{FrameError, frame_decode, frame_encode_as, frame_version};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::SyncRequest;
use callout_sync_protocol::version::{
    MAX_FRAME_BYTES, MEDIA_TYPE, PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, VERSIONS_HEADER, versions_served,
};
use futures_util::StreamExt;
use utoipa::OpenApi;

routes! {
    POST "/v1/sync" => sync: Sync;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(sync))]
pub struct Api;

fn frame_problem(error: FrameError) -> AppError {
    let problem = match &error {
        FrameError::UnsupportedVersion(version) => {
            let advice = if *version < PROTOCOL_VERSION_OLDEST {
                "the app is too old: update it"
            } else {
                "the app is newer than this server: it may speak an older version, or wait for the server's update"
            };
            return AppError::new(ProblemType::UnsupportedVersion, format!("{error}; {advice}"));
        }
        FrameError::TooLarge => ProblemType::TooLarge,
        FrameError::NotAFrame | FrameError::Compression | FrameError::Message(_) | FrameError::TrailingBytes => {
            ProblemType::MalformedRequest
        }
    };
    AppError::new(problem, error.to_string())
}

/// Reads a frame from the wire, never more than a frame may have. A version that is not served is told at the first byte,
/// whatever follows it.
async fn frame_read(request: &HttpRequest, mut payload: web::Payload, place: &mut SyncPlace) -> AppResult<BytesMut> {
    let is_ours = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| {
        value.to_str().is_ok_and(|value| {
            value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(MEDIA_TYPE))
        })
    });
    if !is_ours {
        return Err(AppError::new(ProblemType::UnsupportedMediaType, format!("send the body as {MEDIA_TYPE}")));
    }
    // Grows with what arrives: what is only announced takes no memory.
    let mut frame = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| AppError {
            cause: Some(error.to_string().into()),
            ..AppError::new(ProblemType::MalformedRequest, "the body ended early")
        })?;
        if let (true, Some(&version)) = (frame.is_empty(), chunk.first())
            && !(PROTOCOL_VERSION_OLDEST..=PROTOCOL_VERSION).contains(&version)
        {
            return Err(frame_problem(FrameError::UnsupportedVersion(version)));
        }
        if frame.len() + chunk.len() > MAX_FRAME_BYTES {
            return Err(frame_problem(FrameError::TooLarge));
        }
        place.hold(chunk.len())?;
        frame.extend_from_slice(&chunk);
    }
    Ok(frame)
}

/// A phone's round trip: commands, sealed sample blocks and a cursor in; outcomes and changes out.
///
/// Body and answer are frames: one byte version, one byte flags, one CBOR item, compressed with zstd where that is shorter. What
/// a single command or block lacks is its outcome in the answer, not a problem.
#[utoipa::path(post, path = "/v1/sync", tag = "sync",
    request_body(content = Vec<u8>, content_type = "application/vnd.callout.sync", description = "A framed `SyncRequest`, at most 4 MiB"),
    responses(
        (status = 200, description = "A framed `SyncResponse`", body = Vec<u8>, content_type = "application/vnd.callout.sync"),
        (status = 400, description = "Not a frame, or not the expected message", body = Problem),
        (status = 403, description = "Another device's message", body = Problem),
        (status = 413, description = "More bytes or entries than allowed", body = Problem),
        (status = 415, body = Problem),
        (status = 429, description = "This device sends too much: `Retry-After` says when to come back", body = Problem),
        (status = 426, description = "A protocol version that is not served; `Callout-Protocol-Versions` names those that are", body = Problem),
        (status = 503, description = "Many sync at once: `Retry-After` says when to come back", body = Problem),
    ))]
async fn sync(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> AppResult<HttpResponse> {
    let mut place = app.sync_enter(&caller)?;
    let frame = match frame_read(&request, payload, &mut place).await {
        Err(error) if error.problem == ProblemType::UnsupportedVersion => {
            let mut response = error.error_response();
            let name = header::HeaderName::from_static(VERSIONS_HEADER);
            response
                .headers_mut()
                .insert(name, header::HeaderValue::from_str(&versions_served()).map_err(AppError::internal)?);
            return Ok(response);
        }
        other => other?,
    };
    let turn = place.turn().await?;
    let worked = blocking(move || {
        let version = frame_version(&frame).unwrap_or(PROTOCOL_VERSION);
        let message: SyncRequest = frame_decode(&frame).map_err(frame_problem)?;
        drop(frame);
        let mut answer = app.sync(&caller, &message.for_version(version))?;
        answer.directives.extend(app.sync_pause());
        Ok(frame_encode_as(version, &answer.for_version(version)))
    })
    .await;
    drop(turn);
    if worked.as_ref().is_err_and(|error| matches!(error.problem.status(), 400 | 413)) {
        place.was_rubbish();
    }
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).body(worked?))
}
