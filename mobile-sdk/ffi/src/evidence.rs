//! What a test still lacks, and the guided VoLTE walk; both without any network (R-TEST-1, R-TEST-4).

use crate::PhoneError;
use crate::phone::PhoneCore;
use callout_sync_protocol::evidence::{self, EvidenceKind};
use callout_sync_protocol::ids::WorkOrderId;
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::volte_walkthrough::{self, AnswerKind, VolteConclusion, VolteQuestion};

/// A kind of evidence.
#[uniffi::remote(Enum)]
pub enum EvidenceKind {
    /// Samples of an operator's network.
    Samples,
    /// Photos of a purpose.
    Photos,
    /// The finished VoLTE walk.
    VolteWalkthrough,
    /// Test calls.
    TestCalls,
}

/// Something that the order's test must have.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct EvidenceItem {
    /// What.
    pub kind: EvidenceKind,
    /// Of whose network.
    pub operator: Option<Operator>,
    /// Showing what.
    pub purpose: Option<PhotoPurpose>,
    /// How much there must be.
    pub required: u64,
    /// How much this phone has.
    pub present: u64,
    /// There is enough.
    pub is_met: bool,
    /// The same in English.
    pub text_en: String,
    /// The same in Chinese.
    pub text_zh: String,
}

impl From<evidence::EvidenceItem> for EvidenceItem {
    fn from(item: evidence::EvidenceItem) -> Self {
        Self {
            is_met: item.is_met(),
            text_en: item.text_en(),
            text_zh: item.text_zh(),
            kind: item.kind,
            operator: item.operator,
            purpose: item.purpose,
            required: item.required,
            present: item.present,
        }
    }
}

/// A question of the VoLTE walk.
#[uniffi::remote(Enum)]
pub enum VolteQuestion {
    /// The operator has opened VoLTE for this SIM.
    SimService,
    /// The handset supports VoLTE on this network.
    HandsetSupport,
    /// VoLTE is switched on in the handset's settings.
    SettingsOn,
    /// The handset shows that it is registered.
    Registered,
    /// Test calls attempted.
    CallsAttempted,
    /// Of these, calls that were not set up.
    CallsNotSetUp,
    /// Of those set up, calls that dropped.
    CallsDropped,
    /// The mean opinion score, in hundredths.
    MosHundredths,
    /// Of those set up, calls that fell back to 2G.
    CallsFellBack,
}

/// What a walk concludes: the first stage at which something is wrong.
#[uniffi::remote(Enum)]
pub enum VolteConclusion {
    /// The SIM lacks the service.
    SimServiceMissing,
    /// The handset cannot do it.
    HandsetUnsupported,
    /// It is switched off.
    SettingsOff,
    /// The network does not register the phone.
    RegistrationFails,
    /// Calls are not set up.
    AccessFails,
    /// Calls drop.
    CallsDrop,
    /// Voices are unclear.
    QualityPoor,
    /// Calls fall back to 2G.
    FallsBack,
    /// No stage shows a fault.
    NoFaultFound,
}

/// What comes next in the walk.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum VolteStep {
    /// This is asked.
    Ask {
        /// The question.
        question: VolteQuestion,
        /// Its words in English.
        text_en: String,
        /// Its words in Chinese.
        text_zh: String,
        /// It is answered by 0 for no and 1 for yes; otherwise by a number.
        is_yes_no: bool,
        /// The smallest answer.
        minimum: u32,
        /// The largest answer.
        maximum: u32,
    },
    /// The walk is finished.
    Concluded {
        /// What it concludes.
        conclusion: VolteConclusion,
        /// The same in English.
        text_en: String,
        /// The same in Chinese.
        text_zh: String,
    },
}

impl From<volte_walkthrough::VolteStep> for VolteStep {
    fn from(step: volte_walkthrough::VolteStep) -> Self {
        match step {
            volte_walkthrough::VolteStep::Ask { question, kind } => {
                let (is_yes_no, minimum, maximum) = match kind {
                    AnswerKind::YesNo => (true, 0, 1),
                    AnswerKind::Number { minimum, maximum } => (false, minimum, maximum),
                };
                Self::Ask {
                    question: question.question,
                    text_en: question.text_en.to_owned(),
                    text_zh: question.text_zh.to_owned(),
                    is_yes_no,
                    minimum,
                    maximum,
                }
            }
            volte_walkthrough::VolteStep::Concluded(conclusion) => Self::Concluded {
                conclusion,
                text_en: conclusion.as_str().replace('_', " "),
                text_zh: conclusion.name_zh().to_owned(),
            },
        }
    }
}

#[uniffi::export]
impl PhoneCore {
    /// What the order's test must have, and what of it this phone has. Empty where the server set nothing.
    pub fn evidence_checklist(&self, order: WorkOrderId) -> Result<Vec<EvidenceItem>, PhoneError> {
        let items = self.inner.act(|phone| phone.evidence_checklist(order))?;
        Ok(items.into_iter().map(EvidenceItem::from).collect())
    }

    /// What to ask next in the order's VoLTE walk, or what it concluded.
    pub fn volte_next(&self, order: WorkOrderId) -> Result<VolteStep, PhoneError> {
        self.inner.act(|phone| phone.volte_next(order)).map(VolteStep::from)
    }

    /// Answers the question that the walk asks next; kept with the findings. Says what comes after it.
    pub fn volte_answer(
        &self,
        order: WorkOrderId,
        question: VolteQuestion,
        value: u32,
    ) -> Result<VolteStep, PhoneError> {
        self.inner.act(|phone| phone.volte_answer(order, question, value)).map(VolteStep::from)
    }

    /// Takes the last answer back, to correct it. Says what is asked then.
    pub fn volte_back(&self, order: WorkOrderId) -> Result<VolteStep, PhoneError> {
        self.inner.act(|phone| phone.volte_back(order)).map(VolteStep::from)
    }
}
