//! What becomes of a store whose device was revoked: personal data and whatever the server has go at once, what only this phone has
//! stays sealed until an enrolment under a new id sends it.
//!
//! Two rules pull here. R-PRIVACY-1: contact data leaves the phone when the order does, and every order leaves a revoked phone.
//! R-TEST-5: nothing captured is ever lost, not even what the server refuses. So contacts, addresses and descriptions go, and so does
//! all that the server confirmed; unsent commands, samples and photos stay, because no copy of them is anywhere else. They are shown to
//! nobody meanwhile, and on a sealed store the platform's keystore keeps them shut.

use super::photos::{StoredPhoto, photo_list_held};
use super::{Store, StoreError, cbor};
use crate::env::{Env, uuid_new};
use crate::{DeviceKey, store::account::Device};
use callout_sync_protocol::ids::DeviceId;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{CustomerContact, LeftReason};
use ed25519_dalek::SigningKey;
use rusqlite::{Connection, params};

/// Since when the device is revoked, if it is.
pub fn device_revoked_at(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = connection.query_row("SELECT revoked_at FROM device", [], |row| row.get(0))?;
    micros.map(super::instant).transpose()
}

impl Store {
    /// Removes what may not stay. Doing it again changes nothing more.
    pub(crate) fn device_revoke(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let confirmed: Vec<StoredPhoto> = photo_list_held(self.connection())?
            .into_iter()
            .filter_map(|(photo, is_confirmed)| is_confirmed.then_some(photo))
            .collect();
        self.write(|connection| rows_remove(connection, now))?;
        for photo in confirmed {
            self.photo_file_destroy(&photo)?;
        }
        // Out of the log, too, not only out of the pages.
        self.checkpoint()
    }
}

fn rows_remove(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    connection.execute("UPDATE device SET revoked_at = coalesce(revoked_at, ?1)", [now.unix_micros()])?;
    // The id stays: what is unsent is this person's, and nobody else's to send.
    connection.execute(
        "UPDATE account SET user_name = '', display_name = '', access_token = NULL, refresh_token = NULL",
        [],
    )?;
    connection.execute("DELETE FROM photos WHERE state = 'stored'", [])?;
    connection.execute("DELETE FROM blocks WHERE state IN ('stored', 'quarantined')", [])?;
    // The server keeps what it rejected, too.
    connection
        .execute("DELETE FROM commands WHERE state <> 'waiting' AND id NOT IN (SELECT command_id FROM photos)", [])?;
    connection.execute(
        "DELETE FROM orders WHERE id NOT IN (SELECT work_order_id FROM commands WHERE state = 'waiting')
            AND id NOT IN (SELECT work_order_id FROM findings_drafts)
            AND id NOT IN (SELECT t.work_order_id FROM field_tests t JOIN blocks b ON b.field_test_id = t.id)
            AND id NOT IN (SELECT t.work_order_id FROM field_tests t JOIN photos p ON p.field_test_id = t.id)
            AND id NOT IN (SELECT t.work_order_id FROM field_tests t JOIN captures c ON c.field_test_id = t.id
                JOIN segments s ON s.capture_id = c.id)",
        [],
    )?;
    for order in super::orders::order_list(connection)? {
        let mut view = order.view;
        view.customer = CustomerContact { name: String::new(), phone: String::new() };
        view.address = String::new();
        view.description = String::new();
        view.position = None;
        connection.execute(
            "UPDATE orders SET view = ?2, in_scope = 0, left_reason = coalesce(left_reason, ?3), left_at = coalesce(left_at, ?4)
                WHERE id = ?1",
            params![view.id.as_bytes(), cbor(&view), LeftReason::Reassigned.as_str(), now.unix_micros()],
        )?;
    }
    // The feed begins anew for whoever signs in next.
    connection.execute("UPDATE sync_state SET cursor = NULL, not_before = NULL", [])?;
    Ok(())
}

/// Gives the installation a new id, and a new key where the store keeps it. Blocks sealed before go on naming the old id.
pub fn device_renew(connection: &Connection, env: &dyn Env, key: &DeviceKey) -> Result<Device, StoreError> {
    connection.execute(
        "INSERT INTO retired_devices (id, public_key, retired_at) SELECT id, public_key, ?1 FROM device",
        [env.now().unix_micros()],
    )?;
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
        "UPDATE device SET id = ?1, public_key = ?2, private_key = ?3, created_at = ?4, revoked_at = NULL",
        params![id.as_bytes(), signing_key.verifying_key().to_bytes(), private_key, env.now().unix_micros()],
    )?;
    Ok(Device { id, signing_key })
}
