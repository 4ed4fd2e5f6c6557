//! Intakes: what was found and decided when a complaint was taken, one row a complaint (R-INTAKE-3, R-INTAKE-6, R-INTAKE-9), and
//! the indexes by which complaints of one customer, one place and one serving cell are found among millions (R-INTAKE-7).
//! What does not belong here: the rules (`workflow`), the complaint's own words (`complaints`).

use crate::complaints::{Channel, Complaint};
use crate::connection::{Tx, each_backend, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, limit, updated};
use crate::schema::{complaint_cells, complaints, intakes};
use crate::sql_types::{bind, row_values};
use callout_sync_protocol::ids::{ComplaintId, KeyAccountId, UserId};
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{Symptom, Urgency};
use diesel::prelude::*;

/// One complaint's intake.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Intake {
    /// The complaint.
    pub complaint_id: ComplaintId,
    /// Who took it first, and stays answerable until it ends (R-INTAKE-6).
    pub first_contact_id: UserId,
    /// Digest of the customer's number.
    pub customer_digest: [u8; 32],
    /// The key account that the customer belongs to (R-INTAKE-4).
    pub key_account_id: Option<KeyAccountId>,
    /// Judged sensitive (R-RETURN-5).
    pub is_sensitive: bool,
    /// It disturbs normal business (R-CLASS-1).
    pub is_disturbing: bool,
    /// How many customers complain jointly, this one among them (R-CLASS-1).
    pub joint_customers: u32,
    /// What the customer suffers from.
    pub symptom: Symptom,
    /// By which door it came; the answer goes the same way (R-INTAKE-9).
    pub channel: Channel,
    /// When it came.
    pub received_at: Timestamp,
    /// Latitude in 1e-6 degrees, once known.
    pub latitude_e6: Option<i32>,
    /// Longitude in 1e-6 degrees.
    pub longitude_e6: Option<i32>,
    /// The square of the map in which that lies.
    pub grid_cell: Option<i64>,
    /// In the word of the rules (`new`, `repeat`, `supplementary`).
    pub relation: String,
    /// The complaint that it repeats or adds to.
    pub related_id: Option<ComplaintId>,
    /// The first complaint of the same problem.
    pub first_id: Option<ComplaintId>,
    /// The complaint whose order deals with this one, too.
    pub handled_under_id: Option<ComplaintId>,
    /// What it deserves, in the word of the rules (`tell_progress` …).
    pub handling: String,
    /// How pressing it is.
    pub urgency: Urgency,
    /// Why the relation is what it is, in the words of the rules.
    pub reasons: Vec<String>,
    /// It made an earlier return as resolved a false one (R-RETURN-4).
    pub is_false_return: bool,
    /// Who corrected the relation, if somebody did.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    pub decision_reason: Option<String>,
    /// Grows with every change.
    pub version: u64,
}

/// Rows and columns of squares of 0.01 degrees, about a kilometre: so many a turn of the Earth that no two squares share a number.
pub(crate) const GRID_E6: i32 = 10_000;
pub(crate) const GRID_COLUMNS: i64 = 1 << 17;

/// The number of the square of 0.01 degrees in which a place lies.
pub fn grid_cell(latitude_e6: i32, longitude_e6: i32) -> i64 {
    let (row, column) = (latitude_e6.div_euclid(GRID_E6), longitude_e6.div_euclid(GRID_E6));
    i64::from(row) * GRID_COLUMNS + i64::from(column)
}

/// The squares that a box of `latitude_e6` ± and `longitude_e6` ± touches around a place; none are left out, at most 400 are named.
pub fn grid_cells_around(position: (i32, i32), half_e6: (i32, i32)) -> Vec<i64> {
    let range = |center: i32, half: i32| {
        let half = half.clamp(0, 9 * GRID_E6);
        (center.saturating_sub(half).div_euclid(GRID_E6), center.saturating_add(half).div_euclid(GRID_E6))
    };
    let ((south, north), (west, east)) = (range(position.0, half_e6.0), range(position.1, half_e6.1));
    (south..=north)
        .flat_map(|row| (west..=east).map(move |column| i64::from(row) * GRID_COLUMNS + i64::from(column)))
        .collect()
}

