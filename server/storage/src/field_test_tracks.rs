//! What was computed of a large test's samples by a job, so that looking at it does not open every block again. What does not
//! belong here: what a track tells (`workflow`).

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::schema::field_test_tracks;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::FieldTestId;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A test's tracks.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct FieldTestTracks {
    /// The test.
    pub field_test_id: FieldTestId,
    /// Of exactly what they were computed: another fingerprint makes them old.
    pub fingerprint: [u8; 32],
    /// One for each operator, as the rules have them.
    pub tracks: serde_json::Value,
    /// When.
    pub computed_at: Timestamp,
}

impl Tx {
    /// Keeps a test's tracks, in place of earlier ones.
    pub fn field_test_tracks_put(&mut self, tracks: &FieldTestTracks) -> Result<(), StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(field_test_tracks::table)
                .values(row_values!(field_test_tracks, tracks, field_test_id, fingerprint, tracks, computed_at))
                .on_conflict(field_test_tracks::field_test_id)
                .do_update()
                .set(row_values!(field_test_tracks, tracks, fingerprint, tracks, computed_at))
                .execute(c))
        })?;
        Ok(())
    }

    /// A test's tracks, if they were computed.
    pub fn field_test_tracks_by_test(&mut self, id: FieldTestId) -> Result<Option<FieldTestTracks>, StorageError> {
        self.run(|c| field_test_tracks::table.find(bind(&id)).first(c).optional())
    }
}
