//! What an administrator sets: limits and the like, for all regions or for one.

use super::support::{assert_nothing_changes, assert_problem};
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world_tests;
use serde_json::{Value, json};

world_tests! {
    /// R-LIMIT-1: limits are data. The region's own document wins over the one for all, and that one over the default.
    fn a_region_may_have_limits_of_its_own(world) {
        let region = &world.regions[0];
        let seen = |query: &str| -> Value { world.admin.get(&format!("/v1/policies/limits{query}")).unwrap() };
        let before = seen("");
        assert_eq!(before["version"], 0);
        assert_eq!(before["document"], before["default_document"]);
        assert_eq!(before["document"]["quality_working_days"], 3);

        let set = |query: &str, days: u32| -> Value {
            // A version later than the one before.
            world.clock.advance_seconds(1);
            let body = json!({ "document": { "quality_working_days": days }, "reason": "新的考核办法" });
            { let answer = world.admin.try_json("PUT", &format!("/v1/policies/limits{query}"), &body).unwrap(); assert_eq!(answer.status, 200, "{}", answer.text()); answer.json() }
        };
        set("", 4);
        let own = format!("?region_id={region}");
        assert_eq!(seen(&own)["document"]["quality_working_days"], 4, "the one for all holds");
        assert_eq!(set(&own, 2)["version"], 1);
        world.clock.advance_seconds(1);
        assert_eq!(set(&own, 1)["version"], 2);
        assert_eq!(seen(&own)["document"]["quality_working_days"], 1);
        assert_eq!(seen(&own)["document"]["first_response_hours"], 24, "what was left out has its default");
        assert_eq!(seen("")["document"]["quality_working_days"], 4);

        let versions: Value = world.admin.get(&format!("/v1/policies/limits/versions{own}")).unwrap();
        let days: Vec<_> = versions["items"].as_array().unwrap().iter().map(|v| &v["document"]["quality_working_days"]).collect();
        assert_eq!(days, [&json!(1), &json!(2)], "no version is lost");
        let all: Value = world.admin.get("/v1/policies").unwrap();
        assert!(all["items"].as_array().unwrap().iter().any(|policy| policy["kind"] == "limits"));
    }

    /// What no rule could work with is refused by its field, and changes nothing.
    fn a_document_that_makes_no_sense_is_refused(world) {
        assert_nothing_changes(world, || {
            for (path, document, field) in [
                ("limits", json!({ "other_working_days": 6 }), "other_working_days"),
                ("limits", json!({ "warn_percent": 0 }), "warn_percent"),
                ("limits", json!({ "quality_working_days": "three" }), "document"),
                ("limits", json!({ "no_such_limit": 1 }), "no_such_limit"),
                ("limits", json!(7), "document"),
                ("limits?region_id=01920000-0000-7000-8000-000000000001", json!({}), "region_id"),
            ] {
                let body = json!({ "document": document, "reason": "x" });
                let answer = world.admin.try_json("PUT", &format!("/v1/policies/{path}"), &body).unwrap();
                assert_problem(&answer, ProblemType::InvalidField);
                assert!(answer.text().contains(field), "{}", answer.text());
            }
            let answer = world.admin.try_json("PUT", "/v1/policies/limits", &json!({ "document": {}, "reason": " " })).unwrap();
            assert_problem(&answer, ProblemType::InvalidField);
            let answer = world.admin.try_json("PUT", "/v1/policies/nothing", &json!({ "document": {}, "reason": "x" })).unwrap();
            assert_problem(&answer, ProblemType::NotFound);
        });
    }
}
