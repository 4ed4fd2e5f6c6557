//! The orders' rows: what the server said of them last. What the tester sees is derived in `local_order`.

use super::{StoreError, cbor, from_cbor, instant};
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{CustomerContact, LeftReason, WorkOrderView};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// An order as the server last told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// The view; without the customer's contact once the order left.
    pub view: WorkOrderView,
    /// It is still this tester's.
    pub is_in_scope: bool,
    /// Why it left; absent while in scope, and after a reset that did not bring it back.
    pub left_reason: Option<LeftReason>,
    /// When the phone learned that it left.
    pub left_at: Option<Timestamp>,
}

type Raw = (Vec<u8>, bool, Option<String>, Option<i64>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn read((view, is_in_scope, left_reason, left_at): Raw) -> Result<StoredOrder, StoreError> {
    Ok(StoredOrder {
        view: from_cbor(&view, "an order")?,
        is_in_scope,
        left_reason: left_reason
            .map(|text| text.parse().map_err(|_| StoreError::Damaged { what: "why an order left" }))
            .transpose()?,
        left_at: left_at.map(instant).transpose()?,
    })
}

const COLUMNS: &str = "view, in_scope, left_reason, left_at";

/// An order, in scope or not.
pub fn order_get(connection: &Connection, id: WorkOrderId) -> Result<Option<StoredOrder>, StoreError> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE id = ?1"))?
        .query_row(params![id.as_bytes()], raw)
        .optional()?;
    row.map(read).transpose()
}

/// Every order, oldest id first.
pub fn order_list(connection: &Connection) -> Result<Vec<StoredOrder>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM orders ORDER BY id"))?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| read(row?)).collect()
}

/// Takes the server's view, unless a newer one is here. Says whether it was taken.
pub fn order_put(connection: &Connection, view: &WorkOrderView) -> Result<bool, StoreError> {
    if let Some(known) = order_get(connection, view.id)?
        && known.is_in_scope
        && known.view.version > view.version
    {
        return Ok(false);
    }
    connection.execute(
        "INSERT OR REPLACE INTO orders (id, view, in_scope) VALUES (?1, ?2, 1)",
        params![view.id.as_bytes(), cbor(view)],
    )?;
    Ok(true)
}

/// The order is no longer this tester's: its contact data goes, the husk stays (R-PRIVACY-1). Says whether it was here.
pub fn order_leave(
    connection: &Connection,
    id: WorkOrderId,
    reason: Option<LeftReason>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let Some(mut order) = order_get(connection, id)?.filter(|order| order.is_in_scope) else { return Ok(false) };
    order.view.customer = CustomerContact { name: String::new(), phone: String::new() };
    connection.execute(
        "UPDATE orders SET view = ?2, in_scope = 0, left_reason = ?3, left_at = ?4 WHERE id = ?1",
        params![id.as_bytes(), cbor(&order.view), reason.map(LeftReason::as_str), at.unix_micros()],
    )?;
    Ok(true)
}

/// The server voided the phone's copy: orders that nothing on the phone was done for are dropped, the others stay as husks.
pub fn order_reset(connection: &Connection, at: Timestamp) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM orders WHERE id NOT IN (SELECT work_order_id FROM commands)
            AND id NOT IN (SELECT work_order_id FROM field_tests) AND id NOT IN (SELECT work_order_id FROM findings_drafts)",
        [],
    )?;
    for order in order_list(connection)? {
        order_leave(connection, order.view.id, None, at)?;
    }
    Ok(())
}

/// The first fields of a stored view; the rest is not read.
#[derive(minicbor::Decode)]
struct ViewHead {
    #[n(0)]
    id: WorkOrderId,
    #[n(1)]
    version: u64,
}

/// The checkpoint of the orders in scope, from the rows themselves, so that it finds whatever happened to them.
pub fn order_checkpoint(connection: &Connection) -> Result<Checkpoint, StoreError> {
    let mut statement = connection.prepare_cached("SELECT view FROM orders WHERE in_scope = 1")?;
    let mut rows = statement.query([])?;
    let mut checkpoint = Checkpoint::EMPTY;
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        let head: ViewHead = from_cbor(&bytes, "an order")?;
        checkpoint = checkpoint.with(head.id, head.version);
    }
    Ok(checkpoint)
}
