//! Commands through the sync endpoint: judged, applied, put on the trail and into the feed, acknowledged.

use crate::Plan;
use crate::house::{BenchTester, House, id, now};
use crate::load;
use callout_sync_protocol::commands::{Command, CommandBody};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::sync::{CommandResult, SyncRequest};
use serde_json::{Value, json};

fn measure(house: &House, plan: &Plan, commands_per_request: usize) -> Value {
    let phones: Vec<(BenchTester, WorkOrderId)> = (0..plan.phones)
        .map(|_| {
            let tester = house.tester();
            let order = house.order(&tester);
            tester.test_begin(order);
            (tester, order)
        })
        .collect();
    let load = load::run(phones, plan.duration, |(tester, order), number| {
        // Each changes the order: the customer's answer about photos, there and back.
        let commands: Vec<Command> = (0..commands_per_request)
            .map(|command| Command {
                id: id(),
                work_order_id: *order,
                captured_at: now(),
                body: CommandBody::PhotoConsent { granted: (number + command).is_multiple_of(2) },
            })
            .collect();
        let response = tester.sync(&SyncRequest { commands, ..tester.request() });
        let is_accepted = |result: &CommandResult| matches!(result, CommandResult::Accepted { .. });
        assert!(response.outcomes.iter().all(|outcome| is_accepted(&outcome.result)), "{response:?}");
        Some(response.outcomes.len() as u64)
    });
    json!({
        "commands_per_second": load.per_second(),
        "commands": load.things(),
        "commands_per_request": commands_per_request,
        "requests": load.requests(),
    })
}

/// As a phone that was away for a day sends them.
pub fn measure_batched(house: &House, plan: &Plan) -> Value {
    measure(house, plan, 100)
}

/// One a request: the cost of a whole durable unit of work.
pub fn measure_single(house: &House, plan: &Plan) -> Value {
    measure(house, plan, 1)
}
