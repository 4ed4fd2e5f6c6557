//! Pushes to a real receiver: signed, told of nobody, one for many changes, again after failures, and given up in the open.

use super::support::{RawTester, command};
use callout_cli::desk::{Desk, Http};
use callout_cli::server::Started;
use callout_server::app::AppConfig;
use callout_server::app::pushes::{PUSH, PushSettings, PushTarget};
use callout_server::photos::store::Secret;
use callout_storage::Storage;
use callout_storage::jobs::Job;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::frame::frame_encode;
use callout_sync_protocol::sync::SyncRequest;
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

const KEY: &[u8; 32] = b"the receiver knows this key, too";

/// HMAC-SHA256 (RFC 2104), written a second time, so that the test checks the standard and not the server's own library.
fn hmac(message: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| -> Vec<u8> {
        let mut key = [0; 64];
        key[..KEY.len()].copy_from_slice(KEY);
        key.iter().map(|k| k ^ byte).collect()
    };
    let inner = Sha256::digest([pad(0x36).as_slice(), message].concat());
    Sha256::digest([pad(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The operator's push service.
struct Receiver {
    listener: TcpListener,
}

/// One call of it, not yet answered.
struct Call {
    socket: TcpStream,
    head: String,
    body: String,
}

impl Receiver {
    fn new() -> Self {
        Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap() }
    }

    /// The configuration of a server that calls it.
    fn config(&self) -> AppConfig {
        let url = format!("http://{}/push", self.listener.local_addr().unwrap());
        let secret = Secret::new(format!("whsec_{}", base64(KEY)));
        AppConfig { push: Some(PushTarget::new(&PushSettings { url, secret }).unwrap()), ..AppConfig::default() }
    }

    /// Waits for the next call.
    fn call(&self) -> Call {
        let (socket, _) = self.listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let length = header(&head, "content-length").parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        Call { socket, head, body: String::from_utf8(body).unwrap() }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let found = head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name}: {head}")).1.trim()
}

impl Call {
    fn answer(mut self, status: &str, headers: &str) {
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n");
        self.socket.write_all(text.as_bytes()).unwrap();
    }
}

/// Does the server's due jobs while the receiver's part is played; says what that was worth.
fn run_due<T>(server: &Started, receiver: impl FnOnce() -> T + Send) -> T
where
    T: Send,
{
    std::thread::scope(|scope| {
        let receiver = scope.spawn(receiver);
        server.run_due().unwrap();
        receiver.join().unwrap()
    })
}

fn owed(world: &World, tester: &RawTester) -> Vec<Job> {
    owed_in(&world.storage, tester.user_id)
}

fn owed_in(storage: &Storage, tester: uuid::Uuid) -> Vec<Job> {
    let jobs = storage.read("test", |tx| tx.job_list_by_subject(tester)).unwrap();
    jobs.into_iter().filter(|job| job.kind == PUSH).collect()
}

/// Sends an order to the tester by the server that knows a push service.
fn dispatch(world: &World, server: &Started, tester: &RawTester) -> uuid::Uuid {
    let order = world.order_located();
    let http = Http::new(format!("http://{}", server.address()));
    Desk::with_token(&http, world.t1().access_token()).work_order_dispatch(order, tester.user_id).unwrap();
    order
}

world_tests! {
    /// Three changes owe one push. It is signed, says nothing of orders or people, and comes again until the service takes it.
    fn a_push_says_that_something_waits_until_it_is_taken(world) {
        let receiver = Receiver::new();
        let server = world.another_server_with(receiver.config());
        let tester = RawTester::new(world, "tester-1");
        for _ in 0..3 {
            dispatch(world, &server, &tester);
        }
        assert_eq!(owed(world, &tester).len(), 1, "many changes, one push");
        // A server without a push service leaves it to those that have one.
        world.run_due();
        assert_eq!(owed(world, &tester)[0].attempts, 0);

        let (head, body) = run_due(&server, || {
            let call = receiver.call();
            let told = (call.head.clone(), call.body.clone());
            call.answer("503 Service Unavailable", "retry-after: 30\r\n");
            told
        });
        assert!(head.starts_with("POST /push HTTP/1.1"), "{head}");
        assert_eq!(header(&head, "content-type"), "application/json");
        let (id, seconds) = (header(&head, "webhook-id"), header(&head, "webhook-timestamp"));
        assert_eq!(seconds.parse::<i64>().unwrap(), world.clock.time().unix_millis() / 1_000);
        let signed = format!("v1,{}", base64(&hmac(format!("{id}.{seconds}.{body}").as_bytes())));
        assert_eq!(header(&head, "webhook-signature"), signed);
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told, json!({
            "type": "feed.changed",
            "timestamp": world.clock.time().to_string(),
            "data": { "user_id": tester.user_id, "device_ids": [tester.device.device_id] },
        }), "and nothing else");

        // Not before the service wants it; then a connection that breaks; then it is taken.
        let waiting = owed(world, &tester);
        assert_eq!(waiting[0].id.to_string(), id);
        assert_eq!(waiting[0].last_error.as_deref(), Some("the push service answered 503"));
        assert_eq!(waiting[0].run_at, world.clock.time().plus_seconds(30));
        world.clock.advance_seconds(31);
        run_due(&server, || drop(receiver.call()));
        let error = owed(world, &tester)[0].last_error.clone().unwrap();
        assert!(error.starts_with("the push service cannot be reached") && !error.contains("127.0.0.1"), "{error}");
        world.clock.advance_seconds(11);
        let again = run_due(&server, || {
            let call = receiver.call();
            let id = header(&call.head, "webhook-id").to_owned();
            call.answer("204 No Content", "");
            id
        });
        assert_eq!(again, id, "the same push has the same id, so that the service can tell");
        assert_eq!(owed(world, &tester), [], "what was done leaves no row");
    }

    /// What a phone does itself owes it no push; a change while a push is under way owes another; nobody is told who signed out.
    fn a_push_is_owed_by_the_changes_of_others_only(world) {
        let receiver = Receiver::new();
        let server = world.another_server_with(receiver.config());
        let tester = RawTester::new(world, "tester-1");
        let order = dispatch(world, &server, &tester);
        let before = owed(world, &tester);
        let (second, http) = (world.order_located(), Http::new(format!("http://{}", server.address())));
        let t1 = Desk::with_token(&http, world.t1().access_token());
        let (storage, tester_id) = (world.storage.clone(), tester.user_id);
        run_due(&server, || {
            let call = receiver.call();
            // The phone may have synced before this one: the push under way says nothing of it.
            t1.work_order_dispatch(second, tester_id).unwrap();
            assert_eq!(owed_in(&storage, tester_id).len(), 2);
            call.answer("200 OK", "");
            // The same round goes on with the new one.
            receiver.call().answer("200 OK", "");
        });
        assert_eq!(before.len(), 1);
        assert_eq!(owed(world, &tester), []);
        let commands = vec![command(world, callout_sync_protocol::ids::WorkOrderId(order), CommandBody::Accept {})];
        let frame = frame_encode(&SyncRequest { commands, ..tester.request(world) });
        let phone = Desk::with_token(&http, tester.desk.access_token());
        phone.send("POST", "/v1/sync", &[("content-type", MEDIA_TYPE)], &frame).unwrap().accepted().unwrap();
        assert_eq!(owed(world, &tester), [], "the phone knows what it did");

        dispatch(world, &server, &tester);
        tester.desk.send("POST", "/v1/sign-out", &[], &[]).unwrap();
        server.run_due().unwrap();
        assert_eq!(owed(world, &tester), [], "no device to tell, and no call was made");
        receiver.listener.set_nonblocking(true).unwrap();
        assert!(receiver.listener.accept().is_err());
    }

    /// A service that never answers well is given up after an hour's tries, one that says "never" at once; the reason stays on the
    /// row and is counted, and the next change owes a new push.
    fn a_push_is_given_up_in_the_open(world) {
        let receiver = Receiver::new();
        let mut server = world.another_server_with(receiver.config());
        let scraped = server.metrics_serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
        let tester = RawTester::new(world, "tester-1");
        dispatch(world, &server, &tester);
        let mut tries = 0;
        let began = world.clock.time();
        while owed(world, &tester)[0].finished_at.is_none() {
            run_due(&server, || receiver.call().answer("500 Internal Server Error", ""));
            tries += 1;
            assert!(tries <= 12, "{:?}", owed(world, &tester));
            let next = owed(world, &tester)[0].run_at;
            world.clock.set(next);
        }
        assert_eq!(tries, 12);
        let minutes = world.clock.time().micros_since(began) / 60_000_000;
        assert!((30..120).contains(&minutes), "{minutes}");
        assert_eq!(owed(world, &tester)[0].last_error.as_deref(), Some("the push service answered 500"));

        dispatch(world, &server, &tester);
        run_due(&server, || receiver.call().answer("410 Gone", ""));
        let rows = owed(world, &tester);
        assert_eq!(rows.len(), 1, "the last one that was given up is enough");
        assert_eq!(rows[0].last_error.as_deref(), Some("the push service answered 410"));
        assert!(rows[0].finished_at.is_some());
        let text = Http::new(format!("http://{scraped}")).send("GET", "/metrics", &[], &[]).unwrap().text();
        assert!(text.contains("callout_pushes_total{outcome=\"given_up\"} 2\n"), "{text}");
        assert!(text.contains("callout_pushes_total{outcome=\"failed\"} 11\n"), "{text}");

        // It does not follow where it is sent to: nobody but the operator says where pushes go.
        dispatch(world, &server, &tester);
        let elsewhere = Receiver::new();
        let location = format!("location: http://{}/\r\n", elsewhere.listener.local_addr().unwrap());
        run_due(&server, || receiver.call().answer("307 Temporary Redirect", &location));
        elsewhere.listener.set_nonblocking(true).unwrap();
        assert!(elsewhere.listener.accept().is_err());
    }
}
