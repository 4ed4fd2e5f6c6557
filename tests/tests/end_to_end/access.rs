//! Every route × every role, from the very table that the server guards its routes with.

use super::support::assert_problem;
use callout_cli::desk::Answer;
use callout_server::http::routes::{Route, routes_all};
use callout_sync_protocol::problem::ProblemType;
use callout_tests::world::ROLES;
use callout_tests::world_tests;
use uuid::Uuid;

/// A path of the route whose ids name nothing.
fn path_of(route: &Route) -> String {
    let mut path = route.path.to_owned();
    while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
        let value = match &path[from + 1..to] {
            "step" => "1".to_owned(),
            "token" => "nothing".to_owned(),
            _ => Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001).to_string(),
        };
        path.replace_range(from..=to, &value);
    }
    if path == "/v1/wake-ups" {
        // A stream that never ended would never be read to its end.
        path.push_str("?for_seconds=0");
    }
    path
}

fn is_public(route: &Route) -> bool {
    route.action.roles().is_empty()
}

/// The guard's own refusal, as told apart from one of a region.
fn is_refused_by_role(answer: &Answer) -> bool {
    answer.status == 401 || answer.status == 403
}

world_tests! {
    /// Without a token there is nothing but what is public.
    fn without_a_token_every_route_asks_to_sign_in(world) {
        for route in routes_all().filter(|route| !is_public(route)) {
            let answer = world.http.send(route.method, &path_of(route), &[], &[]).unwrap();
            assert_problem(&answer, ProblemType::Unauthenticated);
            assert!(answer.header("www-authenticate").is_some(), "RFC 6750 §3: {} {}", route.method, route.path);
        }
    }

    /// Each role is let through where the table says so, and nowhere else.
    fn every_role_does_what_it_may_and_no_more(world) {
        let desks: Vec<_> = ROLES.iter().map(|role| (*role, world.desk(role))).collect();
        // Signing out ends what the other routes need; it comes last.
        let (last, first): (Vec<&Route>, Vec<&Route>) = routes_all().partition(|route| route.path == "/v1/sign-out");
        let mut allowed = 0;
        for route in first.into_iter().chain(last).filter(|route| !is_public(route)) {
            for (role, desk) in &desks {
                let answer = desk.send(route.method, &path_of(route), &[], &[]).unwrap();
                let place = format!("{role}: {} {} → {} {}", route.method, route.path, answer.status, answer.text());
                if route.action.roles().iter().any(|allowed| allowed.as_str() == *role) {
                    allowed += 1;
                    assert!(!is_refused_by_role(&answer), "{place}");
                    assert!(answer.status < 500, "{place}");
                } else if route.method == "HEAD" {
                    assert_eq!(answer.status, 403, "{place}");
                } else {
                    assert_problem(&answer, ProblemType::Forbidden);
                }
            }
        }
        assert!(allowed > 50, "the table has routes: {allowed}");
    }

    /// What no route takes: 404, or 405 with the methods that the path takes.
    fn unknown_paths_and_methods_are_problems(world) {
        assert_problem(&world.admin.send("GET", "/v1/nothing", &[], &[]).unwrap(), ProblemType::NotFound);
        assert_problem(&world.http.send("GET", "/", &[], &[]).unwrap(), ProblemType::NotFound);
        for path in ["/v1/work-orders/not-an-id", "/v1/users/%00", "/v1/work-orders/%F0%9F"] {
            let answer = world.admin.send("GET", path, &[], &[]).unwrap();
            assert!(matches!(answer.status, 400 | 403 | 404), "{path}: {}", answer.text());
            assert!(answer.problem().is_some(), "{path}: {}", answer.text());
        }
        let answer = world.admin.send("DELETE", "/v1/users", &[], &[]).unwrap();
        assert_problem(&answer, ProblemType::MethodNotAllowed);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET") && allow.contains("POST")));
    }
}
