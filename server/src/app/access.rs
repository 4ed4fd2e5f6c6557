//! Who may do what: roles, actions, and the one table between them (least privilege).
//!
//! The role is checked before anything else of a request is read; the region is checked where the thing is loaded. What does
//! not belong here: whether the state of a thing allows it (`workflow`).

pub use callout_storage::users::Role;
use callout_sync_protocol::ids::{DeviceId, SessionId, UserId};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident: [$($role:ident),* $(,)?]),+ $(,)?) => {
        /// What a request does. Each route has exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant),+ }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The roles that may; empty for what needs no signing in.
            pub fn roles(self) -> &'static [Role] {
                match self { $(Self::$variant => &[$(Role::$role),*]),+ }
            }
        }
    };
}

actions! {
    /// Needs no signing in; protected by other means (a password, a one-time token) or open to all.
    Public: [],
    /// One's own account.
    OwnAccount: [CustomerServiceAgent, T1Dispatcher, T2BranchDesk, FieldTester, RegionalLead, QualityControl, Administrator, Auditor, IntegrationClient],
    /// Reading users and devices.
    UserRead: [Administrator, Auditor],
    /// Changing users and devices.
    UserManage: [Administrator],
    /// Reading regions.
    RegionRead: [CustomerServiceAgent, T1Dispatcher, T2BranchDesk, FieldTester, RegionalLead, QualityControl, Administrator, Auditor, IntegrationClient],
    /// Changing regions.
    RegionManage: [Administrator],
    /// Reading what is set: limits, calendars, templates, word lists.
    PolicyRead: [T1Dispatcher, T2BranchDesk, RegionalLead, QualityControl, Administrator, Auditor],
    /// Setting it.
    PolicyManage: [Administrator],
    /// Pushing a complaint in (R-INTAKE-1).
    ComplaintCreate: [CustomerServiceAgent, T1Dispatcher, IntegrationClient],
    /// Reading complaints.
    ComplaintRead: [CustomerServiceAgent, T1Dispatcher, RegionalLead, QualityControl, Auditor, IntegrationClient],
    /// Classifying complaints (R-INTAKE-2).
    ComplaintClassify: [T1Dispatcher],
    /// Reading work orders and their timeline.
    WorkOrderRead: [CustomerServiceAgent, T1Dispatcher, T2BranchDesk, RegionalLead, QualityControl, Auditor],
    /// Locating (R-LOCATE-1).
    WorkOrderLocate: [T1Dispatcher],
    /// Dispatching and reassigning (R-ROUTE-1).
    WorkOrderDispatch: [T1Dispatcher, RegionalLead],
    /// Taking an order back (R-ROUTE-4).
    WorkOrderWithdraw: [CustomerServiceAgent, T1Dispatcher],
    /// Reading the ranking of an order's testers.
    CandidateRead: [T1Dispatcher, RegionalLead],
    /// Reading profiles of users.
    UserProfileRead: [T1Dispatcher, RegionalLead, QualityControl, Administrator, Auditor],
    /// Setting profiles of users.
    UserProfileManage: [RegionalLead, Administrator],
    /// Agreeing on a visit with the customer (R-VISIT-1).
    AppointmentSet: [CustomerServiceAgent, T1Dispatcher, RegionalLead],
    /// Adding urgency or facts (R-ROUTE-4).
    ChaseCreate: [CustomerServiceAgent, T1Dispatcher, IntegrationClient],
    /// Asking the branch (R-ROUTE-3).
    BranchQuestionAsk: [CustomerServiceAgent],
    /// Reading and answering for the branch (R-ROUTE-3).
    BranchQuestionAnswer: [T2BranchDesk],
    /// Reading what counts in appraisals (R-ROUTE-5, R-RETURN-4).
    AppraisalRead: [RegionalLead, QualityControl, Auditor],
    /// Reading follow-ups (R-REVISIT-1).
    FollowUpRead: [T1Dispatcher, RegionalLead, QualityControl, Auditor],
    /// Closing follow-ups (R-REVISIT-1).
    FollowUpClose: [RegionalLead, QualityControl],
    /// Reading tests, samples and photos.
    FieldTestRead: [T1Dispatcher, RegionalLead, QualityControl, Auditor],
    /// Reviewing tests (R-REVIEW-1).
    FieldTestReview: [RegionalLead],
    /// Handing an order to the branch or to maintenance (R-ROUTE-1, R-ROUTE-2).
    HandoffCreate: [T1Dispatcher, RegionalLead],
    /// Answering for the branch.
    HandoffAnswer: [T2BranchDesk],
    /// Reading the ladder.
    LadderRead: [T1Dispatcher, RegionalLead, QualityControl, Auditor],
    /// Recording a step of the ladder (R-LADDER-2).
    LadderRecord: [RegionalLead],
    /// Filing a demand to the resource review board (R-LADDER-3).
    BuildDemandFile: [RegionalLead],
    /// Reading demands, and the board's meetings.
    BuildDemandRead: [T1Dispatcher, T2BranchDesk, RegionalLead, QualityControl, Auditor],
    /// Keeping the board's decisions and minutes; not for those who file, nor for those who answer for the outcome.
    ReviewMeetingKeep: [QualityControl],
    /// Replying to customer service (R-RETURN-1).
    ReplyCreate: [T1Dispatcher],
    /// Asking the customer for a revisit (R-RETURN-3).
    RevisitCreate: [T1Dispatcher, RegionalLead],
    /// Recording a revisit by phone (R-REVISIT-1).
    RevisitRecord: [CustomerServiceAgent, T1Dispatcher],
    /// Reading tracking tickets.
    TrackingTicketRead: [CustomerServiceAgent, T1Dispatcher, T2BranchDesk, RegionalLead, QualityControl, Auditor],
    /// Reading sites, and which are down (R-SUPERVISE-2).
    SiteRead: [T1Dispatcher, RegionalLead, QualityControl, Administrator, Auditor],
    /// Pushing sites and outages in.
    SitePush: [Administrator, IntegrationClient],
    /// Reading clusters and the supervision list (R-SUPERVISE-1).
    SupervisionRead: [T1Dispatcher, RegionalLead, QualityControl, Auditor],
    /// Clearing an entry of the supervision list.
    SupervisionClear: [QualityControl],
    /// Reading early warnings and their report (R-WARN-1).
    WarningRead: [T1Dispatcher, RegionalLead, QualityControl, Auditor],
    /// Reviewing, publishing and dismissing early warnings.
    WarningDecide: [RegionalLead, QualityControl],
    /// Reading figures (R-KPI-1); personal ones only quality control and leads.
    KpiRead: [T1Dispatcher, RegionalLead, QualityControl, Auditor],
    /// A tester's phone syncing.
    Sync: [FieldTester],
    /// A tester's phone uploading photos.
    PhotoUpload: [FieldTester],
    /// Reading what was kept but does not count.
    QuarantineRead: [RegionalLead, QualityControl, Auditor],
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleSet(u16);

impl RoleSet {
    /// The set of these roles.
    pub fn of(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |bits, role| bits | 1 << *role as u16))
    }

    /// Whether the role is in it.
    pub fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u16) != 0
    }

    /// Whether the role's desk works before an order has a region: taking complaints, locating and classifying.
    pub fn works_before_location(self) -> bool {
        self.has_any(&[Role::CustomerServiceAgent, Role::T1Dispatcher, Role::IntegrationClient, Role::QualityControl])
    }

    /// Whether one of these roles is in it.
    pub fn has_any(self, roles: &[Role]) -> bool {
        self.0 & Self::of(roles).0 != 0
    }

    /// Its roles.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| self.has(*role))
    }
}

/// Who sends a request, as the access token says; the token's role was already found to allow the route's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The sign-in.
    pub session_id: SessionId,
    /// The device.
    pub device_id: DeviceId,
    /// The user's roles.
    pub roles: RoleSet,
}
