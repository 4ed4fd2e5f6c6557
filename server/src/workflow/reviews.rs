//! Reviews of field tests by the regional lead: approve with a plan, or send back with reasons (R-REVIEW-1).

use crate::workflow::{bounded_text, refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use serde::{Deserialize, Serialize};

named_enum! {
    /// What kind of work the cure is; decides the deadline that begins with the approval (R-LIMIT-2).
    PlanKind {
        /// Optimisation from the desk or at the site; the order's own limit goes on.
        Optimise = "optimise" / "优化",
        /// A fault: goes to the maintenance room, supervised by quality control.
        Fault = "fault" / "故障",
        /// Retrofit, or new active equipment: is passed on and ordered.
        Retrofit = "retrofit" / "技改及新增有源设备",
        /// New passive resources: a demand goes to the resource review board.
        Build = "build" / "新建无源资源",
    }
}

/// What an approval names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewPlan {
    /// Quick relief now.
    pub quick_relief: String,
    /// The cure later.
    pub cure: String,
    /// What kind of work the cure is.
    pub kind: PlanKind,
    /// The step of the ladder that comes next, by its key.
    #[serde(default)]
    pub ladder_step: Option<String>,
}

/// Checks that the plan names quick relief and cure (R-REVIEW-1).
///
/// # Errors
/// `invalid-field` that names the field.
pub fn review_plan_check(plan: &ReviewPlan) -> Result<(), Rejection> {
    required_text("quick_relief", &plan.quick_relief)?;
    required_text("cure", &plan.cure)?;
    match &plan.ladder_step {
        None => Ok(()),
        Some(step) if step.trim().is_empty() => {
            refuse(ProblemType::InvalidField, "ladder_step: must be a step's key, or absent")
        }
        Some(step) => bounded_text("ladder_step", step),
    }
}
