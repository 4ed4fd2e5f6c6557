//! The lives of a city's complaints: what happens next follows from where an order stands, and from chance.
//!
//! Each complaint is looked at when its time comes; whoever has to act acts through the API, and the next look is planned. What a
//! helper of the server refuses is counted; an order that is refused again and again is a violation: nobody could ever end it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

mod endings;
mod rounds;

use super::checks::order_check;
use super::office::{Office, json_of, problem_of};
use super::phones::{SAMPLES, Visit, findings};
use super::{CitySetting, first_morning};
use crate::simulation::chance::Dice;
use crate::simulation::full_phone::FullPhone;
use callout_storage::work_orders::WorkOrder;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::samples::Position;
use callout_sync_protocol::sync::CommandResult;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BinaryHeap};

/// Districts of the city.
pub const REGIONS: usize = 3;
const TESTERS: usize = 5;
const DAY: i64 = 86_400;
/// So many refusals in a row of one case, and nobody could ever end it.
const REFUSALS_MAX: u32 = 25;
/// The districts of the site that goes down, and of the burst in the rainy season.
const OUTAGE_REGION: usize = 1;
const BURST_REGION: usize = 2;
/// So long must a run be to have them.
const EVENTFUL_DAYS: u64 = 30;

const CHANNELS: [&str; 6] = ["phone", "app", "web", "email", "shop", "eoms"];
const SYMPTOMS: [&str; 4] = ["call_drop", "no_signal", "weak_signal", "slow_data"];
const STREETS: [&str; 6] = ["湖滨路", "港湾一路", "解放街", "人民路", "科技大道", "东风巷"];

/// What is known of a complaint in hand.
#[derive(Clone, Debug)]
struct Case {
    reference: u64,
    region: usize,
    /// What the customer pushes in; absent once it is there.
    body: Option<Value>,
    complaint: String,
    order: Option<WorkOrderId>,
    place: Position,
    address: String,
    is_hard: bool,
    visits: u32,
    asked: u32,
    refusals: u32,
    link: Option<String>,
    /// Complains again after the end.
    comes_again: bool,
}

/// What is planned, the earliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plan {
    at: std::cmp::Reverse<Timestamp>,
    case: std::cmp::Reverse<usize>,
}

/// See the module.
pub struct City {
    /// Server and people.
    pub office: Office,
    /// What happened, by name.
    pub counts: BTreeMap<String, u64>,
    /// Refusals by problem.
    pub refused: BTreeMap<String, u64>,
    /// Orders worked on with the real phone core.
    pub full_syncs: u64,
    /// Orders worked on with a light phone.
    pub light_syncs: u64,
    cases: Vec<Case>,
    plans: BinaryHeap<Plan>,
    dice: Dice,
    setting: CitySetting,
    full_phones: Vec<FullPhone>,
    next_meeting: Timestamp,
    next_noon: Timestamp,
}

fn local_hour(at: Timestamp) -> i64 {
    (at.unix_millis() / 1_000 + 8 * 3_600).rem_euclid(DAY) / 3_600
}

/// The next instant from `at` on whose local hour is one of those in which customers may be met and spoken to all along a visit.
fn visiting_time(at: Timestamp) -> Timestamp {
    let mut at = at;
    while !matches!(local_hour(at), 10..12 | 17..20) {
        at = at.plus_seconds(1_800);
    }
    at
}

/// The next instant from `at` on in working hours.
fn working_time(at: Timestamp) -> Timestamp {
    let mut at = at;
    while !matches!(local_hour(at), 8..19) {
        at = at.plus_seconds(1_800);
    }
    at
}

/// The next instant from `at` on in which customers may be called (R-CONTACT-1).
fn calling_time(at: Timestamp) -> Timestamp {
    let mut at = at;
    while !matches!(local_hour(at), 9..12 | 15..20) {
        at = at.plus_seconds(1_800);
    }
    at
}

