//! The terminal phone's arguments.

use crate::import::Language;
use crate::store::StoreKey;
use callout_sync_protocol::commands::{AffectedService, ContactOutcome};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::{NetworkGeneration, TimeWindow};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// What every command takes, and the command.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::error::EXIT_HELP)]
pub struct PhoneArgs {
    /// Where this phone keeps its data 数据目录
    #[arg(long, env = "CALLOUT_PHONE_DATA", default_value = "callout-phone", global = true, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// What the phone's data is sealed with: 64 hex digits. An app takes them from the platform's keystore; without a key the data is
    /// plain 数据加密密钥
    #[arg(long, env = "CALLOUT_PHONE_KEY", hide_env_values = true, global = true, value_name = "HEX")]
    pub store_key: Option<StoreKey>,
    /// The server's address; remembered at sign-in 服务器地址
    #[arg(long, env = "CALLOUT_SERVER", global = true, value_name = "https://HOST[:PORT]")]
    pub server: Option<String>,
    /// Never use the network 禁止使用网络
    #[arg(long, global = true)]
    pub offline: bool,
    /// Allow http:// to other machines: passwords and customers' data then travel in the clear 允许明文 http
    #[arg(long, global = true)]
    pub allow_plain_http: bool,
    /// One JSON object instead of text 输出 JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// The language of texts 语言
    #[arg(long, env = "CALLOUT_LANGUAGE", default_value = "en", global = true)]
    pub language: LanguageArg,
    /// How the administrator sees this phone in the list of devices 设备名称
    #[arg(long, default_value = "terminal phone", global = true, value_name = "NAME")]
    pub device_name: String,
    /// What to do.
    #[command(subcommand)]
    pub command: PhoneCommand,
}

/// A language by its ISO 639-1 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LanguageArg {
    /// English
    En,
    /// 中文
    Zh,
}

impl From<LanguageArg> for Language {
    fn from(argument: LanguageArg) -> Self {
        match argument {
            LanguageArg::En => Self::English,
            LanguageArg::Zh => Self::Chinese,
        }
    }
}

