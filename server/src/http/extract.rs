//! Reading requests: bodies, paths and queries whose faults become problems that name the field.

use crate::app::access::Caller;
use crate::app::error::AppError;
use actix_web::dev::Payload;
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use callout_sync_protocol::problem::ProblemType;
use std::future::{Ready, ready};
use std::net::IpAddr;

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

/// Who sends a request: the peer, or, behind our own proxy, the address that the proxy appended last to `X-Forwarded-For`. What
/// stands before it in the list is the sender's own invention.
pub fn sender_address(request: &HttpRequest, is_behind_proxy: bool) -> Option<IpAddr> {
    let peer = request.peer_addr().map(|address| address.ip());
    if !is_behind_proxy {
        return peer;
    }
    let forwarded = request.headers().get_all("x-forwarded-for").last().and_then(|value| value.to_str().ok());
    forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok()).or(peer)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn address(headers: &[(&str, &str)], is_behind_proxy: bool) -> String {
        let peer = "10.0.0.9:5000".parse().unwrap();
        let request = headers.iter().fold(TestRequest::default().peer_addr(peer), |r, header| r.append_header(*header));
        sender_address(&request.to_http_request(), is_behind_proxy).unwrap().to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_the_address_that_rates_are_counted_by() {
        let forged = [("x-forwarded-for", "1.1.1.1")];
        assert_eq!(address(&forged, false), "10.0.0.9", "no proxy of ours: the header says nothing");
        let appended = [("x-forwarded-for", "1.1.1.1, 203.0.113.7")];
        assert_eq!(address(&appended, true), "203.0.113.7", "our proxy appends last");
        let twice = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(address(&twice, true), "203.0.113.7", "or in a header of its own");
        assert_eq!(address(&[], true), "10.0.0.9");
        assert_eq!(address(&[("x-forwarded-for", "rubbish")], true), "10.0.0.9");
    }
}
