//! `server/docs/workflow.md`: diagrams and tables, made by asking the rules themselves, and checked.
//!
//! `CALLOUT_BLESS=1` rewrites the file.

use crate::workflow::support::{at, desk_commands, facts, field_commands, field_facts, reply, user};
use callout_server::workflow::clocks::{Clock, ClockEvent, ClockStanding, TimeMeasure};
use callout_server::workflow::handoffs::{
    HandoffCommand, HandoffOutcome, HandoffRecipient, HandoffState, handoff_transition,
};
use callout_server::workflow::ladder::Rung;
use callout_server::workflow::ladder_defaults::default_ladder;
use callout_server::workflow::revisits::{
    RevisitAnswer, RevisitChannel, RevisitCommand, RevisitFacts, RevisitPolicy, RevisitState, revisit_transition,
};
use callout_server::workflow::tracking_tickets::{
    TrackingTicketCommand, TrackingTicketFacts, TrackingTicketPolicy, TrackingTicketState, tracking_ticket_transition,
};
use callout_server::workflow::warnings::{WarningCommand, WarningLevel, WarningState, warning_transition};
use callout_server::workflow::work_orders::{WorkOrderFacts, WorkOrderPolicy, work_order_owner, work_order_transition};
use callout_sync_protocol::field_workflow::{FieldFacts, field_transition};
use callout_sync_protocol::samples::Technology;
use callout_sync_protocol::work_orders::WorkOrderState;
use std::fmt::{Debug, Write};
use std::path::Path;

/// One accepted command: who, what, in which circumstances, from, to, effects.
struct Row {
    who: &'static str,
    command: String,
    when: &'static str,
    from: String,
    to: String,
    effects: String,
}

/// Effects as words; ids are samples and mean nothing.
fn effects<E: Debug>(effects: &[E]) -> String {
    let words: Vec<String> = effects
        .iter()
        .map(|effect| {
            let text = format!("{effect:?}");
            text.split_once("(UserId").map_or(text.clone(), |(name, _)| name.to_owned())
        })
        .collect();
    words.join(", ")
}

fn named(kind: &str, variant: &str) -> String {
    if variant.is_empty() { kind.to_owned() } else { format!("{kind} ({variant})") }
}

fn work_order_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let checks = WorkOrderPolicy { checks_junior_dispatch: true, ..WorkOrderPolicy::default() };
    let plain = WorkOrderPolicy::default();
    let proposed = WorkOrderFacts { proposed_tester: Some(user(2)), ..facts() };
    // The first circumstance is the ordinary one; of the others only what differs from it is shown.
    let circumstances = [
        ("", facts(), &plain),
        ("a junior's dispatch is checked", WorkOrderFacts { actor_is_junior: true, ..facts() }, &checks),
        ("a dispatch waits for its check", proposed, &plain),
        ("the order has a current test", WorkOrderFacts { has_current_test: true, ..facts() }, &plain),
        ("no test was approved", WorkOrderFacts { has_approved_test: false, ..facts() }, &plain),
        ("the clock waits for the customer", WorkOrderFacts { waits_for_customer: true, ..facts() }, &plain),
    ];
    // Nobody waits for the customer in the others (the random walks prove it).
    let can_wait = |state| {
        use WorkOrderState as S;
        matches!(state, S::Received | S::Located | S::Approved | S::HandoffAnswered | S::AwaitingRevisit)
    };
    for (variant, command) in desk_commands() {
        for state in WorkOrderState::ALL {
            let judge = |facts: &WorkOrderFacts, policy| {
                work_order_transition(*state, &command, facts, policy).ok().map(|t| (t.state, effects(&t.effects)))
            };
            let ordinary = judge(&circumstances[0].1, circumstances[0].2);
            for (index, (when, facts, policy)) in circumstances.iter().enumerate() {
                let outcome = judge(facts, policy);
                if let Some((to, effects)) = outcome.clone()
                    && (index == 0 || outcome != ordinary)
                    && (!facts.waits_for_customer || can_wait(*state))
                {
                    rows.push(Row {
                        who: "desk",
                        command: named(command.kind(), variant),
                        when,
                        from: state.to_string(),
                        to: to.to_string(),
                        effects,
                    });
                }
            }
        }
    }
    for (variant, body) in field_commands() {
        for state in WorkOrderState::ALL {
            let fresh = FieldFacts { field_test_id: None, ..field_facts() };
            for (when, facts) in [("", field_facts()), ("the order has no test yet", fresh)] {
                let judge = |facts: &FieldFacts| {
                    field_transition(*state, &body, facts).ok().map(|t| (t.state, effects(&t.effects)))
                };
                let outcome = judge(&facts);
                if let Some((to, effects)) = outcome.clone()
                    && (when.is_empty() || outcome != judge(&field_facts()))
                {
                    rows.push(Row {
                        who: "tester",
                        command: named(body.kind(), variant),
                        when,
                        from: state.to_string(),
                        to: to.to_string(),
                        effects,
                    });
                }
            }
        }
    }
    rows
}

