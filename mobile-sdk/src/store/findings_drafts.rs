//! Findings being written: kept on the phone only, until they are complete and become a command.

use super::StoreError;
use crate::findings::FindingsDraft;
use callout_sync_protocol::ids::WorkOrderId;
use rusqlite::{Connection, OptionalExtension as _, params};

/// The order's draft, if one was begun.
pub fn findings_draft_get(connection: &Connection, order: WorkOrderId) -> Result<Option<FindingsDraft>, StoreError> {
    let text: Option<String> = connection
        .query_row("SELECT draft FROM findings_drafts WHERE work_order_id = ?1", params![order.as_bytes()], |row| {
            row.get(0)
        })
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Damaged { what: "a findings draft" }))
        .transpose()
}

/// Keeps the draft, replacing the one before.
pub fn findings_draft_put(
    connection: &Connection,
    order: WorkOrderId,
    draft: &FindingsDraft,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(draft).map_err(|_| StoreError::Damaged { what: "a findings draft" })?;
    connection.execute(
        "INSERT OR REPLACE INTO findings_drafts (work_order_id, draft) VALUES (?1, ?2)",
        params![order.as_bytes(), text],
    )?;
    Ok(())
}
