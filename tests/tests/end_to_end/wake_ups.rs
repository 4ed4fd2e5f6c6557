//! Wake-ups over real sockets: phones hear of their feed, desks of their regions, nobody of anything else, and ends come in time.

use super::support::{RawTester, assert_problem};
use callout_cli::desk::Desk;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world::World;
use callout_tests::world_tests;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One listener's connection.
struct Stream {
    reader: BufReader<TcpStream>,
    /// The status line.
    status: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    fn open(world: &World, token: &str, last_event_id: Option<&str>) -> Self {
        Self::open_at(world.server.address(), token, last_event_id)
    }

    fn open_at(address: SocketAddr, token: &str, last_event_id: Option<&str>) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        // A wake-up that does not come fails the test; none is waited for that is not due.
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last = last_event_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let request =
            format!("GET /v1/wake-ups HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{last}\r\n");
        (&socket).write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(socket);
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        Self { reader, status }
    }

    /// The next line of the body; lengths of chunks look like no line of an event.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.reader.read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<Heard> {
        let (mut name, mut id) = (String::new(), String::new());
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("id", value)) => id = value.to_owned(),
                Some(("data", value)) => {
                    return Some(Heard { name, id, data: serde_json::from_str(value).unwrap() });
                }
                _ => {}
            }
        }
    }

    /// Reads until a heartbeat, and says what was heard before.
    fn until_heartbeat(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let line = self.line().expect("the stream goes on");
            if line == ":" {
                return heard;
            }
            heard.extend(line.strip_prefix("event: ").map(str::to_owned));
        }
    }
}

fn listen(world: &World, desk: &Desk) -> Stream {
    let stream = Stream::open(world, desk.access_token(), None);
    assert!(stream.status.contains(" 200 "), "{}", stream.status);
    stream
}