/// A command of the terminal phone. ORDER is an order's id, its number, or a part of one that no other order has.
#[derive(Subcommand, Clone, Debug)]
pub enum PhoneCommand {
    /// Sign in and enrol this phone; the password comes from CALLOUT_PASSWORD or standard input 登录
    SignIn {
        /// The user name.
        #[arg(long)]
        user: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Forget the session; everything captured stays 退出登录
    SignOut,
    /// Send what waits and fetch what is new 同步
    Sync {
        /// How often to wait and try again when the network fails.
        #[arg(long, default_value_t = 3)]
        retries: u32,
    },
    /// Sync, and then whenever the server says that something waits; prints each order that is new or changed, with --json as one
    /// object a line 监听并自动同步
    Watch {
        /// End after so many seconds.
        #[arg(long = "for", value_name = "SECONDS")]
        seconds: Option<u32>,
        /// End after so many changes of orders.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        changes: Option<u64>,
    },
    /// List the orders 工单列表
    Orders,
    /// Show one order and what was done about it 工单详情
    Order {
        /// The order.
        order: String,
    },
    /// What the tester does with an order.
    #[command(flatten)]
    Field(FieldCommand),
    /// Capture samples from a log; again with the same log goes on where it stopped 采集样本
    Capture(CaptureArgs),
    /// Count what is on this phone 状态
    Status,
    /// List what was rejected, quarantined or refused, with the reasons 被拒内容
    Quarantine,
    /// Send something that was refused again, as it was 重发
    Resend {
        /// A command's or photo's id or a block's hash, as `quarantine` lists them, or an end of one.
        item: String,
    },
    /// Give another step in a rejected one's place 修改后重发
    Mend {
        /// The rejected command's id, as `quarantine` lists it, or an end of it.
        command: String,
        /// What goes instead.
        #[command(subcommand)]
        with: MendCommand,
    },
    /// Let a rejected step be: it is no longer listed 忽略
    Dismiss {
        /// The rejected command's id, as `quarantine` lists it, or an end of it.
        command: String,
    },
    /// What the order's test must have, and what of it is on this phone 证据清单
    Checklist {
        /// The order.
        order: String,
    },
    /// The words with which a talk with the customer begins and ends 开场与结束用语
    Words {
        /// The order.
        order: String,
    },
    /// The guided VoLTE walk: shows the next question, or answers it VoLTE 引导排查
    Volte(VolteArgs),
    /// How much this phone holds, and how much it may 存储与配额
    Storage {
        /// Hold no more of what the server has than BYTES (500M, 2G), or `none` 配额
        #[arg(long, value_name = "BYTES")]
        quota: Option<Quota>,
        /// Let go of everything that the server has confirmed 释放
        #[arg(long)]
        free: bool,
    },
    /// A bundle for whoever helps with a problem; no personal data in it 诊断包
    Diagnostics,
    /// Several people on one phone, each with a folder and a key of their own 多账号
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Seal one log with a throw-away key and tell how long it becomes 封装日志
    Seal {
        /// The log.
        log: PathBuf,
        /// Whose network it measured.
        #[arg(long, default_value = "china_mobile")]
        operator: Operator,
        /// Minutes that the log's local time is ahead of UTC.
        #[arg(long, allow_negative_numbers = true)]
        utc_offset: Option<i16>,
        /// Write the blocks to FILE, FILE.1, …
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the samples of sealed blocks as CSV 解封
    Unseal {
        /// Files of one block each.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// What the tester does with an order; each becomes a command that waits for the next sync.
#[derive(Subcommand, Clone, Debug)]
pub enum FieldCommand {
    /// Take an order 接单
    Accept {
        /// The order.
        order: String,
    },
    /// Give an order back 拒单
    Decline {
        /// The order.
        order: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Record a contact with the customer, or an attempt at one 联系客户
    Contact(ContactArgs),
    /// Record the arrival 到场
    Arrive {
        /// The order.
        order: String,
        /// Where.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Record the customer's answer about photos 拍照许可
    Consent {
        /// The order.
        order: String,
        /// The answer.
        answer: YesNo,
    },
    /// Add a photo, JPEG or PNG 添加照片
    Photo {
        /// The order.
        order: String,
        /// The file; it is copied and left as it is.
        file: PathBuf,
        /// What it shows: surroundings, indoors, screen, site.
        #[arg(long, default_value = "surroundings")]
        purpose: PhotoPurpose,
        /// When it was taken (RFC 3339); from EXIF, else now, if absent.
        #[arg(long)]
        captured_at: Option<Timestamp>,
    },
    /// Write findings; what is not given stays as it was 现场结论
    Finding(Box<FindingArgs>),
    /// Seal the samples and hand the test in 提交测试
    Submit {
        /// The order.
        order: String,
        /// Why an operator was not tested: china_telecom=reason.
        #[arg(long, value_name = "OPERATOR=REASON")]
        missing: Vec<String>,
    },
}

/// See [`PhoneCommand::Mend`]. About the same order and for the same time as the rejected one.
#[derive(Subcommand, Clone, Debug)]
pub enum MendCommand {
    /// A declining with another reason 拒单
    Decline {
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Another contact report 联系客户
    Contact(ReportArgs),
    /// An arrival at another place 到场
    Arrive(PlaceArgs),
    /// Another answer about photos 拍照许可
    Consent {
        /// The answer.
        answer: YesNo,
    },
    /// Findings that differ in what is given 现场结论
    Finding(Box<FindingFields>),
    /// A submission with what the test has now 提交测试
    Submit {
        /// Why an operator was not tested: china_telecom=reason.
        #[arg(long, value_name = "OPERATOR=REASON")]
        missing: Vec<String>,
    },
}

/// See [`PhoneCommand::Volte`].
#[derive(Args, Clone, Debug)]
pub struct VolteArgs {
    /// The order.
    pub order: String,
    /// Answers the question that is asked next: yes, no, or a number; may be given again for those after it.
    #[arg(long)]
    pub answer: Vec<String>,
    /// Takes the last answer back first.
    #[arg(long)]
    pub back: bool,
}

/// See [`PhoneCommand::Accounts`].
#[derive(Subcommand, Clone, Debug)]
pub enum AccountsCommand {
    /// List the accounts; the current one has a star 列表
    List,
    /// Make room for another account, which is the current one from now on; sign in then 新增
    Add,
    /// Make another account the current one, or, without SLOT, the phone in the folder itself 切换
    Switch {
        /// The account.
        slot: Option<String>,
    },
    /// Remove an account and everything of it; refused while something was not sent. Takes that account's key 移除
    Remove {
        /// The account.
        slot: String,
    },
}

/// How much the phone should hold, in bytes, or that there is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(pub Option<u64>);

impl FromStr for Quota {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (digits, unit) = match text.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']) {
            digits if digits.len() + 1 < text.len() => return Err("a number with at most one of K, M, G"),
            digits => (digits, text[digits.len()..].to_ascii_lowercase()),
        };
        let factor = match unit.as_str() {
            "k" => 1_000,
            "m" => 1_000_000,
            "g" => 1_000_000_000,
            _ => 1,
        };
        let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes.map(|bytes| Self(Some(bytes))).ok_or("a number of bytes, such as 500M or 2G, or none")
    }
}

/// See [`FieldCommand::Contact`].
#[derive(Args, Clone, Debug)]
pub struct ContactArgs {
    /// The order.
    pub order: String,
    /// All of it.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// A contact with the customer, or an attempt at one.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// How it went: reached, no_answer, visit_refused.
    #[arg(long, default_value = "reached")]
    pub outcome: ContactOutcome,
    /// The appointment's begin (RFC 3339, such as 2026-11-22T09:00:00+08:00).
    #[arg(long, requires = "until")]
    pub from: Option<Timestamp>,
    /// The appointment's end (RFC 3339).
    #[arg(long, requires = "from")]
    pub until: Option<Timestamp>,
    /// Why the customer was contacted in the hours of rest.
    #[arg(long, value_name = "REASON")]
    pub emergency: Option<String>,
    /// What was said.
    #[arg(long)]
    pub note: Option<String>,
}

impl ReportArgs {
    pub(super) fn appointment(&self) -> Option<TimeWindow> {
        self.from.zip(self.until).map(|(from, until)| TimeWindow { from, until })
    }
}

/// A place in WGS-84.
#[derive(Args, Clone, Copy, Debug)]
pub struct PlaceArgs {
    /// Latitude in degrees.
    #[arg(long, allow_negative_numbers = true)]
    pub lat: f64,
    /// Longitude in degrees.
    #[arg(long, allow_negative_numbers = true)]
    pub lon: f64,
    /// Accuracy in metres.
    #[arg(long)]
    pub accuracy: Option<u16>,
}

/// See [`PhoneCommand::Capture`].
#[derive(Args, Clone, Debug)]
pub struct CaptureArgs {
    /// The order.
    pub order: String,
    /// Whose network: china_mobile, china_unicom, china_telecom, china_broadnet.
    #[arg(long)]
    pub operator: Operator,
    /// An Android cellinfo log or a G-NetTrack CSV.
    pub log: PathBuf,
    /// Samples per second, for demonstrations; as fast as possible if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub pace: Option<u32>,
    /// Minutes that the log's local time is ahead of UTC; told by the log if absent.
    #[arg(long, allow_negative_numbers = true)]
    pub utc_offset: Option<i16>,
}

/// See [`FieldCommand::Finding`].
#[derive(Args, Clone, Debug)]
pub struct FindingArgs {
    /// The order.
    pub order: String,
    /// What was found.
    #[command(flatten)]
    pub findings: FindingFields,
}

/// What was found; what is not given was not said.
#[derive(Args, Clone, Debug)]
pub struct FindingFields {
    /// The customer's problem as found.
    #[arg(long)]
    pub problem: Option<String>,
    /// Which network generation suffers: 2g, 3g, 4g, 5g.
    #[arg(long)]
    pub generation: Option<NetworkGeneration>,
    /// Which service fails: voice, data, both.
    #[arg(long)]
    pub service: Option<AffectedService>,
    /// When it appears.
    #[arg(long)]
    pub occurs: Option<String>,
    /// The exact address of the test; the order's if it is never given.
    #[arg(long)]
    pub address: Option<String>,
    /// Latitude of the test in degrees.
    #[arg(long, allow_negative_numbers = true, requires = "lon")]
    pub lat: Option<f64>,
    /// Longitude of the test in degrees.
    #[arg(long, allow_negative_numbers = true, requires = "lat")]
    pub lon: Option<f64>,
    /// How the competitors cover the place.
    #[arg(long)]
    pub competitors: Option<String>,
    /// A site that serves the place; may be given again.
    #[arg(long, value_name = "SITE")]
    pub serving_site: Vec<String>,
    /// A planned site nearby; may be given again.
    #[arg(long, value_name = "SITE")]
    pub planned_site: Vec<String>,
    /// A resource of a competitor or the tower company that could be used; may be given again.
    #[arg(long, value_name = "RESOURCE")]
    pub shareable: Vec<String>,
    /// The customer's most pressing need.
    #[arg(long)]
    pub need: Option<String>,
    /// A direct contact was left with the customer.
    #[arg(long)]
    pub contact_left: bool,
    /// The customer was told that a revisit call may come.
    #[arg(long)]
    pub revisit_announced: bool,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// 是
    Yes,
    /// 否
    No,
}
