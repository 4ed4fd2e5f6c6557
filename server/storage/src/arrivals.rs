//! Testers' arrivals, compared with appointment and place when they were told (R-VISIT-1).

use crate::connection::Tx;
use crate::error::StorageError;
use crate::names::MAX_PAGE;
use crate::schema::arrivals;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ArrivalId, UserId, WorkOrderId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;

/// A tester's arrival, stamped by GPS and compared with the appointment and the place (R-VISIT-1). Immutable.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Arrival {
    /// Its id.
    pub id: ArrivalId,
    /// The order.
    pub work_order_id: WorkOrderId,
    /// Who arrived.
    pub tester_id: UserId,
    /// Where the phone was, in 1e-6 degrees.
    pub latitude_e6: i32,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: i32,
    /// The fix's accuracy in metres.
    pub accuracy_m: Option<i32>,
    /// The platform called the position mocked.
    pub is_mock: bool,
    /// How punctual, in the word of the rules (`early` …).
    pub punctuality: String,
    /// Minutes after the beginning of the appointment, negative before it.
    pub minutes_after_start: Option<i64>,
    /// Metres from the complaint's place.
    pub distance_m: Option<i32>,
    /// Whether that counts as being there.
    pub is_at_place: Option<bool>,
    /// The appointment that stood then.
    pub appointment_from: Option<Timestamp>,
    /// Its end.
    pub appointment_until: Option<Timestamp>,
    /// When, by the phone's clock.
    pub captured_at: Timestamp,
    /// When it was told, by the server's clock.
    pub received_at: Timestamp,
}

impl Arrival {
    /// Where the phone was.
    pub fn position(&self) -> Position {
        Position {
            latitude_e6: self.latitude_e6,
            longitude_e6: self.longitude_e6,
            accuracy_m: self.accuracy_m.and_then(|metres| u16::try_from(metres).ok()),
            is_mock: self.is_mock,
        }
    }
}

impl Tx {
    /// Records an arrival.
    pub fn arrival_insert(&mut self, arrival: &Arrival) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(arrivals::table)
                .values(row_values!(
                    arrivals,
                    arrival,
                    id,
                    work_order_id,
                    tester_id,
                    latitude_e6,
                    longitude_e6,
                    accuracy_m,
                    is_mock,
                    punctuality,
                    minutes_after_start,
                    distance_m,
                    is_at_place,
                    appointment_from,
                    appointment_until,
                    captured_at,
                    received_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// The arrivals for these orders (at most 500 orders), oldest first.
    pub fn arrival_list_by_work_orders(&mut self, ids: &[WorkOrderId]) -> Result<Vec<Arrival>, StorageError> {
        self.run(|c| {
            arrivals::table
                .filter(arrivals::work_order_id.eq_any(ids.iter().take(MAX_PAGE as usize).map(bind)))
                .order((arrivals::captured_at, arrivals::id))
                .load(c)
        })
    }

    /// What these testers (at most 500) arrived at since an instant, oldest first.
    pub fn arrival_list_by_testers(&mut self, ids: &[UserId], since: Timestamp) -> Result<Vec<Arrival>, StorageError> {
        self.run(|c| {
            arrivals::table
                .filter(arrivals::tester_id.eq_any(ids.iter().take(MAX_PAGE as usize).map(bind)))
                .filter(arrivals::captured_at.ge(bind(&since)))
                .order((arrivals::captured_at, arrivals::id))
                .load(c)
        })
    }
}
