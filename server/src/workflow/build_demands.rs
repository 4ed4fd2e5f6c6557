//! Demands to the resource review board, and the board's weekly meetings (R-LADDER-3, R-LIMIT-2).
//!
//! A demand filed in one week is heard in the next week's meeting. Its agenda is drawn up by itself some hours before it begins,
//! of everything that was filed for it or deferred to it. What does not belong here: what a demand must carry (`ladder`), on which
//! day the meeting is (`limits`).

use crate::workflow::places::distance_m;
use crate::workflow::policies::Policy;
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

named_enum! {
    /// Where a demand stands.
    BuildDemandState {
        /// Waits for the meeting's agenda to be drawn up.
        Filed = "filed" / "已提报",
        /// Is heard in the meeting.
        OnAgenda = "on_agenda" / "已列入议程",
        /// The board accepted it.
        Accepted = "accepted" / "已通过",
        /// The board rejected it; another may be filed, with more to show.
        Rejected = "rejected" / "已否决",
        /// The board wants to hear it again, in the next meeting.
        Deferred = "deferred" / "已延期",
    }
}

named_enum! {
    /// What the board decides of a demand.
    BoardDecision {
        /// It is built.
        Accept = "accept" / "通过",
        /// It is not.
        Reject = "reject" / "否决",
        /// It is heard again.
        Defer = "defer" / "延期",
    }
}

named_enum! {
    /// Where a meeting stands.
    ReviewMeetingState {
        /// Demands are filed for it.
        Planned = "planned" / "已排期",
        /// Its agenda is drawn up.
        AgendaSet = "agenda_set" / "议程已定",
        /// It was held; its minutes are on record.
        Closed = "closed" / "已结束",
    }
}

impl BuildDemandState {
    /// The board has yet to speak its last word.
    pub fn is_open(self) -> bool {
        match self {
            Self::Filed | Self::OnAgenda | Self::Deferred => true,
            Self::Accepted | Self::Rejected => false,
        }
    }
}

/// What may be set of demands. One per region where regions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BuildDemandPolicy {
    /// Metres from the demand's place within which customers are held to be affected (a choice: 500, a cell's reach in a town).
    pub affected_radius_m: u32,
    /// Days back from the filing in which they must have complained (a choice: half a year, as the early warning's base).
    pub affected_days: u16,
    /// Hours before the meeting at which its agenda is drawn up (a choice: a day).
    pub agenda_hours: u16,
}

impl Default for BuildDemandPolicy {
    fn default() -> Self {
        Self { affected_radius_m: 500, affected_days: 180, agenda_hours: 24 }
    }
}

impl Policy for BuildDemandPolicy {
    const KIND: &'static str = "build_demands";

    fn check(&self) -> Result<(), Rejection> {
        for (field, value, minimum, maximum) in [
            ("affected_radius_m", self.affected_radius_m, 10, 20_000),
            ("affected_days", u32::from(self.affected_days), 1, 1_000),
            ("agenda_hours", u32::from(self.agenda_hours), 0, 72),
        ] {
            if !(minimum..=maximum).contains(&value) {
                return refuse(ProblemType::InvalidField, format!("{field}: must be {minimum} to {maximum}"));
            }
        }
        Ok(())
    }
}

/// A complaint near a demand's place: where, and a number that stands for its customer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Complainant {
    /// Where the problem was.
    pub position: Position,
    /// The same for the same customer.
    pub customer: usize,
}

/// How many customers suffer within so many metres of a place. The one whose order it is counts in any case.
pub fn affected_customers(place: Position, complainants: &[Complainant], radius_m: u32) -> u32 {
    let near: BTreeSet<usize> = complainants
        .iter()
        .filter(|complainant| distance_m(place, complainant.position) <= f64::from(radius_m))
        .map(|complainant| complainant.customer)
        .collect();
    u32::try_from(near.len()).unwrap_or(u32::MAX).max(1)
}

