//! Replies to customer service and to the customer: stage or final (R-RETURN-1), and the words that must not reach a customer
//! (服务忌语, R-CONTACT-2).
//!
//! What does not belong here: when a reply may be given (`work_orders`, `tracking_tickets`); how it travels (integrations).

use crate::workflow::policies::Policy;
use crate::workflow::{bounded_text, refuse, required_text, required_texts};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use serde::{Deserialize, Serialize};

named_enum! {
    /// What a reply says of the order (R-RETURN-1).
    ReplyKind {
        /// Progress, with what happens next.
        Stage = "stage" / "阶段回复",
        /// Final: the problem is not solved; a tracking ticket lives on (R-RETURN-2).
        FinalUnresolved = "final_unresolved" / "未解决",
        /// Final: the customer confirmed that service is back (R-RETURN-3).
        FinalResolved = "final_resolved" / "已解决",
    }
}

/// A reply's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyText {
    /// What is told.
    pub text: String,
    /// What happens next; required in a stage reply.
    #[serde(default)]
    pub next_step: Option<String>,
}

named_enum! {
    /// In which language an expression is written; says how it is compared.
    ExpressionLanguage {
        /// Compared without spaces and punctuation.
        Chinese = "zh" / "中文",
        /// Compared word by word.
        English = "en" / "英文",
    }
}

/// An expression that a customer must not hear. Its parts must all appear, in this order, within one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenExpression {
    /// How it is compared.
    pub language: ExpressionLanguage,
    /// The parts, in order.
    pub parts: Vec<String>,
    /// Why it is forbidden, in the language of the expression; shown to who wrote the text.
    pub reason: String,
}

/// The list, which an administrator replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ForbiddenExpressions(pub Vec<ForbiddenExpression>);

/// (parts, why). The Chinese ones are those of the field standard and close variants of them.
const DEFAULT_ZH: &[(&[&str], &str)] = &[
    (&["只是负责测试"], "推脱责任"),
    (&["不是移动公司的人"], "推脱责任"),
    (&["不归我", "管"], "推脱责任"),
    (&["不是我", "负责"], "推脱责任"),
    (&["不关我", "事"], "推脱责任"),
    (&["我也不知道"], "推脱责任"),
    (&["我也不清楚"], "推脱责任"),
    (&["问别人"], "推脱责任"),
    (&["找别人"], "推脱责任"),
    (&["网络就是这"], "贬低网络"),
    (&["你那里就这样"], "贬低网络"),
    (&["您那里就这样"], "贬低网络"),
    (&["凑合", "用"], "敷衍客户"),
    (&["将就用"], "敷衍客户"),
    (&["将就着用"], "敷衍客户"),
    (&["爱用不用"], "态度恶劣"),
    (&["公司的规定"], "推脱责任"),
    (&["解决不了"], "推脱责任"),
    (&["可以转网"], "损害公司利益"),
    (&["去投诉吧"], "激化矛盾"),
    (&["随便你投诉"], "激化矛盾"),
];

const DEFAULT_EN: &[(&[&str], &str)] = &[
    (&["not", "my job"], "shifts blame"),
    (&["not", "our job"], "shifts blame"),
    (&["not", "my responsibility"], "shifts blame"),
    (&["not", "our responsibility"], "shifts blame"),
    (&["not my problem"], "shifts blame"),
    (&["not our problem"], "shifts blame"),
    (&["only do the testing"], "shifts blame"),
    (&["ask someone else"], "shifts blame"),
    (&["ask somebody else"], "shifts blame"),
    (&["that is", "how the network is"], "runs the network down"),
    (&["that's", "how the network is"], "runs the network down"),
    (&["the network is", "like that"], "runs the network down"),
    (&["put up with it"], "brushes the customer off"),
    (&["make do with it"], "brushes the customer off"),
    (&["take it or leave it"], "brushes the customer off"),
    (&["company policy"], "shifts blame"),
    (&["nothing we can do"], "brushes the customer off"),
    (&["we can't fix"], "brushes the customer off"),
    (&["we cannot fix"], "brushes the customer off"),
    (&["switch to another operator"], "harms the company"),
    (&["change operator"], "harms the company"),
];

impl Policy for ForbiddenExpressions {
    const KIND: &'static str = "forbidden_expressions";

    fn check(&self) -> Result<(), Rejection> {
        if self.0.len() > 2_000 {
            return refuse(ProblemType::InvalidField, "document: must not have more than 2000 expressions");
        }
        for expression in &self.0 {
            required_texts("parts", &expression.parts)?;
            required_text("reason", &expression.reason)?;
        }
        Ok(())
    }
}