impl City {
    /// A city with its people, before its first complaint; `None` where the database is not installed.
    pub fn open(setting: &CitySetting) -> Option<Self> {
        let mut office = Office::open(setting.database, setting.seed, REGIONS, first_morning())?;
        let all = office.regions.clone();
        for (region, id) in all.iter().enumerate() {
            for (name, role) in [
                ("agent", "customer_service_agent"),
                ("t1", "t1_dispatcher"),
                ("t2", "t2_branch_desk"),
                ("lead", "regional_lead"),
                ("quality", "quality_control"),
            ] {
                office.user_add(&format!("{name}-{region}"), role, &[*id]);
            }
            for tester in 0..TESTERS {
                office.user_add(&format!("tester-{region}-{tester}"), "field_tester", &[*id]);
            }
        }
        for (name, role) in [
            ("t1-all", "t1_dispatcher"),
            ("lead-all", "regional_lead"),
            ("quality-all", "quality_control"),
            ("auditor-all", "auditor"),
            ("eoms", "integration_client"),
        ] {
            office.user_add(name, role, &all);
        }
        let mut full_phones = Vec::new();
        if setting.full_phone_every > 0 {
            for (region, id) in all.iter().enumerate() {
                let name = format!("phone-{region}");
                office.user_add(&name, "field_tester", &[*id]);
                let folder = office.folder(&name);
                let mut phone = FullPhone::new(&folder, &office.clock, setting.seed ^ region as u64);
                phone.sign_in(&office.server, &name, super::office::PASSWORD);
                full_phones.push(phone);
            }
        }
        let mut city = Self {
            office,
            counts: BTreeMap::new(),
            refused: BTreeMap::new(),
            full_syncs: 0,
            light_syncs: 0,
            cases: Vec::new(),
            plans: BinaryHeap::new(),
            dice: Dice::new(setting.seed),
            setting: *setting,
            full_phones,
            next_noon: first_morning().plus_seconds(12 * 3_600),
            // Friday noon: after Thursday's board.
            next_meeting: first_morning().plus_seconds(4 * DAY + 12 * 3_600),
        };
        city.sites_push();
        city.complaints_plan();
        Some(city)
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn note(&mut self, what: &str, response: &callout_mobile_sdk::engine::HttpResponse) -> bool {
        if response.is_success() {
            self.count(what);
            return true;
        }
        let problem = format!("{what}: {}", problem_of(response));
        *self.refused.entry(problem).or_default() += 1;
        false
    }

    fn plan(&mut self, case: usize, at: Timestamp) {
        self.plans.push(Plan { at: std::cmp::Reverse(at), case: std::cmp::Reverse(case) });
    }

    /// All complaints of the half-year, decided beforehand: an even stream, a site that goes down, a burst of one symptom.
    fn complaints_plan(&mut self) {
        let total = self.setting.complaints;
        let days = self.setting.days.max(1);
        let is_eventful = days >= EVENTFUL_DAYS;
        let (outage_day, burst_day) = (days / 3, days * 4 / 5);
        let outage = if is_eventful { (total / 100).clamp(4, 30) } else { 0 };
        let burst = if is_eventful { (total / 15).max(6) } else { 0 };
        for number in 0..total {
            let (day, region, near) = if number < outage {
                (outage_day + self.dice.below(2), OUTAGE_REGION, Some((400, 500)))
            } else if number < outage + burst {
                (burst_day + self.dice.below(3), BURST_REGION, None)
            } else {
                (self.dice.below(days), self.dice.below(REGIONS as u64) as usize, None)
            };
            let is_burst = number >= outage && number < outage + burst;
            let at = first_morning().plus_seconds(i64::try_from(day).unwrap() * DAY + self.dice.below(86_400) as i64);
            let (east, north) = match near {
                Some((east, north)) => (east + self.dice.below(2), north + self.dice.below(2)),
                None => (100 + self.dice.below(800), 100 + self.dice.below(800)),
            };
            let place = self.office.place(region, east, north);
            let address = format!("{}{}号", STREETS[self.dice.below(6) as usize], 1 + self.dice.below(300));
            let symptom = if is_burst { "slow_data" } else { SYMPTOMS[self.dice.below(4) as usize] };
            // One in twelve customers has complained before, of the same district: who complains anew from elsewhere without saying
            // where is rightly taken for the earlier case, and is then that district's to tell apart.
            let customer = if self.dice.percent(8) {
                self.dice.below(40) * REGIONS as u64 + region as u64
            } else {
                1_000 + number
            };
            let channel = match self.dice.below(100) {
                0..2 => "regulator",
                2..5 => "group_hotline",
                other => CHANNELS[other as usize % CHANNELS.len()],
            };
            let mut body = json!({
                "reference": format!("CS-{number}"), "channel": channel, "received_at": at,
                "customer": { "name": format!("客户{customer}"), "phone": format!("1690{customer:07}") },
                "description": "网络不好，请处理 please look at the network", "symptom": symptom, "address": address,
            });
            if self.dice.percent(80) {
                body["position"] = json!({ "latitude": place.latitude(), "longitude": place.longitude() });
            }
            let case = Case {
                reference: number,
                region,
                body: Some(body),
                complaint: String::new(),
                order: None,
                place,
                address,
                is_hard: self.dice.percent(15),
                visits: 0,
                asked: 0,
                refusals: 0,
                link: None,
                comes_again: self.dice.percent(4),
            };
            self.cases.push(case);
            self.plan(usize::try_from(number).unwrap(), at.plus_seconds(60));
        }
    }

    /// Lives through the half-year and until the last case that can end has ended.
    ///
    /// # Errors
    /// What did not hold.
    pub fn live(&mut self, progress: &mut dyn FnMut(&str)) -> Result<(), String> {
        let end = first_morning().plus_seconds(i64::try_from(self.setting.days).unwrap() * DAY);
        let mut told_day = 0;
        while let Some(Plan { at, case }) = self.plans.pop() {
            let (at, case) = (at.0, case.0);
            // What goes on after the half-year is left as it is then, a week for what is under way.
            if at > end.plus_seconds(7 * DAY) {
                break;
            }
            while self.next_meeting <= at {
                let meeting = self.next_meeting;
                self.office.wait_until(meeting);
                self.weekly();
                self.next_meeting = meeting.plus_seconds(7 * DAY);
            }
            while self.next_noon <= at {
                let noon = self.next_noon;
                self.office.wait_until(noon);
                self.daily(noon);
                self.next_noon = noon.plus_seconds(DAY);
            }
            self.office.wait_until(at);
            let day = (at.unix_millis() - first_morning().unix_millis()) / 1_000 / DAY;
            if day >= told_day + 7 {
                told_day = day;
                progress(&format!(
                    "day {day} 第{day}天: {} complaints 投诉, {} orders 工单, {} requests 请求",
                    self.counts.get("complaint").unwrap_or(&0),
                    self.counts.get("work_order").unwrap_or(&0),
                    self.office.requests
                ));
            }
            let next = self.step(case)?;
            if let Some(order) = self.cases[case].order
                && self.dice.percent(10)
            {
                order_check(&self.office, order)?;
            }
            if let Some(violation) = self.office.violations.first() {
                return Err(violation.clone());
            }
            if let Some(at) = next {
                self.plan(case, at);
            }
        }
        self.office.wait_until(end.plus_seconds(8 * DAY));
        Ok(())
    }

    /// After so many minutes, give or take.
    fn later(&mut self, minutes: u64) -> Timestamp {
        let seconds = minutes * 30 + self.dice.below(minutes * 60 + 1);
        self.office.clock.time().plus_seconds(i64::try_from(seconds).unwrap_or(0))
    }

    /// Something was tried: when to look again.
    fn tried(&mut self, case: usize, is_done: bool, minutes: u64) -> Result<Option<Timestamp>, String> {
        if is_done {
            self.cases[case].refusals = 0;
            let at = self.later(minutes);
            return Ok(Some(working_time(at)));
        }
        self.cases[case].refusals += 1;
        if self.cases[case].refusals > REFUSALS_MAX {
            let state = self.row(case).map(|row| row.state.to_string());
            return Err(format!(
                "case {} ({:?}, state {state:?}) is refused again and again: {:?}",
                case, self.cases[case].order, self.refused
            ));
        }
        let at = self.later(600);
        Ok(Some(working_time(at)))
    }

    fn row(&self, case: usize) -> Option<WorkOrder> {
        let id = self.cases[case].order?;
        self.office.look(|tx| tx.work_order_by_id(id))
    }

    /// One look at a case; when the next one is.
    fn step(&mut self, case: usize) -> Result<Option<Timestamp>, String> {
        if self.cases[case].body.is_some() {
            return self.complain(case);
        }
        let Some(row) = self.row(case) else { return self.classify(case) };
        let region = self.cases[case].region;
        let (t1, lead, agent) = (format!("t1-{region}"), format!("lead-{region}"), format!("agent-{region}"));
        let path = |what: &str| format!("/v1/work-orders/{}/{what}", row.id);
        match row.state {
            WorkOrderState::Received => {
                if self.dice.percent(8) && self.cases[case].asked == 0 {
                    self.cases[case].asked += 1;
                    let asked = self.office.ask(
                        &t1,
                        "POST",
                        &path("ask-customer"),
                        &json!({ "question": "哪一栋？which house?" }),
                    );
                    let is_done = self.note("customer_asked", &asked);
                    self.office.clock.advance_seconds(1_200);
                    let answer = json!({ "answer": "三号楼 number 3" });
                    let answered = self.office.ask(&t1, "POST", &path("customer-answered"), &answer);
                    self.note("customer_answered", &answered);
                    return self.tried(case, is_done, 60);
                }
                let place = self.cases[case].place;
                let body = json!({
                    "address": self.cases[case].address,
                    "position": { "latitude": place.latitude(), "longitude": place.longitude() },
                    "generation": (["4g", "5g"][self.dice.below(2) as usize]),
                    "neighbours_affected": self.dice.percent(20),
                });
                let response = self.office.ask(&t1, "POST", &path("locate"), &body);
                let is_done = self.note("located", &response);
                self.tried(case, is_done, 30)
            }
            WorkOrderState::Located => match self.dice.below(100) {
                0..2 => {
                    let body = json!({ "reason": "恢复正常，用户撤诉 it works again" });
                    let response = self.office.ask(&agent, "POST", &path("withdraw"), &body);
                    let is_done = self.note("withdrawn", &response);
                    self.tried(case, is_done, 30)
                }
                2..12 => self.hand_over(case, &row),
                12..16 => self.stage_reply(case, &row),
                _ => self.dispatch(case, &row),
            },
            WorkOrderState::Dispatched
            | WorkOrderState::Accepted
            | WorkOrderState::Contacted
            | WorkOrderState::OnSite
            | WorkOrderState::SentBack => self.visit(case, &row),
            WorkOrderState::Submitted => {
                let test = row.field_test_id.map(|id| id.to_string()).unwrap_or_default();
                let body = if self.dice.percent(10) {
                    json!({ "decision": "send_back", "reasons": ["请补测卧室 test the bedroom, too"] })
                } else {
                    let kind = ["optimise", "optimise", "fault", "retrofit", "build"][self.dice.below(5) as usize];
                    json!({ "decision": "approve", "quick_relief": "开通VoWiFi Wi-Fi calling", "cure": "调整下倾角 tilt", "kind": kind,
                        "evidence_accepted_because": "现场情况清楚 the case is clear" })
                };
                let response = self.office.ask(&lead, "POST", &format!("/v1/field-tests/{test}/review"), &body);
                let is_done = self.note("reviewed", &response);
                self.tried(case, is_done, 120)
            }
            WorkOrderState::Approved | WorkOrderState::HandoffAnswered => self.conclude(case, &row),
            WorkOrderState::HandedOver => {
                let handoff = self.office.look(|tx| tx.handoff_list_by_work_order(row.id)).pop();
                let id = handoff.map(|handoff| handoff.id.to_string()).unwrap_or_default();
                let outcome = ["done", "done", "planned", "not_possible"][self.dice.below(4) as usize];
                let body = json!({ "outcome": outcome, "answer": "已处理 done on site" });
                let response =
                    self.office.ask(&format!("t2-{region}"), "POST", &format!("/v1/handoffs/{id}/answer"), &body);
                let is_done = self.note("handoff_answered", &response);
                self.tried(case, is_done, 240)
            }
            WorkOrderState::AwaitingRevisit => self.revisit(case, &row),
            WorkOrderState::Unresolved => self.ticket(case, &row),
            WorkOrderState::Resolved | WorkOrderState::Withdrawn => {
                if self.cases[case].comes_again && row.state == WorkOrderState::Resolved {
                    self.cases[case].comes_again = false;
                    return Ok(self.again(case));
                }
                Ok(None)
            }
        }
    }

    fn complain(&mut self, case: usize) -> Result<Option<Timestamp>, String> {
        let body = self.cases[case].body.take().unwrap_or_default();
        let region = self.cases[case].region;
        let desk = if body["channel"] == "eoms" { "eoms".to_owned() } else { format!("agent-{region}") };
        let response = self.office.ask(&desk, "POST", "/v1/complaints", &body);
        if !self.note("complaint", &response) {
            return Err(format!("a complaint was refused: {}", json_of(&response)));
        }
        self.count(&format!("channel {}", body["channel"].as_str().unwrap_or_default()));
        let complaint = json_of(&response);
        self.cases[case].complaint = complaint["id"].as_str().unwrap_or_default().to_owned();
        // A repeat of an open one may be joined to that one's order by the server.
        let at = self.later(40);
        Ok(Some(working_time(at)))
    }

    fn classify(&mut self, case: usize) -> Result<Option<Timestamp>, String> {
        let (region, id) = (self.cases[case].region, self.cases[case].complaint.clone());
        let seen =
            json_of(&self.office.ask(&format!("t1-{region}"), "GET", &format!("/v1/complaints/{id}"), &Value::Null));
        if let Some(order) = seen["work_order_id"].as_str() {
            // Joined to an earlier one; whoever has that goes on with it.
            let order: WorkOrderId = order.parse().map_err(|error| format!("{error}"))?;
            if self.cases.iter().any(|other| other.order == Some(order)) {
                return Ok(None);
            }
            self.cases[case].order = Some(order);
            return Ok(Some(self.office.clock.time().plus_seconds(600)));
        }
        if seen["state"].as_str().is_some_and(|state| state != "received") {
            return Ok(None);
        }
        let body = match self.dice.below(100) {
            0..12 => json!({ "class": "business", "answer": "资费已核实 the fee is right" }),
            12..20 => json!({ "class": "service", "answer": "已致歉 we apologise" }),
            choice => json!({ "class": "network", "urgency": (if choice > 90 { "urgent" } else { "normal" }) }),
        };
        let response =
            self.office.ask(&format!("t1-{region}"), "POST", &format!("/v1/complaints/{id}/classify"), &body);
        let is_done = self.note(&format!("class {}", body["class"].as_str().unwrap_or_default()), &response);
        if !is_done {
            // A repeat of one that was called satisfactory: the customer is asked first (R-INTAKE-3).
            let body = json!({ "customer_agrees": self.dice.percent(50), "words": "已核对记录 compared" });
            let path = format!("/v1/complaints/{id}/comparison");
            let response = self.office.ask(&format!("agent-{region}"), "POST", &path, &body);
            self.note("record_compared", &response);
        }
        if is_done {
            match json_of(&response)["work_order_id"].as_str() {
                Some(order) => {
                    self.count("work_order");
                    self.cases[case].order = order.parse().ok();
                }
                None => return Ok(None),
            }
        }
        self.tried(case, is_done, 60)
    }

    fn dispatch(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let region = self.cases[case].region;
        let every = self.setting.full_phone_every;
        let is_full = every > 0 && self.cases[case].reference.is_multiple_of(every);
        let tester = if is_full {
            format!("phone-{region}")
        } else {
            format!("tester-{region}-{}", self.dice.below(TESTERS as u64))
        };
        let body = json!({ "tester_id": self.office.user(&tester) });
        let response =
            self.office.ask(&format!("t1-{region}"), "POST", &format!("/v1/work-orders/{}/dispatch", row.id), &body);
        let is_done = self.note("dispatched", &response);
        let next = self.tried(case, is_done, 300)?;
        Ok(next.map(visiting_time))
    }

    fn hand_over(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let region = self.cases[case].region;
        let target = if self.dice.percent(50) { "branch" } else { "maintenance" };
        let body = json!({ "target": target, "demand": "请处理 please repair" });
        let response =
            self.office.ask(&format!("t1-{region}"), "POST", &format!("/v1/work-orders/{}/handoffs", row.id), &body);
        let is_done = self.note(&format!("handed over to {target}"), &response);
        self.tried(case, is_done, 900)
    }

    fn stage_reply(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let region = self.cases[case].region;
        let body = json!({ "kind": "stage", "body": "正在处理 we are at it", "next_step": "预约上门 a visit" });
        let response =
            self.office.ask(&format!("t1-{region}"), "POST", &format!("/v1/work-orders/{}/replies", row.id), &body);
        let is_done = self.note("stage_reply", &response);
        self.tried(case, is_done, 60)
    }

    fn visit(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let region = self.cases[case].region;
        let now = self.office.clock.time();
        if visiting_time(now) != now {
            return Ok(Some(visiting_time(now)));
        }
        let names = (0..TESTERS).map(|tester| format!("tester-{region}-{tester}")).chain([format!("phone-{region}")]);
        let mine = names.into_iter().find(|name| {
            (self.setting.full_phone_every > 0 || !name.starts_with("phone"))
                && Some(self.office.user(name)) == row.assigned_to
        });
        let Some(tester) = mine else {
            return Err(format!("order {} is with nobody of district {region}", row.number));
        };
        let (place, address) = (self.cases[case].place, self.cases[case].address.clone());
        self.cases[case].visits += 1;
        let is_done = if tester.starts_with("phone") {
            self.full_syncs += 1;
            let found = findings(place, &address);
            self.full_phones[region].work(&self.office.server, row.id, place, SAMPLES, found)?;
            true
        } else {
            self.light_syncs += 1;
            let visit = Visit { tester: &tester, order: row.id, test: row.field_test_id, place, address: &address };
            let results = if row.state == WorkOrderState::Dispatched && self.dice.percent(3) {
                visit.decline(&mut self.office, &mut self.dice, "今天排满 no time today")
            } else {
                visit.whole(&mut self.office, &mut self.dice)
            }?;
            for result in &results {
                if let CommandResult::Rejected { rejection } = result {
                    *self.refused.entry(format!("field: {}", rejection.problem.slug())).or_default() += 1;
                }
            }
            results.iter().all(|result| matches!(result, CommandResult::Accepted { .. }))
        };
        self.count("visit");
        let next = self.tried(case, is_done, 240)?;
        // The next look may be another visit, or a desk's.
        Ok(next.map(|at| if is_done { at } else { visiting_time(at) }))
    }
}

fn id_of(item: &Value) -> &str {
    item["id"].as_str().unwrap_or_default()
}