/// What is asked of a demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildDemandCommand {
    /// The agenda of its meeting is drawn up.
    PutOnAgenda,
    /// The board decided.
    Decide {
        /// What.
        decision: BoardDecision,
        /// Why.
        reason: String,
    },
}

/// What the judge must know beside the demand's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildDemandFacts {
    /// Now.
    pub now: Timestamp,
    /// Where its meeting stands.
    pub meeting: ReviewMeetingState,
    /// When its meeting begins.
    pub meeting_starts_at: Timestamp,
}

/// One thing that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildDemandEffect {
    /// The decision is on record, with this meeting.
    DecisionRecorded(BoardDecision),
    /// It goes to the next week's meeting.
    MovedToNextMeeting,
}

/// What an accepted command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildDemandTransition {
    /// The state afterwards.
    pub state: BuildDemandState,
    /// What else changes.
    pub effects: Vec<BuildDemandEffect>,
}

/// Judges what is asked of a demand (R-LADDER-3).
///
/// # Errors
/// `illegal-transition` outside its meeting, `invalid-field` for a decision without a reason.
pub fn build_demand_transition(
    state: BuildDemandState,
    command: &BuildDemandCommand,
    facts: &BuildDemandFacts,
) -> Result<BuildDemandTransition, Rejection> {
    use BuildDemandEffect as E;
    use BuildDemandState as S;
    match command {
        BuildDemandCommand::PutOnAgenda => match state {
            S::Filed | S::Deferred => Ok(BuildDemandTransition { state: S::OnAgenda, effects: vec![] }),
            S::OnAgenda | S::Accepted | S::Rejected => {
                refuse(ProblemType::IllegalTransition, format!("the demand is '{state}' and waits for no agenda"))
            }
        },
        BuildDemandCommand::Decide { decision, reason } => match state {
            S::OnAgenda => {
                required_text("reason", reason)?;
                if facts.meeting == ReviewMeetingState::Closed {
                    return refuse(ProblemType::IllegalTransition, "the meeting is closed");
                }
                if facts.now < facts.meeting_starts_at {
                    return refuse(
                        ProblemType::IllegalTransition,
                        format!("the meeting begins at {}; nothing is decided before", facts.meeting_starts_at),
                    );
                }
                let mut effects = vec![E::DecisionRecorded(*decision)];
                let state = match decision {
                    BoardDecision::Accept => S::Accepted,
                    BoardDecision::Reject => S::Rejected,
                    BoardDecision::Defer => {
                        effects.push(E::MovedToNextMeeting);
                        S::Deferred
                    }
                };
                Ok(BuildDemandTransition { state, effects })
            }
            S::Filed | S::Deferred => refuse(
                ProblemType::IllegalTransition,
                "the demand is not on the agenda yet; it is drawn up before the meeting",
            ),
            S::Accepted | S::Rejected => {
                refuse(ProblemType::IllegalTransition, format!("the demand is '{state}' already; that stays"))
            }
        },
    }
}

/// Judges that a meeting is closed with these minutes: it has begun, and every demand of its agenda has its decision.
///
/// # Errors
/// `illegal-transition` with what is in the way, `invalid-field` for blank minutes.
pub fn review_meeting_close(
    state: ReviewMeetingState,
    minutes: &str,
    undecided: &[String],
    facts: (Timestamp, Timestamp),
) -> Result<ReviewMeetingState, Rejection> {
    let (now, starts_at) = facts;
    match state {
        ReviewMeetingState::Closed => refuse(ProblemType::IllegalTransition, "the meeting is closed already"),
        ReviewMeetingState::Planned | ReviewMeetingState::AgendaSet => {
            required_text("minutes", minutes)?;
            if now < starts_at {
                return refuse(ProblemType::IllegalTransition, format!("the meeting begins at {starts_at}"));
            }
            if !undecided.is_empty() {
                return refuse(
                    ProblemType::IllegalTransition,
                    format!("these demands have no decision yet: {}", undecided.join(", ")),
                );
            }
            Ok(ReviewMeetingState::Closed)
        }
    }
}
