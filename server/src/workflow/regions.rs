//! Regions: a polygon from GeoJSON (RFC 7946), checked, and which region a place lies in.
//!
//! What does not belong here: who is bound to a region (`app`), distances (`places`). Coordinates are treated as plane ones, as
//! RFC 7946 has it; a region that crosses the antimeridian must be cut there (§3.1.9).

use callout_sync_protocol::ids::RegionId;
use callout_sync_protocol::samples::Position;
use geo::{Area, BoundingRect, Contains, Coord, Intersects, Line, LineString, MultiPolygon, Point, Polygon, Rect};
use geojson::{Geometry, GeometryValue};

/// Most positions that a region's geometry may have, all rings together.
pub const MAX_REGION_POSITIONS: usize = 5_000;

/// Most rings that a region's geometry may have, outer and inner together.
pub const MAX_REGION_RINGS: usize = 64;

/// What is wrong with a region's geometry. Polygons and rings are counted from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegionShapeError {
    /// No GeoJSON geometry.
    #[error("geometry: is not a GeoJSON geometry")]
    NotGeoJson,
    /// Neither polygon nor multi-polygon.
    #[error("geometry.type: must be Polygon or MultiPolygon, not {0}")]
    WrongType(&'static str),
    /// No polygon, or a polygon without a ring.
    #[error("geometry.coordinates: must not be empty")]
    Empty,
    /// Too many.
    #[error("geometry.coordinates: must not have more than {MAX_REGION_POSITIONS} positions")]
    TooManyPositions,
    /// Too many.
    #[error("geometry.coordinates: must not have more than {MAX_REGION_RINGS} rings")]
    TooManyRings,
    /// A ring of fewer than four positions encloses nothing.
    #[error("geometry.coordinates: ring {ring} of polygon {polygon} must have at least 4 positions")]
    RingTooShort {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
    },
    /// The last position is another than the first.
    #[error("geometry.coordinates: ring {ring} of polygon {polygon} must end where it begins")]
    RingOpen {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
    },
    /// A position of fewer than two or more than three numbers, or outside the ranges; often latitude and longitude swapped.
    #[error(
        "geometry.coordinates: position {position} of ring {ring} of polygon {polygon} must be [longitude, latitude] within ±180 and ±90"
    )]
    PositionInvalid {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
        /// Which position of it.
        position: usize,
    },
    /// A ring crosses or touches itself or another one, or turns back on itself.
    #[error(
        "geometry.coordinates: ring {ring} of polygon {polygon} crosses or touches a ring (maybe itself) near longitude {longitude}, latitude {latitude}"
    )]
    RingsCross {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
        /// Where, in degrees.
        longitude: f64,
        /// Where, in degrees.
        latitude: f64,
    },
    /// An inner ring lies outside its outer one, or inside another inner one.
    #[error(
        "geometry.coordinates: ring {ring} of polygon {polygon} must lie inside ring 0 and outside the other inner rings"
    )]
    HoleMisplaced {
        /// Which polygon.
        polygon: usize,
        /// Which ring of it.
        ring: usize,
    },
    /// Two polygons cover the same ground.
    #[error("geometry.coordinates: polygon {polygon} lies inside another polygon")]
    PolygonsOverlap {
        /// Which polygon.
        polygon: usize,
    },
}

/// A region's polygon, checked and ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionShape {
    polygons: MultiPolygon<f64>,
    bounds: Rect<f64>,
}

impl RegionShape {
    /// Reads the text of a GeoJSON geometry.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_geojson_text(text: &str) -> Result<Self, RegionShapeError> {
        let geometry: Geometry = text.parse().map_err(|_| RegionShapeError::NotGeoJson)?;
        Self::from_geojson(&geometry)
    }

    /// Checks a GeoJSON geometry: closed rings, ranges, bounded size, nothing crossing.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_geojson(geometry: &Geometry) -> Result<Self, RegionShapeError> {
        let polygons: Vec<&Vec<Vec<geojson::Position>>> = match &geometry.value {
            GeometryValue::Polygon { coordinates } => vec![coordinates],
            GeometryValue::MultiPolygon { coordinates } => coordinates.iter().collect(),
            other => return Err(RegionShapeError::WrongType(other.type_name())),
        };
        if polygons.is_empty() || polygons.iter().any(|rings| rings.is_empty()) {
            return Err(RegionShapeError::Empty);
        }
        if polygons.iter().map(|rings| rings.len()).sum::<usize>() > MAX_REGION_RINGS {
            return Err(RegionShapeError::TooManyRings);
        }
        if polygons.iter().flat_map(|rings| rings.iter()).map(Vec::len).sum::<usize>() > MAX_REGION_POSITIONS {
            return Err(RegionShapeError::TooManyPositions);
        }
        let polygons: Vec<Polygon<f64>> = polygons
            .into_iter()
            .enumerate()
            .map(|(polygon, rings)| {
                let mut lines = rings.iter().enumerate().map(|(ring, positions)| ring_line(polygon, ring, positions));
                // Not empty, as was checked above; an empty outer ring would be refused below.
                let outer = lines.next().unwrap_or_else(|| Ok(LineString::new(Vec::new())))?;
                Ok(Polygon::new(outer, lines.collect::<Result<_, _>>()?))
            })
            .collect::<Result<_, RegionShapeError>>()?;
        let polygons = MultiPolygon::new(polygons);
        rings_apart(&polygons)?;
        rings_nested(&polygons)?;
        let bounds = polygons.bounding_rect().ok_or(RegionShapeError::Empty)?;
        Ok(Self { polygons, bounds })
    }

    /// Whether the place lies in the region; its border belongs to it.
    pub fn contains(&self, position: Position) -> bool {
        let point = Point::new(position.longitude(), position.latitude());
        self.bounds.intersects(&point) && self.polygons.intersects(&point)
    }

    /// South-west and north-east corners as (latitude, longitude) in degrees, for a first, cheap choice of candidates.
    pub fn bounds(&self) -> ((f64, f64), (f64, f64)) {
        let (min, max) = (self.bounds.min(), self.bounds.max());
        ((min.y, min.x), (max.y, max.x))
    }

    /// The area in square degrees; only to compare regions that lie at the same place.
    fn area(&self) -> f64 {
        self.polygons.unsigned_area()
    }
}

