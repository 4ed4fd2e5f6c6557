//! The one place where an error becomes an HTTP answer: RFC 9457 problem details, and the table of statuses.

use crate::app::error::AppError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use callout_sync_protocol::problem::ProblemType;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem as RFC 9457 has it, with the title in two languages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable URI, `urn:callout:problem:<name>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The title in English.
    pub title: String,
    /// The title in Chinese.
    pub title_zh: String,
    /// The HTTP status again.
    pub status: u16,
    /// What exactly, naming the field where one is to blame.
    pub detail: String,
}

impl Problem {
    /// The problem of a type, with its sentence.
    pub fn new(problem: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind: problem.uri(),
            title: problem.title_en().into(),
            title_zh: problem.title_zh().into(),
            status: problem.status(),
            detail: detail.into(),
        }
    }
}

fn status_of(problem: ProblemType) -> StatusCode {
    // Every status of the table is a valid one; a test walks them all.
    StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        status_of(self.problem)
    }

    fn error_response(&self) -> HttpResponse {
        // Nothing broke where the server is only full: a storm of phones must not become one of log lines.
        let is_full = self.problem == ProblemType::Unavailable && self.cause.is_none();
        if self.problem.status() >= 500 && !is_full {
            let cause = self.cause.as_ref().map(|cause| format!("{cause:?}"));
            tracing::error!(problem = self.problem.slug(), cause, "request failed");
        } else {
            tracing::debug!(problem = self.problem.slug(), cause = ?self.cause, "request refused");
        }
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.problem.status() == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        // The struct has only strings and a number.
        let body = serde_json::to_vec(&Problem::new(self.problem, &*self.detail)).unwrap_or_default();
        response.body(body)
    }
}
