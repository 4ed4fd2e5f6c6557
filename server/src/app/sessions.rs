//! Signing in: passwords, devices, access tokens, and refresh tokens that rotate.
//!
//! A session is one sign-in on one device. Its refresh token is replaced at every use. A phone in a weak network loses answers,
//! and its requests come twice or late, so the replaced token may be used again as long as no successor was, and every successor
//! stands until one of them is used; after that the use of any other means that two hold it, and the session ends (RFC 9700
//! §4.14.2). What does not belong here: the form of tokens (`tokens`) and of passwords (`passwords`).

use super::App;
use super::access::{Caller, Role, RoleSet};
use super::error::{AppError, AppResult};
use super::passwords::{MAX_PASSWORD_BYTES, password_hash, password_matches};
use crate::app::events::{EventDraft, Subject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callout_storage::devices::Device;
use callout_storage::sessions::{RefreshToken, Session, SessionStanding};
use callout_storage::users::User;
use callout_storage::{RegionScope, Tx};
use callout_sync_protocol::ids::{DeviceId, SessionId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::{Signature, VerifyingKey};
use std::fmt;

/// How long a refresh token is good, in seconds: a phone may be without a network for weeks.
pub const REFRESH_TOKEN_SECONDS: i64 = 30 * 24 * 3_600;

/// What a device signs to refresh: this, then the refresh token.
pub const REFRESH_PROOF_PREFIX: &str = "callout-refresh-v1\n";

/// What a sign-in takes.
pub struct SignIn {
    /// The user's name.
    pub user_name: String,
    /// The password.
    pub password: String,
    /// The device's own id; the same at every sign-in on it.
    pub device_id: DeviceId,
    /// What its owner calls it.
    pub device_name: String,
    /// `android`, `ios`, `terminal`, `browser`, `system` …
    pub platform: String,
    /// Its Ed25519 public key; a field tester's phone must have one.
    pub public_key: Option<[u8; 32]>,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignIn({}, password redacted)", self.user_name)
    }
}

/// What a sign-in or a refresh gives.
pub struct Tokens {
    /// For the `Authorization` header.
    pub access_token: String,
    /// When it ends.
    pub access_expires_at: Timestamp,
    /// For the next refresh, once.
    pub refresh_token: String,
    /// When it ends.
    pub refresh_expires_at: Timestamp,
    /// The session.
    pub session_id: SessionId,
    /// Who signed in.
    pub user: User,
}

fn wrong_credentials() -> AppError {
    AppError::new(ProblemType::WrongCredentials, "user name or password is wrong")
}

/// Said only to who holds a token of the device: the phone then removes what may not stay on it (R-PRIVACY-1).
fn device_revoked() -> AppError {
    AppError::new(ProblemType::DeviceRevoked, "this device was revoked; what it has not sent stays on it, sealed")
}

fn revoked() -> AppError {
    AppError::new(ProblemType::SessionRevoked, "sign in again; what is on the phone is kept")
}

fn token_hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

impl App {
    /// Signs in and enrols the device.
    ///
    /// # Errors
    /// `wrong-credentials` whatever of the two is wrong, after the same work; `invalid-field` for a tester's device without a key.
    pub fn session_sign_in(&self, request: SignIn) -> AppResult<Tokens> {
        if request.password.len() > MAX_PASSWORD_BYTES || request.user_name.chars().count() > 128 {
            return Err(wrong_credentials());
        }
        let user =
            self.storage.read("session_sign_in_user", |tx| Ok::<_, AppError>(tx.user_by_name(&request.user_name)?))?;
        // A name that nobody has costs as much as a wrong password, so that names cannot be tried out by the clock.
        let hash = user.as_ref().map_or(self.decoy_hash()?, |user| user.password_hash.clone());
        let matches = password_matches(&request.password, &hash);
        let user = user.filter(|user| matches && user.is_active).ok_or_else(wrong_credentials)?;
        let roles = RoleSet::of(&user.roles);
        if roles.has(Role::FieldTester) && request.public_key.is_none() {
            return Err(AppError::invalid("device.public_key", "a field tester's device needs an Ed25519 key"));
        }
        if let Some(key) = &request.public_key
            && !VerifyingKey::from_bytes(key).is_ok_and(|key| !key.is_weak())
        {
            return Err(AppError::invalid("device.public_key", "is not a sound Ed25519 key"));
        }
        for (field, text) in [("device.name", &request.device_name), ("device.platform", &request.platform)] {
            if text.trim().is_empty() || text.chars().count() > 128 {
                return Err(AppError::invalid(field, "must have 1 to 128 characters"));
            }
        }
        let now = self.env.now();
        let session = Session {
            id: self.env.id(),
            user_id: user.id,
            device_id: request.device_id,
            created_at: now,
            revoked_at: None,
            revoke_reason: None,
        };
        let refresh_token = self.new_refresh_token();
        self.storage.write("session_sign_in", |tx| {
            self.device_enrol(tx, &user, &request, now)?;
            tx.session_insert(&session)?;
            tx.refresh_token_insert(&self.refresh_token_row(&refresh_token, session.id, now))?;
            self.event_append(
                tx,
                EventDraft::new(Subject::User(user.id), "signed_in").device(request.device_id).by_user(user.id, roles),
            )
        })?;
        self.tokens_of(user, session.id, request.device_id, refresh_token, now)
    }

    fn device_enrol(&self, tx: &mut Tx, user: &User, request: &SignIn, now: Timestamp) -> AppResult<()> {
        match tx.device_by_id(request.device_id)? {
            None => Ok(tx.device_insert(&Device {
                id: request.device_id,
                user_id: user.id,
                name: request.device_name.trim().to_owned(),
                platform: request.platform.trim().to_owned(),
                public_key: request.public_key,
                enrolled_at: now,
                last_seen_at: now,
                revoked_at: None,
            })?),
            Some(device) if device.user_id != user.id => {
                Err(AppError::forbidden("this device is enrolled for somebody else; enrol it with a new device id"))
            }
            // Told to its own person only, who just proved to be that.
            Some(device) if device.revoked_at.is_some() => {
                Err(AppError::new(ProblemType::DeviceRevoked, "this device was revoked; enrol it with a new device id"))
            }
            Some(device) if device.public_key != request.public_key => {
                Err(AppError::forbidden("this device is enrolled with another key; enrol it with a new device id"))
            }
            Some(device) => Ok(tx.device_seen(device.id, now)?),
        }
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    /// `session-revoked` for anything that is not the session's latest token (or its predecessor, while no successor was used).
    pub fn session_refresh(
        &self,
        refresh_token: &str,
        device_id: DeviceId,
        proof: Option<[u8; 64]>,
    ) -> AppResult<Tokens> {
        let now = self.env.now();
        let hash = token_hash(refresh_token);
        let successor = self.new_refresh_token();
        // A revocation must be kept although the request fails, so the unit of work ends well and says what became of it.
        let outcome = self.storage.write("session_refresh", |tx| {
            let Some(token) = tx.refresh_token_by_hash(&hash)? else { return Ok::<_, AppError>(Err(revoked())) };
            let Some(session) = tx.session_lock(token.session_id)? else { return Ok(Err(revoked())) };
            let device = tx.device_by_id(session.device_id)?;
            let user = tx.user_by_id(session.user_id)?;
            let (Some(device), Some(user)) = (device, user) else { return Ok(Err(revoked())) };
            let is_dead = session.revoked_at.is_some()
                || device.revoked_at.is_some()
                || !user.is_active
                || now >= token.expires_at
                || session.device_id != device_id;
            if !proof_holds(&device, refresh_token, proof) {
                return Ok(Err(revoked()));
            }
            if is_dead {
                let is_told = device.revoked_at.is_some() && session.device_id == device_id;
                return Ok(Err(if is_told { device_revoked() } else { revoked() }));
            }
            let is_replaced = match (token.used_at, token.successor_hash) {
                // Its first use: whatever else was given out for the same predecessor, nobody uses any more.
                (None, _) => {
                    tx.refresh_token_supersede(session.id, &hash, now)?;
                    false
                }
                // The answer with its successor was lost, or this request came twice or late: nobody can tell which of the
                // successors the phone has heard of, so all of them stand until one is used.
                (Some(_), Some(next)) => tx.refresh_token_by_hash(&next)?.is_none_or(|next| next.used_at.is_some()),
                (Some(_), None) => true,
            };
            if is_replaced {
                tx.session_revoke(session.id, now, "an old refresh token was used again")?;
                self.event_append(
                    tx,
                    EventDraft::new(Subject::User(user.id), "session_revoked")
                        .device(device.id)
                        .reason("an old refresh token was used again"),
                )?;
                return Ok(Err(revoked()));
            }
            let row = self.refresh_token_row(&successor, session.id, now);
            tx.refresh_token_insert(&row)?;
            tx.refresh_token_use(&hash, now, &row.token_hash)?;
            tx.device_seen(device.id, now)?;
            Ok(Ok((user, session)))
        })?;
        let (user, session) = outcome?;
        self.tokens_of(user, session.id, session.device_id, successor, now)
    }

    /// Ends the caller's session.
    pub fn session_sign_out(&self, caller: &Caller) -> AppResult<()> {
        let now = self.env.now();
        self.storage.write("session_sign_out", |tx| {
            tx.session_revoke(caller.session_id, now, "signed out")?;
            self.event_append(tx, EventDraft::new(Subject::User(caller.user_id), "signed_out").by(caller))
        })
    }

    fn tokens_of(
        &self,
        user: User,
        session_id: SessionId,
        device_id: DeviceId,
        refresh_token: String,
        now: Timestamp,
    ) -> AppResult<Tokens> {
        let caller = Caller { user_id: user.id, session_id, device_id, roles: RoleSet::of(&user.roles) };
        let (access_token, access_expires_at) = self.token_issue(&caller, now)?;
        Ok(Tokens {
            access_token,
            access_expires_at,
            refresh_token,
            refresh_expires_at: now.plus_seconds(REFRESH_TOKEN_SECONDS),
            session_id,
            user,
        })
    }

    fn new_refresh_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.env.random::<32>())
    }

    fn refresh_token_row(&self, token: &str, session_id: SessionId, now: Timestamp) -> RefreshToken {
        RefreshToken {
            token_hash: token_hash(token),
            session_id,
            issued_at: now,
            expires_at: now.plus_seconds(REFRESH_TOKEN_SECONDS),
            used_at: None,
            successor_hash: None,
        }
    }

    fn decoy_hash(&self) -> AppResult<String> {
        match self.decoy.get() {
            Some(hash) => Ok(hash.clone()),
            None => {
                let hash = password_hash(&self.env, self.config.password_cost, "nobody has this password")?;
                Ok(self.decoy.get_or_init(|| hash).clone())
            }
        }
    }

    /// The caller's account, provided that session, device and user still stand; for units of work that no region bounds.
    ///
    /// # Errors
    /// `session-revoked` when one of them was ended after the token was issued.
    pub(crate) fn caller_standing(&self, tx: &mut Tx, caller: &Caller) -> AppResult<SessionStanding> {
        tx.session_standing(caller.session_id)?
            .filter(|standing| standing.stands && standing.user_id == caller.user_id)
            .ok_or_else(revoked)
    }

    /// The caller's account and regions, provided that session, device and user still stand. Every unit of work begins with it.
    ///
    /// # Errors
    /// `session-revoked` when one of them was ended after the token was issued.
    pub fn caller_scope(&self, tx: &mut Tx, caller: &Caller) -> AppResult<RegionScope> {
        let standing = self.caller_standing(tx, caller)?;
        Ok(if standing.all_regions {
            RegionScope::All
        } else {
            RegionScope::Only {
                region_ids: tx.user_region_ids(caller.user_id)?,
                and_unlocated: caller.roles.works_before_location(),
            }
        })
    }
}

fn proof_holds(device: &Device, refresh_token: &str, proof: Option<[u8; 64]>) -> bool {
    let Some(key) = &device.public_key else { return true };
    let (Ok(key), Some(proof)) = (VerifyingKey::from_bytes(key), proof) else { return false };
    let message = format!("{REFRESH_PROOF_PREFIX}{refresh_token}");
    key.verify_strict(message.as_bytes(), &Signature::from_bytes(&proof)).is_ok()
}
