//! What the tester does with an order. Works offline; judged at once by the rules that the server will apply.

use crate::PhoneError;
use crate::orders::{Order, TimeWindow};
use crate::phone::PhoneCore;
use crate::places::Position;
use callout_mobile_sdk::facade;
use callout_sync_protocol::commands::{self, AffectedService, ContactOutcome};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::work_orders::NetworkGeneration;

/// A contact with the customer, or an attempt at one (R-CONTACT-1).
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ContactReport {
    /// How it went.
    pub outcome: ContactOutcome,
    /// The visit agreed on; required when the customer was reached.
    #[uniffi(default = None)]
    pub appointment: Option<TimeWindow>,
    /// Why the customer was contacted in the hours of rest; required then.
    #[uniffi(default = None)]
    pub emergency_reason: Option<String>,
    /// What was said.
    #[uniffi(default = None)]
    pub note: Option<String>,
}

/// Why an operator's network was not tested (R-TEST-1).
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct MissingOperator {
    /// Whose.
    pub operator: Operator,
    /// Why.
    pub reason: String,
}

impl From<MissingOperator> for commands::MissingOperator {
    fn from(missing: MissingOperator) -> Self {
        Self { operator: missing.operator, reason: missing.reason }
    }
}

/// What the tester found, as it is being written: what is absent was not said yet (R-TEST-2, R-VISIT-3).
#[derive(Clone, Debug, PartialEq, Default, uniffi::Record)]
pub struct FindingsDraft {
    /// The customer's problem as found.
    #[uniffi(default = None)]
    pub problem: Option<String>,
    /// Which network generation suffers.
    #[uniffi(default = None)]
    pub generation: Option<NetworkGeneration>,
    /// Which service fails.
    #[uniffi(default = None)]
    pub service: Option<AffectedService>,
    /// When it appears, in the customer's words.
    #[uniffi(default = None)]
    pub occurs: Option<String>,
    /// The exact address of the test.
    #[uniffi(default = None)]
    pub address: Option<String>,
    /// The exact place of the test.
    #[uniffi(default = None)]
    pub position: Option<Position>,
    /// How the competitors cover the place.
    #[uniffi(default = None)]
    pub competitor_coverage: Option<String>,
    /// Sites that serve the place.
    #[uniffi(default = [])]
    pub serving_sites: Vec<String>,
    /// Planned sites nearby.
    #[uniffi(default = [])]
    pub planned_sites: Vec<String>,
    /// Competitors' and the tower company's resources that could be used.
    #[uniffi(default = [])]
    pub shareable_resources: Vec<String>,
    /// The customer's most pressing need.
    #[uniffi(default = None)]
    pub pressing_need: Option<String>,
    /// A direct contact was left with the customer.
    #[uniffi(default = None)]
    pub contact_left: Option<bool>,
    /// The customer was told that a revisit call may come.
    #[uniffi(default = None)]
    pub revisit_announced: Option<bool>,
}

impl FindingsDraft {
    pub(crate) fn into_core(self) -> Result<callout_mobile_sdk::FindingsDraft, PhoneError> {
        Ok(callout_mobile_sdk::FindingsDraft {
            problem: self.problem,
            generation: self.generation,
            service: self.service,
            occurs: self.occurs,
            address: self.address,
            position: self.position.map(Position::to_core).transpose()?,
            competitor_coverage: self.competitor_coverage,
            serving_sites: self.serving_sites,
            planned_sites: self.planned_sites,
            shareable_resources: self.shareable_resources,
            pressing_need: self.pressing_need,
            contact_left: self.contact_left,
            revisit_announced: self.revisit_announced,
            // The walk is made by `volte_answer`; what says nothing of it leaves it as it is.
            volte: vec![],
        })
    }
}

