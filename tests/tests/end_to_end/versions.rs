//! Protocol versions and checkpoints on a real server: both versions are served, the others are told so, and a phone that holds
//! something else than it should starts over.

use super::support::{RawTester, assert_nothing_changes, assert_problem, command};
use callout_sync_protocol::checkpoint::Checkpoint;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::frame::{frame_decode, frame_encode_as, frame_version};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{Change, SyncRequest, SyncResponse};
use callout_sync_protocol::version::{VERSIONS_HEADER, versions_served};
use callout_tests::world_tests;
use serde_json::Value;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// What a phone holds that has applied this answer to nothing.
fn held(answer: &SyncResponse) -> Checkpoint {
    Checkpoint::of(answer.changes.iter().filter_map(|change| match change {
        Change::Changed { order } => Some((order.id, order.version)),
        Change::Left { .. } => None,
    }))
}

world_tests! {
    /// The published refusals, word for word (`sync-protocol/vectors/sync-refused.json`): typed, and nothing changes.
    fn the_published_refusals_are_the_servers(world) {
        let tester = RawTester::new(world, "tester-1");
        world.order_dispatched(tester.user_id);
        let text = include_str!("../../../sync-protocol/vectors/sync-refused.json");
        let refused: Vec<Value> = serde_json::from_str(text).unwrap();
        assert!(refused.len() > 10);
        assert_nothing_changes(world, || {
            for refused in &refused {
                let answer = tester.post(&unhex(refused["frame"].as_str().unwrap()));
                assert_problem(&answer, refused["problem"].as_str().unwrap().parse::<ProblemType>().unwrap());
                assert_eq!(u64::from(answer.status), refused["status"].as_u64().unwrap(), "{refused}");
                if refused["problem"] == "unsupported-version" {
                    assert_eq!(answer.header(VERSIONS_HEADER), Some(versions_served().as_str()), "{refused}");
                }
            }
        });
    }

    /// Version 1 is answered in version 1, without what it does not know; version 2 in version 2.
    fn both_versions_are_served(world) {
        let tester = RawTester::new(world, "tester-1");
        let order = world.order_dispatched(tester.user_id);
        let accept = command(world, order, CommandBody::Accept {});
        let request = SyncRequest { commands: vec![accept], ..tester.request(world) };
        let mut outcomes = Vec::new();
        for version in [1, 2] {
            let answer = tester.post(&frame_encode_as(version, &request));
            assert_eq!((answer.status, frame_version(&answer.body)), (200, Some(version)), "{}", answer.text());
            let answer: SyncResponse = frame_decode(&answer.body).unwrap();
            assert_eq!(answer.checkpoint.is_some(), version == 2);
            assert_eq!(answer.changes.len(), 1);
            outcomes.push(answer.outcomes);
        }
        assert_eq!(outcomes[0], outcomes[1], "the same command, whatever the version that it comes in");
        // A checkpoint has no meaning in version 1, and no effect.
        let request = SyncRequest { cursor: None, commands: vec![], ..request };
        let first: SyncResponse = frame_decode(&tester.post(&frame_encode_as(1, &request)).body).unwrap();
        let wrong = SyncRequest { cursor: Some(first.cursor), checkpoint: Some(Checkpoint(99)), ..request };
        let answer: SyncResponse = frame_decode(&tester.post(&frame_encode_as(1, &wrong)).body).unwrap();
        assert!(!answer.reset && answer.changes.is_empty());
    }

    /// Checkpoints agree at the end of the feed, whatever happened; a phone that holds something else gets all of it again.
    fn a_phone_that_disagrees_starts_over(world) {
        let tester = RawTester::new(world, "tester-1");
        let other = RawTester::new(world, "tester-2");
        let orders: Vec<_> = (0..4).map(|_| world.order_dispatched(tester.user_id)).collect();
        tester.commands(world, vec![command(world, orders[0], CommandBody::Accept {})]);
        world.t1().work_order_withdraw(orders[1].0, "the customer called it off").unwrap();
        world.t1().work_order_reassign(orders[2].0, other.user_id, "nearer").unwrap();
        let page = tester.sync(&SyncRequest { max_changes: 1, ..tester.request(world) });
        assert_eq!(page.checkpoint, None, "more waits");
        let all = tester.sync(&tester.request(world));
        assert_eq!(all.changes.len(), 2);
        assert_eq!(all.checkpoint, Some(held(&all)));
        assert_eq!(other.sync(&other.request(world)).checkpoint, Some(held(&other.sync(&other.request(world)))));

        let idle = SyncRequest { cursor: Some(all.cursor), checkpoint: all.checkpoint, ..tester.request(world) };
        let answer = tester.sync(&idle);
        assert!(!answer.reset && answer.changes.is_empty());
        let answer = tester.sync(&SyncRequest { checkpoint: Some(Checkpoint(7)), ..idle.clone() });
        assert!(answer.reset);
        assert_eq!((answer.changes.len(), answer.cursor, answer.checkpoint), (2, all.cursor, all.checkpoint));

        // A phone that is behind is not told to start over: what it lacks is in the changes.
        world.t1().work_order_withdraw(orders[3].0, "the customer called it off").unwrap();
        let behind = tester.sync(&idle);
        assert!(!behind.reset);
        assert_eq!(behind.changes.len(), 1);
        assert_ne!(behind.checkpoint, all.checkpoint);
    }
}
