//! 澄湾市 (Chengwan), a city that does not exist: districts, streets, people and what they complain of.
//!
//! The coordinates lie on thinly settled ground in north-west China; names of people say that they are test data, and
//! their phone numbers begin with 169 0000, which lies in none of the ranges that the operators publish for their
//! customers.
//!
//! What does not belong here: what the network is like (`profile`).

use super::random::Random;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::work_orders::{NetworkGeneration, Symptom};
use serde_json::{Value, json};

/// The city.
#[derive(Clone, Copy, Debug)]
pub struct City {
    /// 澄湾市
    pub name_zh: &'static str,
    /// Chengwan
    pub name_en: &'static str,
    /// Its districts; neighbours share their borders point by point.
    pub districts: &'static [District],
}

/// A district.
#[derive(Clone, Copy, Debug)]
pub struct District {
    /// A short name for code and addresses of the API.
    pub code: &'static str,
    /// As people call it.
    pub name_zh: &'static str,
    /// The same in Latin letters.
    pub name_en: &'static str,
    /// Longitude and latitude in degrees, WGS-84, counterclockwise, closed (RFC 7946 §3.1.6).
    pub ring: &'static [(f64, f64)],
    /// Its streets.
    pub streets: &'static [Street],
}

/// A street, as a point in its middle.
#[derive(Clone, Copy, Debug)]
pub struct Street {
    /// As on its sign.
    pub name_zh: &'static str,
    /// The same in Latin letters.
    pub name_en: &'static str,
    /// Degrees.
    pub longitude: f64,
    /// Degrees.
    pub latitude: f64,
}

const fn street(name_zh: &'static str, name_en: &'static str, longitude: f64, latitude: f64) -> Street {
    Street { name_zh, name_en, longitude, latitude }
}

/// 澄湾市 and all that is in it.
pub const CHENGWAN: City = City {
    name_zh: "澄湾市（虚构）",
    name_en: "Chengwan (fictional)",
    districts: &[
        District {
            code: "wanghe",
            name_zh: "望河区",
            name_en: "Wanghe District",
            ring: &[
                (103.30, 37.22),
                (103.39, 37.22),
                (103.385, 37.26),
                (103.40, 37.30),
                (103.41, 37.34),
                (103.405, 37.38),
                (103.30, 37.38),
                (103.30, 37.22),
            ],
            streets: &[
                street("澄江路", "Chengjiang Road", 103.372, 37.295),
                street("老渡口街", "Laodukou Street", 103.350, 37.262),
                street("柳堤巷", "Liudi Lane", 103.331, 37.341),
            ],
        },
        District {
            code: "beiling",
            name_zh: "北岭区",
            name_en: "Beiling District",
            ring: &[
                (103.40, 37.30),
                (103.48, 37.31),
                (103.48, 37.38),
                (103.405, 37.38),
                (103.41, 37.34),
                (103.40, 37.30),
            ],
            streets: &[
                street("云岭大道", "Yunling Avenue", 103.440, 37.335),
                street("松涛路", "Songtao Road", 103.462, 37.360),
                street("校场街", "Jiaochang Street", 103.427, 37.365),
            ],
        },
        District {
            code: "chengnan",
            name_zh: "澄南区",
            name_en: "Chengnan District",
            ring: &[
                (103.39, 37.22),
                (103.48, 37.22),
                (103.48, 37.31),
                (103.40, 37.30),
                (103.385, 37.26),
                (103.39, 37.22),
            ],
            streets: &[
                street("南站路", "Nanzhan Road", 103.425, 37.248),
                street("桥头街", "Qiaotou Street", 103.410, 37.281),
                street("纺织厂路", "Fangzhichang Road", 103.461, 37.272),
            ],
        },
        District {
            code: "yungang",
            name_zh: "云港新区",
            name_en: "Yungang New Area",
            ring: &[
                (103.48, 37.22),
                (103.58, 37.23),
                (103.58, 37.37),
                (103.48, 37.38),
                (103.48, 37.31),
                (103.48, 37.22),
            ],
            streets: &[
                street("港湾一路", "Gangwan 1st Road", 103.520, 37.300),
                street("会展大道", "Huizhan Avenue", 103.545, 37.262),
                street("创新二街", "Chuangxin 2nd Street", 103.508, 37.345),
            ],
        },
    ],
};

