//! Pushes: the operator's push service is told that something waits for a tester, for phones that do not listen just now.
//!
//! Like a wake-up a push says *that*, never *what*: a user's id, the ids of the user's devices, one word. What is owed is a durable
//! job, written in the unit of work of the change; while one is still to be begun, further changes owe no other, so that a night
//! of changes is one push. It may come twice or late, and nothing is lost by one that never comes, for phones sync by themselves now and
//! then. Signed as <https://www.standardwebhooks.com> says. Where it goes is the operator's setting alone: nothing that anybody
//! sends has a part in the address, no redirection is followed, and no answer is read beyond its head.
//! What does not belong here: who listens (`wake_ups`), when jobs run (`jobs`).

use super::App;
use super::error::{AppError, AppResult};
use crate::photos::store::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callout_storage::Tx;
use callout_sync_protocol::ids::{DeviceId, JobId, UserId};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use ring::hmac;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Something waits in a tester's feed; subject: the tester.
pub const PUSH: &str = "push";

/// How long the push service may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a wish of the service to be left alone is heeded, at most.
const MAX_RETRY_AFTER_SECONDS: i64 = 3_600;
/// With what a secret begins in the text form of Standard Webhooks.
const SECRET_PREFIX: &str = "whsec_";
/// A key shorter than this can be guessed, says the standard; longer than that, it is no key.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Where pushes go, and the key that signs them.
#[derive(Clone)]
pub struct PushTarget {
    url: Url,
    key: hmac::Key,
    client: reqwest::Client,
}

impl fmt::Debug for PushTarget {
    /// The address may hold a token, and the key is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushTarget").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// Where pushes go, as an operator sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSettings {
    /// `https://…`; `http://` only to this very machine.
    pub url: String,
    /// `whsec_` and 24 to 64 bytes in base64.
    pub secret: Secret,
}

impl PushTarget {
    /// Checks the settings.
    ///
    /// # Errors
    /// What is wrong with them, without the secret.
    pub fn new(settings: &PushSettings) -> Result<Self, String> {
        let url = Url::parse(&settings.url).map_err(|error| format!("the push address is not a URL: {error}"))?;
        let is_here = match url.host_str() {
            None => return Err("the push address has no host".to_owned()),
            Some("localhost") => true,
            Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_here => {}
            _ => return Err("the push address must begin with https:// (http:// only to this machine)".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the push address must hold no user or password; calls are signed instead".to_owned());
        }
        let key = settings
            .secret
            .reveal()
            .strip_prefix(SECRET_PREFIX)
            .and_then(|text| STANDARD.decode(text).ok())
            .filter(|key| SECRET_BYTES.contains(&key.len()))
            .ok_or("the push secret must be whsec_ and 24 to 64 bytes in base64")?;
        // The process may have chosen its provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("callout/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the push client cannot be made: {error}"))?;
        Ok(Self { url, key: hmac::Key::new(hmac::HMAC_SHA256, &key), client })
    }

    /// The signature over id, time and body, as the standard has it.
    fn signature(&self, id: &str, unix_seconds: i64, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [id, ".", &unix_seconds.to_string(), ".", body] {
            context.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

/// What travels. No name, no number, no order, no text.
#[derive(Serialize)]
struct PushBody<'a> {
    /// As the standard calls what happened.
    r#type: &'static str,
    /// When this was sent.
    timestamp: String,
    data: PushData<'a>,
}

#[derive(Serialize)]
struct PushData<'a> {
    user_id: UserId,
    /// Those that are signed in, in no order.
    device_ids: &'a [DeviceId],
}

/// How a push ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PushEnd {
    /// The service has it, or nobody is signed in to be told.
    Done,
    /// It may work later; not before so many seconds, where the service said so.
    Later { why: String, after_seconds: Option<i64> },
    /// It never will.
    Refused(String),
}

/// What an answer's status means for the push.
fn end_of(status: StatusCode, retry_after: Option<&str>) -> PushEnd {
    let why = format!("the push service answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => PushEnd::Done,
        // It will never like this message. All else (a service that is down, moved, or does not know our key yet) can be mended.
        400 | 410 | 413 | 415 | 422 => PushEnd::Refused(why),
        _ => {
            let after_seconds = retry_after.and_then(|text| text.trim().parse().ok());
            PushEnd::Later { why, after_seconds: after_seconds.map(|s: i64| s.clamp(0, MAX_RETRY_AFTER_SECONDS)) }
        }
    }
}

impl App {
    /// Whether pushes are configured here.
    pub(crate) fn pushes(&self) -> bool {
        self.config.push.is_some()
    }

