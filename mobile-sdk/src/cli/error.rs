//! What can go wrong on the terminal, in words and as an exit status.

use crate::capture::CaptureError;
use crate::facade::PhoneError;
use crate::import::{ImportError, Language};
use crate::store::StoreError;
use crate::transport::http_client::ServerUrlError;
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::samples::{BlockError, SealError};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const EXIT_HELP: &str = "Exit status 退出码: 0 done 完成; 1 this phone's store failed 本机存储错误; 2 wrong arguments 参数错误; 3 not allowed by the rules, \
or bad input 规则不允许或输入有误; 4 sign in 需要登录; 5 no network, nothing lost 网络不可用，数据未丢失; 6 the server refused 服务器拒绝";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked: 0.
    Done,
    /// The store failed: 1.
    Store,
    /// The arguments make no sense: 2, as `clap` has it.
    Usage,
    /// The rules do not allow it, or the input is bad: 3.
    Rejected,
    /// Sign in first: 4.
    SignInNeeded,
    /// The network did not work, or is forbidden; nothing is lost: 5.
    Network,
    /// The server refused: 6.
    Server,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Phone(#[from] PhoneError),
    #[error("--offline forbids the network")]
    Offline,
    #[error("say which server: --server https://…")]
    ServerUnknown,
    #[error(transparent)]
    ServerUrl(#[from] ServerUrlError),
    #[error("give the password in CALLOUT_PASSWORD, or with --password-stdin")]
    PasswordAbsent,
    #[error("{path}: {cause}")]
    File { path: PathBuf, cause: std::io::Error },
    #[error("{path}: {cause}")]
    Import { path: PathBuf, cause: ImportError },
    #[error("{path}: {cause}")]
    Block { path: PathBuf, cause: BlockError },
    #[error("{0}")]
    Seal(#[from] SealError),
    #[error("--missing: expected OPERATOR=REASON, such as china_telecom=\"no SIM card\"")]
    Missing,
    #[error("the walk asks for yes, no, or a number here")]
    VolteAnswer,
    #[error("the walk is finished; --back takes the last answer back")]
    VolteOver,
    #[error("no account of this phone is called so")]
    AccountUnknown,
    #[error("--lat, --lon: must lie within ±90° of latitude and ±180° of longitude")]
    Place,
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Phone(error.into())
    }
}

impl From<CaptureError> for CliError {
    fn from(error: CaptureError) -> Self {
        Self::Phone(error.into())
    }
}

impl CliError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Phone(error) => match error {
                PhoneError::Rejected(_)
                | PhoneError::OrderUnknown(_)
                | PhoneError::OrderAmbiguous(_)
                | PhoneError::FindingsIncomplete(_)
                | PhoneError::OtherUser { .. }
                | PhoneError::NothingToMend
                | PhoneError::UnsentWork { .. }
                | PhoneError::Photo { .. }
                | PhoneError::Capture(CaptureError::Refused(_) | CaptureError::Elsewhere) => Exit::Rejected,
                PhoneError::SignInNeeded | PhoneError::DeviceRevoked => Exit::SignInNeeded,
                PhoneError::Server(rejection) => match rejection.problem {
                    ProblemType::WrongCredentials | ProblemType::Unauthenticated | ProblemType::SessionRevoked => {
                        Exit::SignInNeeded
                    }
                    _ => Exit::Server,
                },
                PhoneError::Network { .. } | PhoneError::SyncRunning => Exit::Network,
                PhoneError::Store(_)
                | PhoneError::Capture(CaptureError::Store(_) | CaptureError::Pack(_) | CaptureError::Full) => {
                    Exit::Store
                }
            },
            Self::Offline => Exit::Network,
            Self::ServerUnknown
            | Self::ServerUrl(_)
            | Self::PasswordAbsent
            | Self::Missing
            | Self::Place
            | Self::VolteAnswer => Exit::Usage,
            Self::VolteOver | Self::AccountUnknown => Exit::Rejected,
            Self::File { .. } | Self::Import { .. } | Self::Block { .. } | Self::Seal(_) => Exit::Rejected,
        }
    }

    pub(super) fn message(&self, language: Language) -> String {
        match language {
            Language::English => self.to_string(),
            Language::Chinese => self.message_zh(),
        }
    }

    fn message_zh(&self) -> String {
        match self {
            Self::Phone(error) => error.text_zh(),
            Self::Offline => "--offline 禁止使用网络".to_owned(),
            Self::ServerUnknown => "请用 --server 指定服务器".to_owned(),
            Self::ServerUrl(ServerUrlError::Malformed) => "服务器地址应形如 https://host:port".to_owned(),
            Self::ServerUrl(ServerUrlError::PlainHttp) => "明文 http 只允许用于本机；请使用 https".to_owned(),
            Self::PasswordAbsent => "请用 CALLOUT_PASSWORD 或 --password-stdin 提供密码".to_owned(),
            Self::File { path, cause } => format!("{}：无法读写（{cause}）", path.display()),
            Self::Import { path, cause } => format!("{}：{}", path.display(), cause.message(Language::Chinese)),
            Self::Block { path, cause } => format!("{}：不是有效的样本块（{cause}）", path.display()),
            Self::Seal(cause) => format!("无法封装（{cause}）"),
            Self::Missing => "--missing：应为 运营商=原因，例如 china_telecom=无SIM卡".to_owned(),
            Self::VolteAnswer => "此处应回答 yes、no 或数字".to_owned(),
            Self::VolteOver => "排查已结束；可用 --back 撤回上一个回答".to_owned(),
            Self::AccountUnknown => "本机没有此账号".to_owned(),
            Self::Place => "--lat、--lon：纬度应在 ±90°、经度应在 ±180° 以内".to_owned(),
        }
    }

    /// For machines: the problem's type where there is one, and the sentence.
    pub(super) fn to_json(&self) -> Value {
        let problem = match self {
            Self::Phone(PhoneError::Rejected(rejection) | PhoneError::Server(rejection)) => {
                Some(rejection.problem.slug())
            }
            Self::Phone(PhoneError::SignInNeeded) => Some(ProblemType::Unauthenticated.slug()),
            _ => None,
        };
        let retry_at = match self {
            Self::Phone(PhoneError::Network { retry_at, .. }) => *retry_at,
            _ => None,
        };
        json!({ "problem": problem, "detail": self.to_string(), "retry_at": retry_at })
    }
}
