//! The command line: every setting as a flag and as an environment variable `CALLOUT_…`. Secrets only by environment or standard
//! input, since a process's arguments are visible to everyone on its machine.

use crate::{CommandError, CommandResult};
use callout_mobile_sdk::cli::PhoneArgs;
use callout_server::app::pushes::PushSettings;
use callout_server::photos::store::{PhotoStoreSettings, S3Settings, Secret};
use callout_server::settings::Settings;
use clap::parser::ValueSource;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Field work orders for network complaints. 网络投诉现场工单后台。
#[derive(Debug, Parser)]
#[command(name = "callout", version, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server. 启动服务。
    Serve(ServeArguments),
    /// Play the whole story with real parts on a temporary database, and check that nothing was lost. 完整演示并校验。
    Demo(DemoArguments),
    /// Bring the database to this version's schema. 升级数据库结构。
    Migrate(StoreArguments),
    /// Print the OpenAPI document. 输出 OpenAPI 文档。
    Openapi(OpenapiArguments),
    /// Administration on the server's machine. 本机管理命令。
    #[command(subcommand)]
    Admin(AdminCommand),
    /// The terminal phone: the same program as `phone`. 终端手机，同 `phone` 程序。
    Phone(PhoneArgs),
}

/// Which database.
#[derive(Args, Clone, Debug)]
pub struct StoreArguments {
    /// Folder of the embedded database and the photos; made if absent. 数据目录。
    #[arg(long, env = "CALLOUT_DATA_DIR", default_value = "./callout-data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// PostgreSQL instead of the embedded database: postgres://user@host:port/database. Give a password by this variable or PGPASSWORD.
    /// 使用 PostgreSQL；口令请用环境变量传递。
    #[arg(long, env = "CALLOUT_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Connections to PostgreSQL. 数据库连接数。
    #[arg(long, env = "CALLOUT_DATABASE_POOL", default_value_t = 8, value_name = "N")]
    pub database_pool: u32,
}

/// Photos in S3-compatible object storage instead of the data folder.
#[derive(Args, Clone, Debug)]
pub struct PhotoArguments {
    /// The bucket; photos go to S3-compatible storage when it is given. The secret key comes from CALLOUT_S3_SECRET_ACCESS_KEY.
    /// 照片存入 S3 兼容存储的桶；密钥用环境变量 CALLOUT_S3_SECRET_ACCESS_KEY。
    #[arg(long, env = "CALLOUT_S3_BUCKET", value_name = "NAME")]
    pub photos_s3_bucket: Option<String>,
    /// The storage's address; absent for Amazon's own. 存储地址。
    #[arg(long, env = "CALLOUT_S3_ENDPOINT", value_name = "URL")]
    pub photos_s3_endpoint: Option<String>,
    /// The storage's region. 存储区域。
    #[arg(long, env = "CALLOUT_S3_REGION", default_value = "cn-north-1", value_name = "NAME")]
    pub photos_s3_region: String,
    /// The access key's id. 访问密钥 ID。
    #[arg(long, env = "CALLOUT_S3_ACCESS_KEY_ID", value_name = "ID")]
    pub photos_s3_access_key_id: Option<String>,
    /// The bucket stands in the path, as with most self-hosted storage. 桶名在路径中。
    #[arg(long, env = "CALLOUT_S3_PATH_STYLE")]
    pub photos_s3_path_style: bool,
}

/// `callout serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArguments {
    /// Which database.
    #[command(flatten)]
    pub store: StoreArguments,
    /// Where photos rest.
    #[command(flatten)]
    pub photos: PhotoArguments,
    /// Address and port to listen on; port 0 takes a free one. 监听地址。
    #[arg(long, env = "CALLOUT_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where customers and phones reach this server, such as https://callout.example.cn. 对外网址。
    #[arg(long, env = "CALLOUT_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// A proxy stands before this server and appends the sender's address to X-Forwarded-For; rates are then counted by that address.
    /// Never set it when strangers can reach the server directly. 位于反向代理之后。
    #[arg(long, env = "CALLOUT_BEHIND_PROXY")]
    pub behind_proxy: bool,
    /// Address and port where Prometheus finds /metrics; off unless given. Whoever reaches it reads it: keep it inside.
    /// 指标监听地址，默认关闭；仅限内网。
    #[arg(long, env = "CALLOUT_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// The operator's push service, told by signed calls that something waits for a tester. The secret comes from
    /// CALLOUT_PUSH_SECRET. 运营商推送服务地址；密钥用环境变量 CALLOUT_PUSH_SECRET。
    #[arg(long, env = "CALLOUT_PUSH_URL", hide_env_values = true, value_name = "URL")]
    pub push_url: Option<String>,
    /// HTTP worker threads; 0 takes one a core. 工作线程数。
    #[arg(long, env = "CALLOUT_WORKERS", default_value_t = 0, value_name = "N")]
    pub workers: usize,
    /// Log lines as JSON. 以 JSON 输出日志。
    #[arg(long, env = "CALLOUT_LOG_JSON")]
    pub log_json: bool,
}

