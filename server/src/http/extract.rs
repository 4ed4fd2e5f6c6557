//! Reading requests: bodies, paths and queries whose faults become problems that name the field.

use crate::app::access::Caller;
use crate::app::error::AppError;
use actix_web::dev::Payload;
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use callout_sync_protocol::problem::ProblemType;
use std::future::{Ready, ready};

/// Largest JSON body, in bytes.
pub const MAX_JSON_BYTES: usize = 256 * 1024;

impl FromRequest for Caller {
    type Error = AppError;
    type Future = Ready<Result<Self, AppError>>;

    /// The guard has put the caller there; a public route has none.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.ok_or_else(|| AppError::new(ProblemType::Unauthenticated, "sign in first")))
    }
}

fn json_error(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let problem = match &error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            AppError::new(ProblemType::TooLarge, "the body must not be larger than 256 KiB")
        }
        JsonPayloadError::ContentType => {
            AppError::new(ProblemType::UnsupportedMediaType, "send the body as application/json")
        }
        // Serde's sentences name the field and what was expected; they never hold values of secrets.
        JsonPayloadError::Deserialize(cause) if cause.is_data() => {
            AppError::new(ProblemType::InvalidField, cause.to_string())
        }
        JsonPayloadError::Deserialize(cause) => AppError::new(ProblemType::MalformedRequest, cause.to_string()),
        _ => AppError::new(ProblemType::MalformedRequest, "the body cannot be read"),
    };
    problem.into()
}

fn path_error(_: PathError, _: &HttpRequest) -> actix_web::Error {
    AppError::new(ProblemType::NotFound, "the path holds no valid id").into()
}

fn query_error(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    let detail = match error {
        QueryPayloadError::Deserialize(cause) => cause.to_string(),
        _ => "the query cannot be read".into(),
    };
    AppError::new(ProblemType::InvalidField, detail).into()
}

/// The extractors' settings, for the whole application.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(MAX_JSON_BYTES).error_handler(json_error))
        .app_data(web::PathConfig::default().error_handler(path_error))
        .app_data(web::QueryConfig::default().error_handler(query_error));
}
