//! Access tokens: short-lived JWTs (RFC 7519), HS256, audience and issuer pinned, the key chosen by its id.
//!
//! Keys lie in the database, so that every server accepts what another issued; a new key takes over at rotation and the old
//! ones stay until the last token signed with them is void. What does not belong here: refresh tokens (`sessions`).

use super::access::{Caller, Role, RoleSet};
use super::error::{AppError, AppResult};
use callout_sync_protocol::ids::{DeviceId, SessionId, UserId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

const ISSUER: &str = "callout";
const AUDIENCE: &str = "callout-api";
/// Longer than any token that we issue; longer ones are not looked at.
const MAX_TOKEN_BYTES: usize = 2_048;

/// How long an access token is good, in seconds.
pub const ACCESS_TOKEN_SECONDS: i64 = 15 * 60;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    did: DeviceId,
    roles: Vec<Role>,
    iat: i64,
    exp: i64,
}

/// A secret that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    /// The `kid` of tokens signed with it.
    pub id: String,
    /// At least 32 random bytes.
    pub secret: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, redacted)", self.id)
    }
}

/// The keys of the moment: one signs, all verify.
#[derive(Debug)]
pub struct TokenKeys {
    current: SigningKey,
    all: HashMap<String, SigningKey>,
}

fn unauthenticated(detail: &str) -> AppError {
    AppError::new(ProblemType::Unauthenticated, detail)
}

impl TokenKeys {
    /// Keys of which `current` signs.
    pub fn new(current: SigningKey, older: Vec<SigningKey>) -> Self {
        let all = older.into_iter().chain([current.clone()]).map(|key| (key.id.clone(), key)).collect();
        Self { current, all }
    }

    /// The id of the key that signs.
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// Whether a key of that id is known.
    pub fn knows(&self, id: &str) -> bool {
        self.all.contains_key(id)
    }

    /// Issues an access token; the second value is when it ends.
    pub fn issue(&self, caller: &Caller, now: Timestamp) -> AppResult<(String, Timestamp)> {
        let expires_at = now.plus_seconds(ACCESS_TOKEN_SECONDS);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: caller.user_id,
            sid: caller.session_id,
            did: caller.device_id,
            roles: caller.roles.iter().collect(),
            iat: now.unix_millis().div_euclid(1_000),
            exp: expires_at.unix_millis().div_euclid(1_000),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.current.id.clone());
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&self.current.secret))
            .map_err(AppError::internal)?;
        Ok((token, expires_at))
    }

    /// The key id that a token names, if it can be read at all.
    pub fn key_id_of(token: &str) -> Option<String> {
        (token.len() <= MAX_TOKEN_BYTES).then(|| jsonwebtoken::decode_header(token).ok()?.kid).flatten()
    }

    /// Verifies an access token.
    ///
    /// # Errors
    /// `unauthenticated` whatever is wrong with it; the sentence tells an expired one from the rest.
    pub fn verify(&self, token: &str, now: Timestamp) -> AppResult<Caller> {
        let claims = self.claims(token, now)?;
        Ok(Caller {
            user_id: claims.sub,
            session_id: claims.sid,
            device_id: claims.did,
            roles: RoleSet::of(&claims.roles),
        })
    }

    /// When an access token ends.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn expires_at(&self, token: &str, now: Timestamp) -> AppResult<Timestamp> {
        let seconds = self.claims(token, now)?.exp;
        Timestamp::from_unix_millis(seconds.saturating_mul(1_000))
            .ok_or_else(|| unauthenticated("the access token is not valid"))
    }

    fn claims(&self, token: &str, now: Timestamp) -> AppResult<Claims> {
        let bad = || unauthenticated("the access token is not valid");
        let key = Self::key_id_of(token).and_then(|id| self.all.get(&id)).ok_or_else(bad)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library asks the machine's clock; ours is injected, so the end is checked below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(&key.secret), &validation)
            .map_err(|_| bad())?
            .claims;
        if now.unix_millis().div_euclid(1_000) >= claims.exp {
            return Err(unauthenticated("the access token has expired; refresh the session"));
        }
        Ok(claims)
    }
}
