//! Regions: which geometries are accepted, and what lies in them.

use crate::workflow::support::{position, region};
use callout_server::workflow::regions::{MAX_REGION_POSITIONS, RegionShape, RegionShapeError, region_at};
use proptest::prelude::*;

fn shape(text: &str) -> Result<RegionShape, RegionShapeError> {
    RegionShape::from_geojson_text(text)
}

fn polygon(rings: &str) -> Result<RegionShape, RegionShapeError> {
    shape(&format!(r#"{{"type":"Polygon","coordinates":[{rings}]}}"#))
}

const SQUARE: &str = "[[114,30],[115,30],[115,31],[114,31],[114,30]]";
const HOLE: &str = "[[114.4,30.4],[114.4,30.6],[114.6,30.6],[114.6,30.4],[114.4,30.4]]";

#[test]
fn a_place_lies_in_a_polygon_or_not() {
    let square = polygon(SQUARE).unwrap();
    assert!(square.contains(position(30.5, 114.5)));
    assert!(square.contains(position(30.0, 114.5)), "the border belongs to it");
    assert!(!square.contains(position(29.999_999, 114.5)));
    assert!(!square.contains(position(114.5, 30.5)), "latitude is not longitude");
    assert_eq!(square.bounds(), ((30.0, 114.0), (31.0, 115.0)));
    let with_hole = polygon(&format!("{SQUARE},{HOLE}")).unwrap();
    assert!(!with_hole.contains(position(30.5, 114.5)));
    assert!(with_hole.contains(position(30.2, 114.5)));
}

#[test]
fn a_multi_polygon_has_several_parts() {
    let text = r#"{"type":"MultiPolygon","coordinates":[[[[114,30],[115,30],[115,31],[114,30]]],[[[120,30],[121,30],[121,31],[120,30]]]]}"#;
    let islands = shape(text).unwrap();
    assert!(islands.contains(position(30.2, 114.8)) && islands.contains(position(30.2, 120.8)));
    assert!(!islands.contains(position(30.2, 117.0)));
}

#[test]
fn of_nested_regions_the_smallest_owns_the_place() {
    let city = polygon(SQUARE).unwrap();
    let district = polygon(HOLE).unwrap();
    let regions = [(region(1), &city), (region(2), &district)];
    assert_eq!(region_at(position(30.5, 114.5), regions), Some(region(2)));
    assert_eq!(region_at(position(30.1, 114.1), regions), Some(region(1)));
    assert_eq!(region_at(position(10.0, 114.1), regions), None);
    // Two of the same shape: the same one every time.
    assert_eq!(region_at(position(30.5, 114.5), [(region(9), &city), (region(3), &city)]), Some(region(3)));
}

#[test]
fn bad_geometries_are_refused_with_the_place_of_the_fault() {
    use RegionShapeError as E;
    assert_eq!(shape("{}"), Err(E::NotGeoJson));
    assert_eq!(shape("[1,2"), Err(E::NotGeoJson));
    assert_eq!(shape(r#"{"type":"Point","coordinates":[114,30]}"#), Err(E::WrongType("Point")));
    assert_eq!(shape(r#"{"type":"Polygon","coordinates":[]}"#), Err(E::Empty));
    assert_eq!(shape(r#"{"type":"MultiPolygon","coordinates":[]}"#), Err(E::Empty));
    assert_eq!(polygon("[]"), Err(E::RingTooShort { polygon: 0, ring: 0 }));
    assert_eq!(polygon("[[114,30],[115,30],[114,30]]"), Err(E::RingTooShort { polygon: 0, ring: 0 }));
    assert_eq!(
        polygon(&format!("{SQUARE},[[114.4,30.4],[114.4,30.6],[114.6,30.6],[114.6,30.4]]")),
        Err(E::RingOpen { polygon: 0, ring: 1 })
    );
    // Latitude first: the most common mistake.
    assert_eq!(
        polygon("[[30,114],[30,115],[31,115],[30,114]]"),
        Err(E::PositionInvalid { polygon: 0, ring: 0, position: 0 })
    );
    let crosses = |rings: &str| match polygon(rings) {
        Err(E::RingsCross { polygon, ring, .. }) => Some((polygon, ring)),
        _ => None,
    };
    assert_eq!(crosses("[[114,30],[115,31],[115,30],[114,31],[114,30]]"), Some((0, 0)), "a bow tie");
    assert_eq!(crosses("[[114,30],[115,30],[115,31],[115,29],[114,30]]"), Some((0, 0)), "a spike");
    assert_eq!(crosses("[[114,30],[115,30],[116,30],[114,30]]"), Some((0, 0)), "no area");
    assert!(crosses(&format!("{SQUARE},[[114.5,30.5],[117,30],[117,31],[114.5,30.5]]")).is_some(), "a hole across");
    assert_eq!(polygon("[[114,30],[115,30],[115,30],[114,30]]"), Err(E::RingTooShort { polygon: 0, ring: 0 }));
    assert!(polygon("[[114,30],[115,30],[115,30],[115,31],[114,30]]").is_ok(), "a position twice in a row is harmless");
    assert_eq!(
        polygon(&format!("{SQUARE},[[116,30],[117,30],[117,31],[116,30]]")),
        Err(E::HoleMisplaced { polygon: 0, ring: 1 })
    );
    let inner = "[[114.45,30.45],[114.45,30.5],[114.5,30.5],[114.45,30.45]]";
    assert_eq!(polygon(&format!("{SQUARE},{HOLE},{inner}")), Err(E::HoleMisplaced { polygon: 0, ring: 2 }));
    let multi = |parts: &str| shape(&format!(r#"{{"type":"MultiPolygon","coordinates":[{parts}]}}"#));
    assert_eq!(multi(&format!("[{SQUARE}],[{HOLE}]")), Err(E::PolygonsOverlap { polygon: 1 }));
    assert!(multi(&format!("[{SQUARE},{HOLE}],[{inner}]")).is_ok(), "an island in a lake");
    let rings = vec![SQUARE; 65].join(",");
    assert_eq!(polygon(&rings), Err(E::TooManyRings));
    let many: Vec<String> = (0..=MAX_REGION_POSITIONS).map(|n| format!("[114,{}]", n as f64 / 1e3)).collect();
    assert_eq!(polygon(&format!("[{}]", many.join(","))), Err(E::TooManyPositions));
}

#[test]
fn a_region_of_the_largest_size_is_accepted() {
    let circle: Vec<String> = (0..MAX_REGION_POSITIONS - 1)
        .chain([0])
        .map(|n| {
            let angle = n as f64 / (MAX_REGION_POSITIONS - 1) as f64 * std::f64::consts::TAU;
            format!("[{},{}]", 114.0 + angle.cos(), 30.0 + angle.sin())
        })
        .collect();
    let circle = polygon(&format!("[{}]", circle.join(","))).unwrap();
    assert!(circle.contains(position(30.0, 114.9)) && !circle.contains(position(30.9, 114.9)));
}

proptest! {
    #[test]
    fn no_geometry_makes_the_check_panic(
        rings in prop::collection::vec(prop::collection::vec((-200.0f64..200.0, -100.0f64..100.0), 0..8), 0..4),
        closed in any::<bool>(),
        latitude in -90.0f64..90.0,
        longitude in -180.0f64..180.0,
    ) {
        let text: Vec<String> = rings
            .into_iter()
            .map(|mut ring| {
                if closed && !ring.is_empty() {
                    ring.push(ring[0]);
                }
                let positions: Vec<String> = ring.iter().map(|(x, y)| format!("[{x},{y}]")).collect();
                format!("[{}]", positions.join(","))
            })
            .collect();
        if let Ok(shape) = polygon(&text.join(",")) {
            shape.contains(position(latitude, longitude));
        }
    }
}
