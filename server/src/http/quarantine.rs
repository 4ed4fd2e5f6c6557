//! The quarantine: what arrived and does not count, and why.

use super::blocking;
use super::field_tests::ReasonView;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::app::quarantine::{QuarantinePosition, Quarantined};
use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callout_storage::command_receipts::ReceiptOutcome;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::ids::{DeviceId, FieldTestId, UserId, WorkOrderId};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/quarantine" => quarantine_list: QuarantineRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(quarantine_list))]
pub struct Api;

const DEFAULT_LIMIT: u32 = 50;

/// Something that is kept and does not count.
#[derive(Serialize, ToSchema)]
pub struct QuarantinedView {
    /// `command`, `block` or `field_test`.
    kind: &'static str,
    /// The command's or test's id, or the block's hash.
    id: String,
    /// The order that it is about; there may be no such order.
    work_order_id: WorkOrderId,
    /// The test that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field_test_id: Option<FieldTestId>,
    /// Who sent it.
    tester_id: UserId,
    /// From which phone.
    device_id: DeviceId,
    /// When it was done or captured, by the phone's clock.
    captured_at: Timestamp,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<Timestamp>,
    /// Why it does not count.
    reason: Option<ReasonView>,
    /// Of a command: what the tester did, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    command: Option<CommandBody>,
    /// Of a block: whose network.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<Operator>,
    /// Of a block: its number within test and operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    /// Of a block: how many samples it says it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_count: Option<u32>,
}

/// A page, newest first.
#[derive(Serialize, ToSchema)]
pub struct QuarantineList {
    /// What does not count.
    items: Vec<QuarantinedView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct QuarantineQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn position_parse(text: &str) -> AppResult<QuarantinePosition> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| AppError::invalid("after", "must be the `next` of the page before"))
}

fn position_text(position: &QuarantinePosition) -> AppResult<String> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).map_err(AppError::internal)?))
}

fn quarantined_view(item: Quarantined) -> QuarantinedView {
    let reason = |rejection: Option<Rejection>| rejection.map(ReasonView::from);
    match item {
        Quarantined::Command(receipt) => QuarantinedView {
            kind: "command",
            id: receipt.command_id.to_string(),
            work_order_id: receipt.work_order_id,
            field_test_id: None,
            tester_id: receipt.tester_id,
            device_id: receipt.device_id,
            captured_at: receipt.captured_at,
            received_at: Some(receipt.received_at),
            reason: reason(match receipt.outcome {
                ReceiptOutcome::Rejected { rejection } => Some(rejection),
                ReceiptOutcome::Accepted { .. } => None,
            }),
            command: Some(receipt.body),
            operator: None,
            sequence: None,
            sample_count: None,
        },
        Quarantined::Block(block) => QuarantinedView {
            kind: "block",
            id: block.hash.to_string(),
            work_order_id: block.work_order_id,
            field_test_id: Some(block.field_test_id),
            tester_id: block.tester_id,
            device_id: block.device_id,
            captured_at: block.captured_from,
            received_at: Some(block.received_at),
            reason: reason(block.standing_reason),
            command: None,
            operator: Some(block.operator),
            sequence: Some(block.sequence),
            sample_count: Some(block.sample_count),
        },
        Quarantined::FieldTest(test) => QuarantinedView {
            kind: "field_test",
            id: test.id.to_string(),
            work_order_id: test.work_order_id,
            field_test_id: Some(test.id),
            tester_id: test.tester_id,
            device_id: test.device_id,
            captured_at: test.begun_at,
            received_at: None,
            reason: reason(test.standing_reason),
            command: None,
            operator: None,
            sequence: None,
            sample_count: None,
        },
    }
}

/// What arrived and does not count, in the caller's regions, newest first: rejected commands, blocks and tests (R-TEST-5).
#[utoipa::path(get, path = "/v1/quarantine", tag = "quarantine", params(QuarantineQuery), responses(
    (status = 200, body = QuarantineList),
    (status = 422, description = "Not the `next` of a page", body = Problem),
))]
async fn quarantine_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<QuarantineQuery>,
) -> AppResult<HttpResponse> {
    let position = query.after.as_deref().map(position_parse).transpose()?.unwrap_or_default();
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let page = blocking(move || app.quarantine_list(&caller, position, limit)).await?;
    let next = page.next.as_ref().map(position_text).transpose()?;
    Ok(HttpResponse::Ok().json(QuarantineList { items: page.items.into_iter().map(quarantined_view).collect(), next }))
}
