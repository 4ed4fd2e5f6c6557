//! Intake: how a new complaint relates to the customer's earlier ones (R-INTAKE-3, R-INTAKE-4, R-INTAKE-6, R-INTAKE-9).
//!
//! [`App::intake_decide`] only reads and asks the rules; [`App::intake_apply`](super::intake_effects) does what they say. What does not
//! belong here: the rules (`workflow::complaints`), taking the complaint itself down (`complaints`).

use super::App;
use super::error::{AppError, AppResult};
use crate::jobs::{INTAKE_BACKFILL, INTAKE_BACKFILL_SUBJECT};
use crate::workflow::clocks::{ClockKind, ClockStanding};
use crate::workflow::complaints::{
    ComplaintHandling, ComplaintRelation, IncomingComplaint, IntakeDecision, IntakePolicy, PastComplaint, PastStanding,
    complaint_handling,
};
use crate::workflow::intakes::{RelationReason, customer_number_normalised, phone_normalised, relation_reasons};
use crate::workflow::replies::ReplyKind;
use crate::workflow::revisits::{FalseReturnPolicy, RevisitPolicy};
use callout_storage::Tx;
use callout_storage::complaints::{Complaint, ComplaintClass, ComplaintState};
use callout_storage::intakes::Intake;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::{ComplaintId, KeyAccountId, UserId, WorkOrderId};
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::Urgency;
use serde_json::json;

/// How many of a customer's complaints are looked at; nobody's relation depends on older ones.
const MAX_PAST: u32 = 12;

/// The note that every complaint has an intake.
const BACKFILLED: &str = "intakes_backfilled";
/// How many complaints get their intake in one unit of work.
const BACKFILL_BUNDLE: u32 = 500;

/// What an agent adds to a complaint for the intake.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IntakeGiven {
    /// It tells something new of an open complaint; absent where nobody judged.
    pub adds_facts: Option<bool>,
    /// Judged sensitive (R-RETURN-5).
    pub is_sensitive: bool,
    /// It disturbs normal business (R-CLASS-1).
    pub is_disturbing: bool,
    /// How many customers complain jointly.
    pub joint_customers: u32,
    /// Digest of the operator's own number of the customer.
    pub customer_number_digest: Option<[u8; 32]>,
}

/// A past complaint with what the executor needs to act on it.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// As the rules see it.
    pub past: PastComplaint,
    /// The complaint whose order deals with it: mostly itself.
    pub lead: Complaint,
    /// That order.
    pub order_id: Option<WorkOrderId>,
    /// Who took the lead, and stays answerable (R-INTAKE-6).
    pub first_contact_id: UserId,
    /// The beginning of its chain.
    pub first_id: ComplaintId,
}

/// What was decided, and about which past complaint.
pub(crate) struct Decided {
    pub(super) incoming: IncomingComplaint,
    pub(super) decision: IntakeDecision,
    pub(super) related: Option<Past>,
    pub(super) reasons: Vec<RelationReason>,
    pub(super) key_account_id: Option<KeyAccountId>,
}

/// Where the case stands under which a complaint is dealt with: what the customer is told (R-INTAKE-3).
#[derive(Clone, Debug)]
pub struct IntakeProgress {
    /// The complaint that has the order.
    pub complaint: Complaint,
    /// The order, once there is one.
    pub order: Option<WorkOrder>,
}

/// The digest under which a telephone number is looked up. It is an index, not a secret: whoever has the table can try all numbers.
pub(crate) fn phone_digest(phone: &str) -> [u8; 32] {
    blake3::derive_key("callout 2026-11 customer telephone number", phone_normalised(phone).as_bytes())
}

/// The digest under which the operator's own number of a customer is looked up.
pub(crate) fn customer_number_digest(number: &str) -> [u8; 32] {
    blake3::derive_key("callout 2026-11 customer number", customer_number_normalised(number).as_bytes())
}

fn word<T: std::str::FromStr>(text: &str) -> AppResult<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(AppError::internal)
}