/// `callout demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArguments {
    /// Decides people, places and samples. 随机种子。
    #[arg(long, default_value_t = 20_261_121, value_name = "N")]
    pub seed: u64,
    /// A folder of three logs, one per operator; by name: China Mobile, China Unicom, China Telecom. 三份真实日志的目录。
    #[arg(long, value_name = "DIR")]
    pub walk: Option<PathBuf>,
    /// Print one JSON object on standard output; the progress goes to standard error. 输出 JSON。
    #[arg(long)]
    pub json: bool,
    /// Leave the server running afterwards. 结束后保持服务运行。
    #[arg(long)]
    pub serve: bool,
}

/// `callout openapi`.
#[derive(Args, Clone, Debug)]
pub struct OpenapiArguments {
    /// Compare with this file instead of printing; fails when they differ. 与文件比较。
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

/// `callout admin …`: on the machine of the server, over the database itself.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Add a user; the password is read from standard input, or generated and printed once. 新增用户。
    UserAdd {
        /// Which database.
        #[command(flatten)]
        store: StoreArguments,
        /// The name to sign in with. 用户名。
        name: String,
        /// The name that people read. 显示名。
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// A role, such as t1_dispatcher; more than once for several. 角色。
        #[arg(long = "role", required = true, value_name = "ROLE")]
        roles: Vec<String>,
        /// A region's id; more than once for several. 区域 ID。
        #[arg(long = "region", value_name = "ID")]
        regions: Vec<String>,
        /// All regions, now and later. 全部区域。
        #[arg(long)]
        all_regions: bool,
        /// Read the password from the first line of standard input. 从标准输入读取口令。
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a user's password; ends all of the user's sessions. 重置口令。
    Password {
        /// Which database.
        #[command(flatten)]
        store: StoreArguments,
        /// The user. 用户名。
        name: String,
        /// Read the password from the first line of standard input; otherwise one is generated and printed once. 从标准输入读取口令。
        #[arg(long)]
        password_stdin: bool,
    },
    /// Put a new key in force that signs access tokens; the old ones stay valid until they end. 轮换签名密钥。
    RotateKeys {
        /// Which database.
        #[command(flatten)]
        store: StoreArguments,
    },
    /// The audit trail. 审计。
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The figures. 统计指标。
    #[command(subcommand)]
    Kpi(KpiCommand),
}

/// `callout admin kpi …`.
#[derive(Clone, Debug, Subcommand)]
pub enum KpiCommand {
    /// Count all figures anew from what is on record; the server may run meanwhile. 重新统计全部指标。
    Rebuild {
        /// Which database.
        #[command(flatten)]
        store: StoreArguments,
    },
}

/// `callout admin audit …`.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Recompute the hash chain of every subject and all anchors; fails when an event was changed, removed or written anew.
    /// 校验审计链与锚点。
    Verify {
        /// An anchor that was kept elsewhere, as `NUMBER:HASH`; it must still be there. 另行保存的锚点。
        #[arg(long, value_name = "NUMBER:HASH")]
        anchor: Option<String>,
        /// Which database.
        #[command(flatten)]
        store: StoreArguments,
    },
}

/// The environment variable with the secret of the object storage's key.
pub const S3_SECRET_VARIABLE: &str = "CALLOUT_S3_SECRET_ACCESS_KEY";

/// The environment variable with the secret that signs pushes: `whsec_` and 24 to 64 bytes in base64.
pub const PUSH_SECRET_VARIABLE: &str = "CALLOUT_PUSH_SECRET";