impl City {
    /// The districts as a GeoJSON feature collection of polygons, with `code`, `name_zh` and `name_en` as properties.
    pub fn geojson(&self) -> Value {
        let features: Vec<Value> = self
            .districts
            .iter()
            .map(|district| {
                json!({
                    "type": "Feature",
                    "properties": {
                        "code": district.code, "name_zh": district.name_zh, "name_en": district.name_en
                    },
                    "geometry": district.polygon(),
                })
            })
            .collect();
        json!({ "type": "FeatureCollection", "features": features })
    }
}

impl District {
    /// Its border as a GeoJSON geometry.
    pub fn polygon(&self) -> Value {
        let ring: Vec<[f64; 2]> = self.ring.iter().map(|&(longitude, latitude)| [longitude, latitude]).collect();
        json!({ "type": "Polygon", "coordinates": [ring] })
    }
}

/// Someone who does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// As 测试·王澄.
    pub name_zh: String,
    /// As Test Wang Cheng.
    pub name_en: String,
    /// Eleven digits, 169 0000 first.
    pub phone: String,
}

impl Person {
    /// The how-manieth person; numbers repeat after ten thousand.
    pub fn new(number: u64) -> Self {
        const FAMILY: [(&str, &str); 11] = [
            ("赵", "Zhao"),
            ("钱", "Qian"),
            ("孙", "Sun"),
            ("李", "Li"),
            ("周", "Zhou"),
            ("吴", "Wu"),
            ("郑", "Zheng"),
            ("王", "Wang"),
            ("冯", "Feng"),
            ("陈", "Chen"),
            ("卫", "Wei"),
        ];
        const GIVEN: [(&str, &str); 7] = [
            ("澄", "Cheng"),
            ("岭", "Ling"),
            ("河", "He"),
            ("舟", "Zhou"),
            ("桥", "Qiao"),
            ("云", "Yun"),
            ("松", "Song"),
        ];
        let of = |names: &[(&'static str, &'static str)]| {
            usize::try_from(number % names.len() as u64).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
        };
        let (family, given) = (of(&FAMILY), of(&GIVEN));
        Self {
            name_zh: format!("测试·{}{}", family.0, given.0),
            name_en: format!("Test {} {}", family.1, given.1),
            phone: format!("1690000{:04}", number % 10_000),
        }
    }
}

/// What a synthetic customer complains of.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// Who.
    pub customer: Person,
    /// In which district.
    pub district: &'static District,
    /// Road, number, building and unit (R-LOCATE-1).
    pub address_zh: String,
    /// The same in English.
    pub address_en: String,
    /// Where.
    pub position: Position,
    /// What.
    pub symptom: Symptom,
    /// On which generation.
    pub generation: NetworkGeneration,
    /// In the customer's words.
    pub text_zh: String,
    /// The same in English.
    pub text_en: String,
}

struct Grievance {
    symptom: Symptom,
    generation: NetworkGeneration,
    zh: &'static str,
    en: &'static str,
}

const fn grievance(symptom: Symptom, generation: NetworkGeneration, zh: &'static str, en: &'static str) -> Grievance {
    Grievance { symptom, generation, zh, en }
}

const GRIEVANCES: [Grievance; 10] = [
    grievance(
        Symptom::NoSignal,
        NetworkGeneration::Lte,
        "家里进门就没有信号，打电话要跑到阳台，持续两周了。",
        "No signal once inside the flat; calls work only on the balcony. Two weeks now.",
    ),
    grievance(
        Symptom::WeakSignal,
        NetworkGeneration::Lte,
        "卧室只有一格信号，白天晚上都一样，邻居也反映。",
        "One bar in the bedroom, day and night; the neighbours say the same.",
    ),
    grievance(
        Symptom::SlowData,
        NetworkGeneration::Nr,
        "手机显示 5G，但视频一直转圈，晚上八点到十点最慢。",
        "The phone shows 5G, but videos keep loading, worst from eight to ten in the evening.",
    ),
    grievance(
        Symptom::CallDrop,
        NetworkGeneration::Lte,
        "通话几分钟就断，走到楼梯口必断，已经打过三次客服。",
        "Calls drop after minutes, always at the stairs; I have called service three times.",
    ),
    grievance(
        Symptom::CallSetup,
        NetworkGeneration::Lte,
        "别人打我电话提示无法接通，其实我手机开着在家。",
        "Callers hear that I cannot be reached while the phone is on and I am at home.",
    ),
    grievance(
        Symptom::VoiceQuality,
        NetworkGeneration::Lte,
        "通话断断续续，对方听不清我说话，换了手机也一样。",
        "Calls are choppy, the other side cannot understand me; another handset is no better.",
    ),
    grievance(
        Symptom::NoData,
        NetworkGeneration::Lte,
        "地下车库完全上不了网，扫码付不了款，打电话正常。",
        "No data at all in the underground car park, payment codes fail; calls work.",
    ),
    grievance(
        Symptom::WeakSignal,
        NetworkGeneration::Nr,
        "新小区没有 5G 信号，电梯里和 18 楼以上 4G 也很弱。",
        "No 5G in the new estate, and 4G is weak in the lifts and above the 18th floor.",
    ),
    grievance(
        Symptom::SlowData,
        NetworkGeneration::Lte,
        "周末集市的时候网速很慢，收款码刷不出来，影响生意。",
        "On market days data is so slow that payment codes do not load; it costs me business.",
    ),
    grievance(
        Symptom::CallDrop,
        NetworkGeneration::Gsm,
        "打电话时从 4G 掉到 2G 然后就断，开车经过桥头每次都这样。",
        "In calls the phone falls from 4G to 2G and drops, every time I drive past the bridge.",
    ),
];

