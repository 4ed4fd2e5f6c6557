//! What a complaint's figures are, from what is on record of it (R-KPI-1). What does not belong here: sums (`kpis`).

use super::App;
use super::complaints::DEFAULT_UTC_OFFSET_MINUTES;
use super::error::AppResult;
use crate::workflow::replies::ReplyKind;
use callout_storage::Tx;
use callout_storage::complaints::{ComplaintClass, ComplaintState};
use callout_storage::kpi_facts::{KpiFact, KpiSource};
use callout_sync_protocol::ids::UserId;
use callout_sync_protocol::time::Timestamp;
use std::collections::HashMap;

/// The class of what nobody has classified yet.
const UNCLASSIFIED: &str = "unclassified";

/// Each person's team.
pub(super) type Teams = HashMap<UserId, String>;

impl App {
    /// The teams of all people.
    pub(super) fn kpi_teams(&self, tx: &mut Tx) -> AppResult<Teams> {
        Ok(tx.user_teams()?.into_iter().collect())
    }

    /// A complaint's fact. A team once noted (or none) stays, as long as the person does: who changes teams takes no past figures along,
    /// and counting anew finds the same.
    pub(super) fn kpi_fact(&self, source: &KpiSource, before: Option<&KpiFact>, teams: &Teams) -> KpiFact {
        let order = source.order.as_ref();
        let utc_offset_minutes = match order {
            Some(order) => order.utc_offset_minutes,
            None => source.region_offset_minutes.unwrap_or(DEFAULT_UTC_OFFSET_MINUTES),
        };
        let team = |person: Option<UserId>, noted: Option<(Option<UserId>, &String)>| match (person, noted) {
            (None, _) => String::new(),
            (Some(_), Some((same, team))) if same == person => team.clone(),
            (Some(person), _) => teams.get(&person).cloned().unwrap_or_default(),
        };
        let taken_by = Some(source.source_id);
        let tester_id = order.and_then(|order| order.visits.last().map(|visit| visit.0).or(order.assigned_to));
        let last_return = order.and_then(|order| order.revisits.last());
        let returned_by = last_return.map(|revisit| revisit.created_by);
        let closed_at = closed_at(source, before);
        let breached_at = source.handling.as_ref().and_then(|handling| handling.breached_at);
        KpiFact {
            complaint_id: source.complaint_id,
            work_order_id: order.map(|order| order.id),
            region_id: order.and_then(|order| order.region_id).or(source.region_id),
            class: source.class.map_or(UNCLASSIFIED, ComplaintClass::as_str).to_owned(),
            utc_offset_minutes,
            received_at: source.received_at,
            taken_by,
            taken_team: team(taken_by, before.map(|before| (before.taken_by, &before.taken_team))),
            responded_at: source.replies.first().map(|reply| reply.created_at).or(match source.state {
                ComplaintState::Answered | ComplaintState::Refused => closed_at,
                _ => None,
            }),
            is_repeat: source.is_repeat,
            closed_at,
            is_on_time: closed_at.zip(source.handling.as_ref()).map(|_| breached_at.is_none()),
            visit_count: order.map_or(0, |order| u32::try_from(order.visits.len()).unwrap_or(u32::MAX)),
            is_solved_at_first_visit: source.state == ComplaintState::Resolved
                && source.replies.iter().all(|reply| reply.kind != ReplyKind::FinalUnresolved.as_str())
                && order.is_some_and(|order| {
                    order.visits.len() == 1 && order.reopened_count == 0 && order.false_return_count == 0
                }),
            tester_id,
            tester_team: team(tester_id, before.map(|before| (before.tester_id, &before.tester_team))),
            return_count: order.map_or(0, |order| u32::try_from(order.revisits.len()).unwrap_or(u32::MAX)),
            false_return_count: order.map_or(0, |order| order.false_return_count),
            returned_at: last_return.map(|revisit| revisit.answered_at),
            returned_by,
            returned_team: team(returned_by, before.map(|before| (before.returned_by, &before.returned_team))),
            score: last_return.and_then(|revisit| revisit.score),
            overdue_at: breached_at,
            overdue_cause: source
                .handling
                .as_ref()
                .and_then(|handling| handling.cause.clone())
                .filter(|_| breached_at.is_some()),
            is_counted: true,
        }
    }
}

/// When its handling ended: with the final reply that stands, or with the answer where no order was needed.
fn closed_at(source: &KpiSource, before: Option<&KpiFact>) -> Option<Timestamp> {
    let last = |kind: ReplyKind| source.replies.iter().rfind(|reply| reply.kind == kind.as_str());
    match source.state {
        // Returned as unresolved, the handling has ended; that the tracking ticket solved the problem later does not prolong it.
        ComplaintState::Resolved | ComplaintState::Unresolved => {
            last(ReplyKind::FinalUnresolved).or(last(ReplyKind::FinalResolved)).map(|reply| reply.created_at)
        }
        // Noted when it was answered; what is changed afterwards (words, regions) is no other answer.
        ComplaintState::Answered | ComplaintState::Refused => {
            Some(before.and_then(|before| before.closed_at).unwrap_or(source.updated_at))
        }
        ComplaintState::Received
        | ComplaintState::InProgress
        | ComplaintState::Linked
        | ComplaintState::Contested
        | ComplaintState::Withdrawn => None,
    }
}