world_tests! {
    /// A phone hears how far its feed goes when it connects and when that changes, and nothing of others.
    fn a_phone_hears_of_its_own_feed(world) {
        let (tester, other) = (RawTester::new(world, "tester-1"), RawTester::new(world, "tester-2"));
        let (mut mine, mut theirs) = (listen(world, &tester.desk), listen(world, &other.desk));
        assert_eq!(mine.next().unwrap().data["number"], 0);
        assert_eq!(theirs.next().unwrap().data["number"], 0);
        world.order_dispatched(tester.user_id);
        let heard = mine.next().unwrap();
        assert_eq!((heard.name.as_str(), heard.data["number"].as_u64()), ("feed", Some(1)));
        assert_eq!(theirs.until_heartbeat(), Vec::<String>::new(), "it is not theirs");
        // What the wake-up named is what a sync gives.
        let answer = tester.sync(&tester.request(world));
        assert_eq!(heard.id, format!("{}.{}", answer.cursor.epoch, answer.cursor.number));
        // Who knows it already is not told again; whoever missed something is told at once.
        let mut again = Stream::open(world, tester.desk.access_token(), Some(&heard.id));
        assert_eq!(again.until_heartbeat(), Vec::<String>::new());
        world.order_dispatched(tester.user_id);
        assert_eq!(again.next().unwrap().data["number"], 2);
        let mut late = Stream::open(world, tester.desk.access_token(), Some(&heard.id));
        assert_eq!(late.next().unwrap().data["number"], 2, "nothing is lost by being away");
    }

    /// A desk hears of its regions, and of no other.
    fn a_desk_hears_of_its_regions(world) {
        let (lead, foreign) = (world.lead(), world.foreign_desk("regional_lead"));
        let (mut here, mut there) = (listen(world, &lead), listen(world, &foreign));
        assert_eq!(here.next().unwrap().data["everything"], true, "whoever connects loads everything once");
        assert_eq!(there.next().unwrap().data["everything"], true);
        let tester = RawTester::new(world, "tester-1");
        world.order_dispatched(tester.user_id);
        let heard = here.next().unwrap();
        assert_eq!(heard.name, "work-orders");
        assert_eq!(heard.data, json!({ "region_ids": [world.regions[0]], "unlocated": false, "everything": false }));
        assert_eq!(there.until_heartbeat(), Vec::<String>::new(), "it is not their region");
    }

    /// The stream ends with the access token, and with the session, for whatever reason that was ended.
    fn a_stream_ends_with_its_right(world) {
        let first = RawTester::new(world, "tester-1");
        let mut stream = listen(world, &first.desk);
        stream.next().unwrap();
        first.desk.send("POST", "/v1/sign-out", &[], &[]).unwrap();
        assert_eq!(stream.next().unwrap().data, json!({ "reason": "session_revoked" }));
        let refused = Stream::open(world, first.desk.access_token(), None);
        assert!(refused.status.contains(" 401 "), "a revoked session does not listen: {}", refused.status);

        let second = RawTester::new(world, "tester-2");
        let mut stream = listen(world, &second.desk);
        stream.next().unwrap();
        let path = format!("/v1/devices/{}/revoke", second.device.device_id);
        let json_body = [("content-type", "application/json")];
        world.admin.send("POST", &path, &json_body, br#"{"reason":"lost"}"#).unwrap().accepted().unwrap();
        assert_eq!(stream.next().unwrap().data, json!({ "reason": "session_revoked" }));

        let third = RawTester::new(world, "tester-3");
        world.t1();
        let mut stream = listen(world, &third.desk);
        stream.next().unwrap();
        world.clock.advance_seconds(16 * 60);
        assert_eq!(stream.next().unwrap().data, json!({ "reason": "token_expired" }));
        let over = world.desk("t1_dispatcher").send("GET", "/v1/wake-ups?for_seconds=0", &[], &[]).unwrap();
        assert!(over.text().contains("time_over") && over.content_type == "text/event-stream", "{}", over.text());
        let bad = world.desk("t1_dispatcher").send("GET", "/v1/wake-ups?for_seconds=soon", &[], &[]).unwrap();
        assert_problem(&bad, ProblemType::InvalidField);
    }

    /// Two servers on one database: what was changed, or ended, through the one wakes who listens to the other.
    fn a_change_through_one_server_wakes_who_listens_to_another(world) {
        let other = world.another_server();
        let (tester, lead) = (RawTester::new(world, "tester-1"), world.lead());
        let mut phone = Stream::open_at(other.address(), tester.desk.access_token(), None);
        let mut desk = Stream::open_at(other.address(), lead.access_token(), None);
        assert_eq!(phone.next().unwrap().data["number"], 0);
        assert_eq!(desk.next().unwrap().data["everything"], true);
        world.order_dispatched(tester.user_id);
        assert_eq!(phone.next().unwrap().data["number"], 1);
        assert_eq!(desk.next().unwrap().name, "work-orders");
        assert_eq!(world.server.app().wake_ups().listener_count(), 0, "nobody listens to the one that made the change");
        tester.desk.send("POST", "/v1/sign-out", &[], &[]).unwrap();
        assert_eq!(phone.next().unwrap().data, json!({ "reason": "session_revoked" }));
        assert_eq!(phone.next(), None);
    }

    /// Several hundred listen; one change wakes the one that it concerns; who listens too often from one session loses the oldest.
    fn hundreds_listen_and_one_is_woken(world) {
        let testers: Vec<_> = (0..6).map(|number| RawTester::new(world, &format!("tester-{number}"))).collect();
        let lead = world.lead();
        // Streams of one session beyond the fourth end the first ones.
        let mut crowd: Vec<Stream> = (0..300).map(|_| listen(world, &lead)).collect();
        let mut phones: Vec<Stream> = testers.iter().map(|tester| listen(world, &tester.desk)).collect();
        phones.iter_mut().for_each(|phone| assert_eq!(phone.next().unwrap().data["number"], 0));
        let ended = crowd.drain(..296).filter_map(|mut stream| {
            stream.next().unwrap();
            stream.next()
        });
        assert_eq!(ended.filter(|heard| heard.data == json!({ "reason": "replaced" })).count(), 296);
        world.order_dispatched(testers[3].user_id);
        assert_eq!(phones[3].next().unwrap().data["number"], 1);
        assert_eq!(phones[2].until_heartbeat(), Vec::<String>::new());
        for stream in &mut crowd {
            assert_eq!(stream.next().unwrap().data["everything"], true);
            assert_eq!(stream.next().unwrap().data["everything"], false);
        }
    }
}
