//! Counters for numbers that people read, such as the count of a day's work orders.

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::schema::counters;
use crate::sql_types::bind;
use diesel::prelude::*;

impl Tx {
    /// The next number of a counter, from 1. Others who want one of the same counter wait until the unit of work ends, so the
    /// numbers have no gaps.
    pub fn counter_next(&mut self, name: &str) -> Result<u64, StorageError> {
        let value: i64 = self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(counters::table)
                .values((counters::name.eq(bind(name)), counters::value.eq(1)))
                .on_conflict(counters::name)
                .do_update()
                .set(counters::value.eq(counters::value + 1))
                .returning(counters::value)
                .get_result(c))
        })?;
        Ok(value.unsigned_abs())
    }
}
