//! The default ladder of each technology (R-LADDER-1). The sources name twelve steps without listing them; these are common
//! practice of radio optimisation, and an administrator replaces them.

use crate::workflow::ladder::{EvidenceRequirement, Ladder, LadderEvidenceKind, LadderStep, Rung};
use callout_sync_protocol::samples::Technology;

/// (key, rung, English, Chinese), one row a step.
type Row = (&'static str, Rung, &'static str, &'static str);

const LTE: [Row; 12] = [
    ("parameters", Rung::Optimise, "Selection, reselection and handover parameters", "小区选择、重选与切换参数"),
    ("neighbours", Rung::Optimise, "Neighbour relations and PCI conflicts", "邻区关系与 PCI 冲突"),
    ("antenna", Rung::Optimise, "Antenna tilt and azimuth", "天线下倾角与方位角"),
    ("power", Rung::Optimise, "Reference-signal power and power offsets", "参考信号功率与功率偏置"),
    ("interference", Rung::Optimise, "Interference search and removal", "干扰排查与清除"),
    ("capacity", Rung::Optimise, "Capacity: load balancing, carriers, licences", "容量：负载均衡、载波与许可扩容"),
    ("repeater", Rung::Retrofit, "Repeater", "直放站"),
    (
        "distributed_system",
        Rung::Retrofit,
        "Indoor distributed antenna system: repair or extension",
        "室内分布系统整改或延伸",
    ),
    ("small_cell", Rung::Retrofit, "Small cell or other new active equipment", "小基站等新增有源设备"),
    (
        "passive_resources",
        Rung::Build,
        "New passive resources: fibre, power, rooms, poles",
        "新建无源资源：光缆、市电、机房、杆塔",
    ),
    ("tower_sharing", Rung::Build, "Sharing through the tower company or a competitor", "铁塔公司或友商资源共享"),
    ("new_site", Rung::Build, "New site", "新建站点"),
];

const NR: [Row; 12] = [
    ("parameters", Rung::Optimise, "Selection, handover and EN-DC anchor parameters", "小区选择、切换与锚点参数"),
    (
        "neighbours",
        Rung::Optimise,
        "NR and inter-system neighbour relations, PCI conflicts",
        "NR 及异系统邻区、PCI 冲突",
    ),
    (
        "antenna",
        Rung::Optimise,
        "Digital and mechanical tilt and azimuth, beam pattern",
        "电子与机械下倾角、方位角及波束",
    ),
    ("power", Rung::Optimise, "SSB power and power sharing with LTE", "SSB 功率及与 LTE 的功率共享"),
    (
        "interference",
        Rung::Optimise,
        "Interference search: external, atmospheric duct, frame timing",
        "干扰排查：外部、大气波导、帧时隙",
    ),
    (
        "capacity",
        Rung::Optimise,
        "Capacity: bandwidth, carrier aggregation, licences",
        "容量：带宽、载波聚合与许可扩容",
    ),
    ("repeater", Rung::Retrofit, "Repeater with frequency shift", "移频直放站"),
    (
        "distributed_system",
        Rung::Retrofit,
        "Distributed system: 5G source or digital indoor system",
        "室分系统 5G 信源或数字化室分改造",
    ),
    ("small_cell", Rung::Retrofit, "Small cell or other new active equipment", "小基站等新增有源设备"),
    (
        "passive_resources",
        Rung::Build,
        "New passive resources: fibre, power, rooms, poles",
        "新建无源资源：光缆、市电、机房、杆塔",
    ),
    (
        "tower_sharing",
        Rung::Build,
        "Co-construction and sharing through the tower company or a competitor",
        "铁塔公司或友商共建共享",
    ),
    ("new_site", Rung::Build, "New site", "新建站点"),
];

const UMTS: [Row; 12] = [
    (
        "parameters",
        Rung::Optimise,
        "Selection, soft handover and inter-system parameters",
        "小区选择、软切换与异系统参数",
    ),
    ("neighbours", Rung::Optimise, "Neighbour relations and scrambling-code conflicts", "邻区关系与扰码冲突"),
    ("antenna", Rung::Optimise, "Antenna tilt and azimuth", "天线下倾角与方位角"),
    ("power", Rung::Optimise, "Pilot power and power ratio", "导频功率与功率配比"),
    ("interference", Rung::Optimise, "Pilot pollution and uplink interference", "导频污染与上行干扰"),
    ("capacity", Rung::Optimise, "Capacity: code and power load, carriers", "容量：码资源、功率负荷与载频"),
    ("repeater", Rung::Retrofit, "Repeater", "直放站"),
    (
        "distributed_system",
        Rung::Retrofit,
        "Indoor distributed antenna system: repair or extension",
        "室内分布系统整改或延伸",
    ),
    ("small_cell", Rung::Retrofit, "Small cell or other new active equipment", "小基站等新增有源设备"),
    (
        "passive_resources",
        Rung::Build,
        "New passive resources: fibre, power, rooms, poles",
        "新建无源资源：光缆、市电、机房、杆塔",
    ),
    ("tower_sharing", Rung::Build, "Sharing through the tower company or a competitor", "铁塔公司或友商资源共享"),
    ("new_site", Rung::Build, "New site", "新建站点"),
];

const GSM: [Row; 12] = [
    ("parameters", Rung::Optimise, "Access, reselection and handover parameters", "接入、重选与切换参数"),
    ("neighbours", Rung::Optimise, "Neighbour relations and BSIC conflicts", "邻区关系与 BSIC 冲突"),
    ("antenna", Rung::Optimise, "Antenna tilt and azimuth", "天线下倾角与方位角"),
    ("power", Rung::Optimise, "Transmit power and power control", "发射功率与功率控制"),
    ("interference", Rung::Optimise, "Frequency plan and interference", "频率规划与干扰排查"),
    ("capacity", Rung::Optimise, "Capacity: channels, half rate, transceivers", "容量：信道配置、半速率与载频"),
    ("repeater", Rung::Retrofit, "Repeater", "直放站"),
    (
        "distributed_system",
        Rung::Retrofit,
        "Indoor distributed antenna system: repair or extension",
        "室内分布系统整改或延伸",
    ),
    ("small_cell", Rung::Retrofit, "Micro cell or other new active equipment", "微蜂窝等新增有源设备"),
    (
        "passive_resources",
        Rung::Build,
        "New passive resources: fibre, power, rooms, poles",
        "新建无源资源：光缆、市电、机房、杆塔",
    ),
    ("tower_sharing", Rung::Build, "Sharing through the tower company or a competitor", "铁塔公司或友商资源共享"),
    ("new_site", Rung::Build, "New site", "新建站点"),
];

/// What shows a step by default: a test, or the number of the change; a photo where something can be seen.
fn evidence_of(key: &str) -> EvidenceRequirement {
    use LadderEvidenceKind as K;
    let kinds = match key {
        "parameters" | "neighbours" | "power" | "interference" | "capacity" => vec![K::FieldTest, K::Reference],
        _ => vec![K::FieldTest, K::Photo, K::Reference],
    };
    EvidenceRequirement { kinds, at_least: 1 }
}

/// The default ladder of a technology.
pub fn default_ladder(technology: Technology) -> Ladder {
    let rows = match technology {
        Technology::Lte => &LTE,
        Technology::Nr => &NR,
        Technology::Umts => &UMTS,
        Technology::Gsm => &GSM,
    };
    let steps = rows
        .iter()
        .map(|(key, rung, name_en, name_zh)| LadderStep {
            key: (*key).to_owned(),
            rung: *rung,
            name_en: (*name_en).to_owned(),
            name_zh: (*name_zh).to_owned(),
            evidence: evidence_of(key),
        })
        .collect();
    Ladder { technology, steps }
}
