//! Complaints as customer service took them. What does not belong here: what is done about them (`work_orders`).

use crate::connection::{Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, in_scope, keyset, text_enum, updated};
use crate::schema::complaints;
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, RegionId, UserId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};
use diesel::prelude::*;

text_enum! {
    /// The way a complaint came in (R-INTAKE-1, R-INTAKE-9).
    Channel {
        /// By telephone.
        Phone = "phone" / "电话",
        /// In the operator's app.
        App = "app" / "APP",
        /// On the web site.
        Web = "web" / "网站",
        /// By e-mail.
        Email = "email" / "邮件",
        /// In a shop.
        Shop = "shop" / "营业厅",
        /// From the electronic order system.
        Eoms = "eoms" / "EOMS",
        /// The company's group hotline (10080).
        GroupHotline = "group_hotline" / "集团热线",
        /// The regulator (12300).
        Regulator = "regulator" / "监管机构",
    }
}

text_enum! {
    /// What a complaint is about (R-INTAKE-2).
    ComplaintClass {
        /// The network: becomes a work order.
        Network = "network" / "网络类",
        /// Contracts, fees, products.
        Business = "business" / "业务类",
        /// How people were treated.
        Service = "service" / "服务类",
    }
}

text_enum! {
    /// Where a complaint stands.
    ComplaintState {
        /// Taken, not yet classified.
        Received = "received" / "已受理",
        /// A work order is at it.
        InProgress = "in_progress" / "处理中",
        /// Answered without a work order.
        Answered = "answered" / "已答复",
        /// Finally answered as resolved.
        Resolved = "resolved" / "已解决",
        /// Finally answered as unresolved; a tracking ticket lives on.
        Unresolved = "unresolved" / "未解决",
        /// Taken back by customer service.
        Withdrawn = "withdrawn" / "已撤单",
        /// Dealt with under an earlier complaint of the same problem (R-INTAKE-3).
        Linked = "linked" / "已并入原投诉",
        /// Refused as unreasonable, with an explanation (R-INTAKE-8).
        Refused = "refused" / "已解释拒绝",
        /// The customer does not accept the refusal; the manager looks into it (R-INTAKE-8).
        Contested = "contested" / "客户不接受拒绝",
    }
}

/// A complaint. Personal data: never log it.
#[derive(Clone, PartialEq, Eq, Queryable)]
pub struct Complaint {
    /// Its id.
    pub id: ComplaintId,
    /// The user or system that pushed it.
    pub source_id: UserId,
    /// The source's own reference; unique per source.
    pub reference: String,
    /// Hash of what was pushed, to tell a repetition from another content under the same reference.
    pub content_digest: [u8; 32],
    /// The way it came in.
    pub channel: Channel,
    /// What it is about, once classified.
    pub class: Option<ComplaintClass>,
    /// Where it stands.
    pub state: ComplaintState,
    /// When the customer complained.
    pub received_at: Timestamp,
    /// The customer's name.
    pub customer_name: String,
    /// The number to call.
    pub customer_phone: String,
    /// The customer's words.
    pub description: String,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// Which network generation, if known.
    pub generation: Option<NetworkGeneration>,
    /// Where, in words; empty if not told.
    pub address: String,
    /// When it appears, in words; empty if not told.
    pub occurs: String,
    /// Whether people nearby suffer too, if asked (R-LOCATE-2).
    pub neighbours_affected: Option<bool>,
    /// Latitude in 1e-6 degrees; with the longitude or not at all.
    pub latitude_e6: Option<i32>,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: Option<i32>,
    /// The region, once found.
    pub region_id: Option<RegionId>,
    /// The answer to a complaint that needs no work order.
    pub answer: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: u64,
}

impl std::fmt::Debug for Complaint {
    /// Personal data stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Complaint").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

/// Which complaints a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComplaintFilter {
    /// In these regions.
    pub scope: RegionScope,
    /// Pushed by this source only.
    pub source_id: Option<UserId>,
    /// In one of these states; none means any.
    pub states: Vec<ComplaintState>,
}

