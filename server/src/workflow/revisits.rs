//! Revisits: the customer's word on whether the problem is gone, by a one-time link or by telephone (R-REVISIT-1, R-RETURN-3),
//! and what makes a return false (R-RETURN-4).
//!
//! What does not belong here: making and hashing the link's token (`app`), what the answer does to the order (`work_orders`) or to
//! the tracking ticket (`tracking_tickets`).

use crate::workflow::policies::Policy;
use crate::workflow::{DAY_MICROS, HOUR_MICROS, bounded_text, refuse};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a link lives, and what counts as a low score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevisitPolicy {
    /// Hours for which the link works (a choice: three days).
    pub link_valid_hours: u32,
    /// The highest score that opens a follow-up (R-REVISIT-1: 6).
    pub low_score: u8,
    /// Longest words of the customer, in characters.
    pub words_max_chars: u32,
}

impl Default for RevisitPolicy {
    fn default() -> Self {
        Self { link_valid_hours: 72, low_score: 6, words_max_chars: 1_000 }
    }
}

impl Policy for RevisitPolicy {
    const KIND: &'static str = "revisits";

    fn check(&self) -> Result<(), Rejection> {
        if !(1..=24 * 90).contains(&self.link_valid_hours) {
            return refuse(ProblemType::InvalidField, "link_valid_hours: must be from 1 to 2160");
        }
        if self.low_score > 10 {
            return refuse(ProblemType::InvalidField, "low_score: must be from 0 to 10");
        }
        if !(1..=4_000).contains(&self.words_max_chars) {
            return refuse(ProblemType::InvalidField, "words_max_chars: must be from 1 to 4000");
        }
        Ok(())
    }
}

/// When a repeated complaint makes a return false (R-RETURN-4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FalseReturnPolicy {
    /// Days after the final reply `resolved` (a choice: 30).
    pub window_days: u16,
}

impl Default for FalseReturnPolicy {
    fn default() -> Self {
        Self { window_days: 30 }
    }
}

impl Policy for FalseReturnPolicy {
    const KIND: &'static str = "false_returns";
}

impl FalseReturnPolicy {
    /// Whether a complaint of the same thing at `again_at` makes the return of `resolved_at` false (R-RETURN-4).
    pub fn is_false_return(&self, resolved_at: Timestamp, again_at: Timestamp) -> bool {
        again_at.micros_since(resolved_at) <= i64::from(self.window_days) * DAY_MICROS
    }
}

/// What the customer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisitAnswer {
    /// Service is back.
    pub solved: bool,
    /// 1 (worst) to 10 (best).
    pub score: u8,
    /// The customer's words.
    #[serde(default)]
    pub words: Option<String>,
}

named_enum! {
    /// Where a revisit stands.
    RevisitState {
        /// The link is out, or the call is to be made.
        Pending = "pending" / "待回访",
        /// The customer confirmed.
        Confirmed = "confirmed" / "客户确认解决",
        /// The customer denied.
        Denied = "denied" / "客户否认解决",
        /// The link grew too old unanswered; a call can still be recorded.
        Expired = "expired" / "链接过期",
        /// Taken back, with its order or for a newer link.
        Revoked = "revoked" / "已撤销",
    }
}

named_enum! {
    /// How the customer answered.
    RevisitChannel {
        /// On the page behind the one-time link.
        Link = "link" / "短信链接",
        /// By telephone; an agent records it.
        Phone = "phone" / "电话回访",
    }
}

/// What happens to a revisit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisitCommand {
    /// The customer's answer.
    Answer {
        /// By which way.
        channel: RevisitChannel,
        /// What.
        answer: RevisitAnswer,
    },
    /// The link's time is over.
    Expire,
    /// Taken back.
    Revoke,
}

impl RevisitCommand {
    /// The name of the kind in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Answer { channel: RevisitChannel::Link, .. } => "answer by link",
            Self::Answer { channel: RevisitChannel::Phone, .. } => "answer by phone",
            Self::Expire => "expire",
            Self::Revoke => "revoke",
        }
    }
}

/// What the judge must know beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevisitFacts {
    /// Now, by the server's clock.
    pub now: Timestamp,
    /// When the link was made.
    pub created_at: Timestamp,
}

