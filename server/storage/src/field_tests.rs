//! Field tests: one visit's evidence, and whether it counts. What does not belong here: blocks and photos themselves.

use crate::connection::{Tx, each_backend, locked, locked_all};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, Page, RegionScope, Standing, in_scope, keyset, text_enum, updated};
use crate::schema::{field_tests, work_orders};
use crate::sql_types::{bind, json_value, row_values};
use callout_sync_protocol::commands::{BlockCitation, Findings, MissingOperator};
use callout_sync_protocol::evidence::EvidenceTemplate;
use callout_sync_protocol::ids::{DeviceId, FieldTestId, PhotoId, UserId, WorkOrderId};
use callout_sync_protocol::problem::Rejection;
use callout_sync_protocol::time::Timestamp;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

text_enum! {
    /// Where a field test stands.
    FieldTestState {
        /// Samples and photos are being taken.
        Begun = "begun" / "测试中",
        /// Waits for review.
        Submitted = "submitted" / "待审核",
        /// The review sent it back.
        SentBack = "sent_back" / "已退回",
        /// The review approved it.
        Approved = "approved" / "已审核",
    }
}

/// What a tester handed in: the evidence cited, and why a network is missing (R-TEST-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Every sealed block of the test.
    pub blocks: Vec<BlockCitation>,
    /// Every photo of the test.
    pub photos: Vec<PhotoId>,
    /// Why an operator's network was not tested.
    pub missing_operators: Vec<MissingOperator>,
}
json_value!(Submission);

/// One visit's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct FieldTest {
    /// Its id, made by the phone.
    pub id: FieldTestId,
    /// The order that it was made for; may be unknown here.
    pub work_order_id: WorkOrderId,
    /// Who made it.
    pub tester_id: UserId,
    /// On which phone.
    pub device_id: DeviceId,
    /// Whether it counts.
    pub standing: Standing,
    /// Why it does not.
    pub standing_reason: Option<Rejection>,
    /// Where it stands.
    pub state: FieldTestState,
    /// When it began, by the phone's clock.
    pub begun_at: Timestamp,
    /// The findings, once recorded (R-TEST-2).
    pub findings: Option<Findings>,
    /// What was handed in last.
    pub submission: Option<Submission>,
    /// When it was handed in last, by the phone's clock.
    pub submitted_at: Option<Timestamp>,
    /// How often it was handed in.
    pub submission_count: u32,
    /// Grows with every change.
    pub version: u64,
    /// What it had to have when it was handed in last (R-TEST-1).
    pub evidence_template: Option<EvidenceTemplate>,
}

impl Tx {
    /// Adds a test unless one of this id exists. Returns whether it was added.
    pub fn field_test_insert(&mut self, test: &FieldTest) -> Result<bool, StorageError> {
        self.run(|c| {
            each_backend!(c, |c| diesel::insert_into(field_tests::table)
                .values(row_values!(
                    field_tests,
                    test,
                    id,
                    work_order_id,
                    tester_id,
                    device_id,
                    standing,
                    standing_reason,
                    state,
                    begun_at,
                    findings,
                    submission,
                    submitted_at,
                    submission_count,
                    version,
                    evidence_template
                ))
                .on_conflict_do_nothing()
                .execute(c))
        })
        .map(|rows| rows > 0)
    }

    /// Saves a test that was read before, and raises its version. Order, tester and device never change.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn field_test_update(&mut self, test: &mut FieldTest) -> Result<(), StorageError> {
        let version = test.version + 1;
        let rows = self.run(|c| {
            diesel::update(field_tests::table.find(bind(&test.id)).filter(field_tests::version.eq(bind(&test.version))))
                .set((
                    row_values!(
                        field_tests,
                        test,
                        standing,
                        standing_reason,
                        state,
                        begun_at,
                        findings,
                        submission,
                        submitted_at,
                        submission_count,
                        evidence_template
                    ),
                    field_tests::version.eq(bind(&version)),
                ))
                .execute(c)
        })?;
        updated(rows, "field test")?;
        test.version = version;
        Ok(())
    }

    /// The test of an id.
    pub fn field_test_by_id(&mut self, id: FieldTestId) -> Result<Option<FieldTest>, StorageError> {
        self.run(|c| field_tests::table.find(bind(&id)).first(c).optional())
    }

    /// The test of an id, locked until the unit of work ends.
    pub fn field_test_lock(&mut self, id: FieldTestId) -> Result<Option<FieldTest>, StorageError> {
        self.run(|c| locked!(c, field_tests::table.find(bind(&id))))
    }

    /// Those of these tests that exist, locked until the unit of work ends, in the order of their ids. One query for all.
    pub fn field_test_list_lock(&mut self, ids: &[FieldTestId]) -> Result<Vec<FieldTest>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.run(|c| {
            locked_all!(
                c,
                field_tests::table.filter(field_tests::id.eq_any(ids.iter().map(bind))).order(field_tests::id)
            )
        })
    }

    /// An order's tests, oldest first, at most 500.
    pub fn field_test_list_by_work_order(&mut self, id: WorkOrderId) -> Result<Vec<FieldTest>, StorageError> {
        self.run(|c| {
            field_tests::table
                .filter(field_tests::work_order_id.eq(bind(&id)))
                .order((field_tests::begun_at, field_tests::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// Quarantined tests, newest first; those of unknown orders count as unlocated.
    pub fn field_test_list_quarantined(
        &mut self,
        scope: &RegionScope,
        page: &Page<FieldTestId>,
    ) -> Result<Vec<FieldTest>, StorageError> {
        self.run(|c| {
            let regions;
            let joined = field_tests::table
                .left_join(work_orders::table.on(work_orders::id.eq(field_tests::work_order_id)))
                .filter(field_tests::standing.eq(bind(&Standing::Quarantined)))
                .select(field_tests::all_columns)
                .into_boxed();
            let query = in_scope!(joined, work_orders::region_id, scope, regions);
            keyset!(query, field_tests, begun_at, id, page).load(c)
        })
    }
}
