//! Reviews of field tests by the regional lead: on the standard template, approve with a plan, or send back with reasons
//! (R-REVIEW-1).

use crate::workflow::policies::Policy;
use crate::workflow::{bounded_text, refuse, required_text};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::version::MAX_LIST_ITEMS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

named_enum! {
    /// What kind of work the cure is; decides the deadline that begins with the approval (R-LIMIT-2).
    PlanKind {
        /// Optimisation from the desk or at the site; the order's own limit goes on.
        Optimise = "optimise" / "优化",
        /// A fault: goes to the maintenance room, supervised by quality control.
        Fault = "fault" / "故障",
        /// Retrofit, or new active equipment: is passed on and ordered.
        Retrofit = "retrofit" / "技改及新增有源设备",
        /// New passive resources: a demand goes to the resource review board.
        Build = "build" / "新建无源资源",
    }
}

named_enum! {
    /// How a section of the template came out.
    Assessment {
        /// As it should be.
        Good = "good" / "符合",
        /// Not as it should be; the note says what.
        Poor = "poor" / "不符合",
        /// Does not apply here.
        NotApplicable = "not_applicable" / "不适用",
    }
}

/// A section of the review, answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionAnswer {
    /// Which, by its code.
    pub section: String,
    /// How it came out.
    pub assessment: Assessment,
    /// In the lead's words.
    #[serde(default)]
    pub note: String,
}

/// What an approval names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewPlan {
    /// Quick relief now.
    pub quick_relief: String,
    /// The cure later.
    pub cure: String,
    /// What kind of work the cure is.
    pub kind: PlanKind,
    /// The step of the ladder that comes next, by its key.
    #[serde(default)]
    pub ladder_step: Option<String>,
    /// Why a test that lacks evidence is good enough.
    #[serde(default)]
    pub evidence_accepted_because: Option<String>,
    /// The template's sections, as far as they were answered.
    #[serde(default)]
    pub sections: Vec<SectionAnswer>,
}

/// Why a test is sent back: codes of the template, and words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnReasons {
    /// The template's codes.
    pub codes: Vec<String>,
    /// In the lead's words.
    pub words: Vec<String>,
}

/// A section of the standard template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewSection {
    /// Names it in records; never changes its meaning.
    pub code: String,
    /// What is looked at, in English.
    pub name_en: String,
    /// What is looked at, in Chinese.
    pub name_zh: String,
    /// No approval without it.
    #[serde(default)]
    pub is_required: bool,
}

/// A reason for sending a test back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnReason {
    /// Names it in records; never changes its meaning.
    pub code: String,
    /// The reason in English.
    pub name_en: String,
    /// The reason in Chinese.
    pub name_zh: String,
    /// The code alone says too little: words are needed.
    #[serde(default)]
    pub needs_words: bool,
}

/// The standard template of reviews (R-REVIEW-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReviewTemplate {
    /// What is looked at, in this order.
    pub sections: Vec<ReviewSection>,
    /// Why a test may be sent back.
    pub return_reasons: Vec<ReturnReason>,
}

/// The code under which words without a code are recorded.
pub const OTHER_REASON: &str = "other";

impl Default for ReviewTemplate {
    /// The sources name the template but not its sections: these follow what a test carries (R-TEST-1, -2, -4). Quick relief and
    /// cure are always required, beside the sections.
    fn default() -> Self {
        let sections = [
            ("problem", "The customer's problem was reproduced and described", "客户问题已复现并描述清楚"),
            ("place", "Address and coordinates are exact and match the complaint", "地址与经纬度准确且与投诉一致"),
            ("operators", "All networks were tested and compared", "各运营商均已测试并对比"),
            ("sites", "Serving and planned sites are recorded", "服务站点与规划站点已记录"),
            ("resources", "Resources of competitors and the tower company are recorded", "友商与铁塔可用资源已记录"),
            ("volte", "The VoLTE walk is complete where voice suffers", "语音问题已完成 VoLTE 引导排查"),
            ("findings", "What the server remarked was looked into", "系统自动提示项已核实"),
            ("cause", "The cause is found", "原因已定位"),
        ];
        let reasons = [
            ("operator_missing", "A network was not tested", "缺少运营商测试", false),
            ("samples_few", "Too few samples", "采样点不足", false),
            ("place_wrong", "Measured away from the complaint's place", "测试地点与投诉地点不符", false),
            ("photos_missing", "Photos are missing or unclear", "照片缺失或不清晰", false),
            ("photo_doubtful", "A photo is of another time, place or order", "照片时间、地点或归属存疑", false),
            ("volte_incomplete", "The VoLTE walk is missing or incomplete", "VoLTE 引导排查缺失或不完整", false),
            ("findings_unclear", "The findings are incomplete or unclear", "现场结论不完整或不清楚", true),
            ("sites_missing", "Serving or planned sites are not recorded", "未记录服务站点或规划站点", false),
            ("movement_doubtful", "Positions are mocked or impossible", "位置为模拟或移动异常", false),
            (OTHER_REASON, "Something else", "其他", true),
        ];
        Self {
            sections: sections
                .map(|(code, name_en, name_zh)| ReviewSection {
                    code: code.to_owned(),
                    name_en: name_en.to_owned(),
                    name_zh: name_zh.to_owned(),
                    is_required: false,
                })
                .to_vec(),
            return_reasons: reasons
                .map(|(code, name_en, name_zh, needs_words)| ReturnReason {
                    code: code.to_owned(),
                    name_en: name_en.to_owned(),
                    name_zh: name_zh.to_owned(),
                    needs_words,
                })
                .to_vec(),
        }
    }
}