/// The photos' folder inside the data folder.
pub const PHOTO_FOLDER: &str = "photos";

impl PhotoArguments {
    fn settings(&self, data_dir: &Path) -> CommandResult<PhotoStoreSettings> {
        let Some(bucket) = &self.photos_s3_bucket else {
            return Ok(PhotoStoreSettings::Folder(data_dir.join(PHOTO_FOLDER)));
        };
        let access_key_id = self
            .photos_s3_access_key_id
            .clone()
            .ok_or_else(|| CommandError::new("--photos-s3-bucket needs --photos-s3-access-key-id"))?;
        let secret = std::env::var(S3_SECRET_VARIABLE).map_err(|_| {
            CommandError::new(format!("--photos-s3-bucket needs {S3_SECRET_VARIABLE} in the environment"))
        })?;
        Ok(PhotoStoreSettings::S3(S3Settings {
            endpoint: self.photos_s3_endpoint.clone(),
            bucket: bucket.clone(),
            region: self.photos_s3_region.clone(),
            access_key_id,
            secret_access_key: Secret::new(secret),
            path_style: self.photos_s3_path_style,
        }))
    }
}

impl ServeArguments {
    /// As the server takes them.
    ///
    /// # Errors
    /// When settings that belong together are not.
    pub fn settings(&self) -> CommandResult<Settings> {
        Ok(Settings {
            data_dir: self.store.data_dir.clone(),
            listen: self.listen,
            database_url: self.store.database_url.clone(),
            database_pool: self.store.database_pool,
            photos: self.photos.settings(&self.store.data_dir)?,
            workers: self.workers,
            public_url: self.public_url.clone(),
            is_behind_proxy: self.behind_proxy,
            metrics_listen: self.metrics_listen,
            push: self.push()?,
        })
    }

    fn push(&self) -> CommandResult<Option<PushSettings>> {
        let Some(url) = self.push_url.clone() else { return Ok(None) };
        let secret = std::env::var(PUSH_SECRET_VARIABLE)
            .map_err(|_| CommandError::new(format!("--push-url needs {PUSH_SECRET_VARIABLE} in the environment")))?;
        Ok(Some(PushSettings { url, secret: Secret::new(secret) }))
    }
}

/// Tells whoever typed a password into a command line that others can read it there.
pub fn warn_of_visible_secrets(matches: &clap::ArgMatches) {
    let mut level = Some(matches);
    while let Some(matches) = level {
        // Not every command has the argument; asking for an unknown one would panic.
        let has_argument = matches.try_contains_id("database_url").unwrap_or(false);
        if has_argument
            && matches.value_source("database_url") == Some(ValueSource::CommandLine)
            && matches.get_one::<String>("database_url").is_some_and(|url| url_has_password(url))
        {
            eprintln!(
                "callout: the password in --database-url is visible in the process list; use CALLOUT_DATABASE_URL or PGPASSWORD\n\
                 命令行中的口令对本机其他用户可见，请改用环境变量 CALLOUT_DATABASE_URL 或 PGPASSWORD"
            );
        }
        level = matches.subcommand().map(|(_, inner)| inner);
    }
}

fn url_has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) || url.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_password_in_a_url_is_seen() {
        for url in ["postgres://u:p@h/d", "postgres://u@h/d?password=p", "postgresql://u:p@h:5432/d?x=y"] {
            assert!(url_has_password(url), "{url}");
        }
        for url in ["postgres://u@h:5432/d", "postgres://h:5432/d", "postgres:///d?host=/run"] {
            assert!(!url_has_password(url), "{url}");
        }
    }

    #[test]
    fn the_phone_is_the_phones_own_program() {
        let parsed = Arguments::parse_from(["callout", "phone", "--json", "--offline", "status"]);
        let Command::Phone(phone) = parsed.command else { panic!("{parsed:?}") };
        assert!(phone.json && phone.offline);
    }

    #[test]
    fn half_the_settings_of_object_storage_are_refused() {
        let parsed = Arguments::parse_from(["callout", "serve", "--photos-s3-bucket", "b"]);
        let Command::Serve(serve) = parsed.command else { panic!("{parsed:?}") };
        assert!(serve.settings().is_err());
    }
}
