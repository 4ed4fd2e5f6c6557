//! Random commands from random roles against the whole server: what must hold is checked after each of them.
//!
//! A run is a list of [`Step`]s made from a seed; numbers that name something are taken modulo how many there are, so that any
//! part of a list is a run as well, and a list that found something can be shrunk. What does not belong here: faults of the network
//! (`simulation`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation stops at what it does not expect"
)]

mod desks;

use super::checks::{build_demands_check, clocks_check, order_check, orders_all, trail_check};
use super::office::{Office, json_of, problem_of};
use super::phones::Visit;
use crate::simulation::Database;
use crate::simulation::chance::Dice;
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::work_orders::WorkOrderState;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The desks of a region that give commands.
const ROLES: [&str; 8] = [
    "customer_service_agent",
    "t1_dispatcher",
    "t2_branch_desk",
    "regional_lead",
    "quality_control",
    "auditor",
    "integration_client",
    "administrator",
];
const REGIONS: usize = 2;
const TESTERS: usize = 2;

/// What somebody tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the routes")]
pub enum Verb {
    Complain,
    Classify,
    Locate,
    Dispatch,
    Reassign,
    Withdraw,
    Visit,
    Decline,
    Approve,
    SendBack,
    HandOver,
    HandoffAnswer,
    Ladder,
    StageReply,
    FinalUnresolved,
    HoldSolved,
    RevisitYes,
    RevisitNo,
    LinkYes,
    Chase,
    AskBranch,
    AskCustomer,
    CustomerAnswered,
    Raise,
    BuildDemand,
    Erase,
    Wait,
}

const VERBS: [Verb; 27] = [
    Verb::Complain,
    Verb::Classify,
    Verb::Locate,
    Verb::Dispatch,
    Verb::Reassign,
    Verb::Withdraw,
    Verb::Visit,
    Verb::Decline,
    Verb::Approve,
    Verb::SendBack,
    Verb::HandOver,
    Verb::HandoffAnswer,
    Verb::Ladder,
    Verb::StageReply,
    Verb::FinalUnresolved,
    Verb::HoldSolved,
    Verb::RevisitYes,
    Verb::RevisitNo,
    Verb::LinkYes,
    Verb::Chase,
    Verb::AskBranch,
    Verb::AskCustomer,
    Verb::CustomerAnswered,
    Verb::Raise,
    Verb::BuildDemand,
    Verb::Erase,
    Verb::Wait,
];

/// One command of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is tried.
    pub verb: Verb,
    /// The region of whoever tries it.
    pub region: u8,
    /// The role; the fitting one where it is above the number of roles.
    pub role: u8,
    /// The order or complaint that is meant.
    pub target: u16,
    /// A choice, where there is one.
    pub choice: u8,
}

/// A run in which everything held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Commands that were done.
    pub done: u64,
    /// Commands that were refused, by problem.
    pub refused: BTreeMap<String, u64>,
    /// Orders by state in the end.
    pub states: BTreeMap<String, u64>,
    /// Events on the trail.
    pub events: u64,
}

/// The commands of a seed: mostly what the state asks for from the role that may, now and then anything from anybody.
pub fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut one = |index: usize| {
        let verb = if index < 4 || dice.percent(8) {
            Verb::Complain
        } else if dice.percent(10) {
            Verb::Wait
        } else {
            VERBS[dice.below(VERBS.len() as u64) as usize]
        };
        // Erasing ends a case; seldom, so that others go on.
        let verb = if verb == Verb::Erase && dice.percent(80) { Verb::Visit } else { verb };
        let role = if dice.percent(80) { u8::MAX } else { dice.below(ROLES.len() as u64) as u8 };
        Step {
            verb,
            region: dice.below(REGIONS as u64) as u8,
            role,
            target: dice.below(1_000) as u16,
            choice: dice.below(256) as u8,
        }
    };
    (0..count).map(&mut one).collect()
}

struct Town {
    office: Office,
    dice: Dice,
    /// Every complaint with its region, once it has one.
    complaints: Vec<(String, usize)>,
    /// Every order with its region.
    orders: Vec<(WorkOrderId, usize)>,
    links: Vec<String>,
    tally: Tally,
}

/// Runs a list of commands in a fresh town; `None` where its database is not installed.
///
/// # Errors
/// How many commands were given, and what did not hold then.
pub fn run(seed: u64, database: Database, steps: &[Step]) -> Option<Result<Tally, (usize, String)>> {
    let mut done = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut town = Town::open(seed, database)?;
        Some(town.run(steps, &mut done))
    }));
    match outcome {
        Ok(outcome) => outcome.map(|result| result.map_err(|what| (done, what))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(Err((done, format!("panicked: {}", text.unwrap_or_default()))))
        }
    }
}

