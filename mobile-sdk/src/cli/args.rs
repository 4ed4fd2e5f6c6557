//! The terminal phone's arguments.

use crate::import::Language;
use crate::store::StoreKey;
use callout_sync_protocol::commands::{AffectedService, ContactOutcome};
use callout_sync_protocol::operators::Operator;
use callout_sync_protocol::photos::PhotoPurpose;
use callout_sync_protocol::time::Timestamp;
use callout_sync_protocol::work_orders::NetworkGeneration;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

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

/// See [`FieldCommand::Contact`].
#[derive(Args, Clone, Debug)]
pub struct ContactArgs {
    /// The order.
    pub order: String,
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
