//! Access tokens that are not ours, not any more, or not for this: each is refused in the same words.

use super::support::assert_problem;
use callout_cli::desk::Desk;
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world::{World, base64url};
use callout_tests::world_tests;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

fn part(value: &Value) -> String {
    base64url(value.to_string().as_bytes())
}

fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// The header and the claims of a real token.
fn opened(token: &str) -> (Value, Value) {
    use base64::Engine as _;
    let read = |part: &str| {
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let mut parts = token.split('.');
    (read(parts.next().unwrap()), read(parts.next().unwrap()))
}

fn secret(world: &World, key_id: &str) -> Vec<u8> {
    world
        .storage
        .read("test", |tx| tx.signing_key_list(world.clock.time()))
        .unwrap()
        .into_iter()
        .find(|key| key.id == key_id)
        .unwrap()
        .secret
}

world_tests! {
    /// Algorithm, audience, issuer, key and end are all looked at.
    fn forged_tokens_are_refused(world) {
        let lead = world.lead();
        let (header, claims) = opened(lead.access_token());
        let key = secret(world, header["kid"].as_str().unwrap());
        let with = |value: &Value, field: &str, new: Value| {
            let mut value = value.clone();
            value[field] = new;
            value
        };
        let none = with(&header, "alg", json!("none"));
        let mut cut = lead.access_token().to_owned();
        cut.truncate(cut.len() - 4);
        assert_eq!(
            Desk::with_token(&world.http, &signed(&header, &claims, &key)).send("GET", "/v1/me", &[], &[]).unwrap().status,
            200,
            "the forger's tools work"
        );
        let table = [
            ("alg none", format!("{}.{}.", part(&none), part(&claims))),
            ("alg none, signed", signed(&none, &claims, &key)),
            ("another algorithm", signed(&with(&header, "alg", json!("HS512")), &claims, &key)),
            ("an asymmetric algorithm", signed(&with(&header, "alg", json!("RS256")), &claims, &key)),
            ("another audience", signed(&header, &with(&claims, "aud", json!("elsewhere")), &key)),
            ("another issuer", signed(&header, &with(&claims, "iss", json!("elsewhere")), &key)),
            ("another key", signed(&header, &claims, &[7; 32])),
            ("an empty key", signed(&header, &claims, b"")),
            ("an unknown key id", signed(&with(&header, "kid", json!("0123456789abcdef")), &claims, &key)),
            ("no key id", signed(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, &key)),
            ("a key id from a path", signed(&with(&header, "kid", json!("../../dev/null")), &claims, b"")),
            ("expired", signed(&header, &with(&claims, "exp", json!(1_700_000_000)), &key)),
            ("unknown role", signed(&header, &with(&claims, "roles", json!(["king"])), &key)),
            ("cut", cut),
            ("rubbish", "rubbish".to_owned()),
            ("empty", String::new()),
            ("long", "x".repeat(4_000)),
        ];
        for (name, token) in table {
            let answer = Desk::with_token(&world.http, &token).send("GET", "/v1/me", &[], &[]).unwrap();
            assert_eq!(answer.status, 401, "{name}: {}", answer.text());
            assert_problem(&answer, ProblemType::Unauthenticated);
        }
        let basic = world.http.send("GET", "/v1/me", &[("authorization", "Basic YWRtaW46YWRtaW4=")], &[]).unwrap();
        assert_problem(&basic, ProblemType::Unauthenticated);
    }

    /// A quarter of an hour, then a refresh is due.
    fn an_access_token_ends(world) {
        let lead = world.lead();
        assert_eq!(lead.send("GET", "/v1/me", &[], &[]).unwrap().status, 200);
        world.clock.advance_seconds(15 * 60 + 1);
        assert_problem(&lead.send("GET", "/v1/me", &[], &[]).unwrap(), ProblemType::Unauthenticated);
    }

    /// Keys rotate by id: what the old key signed stays good until it ends, new tokens have the new key.
    fn keys_rotate(world) {
        let old = world.lead();
        let rotated = world.server.app().signing_key_rotate().unwrap();
        let (old_header, _) = opened(old.access_token());
        assert_ne!(old_header["kid"], json!(rotated));
        assert_eq!(old.send("GET", "/v1/me", &[], &[]).unwrap().status, 200);
        let new = world.user("another-lead", "regional_lead", &world.regions[..1]);
        assert_eq!(opened(new.access_token()).0["kid"], json!(rotated));
        assert_eq!(new.send("GET", "/v1/me", &[], &[]).unwrap().status, 200);
    }
}