fn ticket_rows() -> Vec<Row> {
    use TrackingTicketCommand as C;
    let answer = |solved| RevisitAnswer { solved, score: 9, words: None };
    let commands = [
        ("", C::Chase { note: "again".into() }),
        ("", C::StageReply(reply())),
        ("", C::HoldSolved { what_was_done: "new site on air".into() }),
        ("", C::RevisitAgain),
        ("solved", C::RevisitAnswered(answer(true))),
        ("denied", C::RevisitAnswered(answer(false))),
        ("", C::ComplainedAgain),
    ];
    let facts = TrackingTicketFacts { now: at("2026-11-23T02:00:00Z"), closed_at: Some(at("2026-11-20T02:00:00Z")) };
    let mut rows = Vec::new();
    for (variant, command) in commands {
        for state in TrackingTicketState::ALL {
            if let Ok(t) = tracking_ticket_transition(*state, &command, &facts, &TrackingTicketPolicy::default()) {
                let (from, to) = (state.to_string(), t.state.to_string());
                let command = named(command.kind(), variant);
                rows.push(Row { who: "desk", command, when: "", from, to, effects: effects(&t.effects) });
            }
        }
    }
    rows
}

fn revisit_rows() -> Vec<Row> {
    let answer =
        |channel, solved| RevisitCommand::Answer { channel, answer: RevisitAnswer { solved, score: 9, words: None } };
    let commands = [
        ("solved", answer(RevisitChannel::Link, true)),
        ("denied", answer(RevisitChannel::Link, false)),
        ("solved", answer(RevisitChannel::Phone, true)),
        ("denied", answer(RevisitChannel::Phone, false)),
        ("", RevisitCommand::Expire),
        ("", RevisitCommand::Revoke),
    ];
    let created_at = at("2026-11-20T02:00:00Z");
    let mut rows = Vec::new();
    for (variant, command) in commands {
        for state in RevisitState::ALL {
            let judge = |now| {
                let facts = RevisitFacts { now: at(now), created_at };
                revisit_transition(*state, &command, &facts, &RevisitPolicy::default())
                    .ok()
                    .map(|t| (t.state, effects(&t.effects)))
            };
            let in_time = judge("2026-11-20T03:00:00Z");
            let late = judge("2026-11-24T03:00:00Z");
            for (when, outcome, is_shown) in
                [("", in_time.clone(), true), ("the link is too old", late.clone(), late != in_time)]
            {
                if let (Some((to, effects)), true) = (outcome, is_shown) {
                    let command = named(command.kind(), variant);
                    rows.push(Row {
                        who: "customer, agent, timer",
                        command,
                        when,
                        from: state.to_string(),
                        to: to.to_string(),
                        effects,
                    });
                }
            }
        }
    }
    rows
}

fn handoff_rows() -> Vec<Row> {
    use HandoffCommand as C;
    let said = |outcome| C::Answer { outcome, text: "in March".into() };
    let commands = [
        ("ask", C::Ask { question: "when?".into() }),
        ("reply", C::Reply { text: "next week".into() }),
        ("answer (done, planned, not possible)", said(HandoffOutcome::Done)),
        ("answer (wrong addressee)", said(HandoffOutcome::WrongAddressee)),
        ("cancel", C::Cancel),
    ];
    let mut rows = Vec::new();
    for (name, command) in commands {
        for state in HandoffState::ALL {
            if let Ok(t) = handoff_transition(*state, HandoffRecipient::Branch, &command) {
                rows.push(Row {
                    who: "T1, customer service, branch, maintenance",
                    command: name.to_owned(),
                    when: "",
                    from: state.to_string(),
                    to: t.state.to_string(),
                    effects: effects(&t.effects),
                });
            }
        }
    }
    rows
}

