//! The guided walk through a VoLTE problem (R-TEST-4): registration, access, drop, quality, fallback to 2G, in this order.
//!
//! The questions are data ([`QUESTIONS`]); [`volte_next`] tells what to ask after the answers so far, or what they conclude. Phone
//! and server ask the same functions: the phone to guide the tester, the server to check that the walk was in order. What does
//! not belong here: when a walk is required (`evidence`).

use crate::commands::FieldProblem;
use crate::work_orders::{UnknownName, wire_enum};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

wire_enum! {
    /// A stage of a VoLTE call's life.
    VolteStage {
        /// The phone can use VoLTE at all.
        0 Registration = "registration" / "注册",
        /// Calls are set up.
        1 Access = "access" / "接入",
        /// Calls hold.
        2 Drop = "drop" / "掉话",
        /// Voices are clear.
        3 Quality = "quality" / "语音质量（MOS）",
        /// Calls stay on 4G or 5G.
        4 Fallback = "fallback" / "回落 2G",
    }
}

wire_enum! {
    /// A question of the walk.
    VolteQuestion {
        /// The operator has opened VoLTE for this SIM.
        0 SimService = "sim_service" / "SIM 卡已开通 VoLTE 业务",
        /// The handset supports VoLTE on this network.
        1 HandsetSupport = "handset_support" / "终端支持 VoLTE",
        /// VoLTE is switched on in the handset's settings.
        2 SettingsOn = "settings_on" / "终端 VoLTE 开关已打开",
        /// The handset shows that it is registered (HD).
        3 Registered = "registered" / "终端显示已注册（HD 标识）",
        /// Test calls attempted.
        4 CallsAttempted = "calls_attempted" / "拨测次数",
        /// Of these, calls that were not set up.
        5 CallsNotSetUp = "calls_not_set_up" / "未接通次数",
        /// Of those set up, calls that dropped.
        6 CallsDropped = "calls_dropped" / "掉话次数",
        /// The mean opinion score, in hundredths.
        7 MosHundredths = "mos_hundredths" / "MOS 值（百分之一）",
        /// Of those set up, calls that fell back to 2G.
        8 CallsFellBack = "calls_fell_back" / "回落 2G 次数",
    }
}

wire_enum! {
    /// What a walk concludes: the first stage at which something is wrong.
    VolteConclusion {
        /// The SIM lacks the service.
        0 SimServiceMissing = "sim_service_missing" / "SIM 卡未开通 VoLTE",
        /// The handset cannot do it.
        1 HandsetUnsupported = "handset_unsupported" / "终端不支持 VoLTE",
        /// It is switched off.
        2 SettingsOff = "settings_off" / "终端 VoLTE 开关未打开",
        /// SIM, handset and settings are good, yet the network does not register the phone.
        3 RegistrationFails = "registration_fails" / "VoLTE 注册失败",
        /// Calls are not set up.
        4 AccessFails = "access_fails" / "VoLTE 接入失败",
        /// Calls drop.
        5 CallsDrop = "calls_drop" / "VoLTE 掉话",
        /// Voices are unclear.
        6 QualityPoor = "quality_poor" / "VoLTE 语音质量差",
        /// Calls fall back to 2G.
        7 FallsBack = "falls_back" / "VoLTE 回落 2G",
        /// No stage shows a fault.
        8 NoFaultFound = "no_fault_found" / "未发现异常",
    }
}

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnswerKind {
    /// 0 no, 1 yes.
    YesNo,
    /// A whole number within these limits, both inclusive.
    Number {
        /// The smallest.
        minimum: u32,
        /// The largest.
        maximum: u32,
    },
}

/// A question as the tester reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuestionText {
    /// Which.
    pub question: VolteQuestion,
    /// The stage that it belongs to.
    pub stage: VolteStage,
    /// In English.
    pub text_en: &'static str,
    /// In Chinese.
    pub text_zh: &'static str,
}

/// Most test calls of one walk.
pub const MAX_CALLS: u32 = 1_000;
/// The scale of the mean opinion score (ITU-T P.800), in hundredths.
pub const MOS_SCALE: (u32, u32) = (100, 500);
/// Below this a voice is held to be unclear (a choice: 3.0, where common acceptance tests draw the line).
pub const MOS_GOOD: u32 = 300;