/// A shorter list that fails as well, by leaving out ever smaller parts; at most `tries` runs.
pub fn shrink(seed: u64, database: Database, failing: &[Step], mut tries: u32) -> Vec<Step> {
    let mut list = failing.to_vec();
    let mut part = list.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < list.len() && tries > 0 {
            let mut shorter = list.clone();
            shorter.drain(from..(from + part).min(list.len()));
            tries -= 1;
            if matches!(run(seed, database, &shorter), Some(Err(_))) {
                list = shorter;
            } else {
                from += part;
            }
        }
        if part == 1 || tries == 0 {
            return list;
        }
        part = part.div_ceil(2);
    }
}

/// What the state of an order asks for; nothing where it has ended.
fn natural(state: WorkOrderState, choice: u8) -> Option<Verb> {
    use WorkOrderState as S;
    Some(match state {
        S::Received => Verb::Locate,
        S::Located => Verb::Dispatch,
        S::Dispatched | S::Accepted | S::Contacted | S::OnSite | S::SentBack => Verb::Visit,
        S::Submitted if choice.is_multiple_of(5) => Verb::SendBack,
        S::Submitted => Verb::Approve,
        S::Approved | S::HandoffAnswered => {
            [Verb::Ladder, Verb::HandOver, Verb::HoldSolved, Verb::HoldSolved, Verb::FinalUnresolved]
                [usize::from(choice) % 5]
        }
        S::HandedOver => Verb::HandoffAnswer,
        S::AwaitingRevisit if choice.is_multiple_of(3) => Verb::RevisitNo,
        S::AwaitingRevisit => Verb::RevisitYes,
        S::Unresolved => {
            [Verb::Ladder, Verb::Ladder, Verb::HoldSolved, Verb::BuildDemand, Verb::RevisitYes][usize::from(choice) % 5]
        }
        S::Resolved | S::Withdrawn => return None,
    })
}

/// The role that a verb is for.
fn fitting(verb: Verb) -> &'static str {
    match verb {
        Verb::Complain | Verb::Withdraw | Verb::RevisitYes | Verb::RevisitNo | Verb::LinkYes => {
            "customer_service_agent"
        }
        Verb::Chase | Verb::AskBranch => "customer_service_agent",
        Verb::Classify | Verb::Locate | Verb::Dispatch | Verb::Reassign | Verb::HandOver => "t1_dispatcher",
        Verb::StageReply | Verb::FinalUnresolved | Verb::AskCustomer | Verb::CustomerAnswered => "t1_dispatcher",
        Verb::HandoffAnswer => "t2_branch_desk",
        Verb::Approve | Verb::SendBack | Verb::Ladder | Verb::HoldSolved | Verb::Raise | Verb::BuildDemand => {
            "regional_lead"
        }
        Verb::Erase => "administrator",
        Verb::Visit | Verb::Decline | Verb::Wait => "field_tester",
    }
}

impl Town {
    fn open(seed: u64, database: Database) -> Option<Self> {
        let mut office = Office::open(database, seed, REGIONS, "2026-11-23T02:00:00Z".parse().unwrap())?;
        for region in 0..REGIONS {
            let scope = [office.regions[region]];
            for role in ROLES {
                office.user_add(&format!("{role}-{region}"), role, &scope);
            }
            for tester in 0..TESTERS {
                office.user_add(&format!("tester-{region}-{tester}"), "field_tester", &scope);
            }
        }
        Some(Self {
            office,
            dice: Dice::new(seed ^ 0x7041),
            complaints: Vec::new(),
            orders: Vec::new(),
            links: Vec::new(),
            tally: Tally::default(),
        })
    }

    fn run(&mut self, steps: &[Step], done: &mut usize) -> Result<Tally, String> {
        for step in steps {
            *done += 1;
            let touched = self.step(step)?;
            if let Some(violation) = self.office.violations.first() {
                return Err(violation.clone());
            }
            if let Some(order) = touched {
                order_check(&self.office, order)?;
                self.timeline_check(order)?;
            }
            if done.is_multiple_of(25) {
                self.whole_check()?;
            }
        }
        self.whole_check()?;
        for (order, _) in &self.orders {
            let state = self.office.look(|tx| tx.work_order_by_id(*order)).map(|order| order.state.to_string());
            *self.tally.states.entry(state.unwrap_or_default()).or_default() += 1;
        }
        Ok(std::mem::take(&mut self.tally))
    }