fn warning_rows() -> Vec<Row> {
    let commands = [
        ("review", WarningCommand::Review { note: "power lost".into() }),
        ("publish", WarningCommand::Publish { recipients: vec!["lead".into()] }),
        ("dismiss", WarningCommand::Dismiss { reason: "a concert".into() }),
        ("counted (another level)", WarningCommand::Counted(Some(WarningLevel::Severe))),
        ("counted (no longer above)", WarningCommand::Counted(None)),
    ];
    let mut rows = Vec::new();
    for (name, command) in commands {
        for state in WarningState::ALL {
            if let Ok((to, done)) = warning_transition(*state, WarningLevel::Notice, &command) {
                rows.push(Row {
                    who: "quality control, timer",
                    command: name.to_owned(),
                    when: "",
                    from: state.to_string(),
                    to: to.to_string(),
                    effects: effects(&done),
                });
            }
        }
    }
    rows
}

fn clock_rows() -> Vec<Row> {
    let begin = at("2026-11-20T02:00:00Z");
    let running = Clock::started(begin, TimeMeasure::AllHours, 1, "received");
    let mut paused = running.clone();
    paused.record(begin, ClockEvent::Paused, "asked").unwrap();
    let mut stopped = running.clone();
    stopped.record(begin, ClockEvent::Stopped, "resolved").unwrap();
    let mut rows = Vec::new();
    for event in ClockEvent::ALL {
        for clock in [&running, &paused, &stopped] {
            let mut after = clock.clone();
            if after.record(begin, *event, "because").is_ok() {
                rows.push(Row {
                    who: "effects",
                    command: event.to_string(),
                    when: "",
                    from: clock.standing().to_string(),
                    to: after.standing().to_string(),
                    effects: String::new(),
                });
            }
        }
    }
    rows
}

/// A state diagram of the rows that change the state; several commands between the same two states share an arrow.
fn diagram(out: &mut String, initial: &str, rows: &[Row], finals: &[&str]) {
    let mut arrows: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for row in rows.iter().filter(|row| row.from != row.to) {
        let name = row.command.as_str();
        match arrows.iter_mut().find(|(from, to, _)| *from == row.from && *to == row.to) {
            Some((_, _, names)) if names.contains(&name) => {}
            Some((_, _, names)) => names.push(name),
            None => arrows.push((&row.from, &row.to, vec![name])),
        }
    }
    out.push_str("```mermaid\nstateDiagram-v2\n");
    writeln!(out, "    [*] --> {initial}").unwrap();
    for (from, to, names) in arrows {
        writeln!(out, "    {from} --> {to}: {}", names.join(" / ")).unwrap();
    }
    for state in finals {
        writeln!(out, "    {state} --> [*]").unwrap();
    }
    out.push_str("```\n\n");
}

/// A table of all rows; sources with the same outcome share a line.
fn table(out: &mut String, rows: &[Row]) {
    let mut lines: Vec<(&Row, Vec<&str>)> = Vec::new();
    for row in rows {
        // A command that leaves each state as it is reads "same".
        let same = |other: &Row| {
            (other.command == row.command)
                && other.who == row.who
                && other.when == row.when
                && other.effects == row.effects
                && ((other.to == row.to && (other.from == other.to) == (row.from == row.to))
                    || (other.from == other.to && row.from == row.to))
        };
        match lines.iter_mut().find(|(other, _)| same(other)) {
            Some((_, sources)) => sources.push(&row.from),
            None => lines.push((row, vec![&row.from])),
        }
    }
    out.push_str("| who | command | when | from | to | effects |\n|---|---|---|---|---|---|\n");
    for (row, sources) in lines {
        let to = if row.from == row.to { "same" } else { &row.to };
        writeln!(
            out,
            "| {} | {} | {} | {} | {to} | {} |",
            row.who,
            row.command,
            row.when,
            sources.join(", "),
            row.effects
        )
        .unwrap();
    }
    out.push('\n');
}

fn names<T>(out: &mut String, all: &[T], name: impl Fn(&T) -> (String, String)) {
    out.push_str("| state | 中文 |\n|---|---|\n");
    for value in all {
        let (en, zh) = name(value);
        writeln!(out, "| {en} | {zh} |").unwrap();
    }
    out.push('\n');
}

