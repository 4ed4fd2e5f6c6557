//! Orders that come and go: contact data leaves with the order, captured work never does.

use super::support::{CUSTOMER_PHONE, World, order_id, order_view};
use callout_mobile_sdk::{PhoneError, Source};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::work_orders::{LeftReason, WorkOrderState};

fn bytes_on_medium(world: &World, needle: &str) -> bool {
    std::fs::read_dir(world.folder.path()).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.is_file() && std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

/// R-PRIVACY-1, R-TEST-5
#[test]
fn an_order_that_leaves_takes_its_contact_data_and_leaves_the_work() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..700);
    assert_eq!(bytes_on_medium(&world, CUSTOMER_PHONE), !super::support::is_sealed());
    world.server.order_take_away(order_id(1));
    let summary = world.sync();
    assert_eq!(summary.orders_left, 1);
    assert!(!bytes_on_medium(&world, CUSTOMER_PHONE), "not in the file, not in its log");
    let order = world.phone.order(order_id(1)).unwrap();
    assert_eq!((order.is_in_scope, order.left_reason), (false, Some(LeftReason::Reassigned)));
    assert_eq!(order.view.number, order_view(1).number, "the work can still be named");
    // Nobody submits it any more; it is sealed and sent all the same, and kept apart there.
    assert_eq!(world.server.samples_received(), 700);
    let set_aside = world.phone.set_aside().unwrap();
    assert_eq!(set_aside.blocks.len(), 1);
    assert!(set_aside.blocks[0].is_held_by_server);
    assert_eq!(set_aside.commands.len(), 4, "each with its reason");
    assert!(
        matches!(world.phone.accept(order_id(1)), Err(PhoneError::Rejected(r)) if r.problem == ProblemType::NotAssigned)
    );
}

#[test]
fn a_capture_that_runs_while_its_order_leaves_goes_on_and_is_sent() {
    let mut world = World::synced(&[1]);
    world.go_on_site(1);
    let mut session = world.phone.capture_begin(order_id(1), Operator::ChinaMobile, &Source::Live).unwrap();
    for index in 0..250 {
        world.phone.capture_push(&mut session, &super::support::sample(index)).unwrap();
    }
    world.server.order_take_away(order_id(1));
    world.sync();
    for index in 250..500 {
        world.phone.capture_push(&mut session, &super::support::sample(index)).unwrap();
    }
    world.phone.capture_flush(&mut session).unwrap();
    world.sync();
    assert_eq!(world.server.samples_received(), 500);
}

#[test]
fn an_order_that_comes_back_is_whole_again() {
    let mut world = World::synced(&[1]);
    world.server.order_take_away(order_id(1));
    world.sync();
    let mut view = order_view(1);
    view.version = 7;
    world.server.order_put(view);
    world.sync();
    let order = world.phone.order(order_id(1)).unwrap();
    assert!(order.is_in_scope);
    assert_eq!(order.view.customer.phone, CUSTOMER_PHONE);
    world.phone.accept(order_id(1)).unwrap();
}

#[test]
fn a_reset_drops_orders_and_keeps_unsent_work() {
    let mut world = World::synced(&[1, 2, 3]);
    world.go_on_site(1);
    world.capture(1, Operator::ChinaMobile, 0..300);
    world.phone.accept(order_id(2)).unwrap();
    // The server was restored from a backup that never knew order 2, and order 3 was finished.
    world.server.orders.remove(&order_id(2));
    world.server.orders.remove(&order_id(3));
    world.server.epoch = 2;
    world.server.reset_next = true;
    let views: Vec<_> = world.server.orders.values().cloned().collect();
    world.server.feed_restart(views);
    world.sync();
    let orders = world.phone.orders().unwrap();
    let in_scope: Vec<_> = orders.iter().filter(|order| order.is_in_scope).map(|order| order.view.id).collect();
    assert_eq!(in_scope, [order_id(1)]);
    assert!(orders.iter().all(|order| order.view.id != order_id(3)), "nothing was done for it");
    let husk = world.phone.order(order_id(2)).unwrap();
    assert!(husk.view.customer.phone.is_empty());
    let order = world.phone.order(order_id(1)).unwrap();
    assert_eq!(order.view.state, WorkOrderState::OnSite, "unsent work was sent and counts");
    assert_eq!(world.phone.status().unwrap().captures.samples, 300);
    world.phone.capture_seal(order_id(1)).unwrap();
    world.sync();
    assert_eq!(world.server.samples_received(), 300);
}

/// An older view must not overwrite a newer one, however messages are reordered.
#[test]
fn an_older_view_changes_nothing() {
    let mut world = World::synced(&[1]);
    world.server.order_edit(order_id(1), |view| view.address = "14 Lakeside Road".to_owned());
    world.sync();
    world.server.order_put(order_view(1));
    world.sync();
    assert_eq!(world.phone.order(order_id(1)).unwrap().view.address, "14 Lakeside Road");
}

#[test]
fn a_phone_belongs_to_one_person() {
    let mut world = World::synced(&[1]);
    world.server.user = 10;
    let ended = world.phone.sign_in(&mut world.server, "somebody", "correct horse");
    assert!(matches!(ended, Err(PhoneError::OtherUser { user_name }) if user_name == "tester"));
}

#[test]
fn orders_are_called_by_id_number_or_part() {
    let mut world = World::synced(&[1, 2, 21]);
    let find = |name: &str| world.phone.order_find(name);
    assert_eq!(find("WO-20261123-00002").unwrap(), order_id(2));
    assert_eq!(find(&order_id(21).to_string()).unwrap(), order_id(21));
    assert_eq!(find("0101").unwrap(), order_id(1), "a beginning of its id");
    assert_eq!(find("0021").unwrap(), order_id(21), "the end of its number");
    assert!(matches!(find("WO-"), Err(PhoneError::OrderAmbiguous(_))));
    assert!(matches!(find(""), Err(PhoneError::OrderUnknown(_))));
    assert!(matches!(find("77"), Err(PhoneError::OrderUnknown(_))));
    world.sync();
}
