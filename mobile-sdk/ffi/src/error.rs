//! The few ways in which a call fails, each with the reader's words in English and Chinese.

use callout_mobile_sdk::facade;
use callout_mobile_sdk::store::StoreError;
use callout_mobile_sdk::{CaptureError, PhoneError as CoreError};
use callout_sync_protocol::problem::{ProblemType, Rejection};
use std::time::SystemTime;

/// What happened, in words to show.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Reason {
    /// The problem's name for programs, as in the server's API; absent where the API has none.
    pub problem: Option<String>,
    /// In English.
    pub text_en: String,
    /// In Chinese.
    pub text_zh: String,
}

impl Reason {
    pub(crate) fn new(text_en: impl Into<String>, text_zh: impl Into<String>) -> Self {
        Self { problem: None, text_en: text_en.into(), text_zh: text_zh.into() }
    }

    pub(crate) fn of(rejection: &Rejection) -> Self {
        let Rejection { problem, detail } = rejection;
        Self {
            problem: Some(problem.slug().to_owned()),
            text_en: format!("{}: {detail}", problem.title_en()),
            text_zh: format!("{}（{detail}）", problem.title_zh()),
        }
    }
}

/// Why a call did nothing. Nothing is ever lost by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum PhoneError {
    /// The rules do not allow it, the server said no, or a value makes no sense; show it to the person.
    #[error("{}", reason.text_en)]
    NotAllowed {
        /// Why.
        reason: Reason,
    },
    /// The findings are kept as a draft and lack something.
    #[error("{}", reason.text_en)]
    Incomplete {
        /// The names of the fields that are missing.
        missing: Vec<String>,
        /// The same in words.
        reason: Reason,
    },
    /// Nothing here is called so.
    #[error("{}", reason.text_en)]
    NotFound {
        /// What.
        reason: Reason,
    },
    /// Sign in (again) first, or with the right password.
    #[error("{}", reason.text_en)]
    SignInNeeded {
        /// Why.
        reason: Reason,
    },
    /// An administrator revoked this device; what is unsent goes after signing in again.
    #[error("{}", reason.text_en)]
    DeviceRevoked {
        /// The same in words.
        reason: Reason,
    },
    /// The network did not work; everything that waits still waits.
    #[error("{}", reason.text_en)]
    Network {
        /// When trying again makes sense.
        retry_at: Option<SystemTime>,
        /// Why.
        reason: Reason,
    },
    /// Another sync or sign-in of this phone is running.
    #[error("{}", reason.text_en)]
    Busy {
        /// The same in words.
        reason: Reason,
    },
    /// The phone's store could not be opened, read or written.
    #[error("{}", reason.text_en)]
    Storage {
        /// The medium is full.
        is_full: bool,
        /// Why.
        reason: Reason,
    },
    /// The phone was closed by the app.
    #[error("{}", reason.text_en)]
    Closed {
        /// The same in words.
        reason: Reason,
    },
}

impl PhoneError {
    pub(crate) fn value(text_en: impl Into<String>, text_zh: impl Into<String>) -> Self {
        Self::NotAllowed { reason: Reason::new(text_en, text_zh) }
    }

    pub(crate) fn closed() -> Self {
        Self::Closed { reason: Reason::new("this phone was closed", "已关闭") }
    }

    pub(crate) fn busy() -> Self {
        CoreError::SyncRunning.into()
    }

    pub(crate) fn into_reason(self) -> Reason {
        match self {
            Self::NotAllowed { reason }
            | Self::Incomplete { reason, .. }
            | Self::NotFound { reason }
            | Self::SignInNeeded { reason }
            | Self::DeviceRevoked { reason }
            | Self::Network { reason, .. }
            | Self::Busy { reason }
            | Self::Storage { reason, .. }
            | Self::Closed { reason } => reason,
        }
    }
}

impl From<CoreError> for PhoneError {
    fn from(error: CoreError) -> Self {
        let reason = match &error {
            CoreError::Rejected(rejection) | CoreError::Server(rejection) => Reason::of(rejection),
            other => Reason::new(other.to_string(), other.text_zh()),
        };
        match error {
            CoreError::Server(rejection) => match rejection.problem {
                ProblemType::WrongCredentials | ProblemType::Unauthenticated | ProblemType::SessionRevoked => {
                    Self::SignInNeeded { reason }
                }
                _ => Self::NotAllowed { reason },
            },
            CoreError::Rejected(_)
            | CoreError::NothingToMend
            | CoreError::UnsentWork { .. }
            | CoreError::OtherUser { .. }
            | CoreError::OrderAmbiguous(_)
            | CoreError::Photo { .. }
            | CoreError::Capture(CaptureError::Refused(_) | CaptureError::Elsewhere) => Self::NotAllowed { reason },
            CoreError::SignInNeeded => Self::SignInNeeded { reason },
            CoreError::DeviceRevoked => Self::DeviceRevoked { reason },
            CoreError::OrderUnknown(_) => Self::NotFound { reason },
            CoreError::FindingsIncomplete(missing) => {
                Self::Incomplete { missing: missing.into_iter().map(str::to_owned).collect(), reason }
            }
            CoreError::Network { retry_at, .. } => {
                Self::Network { retry_at: retry_at.map(crate::places::system_time), reason }
            }
            CoreError::SyncRunning => Self::Busy { reason },
            CoreError::Store(StoreError::Full)
            | CoreError::Capture(CaptureError::Full | CaptureError::Store(StoreError::Full)) => {
                Self::Storage { is_full: true, reason }
            }
            CoreError::Store(_) | CoreError::Capture(CaptureError::Store(_) | CaptureError::Pack(_)) => {
                Self::Storage { is_full: false, reason }
            }
        }
    }
}

impl From<StoreError> for PhoneError {
    fn from(error: StoreError) -> Self {
        CoreError::from(error).into()
    }
}

impl From<CaptureError> for PhoneError {
    fn from(error: CaptureError) -> Self {
        CoreError::from(error).into()
    }
}

impl From<facade::AccountSlotMalformed> for PhoneError {
    fn from(error: facade::AccountSlotMalformed) -> Self {
        Self::NotFound { reason: Reason::new(error.to_string(), "没有此账号") }
    }
}

/// A listener of the app failed. An observation ends then; a sync goes on.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum ListenerError {
    /// It threw something.
    #[error("the app's listener failed: {what}")]
    Failed {
        /// What it threw.
        what: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ListenerError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { what: error.reason }
    }
}
