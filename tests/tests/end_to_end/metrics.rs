//! `/metrics` as Prometheus reads it: on its own listener only, in the standard's form, with what happened, and with nothing that
//! tells of a person.

use super::support::{RawTester, command, rejected};
use callout_cli::desk::{Desk, Http};
use callout_server::app::AppConfig;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::sync::{SyncRequest, SyncResponse};
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::world_tests;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};

/// Every sample by name and labels, after the check that the text is what the standard allows.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut samples = BTreeMap::new();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(about) = line.strip_prefix("# ") {
            let mut words = about.splitn(3, ' ');
            let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(matches!(what, "HELP" | "TYPE" | "UNIT") && !rest.is_empty(), "{line}");
            assert!(name.starts_with("callout_"), "{line}");
            if what == "TYPE" {
                assert!(known.insert(name.to_owned()), "declared twice: {name}");
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        let is_declared = ["", "_total", "_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| family.strip_suffix(suffix).is_some_and(|family| known.contains(family)));
        assert!(is_declared, "no such family: {line}");
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "told twice: {line}");
    }
    samples
}

world_tests! {
    /// What is done through the API is counted under its route's template, and the scrape says nothing of anybody.
    fn a_scrape_tells_what_happened_and_of_nobody(world) {
        let mut server = world.another_server_with(AppConfig::default());
        let scraped = server.metrics_serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
        let (public, inside) = (Http::new(format!("http://{}", server.address())), Http::new(format!("http://{scraped}")));
        let scrape = || {
            let answer = inside.send("GET", "/metrics", &[], &[]).unwrap();
            assert_eq!(answer.status, 200);
            let form = answer.header("content-type").unwrap();
            assert_eq!(form, "application/openmetrics-text; version=1.0.0; charset=utf-8");
            answer.text()
        };
        samples(&scrape());
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let desk = Desk::with_token(&public, tester.desk.access_token());
        let sync = |request: &SyncRequest| -> SyncResponse {
            let answer = desk.send("POST", "/v1/sync", &[("content-type", MEDIA_TYPE)], &frame_encode(request)).unwrap();
            frame_decode(&answer.accepted().unwrap().body).unwrap()
        };
        let commands = vec![
            command(world, order, CommandBody::Accept {}),
            command(world, order, CommandBody::Decline { reason: String::new() }),
        ];
        let first = sync(&SyncRequest { commands, ..tester.request(world) });
        rejected(&first.outcomes[1].result);
        sync(&SyncRequest { cursor: Some(first.cursor), ..tester.request(world) });
        let lead = Desk::with_token(&public, world.lead().access_token());
        lead.send("GET", &format!("/v1/work-orders/{}", order.0), &[], &[]).unwrap().accepted().unwrap();
        assert_eq!(desk.send("GET", &format!("/v1/work-orders/{}", order.0), &[], &[]).unwrap().status, 403);
        assert_eq!(public.send("GET", "/v1/13900001234/somebody", &[], &[]).unwrap().status, 404);
        // A clock's check of this order is due some day, and is late then.
        world.clock.advance_seconds(30 * 86_400);

        let text = scrape();
        let samples = samples(&text);
        let sample = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("no {name}: {text}"));
        let requests = |method: &str, route: &str, status: u16| {
            sample(&format!("callout_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"))
        };
        assert_eq!(requests("POST", "/v1/sync", 200), 2.0);
        assert_eq!(requests("GET", "/v1/work-orders/{id}", 200), 1.0);
        assert_eq!(requests("GET", "/v1/work-orders/{id}", 403), 1.0);
        assert_eq!(requests("other", "other", 404), 1.0);
        let timed = "{method=\"POST\",route=\"/v1/sync\"}";
        assert_eq!(sample(&format!("callout_http_request_duration_seconds_count{timed}")), 2.0);
        assert!(sample(&format!("callout_http_request_duration_seconds_sum{timed}")) > 0.0);
        assert_eq!(sample("callout_syncs_total{outcome=\"busy\"}"), 1.0);
        assert_eq!(sample("callout_syncs_total{outcome=\"idle\"}"), 1.0);
        assert_eq!(sample("callout_commands_total{outcome=\"accepted\"}"), 1.0);
        assert_eq!(sample("callout_commands_total{outcome=\"rejected\"}"), 1.0);
        assert_eq!(sample("callout_sync_turn_wait_seconds_count"), 2.0);
        assert_eq!(sample("callout_wake_up_listeners"), 0.0);
        assert_eq!(sample("callout_sync_waiting"), 0.0);
        assert!(sample("callout_sync_slots") >= 1.0);
        assert_eq!(sample("callout_database_up"), 1.0);
        assert!(sample("callout_database_statements_total") > 0.0);
        assert!(sample("callout_database_connection_waits_total") > 0.0);
        assert!(sample("callout_database_connections") >= 1.0);
        assert!(sample("callout_jobs_due{kind=\"clock_check\"}") >= 1.0);
        assert!(sample("callout_jobs_oldest_due_age_seconds{kind=\"clock_check\"}") > 86_400.0);
        server.run_due().unwrap();
        let after = scrape();
        assert!(after.contains("callout_jobs_total{kind=\"clock_check\",outcome=\"done\"}"), "{after}");

        // No id, no name, no telephone number; nothing that a stranger made up.
        for secret in [order.0.to_string(), tester.user_id.to_string(), tester.device.device_id.to_string()] {
            assert!(!text.contains(&secret), "{secret}");
        }
        for secret in ["tester-1", "测试", "1690000", "13900001234", "somebody", "港湾"] {
            assert!(!text.contains(secret), "{secret}");
        }
        // Not on the public listener, and nothing else on this one.
        assert_eq!(public.send("GET", "/metrics", &[], &[]).unwrap().status, 404);
        assert_eq!(inside.send("GET", "/v1/work-orders", &[], &[]).unwrap().status, 404);
        assert_eq!(inside.send("POST", "/metrics", &[], &[]).unwrap().status, 404);
    }
}
