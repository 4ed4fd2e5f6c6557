//! Several phones of one tester, and phones that are revoked and come back, against the real server.

use callout_mobile_sdk::PhoneError;
use callout_sync_protocol::operators::Operator;
use callout_tests::phones::{Tester, findings};
use callout_tests::world::PASSWORD;
use callout_tests::world_tests;
use serde_json::json;

world_tests! {
    /// Two phones of one tester measure for one test, the same operator even: each numbers its blocks from 0, and all of them count.
    fn two_phones_measure_for_one_test(world) {
        let (mut first, tester_id) = world.tester("tester-1");
        let mut second = Tester::new(&world.folder("second"), &world.clock, world.http.base(), "tester-1", PASSWORD);
        let order = world.order_dispatched(tester_id);
        first.sync();
        first.visit(order);
        first.capture(order, Operator::ChinaMobile, 1, 300);
        first.phone.capture_seal(order).unwrap();
        first.sync();
        second.sync();
        second.capture(order, Operator::ChinaMobile, 2, 200);
        second.capture(order, Operator::ChinaUnicom, 3, 250);
        second.phone.capture_seal(order).unwrap();
        let summary = second.sync();
        assert_eq!((summary.blocks_stored, summary.blocks_quarantined, summary.blocks_refused), (2, 0, 0));
        first.capture(order, Operator::ChinaTelecom, 4, 150);
        first.phone.findings_record(order, findings("weak indoors")).unwrap();
        // The other phone's networks are not on this one; it says so, and the server has them all the same.
        let missing = callout_sync_protocol::commands::MissingOperator {
            operator: Operator::ChinaUnicom,
            reason: "measured with the second phone".to_owned(),
        };
        first.phone.submit(order, vec![missing]).unwrap();
        let summary = first.sync();
        assert_eq!((summary.commands_rejected, summary.blocks_stored), (0, 1));
        let test = world.field_test(order);
        assert_eq!(test.blocks.iter().map(|block| block.sample_count).sum::<u64>(), 900);
        let numbers: Vec<_> = test.blocks.iter().map(|block| block.standing.as_str()).collect();
        assert_eq!(numbers, ["accepted"; 4]);
        assert!(test.missing_blocks.is_empty());
    }

    /// R-PRIVACY-1, R-TEST-5: told of its revocation, a phone gives up contacts and keeps what is unsent; enrolled anew in the same
    /// folder it sends all of it, blocks sealed under the former id included.
    fn a_revoked_phone_is_enrolled_anew_and_loses_nothing(world) {
        let (mut tester, tester_id) = world.tester("tester-1");
        let order = world.order_dispatched(tester_id);
        tester.sync();
        let former = tester.phone.device_id();
        tester.work(order, 300);
        let path = format!("/v1/devices/{former}/revoke");
        assert_eq!(world.admin.try_json("POST", &path, &json!({ "reason": "lost" })).unwrap().status, 204);
        let ended = tester.try_sync();
        assert!(matches!(ended, Err(PhoneError::DeviceRevoked)), "{ended:?}");
        assert!(tester.phone.orders().unwrap().is_empty());
        assert_eq!(tester.phone.status().unwrap().blocks.sealed, 3);
        tester.phone.sign_in(&mut tester.network, "tester-1", PASSWORD).unwrap();
        assert_ne!(tester.phone.device_id(), former);
        let summary = tester.sync();
        assert_eq!((summary.commands_rejected, summary.blocks_stored, summary.photos_stored), (0, 3, 1));
        let test = world.field_test(order);
        assert_eq!(test.blocks.iter().map(|block| block.sample_count).sum::<u64>(), 900);
        assert_eq!(tester.phone.order(order).unwrap().view.customer.phone, "16900001234");
    }

    /// Nobody passes off another person's blocks as theirs, however well they are signed.
    fn another_persons_blocks_are_not_taken(world) {
        let (mut first, first_id) = world.tester("tester-1");
        let (mut second, _) = world.tester("tester-2");
        let order = world.order_dispatched(first_id);
        first.sync();
        first.visit(order);
        first.capture(order, Operator::ChinaMobile, 1, 300);
        first.phone.capture_seal(order).unwrap();
        second.sync();
        // The second phone's store is made to hold the first one's block.
        let (test, block): (Vec<u8>, Vec<u8>) = first
            .phone
            .store()
            .connection()
            .query_row("SELECT field_test_id, bytes FROM blocks", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let connection = second.phone.store().connection();
        let hash = callout_sync_protocol::samples::block_hash(&block);
        let order_bytes = order.as_bytes().to_vec();
        connection
            .execute("INSERT INTO field_tests (id, work_order_id, begun_at) VALUES (?1, ?2, 0)", (&test, &order_bytes))
            .unwrap();
        connection
            .execute(
                "INSERT INTO blocks (hash, field_test_id, operator, sequence, sample_count, bytes, state, sealed_at)
                    VALUES (?1, ?2, 'china_mobile', 0, 300, ?3, 'sealed', 0)",
                (hash.0.as_slice(), &test, &block),
            )
            .unwrap();
        let summary = second.sync();
        assert_eq!((summary.blocks_stored, summary.blocks_refused), (0, 1));
        assert_eq!(first.sync().blocks_stored, 1);
    }
}