    fn whole_check(&mut self) -> Result<(), String> {
        for order in orders_all(&self.office) {
            order_check(&self.office, order)?;
        }
        for (order, region) in self.orders.clone() {
            clocks_check(&mut self.office, &format!("t1_dispatcher-{region}"), order)?;
        }
        for region in 0..REGIONS {
            build_demands_check(&mut self.office, &format!("regional_lead-{region}"))?;
            self.scope_check(region)?;
        }
        (self.tally.events, _) = trail_check(&self.office)?;
        Ok(())
    }

    /// Nobody sees what lies in another region.
    fn scope_check(&mut self, region: usize) -> Result<(), String> {
        let foreign: Vec<String> = self
            .orders
            .iter()
            .filter(|(id, of)| {
                *of != region && self.office.look(|tx| tx.work_order_by_id(*id)).is_some_and(|o| o.region_id.is_some())
            })
            .map(|(id, _)| id.to_string())
            .collect();
        for role in ["t1_dispatcher", "regional_lead", "quality_control", "auditor", "customer_service_agent"] {
            let desk = format!("{role}-{region}");
            let list = self.office.read(&desk, "/v1/work-orders?limit=500").to_string();
            if let Some(seen) = foreign.iter().find(|id| list.contains(id.as_str())) {
                return Err(format!("{desk} sees order {seen} of another region"));
            }
            if let Some(id) = foreign.first() {
                let answer = self.office.ask(&desk, "GET", &format!("/v1/work-orders/{id}"), &Value::Null);
                if answer.status != 404 {
                    return Err(format!(
                        "{desk} was answered with {} about order {id} of another region",
                        answer.status
                    ));
                }
            }
        }
        Ok(())
    }

    /// The order's own chain has no gap.
    fn timeline_check(&self, order: WorkOrderId) -> Result<(), String> {
        let kind = callout_storage::events::SubjectKind::WorkOrder;
        let found = self.office.look(|tx| tx.event_verify(kind, order.0));
        found.problems.first().map_or(Ok(()), |problem| Err(problem.to_string()))
    }

    fn order(&self, step: &Step) -> Option<(WorkOrderId, usize)> {
        let recent = self.orders.len().min(12);
        (recent > 0).then(|| self.orders[self.orders.len() - 1 - usize::from(step.target) % recent])
    }

    /// One command; the order that it touched, if any. A refused one has changed nothing.
    fn step(&mut self, step: &Step) -> Result<Option<WorkOrderId>, String> {
        self.office.clock.advance_seconds(30);
        let region = usize::from(step.region) % REGIONS;
        match step.verb {
            Verb::Wait => {
                let until = self.office.clock.time().plus_seconds(i64::from(step.choice) * 360);
                self.office.wait_until(until);
                return Ok(None);
            }
            Verb::Complain => {
                self.complain(step, region);
                return Ok(None);
            }
            Verb::Classify => {
                self.classify(step, region);
                return Ok(None);
            }
            _ => {}
        }
        let Some((order, home)) = self.order(step) else { return Ok(None) };
        // Every other time what the order's state asks for, or nothing would ever get far.
        let state = self.office.look(|tx| tx.work_order_by_id(order)).map(|order| order.state);
        let verb = match state {
            Some(state) if step.target.is_multiple_of(2) => natural(state, step.choice).unwrap_or(step.verb),
            _ => step.verb,
        };
        let step = &Step { verb, ..*step };
        let before = self.picture(order);
        // Mostly somebody of the order's region, or nothing would ever happen.
        let region = if step.choice % 8 == 7 { region } else { home };
        let is_done = match step.verb {
            Verb::Visit | Verb::Decline => self.visit(step, order),
            _ => self.desk(step, order, region),
        };
        let after = self.picture(order);
        if let Some(false) = is_done
            && before != after
        {
            return Err(format!("{step:?} was refused, and changed order {order}: {before:?} → {after:?}"));
        }
        if is_done == Some(true) && region != home && before != after {
            return Err(format!("{step:?}: somebody of region {region} changed order {order} of region {home}"));
        }
        if before.0 != after.0 && before.1 == after.1 {
            return Err(format!("{step:?} changed order {order} and left no event (R-AUDIT-1)"));
        }
        Ok(Some(order))
    }

    /// Version and state, and how many events there are.
    fn picture(&self, order: WorkOrderId) -> ((u64, Option<WorkOrderState>), u64) {
        let kind = callout_storage::events::SubjectKind::WorkOrder;
        let (row, events) =
            self.office.look(|tx| Ok((tx.work_order_by_id(order)?, tx.event_verify(kind, order.0)?.events)));
        ((row.as_ref().map_or(0, |row| row.version), row.map(|row| row.state)), events)
    }

