//! Wake-ups as server-sent events (WHATWG HTML, section 9.2): something waits; ask for it the usual way.

use super::blocking;
use super::guard::bearer;
use super::problem::Problem;
use super::routes::routes;
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::{AppError, AppResult};
use crate::app::wake_ups::{ListenWish, WakeUp};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::sync::Cursor;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::convert::Infallible;
use utoipa::{IntoParams, OpenApi};

/// Browsers come back after so many milliseconds and up to as many again, so that they do not all come back at once.
const RETRY_MS: u64 = 5_000;

routes! {
    GET "/v1/wake-ups" => wake_ups_listen: WakeUpListen;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(wake_ups_listen))]
pub struct Api;

/// How to listen.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListenQuery {
    /// End after so many seconds; 0 tells how things stand and ends. Without it, the stream ends with the access token.
    for_seconds: Option<u32>,
}

#[derive(Serialize)]
struct FeedData {
    epoch: u64,
    number: u64,
}

#[derive(Serialize)]
struct OrdersData {
    region_ids: BTreeSet<RegionId>,
    unlocated: bool,
    everything: bool,
}

/// The id of an event of the feed: where the feed ends.
fn event_id(end: Cursor) -> String {
    format!("{}.{}", end.epoch, end.number)
}

fn event_id_read(text: &str) -> Option<Cursor> {
    let (epoch, number) = text.trim().split_once('.')?;
    Some(Cursor { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
}

fn json(data: &impl Serialize) -> String {
    // Structs of numbers, ids and booleans.
    serde_json::to_string(data).unwrap_or_default()
}

/// One event as it travels; events are named `feed`, `work-orders` and `end`.
fn render(wake_up: WakeUp) -> Bytes {
    let text = match wake_up {
        WakeUp::Feed(end) => {
            let data = FeedData { epoch: end.epoch, number: end.number };
            format!("event: feed\nid: {}\ndata: {}\n\n", event_id(end), json(&data))
        }
        WakeUp::WorkOrders(changed) => {
            let data = OrdersData {
                region_ids: changed.region_ids,
                unlocated: changed.unlocated,
                everything: changed.everything,
            };
            format!("event: work-orders\ndata: {}\n\n", json(&data))
        }
        WakeUp::Heartbeat => return Bytes::from_static(b":\n\n"),
        WakeUp::End(reason) => {
            format!("event: end\ndata: {}\n\n", json(&serde_json::json!({ "reason": reason.as_str() })))
        }
    };
    Bytes::from(text)
}

/// Tells a phone that its feed has gone on, and a desk that work orders of its regions changed.
///
/// Server-sent events. `feed` (`{"epoch", "number"}`, id `epoch.number`): the caller's own feed goes so far; sync if the cursor is
/// another. `work-orders` (`{"region_ids", "unlocated", "everything"}`): load these lists again; the first one after connecting
/// says `everything`. `end` (`{"reason"}`): `token_expired`, `session_revoked`, `replaced`, `time_over` or `server_stops`. What
/// was missed while not connected needs no repeating: connecting tells how things stand. A comment comes now and then as a
/// heartbeat.
#[utoipa::path(get, path = "/v1/wake-ups", tag = "sync",
    params(ListenQuery, ("Last-Event-ID" = Option<String>, Header, description = "The last `feed` event's id; one that is still true is not told again")),
    responses(
        (status = 200, description = "Events until the access token ends", body = String, content_type = "text/event-stream"),
        (status = 503, description = "Too many listen on this server", body = Problem),
    ))]
async fn wake_ups_listen(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<ListenQuery>,
) -> AppResult<HttpResponse> {
    let token =
        bearer(&request).ok_or_else(|| AppError::internal("the guard let a request without a token through"))?;
    let ends = app.token_expires_at(token)?;
    let last_known = request.headers().get("last-event-id").and_then(|value| event_id_read(value.to_str().ok()?));
    let wish = ListenWish { last_known, for_seconds: query.for_seconds };
    let random = u64::from_be_bytes(app.env.random());
    let listening = {
        let app = app.clone();
        blocking(move || app.wake_ups_listen(&caller, ends, wish)).await?
    };
    // Something goes out at once, so that the caller knows that it is connected.
    let hello = Bytes::from(format!("retry: {}\n\n", RETRY_MS + random % RETRY_MS));
    let events = stream::once(async move { hello }).chain(listening.map(render)).map(Ok::<_, Infallible>);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx, for one, would else gather events until there are enough of them.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::wake_ups::{EndReason, OrdersChanged};

    #[test]
    fn events_are_as_the_standard_has_them() {
        let end = Cursor { epoch: 1, number: 42 };
        assert_eq!(render(WakeUp::Feed(end)), "event: feed\nid: 1.42\ndata: {\"epoch\":1,\"number\":42}\n\n");
        assert_eq!(event_id_read(&event_id(end)), Some(end));
        for rubbish in ["", "1", "1.", ".", "a.b", "-1.2", "1.2.3"] {
            assert_eq!(event_id_read(rubbish), None, "{rubbish}");
        }
        let everything = OrdersChanged { everything: true, ..OrdersChanged::default() };
        let told = "event: work-orders\ndata: {\"region_ids\":[],\"unlocated\":false,\"everything\":true}\n\n";
        assert_eq!(render(WakeUp::WorkOrders(everything)), told);
        let told = "event: end\ndata: {\"reason\":\"token_expired\"}\n\n";
        assert_eq!(render(WakeUp::End(EndReason::TokenExpired)), told);
    }
}
