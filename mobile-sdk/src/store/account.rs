//! Who this phone is (device, key) and who is signed in on it (person, tokens).

use super::{StoreError, id_column, instant};
use crate::device_key::DeviceKey;
use crate::env::{Env, uuid_new};
use callout_sync_protocol::ids::{DeviceId, UserId};
use callout_sync_protocol::time::Timestamp;
use ed25519_dalek::SigningKey;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fmt;

/// This installation.
#[derive(Clone, Debug)]
pub struct Device {
    /// As enrolled with the server.
    pub id: DeviceId,
    /// Signs blocks and refresh requests.
    pub signing_key: SigningKey,
}

/// The person that the store belongs to, and the tokens while signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user_id: UserId,
    /// As typed at sign-in.
    pub user_name: String,
    /// As the server writes it.
    pub display_name: String,
    /// For the next requests; absent when signed out.
    pub access_token: Option<String>,
    /// When it ends, by the server's clock.
    pub access_expires_at: Timestamp,
    /// For the next access token; absent when signed out.
    pub refresh_token: Option<String>,
    /// When it ends, by the server's clock.
    pub refresh_expires_at: Timestamp,
}

impl fmt::Debug for Account {
    /// Tokens stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// Reads the device, or makes it at the first start.
///
/// # Errors
/// [`StoreError::KeyMismatch`] or [`StoreError::KeyAbsent`] if `key` is not what the store was made with.
pub fn device_load_or_create(connection: &Connection, env: &dyn Env, key: &DeviceKey) -> Result<Device, StoreError> {
    let row = connection
        .query_row("SELECT id, public_key, private_key FROM device", [], |row| {
            Ok((id_column(row, 0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, Option<[u8; 32]>>(2)?))
        })
        .optional()?;
    if let Some((id, public_key, private_key)) = row {
        let signing_key = match (key, private_key) {
            (DeviceKey::Provided(provided), _) => provided.as_ref().clone(),
            (DeviceKey::KeptInStore, Some(bytes)) => SigningKey::from_bytes(&bytes),
            (DeviceKey::KeptInStore, None) => return Err(StoreError::KeyAbsent),
        };
        if signing_key.verifying_key().to_bytes() != public_key {
            return Err(StoreError::KeyMismatch);
        }
        return Ok(Device { id, signing_key });
    }
    let (signing_key, private_key) = match key {
        DeviceKey::Provided(provided) => (provided.as_ref().clone(), None),
        DeviceKey::KeptInStore => {
            let mut bytes = [0; 32];
            env.random_fill(&mut bytes);
            (SigningKey::from_bytes(&bytes), Some(bytes))
        }
    };
    let id = DeviceId(uuid_new(env));
    connection.execute(
        "INSERT INTO device (singleton, id, public_key, private_key, created_at) VALUES (1, ?1, ?2, ?3, ?4)",
        params![id.as_bytes(), signing_key.verifying_key().to_bytes(), private_key, env.now().unix_micros()],
    )?;
    Ok(Device { id, signing_key })
}

/// The person that the store belongs to, if anyone ever signed in.
pub fn account_get(connection: &Connection) -> Result<Option<Account>, StoreError> {
    let row = connection
        .query_row(
            "SELECT user_id, user_name, display_name, access_token, access_expires_at, refresh_token, refresh_expires_at FROM account",
            [],
            |row| {
                Ok((
                    Account {
                        user_id: id_column(row, 0)?,
                        user_name: row.get(1)?,
                        display_name: row.get(2)?,
                        access_token: row.get(3)?,
                        access_expires_at: Timestamp::EPOCH,
                        refresh_token: row.get(5)?,
                        refresh_expires_at: Timestamp::EPOCH,
                    },
                    row.get::<_, i64>(4)?,
                    row.get::<_, i64>(6)?,
                ))
            },
        )
        .optional()?;
    row.map(|(account, access, refresh)| {
        Ok(Account { access_expires_at: instant(access)?, refresh_expires_at: instant(refresh)?, ..account })
    })
    .transpose()
}

/// Writes who is signed in, replacing what was there.
pub fn account_put(connection: &Connection, account: &Account) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR REPLACE INTO account (singleton, user_id, user_name, display_name, access_token, access_expires_at, refresh_token,
            refresh_expires_at) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            account.user_id.as_bytes(),
            account.user_name,
            account.display_name,
            account.access_token,
            account.access_expires_at.unix_micros(),
            account.refresh_token,
            account.refresh_expires_at.unix_micros(),
        ],
    )?;
    Ok(())
}

/// Forgets the tokens and keeps the person, so that unsent work stays with whom it belongs to.
pub fn account_tokens_clear(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE account SET access_token = NULL, refresh_token = NULL", [])?;
    Ok(())
}