    fn name(&self, step: &Step, region: usize) -> String {
        let role = ROLES.get(usize::from(step.role)).copied().unwrap_or_else(|| fitting(step.verb));
        format!("{role}-{region}")
    }

    fn note(&mut self, response: &callout_mobile_sdk::engine::HttpResponse) -> bool {
        let is_done = response.is_success();
        if is_done {
            self.tally.done += 1;
        } else {
            *self.tally.refused.entry(problem_of(response)).or_default() += 1;
        }
        is_done
    }

    fn complain(&mut self, step: &Step, region: usize) {
        let desk = self.name(step, region);
        let place = self.office.place(region, 100 + u64::from(step.choice), 500);
        let customer = u32::from(step.target) % 20;
        let body = json!({
            "reference": format!("REF-{}", self.complaints.len()), "channel": "phone",
            "customer": { "name": format!("客户{customer}"), "phone": format!("169000{customer:05}") },
            "description": "通话掉线 calls drop", "symptom": if step.choice.is_multiple_of(2) { "call_drop" } else { "no_signal" },
            "address": "湖滨路1号", "position": { "latitude": place.latitude(), "longitude": place.longitude() },
        });
        let response = self.office.ask(&desk, "POST", "/v1/complaints", &body);
        if self.note(&response) {
            self.complaints.push((json_of(&response)["id"].as_str().unwrap().to_owned(), region));
        }
    }

    fn classify(&mut self, step: &Step, region: usize) {
        if self.complaints.is_empty() {
            return;
        }
        let recent = self.complaints.len().min(8);
        let index = self.complaints.len() - 1 - usize::from(step.target) % recent;
        let (id, home) = self.complaints[index].clone();
        let region = if step.choice % 8 == 7 { region } else { home };
        let body = match step.choice % 6 {
            0 => json!({ "class": "business", "answer": "the fee is right" }),
            _ => json!({ "class": "network", "urgency": "normal" }),
        };
        let desk = self.name(step, region);
        let response = self.office.ask(&desk, "POST", &format!("/v1/complaints/{id}/classify"), &body);
        if self.note(&response)
            && let Some(order) = json_of(&response)["work_order_id"].as_str()
        {
            self.orders.push((order.parse().unwrap(), home));
        }
    }

    fn visit(&mut self, step: &Step, order: WorkOrderId) -> Option<bool> {
        let row = self.office.look(|tx| tx.work_order_by_id(order))?;
        let region = self.orders.iter().find(|(id, _)| *id == order).map_or(0, |(_, region)| *region);
        let of_order = (0..REGIONS)
            .flat_map(|region| (0..TESTERS).map(move |tester| format!("tester-{region}-{tester}")))
            .find(|name| Some(self.office.user(name)) == row.assigned_to);
        // Now and then somebody whose order it is not.
        let tester = match (of_order, step.choice % 10) {
            (Some(name), 0..9) => name,
            _ => format!("tester-{region}-{}", usize::from(step.choice) % TESTERS),
        };
        let place = row.position().unwrap_or_else(|| self.office.place(region, 100, 500));
        let test = row.field_test_id;
        let visit = Visit { tester: &tester, order, test, place, address: "湖滨路1号" };
        let results = match step.verb {
            Verb::Decline => visit.decline(&mut self.office, &mut self.dice, "too far"),
            _ => visit.whole(&mut self.office, &mut self.dice),
        };
        match results {
            Ok(results) => {
                for result in &results {
                    match result {
                        callout_sync_protocol::sync::CommandResult::Accepted { .. } => self.tally.done += 1,
                        callout_sync_protocol::sync::CommandResult::Rejected { rejection } => {
                            *self.tally.refused.entry(rejection.problem.slug().to_owned()).or_default() += 1;
                        }
                    }
                }
                // Some of several commands may be accepted; a rejected one leaves its event, too.
                None
            }
            Err(what) => {
                self.office.violations.push(what);
                None
            }
        }
    }

    /// The customer presses a link, fresh or old.
    fn link(&mut self, step: &Step) -> Option<bool> {
        let index = usize::from(step.target) % self.links.len().max(1);
        let path = self.links.get(self.links.len().checked_sub(1 + index)?)?.clone();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let response = self.office.send("POST", &path, &form, b"solved=yes&score=8");
        if !response.is_success() && response.status != 410 {
            self.office.violations.push(format!("a customer's link was answered with {}", response.status));
        }
        // It may be another order's link.
        None
    }
}
