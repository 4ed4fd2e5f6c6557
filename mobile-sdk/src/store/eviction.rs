//! How much the phone holds, and letting go of what the server has confirmed. What it has not is never touched (R-TEST-5).

use super::photos::StoredPhoto;
use super::{Store, StoreError, unsigned};
use callout_sync_protocol::time::Timestamp;
use rusqlite::params;
use serde::Serialize;

/// Bytes of samples and photos on the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct StoredBytes {
    /// Only the phone has them.
    pub unsent: u64,
    /// The server has them, too.
    pub confirmed: u64,
}

/// What was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Evicted {
    /// Photos' files.
    pub photos: u64,
    /// Blocks' bytes.
    pub blocks: u64,
    /// Bytes in all.
    pub bytes: u64,
}

impl Store {
    /// Counts.
    pub fn stored_bytes(&self) -> Result<StoredBytes, StoreError> {
        let connection = self.connection();
        let (unsent, confirmed): (i64, i64) = connection.query_row(
            "SELECT coalesce(sum(length(bytes)) FILTER (WHERE state IN ('sealed', 'refused')), 0)
                    + (SELECT coalesce(sum(length(bytes)), 0) FROM segments),
                coalesce(sum(length(bytes)) FILTER (WHERE state IN ('stored', 'quarantined')), 0) FROM blocks",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut stored = StoredBytes { unsent: unsigned(unsent), confirmed: unsigned(confirmed) };
        for (photo, is_confirmed) in super::photos::photo_list_held(connection)? {
            let bytes = if is_confirmed { &mut stored.confirmed } else { &mut stored.unsent };
            *bytes += photo.manifest.byte_length;
        }
        Ok(stored)
    }

    /// Lets go of what the server has confirmed, the oldest first, photos before blocks, until the phone holds at most `target` bytes
    /// or nothing more can go.
    pub fn evict(&mut self, target: u64, now: Timestamp) -> Result<Evicted, StoreError> {
        let stored = self.stored_bytes()?;
        let mut surplus = (stored.unsent + stored.confirmed).saturating_sub(target);
        let mut evicted = Evicted::default();
        let photos: Vec<StoredPhoto> = super::photos::photo_list_held(self.connection())?
            .into_iter()
            .filter_map(|(photo, is_confirmed)| is_confirmed.then_some(photo))
            .collect();
        for photo in photos {
            if surplus == 0 {
                return Ok(evicted);
            }
            // The row first: one that says "evicted" while the file is there only takes space, and the file is named by nobody.
            self.write(|connection| super::photos::photo_mark_evicted(connection, photo.manifest.id, now))?;
            self.photo_file_destroy(&photo)?;
            evicted.photos += 1;
            evicted.bytes += photo.manifest.byte_length;
            surplus = surplus.saturating_sub(photo.manifest.byte_length);
        }
        while surplus > 0 {
            let oldest = self.connection().query_row(
                "SELECT min(position) FROM blocks WHERE state IN ('stored', 'quarantined') AND evicted_at IS NULL",
                [],
                |row| row.get::<_, Option<i64>>(0),
            )?;
            let Some(position) = oldest else { break };
            let length = self.write(|connection| {
                let length: i64 = connection.query_row(
                    "SELECT length(bytes) FROM blocks WHERE position = ?1",
                    params![position],
                    |row| row.get(0),
                )?;
                connection.execute(
                    "UPDATE blocks SET bytes = x'', evicted_at = ?2 WHERE position = ?1",
                    params![position, now.unix_micros()],
                )?;
                Ok::<_, StoreError>(unsigned(length))
            })?;
            evicted.blocks += 1;
            evicted.bytes += length;
            surplus = surplus.saturating_sub(length);
        }
        Ok(evicted)
    }
}
