//! The weekly resource review meetings: made when a demand needs one, their agenda drawn up by a job, closed with their minutes
//! (R-LADDER-3, R-LIMIT-2).
//!
//! Who decides: quality control keeps agenda, decisions and minutes for the board. The lead files and must not decide of their own
//! demand, and T1 answers to customer service for the outcome; quality control supervises deadlines already and owns neither. What
//! does not belong here: the demands (`build_demands`).

use super::App;
use super::access::Caller;
use super::build_demands::BuildDemandSeen;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::jobs::REVIEW_AGENDA;
use crate::workflow::build_demands::{
    BuildDemandCommand, BuildDemandFacts, BuildDemandPolicy, BuildDemandState, ReviewMeetingState,
    build_demand_transition, review_meeting_close,
};
use crate::workflow::calendar::WorkCalendar;
use crate::workflow::limits::LimitPolicy;
use callout_storage::build_demands::BuildDemandDecision;
use callout_storage::review_meetings::ReviewMeeting;
use callout_storage::{Page, Tx};
use callout_sync_protocol::ids::{BuildDemandId, RegionId, ReviewMeetingId};
use callout_sync_protocol::time::Timestamp;
use serde_json::{Value, json};

/// A decision of a meeting, with its demand.
#[derive(Clone, Debug)]
pub struct DecisionSeen {
    /// What was decided.
    pub decision: BuildDemandDecision,
    /// The demand's number.
    pub number: String,
}

/// A meeting with its agenda and decisions.
#[derive(Clone, Debug)]
pub struct ReviewMeetingSeen {
    /// The meeting.
    pub meeting: ReviewMeeting,
    /// What it is to hear, or spoke the last word of, in the order of filing.
    pub demands: Vec<BuildDemandSeen>,
    /// What it decided, in the order in which it did; also of what it deferred.
    pub decisions: Vec<DecisionSeen>,
}

impl App {
    /// The region's meeting of the week after `now`, made if there is none.
    pub(super) fn review_meeting_ensure(
        &self,
        tx: &mut Tx,
        region_id: RegionId,
        utc_offset_minutes: i16,
        now: Timestamp,
    ) -> AppResult<ReviewMeeting> {
        let limits: LimitPolicy = self.policy(tx, Some(region_id))?;
        let calendar: WorkCalendar = self.policy(tx, Some(region_id))?;
        let policy: BuildDemandPolicy = self.policy(tx, Some(region_id))?;
        let starts_at = limits.review_meeting_after(now, &calendar, utc_offset_minutes);
        let meeting = ReviewMeeting {
            id: self.env.id(),
            region_id,
            state: ReviewMeetingState::Planned.as_str().to_owned(),
            starts_at,
            agenda_at: starts_at.plus_seconds(-3_600 * i64::from(policy.agenda_hours)),
            minutes: None,
            closed_by: None,
            closed_at: None,
            created_at: now,
            version: 1,
        };
        if tx.review_meeting_insert(&meeting)? {
            self.job_enqueue(tx, REVIEW_AGENDA, meeting.id, meeting.agenda_at, Value::Null)?;
        }
        let found = tx
            .review_meeting_at(region_id, starts_at)?
            .ok_or_else(|| AppError::internal("a meeting that was just made is gone"))?;
        tx.review_meeting_lock(found.id)?.ok_or_else(|| AppError::internal("a meeting is gone"))
    }

    /// Draws up a meeting's agenda of everything that was filed for it or deferred to it. Done twice, it does nothing more.
    pub(crate) fn review_agenda_draw(&self, id: ReviewMeetingId) -> AppResult<()> {
        let now = self.env.now();
        // Orders are locked before the meeting, in the order of their ids, as everywhere.
        self.storage.write("review_agenda_draw", |tx| {
            let mut waiting = tx.build_demand_list_by_meeting(id)?;
            waiting.sort_by_key(|demand| demand.work_order_id);
            for demand in &waiting {
                tx.work_order_lock(demand.work_order_id)?;
            }
            let Some(mut meeting) = tx.review_meeting_lock(id)? else { return Ok(()) };
            let state: ReviewMeetingState = meeting.state.parse().map_err(AppError::internal)?;
            if state == ReviewMeetingState::Closed {
                return Ok(());
            }
            let facts = BuildDemandFacts { now, meeting: state, meeting_starts_at: meeting.starts_at };
            let mut numbers = Vec::new();
            for waiting in waiting {
                let Some(mut demand) = tx.build_demand_lock(waiting.id)? else { continue };
                let before: BuildDemandState = demand.state.parse().map_err(AppError::internal)?;
                if demand.review_meeting_id != id || before == BuildDemandState::OnAgenda || !before.is_open() {
                    continue;
                }
                let after = build_demand_transition(before, &BuildDemandCommand::PutOnAgenda, &facts)?.state;
                demand.state = after.as_str().to_owned();
                demand.updated_at = now;
                tx.build_demand_update(&mut demand)?;
                let draft = EventDraft::new(Subject::WorkOrder(demand.work_order_id), "build_demand_on_agenda");
                let detail = json!({
                    "build_demand_id": demand.id, "number": demand.number, "review_meeting_id": id,
                    "meeting_starts_at": meeting.starts_at,
                });
                self.event_append(tx, draft.detail(detail))?;
                numbers.push(demand.number);
            }
            if state == ReviewMeetingState::Planned {
                meeting.state = ReviewMeetingState::AgendaSet.as_str().to_owned();
                tx.review_meeting_update(&mut meeting)?;
            }
            let draft = EventDraft::new(Subject::Region(meeting.region_id), "review_agenda_drawn");
            self.event_append(tx, draft.detail(json!({ "review_meeting_id": id, "build_demands": numbers })))
        })
    }

