//! Sealed blocks: what travels, and what the server said of it.

use super::{StoreError, cbor, id_column, rejection_column, signed, unsigned};
use callout_sync_protocol::commands::BlockCitation;
use callout_sync_protocol::ids::{FieldTestId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::samples::BlockHash;
use callout_sync_protocol::sync::{BlockResult, BlockUpload};
use callout_sync_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

/// A block that the server keeps apart or did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAsideBlock {
    /// The order that it was measured for.
    pub work_order_id: WorkOrderId,
    /// What it says of itself.
    pub citation: BlockCitation,
    /// The server holds it, apart from the evidence; otherwise only the phone has it.
    pub is_held_by_server: bool,
    /// Why.
    pub rejection: Rejection,
}

/// How many blocks, and samples in them, there are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct BlockCounts {
    /// Sealed and not answered for yet.
    pub sealed: u64,
    /// Held by the server as evidence.
    pub stored: u64,
    /// Held by the server, not as evidence.
    pub quarantined: u64,
    /// Not held by the server; kept here.
    pub refused: u64,
    /// Samples in all of them.
    pub samples: u64,
    /// Samples in those that the server holds, as evidence or not.
    pub samples_held_by_server: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

fn citation(row: &Row<'_>, from: usize) -> rusqlite::Result<(String, u64, [u8; 32], u64)> {
    Ok((row.get(from)?, unsigned(row.get(from + 1)?), row.get(from + 2)?, unsigned(row.get(from + 3)?)))
}

fn citation_read((operator, sequence, hash, count): (String, u64, [u8; 32], u64)) -> Result<BlockCitation, StoreError> {
    let damaged = || StoreError::Damaged { what: "a block's header" };
    Ok(BlockCitation {
        operator: operator.parse().map_err(|_| damaged())?,
        sequence: u32::try_from(sequence).map_err(|_| damaged())?,
        hash: BlockHash(hash),
        sample_count: u32::try_from(count).map_err(|_| damaged())?,
    })
}

/// Adds a sealed block.
pub fn block_insert(
    connection: &Connection,
    test: FieldTestId,
    citation: &BlockCitation,
    bytes: &[u8],
    at: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO blocks (hash, field_test_id, operator, sequence, sample_count, bytes, state, sealed_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'sealed', ?7)",
        params![
            citation.hash.0,
            test.as_bytes(),
            citation.operator.as_str(),
            citation.sequence,
            citation.sample_count,
            bytes,
            at.unix_micros()
        ],
    )?;
    Ok(())
}

/// The number of the next block of this operator in this test.
pub fn block_next_sequence(connection: &Connection, test: FieldTestId, operator: Operator) -> Result<u32, StoreError> {
    Ok(connection.query_row(
        "SELECT coalesce(max(sequence) + 1, 0) FROM blocks WHERE field_test_id = ?1 AND operator = ?2",
        params![test.as_bytes(), operator.as_str()],
        |row| row.get(0),
    )?)
}

/// What a submission cites: every block of the test that the server holds as evidence or has yet to answer for.
pub fn block_citation_list(connection: &Connection, test: FieldTestId) -> Result<Vec<BlockCitation>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT operator, sequence, hash, sample_count FROM blocks WHERE field_test_id = ?1 AND state IN ('sealed', 'stored')
            ORDER BY operator, sequence",
    )?;
    let rows = statement.query_map(params![test.as_bytes()], |row| citation(row, 0))?;
    rows.map(|row| citation_read(row?)).collect()
}

/// Some block may be sent now.
pub fn block_is_due(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM blocks WHERE state = 'sealed' AND coalesce(deferred_until, 0) <= ?1)",
        params![now.unix_micros()],
        |row| row.get(0),
    )?)
}

/// Counts a failure of the server at a request that began with this block; says how many there were.
pub fn block_fail(connection: &Connection, hash: BlockHash) -> Result<u64, StoreError> {
    let failures = connection
        .query_row(
            "UPDATE blocks SET failures = failures + 1 WHERE hash = ?1 RETURNING failures",
            params![hash.0],
            |row| row.get(0),
        )
        .optional()?;
    Ok(unsigned(failures.unwrap_or(0)))
}

/// Leaves a block aside until then.
pub fn block_defer(connection: &Connection, hash: BlockHash, until: Timestamp) -> Result<(), StoreError> {
    connection
        .execute("UPDATE blocks SET deferred_until = ?2 WHERE hash = ?1", params![hash.0, until.unix_micros()])?;
    Ok(())
}

