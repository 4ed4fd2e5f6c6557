//! Signing in and renewing tokens, as requests and answers.

use super::http::{HttpRequest, HttpResponse, Method, RequestId};
use crate::store::account::{Account, Device};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::Signer as _;
use serde::Deserialize;
use serde_json::json;

/// What is signed at a refresh stands before the token, so that the signature can serve for nothing else.
const REFRESH_CONTEXT: &str = "callout-refresh-v1\n";

const JSON: (&str, &str) = ("content-type", "application/json");

/// The answer to a sign-in or a refresh. Fields that this version does not know are left alone.
#[derive(Deserialize)]
pub(crate) struct TokensAnswer {
    access_token: String,
    access_expires_at: Timestamp,
    refresh_token: String,
    refresh_expires_at: Timestamp,
    user: Option<UserAnswer>,
}

#[derive(Deserialize)]
struct UserAnswer {
    id: UserId,
    display_name: String,
}

impl TokensAnswer {
    pub(crate) fn read(response: &HttpResponse) -> Option<Self> {
        serde_json::from_slice(&response.body).ok()
    }

    /// The account after a sign-in; `None` if the answer does not say who signed in.
    pub(crate) fn into_account(self, user_name: &str) -> Option<Account> {
        let user = self.user?;
        Some(Account {
            user_id: user.id,
            user_name: user_name.to_owned(),
            display_name: user.display_name,
            access_token: Some(self.access_token),
            access_expires_at: self.access_expires_at,
            refresh_token: Some(self.refresh_token),
            refresh_expires_at: self.refresh_expires_at,
        })
    }

    /// The account after a refresh.
    pub(super) fn renew(self, account: Account) -> Account {
        Account {
            access_token: Some(self.access_token),
            access_expires_at: self.access_expires_at,
            refresh_token: Some(self.refresh_token),
            refresh_expires_at: self.refresh_expires_at,
            ..account
        }
    }
}

/// A sign-in with name and password; enrols the device with its public key.
pub(crate) fn sign_in_request(user_name: &str, password: &str, device: &Device, device_name: &str) -> HttpRequest {
    let body = json!({
        "user_name": user_name,
        "password": password,
        "device": {
            "id": device.id,
            "name": device_name,
            "platform": std::env::consts::OS,
            "public_key": URL_SAFE_NO_PAD.encode(device.signing_key.verifying_key().to_bytes()),
        },
    });
    HttpRequest {
        id: RequestId(0),
        method: Method::Post,
        path: "/v1/sign-in".to_owned(),
        headers: vec![(JSON.0, JSON.1.to_owned())],
        body: body.to_string().into_bytes(),
    }
}

/// A refresh, with the proof that this device holds the key that was enrolled.
pub(super) fn refresh_request(id: RequestId, refresh_token: &str, device: &Device) -> HttpRequest {
    let proof = device.signing_key.sign(format!("{REFRESH_CONTEXT}{refresh_token}").as_bytes());
    let body = json!({
        "refresh_token": refresh_token,
        "device_id": device.id,
        "proof": URL_SAFE_NO_PAD.encode(proof.to_bytes()),
    });
    HttpRequest {
        id,
        method: Method::Post,
        path: "/v1/sessions/refresh".to_owned(),
        headers: vec![(JSON.0, JSON.1.to_owned())],
        body: body.to_string().into_bytes(),
    }
}
