//! What is taken away when a customer's data is erased (R-PRIVACY-1), as pure functions over texts and documents.
//!
//! Names, numbers and the customer's own words always go. What staff wrote about the network is worth keeping for later cases
//! (R-INTAKE-7, R-KNOW-1): there, by default, only what is known of the customer is taken out. What does not belong here: where
//! the texts stand (`storage::erasures`).

use super::{refuse, required_text};
use crate::workflow::policies::Policy;
use callout_sync_protocol::commands::{CommandBody, Findings, MissingOperator};
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::problem::{ProblemType, Rejection};
use callout_sync_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

named_enum! {
    /// What becomes of what staff wrote about a case.
    StaffWords {
        /// It stays; the customer's name, number and address are taken out.
        Redact = "redact" / "仅去除客户信息",
        /// It goes altogether.
        Remove = "remove" / "全部删除",
    }
}

/// What an erasure takes away beside the customer's name, number, address and account of the problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ErasureOptions {
    /// What becomes of what staff wrote.
    pub staff_words: StaffWords,
    /// The customer's words on a revisit go; the score stays in any case.
    pub revisit_words: bool,
    /// Photos of these purposes go, with their thumbnails.
    pub photo_purposes: Vec<PhotoPurpose>,
}

impl Default for ErasureOptions {
    /// Photos from inside a home, and of screens, go.
    fn default() -> Self {
        Self {
            staff_words: StaffWords::Redact,
            revisit_words: true,
            photo_purposes: vec![PhotoPurpose::Indoors, PhotoPurpose::Screen],
        }
    }
}

/// How long customers' data is kept, and what goes then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionPolicy {
    /// So many days after the last change of a complaint that has ended, its customer's data is erased; absent: only on demand.
    pub customer_data_days: Option<u32>,
    /// What goes then; also what goes on demand when the demand does not say.
    pub options: ErasureOptions,
}

/// Within these, a false return would still have to be told to the customer (R-RETURN-4).
const MIN_RETENTION_DAYS: u32 = 30;
const MAX_RETENTION_DAYS: u32 = 36_500;

impl Policy for RetentionPolicy {
    const KIND: &'static str = "retention";
    const PER_REGION: bool = false;

    fn check(&self) -> Result<(), Rejection> {
        match self.customer_data_days {
            Some(days) if !(MIN_RETENTION_DAYS..=MAX_RETENTION_DAYS).contains(&days) => {
                refuse(ProblemType::InvalidField, "customer_data_days: must be from 30 to 36500, or absent")
            }
            _ => Ok(()),
        }
    }
}

impl RetentionPolicy {
    /// What changed last before this instant is due; `None` while nothing ever is.
    pub fn due_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.customer_data_days.map(|days| now.plus_seconds(-i64::from(days) * 24 * 3_600))
    }
}

/// Shorter texts stand for too many other things.
const MIN_KNOWN_CHARS: usize = 2;
/// A number that people may have written in groups.
const MOBILE_DIGITS: usize = 11;

/// What is known of a customer, in the forms in which people write it; the longer before the shorter.
pub fn known_of(name: &str, phone: &str, address: &str) -> Vec<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let mut known = vec![name.trim().to_owned(), phone.trim().to_owned(), address.trim().to_owned(), digits.clone()];
    // With or without the country's code.
    let national = match digits.len().checked_sub(MOBILE_DIGITS) {
        Some(ahead) => &digits[ahead..],
        None => digits.as_str(),
    };
    known.push(national.to_owned());
    if let (Some(first), Some(middle), Some(last)) = (national.get(..3), national.get(3..7), national.get(7..))
        && national.len() == MOBILE_DIGITS
    {
        known.extend([format!("{first}-{middle}-{last}"), format!("{first} {middle} {last}")]);
    }
    // As the case library's folded text has it.
    known.extend(known.clone().iter().map(|text| text.to_lowercase()));
    known.retain(|text| text.chars().count() >= MIN_KNOWN_CHARS);
    known.sort_by_key(|text| (std::cmp::Reverse(text.len()), text.clone()));
    known.dedup();
    known
}

