//! Fair admission under load, exactly: the server has one place for syncs, and a unit of work that the test holds open keeps it
//! occupied, so that the line is as long as the test wants, whatever the machine's speed.

use super::support::{RawTester, assert_problem, command, rejected};
use callout_cli::desk::{Answer, Desk, Http};
use callout_cli::server::Started;
use callout_mobile_sdk::facade::{BackgroundSync, NotNow};
use callout_server::app::AppConfig;
use callout_storage::StorageError;
use callout_storage::sync_seeding::FeedSeed;
use callout_sync_protocol::commands::CommandBody;
use callout_sync_protocol::frame::{frame_decode, frame_encode};
use callout_sync_protocol::ids::{RegionId, UserId, WorkOrderId};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::sync::{CommandResult, Directive, SyncRequest, SyncResponse};
use callout_sync_protocol::version::MEDIA_TYPE;
use callout_tests::phones::Tester;
use callout_tests::world::{PASSWORD, World};
use callout_tests::world_tests;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A machine that does not get there in this time is broken; nothing is waited for that is not due.
const PATIENCE: Duration = Duration::from_secs(30);

/// Another server of the world with so many places for syncs.
fn server_with(world: &World, slots: usize) -> Started {
    world.another_server_with(AppConfig { sync_slots: Some(slots), ..AppConfig::default() })
}

/// The same desk at another server: tokens are good on all.
fn at(server: &Started, desk: &Desk) -> Desk {
    Desk::with_token(&Http::new(format!("http://{}", server.address())), desk.access_token())
}

fn post(desk: &Desk, frame: &[u8]) -> Answer {
    desk.send("POST", "/v1/sync", &[("content-type", MEDIA_TYPE)], frame).unwrap()
}

fn response(answer: &Answer) -> SyncResponse {
    assert_eq!(answer.status, 200, "{}", answer.text());
    frame_decode(&answer.body).unwrap()
}

/// Looks until it is so.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}

/// Runs `while_held` while a unit of work holds the order, so that whoever wants to change it waits inside the database.
fn hold<T>(world: &World, order: WorkOrderId, while_held: impl FnOnce(&mut (dyn FnMut() + Send)) -> T) -> T {
    std::thread::scope(|scope| {
        let (held_tell, held) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let storage = world.storage.clone();
        let holder = scope.spawn(move || {
            storage.write("hold", |tx| {
                tx.work_order_lock(order)?;
                let _ = held_tell.send(());
                // Ends, too, when the test fails and lets go of its end.
                let _ = released.recv_timeout(PATIENCE);
                Ok::<_, StorageError>(())
            })
        });
        held.recv_timeout(PATIENCE).unwrap();
        let mut release = Some(release);
        let value = while_held(&mut || drop(release.take()));
        drop(release);
        holder.join().unwrap().unwrap();
        value
    })
}

/// How long an answer asks its phone to stay away.
fn pause_of(answer: &SyncResponse) -> Option<u32> {
    answer.directives.iter().find_map(|directive| match directive {
        Directive::WaitBeforeNextSync { seconds } => Some(*seconds),
        _ => None,
    })
}

