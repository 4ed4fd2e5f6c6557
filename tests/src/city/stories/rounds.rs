//! What comes round in a city, whatever its complaints do: sites that fall silent, warnings at noon, the week's work of leads and
//! quality control. What does not belong here: the lives of complaints (`stories`).

use super::{City, DAY, EVENTFUL_DAYS, OUTAGE_REGION, REGIONS, first_morning, id_of};
use crate::city::office::json_of;
use callout_sync_protocol::time::Timestamp;
use serde_json::{Value, json};

impl City {
    /// The city's sites, one of which will go down.
    pub(super) fn sites_push(&mut self) {
        let mut items = Vec::new();
        for region in 0..REGIONS {
            for site in 0..4u64 {
                let place = self.office.place(region, 200 + site * 200, 500);
                items.push(json!({
                    "code": format!("SITE-{region}-{site}"), "name": format!("基站{region}-{site}"), "kind": "macro",
                    "is_key": site == 0,
                    "position": { "latitude": place.latitude(), "longitude": place.longitude() },
                }));
            }
        }
        let response = self.office.ask("eoms", "PUT", "/v1/sites", &json!({ "items": items }));
        self.note("sites_pushed", &response);
    }

    /// What is looked at every noon: warnings; and the site that goes down on its day, and comes back five days later.
    pub(super) fn daily(&mut self, noon: Timestamp) {
        for region in 0..REGIONS {
            self.warnings(&format!("quality-{region}"), &format!("lead-{region}"));
        }
        let days = self.setting.days;
        if days < EVENTFUL_DAYS {
            return;
        }
        let fails_at = first_morning().plus_seconds(i64::try_from(days / 3).unwrap_or(0) * DAY);
        let works_at = fails_at.plus_seconds(5 * DAY);
        if (fails_at..fails_at.plus_seconds(DAY)).contains(&noon) {
            self.outage_push(fails_at, None);
        } else if (works_at..works_at.plus_seconds(DAY)).contains(&noon) {
            self.outage_push(fails_at, Some(works_at));
        }
    }

    fn outage_push(&mut self, began_at: Timestamp, ended_at: Option<Timestamp>) {
        let item = json!({
            "reference": "OUT-1", "site_code": format!("SITE-{OUTAGE_REGION}-1"), "cause": "停电 power",
            "began_at": began_at, "ended_at": ended_at,
        });
        let response = self.office.ask("eoms", "PUT", "/v1/site-outages", &json!({ "items": [item] }));
        self.note("outage_pushed", &response);
    }

    /// What comes round every week: warnings are looked through, the review meeting decides, breaches get their cause, follow-ups and
    /// supervision entries are worked off.
    pub(super) fn weekly(&mut self) {
        for region in 0..REGIONS {
            let lead = format!("lead-{region}");
            self.each_item(
                &lead,
                "/v1/follow-ups",
                |item| item["state"] == "open",
                "follow_up_closed",
                |item| {
                    (
                        format!("/v1/follow-ups/{}/close", id_of(item)),
                        json!({ "what_was_done": "called and explained 已致电说明" }),
                    )
                },
            );
            let quality = format!("quality-{region}");
            let is_over = |item: &Value| item["state"] == "listed" && item["is_cause_standing"] == false;
            self.each_item(&quality, "/v1/supervision-entries", is_over, "supervision_cleared", |item| {
                (
                    format!("/v1/supervision-entries/{}/clear", id_of(item)),
                    json!({ "what_cleared_it": "故障恢复 it works again" }),
                )
            });
            let causes = ["property_access", "late_review"];
            let cause = causes[self.dice.below(causes.len() as u64) as usize];
            let is_unnamed = |item: &Value| item["breach"].is_object() && item["breach"]["cause"].is_null();
            self.each_item(&lead, "/v1/clocks?is_breached=true&limit=500", is_unnamed, "breach_cause_named", |item| {
                let cause = item["breach"]["suggested_cause"].as_str().unwrap_or(cause);
                (format!("/v1/clocks/{}/breach-cause", id_of(item)), json!({ "cause": cause }))
            });
            for (desk, outcome) in
                [(&lead, "answered"), (&lead, "upheld"), (&quality, "answered"), (&quality, "upheld")]
            {
                let body = json!({ "outcome": outcome, "words": "已协调答复 settled" });
                self.each_item(
                    desk,
                    "/v1/escalations?open=true",
                    |_| true,
                    "escalation_closed",
                    |item| (format!("/v1/escalations/{}/close", id_of(item)), body.clone()),
                );
            }
            self.each_item(
                &quality,
                "/v1/build-demands",
                |item| item["state"] == "scheduled",
                "build_demand_decided",
                |item| {
                    (
                        format!("/v1/build-demands/{}/decision", id_of(item)),
                        json!({ "decision": "accept", "reason": "many complaints" }),
                    )
                },
            );
        }
    }

    /// Reads a list where there is one, and does one thing to each chosen item.
    fn each_item(
        &mut self,
        desk: &str,
        path: &'static str,
        chosen: impl Fn(&Value) -> bool,
        what: &str,
        request: impl Fn(&Value) -> (String, Value),
    ) {
        let response = self.office.ask(desk, "GET", path, &Value::Null);
        let list = json_of(&response);
        for item in list["items"].as_array().cloned().unwrap_or_default().iter().filter(|item| chosen(item)) {
            let (path, body) = request(item);
            let response = self.office.ask(desk, "POST", &path, &body);
            self.note(what, &response);
        }
    }

    fn warnings(&mut self, quality: &str, lead: &str) {
        let recipient = self.office.user(lead);
        let list = json_of(&self.office.ask(quality, "GET", "/v1/warnings", &Value::Null));
        for item in list["items"].as_array().cloned().unwrap_or_default() {
            let path = format!("/v1/warnings/{}", id_of(&item));
            if let Some("draft") = item["state"].as_str() {
                let body = json!({ "note": "已核实 looked into" });
                let response = self.office.ask(quality, "POST", &format!("{path}/review"), &body);
                self.note("warning_reviewed", &response);
                let response =
                    self.office.ask(quality, "POST", &format!("{path}/publish"), &json!({ "recipients": [recipient] }));
                self.note("warning_published", &response);
            }
        }
    }
}