impl City {
    /// Complaints without end, decided by `seed`; districts and grievances take turns in a shuffled way.
    pub fn complaints(&self, seed: u64) -> impl Iterator<Item = Complaint> + use<> {
        let districts = self.districts;
        let mut random = Random::new(seed);
        let first = random.below(10_000);
        (first..).map_while(move |number| {
            let district = random.pick(districts)?;
            let street = random.pick(district.streets)?;
            let grievance = random.pick(&GRIEVANCES)?;
            let house = random.between(1, 268);
            let (building, unit) = (random.between(1, 12), random.between(1, 4));
            // Within about 100 m of the street's middle, so well inside the district.
            let mut near = |degrees: f64| (degrees * 1e6).round() as i32 + random.between(-900, 900) as i32;
            Some(Complaint {
                customer: Person::new(number),
                district,
                address_zh: format!(
                    "{}{}{}{house}号{building}栋{unit}单元",
                    CHENGWAN.name_zh, district.name_zh, street.name_zh
                ),
                address_en: format!(
                    "{house} {}, building {building}, unit {unit}, {}, {}",
                    street.name_en, district.name_en, CHENGWAN.name_en
                ),
                position: Position {
                    longitude_e6: near(street.longitude),
                    latitude_e6: near(street.latitude),
                    accuracy_m: None,
                    is_mock: false,
                },
                symptom: grievance.symptom,
                generation: grievance.generation,
                text_zh: grievance.zh.to_owned(),
                text_en: grievance.en.to_owned(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn contains(ring: &[(f64, f64)], longitude: f64, latitude: f64) -> bool {
        ring.windows(2).fold(false, |inside, edge| {
            let ((x1, y1), (x2, y2)) = (edge[0], edge[1]);
            let crosses =
                (y1 > latitude) != (y2 > latitude) && longitude < x1 + (latitude - y1) / (y2 - y1) * (x2 - x1);
            inside != crosses
        })
    }

    #[test]
    fn rings_are_closed_and_counterclockwise() {
        for district in CHENGWAN.districts {
            assert_eq!(district.ring.first(), district.ring.last());
            let twice_the_area: f64 =
                district.ring.windows(2).map(|edge| edge[0].0 * edge[1].1 - edge[1].0 * edge[0].1).sum();
            assert!(twice_the_area > 0.0, "{}", district.code);
        }
        assert_eq!(CHENGWAN.geojson()["features"].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn every_complaint_lies_in_its_district_and_in_no_other() {
        for complaint in CHENGWAN.complaints(11).take(500) {
            let inside: Vec<_> = CHENGWAN
                .districts
                .iter()
                .filter(|d| contains(d.ring, complaint.position.longitude(), complaint.position.latitude()))
                .map(|d| d.code)
                .collect();
            assert_eq!(inside, [complaint.district.code]);
        }
    }

    #[test]
    fn people_are_plainly_synthetic_and_told_apart_by_their_numbers() {
        let people: Vec<_> = CHENGWAN.complaints(1).take(1_000).map(|c| c.customer).collect();
        assert!(
            people
                .iter()
                .all(|p| p.name_zh.starts_with("测试·") && p.phone.starts_with("1690000") && p.phone.len() == 11)
        );
        assert_eq!(people.iter().map(|p| &p.phone).collect::<HashSet<_>>().len(), 1_000);
        let texts = |seed| CHENGWAN.complaints(seed).take(20).map(|c| c.address_zh).collect::<Vec<_>>();
        assert_eq!(texts(5), texts(5));
        assert_ne!(texts(5), texts(6));
    }
}
