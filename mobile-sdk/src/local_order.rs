//! The order as the tester sees it: the server's view, with the tester's own commands on top that it does not show yet.
//!
//! Nothing derived is stored: the commands are replayed through the same rules (`field_workflow`) whenever an order is shown, so
//! that a rejection, or a newer view, needs no undoing. What does not belong here: writing commands (`facade`).

use crate::store::commands::{CommandStanding, OutboxCommand, command_list_of_order};
use crate::store::orders::{StoredOrder, order_get, order_list};
use crate::store::{Connection, StoreError};
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::field_workflow::{FieldEffect, FieldFacts, FieldTransition, field_transition};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState, WorkOrderView};
use serde::Serialize;

/// An order as the tester sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalOrder {
    /// The server's view with the tester's own steps applied.
    pub view: WorkOrderView,
    /// Where the server says that it stands.
    pub server_state: WorkOrderState,
    /// It is this tester's.
    pub is_in_scope: bool,
    /// Why it left; absent while in scope, and where the server did not say.
    pub left_reason: Option<LeftReason>,
    /// When the phone learned that it left.
    pub left_at: Option<Timestamp>,
    /// Findings of the current test were recorded on this phone.
    pub has_findings: bool,
    /// When the tester arrived, by a command of this phone.
    pub arrived_at: Option<Timestamp>,
    /// How many commands about it wait to be sent.
    pub waiting_commands: u64,
    /// How many commands about it the server rejected, and nobody has dealt with since.
    pub rejected_commands: u64,
}

impl LocalOrder {
    fn new(order: StoredOrder, commands: &[OutboxCommand]) -> Self {
        let mut local = Self {
            server_state: order.view.state,
            is_in_scope: order.is_in_scope,
            left_reason: order.left_reason,
            left_at: order.left_at,
            view: order.view,
            has_findings: false,
            arrived_at: None,
            waiting_commands: 0,
            rejected_commands: 0,
        };
        for OutboxCommand { command, standing, is_settled, .. } in commands {
            let is_shown_already = match standing {
                CommandStanding::Waiting => {
                    local.waiting_commands += 1;
                    false
                }
                CommandStanding::Accepted { order_version } => *order_version <= local.view.version,
                CommandStanding::Rejected { .. } => {
                    local.rejected_commands += u64::from(!is_settled);
                    continue;
                }
            };
            if is_shown_already {
                local.remember(&command.body, command.captured_at);
            } else if let Ok(transition) = local.judge(command) {
                // One that would be rejected now changes nothing; the server's answer will say so with authority.
                local.apply(command, &transition);
            }
        }
        local
    }

    /// What the view does not carry.
    fn remember(&mut self, body: &CommandBody, at: Timestamp) {
        match body {
            CommandBody::FindingsRecord { field_test_id, .. } => {
                self.has_findings |= self.view.field_test_id == Some(*field_test_id);
            }
            CommandBody::Arrive { .. } => self.arrived_at = Some(at),
            CommandBody::Accept {}
            | CommandBody::Decline { .. }
            | CommandBody::Contact { .. }
            | CommandBody::PhotoConsent { .. }
            | CommandBody::TestBegin { .. }
            | CommandBody::PhotoAttach { .. }
            | CommandBody::TestSubmit { .. } => {}
        }
    }

    /// Judges a command as the server would, by what the phone knows.
    ///
    /// # Errors
    /// The rejection that the server would give.
    pub fn judge(&self, command: &Command) -> Result<FieldTransition, Rejection> {
        let facts = FieldFacts {
            is_assignee: self.is_in_scope,
            captured_at: command.captured_at,
            utc_offset_minutes: self.view.utc_offset_minutes,
            photo_consent: self.view.photo_consent,
            field_test_id: self.view.field_test_id,
            has_findings: self.has_findings,
            rest_hours: self.view.rest_hours(),
        };
        field_transition(self.view.state, &command.body, &facts)
    }

    fn apply(&mut self, command: &Command, transition: &FieldTransition) {
        self.view.state = transition.state;
        for effect in &transition.effects {
            match (effect, &command.body) {
                (FieldEffect::AppointmentSet, CommandBody::Contact { appointment, .. }) => {
                    self.view.appointment = *appointment;
                }
                (FieldEffect::PhotoConsentSet(granted), _) => self.view.photo_consent = Some(*granted),
                (FieldEffect::TestBegun, CommandBody::TestBegin { field_test_id }) => {
                    self.view.field_test_id = Some(*field_test_id);
                }
                (
                    FieldEffect::Unassign
                    | FieldEffect::AppointmentSet
                    | FieldEffect::EmergencyContactRecorded
                    | FieldEffect::ArrivalRecorded
                    | FieldEffect::TestBegun
                    | FieldEffect::FindingsReplaced
                    | FieldEffect::PhotoAdded
                    | FieldEffect::TestHandedIn,
                    _,
                ) => {}
            }
        }
        self.remember(&command.body, command.captured_at);
    }
}

/// One order as the tester sees it.
pub fn local_order_get(connection: &Connection, id: WorkOrderId) -> Result<Option<LocalOrder>, StoreError> {
    let Some(order) = order_get(connection, id)? else { return Ok(None) };
    Ok(Some(LocalOrder::new(order, &command_list_of_order(connection, id)?)))
}

/// Every order as the tester sees it, the most urgent first, then by due time.
pub fn local_order_list(connection: &Connection) -> Result<Vec<LocalOrder>, StoreError> {
    let mut orders = order_list(connection)?
        .into_iter()
        .map(|order| {
            let commands = command_list_of_order(connection, order.view.id)?;
            Ok(LocalOrder::new(order, &commands))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    orders.sort_by_key(|order| {
        let due = order.view.due_at.map_or(i64::MAX, Timestamp::unix_micros);
        (!order.is_in_scope, std::cmp::Reverse(order.view.urgency), due, order.view.id)
    });
    Ok(orders)
}