impl Policy for ReviewTemplate {
    const KIND: &'static str = "review_template";

    fn check(&self) -> Result<(), Rejection> {
        let sections = self.sections.iter().map(|section| (&section.code, &section.name_en, &section.name_zh));
        let reasons = self.return_reasons.iter().map(|reason| (&reason.code, &reason.name_en, &reason.name_zh));
        let entries: [(&str, Vec<_>); 2] = [("sections", sections.collect()), ("return_reasons", reasons.collect())];
        for (field, entries) in entries {
            if entries.len() > MAX_LIST_ITEMS {
                return refuse(
                    ProblemType::InvalidField,
                    format!("{field}: must not have more than {MAX_LIST_ITEMS} entries"),
                );
            }
            let mut codes = BTreeSet::new();
            for (code, name_en, name_zh) in entries {
                required_text(field, name_en)?;
                required_text(field, name_zh)?;
                if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                    return refuse(
                        ProblemType::InvalidField,
                        format!("{field}: '{code}' is no code; lower-case letters and _ make one"),
                    );
                }
                if !codes.insert(code) {
                    return refuse(ProblemType::InvalidField, format!("{field}: the code '{code}' stands twice"));
                }
            }
        }
        if !self.return_reasons.iter().any(|reason| reason.code == OTHER_REASON) {
            return refuse(
                ProblemType::InvalidField,
                format!("return_reasons: '{OTHER_REASON}' must be among them, for what nobody foresaw"),
            );
        }
        Ok(())
    }
}

impl ReviewTemplate {
    /// The codes and the texts of a return, for the tester to read: each code in both languages, then the lead's words.
    ///
    /// # Errors
    /// `invalid-field` for nothing at all, a code that the template lacks, or one that needs words and has none.
    pub fn return_texts(&self, reasons: &ReturnReasons) -> Result<(Vec<String>, Vec<String>), Rejection> {
        let words: Vec<&str> = reasons.words.iter().map(|words| words.trim()).collect();
        if reasons.codes.is_empty() && words.is_empty() {
            return refuse(
                ProblemType::InvalidField,
                "reason_codes: name a reason of the template, or write one in reasons",
            );
        }
        if reasons.codes.len() + words.len() > MAX_LIST_ITEMS {
            return refuse(
                ProblemType::InvalidField,
                format!("reasons: must not have more than {MAX_LIST_ITEMS} entries"),
            );
        }
        words.iter().try_for_each(|words| required_text("reasons", words))?;
        let mut codes: Vec<String> = Vec::new();
        let mut texts: Vec<String> = Vec::new();
        for code in &reasons.codes {
            let Some(reason) = self.return_reasons.iter().find(|reason| reason.code == *code) else {
                return refuse(ProblemType::InvalidField, format!("reason_codes: the template has no reason '{code}'"));
            };
            if reason.needs_words && words.is_empty() {
                return refuse(ProblemType::InvalidField, format!("reasons: '{code}' needs words beside it"));
            }
            if !codes.contains(code) {
                codes.push(code.clone());
                // What only stands for words is not told beside them.
                if code != OTHER_REASON {
                    texts.push(format!("{} {}", reason.name_zh, reason.name_en));
                }
            }
        }
        if codes.is_empty() {
            codes.push(OTHER_REASON.to_owned());
        }
        texts.extend(words.into_iter().map(str::to_owned));
        Ok((codes, texts))
    }

    /// Checks that the answered sections are the template's, and that none which is required is lacking.
    ///
    /// # Errors
    /// `invalid-field` that names the section.
    pub fn sections_check(&self, answers: &[SectionAnswer]) -> Result<(), Rejection> {
        let mut answered = BTreeSet::new();
        for SectionAnswer { section, assessment, note } in answers {
            if !self.sections.iter().any(|known| known.code == *section) {
                return refuse(ProblemType::InvalidField, format!("sections: the template has no section '{section}'"));
            }
            if !answered.insert(section) {
                return refuse(ProblemType::InvalidField, format!("sections: '{section}' is answered twice"));
            }
            bounded_text("sections.note", note)?;
            if *assessment == Assessment::Poor && note.trim().is_empty() {
                return refuse(ProblemType::InvalidField, format!("sections.note: say what is poor about '{section}'"));
            }
        }
        match self.sections.iter().find(|section| section.is_required && !answered.contains(&section.code)) {
            Some(section) => refuse(
                ProblemType::InvalidField,
                format!("sections: '{}' must be answered before the test is approved (R-REVIEW-1)", section.code),
            ),
            None => Ok(()),
        }
    }
}

/// Checks that the plan names quick relief and cure (R-REVIEW-1).
///
/// # Errors
/// `invalid-field` that names the field.
pub fn review_plan_check(plan: &ReviewPlan) -> Result<(), Rejection> {
    required_text("quick_relief", &plan.quick_relief)?;
    required_text("cure", &plan.cure)?;
    match &plan.ladder_step {
        None => Ok(()),
        Some(step) if step.trim().is_empty() => {
            refuse(ProblemType::InvalidField, "ladder_step: must be a step's key, or absent")
        }
        Some(step) => bounded_text("ladder_step", step),
    }
}
