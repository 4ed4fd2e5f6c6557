//! Signing in, refreshing, signing out: refresh tokens rotate, a stolen one ends the session, a lost answer does not.

use super::support::assert_problem;
use callout_cli::desk::{Answer, JSON};
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world::{DeviceKeys, PASSWORD, World, base64url};
use callout_tests::world_tests;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};

fn refresh(world: &World, device: &DeviceKeys, token: &str) -> Answer {
    let proof = device.key.sign(format!("callout-refresh-v1\n{token}").as_bytes());
    let body = json!({ "refresh_token": token, "device_id": device.device_id, "proof": base64url(&proof.to_bytes()) });
    world.http.send("POST", "/v1/sessions/refresh", &[JSON], body.to_string().as_bytes()).unwrap()
}

fn token_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

/// A tester with a phone's key, signed in; the first refresh token.
fn signed_in(world: &World) -> (DeviceKeys, String) {
    world.admin.user_create("tester-1", PASSWORD, &["field_tester"], Some(&world.regions[..1])).unwrap();
    let device = DeviceKeys::new();
    let desk = device.sign_in(&world.http, "tester-1", PASSWORD);
    (device, desk.refresh_token)
}

world_tests! {
    /// RFC 9700 §4.14.2: each use gives a successor; a predecessor that comes back after its successor was used ends the session.
    fn a_reused_refresh_token_ends_the_session(world) {
        let (device, first) = signed_in(world);
        let second = token_of(&refresh(world, &device, &first));
        let third = token_of(&refresh(world, &device, &second));
        assert_problem(&refresh(world, &device, &first), ProblemType::SessionRevoked);
        assert_problem(&refresh(world, &device, &third), ProblemType::SessionRevoked);
    }

    /// The answer with the successor was lost: the old token works again as long as the successor was never used.
    fn a_lost_answer_is_no_theft(world) {
        let (device, first) = signed_in(world);
        let lost = token_of(&refresh(world, &device, &first));
        let second = token_of(&refresh(world, &device, &first));
        assert_ne!(lost, second);
        token_of(&refresh(world, &device, &second));
    }

    /// A request that came twice, or late: the phone has heard of the first successor only, and stays signed in.
    fn a_repeated_refresh_leaves_the_first_answer_good(world) {
        let (device, first) = signed_in(world);
        let heard = token_of(&refresh(world, &device, &first));
        let unheard = token_of(&refresh(world, &device, &first));
        let next = token_of(&refresh(world, &device, &heard));
        token_of(&refresh(world, &device, &next));
        assert_problem(&refresh(world, &device, &unheard), ProblemType::SessionRevoked);
    }

    /// A refresh token without its device's key is of no use, and using it so does not end the owner's session.
    fn a_stolen_token_without_the_key_is_refused(world) {
        let (device, first) = signed_in(world);
        let thief = DeviceKeys { device_id: device.device_id, ..DeviceKeys::new() };
        assert_eq!(refresh(world, &thief, &first).status, 401);
        let without = json!({ "refresh_token": first, "device_id": device.device_id });
        let answer = world.http.send("POST", "/v1/sessions/refresh", &[JSON], without.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 401, "{}", answer.text());
        let elsewhere = DeviceKeys::new();
        assert_eq!(refresh(world, &elsewhere, &first).status, 401, "bound to the device");
        assert_eq!(refresh(world, &device, "rubbish").status, 401);
        token_of(&refresh(world, &device, &first));
    }

    /// Signing out, barring the device, and time each end a session.
    fn sessions_end(world) {
        let (device, first) = signed_in(world);
        let desk = device.sign_in(&world.http, "tester-1", PASSWORD);
        assert_eq!(desk.send("POST", "/v1/sign-out", &[], &[]).unwrap().status, 204);
        assert_eq!(refresh(world, &device, &desk.refresh_token).status, 401);

        token_of(&refresh(world, &device, &first));
        let again = device.sign_in(&world.http, "tester-1", PASSWORD);
        let path = format!("/v1/devices/{}/revoke", device.device_id);
        assert_eq!(world.admin.try_json("POST", &path, &json!({ "reason": "lost" })).unwrap().status, 204);
        assert_eq!(refresh(world, &device, &again.refresh_token).status, 401);
        let body = device.sign_in_body("tester-1", PASSWORD);
        let barred = world.http.send("POST", "/v1/sign-in", &[JSON], body.to_string().as_bytes()).unwrap();
        assert!((400..500).contains(&barred.status), "a barred device cannot sign in: {}", barred.text());

        let other = DeviceKeys::new();
        let late = other.sign_in(&world.http, "tester-1", PASSWORD);
        world.clock.advance_seconds(400 * 86_400);
        assert_eq!(refresh(world, &other, &late.refresh_token).status, 401, "no session lives for ever");
    }

    /// Bad sign-ins: wrong password and unknown name look the same; a tester's phone must bring a key; nobody takes another's device.
    fn bad_sign_ins_are_refused(world) {
        let (device, _) = signed_in(world);
        let post = |body: &Value| world.http.send("POST", "/v1/sign-in", &[JSON], body.to_string().as_bytes()).unwrap();
        let wrong = post(&device.sign_in_body("tester-1", "wrong password"));
        let unknown = post(&device.sign_in_body("nobody", "wrong password"));
        assert_problem(&wrong, ProblemType::WrongCredentials);
        assert_eq!(wrong.json(), unknown.json(), "nobody learns which names exist");

        let mut keyless = DeviceKeys::new().sign_in_body("tester-1", PASSWORD);
        keyless["device"].as_object_mut().unwrap().remove("public_key");
        assert_problem(&post(&keyless), ProblemType::InvalidField);
        let mut bad_key = DeviceKeys::new().sign_in_body("tester-1", PASSWORD);
        bad_key["device"]["public_key"] = json!("AAAA");
        assert_problem(&post(&bad_key), ProblemType::InvalidField);
        let swapped = DeviceKeys { device_id: device.device_id, ..DeviceKeys::new() };
        let answer = post(&swapped.sign_in_body("tester-1", PASSWORD));
        assert!((400..500).contains(&answer.status), "a device keeps its key: {}", answer.text());
        world.lead();
        let taken = post(&device.sign_in_body("regional_lead", PASSWORD));
        assert!((400..500).contains(&taken.status), "a device keeps its user: {}", taken.text());
    }

    /// Guessing is slow.
    fn too_many_tries_are_refused_for_a_while(world) {
        let device = DeviceKeys::new();
        let body = device.sign_in_body("admin", "a guess that is wrong").to_string();
        let answers: Vec<Answer> = (0..15)
            .map(|_| world.http.send("POST", "/v1/sign-in", &[JSON], body.as_bytes()).unwrap())
            .collect();
        let refused = answers.iter().find(|answer| answer.status == 429).expect("the guesser is stopped");
        assert_problem(refused, ProblemType::TooManyRequests);
        assert!(refused.header("retry-after").is_some());
    }
}