impl Intake {
    /// Its place on the map, if known.
    pub fn position(&self) -> Option<Position> {
        Some(Position {
            latitude_e6: self.latitude_e6?,
            longitude_e6: self.longitude_e6?,
            accuracy_m: None,
            is_mock: false,
        })
    }

    /// Sets the place, and the square in which it lies.
    pub fn place(&mut self, latitude_e6: Option<i32>, longitude_e6: Option<i32>) {
        let position = latitude_e6.zip(longitude_e6);
        self.latitude_e6 = position.map(|(latitude, _)| latitude);
        self.longitude_e6 = position.map(|(_, longitude)| longitude);
        self.grid_cell = position.map(|(latitude, longitude)| grid_cell(latitude, longitude));
    }
}

impl Tx {
    /// Records an intake.
    pub fn intake_insert(&mut self, intake: &Intake) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(intakes::table)
                .values(row_values!(
                    intakes,
                    intake,
                    complaint_id,
                    first_contact_id,
                    customer_digest,
                    key_account_id,
                    is_sensitive,
                    is_disturbing,
                    joint_customers,
                    symptom,
                    channel,
                    received_at,
                    latitude_e6,
                    longitude_e6,
                    grid_cell,
                    relation,
                    related_id,
                    first_id,
                    handled_under_id,
                    handling,
                    urgency,
                    reasons,
                    is_false_return,
                    decided_by,
                    decided_at,
                    decision_reason,
                    version
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Saves an intake that was read before, and raises its version. First contact and customer never change.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if somebody else changed it since.
    pub fn intake_update(&mut self, intake: &mut Intake) -> Result<(), StorageError> {
        let next = Intake { version: intake.version + 1, ..intake.clone() };
        let rows = self.run(|c| {
            diesel::update(
                intakes::table.find(bind(&intake.complaint_id)).filter(intakes::version.eq(bind(&intake.version))),
            )
            .set(row_values!(
                intakes,
                next,
                key_account_id,
                is_sensitive,
                is_disturbing,
                joint_customers,
                symptom,
                latitude_e6,
                longitude_e6,
                grid_cell,
                relation,
                related_id,
                first_id,
                handled_under_id,
                handling,
                urgency,
                reasons,
                is_false_return,
                decided_by,
                decided_at,
                decision_reason,
                version
            ))
            .execute(c)
        })?;
        updated(rows, "intake")?;
        *intake = next;
        Ok(())
    }

    /// A complaint's intake.
    pub fn intake_by_complaint(&mut self, id: ComplaintId) -> Result<Option<Intake>, StorageError> {
        self.run(|c| intakes::table.find(bind(&id)).first(c).optional())
    }

    /// A complaint's intake, locked until the unit of work ends. Lock its complaint's order first.
    pub fn intake_lock(&mut self, id: ComplaintId) -> Result<Option<Intake>, StorageError> {
        self.run(|c| locked!(c, intakes::table.find(bind(&id))))
    }

    /// The intakes of these complaints, at most 500.
    pub fn intake_list_by_complaints(&mut self, ids: &[ComplaintId]) -> Result<Vec<Intake>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = &ids[..ids.len().min(MAX_PAGE as usize)];
        self.run(|c| intakes::table.filter(intakes::complaint_id.eq_any(ids.iter().map(bind))).load(c))
    }

    /// A customer's intakes, newest first.
    pub fn intake_list_by_customer(&mut self, digest: &[u8; 32], at_most: u32) -> Result<Vec<Intake>, StorageError> {
        self.run(|c| {
            intakes::table
                .filter(intakes::customer_digest.eq(bind(digest)))
                .order((intakes::received_at.desc(), intakes::complaint_id.desc()))
                .limit(limit(at_most))
                .load(c)
        })
    }

    /// The intakes of the chain that begins with a complaint, oldest first, without that one itself, at most 500.
    pub fn intake_list_by_first(&mut self, first: ComplaintId) -> Result<Vec<Intake>, StorageError> {
        self.run(|c| {
            intakes::table
                .filter(intakes::first_id.eq(bind(&Some(first))))
                .order((intakes::received_at, intakes::complaint_id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// The complaints that are dealt with under another one, oldest first, at most 500.
    pub fn complaint_list_handled_under(&mut self, id: ComplaintId) -> Result<Vec<Complaint>, StorageError> {
        self.run(|c| {
            complaints::table
                .inner_join(intakes::table.on(intakes::complaint_id.eq(complaints::id)))
                .filter(intakes::handled_under_id.eq(bind(&Some(id))))
                .select(complaints::all_columns)
                .order((complaints::created_at, complaints::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// The newest complaints of one symptom in each of these squares, at most so many a square.
    pub fn intake_list_in_squares(
        &mut self,
        squares: &[i64],
        symptom: Symptom,
        at_most_each: u32,
    ) -> Result<Vec<Intake>, StorageError> {
        let mut found = Vec::new();
        // One range of the index a square, each ended by its limit: a crowded square costs no more than a quiet one.
        for square in squares {
            found.extend(self.run(|c| {
                intakes::table
                    .filter(intakes::grid_cell.eq(bind(&Some(*square))))
                    .filter(intakes::symptom.eq(bind(&symptom)))
                    .order(intakes::received_at.desc())
                    .limit(limit(at_most_each))
                    .load::<Intake>(c)
            })?);
        }
        Ok(found)
    }

    /// Notes cells that serve a complaint's place; those noted before stay as they are.
    pub fn complaint_cells_add(
        &mut self,
        id: ComplaintId,
        received_at: Timestamp,
        cells: &[u64],
    ) -> Result<(), StorageError> {
        for cell in cells {
            self.run(|c| {
                each_backend!(c, |c| diesel::insert_into(complaint_cells::table)
                    .values((
                        complaint_cells::complaint_id.eq(bind(&id)),
                        complaint_cells::cell_identity.eq(bind(cell)),
                        complaint_cells::received_at.eq(bind(&received_at)),
                    ))
                    .on_conflict_do_nothing()
                    .execute(c))
            })?;
        }
        Ok(())
    }

    /// The cells noted for a complaint's place.
    pub fn complaint_cells_list(&mut self, id: ComplaintId) -> Result<Vec<u64>, StorageError> {
        self.run(|c| {
            complaint_cells::table
                .filter(complaint_cells::complaint_id.eq(bind(&id)))
                .select(complaint_cells::cell_identity)
                .order(complaint_cells::cell_identity)
                .load(c)
        })
    }

    /// The newest complaints that each of these cells (at most 16) served, at most so many a cell.
    pub fn complaint_ids_by_cells(
        &mut self,
        cells: &[u64],
        at_most_each: u32,
    ) -> Result<Vec<ComplaintId>, StorageError> {
        let mut found = Vec::new();
        for cell in cells.iter().take(16) {
            found.extend(self.run(|c| {
                complaint_cells::table
                    .filter(complaint_cells::cell_identity.eq(bind(cell)))
                    .order(complaint_cells::received_at.desc())
                    .select(complaint_cells::complaint_id)
                    .limit(limit(at_most_each))
                    .load::<ComplaintId>(c)
            })?);
        }
        Ok(found)
    }

    /// Complaints without an intake, from before there were any, at most so many.
    pub fn complaint_list_without_intake(&mut self, at_most: u32) -> Result<Vec<Complaint>, StorageError> {
        self.run(|c| {
            complaints::table
                .left_join(intakes::table.on(intakes::complaint_id.eq(complaints::id)))
                .filter(intakes::complaint_id.is_null())
                .select(complaints::all_columns)
                .order((complaints::created_at, complaints::id))
                .limit(limit(at_most))
                .load(c)
        })
    }
}