/// The reason of an erasure stays on record, so it must not hold what is erased.
///
/// # Errors
/// `invalid-field`.
pub fn erasure_reason_check(reason: &str, known: &[String]) -> Result<(), Rejection> {
    required_text("reason", reason)?;
    if known.iter().any(|known| reason.contains(known)) {
        return refuse(ProblemType::InvalidField, "reason: must not name the customer whose data is erased");
    }
    Ok(())
}

/// Takes words out of texts, or takes texts away, in the documents that are read and written whole.
#[derive(Clone, Debug)]
pub struct Eraser {
    /// What is known of the customer.
    pub known: Vec<String>,
    /// What becomes of what staff wrote.
    pub staff_words: StaffWords,
    /// What stands for what is gone where there must be a text.
    pub mark: &'static str,
}

impl Eraser {
    /// A text of staff.
    pub fn staff_text(&self, text: &str) -> String {
        match self.staff_words {
            StaffWords::Remove => self.mark.to_owned(),
            StaffWords::Redact => self.redacted(text),
        }
    }

    /// Whether a reason on the trail, which stays whole or goes, has to go.
    pub fn is_reason_erased(&self, reason: &str) -> bool {
        match self.staff_words {
            StaffWords::Remove => true,
            StaffWords::Redact => self.known.iter().any(|known| reason.contains(known)),
        }
    }

    fn redacted(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, known| text.replace(known, self.mark))
    }

    fn staff_texts(&self, texts: &[String]) -> Vec<String> {
        texts.iter().map(|text| self.staff_text(text)).collect()
    }

    /// Findings without the customer's words and address; what is said of the network is staff's.
    pub fn findings(&self, findings: &Findings) -> Findings {
        Findings {
            problem: self.mark.to_owned(),
            occurs: String::new(),
            address: self.mark.to_owned(),
            pressing_need: String::new(),
            competitor_coverage: match findings.competitor_coverage.as_str() {
                "" => String::new(),
                text => self.staff_text(text),
            },
            serving_sites: self.staff_texts(&findings.serving_sites),
            planned_sites: self.staff_texts(&findings.planned_sites),
            shareable_resources: self.staff_texts(&findings.shareable_resources),
            ..findings.clone()
        }
    }

    /// Why networks were not tested.
    pub fn missing_operators(&self, missing: &[MissingOperator]) -> Vec<MissingOperator> {
        missing
            .iter()
            .map(|missing| MissingOperator { reason: self.staff_text(&missing.reason), ..missing.clone() })
            .collect()
    }

    /// A command as it is kept: accepted, or in quarantine (R-TEST-5).
    pub fn command(&self, body: &CommandBody) -> CommandBody {
        match body {
            CommandBody::Accept {}
            | CommandBody::Arrive { .. }
            | CommandBody::PhotoConsent { .. }
            | CommandBody::TestBegin { .. }
            | CommandBody::PhotoAttach { .. } => body.clone(),
            CommandBody::Decline { reason } => CommandBody::Decline { reason: self.staff_text(reason) },
            CommandBody::Contact { outcome, appointment, emergency_reason, note: _ } => CommandBody::Contact {
                outcome: *outcome,
                appointment: *appointment,
                emergency_reason: emergency_reason.as_deref().map(|reason| self.staff_text(reason)),
                // What the customer said.
                note: None,
            },
            CommandBody::FindingsRecord { field_test_id, findings } => {
                CommandBody::FindingsRecord { field_test_id: *field_test_id, findings: self.findings(findings) }
            }
            CommandBody::TestSubmit { field_test_id, blocks, photos, missing_operators } => CommandBody::TestSubmit {
                field_test_id: *field_test_id,
                blocks: blocks.clone(),
                photos: photos.clone(),
                missing_operators: self.missing_operators(missing_operators),
            },
        }
    }
}
