//! Tests, captures and segments: samples on their way into sealed blocks.

use super::{StoreError, id_column, signed, unsigned};
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

/// One source of samples of one operator in one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The row.
    pub id: i64,
    /// How many samples of the source are safe here, refused ones included: where a resumed capture goes on.
    pub source_samples: u64,
    /// By how many first bytes the source is known again; 0 for a live one.
    pub source_prefix_bytes: u64,
    /// BLAKE3 of those bytes; absent for a live one.
    pub source_prefix_hash: Option<[u8; 32]>,
}

/// A segment's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// The row; grows in the order of capture.
    pub position: i64,
    /// Samples in it.
    pub sample_count: u64,
}

/// How many samples a test has, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CaptureCounts {
    /// Came out of their sources and were acceptable.
    pub captured: u64,
    /// Came out of their sources and no block may hold them.
    pub refused: u64,
    /// Of the captured ones, those not sealed yet.
    pub unsealed: u64,
    /// Of the unsealed ones, those in segments that the medium damaged.
    pub damaged: u64,
}

/// Notes that this phone takes part in a test.
pub fn field_test_ensure(
    connection: &Connection,
    id: FieldTestId,
    order: WorkOrderId,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO field_tests (id, work_order_id, begun_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
        params![id.as_bytes(), order.as_bytes(), at.unix_micros()],
    )?;
    Ok(())
}

/// The tests of this phone, with their orders.
pub fn field_test_list(connection: &Connection) -> Result<Vec<(FieldTestId, WorkOrderId)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, work_order_id FROM field_tests ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((id_column(row, 0)?, id_column(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The captures of one operator in one test, oldest first.
pub fn capture_list(
    connection: &Connection,
    test: FieldTestId,
    operator: Operator,
) -> Result<Vec<Capture>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, source_samples, source_prefix_bytes, source_prefix_hash FROM captures
            WHERE field_test_id = ?1 AND operator = ?2 ORDER BY id",
    )?;
    let rows = statement.query_map(params![test.as_bytes(), operator.as_str()], |row| {
        Ok(Capture {
            id: row.get(0)?,
            source_samples: unsigned(row.get(1)?),
            source_prefix_bytes: unsigned(row.get(2)?),
            source_prefix_hash: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A new capture; `prefix` is the length and hash of the first bytes by which a log is known again.
pub fn capture_insert(
    connection: &Connection,
    test: FieldTestId,
    operator: Operator,
    source_name: &str,
    prefix: Option<(u64, [u8; 32])>,
    at: Timestamp,
) -> Result<Capture, StoreError> {
    let (prefix_bytes, prefix_hash) = prefix.unzip();
    connection.execute(
        "INSERT INTO captures (field_test_id, operator, source_name, source_prefix_bytes, source_prefix_hash, begun_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            test.as_bytes(),
            operator.as_str(),
            source_name,
            signed(prefix_bytes.unwrap_or(0)),
            prefix_hash,
            at.unix_micros()
        ],
    )?;
    Ok(Capture {
        id: connection.last_insert_rowid(),
        source_samples: 0,
        source_prefix_bytes: prefix_bytes.unwrap_or(0),
        source_prefix_hash: prefix_hash,
    })
}

/// Adds a segment and moves the capture's place in its source, which must still be `from`: another process that captures the
/// same source would else make duplicates. Says whether it was so.
pub fn segment_append(
    connection: &Connection,
    capture_id: i64,
    from: u64,
    sample_count: u64,
    refused: u64,
    bytes: &[u8],
) -> Result<bool, StoreError> {
    let moved = connection
        .prepare_cached(
            "UPDATE captures SET source_samples = source_samples + ?3, refused_samples = refused_samples + ?4
                WHERE id = ?1 AND source_samples = ?2",
        )?
        .execute(params![capture_id, signed(from), signed(sample_count + refused), signed(refused)])?;
    if moved == 0 {
        return Ok(false);
    }
    if sample_count > 0 {
        connection
            .prepare_cached("INSERT INTO segments (capture_id, sample_count, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![capture_id, signed(sample_count), bytes])?;
    }
    Ok(true)
}

/// The sound segments of one operator in one test that are in no block yet, in the order of capture.
pub fn segment_list(
    connection: &Connection,
    test: FieldTestId,
    operator: Operator,
) -> Result<Vec<SegmentRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT s.position, s.sample_count FROM segments s JOIN captures c ON c.id = s.capture_id
            WHERE c.field_test_id = ?1 AND c.operator = ?2 AND s.is_damaged = 0 ORDER BY s.position",
    )?;
    let rows = statement.query_map(params![test.as_bytes(), operator.as_str()], |row| {
        Ok(SegmentRow { position: row.get(0)?, sample_count: unsigned(row.get(1)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A segment's bytes.
pub fn segment_bytes(connection: &Connection, position: i64) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT bytes FROM segments WHERE position = ?1")?
        .query_row(params![position], |row| row.get(0))
        .optional()?)
}

/// Marks a segment that cannot be read any more. Its bytes stay.
pub fn segment_mark_damaged(connection: &Connection, position: i64) -> Result<(), StoreError> {
    connection.execute("UPDATE segments SET is_damaged = 1 WHERE position = ?1", params![position])?;
    Ok(())
}

/// Removes a segment whose samples a block now holds; only in the transaction that writes the block.
pub fn segment_delete(connection: &Connection, position: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM segments WHERE position = ?1")?.execute(params![position])?;
    Ok(())
}

/// Tests of orders out of scope that have samples in no block: what was captured for them is still sent (R-TEST-5).
pub fn field_test_list_unsealed_out_of_scope(connection: &Connection) -> Result<Vec<FieldTestId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT t.id FROM field_tests t JOIN captures c ON c.field_test_id = t.id JOIN segments s ON s.capture_id = c.id
            WHERE s.is_damaged = 0 AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = t.work_order_id AND o.in_scope = 1)",
    )?;
    let rows = statement.query_map([], |row| id_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts samples, of one order or of the whole phone.
pub fn capture_counts(connection: &Connection, order: Option<WorkOrderId>) -> Result<CaptureCounts, StoreError> {
    let order = order.map(|id| id.as_bytes().to_vec());
    let (source, refused): (i64, i64) = connection.query_row(
        "SELECT coalesce(sum(source_samples), 0), coalesce(sum(refused_samples), 0) FROM captures c
            JOIN field_tests t ON t.id = c.field_test_id WHERE ?1 IS NULL OR t.work_order_id = ?1",
        params![order],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (unsealed, damaged): (i64, i64) = connection.query_row(
        "SELECT coalesce(sum(sample_count), 0), coalesce(sum(sample_count) FILTER (WHERE is_damaged = 1), 0) FROM segments s
            JOIN captures c ON c.id = s.capture_id JOIN field_tests t ON t.id = c.field_test_id
            WHERE ?1 IS NULL OR t.work_order_id = ?1",
        params![order],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(CaptureCounts {
        captured: unsigned(source - refused),
        refused: unsigned(refused),
        unsealed: unsigned(unsealed),
        damaged: unsigned(damaged),
    })
}