impl Default for ForbiddenExpressions {
    fn default() -> Self {
        let entries = |language, list: &[(&[&str], &str)]| {
            list.iter()
                .map(|(parts, reason)| ForbiddenExpression {
                    language,
                    parts: parts.iter().map(|p| (*p).to_owned()).collect(),
                    reason: (*reason).to_owned(),
                })
                .collect::<Vec<_>>()
        };
        let mut all = entries(ExpressionLanguage::Chinese, DEFAULT_ZH);
        all.extend(entries(ExpressionLanguage::English, DEFAULT_EN));
        Self(all)
    }
}

/// Full-width letters and digits become plain ones, curly apostrophes straight, everything lower case.
fn folded(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
            '\u{2018}' | '\u{2019}' => '\'',
            _ => c,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Only what carries meaning in Chinese, so that spaces or commas inside an expression do not hide it.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Words parted and surrounded by one space, so that `st` is not found in `best`.
fn spaced(text: &str) -> String {
    let mut out = String::from(" ");
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()) {
        out.push_str(word);
        out.push(' ');
    }
    out
}

fn appear_in_order<'a>(sentence: &str, mut parts: impl Iterator<Item = &'a String>) -> bool {
    let mut rest = sentence;
    parts.all(|part| match rest.find(part.as_str()) {
        Some(at) => {
            // The space that ends one word may begin the next.
            let end = at + part.len();
            rest = &rest[if part.ends_with(' ') { end - 1 } else { end }..];
            true
        }
        None => false,
    })
}

impl ForbiddenExpressions {
    /// The expressions that appear in the text, in the list's order.
    pub fn found_in(&self, text: &str) -> Vec<&ForbiddenExpression> {
        let folded_text = folded(text);
        let sentences: Vec<(String, String)> = folded_text
            .split(['。', '!', '?', ';', '\n'])
            // A full stop ends a sentence only in front of a space: 3.5 is one number.
            .flat_map(|s| s.split(". "))
            .map(|s| (squeezed(s), spaced(s)))
            .collect();
        self.0
            .iter()
            .filter(|expression| {
                let shape = match expression.language {
                    ExpressionLanguage::Chinese => squeezed,
                    ExpressionLanguage::English => spaced,
                };
                let parts: Vec<String> = expression.parts.iter().map(|p| shape(&folded(p))).collect();
                let is_blank = parts.iter().all(|p| p.trim().is_empty());
                !is_blank
                    && sentences.iter().any(|(zh, en)| {
                        let sentence = match expression.language {
                            ExpressionLanguage::Chinese => zh,
                            ExpressionLanguage::English => en,
                        };
                        appear_in_order(sentence, parts.iter())
                    })
            })
            .collect()
    }
}

/// Checks a text that goes to a customer (R-CONTACT-2).
///
/// # Errors
/// `invalid-field` that names every forbidden expression found, with the reason.
pub fn customer_text_check(field: &str, text: &str, list: &ForbiddenExpressions) -> Result<(), Rejection> {
    let found = list.found_in(text);
    if found.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = found.iter().map(|e| format!("«{}» ({})", e.parts.join("…"), e.reason)).collect();
    refuse(
        ProblemType::InvalidField,
        format!("{field}: contains words that must not reach a customer: {} (R-CONTACT-2)", named.join(", ")),
    )
}

/// Checks a reply: it says something, a stage reply also what happens next (R-RETURN-1), and no forbidden expression (R-CONTACT-2).
///
/// # Errors
/// `invalid-field` that names the field.
pub fn reply_check(kind: ReplyKind, reply: &ReplyText, list: &ForbiddenExpressions) -> Result<(), Rejection> {
    required_text("text", &reply.text)?;
    customer_text_check("text", &reply.text, list)?;
    match (kind, &reply.next_step) {
        (ReplyKind::Stage, None) => {
            refuse(ProblemType::InvalidField, "next_step: a stage reply says what happens next (R-RETURN-1)")
        }
        (ReplyKind::Stage, Some(next)) => {
            required_text("next_step", next)?;
            customer_text_check("next_step", next, list)
        }
        (ReplyKind::FinalUnresolved | ReplyKind::FinalResolved, next) => {
            next.as_deref().map_or(Ok(()), |next| bounded_text("next_step", next))?;
            next.as_deref().map_or(Ok(()), |next| customer_text_check("next_step", next, list))
        }
    }
}