/// Puts a block that the server did not take back into the queue. Says whether it was one.
pub fn block_resend(connection: &Connection, hash: BlockHash) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "UPDATE blocks SET state = 'sealed', rejection = NULL, decided_at = NULL WHERE hash = ?1 AND state = 'refused'",
        params![hash.0],
    )?;
    Ok(changed == 1)
}

/// Blocks to send, oldest first: at most `limit`, and no more than `byte_budget` bytes beyond the first.
pub fn block_list_sealed(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
    byte_budget: usize,
) -> Result<Vec<(BlockHash, BlockUpload)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT b.hash, t.work_order_id, b.bytes FROM blocks b JOIN field_tests t ON t.id = b.field_test_id
            WHERE b.state = 'sealed' AND coalesce(b.deferred_until, 0) <= ?2 ORDER BY b.position LIMIT ?1",
    )?;
    let mut rows = statement.query(params![signed(limit as u64), now.unix_micros()])?;
    let mut blocks = Vec::new();
    let mut bytes_taken = 0;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(2)?;
        bytes_taken += bytes.len();
        if bytes_taken > byte_budget && !blocks.is_empty() {
            break;
        }
        let upload = BlockUpload { work_order_id: id_column(row, 1)?, bytes: bytes.into() };
        blocks.push((BlockHash(row.get(0)?), upload));
    }
    Ok(blocks)
}

/// Records the server's answer; says whether it was new. A stored block stays stored whatever a late answer says.
pub fn block_decide(
    connection: &Connection,
    hash: BlockHash,
    result: &BlockResult,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let (state, rejection) = match result {
        BlockResult::Stored {} => ("stored", None),
        BlockResult::Quarantined { rejection } => ("quarantined", Some(cbor(rejection))),
        BlockResult::Refused { rejection } => ("refused", Some(cbor(rejection))),
    };
    let changed = connection.execute(
        "UPDATE blocks SET state = ?2, rejection = ?3, decided_at = ?4 WHERE hash = ?1 AND state = 'sealed'",
        params![hash.0, state, rejection, at.unix_micros()],
    )?;
    Ok(changed == 1)
}

/// Blocks that are not evidence, with the reason.
pub fn block_list_set_aside(connection: &Connection) -> Result<Vec<SetAsideBlock>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT t.work_order_id, b.state, b.rejection, b.operator, b.sequence, b.hash, b.sample_count FROM blocks b
            JOIN field_tests t ON t.id = b.field_test_id WHERE b.state IN ('quarantined', 'refused') ORDER BY b.position",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((id_column(row, 0)?, row.get::<_, String>(1)?, row.get::<_, Option<Vec<u8>>>(2)?, citation(row, 3)?))
    })?;
    rows.map(|row| {
        let (work_order_id, state, rejection, cited) = row?;
        Ok(SetAsideBlock {
            work_order_id,
            citation: citation_read(cited)?,
            is_held_by_server: state == "quarantined",
            rejection: rejection_column(rejection)?.ok_or(StoreError::Damaged { what: "a block's rejection" })?,
        })
    })
    .collect()
}

/// Counts blocks, of one order or of the whole phone.
pub fn block_counts(connection: &Connection, order: Option<WorkOrderId>) -> Result<BlockCounts, StoreError> {
    let order = order.map(|id| id.as_bytes().to_vec());
    Ok(connection.query_row(
        "SELECT count(*) FILTER (WHERE state = 'sealed'), count(*) FILTER (WHERE state = 'stored'),
            count(*) FILTER (WHERE state = 'quarantined'), count(*) FILTER (WHERE state = 'refused'),
            coalesce(sum(sample_count), 0),
            coalesce(sum(sample_count) FILTER (WHERE state IN ('stored', 'quarantined')), 0), coalesce(sum(length(bytes)), 0)
            FROM blocks b JOIN field_tests t ON t.id = b.field_test_id WHERE ?1 IS NULL OR t.work_order_id = ?1",
        params![order],
        |row| {
            Ok(BlockCounts {
                sealed: unsigned(row.get(0)?),
                stored: unsigned(row.get(1)?),
                quarantined: unsigned(row.get(2)?),
                refused: unsigned(row.get(3)?),
                samples: unsigned(row.get(4)?),
                samples_held_by_server: unsigned(row.get(5)?),
                bytes: unsigned(row.get(6)?),
            })
        },
    )?)
}
