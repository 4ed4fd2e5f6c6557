//! Early warnings per region and complaint type: when one is raised, who lets it out, when it is over (R-WARN-1).
//!
//! What does not belong here: counting complaints (`storage`), telling the recipients (`jobs`).

use crate::workflow::policies::Policy;
use crate::workflow::{refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use serde::{Deserialize, Serialize};

named_enum! {
    /// How far above its base a count is.
    WarningLevel {
        /// Above base × factor.
        Notice = "notice" / "一般预警",
        /// Above base × serious factor.
        Serious = "serious" / "较重预警",
        /// Above base × severe factor.
        Severe = "severe" / "严重预警",
    }
}

/// When a warning is raised. All values but the shape of the rule are choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WarningPolicy {
    /// Length of the window in hours; the base is the mean of such windows over the last half-year.
    pub window_hours: u32,
    /// Above base × this: notice.
    pub factor: f64,
    /// Above base × this: serious.
    pub serious_factor: f64,
    /// Above base × this: severe.
    pub severe_factor: f64,
    /// Counts up to this never warn (保护值).
    pub floor: u32,
}

impl Default for WarningPolicy {
    fn default() -> Self {
        Self { window_hours: 24, factor: 1.5, serious_factor: 2.0, severe_factor: 3.0, floor: 5 }
    }
}

/// What is wrong with a warning policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WarningPolicyError {
    /// Out of its range.
    #[error("window_hours: must be from 1 to 744")]
    Window,
    /// Not growing, not finite, or below one.
    #[error("factor, serious_factor, severe_factor: must be at least 1 and must not fall")]
    Factors,
}

impl WarningPolicy {
    /// Checks a policy that an administrator sends.
    ///
    /// # Errors
    /// The first thing that is wrong, naming the field.
    pub fn validate(&self) -> Result<(), WarningPolicyError> {
        if !(1..=744).contains(&self.window_hours) {
            return Err(WarningPolicyError::Window);
        }
        let factors = [1.0, self.factor, self.serious_factor, self.severe_factor];
        let rises = factors.windows(2).all(|pair| pair[0] <= pair[1]) && factors.iter().all(|f| f.is_finite());
        if rises { Ok(()) } else { Err(WarningPolicyError::Factors) }
    }
}

impl Policy for WarningPolicy {
    const KIND: &'static str = "warnings";

    fn check(&self) -> Result<(), Rejection> {
        self.validate().or_else(|error| refuse(ProblemType::InvalidField, error.to_string()))
    }
}

/// How many windows the half-year before now holds.
pub fn windows_in_half_year(policy: &WarningPolicy) -> u32 {
    // 182 days, the half-year in whole weeks, so that every weekday counts equally.
    (182 * 24 / policy.window_hours.max(1)).max(1)
}

/// The base: the mean count of one window over the last half-year. Windows without a complaint count as zero.
pub fn warning_base(complaints_in_half_year: u64, policy: &WarningPolicy) -> f64 {
    complaints_in_half_year as f64 / f64::from(windows_in_half_year(policy))
}

/// The level that a count deserves; none at or below base × factor, or at or below the floor (R-WARN-1).
pub fn warning_level(count: u32, base: f64, policy: &WarningPolicy) -> Option<WarningLevel> {
    let is_above = |factor: f64| f64::from(count) > base * factor;
    if count <= policy.floor || !is_above(policy.factor) {
        None
    } else if is_above(policy.severe_factor) {
        Some(WarningLevel::Severe)
    } else if is_above(policy.serious_factor) {
        Some(WarningLevel::Serious)
    } else {
        Some(WarningLevel::Notice)
    }
}

named_enum! {
    /// Where a warning stands.
    WarningState {
        /// Raised; a person has yet to look at it.
        Draft = "draft" / "待审核",
        /// A person looked at it and found it true; it may be let out.
        Reviewed = "reviewed" / "已审核",
        /// Let out to its recipients.
        Published = "published" / "已发布",
        /// Looked at and not let out.
        Dismissed = "dismissed" / "审核未通过",
        /// The count fell again.
        Recovered = "recovered" / "已恢复",
    }
}

/// What happens to a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarningCommand {
    /// A person looked at it and found it true.
    Review {
        /// What was found.
        note: String,
    },
    /// A person lets it out.
    Publish {
        /// To whom; not empty.
        recipients: Vec<String>,
    },
    /// A person does not let it out.
    Dismiss {
        /// Why.
        reason: String,
    },
    /// The window was counted again: still above (with the level), or not.
    Counted(Option<WarningLevel>),
}

/// What an accepted command changes beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningEffect {
    /// The recipients are told.
    RecipientsTold,
    /// The recipients are told that it is over.
    RecoveryTold,
    /// The level is another than before.
    LevelSet(WarningLevel),
}

/// Judges what happens to a warning of this level: nothing leaves the house before a person looked at it (R-WARN-1).
///
/// # Errors
/// `illegal-transition`, or `invalid-field`.
pub fn warning_transition(
    state: WarningState,
    level: WarningLevel,
    command: &WarningCommand,
) -> Result<(WarningState, Vec<WarningEffect>), Rejection> {
    use WarningCommand as C;
    use WarningEffect as E;
    use WarningState as S;
    let illegal = |what: &str| {
        refuse(ProblemType::IllegalTransition, format!("'{what}' is not possible while the warning is '{state}'"))
    };
    match (state, command) {
        (S::Draft, C::Review { note }) => {
            required_text("note", note)?;
            Ok((S::Reviewed, vec![]))
        }
        (S::Reviewed | S::Published | S::Dismissed | S::Recovered, C::Review { .. }) => illegal("review"),
        (S::Reviewed, C::Publish { recipients }) => {
            crate::workflow::required_texts("recipients", recipients)?;
            Ok((S::Published, vec![E::RecipientsTold]))
        }
        (S::Draft | S::Published | S::Dismissed | S::Recovered, C::Publish { .. }) => illegal("publish"),
        (S::Draft | S::Reviewed, C::Dismiss { reason }) => {
            required_text("reason", reason)?;
            Ok((S::Dismissed, vec![]))
        }
        (S::Published | S::Dismissed | S::Recovered, C::Dismiss { .. }) => illegal("dismiss"),
        (S::Draft | S::Reviewed, C::Counted(None)) => Ok((S::Recovered, vec![])),
        (S::Published, C::Counted(None)) => Ok((S::Recovered, vec![E::RecoveryTold])),
        (S::Draft | S::Reviewed | S::Published, C::Counted(Some(now))) => {
            Ok((state, if *now == level { vec![] } else { vec![E::LevelSet(*now)] }))
        }
        // What is over stays over; a new rise raises a new warning.
        (S::Dismissed | S::Recovered, C::Counted(_)) => Ok((state, vec![])),
    }
}
