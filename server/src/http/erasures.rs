//! Erasing a customer's data (R-PRIVACY-1).

use super::blocking;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::erasures::{ErasureOptions, StaffWords};
use actix_web::{HttpResponse, web};
use callout_storage::erasures::Erasure;
use callout_sync_protocol::ids::{ComplaintId, UserId};
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

routes! {
    POST "/v1/complaints/{id}/erase-customer" => customer_erase: CustomerErase;
    GET "/v1/complaints/{id}/erasure" => erasure_show: ErasureRead;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(customer_erase, erasure_show))]
pub struct Api;

/// What is to be erased beside the customer's name, number, address and account of the problem.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureOptionsBody {
    /// What staff wrote: `redact` (default) takes out what is known of the customer, `remove` takes all of it away.
    #[schema(value_type = Option<String>, example = "redact")]
    staff_words: Option<StaffWords>,
    /// Whether the customer's words on revisits go, too (default: yes). The score stays.
    revisit_words: Option<bool>,
    /// Photos of these purposes go, too (default: `indoors` and `screen`).
    #[schema(value_type = Option<Vec<String>>)]
    photo_purposes: Option<Vec<PhotoPurpose>>,
}

/// Why, and what, to erase.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureBody {
    /// Why; stays on record, so it must not name the customer.
    reason: String,
    /// What, if not as the policy `retention` says.
    options: Option<ErasureOptionsBody>,
}

/// An erasure on record.
#[derive(Serialize, ToSchema)]
pub struct ErasureView {
    /// Whose customer.
    complaint_id: ComplaintId,
    /// Who demanded it; absent when the retention period ended.
    erased_by: Option<UserId>,
    /// Why.
    reason: String,
    /// What was to be taken away.
    options: Value,
    /// How much was.
    counts: Value,
    /// When.
    created_at: Timestamp,
}

fn view(erasure: Erasure) -> ErasureView {
    let Erasure { complaint_id, erased_by, reason, options, counts, created_at } = erasure;
    ErasureView { complaint_id, erased_by, reason, options, counts, created_at }
}

/// Erase the customer of a complaint for good: name, number, address, account of the problem, notes and findings in the customer's
/// words, chosen photos. Figures, states and the audit trail stay. An order that has not ended is withdrawn. Asked again, it
/// answers the same.
#[utoipa::path(post, path = "/v1/complaints/{id}/erase-customer", tag = "privacy", params(("id" = ComplaintId, Path)), request_body = ErasureBody, responses(
    (status = 200, body = ErasureView),
    (status = 404, body = Problem),
    (status = 409, description = "Its tracking ticket is open", body = Problem),
    (status = 422, body = Problem),
))]
async fn customer_erase(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<ComplaintId>,
    body: web::Json<ErasureBody>,
) -> AppResult<HttpResponse> {
    let ErasureBody { reason, options } = body.into_inner();
    let options = options.map(|given| {
        let default = ErasureOptions::default();
        ErasureOptions {
            staff_words: given.staff_words.unwrap_or(default.staff_words),
            revisit_words: given.revisit_words.unwrap_or(default.revisit_words),
            photo_purposes: given.photo_purposes.unwrap_or(default.photo_purposes),
        }
    });
    let erasure = blocking(move || app.customer_erase(&caller, *id, &reason, options.as_ref())).await?;
    Ok(HttpResponse::Ok().json(view(erasure)))
}

/// What was erased of a complaint's customer.
#[utoipa::path(get, path = "/v1/complaints/{id}/erasure", tag = "privacy", params(("id" = ComplaintId, Path)), responses(
    (status = 200, body = ErasureView),
    (status = 404, description = "Nothing was erased", body = Problem),
))]
async fn erasure_show(app: web::Data<App>, caller: Caller, id: web::Path<ComplaintId>) -> AppResult<HttpResponse> {
    let erasure = blocking(move || app.erasure_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(erasure)))
}
