//! Visits: the desk's appointments, when the customer may be contacted, and arrivals compared with what was agreed (R-CONTACT-1,
//! R-CONTACT-2, R-VISIT-1).
//!
//! What does not belong here: the tester's own appointments and arrivals as commands (`sync`).

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::work_orders::WorkOrderSeen;
use crate::workflow::appointments::ArrivalVerdict;
use crate::workflow::contacts::{ContactPolicy, contact_check};
use crate::workflow::work_orders::WorkOrderCommand;
use callout_storage::Tx;
use callout_storage::arrivals::Arrival;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::contact_words::ContactWords;
use callout_sync_protocol::ids::{RegionId, UserId, WorkOrderId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::TimeWindow;
use serde_json::json;

impl App {
    /// Whether an order's customer may be contacted now, by the local time of the place; `true` when it is an emergency, whose reason
    /// the caller puts on record (R-CONTACT-1).
    ///
    /// # Errors
    /// `customer-rest-hours` in the hours of rest without a reason.
    pub fn contact_allowed(&self, tx: &mut Tx, order: &WorkOrder, emergency_reason: Option<&str>) -> AppResult<bool> {
        let policy: ContactPolicy = self.policy(tx, order.region_id)?;
        Ok(contact_check(&policy, self.env.now(), order.utc_offset_minutes, emergency_reason)?)
    }

    /// Agrees on a visit with the customer (R-VISIT-1).
    ///
    /// # Errors
    /// `customer-rest-hours` (R-CONTACT-1), `illegal-transition`, `invalid-field` for a window that is too long, too short, or over.
    pub fn appointment_set(
        &self,
        caller: &Caller,
        id: WorkOrderId,
        window: TimeWindow,
        emergency_reason: Option<&str>,
    ) -> AppResult<WorkOrderSeen> {
        self.storage.write("appointment_set", |tx| {
            let mut order = self.work_order_for(tx, caller, id)?;
            let is_emergency = self.contact_allowed(tx, &order, emergency_reason)?;
            let facts = self.work_order_facts(tx, &order)?;
            let reason = emergency_reason.filter(|_| is_emergency).map(str::trim);
            let detail = json!({ "appointment": window, "is_emergency": is_emergency, "reason": reason });
            let command = WorkOrderCommand::SetAppointment(window);
            self.work_order_command(tx, Some(caller), &mut order, &command, &facts, detail)?;
            self.work_order_seen(tx, caller, order)
        })
    }

    /// Puts an arrival on record, with what was agreed at that time.
    #[allow(clippy::too_many_arguments, reason = "an arrival is exactly these facts")]
    pub(crate) fn arrival_record(
        &self,
        tx: &mut Tx,
        order: &WorkOrder,
        tester: UserId,
        position: Position,
        verdict: &ArrivalVerdict,
        captured_at: Timestamp,
    ) -> AppResult<()> {
        tx.arrival_insert(&Arrival {
            id: self.env.id(),
            work_order_id: order.id,
            tester_id: tester,
            latitude_e6: position.latitude_e6,
            longitude_e6: position.longitude_e6,
            accuracy_m: position.accuracy_m.map(i32::from),
            is_mock: position.is_mock,
            punctuality: verdict.punctuality.as_str().into(),
            minutes_after_start: verdict.minutes_after_start,
            // Half the Earth's circumference in metres fits.
            distance_m: verdict.distance_m.map(|metres| metres.round() as i32),
            is_at_place: verdict.at_place,
            appointment_from: order.appointment_from,
            appointment_until: order.appointment_until,
            captured_at,
            received_at: self.env.now(),
        })?;
        Ok(())
    }

    /// An order's arrivals, oldest first.
    pub fn arrival_list(&self, caller: &Caller, id: WorkOrderId) -> AppResult<Vec<Arrival>> {
        self.storage.read("arrival_list", |tx| {
            self.work_order_visible(tx, caller, id)?;
            Ok(tx.arrival_list_by_work_orders(&[id])?)
        })
    }

    /// The words to begin and end a talk with a customer of a region of the caller's (R-CONTACT-2).
    ///
    /// # Errors
    /// `not-found` for another region.
    pub fn contact_words(&self, caller: &Caller, region_id: Option<RegionId>) -> AppResult<ContactWords> {
        self.storage.read("contact_words", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            if region_id.is_some_and(|region_id| !scope.contains(Some(region_id))) {
                return Err(AppError::not_found("region"));
            }
            self.policy(tx, region_id)
        })
    }
}