/// Every question, in the order of the walk.
pub const QUESTIONS: [QuestionText; 9] = [
    QuestionText {
        question: VolteQuestion::SimService,
        stage: VolteStage::Registration,
        text_en: "Is VoLTE (HD voice) opened for this SIM?",
        text_zh: "SIM 卡是否已开通 VoLTE（高清语音）业务？",
    },
    QuestionText {
        question: VolteQuestion::HandsetSupport,
        stage: VolteStage::Registration,
        text_en: "Does the customer's handset support VoLTE on this network?",
        text_zh: "客户终端是否支持本网 VoLTE？",
    },
    QuestionText {
        question: VolteQuestion::SettingsOn,
        stage: VolteStage::Registration,
        text_en: "Is VoLTE switched on, with 4G or 5G preferred?",
        text_zh: "VoLTE 开关是否打开，且优先使用 4G/5G？",
    },
    QuestionText {
        question: VolteQuestion::Registered,
        stage: VolteStage::Registration,
        text_en: "Does the handset show that it is registered (HD)?",
        text_zh: "终端是否显示已注册（HD 标识）？",
    },
    QuestionText {
        question: VolteQuestion::CallsAttempted,
        stage: VolteStage::Access,
        text_en: "How many test calls were made?",
        text_zh: "共拨测多少次？",
    },
    QuestionText {
        question: VolteQuestion::CallsNotSetUp,
        stage: VolteStage::Access,
        text_en: "How many of them were not set up?",
        text_zh: "其中多少次未接通？",
    },
    QuestionText {
        question: VolteQuestion::CallsDropped,
        stage: VolteStage::Drop,
        text_en: "How many of the calls that were set up dropped?",
        text_zh: "接通的通话中有多少次掉话？",
    },
    QuestionText {
        question: VolteQuestion::MosHundredths,
        stage: VolteStage::Quality,
        text_en: "What is the mean opinion score, in hundredths (100 to 500)?",
        text_zh: "MOS 值是多少（以百分之一计，100–500）？",
    },
    QuestionText {
        question: VolteQuestion::CallsFellBack,
        stage: VolteStage::Fallback,
        text_en: "How many of the calls that were set up fell back to 2G?",
        text_zh: "接通的通话中有多少次回落到 2G？",
    },
];

/// An answer: 0 or 1 for no and yes, else the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct VolteAnswer {
    /// To which question.
    #[n(0)]
    pub question: VolteQuestion,
    /// The answer.
    #[n(1)]
    pub value: u32,
}

/// A walk as it is recorded with the findings. An unfinished one has no conclusion yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct VolteWalkthrough {
    /// In the order in which they were given.
    #[n(0)]
    pub answers: Vec<VolteAnswer>,
    /// What they conclude.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<VolteConclusion>,
}

/// What comes after the answers so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolteStep {
    /// This is asked next.
    Ask {
        /// The question with its words.
        question: QuestionText,
        /// What an answer may be.
        kind: AnswerKind,
    },
    /// The walk is finished.
    Concluded(VolteConclusion),
}

impl VolteQuestion {
    /// The question as the tester reads it.
    pub fn text(self) -> QuestionText {
        // The table's order is that of the wire numbers; a test compares them.
        QUESTIONS[self as usize]
    }
}

/// The number answered to a question, if it was answered.
fn value(answers: &[VolteAnswer], question: VolteQuestion) -> Option<u32> {
    answers.iter().find(|answer| answer.question == question).map(|answer| answer.value)
}

/// Calls that were set up, by the answers so far.
fn calls_set_up(answers: &[VolteAnswer]) -> u32 {
    let attempted = value(answers, VolteQuestion::CallsAttempted).unwrap_or(0);
    attempted.saturating_sub(value(answers, VolteQuestion::CallsNotSetUp).unwrap_or(0))
}

fn kind_of(question: VolteQuestion, answers: &[VolteAnswer]) -> AnswerKind {
    use VolteQuestion as Q;
    let number = |minimum, maximum| AnswerKind::Number { minimum, maximum };
    match question {
        Q::SimService | Q::HandsetSupport | Q::SettingsOn | Q::Registered => AnswerKind::YesNo,
        Q::CallsAttempted => number(1, MAX_CALLS),
        Q::CallsNotSetUp => number(0, value(answers, Q::CallsAttempted).unwrap_or(0)),
        Q::CallsDropped | Q::CallsFellBack => number(0, calls_set_up(answers)),
        Q::MosHundredths => number(MOS_SCALE.0, MOS_SCALE.1),
    }
}

