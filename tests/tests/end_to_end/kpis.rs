//! The figures (R-KPI-1): what is counted when, who may see it, and that counting step by step is counting from scratch.

use super::support::assert_problem;
use callout_cli::desk::Desk;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world::{ROLES, World};
use callout_tests::world_tests;
use serde_json::{Value, json};
use uuid::Uuid;

fn kpis(desk: &Desk, query: &str) -> Value {
    let path = format!("/v1/kpis?from=2026-11-01&until=2026-12-31&{query}");
    let found = desk.send("GET", &path, &[], &[]).unwrap().accepted().unwrap().json();
    assert_eq!(found["pending_changes"], 0, "what was done is seen");
    found
}

/// Everybody who is needed later, since the administrator's sign-in does not last.
fn everybody(world: &World) {
    ROLES.iter().for_each(|role| drop(world.desk(role)));
    drop(world.foreign_desk("regional_lead"));
}

fn hours_pass(world: &World, hours: i64) {
    world.clock.set(world.clock.time().plus_seconds(3_600 * hours));
}

/// An order that the branch has answered, so that it can be held solved.
fn order_answered(world: &World) -> Uuid {
    let order = world.order_located();
    let handoff = world.t1().handoff_create(order, "branch", "property access").unwrap();
    world.desk("t2_branch_desk").handoff_answer(handoff.id, "done", "door is open").unwrap();
    order
}

/// A small generator with a seed, so that a failing history can be told and run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What came of one order so far.
struct Path {
    complaint: Uuid,
    order: Option<Uuid>,
    handoff: Option<Uuid>,
    revisit: Option<Uuid>,
}

/// One step of a random history; what the rules refuse is no step.
fn step(world: &World, dice: &mut Dice, paths: &mut Vec<Path>) {
    let (t1, service) = (world.t1(), world.customer_service());
    if paths.is_empty() || dice.roll(4) == 0 {
        let mut body = world.complaint_body();
        if dice.roll(2) == 0 {
            let longitude = [102.5, 103.5][dice.roll(2) as usize];
            body["position"] = json!({ "latitude": 37.5, "longitude": longitude });
        }
        let complaint = service.complaint_create(&body).unwrap().id;
        return paths.push(Path { complaint, order: None, handoff: None, revisit: None });
    }
    let at = dice.roll(paths.len() as u64) as usize;
    let path = &mut paths[at];
    let Some(order) = path.order else {
        if dice.roll(5) == 0 {
            let _ = t1.complaint_answer_business(path.complaint, "请参见资费说明");
        } else if let Ok(complaint) = t1.complaint_classify_network(path.complaint) {
            path.order = complaint.work_order_id;
        }
        return;
    };
    match dice.roll(9) {
        0 | 1 => drop(t1.work_order_locate(order, "港湾一路12号", 37.5, 103.5)),
        2 | 3 => path.handoff = t1.handoff_create(order, "branch", "x").ok().map(|handoff| handoff.id).or(path.handoff),
        4 | 5 => {
            if let Some(handoff) = path.handoff {
                let _ = world.desk("t2_branch_desk").handoff_answer(handoff, "done", "x");
            }
        }
        6 => path.revisit = world.lead().revisit_create(order, "x").ok().map(|revisit| revisit.id).or(path.revisit),
        7 => {
            if let Some(revisit) = path.revisit {
                let solved = dice.roll(3) > 0;
                let _ = service.revisit_record(revisit, solved, 1 + dice.roll(10) as u8, "");
            }
        }
        _ => match dice.roll(4) {
            0 => drop(t1.work_order_withdraw(order, "x")),
            1 => drop(t1.reply_unresolved(order, "needs a site")),
            _ => drop(t1.reply_stage(order, "we are at it", "a visit")),
        },
    }
}