fn ring_line(
    polygon: usize,
    ring: usize,
    positions: &[geojson::Position],
) -> Result<LineString<f64>, RegionShapeError> {
    let coords = positions
        .iter()
        .enumerate()
        .map(|(position, numbers)| match numbers.as_slice() {
            [x, y] | [x, y, _] if (-180.0..=180.0).contains(x) && (-90.0..=90.0).contains(y) => {
                Ok(Coord { x: *x, y: *y })
            }
            _ => Err(RegionShapeError::PositionInvalid { polygon, ring, position }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if coords.len() < 4 {
        return Err(RegionShapeError::RingTooShort { polygon, ring });
    }
    if coords.first() != coords.last() {
        return Err(RegionShapeError::RingOpen { polygon, ring });
    }
    // A position given twice in a row is a habit of some tools, and harmless.
    let mut distinct = coords;
    distinct.dedup();
    if distinct.len() < 4 {
        return Err(RegionShapeError::RingTooShort { polygon, ring });
    }
    Ok(LineString::new(distinct))
}

/// One side of a ring.
struct Side {
    polygon: usize,
    ring: usize,
    index: usize,
    /// How many sides its ring has.
    of: usize,
    line: Line<f64>,
}

impl Side {
    fn min_x(&self) -> f64 {
        self.line.start.x.min(self.line.end.x)
    }

    fn max_x(&self) -> f64 {
        self.line.start.x.max(self.line.end.x)
    }

    /// The other begins where this one ends.
    fn is_followed_by(&self, other: &Self) -> bool {
        (self.polygon, self.ring) == (other.polygon, other.ring) && (self.index + 1) % self.of == other.index
    }
}

/// The second side runs back over the first.
fn turns_back(first: &Side, second: &Side) -> bool {
    let (a, b) = (first.line.delta(), second.line.delta());
    a.x * b.y == a.y * b.x && a.x * b.x + a.y * b.y < 0.0
}

/// No two sides cross or touch, but where one follows the other. Sides sorted from west to east are compared with those that
/// begin before they end, which is few of them for anything that looks like a region.
fn rings_apart(polygons: &MultiPolygon<f64>) -> Result<(), RegionShapeError> {
    let mut sides = Vec::new();
    for (polygon, shape) in polygons.iter().enumerate() {
        for (ring, line) in std::iter::once(shape.exterior()).chain(shape.interiors()).enumerate() {
            let of = line.lines().count();
            sides.extend(line.lines().enumerate().map(|(index, line)| Side { polygon, ring, index, of, line }));
        }
    }
    sides.sort_by(|a, b| a.min_x().total_cmp(&b.min_x()));
    for (index, side) in sides.iter().enumerate() {
        for other in sides[index + 1..].iter().take_while(|other| other.min_x() <= side.max_x()) {
            let is_wrong = if side.is_followed_by(other) {
                turns_back(side, other)
            } else if other.is_followed_by(side) {
                turns_back(other, side)
            } else {
                side.line.intersects(&other.line)
            };
            if is_wrong {
                let Coord { x: longitude, y: latitude } = other.line.start;
                let (polygon, ring) = (other.polygon, other.ring);
                return Err(RegionShapeError::RingsCross { polygon, ring, longitude, latitude });
            }
        }
    }
    Ok(())
}

/// Inner rings lie inside their outer one and apart from each other, polygons apart from each other. As no rings touch, one
/// position of each tells.
fn rings_nested(polygons: &MultiPolygon<f64>) -> Result<(), RegionShapeError> {
    let first_of = |ring: &LineString<f64>| ring.0.first().copied().map(Point::from);
    for (polygon, shape) in polygons.iter().enumerate() {
        let outer = Polygon::new(shape.exterior().clone(), Vec::new());
        for (hole, ring) in shape.interiors().iter().enumerate() {
            let Some(point) = first_of(ring) else { continue };
            let in_another = shape.interiors().iter().enumerate().any(|(other, hole_ring)| {
                other != hole && Polygon::new(hole_ring.clone(), Vec::new()).contains(&point)
            });
            if in_another || !outer.contains(&point) {
                return Err(RegionShapeError::HoleMisplaced { polygon, ring: hole + 1 });
            }
        }
        let Some(point) = first_of(shape.exterior()) else { continue };
        if polygons.iter().enumerate().any(|(other, around)| other != polygon && around.contains(&point)) {
            return Err(RegionShapeError::PolygonsOverlap { polygon });
        }
    }
    Ok(())
}

/// The region in which the place lies. Where several do (a district inside a city), the smallest; of equal ones, the lowest id.
pub fn region_at<'a>(
    position: Position,
    candidates: impl IntoIterator<Item = (RegionId, &'a RegionShape)>,
) -> Option<RegionId> {
    candidates
        .into_iter()
        .filter(|(_, shape)| shape.contains(position))
        .min_by(|(a_id, a), (b_id, b)| a.area().total_cmp(&b.area()).then(a_id.cmp(b_id)))
        .map(|(id, _)| id)
}
