//! What a test still lacks, the guided VoLTE walk, and the words for the customer: all of it without a network.

use super::args::VolteArgs;
use super::error::CliError;
use super::{Answer, Session, output};
use crate::import::Language;
use callout_sync_protocol::volte_walkthrough::{AnswerKind, VolteStep};
use serde_json::json;

pub(super) fn checklist(session: &mut Session<'_>, order: &str) -> Result<Answer, CliError> {
    let phone = session.phone()?;
    let items = phone.evidence_checklist(phone.order_find(order)?)?;
    let lines = items.iter().map(|item| {
        let text = match session.language() {
            Language::English => item.text_en(),
            Language::Chinese => item.text_zh(),
        };
        format!("{} {text}\n", if item.is_met() { "[x]" } else { "[ ]" })
    });
    let text = match items.is_empty() {
        true => session.say("nothing is asked for", "没有要求"),
        false => lines.collect(),
    };
    Ok(Answer { text, json: json!({ "evidence": items }) })
}

/// The words with which a talk begins and ends (R-CONTACT-2).
pub(super) fn words(session: &mut Session<'_>, order: &str) -> Result<Answer, CliError> {
    let phone = session.phone()?;
    let words = phone.order(phone.order_find(order)?)?.view.contact_words();
    let shown = match session.language() {
        Language::English => &words.en,
        Language::Chinese => &words.zh,
    };
    let begin = session.say("begin with", "开场");
    let end = session.say("end with", "结束");
    let text = format!("{begin}: {}\n{end}: {}", shown.opening, shown.closing);
    Ok(Answer { text, json: json!({ "contact_words": words }) })
}

/// R-TEST-4: asks what the walk asks next, takes the answer, or takes one back.
pub(super) fn volte(session: &mut Session<'_>, args: &VolteArgs) -> Result<Answer, CliError> {
    let mut phone = session.phone()?;
    let order = phone.order_find(&args.order)?;
    let mut step = if args.back { phone.volte_back(order)? } else { phone.volte_next(order)? };
    for answer in &args.answer {
        let VolteStep::Ask { question, kind } = step else { return Err(CliError::VolteOver) };
        let value = match (kind, answer.as_str()) {
            (AnswerKind::YesNo, "yes" | "是") => Some(1),
            (AnswerKind::YesNo, "no" | "否") => Some(0),
            (AnswerKind::YesNo, _) => None,
            (AnswerKind::Number { .. }, number) => number.parse().ok(),
        };
        step = phone.volte_answer(order, question.question, value.ok_or(CliError::VolteAnswer)?)?;
    }
    Ok(match step {
        VolteStep::Ask { question, kind } => {
            let range = match kind {
                AnswerKind::YesNo => session.say("yes or no", "yes 或 no"),
                AnswerKind::Number { minimum, maximum } => format!("{minimum}–{maximum}"),
            };
            let asked = session.say(question.text_en, question.text_zh);
            Answer { text: format!("{asked} ({range})"), json: json!({ "ask": question, "answer": kind }) }
        }
        VolteStep::Concluded(conclusion) => {
            let name = session.say(conclusion.as_str().replace('_', " "), conclusion.name_zh());
            let concluded = output::pick(session.language(), "the walk concludes", "排查结论");
            Answer { text: format!("{concluded}: {name}"), json: json!({ "conclusion": conclusion }) }
        }
    })
}
