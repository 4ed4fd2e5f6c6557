//! A few values that the whole server shares, by key. What does not belong here: settings, which are the operator's.

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::schema::server_meta;
use crate::sql_types::bind;
use diesel::prelude::*;

impl Tx {
    /// The value of a key.
    pub fn server_meta_by_key(&mut self, key: &str) -> Result<Option<String>, StorageError> {
        self.run(|c| server_meta::table.find(bind(key)).select(server_meta::value).first(c).optional())
    }

    /// Sets the value of a key.
    pub fn server_meta_put(&mut self, key: &str, value: &str) -> Result<(), StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(server_meta::table)
                .values((server_meta::key.eq(bind(key)), server_meta::value.eq(bind(value))))
                .on_conflict(server_meta::key)
                .do_update()
                .set(server_meta::value.eq(bind(value)))
                .execute(c))
        })?;
        Ok(())
    }
}
