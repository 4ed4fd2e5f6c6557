//! Key accounts (大用户, R-INTAKE-4): administered here, found by themselves at intake. Numbers are shown masked only.

use super::blocking;
use super::pages::{PageQuery, page_next, page_of};
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::app::key_accounts::{KeyAccountDraft, KeyAccountSeen};
use actix_web::{HttpResponse, web};
use callout_storage::key_accounts::IdentifierKind;
use callout_sync_protocol::ids::KeyAccountId;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    GET "/v1/key-accounts" => key_account_list: KeyAccountRead;
    POST "/v1/key-accounts" => key_account_create: KeyAccountManage;
    GET "/v1/key-accounts/{id}" => key_account_show: KeyAccountRead;
    PUT "/v1/key-accounts/{id}" => key_account_change: KeyAccountManage;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(key_account_list, key_account_create, key_account_show, key_account_change))]
pub struct Api;

/// A key account to enter or to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAccountBody {
    /// What it is called.
    name: String,
    /// What whoever deals with it must know.
    note: Option<String>,
    /// Whether it counts; yes, if absent.
    is_active: Option<bool>,
    /// Its telephone numbers. They cannot be read back; absent leaves those that there are.
    phones: Option<Vec<String>>,
    /// Its customer numbers. They cannot be read back; absent leaves those that there are.
    customer_numbers: Option<Vec<String>>,
}

/// A key account.
#[derive(Serialize, ToSchema)]
pub struct KeyAccountView {
    /// The account.
    id: KeyAccountId,
    /// What it is called.
    name: String,
    /// What whoever deals with it must know.
    note: String,
    /// Whether it counts.
    is_active: bool,
    /// Its telephone numbers, masked.
    phones: Vec<String>,
    /// Its customer numbers, masked.
    customer_numbers: Vec<String>,
    /// When it was entered.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
    /// Grows with every change.
    version: u64,
}

/// Key accounts, newest first.
#[derive(Serialize, ToSchema)]
pub struct KeyAccountList {
    /// The accounts.
    items: Vec<KeyAccountView>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// Which key accounts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct KeyAccountQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// How many at most; 500 is the most.
    limit: Option<u32>,
}

fn view(seen: KeyAccountSeen) -> KeyAccountView {
    let masked = |kind: IdentifierKind| {
        let of_kind = seen.identifiers.iter().filter(|identifier| identifier.kind == kind);
        of_kind.map(|identifier| identifier.masked.clone()).collect()
    };
    KeyAccountView {
        phones: masked(IdentifierKind::Phone),
        customer_numbers: masked(IdentifierKind::CustomerNumber),
        id: seen.account.id,
        name: seen.account.name,
        note: seen.account.note,
        is_active: seen.account.is_active,
        created_at: seen.account.created_at,
        updated_at: seen.account.updated_at,
        version: seen.account.version,
    }
}

fn draft(body: KeyAccountBody) -> KeyAccountDraft {
    KeyAccountDraft {
        name: body.name,
        note: body.note.unwrap_or_default(),
        is_active: body.is_active.unwrap_or(true),
        phones: body.phones,
        customer_numbers: body.customer_numbers,
    }
}

/// Key accounts, newest first.
#[utoipa::path(get, path = "/v1/key-accounts", tag = "key accounts", params(KeyAccountQuery), responses((status = 200, body = KeyAccountList)))]
async fn key_account_list(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<KeyAccountQuery>,
) -> AppResult<HttpResponse> {
    let query = query.into_inner();
    let page = page_of(&PageQuery { after: query.after, limit: query.limit })?;
    let items = blocking(move || app.key_account_list(&caller, page)).await?;
    let next = page_next(&page, items.iter().map(|item| (item.account.created_at, item.account.id)));
    Ok(HttpResponse::Ok().json(KeyAccountList { items: items.into_iter().map(view).collect(), next }))
}

/// Enter a key account.
#[utoipa::path(post, path = "/v1/key-accounts", tag = "key accounts", request_body = KeyAccountBody, responses(
    (status = 201, body = KeyAccountView),
    (status = 409, description = "Another account is known by one of the numbers", body = Problem),
    (status = 422, body = Problem),
))]
async fn key_account_create(
    app: web::Data<App>,
    caller: Caller,
    body: web::Json<KeyAccountBody>,
) -> AppResult<HttpResponse> {
    let draft = draft(body.into_inner());
    let seen = blocking(move || app.key_account_create(&caller, &draft)).await?;
    let location = format!("/v1/key-accounts/{}", seen.account.id);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view(seen)))
}

/// A key account.
#[utoipa::path(get, path = "/v1/key-accounts/{id}", tag = "key accounts", params(("id" = KeyAccountId, Path)), responses(
    (status = 200, body = KeyAccountView),
    (status = 404, body = Problem),
))]
async fn key_account_show(app: web::Data<App>, caller: Caller, id: web::Path<KeyAccountId>) -> AppResult<HttpResponse> {
    let seen = blocking(move || app.key_account_show(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}

/// Change a key account.
#[utoipa::path(put, path = "/v1/key-accounts/{id}", tag = "key accounts", params(("id" = KeyAccountId, Path)), request_body = KeyAccountBody, responses(
    (status = 200, body = KeyAccountView),
    (status = 404, body = Problem),
    (status = 409, description = "Another account is known by one of the numbers", body = Problem),
    (status = 422, body = Problem),
))]
async fn key_account_change(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<KeyAccountId>,
    body: web::Json<KeyAccountBody>,
) -> AppResult<HttpResponse> {
    let draft = draft(body.into_inner());
    let seen = blocking(move || app.key_account_change(&caller, *id, &draft)).await?;
    Ok(HttpResponse::Ok().json(view(seen)))
}
