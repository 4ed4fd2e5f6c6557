//! Dispatches: how each ended, who is a junior, and what counts in the appraisal of who decided (R-ROUTE-5, R-RETURN-4).
//!
//! What does not belong here: when a dispatch is possible (`work_orders`), whom to choose (`candidates`).

use crate::workflow::policies::Policy;
use callout_sync_protocol::work_orders::LeftReason;
use serde::{Deserialize, Serialize};

/// Which dispatches are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DispatchPolicy {
    /// A junior's dispatch waits for a senior (R-ROUTE-5).
    pub checks_junior_dispatch: bool,
}

impl Policy for DispatchPolicy {
    const KIND: &'static str = "dispatch";
}

named_enum! {
    /// How experienced somebody is.
    Seniority {
        /// Whose dispatches are checked, where the policy says so.
        Junior = "junior" / "初级",
        /// Who checks them.
        Senior = "senior" / "高级",
    }
}

named_enum! {
    /// Where a dispatch stands.
    DispatchState {
        /// A junior made it; a senior has yet to check (R-ROUTE-5).
        Proposed = "proposed" / "待复核",
        /// The tester has the order.
        InForce = "in_force" / "执行中",
        /// The check stopped it.
        Stopped = "stopped" / "复核未通过",
        /// Another decision took its place before it was checked.
        Dropped = "dropped" / "已作罢",
        /// The tester declined it.
        Declined = "declined" / "已拒单",
        /// Another tester has the order now.
        Reassigned = "reassigned" / "已改派",
        /// The order was taken back.
        Withdrawn = "withdrawn" / "已撤单",
        /// The field work is done.
        Finished = "finished" / "已完成",
        /// The tester no longer works in the order's region.
        RegionChanged = "region_changed" / "区域变更",
    }
}

impl DispatchState {
    /// How a dispatch in force ends when its order leaves the tester's phone.
    pub fn after_leaving(reason: LeftReason) -> Self {
        match reason {
            LeftReason::Reassigned => Self::Reassigned,
            LeftReason::Finished => Self::Finished,
            LeftReason::Withdrawn => Self::Withdrawn,
            LeftReason::RegionChanged => Self::RegionChanged,
            LeftReason::Declined => Self::Declined,
        }
    }
}

named_enum! {
    /// What counts in an appraisal.
    AppraisalKind {
        /// Sent the wrong tester (R-ROUTE-5).
        WrongDispatch = "wrong_dispatch" / "误派",
        /// Handed over to who is not responsible (R-ROUTE-1, R-ROUTE-5).
        WrongAddressee = "wrong_addressee" / "误转派",
        /// Returned as resolved what was not (R-RETURN-4).
        FalseReturn = "false_return" / "虚假回单",
    }
}

named_enum! {
    /// Where the follow-up of a low score stands (R-REVISIT-1).
    FollowUpState {
        /// Somebody has to look into it.
        Open = "open" / "待跟进",
        /// What was done is on record.
        Closed = "closed" / "已闭环",
    }
}
