//! When the phone listens, what hearing something means, and when it comes back: the machine alone, event by event.

use super::support::World;
use callout_mobile_sdk::Env as _;
use callout_mobile_sdk::engine::{
    BackoffConfig, HttpResponse, ListenEnd, ListenEvent, ListenInstruction, ListenProgress, ListenSync, Listener,
    Moment, Network, NotNow, SyncSummary,
};
use callout_mobile_sdk::facade::MeteredUse;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;

struct Listens {
    world: World,
    listener: Listener,
    random: u64,
}

const FEED_1: &[u8] = b"event: feed\nid: 1.1\ndata: {\"epoch\":1,\"number\":1}\n\n";
const FEED_2: &[u8] = b"event: feed\nid: 1.2\ndata: {\"epoch\":1,\"number\":2}\n\n";

fn answer(status: u16, media_type: &str, headers: &[(&str, &str)], body: &str) -> ListenEvent {
    let headers = [&[("content-type", media_type)], headers].concat();
    ListenEvent::Answered(HttpResponse {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
    })
}

fn stream() -> ListenEvent {
    answer(200, "text/event-stream; charset=utf-8", &[], "")
}

fn problem(kind: ProblemType) -> ListenEvent {
    let body = format!(r#"{{"type":"{}","title":"x","status":{}}}"#, kind.uri(), kind.status());
    answer(kind.status(), "application/problem+json", &[], &body)
}

fn done() -> ListenEvent {
    ListenEvent::Synced(ListenSync::Done(SyncSummary::default()))
}

fn heard(bytes: &[u8]) -> ListenEvent {
    ListenEvent::Heard(bytes.to_vec())
}

impl Listens {
    /// With one order, synced: the feed ends at 1.1.
    fn new(network: Network) -> Self {
        Self { world: World::synced(&[1]), listener: Listener::new(BackoffConfig::default(), network), random: 0 }
    }

    fn to(&mut self, event: ListenEvent) -> Vec<ListenInstruction> {
        let moment = Moment { now: self.world.env.now(), random: self.random };
        self.listener.handle(self.world.phone.store(), moment, event).unwrap()
    }

    /// The stream is open.
    fn listening() -> Self {
        let mut listens = Self::new(Network::Unmetered);
        assert_eq!(listens.to(ListenEvent::Wanted), [ListenInstruction::Sync]);
        assert!(matches!(listens.to(done()).as_slice(), [_, ListenInstruction::Listen(_)]));
        let connected = listens.to(stream());
        assert_eq!(
            connected,
            [ListenInstruction::Report(ListenProgress::Connected), ListenInstruction::Read],
            "{connected:?}"
        );
        listens
    }

    /// The machine waits now; says for how long, in milliseconds.
    fn waits_ms(&self, instructions: &[ListenInstruction]) -> i64 {
        match instructions {
            [
                ListenInstruction::HangUp,
                ListenInstruction::Report(ListenProgress::WillRetry { at, .. }),
                ListenInstruction::WaitUntil(until),
            ] if at == until => until.micros_since(self.world.env.now()) / 1_000,
            other => panic!("{other:?}"),
        }
    }
}

fn header<'a>(instruction: &'a ListenInstruction, name: &str) -> Option<&'a str> {
    let ListenInstruction::Listen(request) = instruction else { panic!("{instruction:?}") };
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

#[test]
fn it_says_how_far_it_is_and_syncs_when_the_server_is_further() {
    let mut listens = Listens::new(Network::Unmetered);
    assert_eq!(listens.to(ListenEvent::Wanted), [ListenInstruction::Sync]);
    let instructions = listens.to(done());
    assert_eq!(header(&instructions[1], "last-event-id"), Some("1.1"));
    assert!(header(&instructions[1], "authorization").unwrap().starts_with("Bearer "));
    listens.to(stream());
    assert_eq!(listens.to(heard(b"retry: 5000\n\n:\n\n")), [ListenInstruction::Read]);
    assert_eq!(listens.to(heard(FEED_1)), [ListenInstruction::Read], "the phone is there already");
    assert_eq!(listens.to(heard(&FEED_2[..20])), [ListenInstruction::Read], "not whole yet");
    assert_eq!(listens.to(heard(&FEED_2[20..])), [ListenInstruction::Sync]);
    assert_eq!(listens.to(done()).last(), Some(&ListenInstruction::Read), "the stream stayed open meanwhile");
    assert_eq!(listens.to(heard(b"event: feed\ndata: rubbish\n\n")), [ListenInstruction::Sync]);
    assert_eq!(listens.to(done()).last(), Some(&ListenInstruction::Read));
    assert_eq!(listens.to(heard(b"event: yet-to-come\ndata: {}\n\n")), [ListenInstruction::Read]);
}

#[test]
fn a_stream_that_ends_with_its_token_is_renewed_by_a_sync_once() {
    let mut listens = Listens::listening();
    let over = b"event: end\ndata: {\"reason\":\"token_expired\"}\n\n";
    assert_eq!(listens.to(heard(over)), [ListenInstruction::HangUp, ListenInstruction::Sync]);
    assert!(matches!(listens.to(done()).last(), Some(ListenInstruction::Listen(_))));
    // The sync found nothing wrong with the token, and the stream is refused all the same.
    let refused = listens.to(problem(ProblemType::Unauthenticated));
    assert!(listens.waits_ms(&refused) >= 1_000, "no loop of syncs and refusals");
    // Of a session that was ended the sync finds out what the matter is.
    let mut listens = Listens::listening();
    let revoked = b"event: end\ndata: {\"reason\":\"session_revoked\"}\n\n";
    assert_eq!(listens.to(heard(revoked)).last(), Some(&ListenInstruction::Sync));
    let ended = listens.to(ListenEvent::Synced(ListenSync::Revoked));
    assert_eq!(ended.last(), Some(&ListenInstruction::End(ListenEnd::Revoked)));
}