fn rendered() -> String {
    let mut out = String::from(
        "# The workflow: diagrams and tables\n\n\
         Generated by asking the rules themselves (`server/src/workflow`, `sync-protocol/src/field_workflow.rs`): do not edit;\n\
         `CALLOUT_BLESS=1 cargo test -p callout-server --test workflow docs` writes it anew. What no table names is refused.\n\n",
    );
    out.push_str(
        "## Work orders (工单)\n\nThe tester moves an order while it is in the field, the desks do the rest.\n\n",
    );
    let orders = work_order_rows();
    diagram(&mut out, "received", &orders, &["unresolved", "resolved", "withdrawn"]);
    out.push_str("| state | 中文 | has to do something next |\n|---|---|---|\n");
    for state in WorkOrderState::ALL {
        let owner = work_order_owner(*state).map_or("nobody".to_owned(), |o| format!("{o} / {}", o.name_zh()));
        writeln!(out, "| {state} | {} | {owner} |", state.name_zh()).unwrap();
    }
    out.push('\n');
    table(&mut out, &orders);

    out.push_str("## Tracking tickets (投诉跟踪单)\n\n");
    let tickets = ticket_rows();
    diagram(&mut out, "open", &tickets, &["closed"]);
    names(&mut out, TrackingTicketState::ALL, |s| (s.to_string(), s.name_zh().to_owned()));
    table(&mut out, &tickets);

    out.push_str("## Revisits (回访)\n\n");
    let revisits = revisit_rows();
    diagram(&mut out, "pending", &revisits, &["confirmed", "denied", "revoked"]);
    names(&mut out, RevisitState::ALL, |s| (s.to_string(), s.name_zh().to_owned()));
    table(&mut out, &revisits);

    out.push_str("## Handoffs (转派)\n\n");
    let handoffs = handoff_rows();
    diagram(&mut out, "open", &handoffs, &["answered", "cancelled"]);
    names(&mut out, HandoffState::ALL, |s| (s.to_string(), s.name_zh().to_owned()));
    table(&mut out, &handoffs);

    out.push_str("## Early warnings (投诉预警)\n\n");
    let warnings = warning_rows();
    diagram(&mut out, "draft", &warnings, &["dismissed", "recovered"]);
    names(&mut out, WarningState::ALL, |s| (s.to_string(), s.name_zh().to_owned()));
    table(&mut out, &warnings);

    out.push_str("## Clocks (时限)\n\n");
    let clocks = clock_rows();
    diagram(&mut out, "running", &clocks, &[]);
    names(&mut out, ClockStanding::ALL, |s| (s.to_string(), s.name_zh().to_owned()));
    table(&mut out, &clocks);

    out.push_str(
        "## The ladder (先优化、次整改/技改、再提站)\n\n\
         A rung opens when every step below it is tried or ruled out with evidence (R-LADDER-2). A step passed over with a reason\n\
         counts towards retrofit, never towards building.\n\n```mermaid\nflowchart LR\n",
    );
    let ladder = default_ladder(Technology::Lte);
    for rung in Rung::ALL {
        let keys: Vec<&str> = ladder.steps.iter().filter(|s| s.rung == *rung).map(|s| s.key.as_str()).collect();
        writeln!(out, "    {rung}[\"{rung} {}: {}\"]", rung.name_zh(), keys.join(", ")).unwrap();
    }
    out.push_str("    optimise -- not enough --> retrofit -- not enough --> build\n```\n\n");
    for technology in [Technology::Lte, Technology::Nr, Technology::Umts, Technology::Gsm] {
        writeln!(out, "### {technology:?}\n\n| step | key | rung | English | 中文 |\n|---|---|---|---|---|").unwrap();
        for (index, step) in default_ladder(technology).steps.iter().enumerate() {
            writeln!(out, "| {} | {} | {} | {} | {} |", index + 1, step.key, step.rung, step.name_en, step.name_zh)
                .unwrap();
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[test]
fn docs_workflow_md_is_what_the_rules_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/workflow.md");
    let text = rendered();
    if std::env::var_os("CALLOUT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let first_difference = kept.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        kept == text,
        "docs/workflow.md differs from the rules, first in line {}; run again with CALLOUT_BLESS=1 and read the difference",
        first_difference.map_or(kept.lines().count().min(text.lines().count()), |line| line) + 1
    );
}
