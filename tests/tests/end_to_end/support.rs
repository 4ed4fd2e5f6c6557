//! What several modules need: the check that a refusal is typed.

use callout_cli::desk::Answer;
use callout_sync_protocol::problem::ProblemType;

/// The answer is this problem, in both languages, with its status.
#[track_caller]
pub fn assert_problem(answer: &Answer, problem: ProblemType) {
    let place = format!("{} {} → {} {}", answer.method, answer.path, answer.status, answer.text());
    // HEAD has no body to tell the problem in.
    if answer.method == "HEAD" {
        assert_eq!(answer.status, problem.status(), "{place}");
        return;
    }
    let found = answer.problem().unwrap_or_else(|| panic!("no problem details: {place}"));
    assert_eq!(found.name(), problem.slug(), "{place}");
    assert_eq!(answer.status, problem.status(), "{place}");
    assert_eq!(found.status, problem.status(), "{place}");
    assert_eq!(found.title, problem.title_en(), "{place}");
    assert_eq!(found.title_zh, problem.title_zh(), "{place}");
    assert!(!found.detail.is_empty(), "{place}");
}