/// The first stage at which the answers show a fault.
fn first_fault(answers: &[VolteAnswer]) -> Option<VolteConclusion> {
    use VolteConclusion as C;
    use VolteQuestion as Q;
    let is = |question, test: fn(u32) -> bool| value(answers, question).is_some_and(test);
    [
        (is(Q::SimService, |yes| yes == 0), C::SimServiceMissing),
        (is(Q::HandsetSupport, |yes| yes == 0), C::HandsetUnsupported),
        (is(Q::SettingsOn, |yes| yes == 0), C::SettingsOff),
        (is(Q::Registered, |yes| yes == 0), C::RegistrationFails),
        (is(Q::CallsNotSetUp, |calls| calls > 0), C::AccessFails),
        (is(Q::CallsDropped, |calls| calls > 0), C::CallsDrop),
        (is(Q::MosHundredths, |mos| mos < MOS_GOOD), C::QualityPoor),
        (is(Q::CallsFellBack, |calls| calls > 0), C::FallsBack),
    ]
    .into_iter()
    .find_map(|(is_faulty, conclusion)| is_faulty.then_some(conclusion))
}

/// Without registration there is no VoLTE call to try; without a call that was set up, none that could drop.
fn is_cut_short(answers: &[VolteAnswer]) -> bool {
    use VolteQuestion as Q;
    let is_no = |question| value(answers, question) == Some(0);
    [Q::SimService, Q::HandsetSupport, Q::SettingsOn, Q::Registered].into_iter().any(is_no)
        || (value(answers, Q::CallsNotSetUp).is_some() && calls_set_up(answers) == 0)
}

/// What to ask after the answers so far, or what they conclude (R-TEST-4).
///
/// # Errors
/// The first answer that was not asked for at its place, or lies outside what the question allows.
pub fn volte_next(answers: &[VolteAnswer]) -> Result<VolteStep, FieldProblem> {
    let field = "volte";
    if answers.len() > QUESTIONS.len() {
        return Err(FieldProblem { field, problem: "has more answers than the walk has questions" });
    }
    for (place, answer) in answers.iter().enumerate() {
        let before = &answers[..place];
        if is_cut_short(before) || QUESTIONS[place].question != answer.question {
            return Err(FieldProblem {
                field,
                problem: "must be walked in order: each answer to the question asked next",
            });
        }
        let is_allowed = match kind_of(answer.question, before) {
            AnswerKind::YesNo => answer.value <= 1,
            AnswerKind::Number { minimum, maximum } => (minimum..=maximum).contains(&answer.value),
        };
        if !is_allowed {
            return Err(FieldProblem { field, problem: "has an answer outside what its question allows" });
        }
    }
    match QUESTIONS.get(answers.len()) {
        Some(next) if !is_cut_short(answers) => {
            Ok(VolteStep::Ask { question: *next, kind: kind_of(next.question, answers) })
        }
        _ => Ok(VolteStep::Concluded(first_fault(answers).unwrap_or(VolteConclusion::NoFaultFound))),
    }
}

impl VolteWalkthrough {
    /// The walk with these answers, and what they conclude.
    ///
    /// # Errors
    /// As [`volte_next`].
    pub fn of(answers: Vec<VolteAnswer>) -> Result<Self, FieldProblem> {
        let conclusion = match volte_next(&answers)? {
            VolteStep::Concluded(conclusion) => Some(conclusion),
            VolteStep::Ask { .. } => None,
        };
        Ok(Self { answers, conclusion })
    }

    /// Checks that it was walked in order and concludes what it says.
    ///
    /// # Errors
    /// As [`volte_next`]; also another conclusion than the answers give.
    pub fn validate(&self) -> Result<(), FieldProblem> {
        if Self::of(self.answers.clone())?.conclusion != self.conclusion {
            return Err(FieldProblem { field: "volte", problem: "does not conclude what its answers say" });
        }
        Ok(())
    }

    /// How many test calls were made; `None` when the walk has not come to that question, or ended before it.
    pub fn calls_attempted(&self) -> Option<u32> {
        value(&self.answers, VolteQuestion::CallsAttempted)
    }
}
