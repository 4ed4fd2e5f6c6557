//! HTTP as values: what the engine wants sent and what came back. Nobody sends anything here (`transport`).

use callout_sync_protocol::problem::{ProblemType, Rejection};
use std::fmt;

/// Names a request among those of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PATCH
    Patch,
}

impl Method {
    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
        }
    }
}

/// A request to the server.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Its name.
    pub id: RequestId,
    /// The method.
    pub method: Method,
    /// From `/v1/…` on; the host knows the server's base address.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest {
    /// Tokens, passwords and personal data stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRequest({:?} {} {}, {} bytes)", self.id, self.method.as_str(), self.path, self.body.len())
    }
}

/// What came back, whole.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpResponse {
    /// Tokens and personal data stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.len())
    }
}

impl HttpResponse {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The media type without its parameters.
    pub fn media_type(&self) -> Option<&str> {
        self.header("content-type")?.split(';').next().map(str::trim)
    }

    /// How long the server wants to be left alone, in seconds. Its form as a date is not read: it needs a right clock.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse().ok()
    }

    /// The problem that an answer tells of (RFC 9457), or what its status alone says.
    pub fn problem(&self) -> Rejection {
        #[derive(serde::Deserialize)]
        struct Problem {
            #[serde(rename = "type")]
            uri: String,
            title: Option<String>,
            detail: Option<String>,
        }
        let told = serde_json::from_slice::<Problem>(&self.body).ok().and_then(|problem| {
            let kind: ProblemType = problem.uri.rsplit(':').next()?.parse().ok()?;
            let detail = problem.detail.or(problem.title).unwrap_or_else(|| kind.title_en().to_owned());
            Some(Rejection::new(kind, detail))
        });
        told.unwrap_or_else(|| {
            // The first problem of that status stands for the status.
            let kind = ProblemType::ALL.iter().copied().find(|kind| kind.status() == self.status);
            let kind = kind.unwrap_or(if self.status >= 500 {
                ProblemType::Unavailable
            } else {
                ProblemType::MalformedRequest
            });
            Rejection::new(kind, format!("the server answered with status {}", self.status))
        })
    }

    /// A status of success.
    pub fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }

    /// The server itself tells a problem (RFC 9457), rather than something in between.
    pub fn is_problem(&self) -> bool {
        self.media_type() == Some("application/problem+json")
    }

    /// The same request may well succeed later: the server is busy, restarting, or behind a proxy that is.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..)
    }
}