#[test]
fn what_breaks_is_tried_again_with_growing_pauses_and_jitter() {
    let mut listens = Listens::listening();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let broke = listens.to(ListenEvent::Ended { reason: "broke".to_owned() });
        let pause = listens.waits_ms(&broke);
        pauses.push(pause);
        assert_eq!(listens.to(ListenEvent::TimerFired).len(), 1, "not yet");
        listens.world.env.advance_ms(pause);
        // Signed in for less than all these pauses: a sync renews the token now and then.
        let mut next = listens.to(ListenEvent::TimerFired);
        if next.last() == Some(&ListenInstruction::Sync) {
            listens.world.sync();
            next = listens.to(done());
        }
        assert!(matches!(next.last(), Some(ListenInstruction::Listen(_))), "{next:?}");
    }
    assert_eq!(pauses[..4], [2_000, 4_000, 8_000, 16_000]);
    assert_eq!(*pauses.last().unwrap(), 15 * 60 * 1_000, "and no longer");
    // What is heard once counts as well again; the server's own wish is the least; jitter is on top.
    listens.to(stream());
    listens.to(heard(b"retry: 7000\n\n"));
    let stops = listens.to(heard(b"event: end\ndata: {\"reason\":\"server_stops\"}\n\n"));
    assert_eq!(listens.waits_ms(&stops), 7_000);
    let mut listens = Listens::listening();
    listens.random = 1_234;
    listens.to(heard(b"retry: 7000\n\n"));
    let stops = listens.to(heard(b"event: end\ndata: {\"reason\":\"server_stops\"}\n\n"));
    assert_eq!(listens.waits_ms(&stops), 8_234);
}

#[test]
fn answers_that_are_no_stream_are_told_apart() {
    let mut listens = Listens::new(Network::Unmetered);
    listens.to(ListenEvent::Wanted);
    listens.to(done());
    let busy = answer(503, "application/problem+json", &[("retry-after", "30")], "");
    let instructions = listens.to(busy);
    assert_eq!(listens.waits_ms(&instructions), 30_000);
    let mut retry = |answer: ListenEvent| {
        listens.world.env.advance_ms(60_000);
        assert!(matches!(listens.to(ListenEvent::TimerFired).last(), Some(ListenInstruction::Listen(_))));
        listens.to(answer)
    };
    let portal = retry(answer(200, "text/html", &[], "<p>Welcome to the hotel"));
    assert!(matches!(portal.last(), Some(ListenInstruction::WaitUntil(_))), "{portal:?}");
    let older_server = retry(problem(ProblemType::NotFound));
    let Some(ListenInstruction::End(ListenEnd::Stopped(problem))) = older_server.last() else {
        panic!("{older_server:?}")
    };
    assert_eq!(problem.problem, ProblemType::NotFound);
}

#[test]
fn it_is_silent_without_a_network_and_against_the_testers_wish() {
    let mut listens = Listens::new(Network::Absent);
    let asleep = [
        ListenInstruction::HangUp,
        ListenInstruction::Report(ListenProgress::NotNow { reason: NotNow::NoNetwork }),
        ListenInstruction::WaitForNetwork,
    ];
    assert_eq!(listens.to(ListenEvent::Wanted), asleep);
    assert_eq!(listens.to(ListenEvent::TimerFired), []);
    let back = listens.to(ListenEvent::NetworkChanged(Network::Metered));
    assert_eq!(back, [ListenInstruction::HangUp, ListenInstruction::Sync]);
    listens.to(done());
    listens.to(stream());
    assert_eq!(listens.to(ListenEvent::NetworkChanged(Network::Absent)).last(), Some(&asleep[2]));
    listens.world.phone.set_metered_use(MeteredUse::WhenAsked).unwrap();
    let metered = listens.to(ListenEvent::NetworkChanged(Network::Metered));
    assert_eq!(metered.last(), Some(&ListenInstruction::WaitForNetwork));
    let wifi = listens.to(ListenEvent::NetworkChanged(Network::Unmetered));
    assert_eq!(wifi.last(), Some(&ListenInstruction::Sync));
}

#[test]
fn the_servers_wish_to_be_left_alone_holds() {
    let mut listens = Listens::listening();
    assert_eq!(listens.to(heard(FEED_2)), [ListenInstruction::Sync]);
    let until: Timestamp = listens.world.env.now().plus_seconds(90);
    let later = listens.to(ListenEvent::Synced(ListenSync::NotNow(NotNow::ServerWish { until })));
    assert_eq!(listens.waits_ms(&later), 90_000);
    listens.world.env.advance_ms(90_000);
    assert_eq!(listens.to(ListenEvent::TimerFired), [ListenInstruction::Sync]);
    let busy = listens.to(ListenEvent::Synced(ListenSync::Busy));
    assert_eq!(listens.waits_ms(&busy), 2_000, "another sync of this phone is running; it may miss the newest");
}

#[test]
fn a_phone_that_signed_out_hears_no_more() {
    let mut listens = Listens::listening();
    listens.world.phone.sign_out().unwrap();
    let ended = listens.to(heard(b":\n\n"));
    assert_eq!(ended, [ListenInstruction::HangUp, ListenInstruction::End(ListenEnd::SignInNeeded)]);
}
