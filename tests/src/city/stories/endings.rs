//! How a city's complaints come to their end, and begin anew: plans, revisits, tracking tickets, customers who complain again.

use super::*;

impl City {
    pub(super) fn conclude(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let region = self.cases[case].region;
        let lead = format!("lead-{region}");
        let is_hard = self.cases[case].is_hard;
        match self.dice.below(100) {
            0..15 => {
                let next = self.office.look(|tx| tx.ladder_step_list(row.id)).len() + 1;
                let body = json!({
                    "outcome": "not_enough", "reason": "效果不足 tried",
                    "evidence": [{ "kind": "reference", "value": format!("CR-{}", row.number) }],
                });
                let path = format!("/v1/work-orders/{}/ladder/{}", row.id, next.min(9));
                let response = self.office.ask(&lead, "PUT", &path, &body);
                let is_done = self.note("ladder_step", &response);
                self.tried(case, is_done, 1_400)
            }
            15..22 => self.hand_over(case, row),
            22..28 => self.stage_reply(case, row),
            28..50 if is_hard => {
                let body = json!({ "kind": "final", "outcome": "unresolved", "body": "需建站解决 needs a new site" });
                let path = format!("/v1/work-orders/{}/replies", row.id);
                let response = self.office.ask(&format!("t1-{region}"), "POST", &path, &body);
                let is_done = self.note("unresolved", &response);
                self.tried(case, is_done, 2_000)
            }
            _ => self.ask_revisit(case, row),
        }
    }

    pub(super) fn ask_revisit(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let body = json!({ "what_was_done": "调整天线 the antenna was turned" });
        let path = format!("/v1/work-orders/{}/revisits", row.id);
        let response = self.office.ask(&format!("t1-{}", self.cases[case].region), "POST", &path, &body);
        let url = json_of(&response)["url"].as_str().unwrap_or_default().to_owned();
        self.cases[case].link = url.find("/r/").map(|place| url[place..].to_owned());
        let is_done = self.note("revisit_asked", &response);
        self.tried(case, is_done, 500)
    }

    /// The customer answers by telephone or link, or not at all.
    pub(super) fn revisit(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let denies = self.dice.percent(if self.cases[case].is_hard { 35 } else { 6 });
        let (solved, score) = if denies { (false, 1 + self.dice.below(5)) } else { (true, 5 + self.dice.below(6)) };
        let pending =
            self.office.look(|tx| tx.revisit_list_by_work_order(row.id)).pop().filter(|it| it.state == "pending");
        let Some(pending) = pending else {
            // The link grew too old: asked again, or given up as unresolved.
            if self.dice.percent(60) {
                return self.ask_revisit(case, row);
            }
            let body =
                json!({ "kind": "final", "outcome": "unresolved", "body": "客户未确认 the customer did not confirm" });
            let path = format!("/v1/work-orders/{}/replies", row.id);
            let response = self.office.ask(&format!("t1-{}", self.cases[case].region), "POST", &path, &body);
            let is_done = self.note("unresolved", &response);
            return self.tried(case, is_done, 2_000);
        };
        match self.dice.below(100) {
            0..5 => {
                let at = pending.expires_at.plus_seconds(3_600);
                Ok(Some(working_time(at)))
            }
            5..45 if self.cases[case].link.is_some() => {
                let link = self.cases[case].link.take().unwrap_or_default();
                let form = format!("solved={}&score={score}", if solved { "yes" } else { "no" });
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                let response = self.office.send("POST", &link, &headers, form.as_bytes());
                let is_done = self.note(if solved { "confirmed by link" } else { "denied by link" }, &response);
                self.tried(case, is_done, 300)
            }
            _ => {
                let now = self.office.clock.time();
                if calling_time(now) != now {
                    return Ok(Some(calling_time(now)));
                }
                let path = format!("/v1/revisits/{}/answer", pending.id);
                let agent = format!("agent-{}", self.cases[case].region);
                let response = self.office.ask(&agent, "POST", &path, &json!({ "solved": solved, "score": score }));
                let is_done =
                    self.note(if solved { "confirmed by telephone" } else { "denied by telephone" }, &response);
                self.tried(case, is_done, 300)
            }
        }
    }

    /// The tracking ticket goes up the ladder, asks for building when all is spent, and ends with a customer who confirms.
    pub(super) fn ticket(&mut self, case: usize, row: &WorkOrder) -> Result<Option<Timestamp>, String> {
        let ticket = self.office.look(|tx| tx.tracking_ticket_by_work_order(row.id));
        let Some(ticket) = ticket else { return Err(format!("{} is unresolved without a ticket", row.number)) };
        if ticket.closed_at.is_some() {
            return Ok(None);
        }
        let region = self.cases[case].region;
        if ticket.state == "awaiting_revisit" {
            return self.revisit(case, row);
        }
        let recorded = self.office.look(|tx| tx.ladder_step_list(row.id)).len();
        if recorded < 9 && self.dice.percent(75) {
            let body = json!({
                "outcome": (["not_enough", "ruled_out"][self.dice.below(2) as usize]), "reason": "效果不足 tried",
                "evidence": [{ "kind": "reference", "value": format!("CR-{}", row.number) }],
            });
            let path = format!("/v1/work-orders/{}/ladder/{}", row.id, recorded + 1);
            let response = self.office.ask(&format!("lead-{region}"), "PUT", &path, &body);
            let is_done = self.note("ladder_step", &response);
            return self.tried(case, is_done, 1_400);
        }
        if recorded >= 9 && self.dice.percent(50) {
            let place = self.cases[case].place;
            let tests = self.office.look(|tx| tx.field_test_list_by_work_order(row.id));
            let tests: Vec<_> = tests.iter().filter(|test| test.submission.is_some()).map(|test| test.id).collect();
            let body = json!({
                "demand": "新增微站 a small cell", "shareable_resources": "铁塔17号 tower 17", "field_tests": tests,
                "position": { "latitude": place.latitude(), "longitude": place.longitude() },
            });
            let path = format!("/v1/work-orders/{}/build-demands", row.id);
            let response = self.office.ask(&format!("lead-{region}"), "POST", &path, &body);
            // One may be on its way already.
            self.note("build_demand", &response);
        }
        self.ask_revisit(case, row)
    }

    /// The same customer complains of the same thing again within the month (R-RETURN-4).
    pub(super) fn again(&mut self, case: usize) -> Option<Timestamp> {
        let place = self.cases[case].place;
        let seen = self.cases[case].clone();
        let region = seen.region;
        let original = json_of(&self.office.ask(
            &format!("t1-{region}"),
            "GET",
            &format!("/v1/complaints/{}", seen.complaint),
            &Value::Null,
        ));
        let number = self.cases.len() as u64 + 1_000_000;
        let customer = 1_000 + seen.reference;
        let body = json!({
            "reference": format!("CS-{number}"), "channel": "phone",
            "customer": { "name": format!("客户{customer}"), "phone": format!("1690{customer:07}") },
            "description": "又不行了 it is bad again", "symptom": original["symptom"], "address": seen.address,
            "position": { "latitude": place.latitude(), "longitude": place.longitude() },
        });
        let index = self.cases.len();
        self.cases.push(Case {
            reference: number,
            body: Some(body),
            complaint: String::new(),
            order: None,
            visits: 0,
            asked: 0,
            refusals: 0,
            link: None,
            comes_again: false,
            ..seen
        });
        let at = self.later(10 * 1_440);
        self.plan(index, at);
        // The first one may be reopened by it; somebody looks.
        Some(at.plus_seconds(DAY))
    }
}
