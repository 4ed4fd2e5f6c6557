//! Seeing the whole at the size of a province: a year of orders is made inside the database, then the questions of a weekly meeting are
//! asked over HTTP (R-KPI-1, R-SUPERVISE-1, R-SUPERVISE-2, R-WARN-1).

use crate::house::{House, now, silent_tester};
use callout_cli::desk::Desk;
use callout_server::app::{App, AppConfig};
use callout_server::env::Env;
use callout_server::workflow::calendar::Day;
use callout_storage::seeding::{YearRegion, YearSeed, year_complaint_id};
use callout_storage::users::User;
use callout_storage::{Storage, StorageError};
use callout_sync_protocol::ids::{DeviceId, RegionId, UserId};
use callout_tests::world::rectangle;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Cities of the province, and testers of each.
const REGIONS: usize = 17;
const TESTERS: usize = 50;
/// Orders made by one statement.
const CHUNK: u64 = 50_000;
/// Sites of each city; all of them are down.
const SITES: i32 = 20;
/// Complaints of one symptom at one place on the last day, so that there is something to warn of.
const BURST: usize = 150;
/// How often each question is asked.
const ASKED: usize = 25;

/// How many orders the command line asks for.
pub fn orders(arguments: &[String]) -> u64 {
    let given = arguments.iter().position(|argument| argument == "--orders").and_then(|at| arguments.get(at + 1));
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    given.map_or(if is_quick { 20_000 } else { 1_000_000 }, |orders| orders.parse().expect("--orders: a number"))
}

fn regions(house: &House, storage: &Storage) -> Vec<YearRegion> {
    (0..REGIONS)
        .map(|number| {
            let (west, south) = (105 + (number % 6) as i32, 25 + (number / 6) as i32);
            let shape = rectangle(west.into(), south.into(), (west + 1).into(), (south + 1).into());
            let id = RegionId(house.admin().region_create(&format!("City {number}"), 480, &shape).unwrap());
            let testers: Vec<User> =
                (0..TESTERS).map(|turn| silent_tester(format!("year-tester-{}", number * TESTERS + turn))).collect();
            storage
                .write("year_testers", |tx| {
                    for tester in &testers {
                        tx.user_insert(tester)?;
                        tx.user_regions_replace(tester.id, &[id])?;
                    }
                    Ok::<_, StorageError>(())
                })
                .unwrap();
            let corner_e6 = (south * 1_000_000, west * 1_000_000);
            YearRegion { id, corner_e6, testers: testers.iter().map(|tester| tester.id).collect() }
        })
        .collect()
}

fn milliseconds(latencies: &mut [Duration]) -> Value {
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    let round = |value: f64| (value * 100.0).round() / 100.0;
    json!({ "p50_ms": round(at(50)), "p99_ms": round(at(99)), "times": latencies.len() })
}

fn ask(desk: &Desk, path: &str) -> Value {
    let mut latencies = Vec::new();
    let mut bytes = 0;
    for turn in 0..=ASKED {
        let began = Instant::now();
        let answer = desk.send("GET", path, &[], &[]).unwrap();
        let took = began.elapsed();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        bytes = answer.body.len();
        // The first one brings the pages into memory, as a server's are.
        if turn > 0 {
            latencies.push(took);
        }
    }
    let mut figures = milliseconds(&mut latencies);
    figures["bytes"] = json!(bytes);
    figures
}

