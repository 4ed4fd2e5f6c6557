//! Sessions, one a sign-in, and their rotating refresh tokens. What does not belong here: the rotation's rules (`app`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::schema::{devices, refresh_tokens, sessions, users};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{DeviceId, SessionId, UserId};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// One sign-in: a family of refresh tokens, bound to one device.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// On which device.
    pub device_id: DeviceId,
    /// When.
    pub created_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// Why it was ended, such as `signed_out` or `token_reused`.
    pub revoke_reason: Option<String>,
}

/// A refresh token, known by its hash only.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct RefreshToken {
    /// Hash of the token.
    pub token_hash: [u8; 32],
    /// The sign-in that it continues.
    pub session_id: SessionId,
    /// When it was given out.
    pub issued_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// When it was exchanged for its successor.
    pub used_at: Option<Timestamp>,
    /// The token that replaced it.
    pub successor_hash: Option<[u8; 32]>,
}

/// What of a session still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStanding {
    /// Whose session it is.
    pub user_id: UserId,
    /// Neither the session nor its device was ended, and its user is active.
    pub stands: bool,
    /// The user sees every region.
    pub all_regions: bool,
}

impl Tx {
    /// Begins a session.
    pub fn session_insert(&mut self, session: &Session) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(sessions::table)
                .values(row_values!(sessions, session, id, user_id, device_id, created_at, revoked_at, revoke_reason))
                .execute(c)
        })?;
        Ok(())
    }

    /// What of a session, its device and its user still stands, in one query: every unit of work asks it.
    pub fn session_standing(&mut self, id: SessionId) -> Result<Option<SessionStanding>, StorageError> {
        type Row = (UserId, bool, bool, Option<Timestamp>, Option<Timestamp>);
        let found: Option<Row> = self.run(|c| {
            sessions::table
                .inner_join(users::table.on(users::id.eq(sessions::user_id)))
                .inner_join(devices::table.on(devices::id.eq(sessions::device_id)))
                .filter(sessions::id.eq(bind(&id)))
                .select((
                    sessions::user_id,
                    users::is_active,
                    users::all_regions,
                    sessions::revoked_at,
                    devices::revoked_at,
                ))
                .first(c)
                .optional()
        })?;
        Ok(found.map(|(user_id, user_is_active, all_regions, session_revoked, device_revoked)| SessionStanding {
            user_id,
            stands: user_is_active && session_revoked.is_none() && device_revoked.is_none(),
            all_regions,
        }))
    }

    /// The session of an id.
    pub fn session_by_id(&mut self, id: SessionId) -> Result<Option<Session>, StorageError> {
        self.run(|c| sessions::table.find(bind(&id)).first(c).optional())
    }

    /// The session of an id, locked until the unit of work ends: exchanges of its tokens wait for each other.
    pub fn session_lock(&mut self, id: SessionId) -> Result<Option<Session>, StorageError> {
        self.run(|c| locked!(c, sessions::table.find(bind(&id))))
    }

    /// Ends a session; one that has ended keeps its first end. Returns whether it ended now.
    pub fn session_revoke(&mut self, id: SessionId, at: Timestamp, reason: &str) -> Result<bool, StorageError> {
        self.run(|c| {
            diesel::update(sessions::table.find(bind(&id)).filter(sessions::revoked_at.is_null()))
                .set((
                    sessions::revoked_at.eq(bind(&Some(at))),
                    sessions::revoke_reason.eq(bind(&Some(reason.to_owned()))),
                ))
                .execute(c)
        })
        .map(|rows| rows > 0)
    }

    /// The sessions that were ended at an instant or later; streams to their holders are cut.
    pub fn session_list_revoked_since(&mut self, since: Timestamp) -> Result<Vec<SessionId>, StorageError> {
        self.run(|c| sessions::table.filter(sessions::revoked_at.ge(bind(&Some(since)))).select(sessions::id).load(c))
    }

    /// Ends all sessions of a user. Returns how many.
    pub fn session_revoke_by_user(&mut self, id: UserId, at: Timestamp, reason: &str) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::update(
                sessions::table.filter(sessions::user_id.eq(bind(&id))).filter(sessions::revoked_at.is_null()),
            )
            .set((sessions::revoked_at.eq(bind(&Some(at))), sessions::revoke_reason.eq(bind(&Some(reason.to_owned())))))
            .execute(c)
        })
    }

    /// Ends all sessions on a device. Returns how many.
    pub fn session_revoke_by_device(
        &mut self,
        id: DeviceId,
        at: Timestamp,
        reason: &str,
    ) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::update(
                sessions::table.filter(sessions::device_id.eq(bind(&id))).filter(sessions::revoked_at.is_null()),
            )
            .set((sessions::revoked_at.eq(bind(&Some(at))), sessions::revoke_reason.eq(bind(&Some(reason.to_owned())))))
            .execute(c)
        })
    }

    /// Gives out a refresh token.
    pub fn refresh_token_insert(&mut self, token: &RefreshToken) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(refresh_tokens::table)
                .values(row_values!(
                    refresh_tokens,
                    token,
                    token_hash,
                    session_id,
                    issued_at,
                    expires_at,
                    used_at,
                    successor_hash
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// The refresh token of a hash.
    pub fn refresh_token_by_hash(&mut self, token_hash: &[u8; 32]) -> Result<Option<RefreshToken>, StorageError> {
        self.run(|c| refresh_tokens::table.find(bind(token_hash)).first(c).optional())
    }

    /// Notes that a token was exchanged, and for which.
    pub fn refresh_token_use(
        &mut self,
        token_hash: &[u8; 32],
        used_at: Timestamp,
        successor_hash: &[u8; 32],
    ) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(refresh_tokens::table.find(bind(token_hash)))
                .set((
                    refresh_tokens::used_at.eq(bind(&Some(used_at))),
                    refresh_tokens::successor_hash.eq(bind(&Some(*successor_hash))),
                ))
                .execute(c)
        })?;
        if rows == 1 { Ok(()) } else { Err(StorageError::NotFound { what: "refresh token" }) }
    }

    /// Marks every unused token of a session but one as used, without a successor: nobody may use them any more. Returns how many.
    pub fn refresh_token_supersede(
        &mut self,
        session_id: SessionId,
        but: &[u8; 32],
        at: Timestamp,
    ) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::update(
                refresh_tokens::table
                    .filter(refresh_tokens::session_id.eq(bind(&session_id)))
                    .filter(refresh_tokens::used_at.is_null())
                    .filter(refresh_tokens::token_hash.ne(bind(but))),
            )
            .set(refresh_tokens::used_at.eq(bind(&Some(at))))
            .execute(c)
        })
    }

    /// Removes tokens that expired before an instant. Returns how many.
    pub fn refresh_token_delete_expired(&mut self, before: Timestamp) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_at.lt(bind(&before)))).execute(c)
        })
    }
}
