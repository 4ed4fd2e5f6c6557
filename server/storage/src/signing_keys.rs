//! The keys that sign access tokens, known by id so that they can rotate. What does not belong here: signing.

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::MAX_PAGE;
use crate::schema::signing_keys;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A key that signs access tokens.
#[derive(Clone, PartialEq, Eq, Queryable)]
pub struct SigningKey {
    /// Its id, which tokens name (`kid`).
    pub id: String,
    /// The secret.
    pub secret: Vec<u8>,
    /// When it was made; the newest one signs.
    pub created_at: Timestamp,
    /// From when on its tokens are refused.
    pub retire_at: Option<Timestamp>,
}

impl std::fmt::Debug for SigningKey {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Tx {
    /// Adds a key.
    pub fn signing_key_insert(&mut self, key: &SigningKey) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(signing_keys::table)
                .values(row_values!(signing_keys, key, id, secret, created_at, retire_at))
                .execute(c)
        })?;
        Ok(())
    }

    /// The keys whose tokens are good at an instant, newest first.
    pub fn signing_key_list(&mut self, at: Timestamp) -> Result<Vec<SigningKey>, StorageError> {
        self.run(|c| {
            signing_keys::table
                .filter(signing_keys::retire_at.is_null().or(signing_keys::retire_at.gt(bind(&Some(at)))))
                .order((signing_keys::created_at.desc(), signing_keys::id.desc()))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Sets the instant from which on a key's tokens are refused.
    pub fn signing_key_retire(&mut self, id: &str, retire_at: Timestamp) -> Result<(), StorageError> {
        let rows = self.run(|c| {
            diesel::update(signing_keys::table.find(bind(id)))
                .set(signing_keys::retire_at.eq(bind(&Some(retire_at))))
                .execute(c)
        })?;
        if rows == 1 { Ok(()) } else { Err(StorageError::NotFound { what: "signing key" }) }
    }
}
