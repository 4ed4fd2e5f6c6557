//! Visits: a desk's appointment, arrivals compared with it, and the words for talks with customers (R-VISIT-1, R-CONTACT-1,
//! R-CONTACT-2).

use super::blocking;
use super::positions::PositionView;
use super::problem::Problem;
use super::routes::routes;
use super::work_orders::{WorkOrderBody, work_order_body};
use crate::app::App;
use crate::app::access::Caller;
use crate::app::error::AppResult;
use crate::workflow::appointments::Punctuality;
use actix_web::{HttpResponse, web};
use callout_storage::arrivals::Arrival;
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::ids::{ArrivalId, RegionId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::TimeWindow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

routes! {
    PUT "/v1/work-orders/{id}/appointment" => appointment_set: AppointmentSet;
    GET "/v1/work-orders/{id}/arrivals" => arrival_list: WorkOrderRead;
    GET "/v1/contact-words" => contact_words: OwnAccount;
}

/// The documentation of these routes.
#[derive(OpenApi)]
#[openapi(paths(appointment_set, arrival_list, contact_words))]
pub struct Api;

/// The visit agreed on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppointmentBody {
    /// Begin of the arrival window.
    from: Timestamp,
    /// Its end.
    until: Timestamp,
    /// Why the customer was contacted in the hours of rest; required then (R-CONTACT-1).
    emergency_reason: Option<String>,
}

/// An arrival, compared with what was agreed.
#[derive(Serialize, ToSchema)]
pub struct ArrivalView {
    /// The arrival.
    id: ArrivalId,
    /// Who.
    tester_id: UserId,
    /// Where the phone was.
    position: PositionView,
    /// The fix's accuracy in metres.
    accuracy_m: Option<i32>,
    /// The platform called the position mocked.
    is_mock: bool,
    /// `no_appointment`, `early`, `short_notice`, `late` or `missed`.
    punctuality: String,
    /// The same in Chinese.
    punctuality_zh: Option<&'static str>,
    /// Minutes after the beginning of the appointment, negative before it.
    minutes_after_start: Option<i64>,
    /// Metres from the complaint's place.
    distance_m: Option<i32>,
    /// Whether that counts as being there.
    is_at_place: Option<bool>,
    /// The appointment that stood then.
    appointment: Option<TimeWindow>,
    /// When, by the phone's clock.
    captured_at: Timestamp,
    /// When it was told, by the server's clock.
    received_at: Timestamp,
}

impl From<Arrival> for ArrivalView {
    fn from(arrival: Arrival) -> Self {
        let appointment = arrival.appointment_from.zip(arrival.appointment_until);
        Self {
            id: arrival.id,
            tester_id: arrival.tester_id,
            position: arrival.position().into(),
            accuracy_m: arrival.accuracy_m,
            is_mock: arrival.is_mock,
            punctuality_zh: arrival.punctuality.parse::<Punctuality>().ok().map(Punctuality::name_zh),
            punctuality: arrival.punctuality,
            minutes_after_start: arrival.minutes_after_start,
            distance_m: arrival.distance_m,
            is_at_place: arrival.is_at_place,
            appointment: appointment.map(|(from, until)| TimeWindow { from, until }),
            captured_at: arrival.captured_at,
            received_at: arrival.received_at,
        }
    }
}

/// Arrivals, oldest first.
#[derive(Serialize, ToSchema)]
pub struct ArrivalList {
    /// The arrivals.
    items: Vec<ArrivalView>,
}

/// Where the words hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ContactWordsQuery {
    /// In this region; absent: wherever a region has none of its own.
    #[param(value_type = Option<String>)]
    region_id: Option<RegionId>,
}

/// The words in one language.
#[derive(Serialize, ToSchema)]
pub struct TalkWordsView {
    /// To begin with.
    opening: String,
    /// To end with.
    closing: String,
}

/// The words in both languages.
#[derive(Serialize, ToSchema)]
pub struct ContactWordsView {
    /// In Chinese.
    zh: TalkWordsView,
    /// In English.
    en: TalkWordsView,
}

/// Agree on a visit with the customer (R-VISIT-1).
#[utoipa::path(put, path = "/v1/work-orders/{id}/appointment", tag = "work orders", params(("id" = WorkOrderId, Path)), request_body = AppointmentBody, responses(
    (status = 200, body = WorkOrderBody),
    (status = 404, body = Problem),
    (status = 409, description = "Not possible in this state, or the customer's hours of rest", body = Problem),
    (status = 422, description = "The window is over, too short or too long", body = Problem),
))]
async fn appointment_set(
    app: web::Data<App>,
    caller: Caller,
    id: web::Path<WorkOrderId>,
    body: web::Json<AppointmentBody>,
) -> AppResult<HttpResponse> {
    let body = body.into_inner();
    let window = TimeWindow { from: body.from, until: body.until };
    let seen = blocking(move || app.appointment_set(&caller, *id, window, body.emergency_reason.as_deref())).await?;
    Ok(HttpResponse::Ok().json(work_order_body(seen)))
}

/// An order's arrivals, compared with what was agreed (R-VISIT-1).
#[utoipa::path(get, path = "/v1/work-orders/{id}/arrivals", tag = "work orders", params(("id" = WorkOrderId, Path)), responses(
    (status = 200, body = ArrivalList),
    (status = 404, body = Problem),
))]
async fn arrival_list(app: web::Data<App>, caller: Caller, id: web::Path<WorkOrderId>) -> AppResult<HttpResponse> {
    let arrivals = blocking(move || app.arrival_list(&caller, *id)).await?;
    Ok(HttpResponse::Ok().json(ArrivalList { items: arrivals.into_iter().map(ArrivalView::from).collect() }))
}

/// The words to begin and end a talk with a customer (R-CONTACT-2).
#[utoipa::path(get, path = "/v1/contact-words", tag = "work orders", params(ContactWordsQuery), responses(
    (status = 200, body = ContactWordsView),
    (status = 404, body = Problem),
))]
async fn contact_words(
    app: web::Data<App>,
    caller: Caller,
    query: web::Query<ContactWordsQuery>,
) -> AppResult<HttpResponse> {
    let ContactWords { zh, en } = blocking(move || app.contact_words(&caller, query.region_id)).await?;
    Ok(HttpResponse::Ok().json(ContactWordsView {
        zh: TalkWordsView { opening: zh.opening, closing: zh.closing },
        en: TalkWordsView { opening: en.opening, closing: en.closing },
    }))
}