world_tests! {
    /// While a line stands, every answer asks for a pause as long as the line, each for another one; the last in line is asked for
    /// none. All are served in turn. A phone's app obeys, a person's own wish does not wait.
    fn phones_are_asked_to_stay_away_while_a_line_stands(world) {
        const LINE: usize = 6;
        let server = server_with(world, 1);
        let base = format!("http://{}", server.address());
        world.admin.user_create("app", PASSWORD, &["field_tester"], Some(&world.regions[..1])).unwrap();
        let mut app = Tester::new(&world.folder("app"), &world.clock, &base, "app", PASSWORD);
        let me = world.admin.get_all::<serde_json::Value>("/v1/users").unwrap();
        let me = me.iter().find(|user| user["user_name"] == "app").unwrap()["id"].as_str().unwrap().parse().unwrap();
        let order = world.order_dispatched(me);
        app.sync();
        app.phone.accept(order).unwrap();
        let line: Vec<_> = (0..LINE).map(|number| RawTester::new(world, &format!("tester-{number}"))).collect();
        let line: Vec<_> = line.iter().map(|tester| (at(&server, &tester.desk), frame_encode(&tester.request(world)))).collect();
        let (summary, answers) = hold(world, order, |release| {
            std::thread::scope(|scope| {
                let server = &server;
                let others = scope.spawn(move || {
                    until("the app's sync works", || server.app().standing().sync_working == 1);
                    let waiting: Vec<_> = line.into_iter().enumerate().map(|(number, (desk, frame))| {
                        let phone = std::thread::spawn(move || post(&desk, &frame));
                        until("it stands in line", || server.app().sync_waiting() == number + 1);
                        phone
                    }).collect();
                    waiting
                });
                let released = scope.spawn(|| {
                    let waiting = others.join().unwrap();
                    release();
                    waiting.into_iter().map(|phone| response(&phone.join().unwrap())).collect::<Vec<_>>()
                });
                let summary = app.sync();
                (summary, released.join().unwrap())
            })
        });
        assert_eq!(summary.commands_accepted, 1);
        let mut spread = Vec::new();
        for (place, answer) in answers.iter().enumerate() {
            let behind = u32::try_from(LINE - 1 - place).unwrap();
            match pause_of(answer) {
                None => assert_eq!(behind, 0, "only the last one is asked for nothing"),
                Some(seconds) => {
                    let least = 15 * behind;
                    assert!((least..3 * least).contains(&seconds), "{behind} behind: {seconds} s");
                    spread.push(seconds - least);
                }
            }
        }
        assert_eq!(spread.len(), LINE - 1);
        assert!(spread.iter().any(|more| *more > 0), "no jitter: the chance of that is one in millions");
        // The app was served first, with six behind it: 90 to 270 seconds.
        let sent = app.network.sent.len();
        let background = |app: &mut Tester| app.phone.sync_in_background(&mut app.network, 0, &mut |_| ()).unwrap();
        world.clock.advance_seconds(89);
        assert!(matches!(background(&mut app), BackgroundSync::NotNow(NotNow::ServerWish { .. })));
        assert_eq!(app.network.sent.len(), sent, "not a byte was sent");
        world.clock.advance_seconds(182);
        assert!(matches!(background(&mut app), BackgroundSync::Done(_)));
        app.sync();
    }

    /// One device has two places in the line, whatever it sends: more is refused at once with the time to wait, and the rest is
    /// served. Its rate counts only while others wait.
    fn a_hammering_phone_has_two_places_and_no_more(world) {
        const GOOD: usize = 4;
        let server = server_with(world, 1);
        let bad = RawTester::new(world, "tester-bad");
        let order = world.order_dispatched(bad.user_id);
        let good: Vec<_> = (0..GOOD).map(|number| RawTester::new(world, &format!("tester-{number}"))).collect();
        let desk = at(&server, &bad.desk);
        let accept = |by: &RawTester| {
            let commands = vec![command(world, order, CommandBody::Accept {})];
            frame_encode(&SyncRequest { commands, ..by.request(world) })
        };
        let (working, waiting, idle) = (accept(&bad), accept(&bad), frame_encode(&bad.request(world)));
        let frames: Vec<_> = good.iter().map(|tester| (at(&server, &tester.desk), frame_encode(&tester.request(world)))).collect();
        let (of_bad, of_good, refused) = hold(world, order, |release| {
            let begin = |desk: &Desk, frame: Vec<u8>| {
                let desk = Desk::with_token(&Http::new(desk.http().base()), desk.access_token());
                std::thread::spawn(move || post(&desk, &frame))
            };
            let mut of_bad = vec![begin(&desk, working)];
            until("the first one works", || server.app().standing().sync_working == 1);
            of_bad.push(begin(&desk, waiting));
            until("the second one stands in line", || server.app().sync_waiting() == 1);
            let mut of_good = Vec::new();
            for (number, (desk, frame)) in frames.into_iter().enumerate() {
                of_good.push(begin(&desk, frame));
                until("a good phone stands in line", || server.app().sync_waiting() == number + 2);
            }
            // On and on: first it is told that its requests are being worked on, then, when it has used up what a device may do
            // while others wait, to sync less often. Whatever it does, the line does not grow.
            let mut refused = Vec::new();
            while refused.last().is_none_or(|answer: &Answer| !answer.text().contains("others wait")) {
                assert!(refused.len() < 2_000, "never asked to sync less often");
                refused.push(post(&desk, &idle));
                assert_eq!(server.app().sync_waiting(), GOOD + 1);
            }
            release();
            let join = |answers: Vec<std::thread::JoinHandle<Answer>>| -> Vec<Answer> {
                answers.into_iter().map(|answer| answer.join().unwrap()).collect()
            };
            (join(of_bad), join(of_good), refused)
        });
        assert!(refused[0].text().contains("still being worked on"), "{}", refused[0].text());
        for answer in &refused {
            assert_problem(answer, ProblemType::TooManyRequests);
            let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
        for answer in of_bad.iter().chain(&of_good) {
            response(answer);
        }
        // Nobody waits any more: an idle server has no reason to refuse even this one.
        response(&post(&desk, &idle));
    }

    /// A sync with nothing to say asks the database the same few questions, whether there are two orders or a thousand.
    fn a_sync_with_nothing_to_say_costs_the_same_among_many_orders(world) {
        let server = world.another_server();
        let tester = RawTester::new(world, "tester-1");
        world.order_dispatched(tester.user_id);
        let desk = at(&server, &tester.desk);
        let cost = || {
            let first = response(&post(&desk, &frame_encode(&tester.request(world))));
            let (cursor, checkpoint) = (Some(first.cursor), first.checkpoint);
            let frame = frame_encode(&SyncRequest { cursor, checkpoint, ..tester.request(world) });
            let before = server.app().standing().storage;
            let answer = post(&desk, &frame);
            // Asked once for the backlog of jobs by `standing` itself, before its figures are read.
            let after = server.app().standing().storage;
            assert!(response(&answer).changes.is_empty());
            (after.statements - before.statements, after.units_of_work - before.units_of_work, frame.len(), answer.body.len())
        };
        let few = cost();
        let others: Vec<_> = (0..4).map(|number| RawTester::new(world, &format!("other-{number}"))).collect();
        let seed = FeedSeed {
            source_id: UserId(world.admin.user_id),
            region_id: RegionId(world.regions[0]),
            corner_e6: (37_400_000, 103_400_000),
            testers: others.iter().map(|other| UserId(other.user_id)).collect(),
            at: world.clock.time(),
            first: 0,
            until: 1_000,
        };
        world.storage.write("seed", |tx| {
            tx.seed_feed_orders(&seed, 0, 400)?;
            tx.seed_feed_orders(&seed, 400, 1_000)?;
            tx.seed_feed_ends(&seed)
        }).unwrap();
        assert_eq!(cost(), few);
        // The seeded feeds are as real ones: everything comes, and the checkpoint agrees.
        let mut theirs = SyncRequest { max_changes: 500, ..others[0].request(world) };
        let page = response(&post(&at(&server, &others[0].desk), &frame_encode(&theirs)));
        assert_eq!((page.changes.len(), page.has_more), (250, false));
        theirs.cursor = Some(page.cursor);
        theirs.checkpoint = page.checkpoint;
        assert!(!response(&post(&at(&server, &others[0].desk), &frame_encode(&theirs))).reset);
    }

    /// A phone whose every batch is refused costs only itself: each refusal is kept and told, the others' work goes through.
    fn refused_batches_starve_nobody(world) {
        const ROUNDS: usize = 8;
        let server = server_with(world, 2);
        let bad = RawTester::new(world, "tester-bad");
        let good: Vec<_> = (0..3).map(|number| RawTester::new(world, &format!("tester-{number}"))).collect();
        let orders: Vec<_> = good.iter().map(|tester| world.order_dispatched(tester.user_id)).collect();
        // An order that is another's: each command of it is refused.
        let batch = |_| command(world, orders[0], CommandBody::Decline { reason: "not mine".to_owned() });
        let bad_frames: Vec<_> = (0..ROUNDS)
            .map(|_| frame_encode(&SyncRequest { commands: (0..60).map(batch).collect(), ..bad.request(world) }))
            .collect();
        let bad_desk = at(&server, &bad.desk);
        let good_frames: Vec<Vec<_>> = good.iter().zip(&orders).map(|(tester, order)| {
            let body = |round: usize| match round {
                0 => CommandBody::Accept {},
                round => CommandBody::PhotoConsent { granted: round.is_multiple_of(2) },
            };
            (0..ROUNDS).map(|round| {
                let commands = vec![command(world, *order, body(round))];
                frame_encode(&SyncRequest { commands, ..tester.request(world) })
            }).collect()
        }).collect();
        let desks: Vec<_> = good.iter().map(|tester| at(&server, &tester.desk)).collect();
        std::thread::scope(|scope| {
            let refused = scope.spawn(|| {
                bad_frames.iter().map(|frame| response(&post(&bad_desk, frame))).collect::<Vec<_>>()
            });
            let phones: Vec<_> = desks.iter().zip(&good_frames).map(|(desk, frames)| {
                scope.spawn(move || frames.iter().map(|frame| response(&post(desk, frame))).collect::<Vec<_>>())
            }).collect();
            for phone in phones {
                for answer in phone.join().unwrap() {
                    let is_accepted = |result: &CommandResult| matches!(result, CommandResult::Accepted { .. });
                    assert!(answer.outcomes.iter().all(|outcome| is_accepted(&outcome.result)), "{answer:?}");
                    assert_eq!(answer.outcomes.len(), 1);
                }
            }
            for answer in refused.join().unwrap() {
                assert_eq!(answer.outcomes.len(), 60);
                answer.outcomes.iter().for_each(|outcome| assert!(!rejected(&outcome.result).detail.is_empty()));
            }
        });
        let kept = world.lead().get_all::<serde_json::Value>("/v1/quarantine").unwrap();
        assert!(!kept.is_empty(), "refused commands stay visible");
    }
}
