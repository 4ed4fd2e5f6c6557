//! Perceptual hashes of stored photos, found by likeness. What does not belong here: computing them, and how like is too like.
//!
//! A hash stands in four bands of sixteen bits. Hashes that differ in at most [`MAX_DISTANCE`] bits have a band that differs in at
//! most one: seventeen values a band are looked up, by index. A band takes every fourth hexadecimal digit of the hash, so that a
//! bright sky, which makes neighbouring digits zero, does not fill one band with the same value everywhere.

use crate::connection::{Tx, each_backend};
use crate::error::StorageError;
use crate::names::limit;
use crate::schema::photo_hashes;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{PhotoId, WorkOrderId};
use diesel::prelude::*;

/// The most differing bits up to which [`Tx::photo_lookalikes`] misses nothing.
pub const MAX_DISTANCE: u32 = 7;

/// A photo whose picture is like another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhotoLookalike {
    /// The photo.
    pub photo_id: PhotoId,
    /// Its order.
    pub work_order_id: WorkOrderId,
    /// Its hash.
    pub perceptual_hash: u64,
    /// How many bits differ.
    pub distance: u32,
}

#[derive(Queryable)]
struct Row {
    photo_id: PhotoId,
    work_order_id: WorkOrderId,
    band_0: i32,
    band_1: i32,
    band_2: i32,
    band_3: i32,
}

struct NewRow {
    photo_id: PhotoId,
    work_order_id: WorkOrderId,
    band_0: i32,
    band_1: i32,
    band_2: i32,
    band_3: i32,
}

/// The hexadecimal digit of a place, the most significant at 0.
fn digit(hash: u64, place: u32) -> u64 {
    hash >> (60 - 4 * place) & 0xF
}

fn bands_of(hash: u64) -> [i32; 4] {
    [0, 1, 2, 3].map(|band| (0..4).fold(0, |value, row| value << 4 | digit(hash, band + 4 * row) as i32))
}

fn hash_of(bands: [i32; 4]) -> u64 {
    (0..16).fold(0, |hash, place| hash << 4 | u64::from(bands[place % 4] as u32 >> (12 - 4 * (place / 4)) & 0xF))
}

/// A band's values that differ from it in at most one bit.
fn neighbours(band: i32) -> Vec<i32> {
    std::iter::once(band).chain((0..16).map(|bit| band ^ 1 << bit)).collect()
}

impl Tx {
    /// Keeps the hash of a photo, in place of an earlier one.
    pub fn photo_hash_put(
        &mut self,
        photo_id: PhotoId,
        work_order_id: WorkOrderId,
        perceptual_hash: u64,
    ) -> Result<(), StorageError> {
        let [band_0, band_1, band_2, band_3] = bands_of(perceptual_hash);
        let row = NewRow { photo_id, work_order_id, band_0, band_1, band_2, band_3 };
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(photo_hashes::table)
                .values(row_values!(photo_hashes, row, photo_id, work_order_id, band_0, band_1, band_2, band_3))
                .on_conflict(photo_hashes::photo_id)
                .do_update()
                .set(row_values!(photo_hashes, row, work_order_id, band_0, band_1, band_2, band_3))
                .execute(c))
        })?;
        Ok(())
    }

    /// Photos of other orders whose hash differs in at most so many bits ([`MAX_DISTANCE`] at most), the likest first, at most
    /// `at_most` (up to 500).
    pub fn photo_lookalikes(
        &mut self,
        perceptual_hash: u64,
        distance: u32,
        other_than: WorkOrderId,
        at_most: u32,
    ) -> Result<Vec<PhotoLookalike>, StorageError> {
        let [first, second, third, fourth] = bands_of(perceptual_hash).map(neighbours);
        let rows: Vec<Row> = self.run(|c| {
            photo_hashes::table
                .filter(
                    photo_hashes::band_0
                        .eq_any(&first)
                        .or(photo_hashes::band_1.eq_any(&second))
                        .or(photo_hashes::band_2.eq_any(&third))
                        .or(photo_hashes::band_3.eq_any(&fourth)),
                )
                .filter(photo_hashes::work_order_id.ne(bind(&other_than)))
                .load(c)
        })?;
        let mut found: Vec<PhotoLookalike> = rows
            .into_iter()
            .map(|row| {
                let found = hash_of([row.band_0, row.band_1, row.band_2, row.band_3]);
                PhotoLookalike {
                    photo_id: row.photo_id,
                    work_order_id: row.work_order_id,
                    perceptual_hash: found,
                    distance: (found ^ perceptual_hash).count_ones(),
                }
            })
            .filter(|found| found.distance <= distance.min(MAX_DISTANCE))
            .collect();
        found.sort_by_key(|found| (found.distance, found.photo_id));
        found.truncate(usize::try_from(limit(at_most)).unwrap_or_default());
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::AnyConnection;
    use diesel::connection::SimpleConnection;

    const HASHES: [u64; 5] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x8000_0000_0000_0001, 0, u64::MAX];

    #[test]
    fn bands_take_every_fourth_digit_and_give_the_hash_back() {
        assert_eq!(bands_of(HASHES[0]), [0x048c, 0x159d, 0x26ae, 0x37bf]);
        for hash in HASHES {
            assert_eq!(hash_of(bands_of(hash)), hash, "{hash:016x}");
        }
    }

    /// The migration's back-fill of photos that were here before gives the very same bands. Temporary tables of the same names
    /// stand before the real ones.
    #[test]
    fn the_back_fill_of_the_migration_gives_the_same_bands() {
        let migration = include_str!("../../../migrations/sqlite/00006_evidence/up.sql");
        let from = migration.find("insert into photo_hashes").unwrap();
        let length = migration[from..].find(';').unwrap();
        let back_fill = &migration[from..from + length];
        let temporary = crate::Storage::temporary().unwrap();
        let rows: Vec<Row> = temporary
            .storage
            .write("test", |tx| {
                tx.run(|c| {
                    let AnyConnection::Sqlite(c) = c else { panic!("a temporary storage is SQLite") };
                    c.batch_execute(
                        "create temp table photos (id blob, work_order_id blob, exif text, state text);
                         create temp table photo_hashes (photo_id blob, work_order_id blob, band_0 integer,
                            band_1 integer, band_2 integer, band_3 integer);
                         insert into photos values (zeroblob(16), zeroblob(16), null, 'stored'),
                            (zeroblob(16), zeroblob(16), '{\"orientation\": 1}', 'stored'),
                            (zeroblob(16), zeroblob(16), '{\"perceptual_hash\": \"0123456789abcdef\"}', 'refused');",
                    )?;
                    for hash in HASHES {
                        c.batch_execute(&format!(
                            "insert into photos values
                                (zeroblob(16), zeroblob(16), '{{\"perceptual_hash\": \"{hash:016x}\"}}', 'stored')"
                        ))?;
                    }
                    c.batch_execute(back_fill)?;
                    photo_hashes::table.load(c)
                })
            })
            .unwrap();
        let hashes: Vec<u64> =
            rows.iter().map(|row| hash_of([row.band_0, row.band_1, row.band_2, row.band_3])).collect();
        assert_eq!(hashes, HASHES);
    }
}