    /// A tester's feed went on by something that its own phone did not do: a push is owed, unless one already is. Called after the
    /// feed's row was locked, in the same order.
    pub(crate) fn push_owe(&self, tx: &mut Tx, tester: UserId) -> AppResult<()> {
        // One that is being sent may have been too early for this change; one that is not yet begun waits for our commit.
        if !self.pushes() || tx.job_lock_unbegun(PUSH, tester.into())? {
            return Ok(());
        }
        self.job_enqueue(tx, PUSH, tester, self.env.now(), Value::Null)
    }

    /// Sends one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn push_send(&self, id: JobId, tester: UserId) -> AppResult<PushEnd> {
        let Some(target) = &self.config.push else {
            return Ok(PushEnd::Later { why: "no push service is configured".to_owned(), after_seconds: None });
        };
        let app = self.clone();
        let devices = crate::http::blocking(move || {
            app.storage.read("push_devices", |tx| Ok::<_, AppError>(tx.device_list_signed_in(tester)?))
        })
        .await?;
        if devices.is_empty() {
            return Ok(PushEnd::Done);
        }
        let now = self.env.now();
        let data = PushData { user_id: tester, device_ids: &devices };
        let body = PushBody { r#type: "feed.changed", timestamp: now.to_string(), data };
        let body = serde_json::to_string(&body).map_err(AppError::internal)?;
        let (id, seconds) = (id.to_string(), now.unix_millis() / 1_000);
        let signature = target.signature(&id, seconds, &body);
        let request = target
            .client
            .post(target.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body);
        Ok(match request.send().await {
            Ok(answer) => {
                let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                end_of(answer.status(), retry_after)
            }
            // Without the address, which may hold a token.
            Err(error) => PushEnd::Later {
                why: format!("the push service cannot be reached: {}", error.without_url()),
                after_seconds: None,
            },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn settings(url: &str, secret: &str) -> PushSettings {
        PushSettings { url: url.to_owned(), secret: Secret::new(secret) }
    }

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the standard's own libraries.
    #[test]
    fn the_signature_is_the_standards() {
        let target = PushTarget::new(&settings("https://push.example.cn/callout", KEY)).unwrap();
        let signed = target.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_address_must_be_safe_and_a_secret_long() {
        for url in ["https://push.example.cn/a?b=c", "http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost/"] {
            assert!(PushTarget::new(&settings(url, KEY)).is_ok(), "{url}");
        }
        let bad =
            ["", "push", "ftp://push.example.cn", "http://push.example.cn", "http://10.0.0.1/", "file:///etc/passwd"];
        for url in bad.into_iter().chain(["https://user:word@push.example.cn/", "http://localhost.example.cn/"]) {
            assert!(PushTarget::new(&settings(url, KEY)).is_err(), "{url}");
        }
        for secret in ["", "secret", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*"] {
            assert!(PushTarget::new(&settings("https://push.example.cn/", secret)).is_err(), "{secret}");
        }
        let shown = format!("{:?}", PushTarget::new(&settings("https://push.example.cn/?token=t", KEY)).unwrap());
        assert!(!shown.contains("token") && !shown.contains("MfKQ"), "{shown}");
        assert!(!format!("{:?}", settings("https://push.example.cn/", KEY)).contains("MfKQ"));
    }

    #[test]
    fn what_an_answer_means() {
        let status = |code| StatusCode::from_u16(code).unwrap();
        assert_eq!(end_of(status(204), None), PushEnd::Done);
        for code in [400, 410, 422] {
            assert!(matches!(end_of(status(code), None), PushEnd::Refused(_)), "{code}");
        }
        for (code, said, heeded) in [
            (503, Some("7"), Some(7)),
            (429, Some("999999"), Some(3_600)),
            (429, Some("-5"), Some(0)),
            (500, Some("soon"), None),
            (302, None, None),
            (404, None, None),
        ] {
            let end = end_of(status(code), said);
            assert!(matches!(end, PushEnd::Later { after_seconds, .. } if after_seconds == heeded), "{code}: {end:?}");
        }
    }
}
