//! The one error of the application layer: a problem for the reader, a cause for the log.

use callout_sync_protocol::commands::FieldProblem;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use std::error::Error;
use std::fmt;

/// Why a request was not done. Nothing has changed then.
#[derive(Debug)]
pub struct AppError {
    /// The problem type; gives status, URI and title.
    pub problem: ProblemType,
    /// A sentence in the reader's words, naming the field where one is to blame. Never the inner cause.
    pub detail: String,
    /// After how many seconds the same request may succeed.
    pub retry_after_seconds: Option<u32>,
    /// The inner cause, for the log only.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

/// The result of an application function.
pub type AppResult<T> = Result<T, AppError>;

impl AppError {
    /// An error without an inner cause.
    pub fn new(problem: ProblemType, detail: impl Into<String>) -> Self {
        Self { problem, detail: detail.into(), retry_after_seconds: None, cause: None }
    }

    /// A field is not valid: `field: what is wrong`.
    pub fn invalid(field: &str, what: &str) -> Self {
        Self::new(ProblemType::InvalidField, format!("{field}: {what}"))
    }

    /// No such thing, or none that the caller may see; deliberately the same words.
    pub fn not_found(noun: &str) -> Self {
        Self::new(ProblemType::NotFound, format!("there is no such {noun}, or it is outside your regions"))
    }

    /// The role or region does not allow it.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::Forbidden, detail)
    }

    /// A fault of ours; the cause goes to the log.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            problem: ProblemType::Internal,
            detail: "the fault is logged; please try again later".into(),
            retry_after_seconds: None,
            cause: Some(cause.into()),
        }
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem, self.detail)
    }
}

impl Error for AppError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl From<Rejection> for AppError {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection.problem, rejection.detail)
    }
}

impl From<FieldProblem> for AppError {
    fn from(problem: FieldProblem) -> Self {
        Self::invalid(problem.field, problem.problem)
    }
}