impl ComplaintState {
    /// Nothing more happens to the complaint.
    pub fn is_final(self) -> bool {
        match self {
            Self::Received | Self::InProgress | Self::Unresolved | Self::Linked | Self::Contested => false,
            Self::Answered | Self::Resolved | Self::Withdrawn | Self::Refused => true,
        }
    }
}

impl Complaint {
    /// Its place on the map, if known.
    pub fn position(&self) -> Option<Position> {
        Some(Position {
            latitude_e6: self.latitude_e6?,
            longitude_e6: self.longitude_e6?,
            accuracy_m: None,
            is_mock: false,
        })
    }
}

impl Tx {
    /// Records a complaint.
    ///
    /// # Errors
    /// [`StorageError::UniqueViolation`] if the source used the reference before.
    pub fn complaint_insert(&mut self, complaint: &Complaint) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(complaints::table)
                .values(row_values!(
                    complaints,
                    complaint,
                    id,
                    source_id,
                    reference,
                    content_digest,
                    channel,
                    class,
                    state,
                    received_at,
                    customer_name,
                    customer_phone,
                    description,
                    symptom,
                    generation,
                    address,
                    occurs,
                    neighbours_affected,
                    latitude_e6,
                    longitude_e6,
                    region_id,
                    answer,
                    created_at,
                    updated_at,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves a complaint that was read before, and raises its version. Source, reference and digest never change.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn complaint_update(&mut self, complaint: &mut Complaint) -> Result<(), StorageError> {
        let next = Complaint { version: complaint.version + 1, ..complaint.clone() };
        let rows = self.run(|c| {
            diesel::update(
                complaints::table.find(bind(&complaint.id)).filter(complaints::version.eq(bind(&complaint.version))),
            )
            .set(row_values!(
                complaints,
                next,
                channel,
                class,
                state,
                received_at,
                customer_name,
                customer_phone,
                description,
                symptom,
                generation,
                address,
                occurs,
                neighbours_affected,
                latitude_e6,
                longitude_e6,
                region_id,
                answer,
                updated_at,
                version
            ))
            .execute(c)
        })?;
        updated(rows, "complaint")?;
        *complaint = next;
        Ok(())
    }

    /// The complaint of an id.
    pub fn complaint_by_id(&mut self, id: ComplaintId) -> Result<Option<Complaint>, StorageError> {
        self.run(|c| complaints::table.find(bind(&id)).first(c).optional())
    }

    /// The complaint of an id, locked until the unit of work ends.
    pub fn complaint_lock(&mut self, id: ComplaintId) -> Result<Option<Complaint>, StorageError> {
        self.run(|c| locked!(c, complaints::table.find(bind(&id))))
    }

    /// The complaint that a source pushed under a reference.
    pub fn complaint_by_reference(
        &mut self,
        source_id: UserId,
        reference: &str,
    ) -> Result<Option<Complaint>, StorageError> {
        self.run(|c| {
            complaints::table
                .filter(complaints::source_id.eq(bind(&source_id)))
                .filter(complaints::reference.eq(bind(reference)))
                .first(c)
                .optional()
        })
    }

    /// Complaints, newest first.
    pub fn complaint_list(
        &mut self,
        filter: &ComplaintFilter,
        page: &Page<ComplaintId>,
    ) -> Result<Vec<Complaint>, StorageError> {
        self.run(|c| {
            let regions;
            let mut query = in_scope!(complaints::table.into_boxed(), complaints::region_id, &filter.scope, regions);
            if let Some(source_id) = &filter.source_id {
                query = query.filter(complaints::source_id.eq(bind(source_id)));
            }
            if !filter.states.is_empty() {
                query = query.filter(complaints::state.eq_any(filter.states.iter().map(bind)));
            }
            keyset!(query, complaints, created_at, id, page).load(c)
        })
    }

    /// The complaints of these ids, at most 500.
    pub fn complaint_list_by_ids(&mut self, ids: &[ComplaintId]) -> Result<Vec<Complaint>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &ids[..ids.len().min(MAX_PAGE as usize)];
        self.run(|c| complaints::table.filter(complaints::id.eq_any(ids.iter().map(bind))).load(c))
    }
}