    /// Closes a meeting with its minutes.
    ///
    /// # Errors
    /// `illegal-transition` before it begins, or while a demand of its agenda has no decision.
    pub fn review_meeting_close(
        &self,
        caller: &Caller,
        id: ReviewMeetingId,
        minutes: &str,
    ) -> AppResult<ReviewMeetingSeen> {
        let now = self.env.now();
        self.storage.write("review_meeting_close", |tx| {
            self.review_meeting_visible(tx, caller, id)?;
            let mut meeting = tx.review_meeting_lock(id)?.ok_or_else(|| AppError::not_found("review meeting"))?;
            let state: ReviewMeetingState = meeting.state.parse().map_err(AppError::internal)?;
            let mut undecided = Vec::new();
            for demand in tx.build_demand_list_by_meeting(id)? {
                let state: BuildDemandState = demand.state.parse().map_err(AppError::internal)?;
                if state.is_open() {
                    undecided.push(demand.number);
                }
            }
            let after = review_meeting_close(state, minutes, &undecided, (now, meeting.starts_at))?;
            meeting.state = after.as_str().to_owned();
            meeting.minutes = Some(minutes.trim().to_owned());
            meeting.closed_by = Some(caller.user_id);
            meeting.closed_at = Some(now);
            tx.review_meeting_update(&mut meeting)?;
            let seen = self.review_meeting_seen(tx, meeting)?;
            let decided: Vec<Value> = seen
                .decisions
                .iter()
                .map(|seen| json!({ "number": seen.number, "decision": seen.decision.decision }))
                .collect();
            let draft = EventDraft::new(Subject::Region(seen.meeting.region_id), "review_meeting_closed").by(caller);
            self.event_append(tx, draft.detail(json!({ "review_meeting_id": id, "decisions": decided })))?;
            Ok(seen)
        })
    }

    fn review_meeting_visible(&self, tx: &mut Tx, caller: &Caller, id: ReviewMeetingId) -> AppResult<ReviewMeeting> {
        let scope = self.caller_scope(tx, caller)?;
        tx.review_meeting_by_id(id)?
            .filter(|meeting| scope.contains(Some(meeting.region_id)))
            .ok_or_else(|| AppError::not_found("review meeting"))
    }

    fn review_meeting_seen(&self, tx: &mut Tx, meeting: ReviewMeeting) -> AppResult<ReviewMeetingSeen> {
        let demands = tx
            .build_demand_list_by_meeting(meeting.id)?
            .into_iter()
            .map(|demand| self.build_demand_seen(tx, demand))
            .collect::<AppResult<Vec<_>>>()?;
        let decisions = tx
            .build_demand_decision_list_by_meeting(meeting.id)?
            .into_iter()
            .map(|decision| {
                let number = self.build_demand_number(tx, decision.build_demand_id)?;
                Ok(DecisionSeen { decision, number })
            })
            .collect::<AppResult<Vec<_>>>()?;
        Ok(ReviewMeetingSeen { meeting, demands, decisions })
    }

    fn build_demand_number(&self, tx: &mut Tx, id: BuildDemandId) -> AppResult<String> {
        let demand = tx.build_demand_by_id(id)?;
        Ok(demand.ok_or_else(|| AppError::internal("a decision of no demand"))?.number)
    }

    /// A meeting of the caller's regions.
    ///
    /// # Errors
    /// `not-found` for what does not exist and for what lies outside the caller's regions alike.
    pub fn review_meeting_show(&self, caller: &Caller, id: ReviewMeetingId) -> AppResult<ReviewMeetingSeen> {
        self.storage.read("review_meeting_show", |tx| {
            let meeting = self.review_meeting_visible(tx, caller, id)?;
            self.review_meeting_seen(tx, meeting)
        })
    }

    /// The meetings of the caller's regions, the latest first.
    pub fn review_meeting_list(&self, caller: &Caller, page: &Page<ReviewMeetingId>) -> AppResult<Vec<ReviewMeeting>> {
        self.storage.read("review_meeting_list", |tx| {
            let scope = self.caller_scope(tx, caller)?;
            Ok(tx.review_meeting_list(&scope, page)?)
        })
    }
}
