//! The tester's part of the workflow: one pure function that phone and server both ask.
//!
//! The phone asks it offline and shows the outcome at once; the server asks it again with authority. What the phone allows,
//! the server accepts, unless the world changed meanwhile. What does not belong here: the desks' part (server, `workflow`).

use crate::commands::{CommandBody, ContactOutcome};
use crate::ids::FieldTestId;
use crate::operators::Operator;
use crate::photos::PhotoPurpose;
use crate::problem::{ProblemType, Rejection};
use crate::time::Timestamp;
use crate::work_orders::WorkOrderState;

/// What the judge must know of the world beside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFacts {
    /// The order is assigned to whoever sends the command.
    pub is_assignee: bool,
    /// When the tester did it, by the phone's clock.
    pub captured_at: Timestamp,
    /// Minutes that the site's local time is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// The customer's answer about photos, if asked.
    pub photo_consent: Option<bool>,
    /// The order's current test, once begun.
    pub field_test_id: Option<FieldTestId>,
    /// That test's findings are on record.
    pub has_findings: bool,
    /// When nobody is to be contacted.
    pub rest_hours: RestHours,
}

/// Local hours in which customers are left in peace (R-CONTACT-1), as minutes of the day; each pair is from (inclusive)
/// until (exclusive) and may pass midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestHours(pub Vec<(u16, u16)>);

impl Default for RestHours {
    /// 12:00–14:30 and 21:00–08:30.
    fn default() -> Self {
        Self(vec![(12 * 60, 14 * 60 + 30), (21 * 60, 8 * 60 + 30)])
    }
}

impl RestHours {
    /// Whether `at` lies in them, in a place that is `utc_offset_minutes` ahead of UTC.
    pub fn contains(&self, at: Timestamp, utc_offset_minutes: i16) -> bool {
        let local_minutes = at.unix_micros().div_euclid(60_000_000) + i64::from(utc_offset_minutes);
        let minute_of_day = local_minutes.rem_euclid(24 * 60) as u16;
        self.0.iter().any(|&(from, until)| {
            if from <= until {
                (from..until).contains(&minute_of_day)
            } else {
                minute_of_day >= from || minute_of_day < until
            }
        })
    }
}

/// What an accepted command does. Whoever asked performs it; nothing is performed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTransition {
    /// The state afterwards; may be the same.
    pub state: WorkOrderState,
    /// What else changes.
    pub effects: Vec<FieldEffect>,
}

/// One thing that changes beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldEffect {
    /// The tester gives the order back to T1. A test begun is no longer the order's current one (the next tester begins another);
    /// what it captured is kept.
    Unassign,
    /// The command's appointment stands.
    AppointmentSet,
    /// The customer was contacted in the hours of rest, with a reason (R-CONTACT-1).
    EmergencyContactRecorded,
    /// The command's position is the arrival (R-VISIT-1).
    ArrivalRecorded,
    /// The customer's answer about photos is on record.
    PhotoConsentSet(bool),
    /// The command's test is the order's current one.
    TestBegun,
    /// The command's findings replace the test's.
    FindingsReplaced,
    /// The command's photo belongs to the test.
    PhotoAdded,
    /// The test waits for review, with what the command cites.
    TestHandedIn,
}

// The states in which no tester has the order; each match names the others one by one, so that a new state needs an answer.
macro_rules! outside_field {
    () => {
        WorkOrderState::Received
            | WorkOrderState::Located
            | WorkOrderState::Approved
            | WorkOrderState::HandedOver
            | WorkOrderState::HandoffAnswered
            | WorkOrderState::AwaitingRevisit
            | WorkOrderState::Unresolved
            | WorkOrderState::Resolved
            | WorkOrderState::Withdrawn
    };
}

fn refuse<T>(problem: ProblemType, detail: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection::new(problem, detail))
}

fn illegal<T>(state: WorkOrderState, body: &CommandBody) -> Result<T, Rejection> {
    refuse(ProblemType::IllegalTransition, format!("'{}' is not possible while the order is '{state}'", body.kind()))
}

