//! The phone core listens to a real server's wake-ups over real sockets: what it hears brings a sync, and it ends when it should.

use callout_mobile_sdk::cli::{Exit, PhoneArgs, run};
use callout_mobile_sdk::engine::ListenProgress;
use callout_mobile_sdk::facade::{ListenControl, Network, OrderWatch, Phone, PhoneError};
use callout_mobile_sdk::transport::http_client::{HttpClient, ServerUrl};
use callout_tests::clock::TestPhoneEnv;
use callout_tests::phones::Tester;
use callout_tests::world::World;
use callout_tests::world_tests;
use clap::Parser;
use serde_json::Value;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What does not come in this time fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A phone that listens on a thread of its own.
struct Listening {
    control: ListenControl,
    progress: Receiver<ListenProgress>,
    thread: JoinHandle<Result<(), PhoneError>>,
}

fn client(world: &World) -> HttpClient {
    HttpClient::new(ServerUrl::parse(world.http.base(), false).unwrap())
}

fn listen(world: &World, tester: &Tester) -> Listening {
    let mut phone = tester.phone.beside().unwrap();
    let mut client = client(world);
    let control = ListenControl::default();
    let (sender, progress) = channel();
    let thread = {
        let control = control.clone();
        std::thread::spawn(move || {
            phone.listen(&mut client, &control, &mut |progress: &ListenProgress| {
                // A test that has seen enough does not listen any more.
                let _ = sender.send(progress.clone());
            })
        })
    };
    Listening { control, progress, thread }
}

impl Listening {
    fn until(&self, wanted: impl Fn(&ListenProgress) -> bool) -> ListenProgress {
        loop {
            let progress = self.progress.recv_timeout(PATIENCE).expect("the phone tells of it in time");
            if wanted(&progress) {
                return progress;
            }
        }
    }

    fn connected(&self) {
        self.until(|progress| *progress == ListenProgress::Connected);
    }

    /// A sync that brought so many orders.
    fn brings(&self, orders: u64) {
        self.until(
            |progress| matches!(progress, ListenProgress::Synced { summary } if summary.orders_changed == orders),
        );
    }

    fn ends(self) -> Result<(), PhoneError> {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !self.thread.is_finished() {
            assert!(std::time::Instant::now() < deadline, "listening ends in time");
            std::thread::yield_now();
        }
        self.thread.join().unwrap()
    }
}

fn shown(phone: &Phone, watch: &mut OrderWatch) -> usize {
    phone.order_changes(watch).unwrap().len()
}

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: PhoneArgs,
}

world_tests! {
    /// Orders come by themselves, through the end of the access token, until the app stops it.
    fn orders_come_by_themselves(world) {
        let (tester, tester_id) = world.tester("tester-1");
        let mut watch = OrderWatch::default();
        assert_eq!(shown(&tester.phone, &mut watch), 0);
        let listening = listen(world, &tester);
        listening.connected();
        let first = world.order_dispatched(tester_id);
        listening.brings(1);
        assert_eq!(shown(&tester.phone, &mut watch), 1);
        assert_eq!(tester.phone.order(first).unwrap().view.id, first);
        // The token ends, and with it the stream; the phone renews the one and opens the other.
        world.clock.advance_seconds(16 * 60);
        listening.connected();
        let second = world.order_dispatched(tester_id);
        listening.brings(1);
        tester.phone.order(second).unwrap();
        // No network, then one: nothing is heard meanwhile, and nothing is missed.
        listening.control.set_network(Network::Absent);
        listening.until(|progress| matches!(progress, ListenProgress::NotNow { .. }));
        let third = world.order_dispatched(tester_id);
        listening.control.set_network(Network::Unmetered);
        listening.brings(1);
        listening.connected();
        tester.phone.order(third).unwrap();
        listening.control.stop();
        listening.ends().unwrap();
    }

    /// Who has no right to listen any more is told why, and what to do.
    fn listening_ends_with_its_right(world) {
        let (tester, _) = world.tester("tester-1");
        let listening = listen(world, &tester);
        listening.connected();
        let path = format!("/v1/devices/{}/revoke", tester.phone.device_id());
        let lost = serde_json::json!({ "reason": "lost" });
        assert_eq!(world.admin.try_json("POST", &path, &lost).unwrap().status, 204);
        assert!(matches!(listening.ends(), Err(PhoneError::DeviceRevoked)));

        let (mut tester, _) = world.tester("tester-2");
        let listening = listen(world, &tester);
        listening.connected();
        tester.phone.sign_out().unwrap();
        // The app says that something changed; without that the next heartbeat would find out.
        listening.control.set_network(Network::Unmetered);
        assert!(matches!(listening.ends(), Err(PhoneError::SignInNeeded)));
    }

    /// `phone watch` prints each order that comes, one JSON object a line.
    fn the_terminal_phone_watches(world) {
        let (tester, tester_id) = world.tester("tester-1");
        let folder = world.folder("phone-1").to_str().unwrap().to_owned();
        let line = ["phone", "--data-dir", &folder, "--server", world.http.base(), "--json", "watch", "--changes", "1"];
        let args = Program::try_parse_from(line).unwrap().args;
        let env = Arc::new(TestPhoneEnv { clock: world.clock.clone(), ahead_ms: 0 });
        let watching = std::thread::spawn(move || {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let exit = run(args, env, &mut out, &mut err);
            (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
        });
        let order = world.order_dispatched(tester_id);
        let (exit, out, err) = watching.join().unwrap();
        assert_eq!(exit, Exit::Done, "{out}{err}");
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[0]["change"]), (2, &Value::from("shown")), "{out}");
        assert_eq!(lines[0]["order"]["view"]["id"], order.to_string());
        assert_eq!(lines[1]["changes"], 1);
        drop(tester);
    }
}
