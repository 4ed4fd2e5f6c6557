//! Regions: drawn by the administrator, found by coordinates.

use super::App;
use super::access::Caller;
use super::error::{AppError, AppResult};
use super::events::{EventDraft, Subject};
use crate::workflow::regions::{RegionShape, region_at};
use callout_storage::regions::Region;
use callout_storage::{Page, StorageError, Tx};
use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::Position;
use serde_json::{Value, json};

/// What a region is made of.
#[derive(Clone, Debug)]
pub struct RegionDraft {
    /// The name; no other region has it.
    pub name: String,
    /// A GeoJSON geometry: Polygon or MultiPolygon.
    pub boundary: Value,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i16,
}

fn e6(degrees: f64) -> i32 {
    // A checked shape lies within ±180°, which fits.
    (degrees * 1e6).round() as i32
}

fn shape_of(boundary: &Value) -> AppResult<RegionShape> {
    RegionShape::from_geojson_text(&boundary.to_string())
        .map_err(|error| AppError::new(ProblemType::InvalidField, error.to_string()))
}

impl RegionDraft {
    fn apply(self, region: &mut Region) -> AppResult<()> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 128 {
            return Err(AppError::invalid("properties.name", "must have 1 to 128 characters"));
        }
        if !(-14 * 60..=14 * 60).contains(&self.utc_offset_minutes) {
            return Err(AppError::invalid("properties.utc_offset_minutes", "must lie within ±840"));
        }
        let ((south, west), (north, east)) = shape_of(&self.boundary)?.bounds();
        region.name = name.to_owned();
        region.boundary = self.boundary;
        region.utc_offset_minutes = self.utc_offset_minutes;
        region.min_latitude_e6 = e6(south);
        region.max_latitude_e6 = e6(north);
        region.min_longitude_e6 = e6(west);
        region.max_longitude_e6 = e6(east);
        Ok(())
    }
}

fn name_taken(error: StorageError) -> AppError {
    match error {
        StorageError::UniqueViolation { .. } => {
            AppError::new(ProblemType::AlreadyExists, "properties.name: this name is taken")
        }
        other => other.into(),
    }
}

impl App {
    /// Draws a region.
    ///
    /// # Errors
    /// `invalid-field` for a geometry that is not closed, not simple, too large or not on the Earth; `already-exists`.
    pub fn region_create(&self, caller: &Caller, draft: RegionDraft) -> AppResult<Region> {
        let now = self.env.now();
        let mut region = Region {
            id: self.env.id(),
            name: String::new(),
            boundary: Value::Null,
            min_latitude_e6: 0,
            max_latitude_e6: 0,
            min_longitude_e6: 0,
            max_longitude_e6: 0,
            utc_offset_minutes: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        draft.apply(&mut region)?;
        self.storage.write("region_create", |tx| {
            self.caller_scope(tx, caller)?;
            tx.region_insert(&region).map_err(name_taken)?;
            let draft = EventDraft::new(Subject::Region(region.id), "region_created").by(caller);
            self.event_append(tx, draft.detail(json!({ "name": region.name })))
        })?;
        Ok(region)
    }

    /// Redraws a region. Orders keep the region that they were located in.
    pub fn region_change(&self, caller: &Caller, id: RegionId, draft: RegionDraft) -> AppResult<Region> {
        self.storage.write("region_change", |tx| {
            self.caller_scope(tx, caller)?;
            let mut region = tx.region_by_id(id)?.ok_or_else(|| AppError::not_found("region"))?;
            draft.clone().apply(&mut region)?;
            region.updated_at = self.env.now();
            tx.region_update(&mut region).map_err(name_taken)?;
            let draft = EventDraft::new(Subject::Region(id), "region_changed").by(caller);
            self.event_append(tx, draft.detail(json!({ "name": region.name, "boundary": region.boundary })))?;
            Ok(region)
        })
    }

    /// A region.
    pub fn region_show(&self, caller: &Caller, id: RegionId) -> AppResult<Region> {
        self.storage.read("region_show", |tx| {
            self.caller_scope(tx, caller)?;
            tx.region_by_id(id)?.ok_or_else(|| AppError::not_found("region"))
        })
    }

    /// Regions, newest first.
    pub fn region_list(&self, caller: &Caller, page: Page<RegionId>) -> AppResult<Vec<Region>> {
        self.storage.read("region_list", |tx| {
            self.caller_scope(tx, caller)?;
            Ok(tx.region_list(&page)?)
        })
    }

    /// The region in which a place lies; the smallest where several do.
    pub(crate) fn region_at(&self, tx: &mut Tx, position: Position) -> AppResult<Option<Region>> {
        let candidates = tx.region_candidates_at(position.latitude_e6, position.longitude_e6)?;
        let shapes: Vec<(RegionId, RegionShape)> = candidates
            .iter()
            .map(|region| Ok((region.id, shape_of(&region.boundary).map_err(AppError::internal)?)))
            .collect::<AppResult<_>>()?;
        let found = region_at(position, shapes.iter().map(|(id, shape)| (*id, shape)));
        Ok(found.and_then(|id| candidates.into_iter().find(|region| region.id == id)))
    }
}