/// Judges a command: R-CONTACT-1, R-VISIT-1, R-VISIT-2, R-TEST-1, R-TEST-2, R-TEST-5.
///
/// # Errors
/// A [`Rejection`] that says what is missing or in the way. Nothing has changed then.
pub fn field_transition(
    state: WorkOrderState,
    body: &CommandBody,
    facts: &FieldFacts,
) -> Result<FieldTransition, Rejection> {
    use FieldEffect as E;
    use WorkOrderState as S;
    if !facts.is_assignee {
        return refuse(ProblemType::NotAssigned, "the order is with somebody else now; what you captured is kept");
    }
    let to = |state, effects| Ok(FieldTransition { state, effects });
    // The working states: between taking the order and handing the test in.
    let is_working = match state {
        S::Accepted | S::Contacted | S::OnSite | S::SentBack => true,
        S::Received
        | S::Located
        | S::Dispatched
        | S::Submitted
        | S::Approved
        | S::HandedOver
        | S::HandoffAnswered
        | S::AwaitingRevisit
        | S::Unresolved
        | S::Resolved
        | S::Withdrawn => false,
    };
    match body {
        CommandBody::Accept {} => match state {
            S::Dispatched => to(S::Accepted, vec![]),
            S::Accepted | S::Contacted | S::OnSite | S::Submitted | S::SentBack | outside_field!() => {
                illegal(state, body)
            }
        },
        CommandBody::Decline { .. } => match state {
            S::Dispatched | S::Accepted => to(S::Located, vec![E::Unassign]),
            S::Contacted | S::OnSite | S::Submitted | S::SentBack | outside_field!() => illegal(state, body),
        },
        CommandBody::Contact { outcome, appointment, emergency_reason, .. } => {
            if !is_working {
                return illegal(state, body);
            }
            let mut effects = Vec::new();
            if facts.rest_hours.contains(facts.captured_at, facts.utc_offset_minutes) {
                if emergency_reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
                    return refuse(
                        ProblemType::CustomerRestHours,
                        "emergency_reason: required for a contact in the customer's hours of rest (R-CONTACT-1)",
                    );
                }
                effects.push(E::EmergencyContactRecorded);
            }
            match (outcome, appointment) {
                (ContactOutcome::Reached, None) => {
                    refuse(ProblemType::InvalidField, "appointment: required when the customer was reached")
                }
                (ContactOutcome::Reached, Some(_)) => {
                    effects.push(E::AppointmentSet);
                    to(if state == S::Accepted { S::Contacted } else { state }, effects)
                }
                (ContactOutcome::NoAnswer | ContactOutcome::VisitRefused, Some(_)) => {
                    refuse(ProblemType::InvalidField, "appointment: only when the customer was reached")
                }
                (ContactOutcome::NoAnswer | ContactOutcome::VisitRefused, None) => to(state, effects),
            }
        }
        CommandBody::Arrive { .. } => match state {
            S::Contacted | S::OnSite => to(S::OnSite, vec![E::ArrivalRecorded]),
            S::SentBack => to(S::SentBack, vec![E::ArrivalRecorded]),
            S::Dispatched | S::Accepted | S::Submitted | outside_field!() => illegal(state, body),
        },
        CommandBody::PhotoConsent { granted } => {
            if !is_working {
                return illegal(state, body);
            }
            to(state, vec![E::PhotoConsentSet(*granted)])
        }
        CommandBody::TestBegin { field_test_id } => {
            // Measuring the street needs no customer, so a test may begin before the arrival at the door.
            if !is_working {
                return illegal(state, body);
            }
            match facts.field_test_id {
                None => to(state, vec![E::TestBegun]),
                Some(current) if current == *field_test_id => to(state, vec![]),
                Some(_) => refuse(
                    ProblemType::IllegalTransition,
                    "field_test_id: the order has a test already; samples are added to that one",
                ),
            }
        }
        CommandBody::FindingsRecord { field_test_id, .. } => {
            current_test(state, body, is_working, facts, *field_test_id)?;
            to(state, vec![E::FindingsReplaced])
        }
        CommandBody::PhotoAttach { manifest } => {
            current_test(state, body, is_working, facts, manifest.field_test_id)?;
            photo_consent(manifest.purpose, facts.photo_consent)?;
            to(state, vec![E::PhotoAdded])
        }
        CommandBody::TestSubmit { field_test_id, blocks, missing_operators, .. } => {
            match state {
                S::OnSite | S::SentBack => {}
                S::Dispatched | S::Accepted | S::Contacted | S::Submitted | outside_field!() => {
                    return illegal(state, body);
                }
            }
            current_test(state, body, is_working, facts, *field_test_id)?;
            for operator in Operator::REQUIRED {
                let tested = blocks.iter().any(|b| b.operator == operator && b.sample_count > 0);
                let excused = missing_operators.iter().any(|m| m.operator == operator);
                if !tested && !excused {
                    return refuse(
                        ProblemType::OperatorMissing,
                        format!("missing_operators: say why {operator} was not tested (R-TEST-1)"),
                    );
                }
            }
            if !facts.has_findings {
                return refuse(
                    ProblemType::FindingsMissing,
                    "findings: record them before handing the test in (R-TEST-2)",
                );
            }
            to(S::Submitted, vec![E::TestHandedIn])
        }
    }
}

/// R-VISIT-2: the customer's rooms only after a yes, the customer's place not after a no. A phone's screen and a site on the
/// street are not the customer's.
fn photo_consent(purpose: PhotoPurpose, consent: Option<bool>) -> Result<(), Rejection> {
    match (purpose, consent) {
        (PhotoPurpose::Indoors, Some(true))
        | (PhotoPurpose::Surroundings, Some(true) | None)
        | (PhotoPurpose::Screen | PhotoPurpose::Site, _) => Ok(()),
        (PhotoPurpose::Indoors, Some(false) | None) => refuse(
            ProblemType::ConsentMissing,
            "purpose: photos indoors need the customer's recorded consent (R-VISIT-2)",
        ),
        (PhotoPurpose::Surroundings, Some(false)) => {
            refuse(ProblemType::ConsentMissing, "purpose: the customer refused photos of the place (R-VISIT-2)")
        }
    }
}

fn current_test(
    state: WorkOrderState,
    body: &CommandBody,
    is_working: bool,
    facts: &FieldFacts,
    field_test_id: FieldTestId,
) -> Result<(), Rejection> {
    if !is_working {
        return illegal(state, body);
    }
    if facts.field_test_id != Some(field_test_id) {
        return refuse(ProblemType::IllegalTransition, "field_test_id: not the order's current test");
    }
    Ok(())
}