/// Sites of every city, which went down sixty hours ago.
fn sites_down(eoms: &Desk, regions: &[YearRegion]) {
    let degrees = |e6: i32| f64::from(e6) / 1e6;
    for (city, region) in regions.iter().enumerate() {
        let code = |site: i32| format!("SITE-{city}-{site}");
        let (south, west) = region.corner_e6;
        let sites: Vec<Value> = (0..SITES)
            .map(|site| {
                json!({
                    "code": code(site), "name": format!("基站 {city}-{site}"), "kind": "macro", "is_key": site == 0,
                    "position": {
                        "latitude": degrees(south + 400_000 + 10_000 * site), "longitude": degrees(west + 400_000 + 10_000 * site),
                    },
                })
            })
            .collect();
        let began_at = now().plus_seconds(-60 * 3_600);
        let outages: Vec<Value> = (0..SITES)
            .map(|site| json!({ "reference": format!("OUT-{city}-{site}"), "site_code": code(site), "cause": "停电", "began_at": began_at }))
            .collect();
        for (path, items) in [("/v1/sites", sites), ("/v1/site-outages", outages)] {
            let answer = eoms.try_json("PUT", path, &json!({ "items": items })).unwrap();
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
    }
}

/// Complaints that come in over HTTP beside all those that are there: each is compared with the past ones (R-INTAKE-3, R-INTAKE-7).
fn burst(desk: &Desk, region: &YearRegion) -> Value {
    let mut latencies = Vec::new();
    let (south, west) = region.corner_e6;
    for number in 0..BURST {
        let body = json!({
            "reference": format!("BURST-{number}"), "channel": "phone",
            "customer": { "name": "测试·王澄", "phone": format!("168{number:08}") },
            "description": "暴雨后上不了网", "symptom": "no_data", "address": "港湾一路12号",
            "position": { "latitude": f64::from(south) / 1e6 + 0.5, "longitude": f64::from(west) / 1e6 + 0.5 },
        });
        let began = Instant::now();
        let answer = desk.try_json("POST", "/v1/complaints", &body).unwrap();
        latencies.push(began.elapsed());
        assert!((200..300).contains(&answer.status), "{}", answer.text());
    }
    milliseconds(&mut latencies)
}

/// Makes the year and asks.
pub fn measure(house: &House, orders: u64) -> Value {
    let storage = house.storage();
    let regions = regions(house, &storage);
    for role in ["quality_control", "integration_client", "customer_service_agent"] {
        house.user(role);
    }
    let admin = house.admin();
    let from = now().plus_seconds(-365 * 86_400);
    let seed = YearSeed {
        source_id: UserId(admin.user_id),
        device_id: DeviceId(admin.device_id),
        from,
        orders,
        regions: regions.clone(),
    };
    let began = Instant::now();
    for first in (0..orders).step_by(CHUNK as usize) {
        storage.write("seed_year", |tx| tx.seed_year(&seed, first, (first + CHUNK).min(orders))).unwrap();
    }
    storage.write("analyze", |tx| tx.statistics_make()).unwrap();
    let seeded = began.elapsed();
    eprintln!("  {orders} orders made in {seeded:?}");
    let app = App::new(storage.clone(), Env::system(), AppConfig::default()).unwrap();
    let began = Instant::now();
    app.kpi_rebuild(|counted| {
        if counted % 100_000 == 0 {
            eprintln!("  {counted} counted");
        }
    })
    .unwrap();
    let rebuilt = began.elapsed();
    storage.write("analyze", |tx| tx.statistics_make()).unwrap();
    sites_down(&house.desk("integration_client"), &regions);
    let taken = burst(&house.desk("customer_service_agent"), &regions[0]);
    eprintln!("  complaints_taken: {taken}");
    let began = Instant::now();
    for region in &regions {
        app.region_overview(region.id).unwrap();
    }
    let overview = began.elapsed();

    let qc = house.desk("quality_control");
    let today = Day::of(now(), 480);
    let (year, quarter) = (today.plus_days(-364), today.plus_days(-91));
    let region = regions[0].id;
    let mut answers = json!({});
    for (what, path) in [
        ("kpis_year_by_region", format!("/v1/kpis?from={year}&until={today}&group_by=region")),
        ("kpis_year_by_team", format!("/v1/kpis?from={year}&until={today}&group_by=team")),
        ("kpis_year_by_class", format!("/v1/kpis?from={year}&until={today}&group_by=class")),
        ("kpis_year_by_month", format!("/v1/kpis?from={year}&until={today}&group_by=month")),
        ("kpis_year_by_week", format!("/v1/kpis?from={year}&until={today}&group_by=week")),
        ("kpis_quarter_by_day", format!("/v1/kpis?from={quarter}&until={today}&group_by=day")),
        (
            "kpis_year_by_person_of_a_region",
            format!("/v1/kpis?from={year}&until={today}&group_by=person&region_id={region}"),
        ),
        ("overdue_causes_year", format!("/v1/kpis/overdue-causes?from={year}&until={today}")),
        ("weekly_workbook", "/v1/reports/weekly.xlsx".to_owned()),
        ("complaint_clusters", "/v1/complaint-clusters?limit=100".to_owned()),
        ("supervision_entries", "/v1/supervision-entries?limit=100".to_owned()),
        ("sites_down", "/v1/sites/down".to_owned()),
        ("warnings", "/v1/warnings?limit=100".to_owned()),
        ("work_orders_newest", "/v1/work-orders?limit=50".to_owned()),
        ("work_orders_approved", "/v1/work-orders?limit=50&state=approved".to_owned()),
        ("work_orders_submitted_of_a_region", format!("/v1/work-orders?limit=50&state=submitted&region_id={region}")),
        ("complaints_newest", "/v1/complaints?limit=50".to_owned()),
        ("similar_complaints", format!("/v1/complaints/{}/similar", year_complaint_id(orders - 1))),
        ("clocks_of_all_standings", "/v1/clocks?limit=50".to_owned()),
        ("clocks_running", "/v1/clocks?limit=50&standing=running".to_owned()),
        ("clocks_broken_of_a_region", format!("/v1/clocks?limit=50&is_breached=true&region_id={region}")),
    ] {
        answers[what] = ask(&qc, &path);
        eprintln!("  {what}: {}", answers[what]);
    }
    for (what, path) in [
        ("supervision_entries", "/v1/supervision-entries"),
        ("sites_down", "/v1/sites/down"),
        ("warnings", "/v1/warnings"),
    ] {
        let list: Value = qc.get(path).unwrap();
        assert!(
            list["items"].as_array().is_some_and(|items| !items.is_empty()),
            "{what}: nothing was there to be measured"
        );
    }
    json!({
        "orders": orders,
        "seed_seconds": seeded.as_secs_f64(),
        "rebuild_seconds": rebuilt.as_secs_f64(),
        "rebuilt_per_second": orders as f64 / rebuilt.as_secs_f64(),
        "complaints_taken": taken,
        "overview_of_all_regions_seconds": overview.as_secs_f64(),
        "queries": answers,
    })
}
