//! One phone that floods the server cannot starve the rest.

use super::support::{RawTester, id};
use callout_sync_protocol::frame::frame_encode;
use callout_sync_protocol::sync::BlockUpload;
use callout_sync_protocol::sync::SyncRequest;
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::world_tests;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Connections of the phone that misbehaves.
const FLOOD: usize = 12;
const GOOD_PHONES: usize = 4;
const GOOD_SYNCS: usize = 15;

world_tests! {
    /// Huge requests, rubbish and endless repetition on many connections at once from one device: it is told to slow down, and
    /// every sync of the others is answered.
    fn an_abusive_phone_starves_nobody(world) {
        let bad = RawTester::new(world, "tester-bad");
        let good: Vec<_> = (0..GOOD_PHONES).map(|number| RawTester::new(world, &format!("tester-{number}"))).collect();
        for tester in &good {
            world.order_dispatched(tester.user_id);
        }
        let empty = frame_encode(&bad.request(world));
        let block = |fill: u8| BlockUpload { work_order_id: id(), bytes: vec![fill; 200_000].into() };
        let huge = frame_encode(&SyncRequest { blocks: (0..20).map(block).collect(), ..bad.request(world) });
        let rubbish = [vec![2, 0], vec![0xFF; 100_000]].concat();
        let frames = [empty, huge, rubbish];
        let requests: Vec<_> = good.iter().map(|tester| frame_encode(&tester.request(world))).collect();
        let is_over = AtomicBool::new(false);
        let statuses = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for number in 0..FLOOD {
                let (frame, desk) = (&frames[number % frames.len()], &bad.desk);
                let (is_over, statuses) = (&is_over, &statuses);
                scope.spawn(move || {
                    while !is_over.load(Ordering::SeqCst) {
                        // A connection that the server closes early is as good as a refusal.
                        if let Ok(answer) = desk.send("POST", "/v1/sync", &[("content-type", MEDIA_TYPE)], frame) {
                            statuses.lock().unwrap().push(answer.status);
                        }
                    }
                });
            }
            let phones: Vec<_> = good
                .iter()
                .zip(&requests)
                .map(|(tester, frame)| scope.spawn(move || (0..GOOD_SYNCS).map(|_| tester.post(frame).status).collect()))
                .collect();
            let answered: Vec<Vec<u16>> = phones.into_iter().map(|phone| phone.join().unwrap()).collect();
            is_over.store(true, Ordering::SeqCst);
            assert!(answered.iter().flatten().all(|status| *status == 200), "{answered:?}");
        });
        let statuses = statuses.into_inner().unwrap();
        let refused = statuses.iter().filter(|status| **status == 429).count();
        assert!(refused > 0, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 400 | 413 | 429)), "{statuses:?}");
    }
}
