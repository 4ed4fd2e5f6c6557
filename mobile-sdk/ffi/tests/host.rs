//! What a host with several threads relies on, through the bindings' own interface and without a server that answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use callout_mobile_sdk::facade::Network;
use callout_phone_ffi::{
    AccountsCore, FindingsDraft, ListenEnd, ListenEvent, ListenerError, NotNow, OrderChange, OrderObserver, PhoneCore,
    PhoneError, PhoneSettings, Position, Reason, WakeUpListener,
};
use callout_sync_protocol::ids::WorkOrderId;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const KEY: [u8; 32] = [7; 32];

fn settings(server_url: &str) -> PhoneSettings {
    PhoneSettings { server_url: server_url.to_owned(), device_name: "host".to_owned(), allows_plain_http: false }
}

fn open(folder: &std::path::Path, server_url: &str) -> Arc<PhoneCore> {
    PhoneCore::open(folder.to_str().unwrap(), KEY.to_vec(), settings(server_url)).unwrap()
}

#[test]
fn opening_tells_what_is_wrong_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let cases: [(&[u8], &str); 3] =
        [(&KEY[..31], "https://callout.example"), (&KEY, "callout.example"), (&KEY, "http://callout.example")];
    for (key, url) in cases {
        match PhoneCore::open(path, key.to_vec(), settings(url)).map(|_| ()) {
            Err(PhoneError::NotAllowed { reason }) => {
                assert!(!reason.text_en.is_empty() && !reason.text_zh.is_ascii(), "{reason:?}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    drop(open(folder.path(), "https://callout.example"));
    let other_key = PhoneCore::open(path, vec![8; 32], settings("https://callout.example")).map(|_| ());
    assert!(matches!(other_key, Err(PhoneError::Storage { is_full: false, .. })), "{other_key:?}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let phone = open(folder.path(), "https://callout.example");
    let nowhere =
        Position { latitude_degrees: f64::NAN, longitude_degrees: 0.0, accuracy_metres: None, is_mock: false };
    let unknown = WorkOrderId::NIL;
    assert!(matches!(phone.arrive(unknown, nowhere), Err(PhoneError::NotAllowed { .. })));
    assert!(matches!(phone.accept(unknown), Err(PhoneError::NotFound { .. })));
    assert!(matches!(phone.findings_write(unknown, FindingsDraft::default()), Err(PhoneError::NotFound { .. })));
    assert!(matches!(phone.block_resend("no hash"), Err(PhoneError::NotAllowed { .. })));
    assert!(matches!(phone.sync(0, None), Err(PhoneError::SignInNeeded { .. })));
}

struct Told(Mutex<Sender<usize>>);

impl OrderObserver for Told {
    fn on_changes(&self, changes: Vec<OrderChange>) -> Result<(), ListenerError> {
        self.0.lock().unwrap().send(changes.len()).map_err(|error| ListenerError::Failed { what: error.to_string() })
    }

    fn on_ended(&self, reason: Option<Reason>) -> Result<(), ListenerError> {
        assert_eq!(reason, None, "the app ended it");
        Ok(())
    }
}

fn observer() -> (Arc<Told>, Receiver<usize>) {
    let (sender, receiver) = channel();
    (Arc::new(Told(Mutex::new(sender))), receiver)
}

#[test]
fn an_observation_begins_with_everything_and_lets_go_of_its_observer_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let phone = open(folder.path(), "https://callout.example");
    for shuts in [false, true] {
        let (told, changes) = observer();
        let observation = phone.observe_orders(told).unwrap();
        assert_eq!(changes.recv_timeout(PATIENCE), Ok(0), "told at once, although there is no order");
        if shuts {
            phone.shut();
        } else {
            observation.stop();
        }
        assert!(phone.wait_for_threads(30_000));
        // The sender is gone only when the thread has let go of the observer.
        assert_eq!(changes.try_recv(), Err(TryRecvError::Disconnected));
    }
    assert!(matches!(phone.orders(), Err(PhoneError::Closed { .. })));
}

#[test]
fn the_tester_goes_on_while_the_network_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let phone = open(folder.path(), &format!("http://{}", server.local_addr().unwrap()));
    let signing_in = {
        let phone = phone.clone();
        std::thread::spawn(move || phone.sign_in("tester", "a password".to_owned()).map(|_| ()))
    };
    // The server takes the call and says nothing.
    let (call, _) = server.accept().unwrap();
    assert_eq!(phone.status().unwrap().orders, 0);
    assert!(matches!(phone.sync(0, None), Err(PhoneError::Busy { .. })));
    phone.shut();
    drop((call, server));
    let ended = signing_in.join().unwrap();
    assert!(matches!(ended, Err(PhoneError::Network { .. })), "{ended:?}");
    assert!(matches!(phone.sync(0, None), Err(PhoneError::Closed { .. })));
}

#[test]
fn accounts_have_stores_of_their_own_and_go_when_nothing_is_unsent() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = AccountsCore::open(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(accounts.current(), None);
    let (one, two) = (accounts.add().unwrap(), accounts.add().unwrap());
    assert_eq!(accounts.current(), Some(two.clone()));
    accounts.switch_to(&one).unwrap();
    assert!(matches!(accounts.switch_to("nobody"), Err(PhoneError::NotFound { .. })));
    let opened = |slot: &str| accounts.open_phone(slot, KEY.to_vec(), settings("https://callout.example")).unwrap();
    let (first, second) = (opened(&one), opened(&two));
    assert_ne!(first.device_id().unwrap(), second.device_id().unwrap());
    // Another account's phone is not taken for this one's, and stays open.
    assert!(accounts.remove(&one, second.clone()).is_err());
    assert!(second.orders().is_ok());
    accounts.remove(&one, first.clone()).unwrap();
    assert!(matches!(first.orders(), Err(PhoneError::Closed { .. })));
    assert_eq!(accounts.list().unwrap(), [two]);
}

/// What a listener was told.
#[derive(Debug, PartialEq)]
enum Heard {
    Event(ListenEvent),
    Ended(Option<ListenEnd>),
}

struct Listens(Mutex<Sender<Heard>>);

impl Listens {
    fn tell(&self, heard: Heard) -> Result<(), ListenerError> {
        self.0.lock().unwrap().send(heard).map_err(|error| ListenerError::Failed { what: error.to_string() })
    }
}

impl WakeUpListener for Listens {
    fn on_event(&self, event: ListenEvent) -> Result<(), ListenerError> {
        self.tell(Heard::Event(event))
    }

    fn on_ended(&self, end: Option<ListenEnd>) -> Result<(), ListenerError> {
        self.tell(Heard::Ended(end))
    }
}

#[test]
fn a_phone_that_listens_heeds_the_network_and_ends_when_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let phone = open(folder.path(), "https://callout.example");
    phone.set_network(Network::Absent);
    let asleep = || Heard::Event(ListenEvent::Postponed { why: NotNow::NoNetwork });
    let listen = || {
        let (sender, heard) = channel();
        let listening = phone.listen(Arc::new(Listens(Mutex::new(sender)))).unwrap();
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(asleep()));
        (listening, heard)
    };
    // The app ends it.
    let (listening, heard) = listen();
    listening.stop();
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Ended(None)));
    // Nobody is signed in, which a sync finds out as soon as there is a network.
    let (_listening, heard) = listen();
    phone.set_network(Network::Unmetered);
    let ended = heard.recv_timeout(PATIENCE);
    assert!(matches!(ended, Ok(Heard::Ended(Some(ListenEnd::SignInNeeded { .. })))), "{ended:?}");
    // The phone is shut; whoever was listening is let go of.
    phone.set_network(Network::Absent);
    let (_listening, heard) = listen();
    phone.shut();
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Ended(None)));
    assert!(phone.wait_for_threads(30_000));
    assert!(heard.try_recv().is_err());
    let (sender, _heard) = channel();
    let closed = phone.listen(Arc::new(Listens(Mutex::new(sender)))).map(|_| ());
    assert!(matches!(closed, Err(PhoneError::Closed { .. })), "{closed:?}");
}