/// What an accepted command changes beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisitEffect {
    /// The token works no more (single use).
    LinkUsedUp,
    /// The order or ticket judges the answer next.
    AnswerTold,
}

/// The state afterwards and the effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisitTransition {
    /// The state afterwards.
    pub state: RevisitState,
    /// What else changes.
    pub effects: Vec<RevisitEffect>,
}

/// When a link made at this instant stops working.
pub fn revisit_link_expires_at(created_at: Timestamp, policy: &RevisitPolicy) -> Timestamp {
    created_at.plus_millis(i64::from(policy.link_valid_hours) * (HOUR_MICROS / 1_000))
}

/// Checks the customer's answer: a score of 1–10, words of bearable length (R-REVISIT-1).
///
/// # Errors
/// `invalid-field` that names the field.
pub fn revisit_answer_check(answer: &RevisitAnswer, policy: &RevisitPolicy) -> Result<(), Rejection> {
    if !(1..=10).contains(&answer.score) {
        return refuse(ProblemType::InvalidField, "score: must be from 1 to 10");
    }
    if let Some(words) = &answer.words {
        bounded_text("words", words)?;
        if words.chars().count() > policy.words_max_chars as usize {
            return refuse(
                ProblemType::InvalidField,
                format!("words: must not be longer than {} characters", policy.words_max_chars),
            );
        }
    }
    Ok(())
}

/// Whether this answer opens a follow-up (R-REVISIT-1).
pub fn revisit_needs_follow_up(answer: &RevisitAnswer, policy: &RevisitPolicy) -> bool {
    answer.score <= policy.low_score
}

/// Judges what happens to a revisit: a link works once, and not for ever.
///
/// # Errors
/// `link-expired` for a used or too old link, `illegal-transition`, or `invalid-field`.
pub fn revisit_transition(
    state: RevisitState,
    command: &RevisitCommand,
    facts: &RevisitFacts,
    policy: &RevisitPolicy,
) -> Result<RevisitTransition, Rejection> {
    use RevisitCommand as C;
    use RevisitState as S;
    let to = |state, effects: &[RevisitEffect]| Ok(RevisitTransition { state, effects: effects.to_vec() });
    let illegal = || {
        refuse(
            ProblemType::IllegalTransition,
            format!("'{}' is not possible while the revisit is '{state}'", command.kind()),
        )
    };
    let answered = |answer: &RevisitAnswer| {
        revisit_answer_check(answer, policy)?;
        let state = if answer.solved { S::Confirmed } else { S::Denied };
        to(state, &[RevisitEffect::LinkUsedUp, RevisitEffect::AnswerTold])
    };
    let is_too_old = facts.now >= revisit_link_expires_at(facts.created_at, policy);
    match (state, command) {
        (S::Pending, C::Answer { channel: RevisitChannel::Link, .. }) if is_too_old => {
            refuse(ProblemType::LinkExpired, "the link is too old; customer service can record the answer by telephone")
        }
        (S::Pending, C::Answer { channel: RevisitChannel::Link, answer }) => answered(answer),
        (S::Pending | S::Expired, C::Answer { channel: RevisitChannel::Phone, answer }) => answered(answer),
        (S::Confirmed | S::Denied | S::Expired | S::Revoked, C::Answer { channel: RevisitChannel::Link, .. }) => {
            refuse(ProblemType::LinkExpired, "the link was used or taken back; it works once")
        }
        (S::Confirmed | S::Denied | S::Revoked, C::Answer { channel: RevisitChannel::Phone, .. }) => illegal(),
        (S::Pending, C::Expire) if is_too_old => to(S::Expired, &[RevisitEffect::LinkUsedUp]),
        // A timer that fires early, twice, or after the answer changes nothing.
        (S::Pending | S::Confirmed | S::Denied | S::Expired | S::Revoked, C::Expire) => to(state, &[]),
        (S::Pending | S::Expired, C::Revoke) => to(S::Revoked, &[RevisitEffect::LinkUsedUp]),
        (S::Revoked, C::Revoke) => to(S::Revoked, &[]),
        (S::Confirmed | S::Denied, C::Revoke) => illegal(),
    }
}
