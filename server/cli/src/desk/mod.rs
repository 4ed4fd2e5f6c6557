//! A desk: someone (or some system) who works over the JSON API with typed helpers, for the demo and the end-to-end tests.
//!
//! It speaks real HTTP and knows nothing of the server's insides. What does not belong here: phones (the SDK).

mod actions;
mod views;

pub use views::{
    BlockView, Complaint, Customer, FieldTest, Handoff, Kpis, LadderStep, OperatorKpi, PhotoView, Problem, Quarantined,
    Reply, Revisit, TimelineEntry, TrackingTicket, User, WorkOrder,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Why a request of a desk failed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The server refused, with its problem details.
    #[error("{method} {path}: {problem}")]
    Refused {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// Why.
        problem: Box<Problem>,
    },
    /// No answer, or none that HTTP allows.
    #[error("{method} {path}: no answer")]
    Network {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// The cause.
        #[source]
        cause: Box<ureq::Error>,
    },
    /// An answer of another shape than the documented one.
    #[error("{method} {path}: the answer is not as documented: {what}")]
    Shape {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

impl DeskError {
    /// The problem's name (`not-found`), if the server refused.
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(problem.name()),
            Self::Network { .. } | Self::Shape { .. } => None,
        }
    }
}

/// The result of a desk's request.
pub type DeskResult<T> = Result<T, DeskError>;

/// An HTTP answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The method that was asked for.
    pub method: String,
    /// The path that was asked for.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The content type, without parameters.
    pub content_type: String,
    /// All headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, whatever it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The problem details, if this is a refusal that has them.
    pub fn problem(&self) -> Option<Problem> {
        (self.content_type == "application/problem+json").then(|| serde_json::from_slice(&self.body).ok()).flatten()
    }

    fn shape(&self, what: impl Into<String>) -> DeskError {
        DeskError::Shape { method: self.method.clone(), path: self.path.clone(), what: what.into() }
    }

    /// This answer, if it is a success.
    ///
    /// # Errors
    /// [`DeskError::Refused`] for any other status.
    pub fn accepted(self) -> DeskResult<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        match self.problem() {
            Some(problem) => {
                Err(DeskError::Refused { method: self.method, path: self.path, problem: Box::new(problem) })
            }
            None => Err(self.shape(format!("status {} without problem details", self.status))),
        }
    }

    /// The body of a success as a documented shape.
    ///
    /// # Errors
    /// [`DeskError::Refused`] or [`DeskError::Shape`].
    pub fn read<T: DeserializeOwned>(self) -> DeskResult<T> {
        let answer = self.accepted()?;
        serde_json::from_slice(&answer.body).map_err(|error| answer.shape(error.to_string()))
    }
}

/// Talks HTTP to one server.
#[derive(Clone, Debug)]
pub struct Http {
    agent: ureq::Agent,
    base: String,
}

impl Http {
    /// For a server's base URL, such as `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            .build()
            .new_agent();
        Self { agent, base: base.into() }
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends anything, and gives back whatever came.
    ///
    /// # Errors
    /// [`DeskError::Network`] only.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> DeskResult<Answer> {
        let network = |cause: ureq::Error| DeskError::Network {
            method: method.to_owned(),
            path: path.to_owned(),
            cause: Box::new(cause),
        };
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).map_err(|error| network(error.into()))?;
        let mut response = self.agent.run(request).map_err(network)?;
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let content_type = headers
            .iter()
            .find(|(name, _)| name == "content-type")
            .map(|(_, value)| value.split(';').next().unwrap_or_default().trim().to_owned())
            .unwrap_or_default();
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec().map_err(network)?;
        Ok(Answer {
            method: method.to_owned(),
            path: path.to_owned(),
            status: response.status().as_u16(),
            content_type,
            headers,
            body,
        })
    }
}

/// A signed-in user at a desk.
#[derive(Clone, Debug)]
pub struct Desk {
    http: Http,
    access_token: String,
    /// The refresh token of the session.
    pub refresh_token: String,
    /// The device that signed in.
    pub device_id: Uuid,
    /// The user's id.
    pub user_id: Uuid,
}

/// A new id for a browser; version 4, since a desk has no need for ids in order of time.
fn device_id_new() -> Uuid {
    let mut bytes = [0; 16];
    // A desk without randomness would share its device with another one, which the server refuses; no harm is done.
    let _ = getrandom::fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

impl Desk {
    /// Signs in from a new browser.
    ///
    /// # Errors
    /// What the server says of name and password.
    pub fn sign_in(http: &Http, user_name: &str, password: &str) -> DeskResult<Self> {
        let device_id = device_id_new();
        let body = json!({
            "user_name": user_name,
            "password": password,
            "device": { "id": device_id, "name": format!("desk of {user_name}"), "platform": "desk" },
        });
        Self::sign_in_with(http, &body)
    }

    /// Signs in with a body of one's own, such as that of a phone with its public key.
    ///
    /// # Errors
    /// What the server says of it.
    pub fn sign_in_with(http: &Http, body: &Value) -> DeskResult<Self> {
        let answer = http.send("POST", "/v1/sign-in", &[JSON], body.to_string().as_bytes())?;
        let tokens: views::Tokens = answer.read()?;
        let device_id = body.pointer("/device/id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        Ok(Self {
            http: http.clone(),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            device_id: device_id.unwrap_or_default(),
            user_id: tokens.user.id,
        })
    }

    /// A desk with a token of one's own choosing, for tests of what the server makes of it.
    pub fn with_token(http: &Http, access_token: &str) -> Self {
        Self {
            http: http.clone(),
            access_token: access_token.to_owned(),
            refresh_token: String::new(),
            device_id: Uuid::nil(),
            user_id: Uuid::nil(),
        }
    }

    /// The access token.
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// The connection, without the token.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Sends anything with the access token.
    ///
    /// # Errors
    /// [`DeskError::Network`] only.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> DeskResult<Answer> {
        let bearer = format!("Bearer {}", self.access_token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.http.send(method, path, &all, body)
    }

    /// Sends JSON and gives back whatever came.
    ///
    /// # Errors
    /// [`DeskError::Network`] only.
    pub fn try_json(&self, method: &str, path: &str, body: &Value) -> DeskResult<Answer> {
        self.send(method, path, &[JSON], body.to_string().as_bytes())
    }

    /// Posts JSON and reads a documented shape.
    ///
    /// # Errors
    /// Any [`DeskError`].
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> DeskResult<T> {
        self.try_json("POST", path, body)?.read()
    }

    /// Gets a documented shape.
    ///
    /// # Errors
    /// Any [`DeskError`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> DeskResult<T> {
        self.send("GET", path, &[], &[])?.read()
    }

    /// Gets all pages of a list.
    ///
    /// # Errors
    /// Any [`DeskError`].
    pub fn get_all<T: DeserializeOwned>(&self, path: &str) -> DeskResult<Vec<T>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let query = match &after {
                Some(after) => format!("{path}{}after={after}", if path.contains('?') { '&' } else { '?' }),
                None => path.to_owned(),
            };
            let page: views::List<T> = self.get(&query)?;
            items.extend(page.items);
            match page.next {
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(items),
            }
        }
    }
}

/// The header of a JSON body.
pub const JSON: (&str, &str) = ("content-type", "application/json");