impl App {
    /// The policy of intake; the window of a false return is the one by which orders reopen.
    pub(crate) fn intake_policy(&self, tx: &mut Tx, complaint: &Complaint) -> AppResult<IntakePolicy> {
        let mut policy: IntakePolicy = self.policy(tx, complaint.region_id)?;
        policy.false_return_days = self.policy::<FalseReturnPolicy>(tx, complaint.region_id)?.window_days;
        Ok(policy)
    }

    /// When the limit of a case ends: that of its handling, or of its tracking ticket; absent while no such clock runs, for instance
    /// before it is classified or while it waits for the customer (R-LIMIT-1).
    fn case_due_at(&self, tx: &mut Tx, lead: ComplaintId) -> AppResult<Option<Timestamp>> {
        let limits = [ClockKind::Handling.as_str(), ClockKind::Tracking.as_str()];
        let clocks = tx.clock_list_by_complaint(lead)?;
        let running = clocks.iter().filter(|clock| clock.standing == ClockStanding::Running.as_str());
        Ok(running.filter(|clock| limits.contains(&clock.kind.as_str())).map(|clock| clock.due_at).max())
    }

    /// When an order was returned as resolved last.
    pub(super) fn resolved_at(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<Option<Timestamp>> {
        let replies = tx.reply_list_by_work_order(order.id)?;
        let last = replies.iter().rev().find(|reply| reply.kind == ReplyKind::FinalResolved.as_str());
        Ok(last.map(|reply| reply.created_at))
    }

    /// What the customer said of the case at the last revisit: satisfied or not; absent if never asked.
    fn was_satisfied(&self, tx: &mut Tx, order: &WorkOrder) -> AppResult<Option<bool>> {
        let low_score = i16::from(self.policy::<RevisitPolicy>(tx, order.region_id)?.low_score);
        let revisits = tx.revisit_list_by_work_order(order.id)?;
        let last = revisits.iter().rev().find(|revisit| revisit.answered_at.is_some());
        Ok(last.map(|revisit| revisit.solved == Some(true) && revisit.score.is_some_and(|score| score > low_score)))
    }

    fn standing_of(&self, tx: &mut Tx, lead: &Complaint, order: Option<&WorkOrder>) -> AppResult<PastStanding> {
        let closed =
            |closed_at, was_resolved, was_satisfied| PastStanding::Closed { closed_at, was_resolved, was_satisfied };
        Ok(match (lead.state, order) {
            (
                ComplaintState::Received
                | ComplaintState::InProgress
                | ComplaintState::Linked
                | ComplaintState::Contested,
                _,
            ) => PastStanding::Open { due_at: self.case_due_at(tx, lead.id)? },
            (ComplaintState::Resolved, Some(order)) => {
                let closed_at = self.resolved_at(tx, order)?.unwrap_or(lead.updated_at);
                closed(closed_at, true, self.was_satisfied(tx, order)?)
            }
            (ComplaintState::Unresolved, Some(order)) => {
                match tx.tracking_ticket_by_work_order(order.id)?.and_then(|ticket| ticket.closed_at) {
                    Some(closed_at) => closed(closed_at, true, self.was_satisfied(tx, order)?),
                    None => PastStanding::Open { due_at: self.case_due_at(tx, lead.id)? },
                }
            }
            (
                ComplaintState::Answered
                | ComplaintState::Withdrawn
                | ComplaintState::Refused
                | ComplaintState::Resolved
                | ComplaintState::Unresolved,
                _,
            ) => closed(lead.updated_at, false, None),
        })
    }

    pub(super) fn past_of(&self, tx: &mut Tx, intake: &Intake, customer_key: &str) -> AppResult<Option<Past>> {
        let lead_id = intake.handled_under_id.unwrap_or(intake.complaint_id);
        let Some(lead) = tx.complaint_by_id(lead_id)? else { return Ok(None) };
        let order = tx.work_order_by_complaint(lead_id)?;
        let first_contact_id = if lead_id == intake.complaint_id {
            intake.first_contact_id
        } else {
            tx.intake_by_complaint(lead_id)?.map_or(intake.first_contact_id, |intake| intake.first_contact_id)
        };
        Ok(Some(Past {
            past: PastComplaint {
                id: intake.complaint_id,
                customer_key: customer_key.to_owned(),
                symptom: intake.symptom,
                position: intake.position(),
                received_at: intake.received_at,
                channel: word(intake.channel.as_str())?,
                standing: self.standing_of(tx, &lead, order.as_ref())?,
            },
            lead,
            order_id: order.map(|order| order.id),
            first_contact_id,
            first_id: intake.first_id.unwrap_or(intake.complaint_id),
        }))
    }

    /// What is decided about a new complaint; nothing is written.
    pub(crate) fn intake_decide(&self, tx: &mut Tx, complaint: &Complaint, given: &IntakeGiven) -> AppResult<Decided> {
        let digest = phone_digest(&complaint.customer_phone);
        let digests: Vec<[u8; 32]> = std::iter::once(digest).chain(given.customer_number_digest).collect();
        let key_account_id = tx.key_account_by_digests(&digests)?.map(|account| account.id);
        let mut incoming = self.incoming_of(complaint, key_account_id.is_some(), given.is_sensitive)?;
        incoming.adds_facts = given.adds_facts;
        let mut pasts = Vec::new();
        for intake in tx.intake_list_by_customer(&digest, MAX_PAST)? {
            pasts.extend(self.past_of(tx, &intake, &incoming.customer_key)?);
        }
        let policy = self.intake_policy(tx, complaint)?;
        let candidates: Vec<PastComplaint> = pasts.iter().map(|past| past.past.clone()).collect();
        let decision = complaint_handling(&incoming, &candidates, &policy);
        let related = decision.relation.of().and_then(|of| pasts.into_iter().find(|past| past.past.id == of));
        let reasons = relation_reasons(
            &incoming,
            related.as_ref().map(|related| &related.past),
            decision.relation,
            decision.is_false_return,
        );
        Ok(Decided { incoming, decision, related, reasons, key_account_id })
    }

    pub(super) fn incoming_of(
        &self,
        complaint: &Complaint,
        is_key_account: bool,
        is_sensitive: bool,
    ) -> AppResult<IncomingComplaint> {
        // The class is T1's to say, later; until then a complaint with a symptom of the network is taken for one of the network.
        let class = complaint.class.unwrap_or(ComplaintClass::Network);
        Ok(IncomingComplaint {
            received_at: complaint.received_at,
            channel: word(complaint.channel.as_str())?,
            class: word(class.as_str())?,
            customer_key: phone_normalised(&complaint.customer_phone),
            symptom: complaint.symptom,
            position: complaint.position(),
            adds_facts: None,
            is_key_account,
            is_sensitive,
        })
    }

    /// The row that keeps what was decided.
    pub(crate) fn intake_new(
        &self,
        first_contact_id: UserId,
        complaint: &Complaint,
        given: &IntakeGiven,
        decided: &Decided,
    ) -> Intake {
        let stays_first = decided.related.as_ref().filter(|related| {
            matches!(related.past.standing, PastStanding::Open { .. }) || decided.decision.is_false_return
        });
        let mut intake = Intake {
            complaint_id: complaint.id,
            // Whoever took the case first stays answerable for it until it ends (R-INTAKE-6).
            first_contact_id: stays_first.map_or(first_contact_id, |related| related.first_contact_id),
            customer_digest: phone_digest(&complaint.customer_phone),
            key_account_id: decided.key_account_id,
            is_sensitive: given.is_sensitive,
            is_disturbing: given.is_disturbing,
            joint_customers: given.joint_customers.max(1),
            symptom: complaint.symptom,
            channel: complaint.channel,
            received_at: complaint.received_at,
            latitude_e6: None,
            longitude_e6: None,
            grid_cell: None,
            relation: String::new(),
            related_id: None,
            first_id: None,
            handled_under_id: None,
            handling: String::new(),
            urgency: Urgency::Normal,
            reasons: Vec::new(),
            is_false_return: false,
            decided_by: None,
            decided_at: None,
            decision_reason: None,
            version: 1,
        };
        intake.place(complaint.latitude_e6, complaint.longitude_e6);
        intake_note(&mut intake, decided);
        intake
    }

    /// Where the case stands under which a complaint is dealt with.
    pub(crate) fn intake_progress(&self, tx: &mut Tx, intake: Option<&Intake>) -> AppResult<Option<IntakeProgress>> {
        let Some(lead_id) = intake.and_then(|intake| intake.handled_under_id) else { return Ok(None) };
        let Some(complaint) = tx.complaint_by_id(lead_id)? else { return Ok(None) };
        Ok(Some(IntakeProgress { order: tx.work_order_by_complaint(lead_id)?, complaint }))
    }

    /// Complaints from before intakes were kept get theirs by a job, once; a note says when none is left.
    pub(crate) fn intake_backfill_prepare(&self, tx: &mut Tx) -> AppResult<()> {
        if tx.server_meta_by_key(BACKFILLED)?.is_some() {
            return Ok(());
        }
        let jobs = tx.job_list_by_subject(INTAKE_BACKFILL_SUBJECT)?;
        if jobs.iter().any(|job| job.finished_at.is_none()) {
            return Ok(());
        }
        self.job_enqueue(tx, INTAKE_BACKFILL, INTAKE_BACKFILL_SUBJECT, self.env.now(), serde_json::Value::Null)
    }

    /// Gives an intake to complaints that have none, a bundle at a time. They count as new ones: what they were to each other is not
    /// judged afterwards, but later complaints find them.
    pub(crate) fn intake_backfill(&self) -> AppResult<()> {
        loop {
            let left = self.storage.write("intake_backfill", |tx| {
                let complaints = tx.complaint_list_without_intake(BACKFILL_BUNDLE)?;
                for complaint in &complaints {
                    let decided = Decided {
                        incoming: self.incoming_of(complaint, false, false)?,
                        decision: IntakeDecision {
                            relation: ComplaintRelation::New,
                            handling: ComplaintHandling::WorkOrder,
                            urgency: Urgency::Normal,
                            linked_to: None,
                            is_false_return: false,
                            answer_by: word(complaint.channel.as_str())?,
                            needs_coordination: false,
                        },
                        related: None,
                        reasons: Vec::new(),
                        key_account_id: None,
                    };
                    let intake = self.intake_new(complaint.source_id, complaint, &IntakeGiven::default(), &decided);
                    tx.intake_insert(&intake)?;
                }
                if complaints.is_empty() {
                    tx.server_meta_put(BACKFILLED, "yes")?;
                }
                Ok::<_, AppError>(complaints.len())
            })?;
            if left == 0 {
                return Ok(());
            }
        }
    }
}

/// Writes down what was decided.
pub(super) fn intake_note(intake: &mut Intake, decided: &Decided) {
    let decision = &decided.decision;
    intake.relation = decision.relation.kind().as_str().into();
    intake.related_id = decision.relation.of();
    intake.first_id = decided.related.as_ref().map(|related| related.first_id);
    intake.handling = decision.handling.as_str().into();
    intake.urgency = intake.urgency.max(decision.urgency);
    intake.reasons = decided.reasons.iter().map(|reason| reason.as_str().to_owned()).collect();
    intake.is_false_return |= decision.is_false_return;
}

impl Decided {
    /// What the trail says of it; nothing personal.
    pub(crate) fn detail(&self) -> serde_json::Value {
        json!({
            "relation": self.decision.relation.kind(),
            "related_id": self.decision.relation.of(),
            "handling": self.decision.handling,
            "reasons": self.reasons,
            "urgency": self.decision.urgency,
            "is_false_return": self.decision.is_false_return,
            "key_account_id": self.key_account_id,
        })
    }
}