world_tests! {
    /// R-KPI-1: received, answered, returned falsely, returned again, scored.
    fn r_kpi_1_an_order_is_counted_where_and_when_it_happened(world) {
        everybody(world);
        let order = order_answered(world);
        hours_pass(world, 1);
        world.t1().reply_stage(order, "we are at it", "a visit tomorrow").unwrap();
        let asked = world.lead().revisit_create(order, "new antenna").unwrap();
        world.customer_service().revisit_record(asked.id, false, 2, "still dead").unwrap();
        let total = kpis(&world.lead(), "group_by=region")["total"].clone();
        assert_eq!((&total["received"], &total["closed"], &total["false_return_rate"]), (&json!(1), &json!(0), &json!(1.0)));
        assert_eq!(total["first_response_rate"], 1.0, "R-INTAKE-5: in time");

        hours_pass(world, 5);
        let asked = world.lead().revisit_create(order, "another antenna").unwrap();
        world.customer_service().revisit_record(asked.id, true, 9, "thank you").unwrap();
        let found = kpis(&world.lead(), "group_by=region");
        let total = &found["total"];
        assert_eq!((&total["closed"], &total["timeliness_rate"], &total["returns"]), (&json!(1), &json!(1.0), &json!(2)));
        assert_eq!((&total["false_return_rate"], &total["score_mean"], &total["nps"]), (&json!(0.5), &json!(9.0), &json!(100.0)));
        assert_eq!(total["handling_hours_mean"], 6.0);
        assert!((total["handling_hours_p90"].as_f64().unwrap() / 6.0 - 1.0).abs() < 0.02);
        let region = &found["items"][0];
        assert_eq!((&region["key"], &region["name"]), (&json!(world.regions[0]), &json!("东区 East")));

        // Each person answers for the own part.
        let region = format!("group_by=person&region_id={}", world.regions[0]);
        let people = kpis(&world.lead(), &region);
        let of = |name: &str| people["items"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{people}"));
        assert_eq!(of("customer_service_agent")["received"], 1);
        assert_eq!((&of("regional_lead")["returns"], &of("regional_lead")["false_return_rate"]), (&json!(2), &json!(0.5)));
        let weeks = kpis(&world.lead(), "group_by=week");
        assert_eq!((weeks["items"].as_array().unwrap().len(), &weeks["items"][0]["key"]), (1, &json!("2026-11-23")));
        let classes = kpis(&world.desk("quality_control"), "group_by=class&class=network");
        assert_eq!(classes["items"][0]["key"], "network");
        assert_eq!(kpis(&world.lead(), "group_by=class&class=business")["total"]["received"], 0);
    }

    /// R-KPI-1: late orders are in the Pareto with a cumulative share that ends at one.
    fn r_kpi_1_late_orders_are_in_the_pareto(world) {
        everybody(world);
        let order = order_answered(world);
        hours_pass(world, 30 * 24);
        let asked = world.lead().revisit_create(order, "at last").unwrap();
        world.customer_service().revisit_record(asked.id, true, 6, "").unwrap();
        let total = kpis(&world.lead(), "group_by=month")["total"].clone();
        assert_eq!((&total["timeliness_rate"], &total["overdue"], &total["nps"]), (&json!(0.0), &json!(1), &json!(-100.0)));
        let path = "/v1/kpis/overdue-causes?from=2026-11-01&until=2026-12-31";
        let causes = world.lead().send("GET", path, &[], &[]).unwrap().accepted().unwrap().json();
        assert_eq!(causes["items"].as_array().unwrap().len(), 1);
        assert_eq!((&causes["items"][0]["count"], &causes["items"][0]["cumulative_share"]), (&json!(1), &json!(1.0)));
    }

    /// Regions and persons: a lead sees the own region; personal figures are for quality control and leads, a region at a time.
    fn r_kpi_1_figures_are_told_to_whom_they_concern(world) {
        everybody(world);
        world.order_located();
        assert_eq!(kpis(&world.foreign_desk("regional_lead"), "group_by=region")["total"]["received"], 0);
        let refused = |desk: &Desk, query: &str, problem| {
            let path = format!("/v1/kpis?from=2026-11-01&until=2026-12-31&{query}");
            assert_problem(&desk.send("GET", &path, &[], &[]).unwrap(), problem);
        };
        let here = format!("group_by=person&region_id={}", world.regions[0]);
        refused(&world.t1(), &here, ProblemType::Forbidden);
        refused(&world.desk("auditor"), &here, ProblemType::Forbidden);
        refused(&world.foreign_desk("regional_lead"), &here, ProblemType::NotFound);
        refused(&world.desk("field_tester"), "group_by=region", ProblemType::Forbidden);
        kpis(&world.desk("quality_control"), &here);
        let other = format!("group_by=region&region_id={}", world.regions[1]);
        refused(&world.lead(), &other, ProblemType::NotFound);
        for bad in ["group_by=day", "group_by=mood", "group_by=team&surprise=1", "group_by=region&class=weather"] {
            let path = format!("/v1/kpis?from=2026-01-01&until=2026-12-31&{bad}");
            assert_problem(&world.lead().send("GET", &path, &[], &[]).unwrap(), ProblemType::InvalidField);
        }
    }

    /// R-KPI-1: after any history, counted now and then in steps of any size, the sums are those that counting from scratch gives.
    fn r_kpi_1_counting_step_by_step_is_counting_from_scratch(world) {
        everybody(world);
        for seed in [0x2545_F491_4F6C_DD1D_u64, 0x9E37_79B9_7F4A_7C15] {
            let mut dice = Dice(seed);
            let mut paths = Vec::new();
            for step_number in 0..160 {
                step(world, &mut dice, &mut paths);
                // Not oftener: who signs in again and again is held up.
                if step_number % 40 == 39 {
                    hours_pass(world, 1 + dice.roll(60) as i64);
                }
                if dice.roll(8) == 0 {
                    world.run_due();
                }
            }
            let total = kpis(&world.t1(), "group_by=team")["total"].clone();
            let cells = || world.storage.read("test", |tx| tx.kpi_cell_list_all()).unwrap();
            let step_by_step = cells();
            assert!(step_by_step.0.len() > 20, "seed {seed:#x} did something");
            let counted = world.server.app().kpi_rebuild(|_| ()).unwrap();
            assert!(counted >= paths.len() as u64);
            assert_eq!(cells(), step_by_step, "seed {seed:#x}");
            assert_eq!(kpis(&world.t1(), "group_by=team")["total"], total);
            // And nothing is counted twice when it is counted again.
            world.server.app().kpi_rebuild(|_| ()).unwrap();
            assert_eq!(cells(), step_by_step, "seed {seed:#x}");
        }
    }

    /// R-KPI-1: the workbook for the weekly meeting opens again, in both languages, with a chart, and says what the API says.
    fn r_kpi_1_the_weekly_workbook_opens_again(world) {
        everybody(world);
        use calamine::{Reader as _, Xlsx};
        let order = order_answered(world);
        hours_pass(world, 5 * 24);
        let asked = world.lead().revisit_create(order, "new antenna").unwrap();
        world.customer_service().revisit_record(asked.id, true, 9, "").unwrap();
        let open = |desk: &Desk, query: &str, headers: &[(&str, &str)]| {
            let answer = desk.send("GET", &format!("/v1/reports/weekly.xlsx?{query}"), headers, &[]).unwrap().accepted().unwrap();
            assert!(answer.header("content-disposition").unwrap().contains("callout-weekly-2026-11-23.xlsx"), "{:?}", answer.headers);
            let has_chart = answer.body.windows(20).any(|name| name == b"xl/charts/chart1.xml");
            let book: Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(answer.body)).unwrap();
            (book, has_chart)
        };
        let (mut book, has_chart) = open(&world.lead(), "day=2026-11-28&lang=en", &[]);
        assert!(has_chart, "the Pareto is drawn");
        let names = ["Summary", "By week", "By region", "By team", "By person", "By class", "Overdue causes", "Supervision list", "Sites", "Early warnings"];
        assert_eq!(book.sheet_names(), names);
        let regions = book.worksheet_range("By region").unwrap();
        let cell = |row, column| regions.get_value((row, column)).unwrap().to_string();
        assert_eq!((cell(0, 0).as_str(), cell(0, 4).as_str(), cell(1, 0).as_str(), cell(1, 4).as_str()), ("Region", "Closed", "东区 East", "1"));
        let causes = book.worksheet_range("Overdue causes").unwrap();
        assert_eq!(causes.get_value((0, 3)).unwrap().to_string(), "Cumulative share");

        // By the browser's language, Chinese where it has none; persons only for whom they concern.
        let (book, _) = open(&world.t1(), "day=2026-11-23", &[("accept-language", "zh-CN,en;q=0.5")]);
        assert_eq!(book.sheet_names(), ["汇总", "分周", "分区域", "分班组", "分类别", "超时原因", "三超督办", "断站与规划", "投诉预警"]);
        let (book, _) = open(&world.t1(), "day=2026-11-23", &[("accept-language", "en-GB")]);
        assert_eq!(book.sheet_names()[0], "Summary");
        let answer = world.lead().send("GET", "/v1/reports/weekly.xlsx?lang=fr", &[], &[]).unwrap();
        assert_problem(&answer, ProblemType::InvalidField);
    }
}