impl From<callout_mobile_sdk::FindingsDraft> for FindingsDraft {
    fn from(draft: callout_mobile_sdk::FindingsDraft) -> Self {
        Self {
            problem: draft.problem,
            generation: draft.generation,
            service: draft.service,
            occurs: draft.occurs,
            address: draft.address,
            position: draft.position.map(Position::from),
            competitor_coverage: draft.competitor_coverage,
            serving_sites: draft.serving_sites,
            planned_sites: draft.planned_sites,
            shareable_resources: draft.shareable_resources,
            pressing_need: draft.pressing_need,
            contact_left: draft.contact_left,
            revisit_announced: draft.revisit_announced,
        }
    }
}

#[uniffi::export]
impl PhoneCore {
    /// Every order of this phone, the most urgent first; those that left at the end.
    pub fn orders(&self) -> Result<Vec<Order>, PhoneError> {
        let orders = self.inner.act(|phone| phone.orders())?;
        Ok(orders.into_iter().map(Order::from).collect())
    }

    /// One order.
    pub fn order(&self, order: WorkOrderId) -> Result<Order, PhoneError> {
        self.inner.act(|phone| phone.order(order)).map(Order::from)
    }

    /// The order that people call so: by its number, its id, or a beginning of one of them that no other order has.
    pub fn order_find(&self, name: &str) -> Result<Order, PhoneError> {
        self.inner.act(|phone| phone.order(phone.order_find(name)?)).map(Order::from)
    }

    /// Takes the order.
    pub fn accept(&self, order: WorkOrderId) -> Result<Order, PhoneError> {
        self.inner.act(|phone| phone.accept(order)).map(Order::from)
    }

    /// Gives the order back, and says why.
    pub fn decline(&self, order: WorkOrderId, reason: &str) -> Result<Order, PhoneError> {
        self.inner.act(|phone| phone.decline(order, reason)).map(Order::from)
    }

    /// Records a contact with the customer, or an attempt at one.
    pub fn contact(&self, order: WorkOrderId, report: ContactReport) -> Result<Order, PhoneError> {
        let appointment = report.appointment.map(TimeWindow::to_core).transpose()?;
        let ContactReport { outcome, emergency_reason, note, .. } = report;
        self.inner.act(|phone| phone.contact(order, outcome, appointment, emergency_reason, note)).map(Order::from)
    }

    /// Records the arrival at the place.
    pub fn arrive(&self, order: WorkOrderId, position: Position) -> Result<Order, PhoneError> {
        let position = position.to_core()?;
        self.inner.act(|phone| phone.arrive(order, position)).map(Order::from)
    }

    /// Records the customer's answer about photos.
    pub fn photo_consent(&self, order: WorkOrderId, granted: bool) -> Result<Order, PhoneError> {
        self.inner.act(|phone| phone.photo_consent(order, granted)).map(Order::from)
    }

    /// The findings being written, or those last recorded on this phone.
    pub fn findings_draft(&self, order: WorkOrderId) -> Result<Option<FindingsDraft>, PhoneError> {
        Ok(self.inner.act(|phone| phone.findings_draft(order))?.map(FindingsDraft::from))
    }

    /// Lays `newer` over the draft and keeps it. Once nothing is missing the findings are recorded, replacing earlier ones;
    /// until then this fails with `Incomplete`, and the draft is kept all the same.
    pub fn findings_write(&self, order: WorkOrderId, newer: FindingsDraft) -> Result<Order, PhoneError> {
        let newer = newer.into_core()?;
        self.inner.act(|phone| phone.findings_write(order, newer)).map(Order::from)
    }

    /// Seals what was captured and hands the test in. All of it happens or none of it.
    pub fn submit(&self, order: WorkOrderId, missing_operators: Vec<MissingOperator>) -> Result<Order, PhoneError> {
        let missing = missing_operators.into_iter().map(Into::into).collect();
        self.inner.act(|phone| phone.submit(order, missing)).map(Order::from)
    }

    /// Seals an order's samples without handing the test in, so that the next sync carries them. Says how many blocks that made.
    pub fn capture_seal(&self, order: WorkOrderId) -> Result<u64, PhoneError> {
        self.inner.act(|phone| Ok::<_, facade::PhoneError>(phone.capture_seal(order)? as u64))
    }
}
