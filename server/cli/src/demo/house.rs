//! The demo's server, with everybody who works there: one account and one desk for each role.

use super::progress::Progress;
use crate::arguments::PHOTO_FOLDER;
use crate::desk::{Desk, DeskError, Http};
use crate::server::{self, Started};
use crate::{CommandError, CommandResult};
use callout_mobile_sdk::synthetic::city::CHENGWAN;
use callout_server::photos::store::PhotoStoreSettings;
use callout_server::settings::Settings;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use uuid::Uuid;

/// An account of the demo.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name to sign in with.
    pub user_name: String,
    /// Made up for this run only.
    pub password: String,
    /// What the account is.
    pub role: &'static str,
    /// Its id.
    pub id: Uuid,
}

/// The running server and its people.
pub struct House {
    server: Started,
    /// Everybody.
    pub accounts: Vec<Account>,
    /// The operator's order system, which pushes complaints in.
    pub eoms: Desk,
    /// Customer service.
    pub customer_service: Desk,
    /// T1.
    pub t1: Desk,
    /// The branch.
    pub t2: Desk,
    /// The regional lead.
    pub lead: Desk,
    /// Quality control.
    pub quality: Desk,
}

/// Role and name of everybody but the administrator.
const PEOPLE: [(&str, &str); 10] = [
    ("integration_client", "eoms"),
    ("customer_service_agent", "service"),
    ("t1_dispatcher", "t1"),
    ("t2_branch_desk", "t2"),
    ("regional_lead", "lead"),
    ("quality_control", "quality"),
    ("auditor", "auditor"),
    ("field_tester", "tester-1"),
    ("field_tester", "tester-2"),
    ("field_tester", "tester-3"),
];

/// A failed request of a desk, as the end of the demo.
pub fn desk_failed(error: DeskError) -> CommandError {
    CommandError::because("a desk", &error)
}

fn password_new() -> CommandResult<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| CommandError::new(format!("no randomness for passwords: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl House {
    /// Starts the server on an embedded database in `folder` and lets everybody in.
    ///
    /// # Errors
    /// When the server does not start, or refuses what it should not.
    pub fn open(folder: &Path, utc_offset_minutes: i16, progress: &Progress) -> CommandResult<Self> {
        let settings = Settings {
            metrics_listen: None,
            push: None,
            data_dir: folder.to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            database_url: None,
            database_pool: 8,
            photos: PhotoStoreSettings::Folder(folder.join(PHOTO_FOLDER)),
            workers: 2,
            public_url: None,
            is_behind_proxy: false,
        };
        let server = server::start(&settings)?;
        let http = Http::new(format!("http://{}", server.address()));
        progress.line(format!("server at {}, SQLite and photos in a temporary folder", http.base()));
        let (admin_name, admin_password) =
            server.first_user()?.ok_or_else(|| CommandError::new("a fresh database has users already"))?;
        let admin = Desk::sign_in(&http, &admin_name, &admin_password).map_err(desk_failed)?;
        let mut regions = Vec::new();
        for district in CHENGWAN.districts {
            let name = format!("{} {}", district.name_zh, district.name_en);
            let region = admin.region_create(&name, utc_offset_minutes, &district.polygon()).map_err(desk_failed)?;
            regions.push(region);
        }
        progress.line(format!("{} {}: {} regions", CHENGWAN.name_zh, CHENGWAN.name_en, regions.len()));
        let mut accounts =
            vec![Account { user_name: admin_name, password: admin_password, role: "administrator", id: admin.user_id }];
        for (role, name) in PEOPLE {
            let password = password_new()?;
            let user = admin.user_create(name, &password, &[role], Some(&regions)).map_err(desk_failed)?;
            accounts.push(Account { user_name: name.to_owned(), password, role, id: user.id });
        }
        progress.line(format!("{} accounts, one for each role and three testers", accounts.len()));
        let desk = |name: &str| {
            let account = account_of(&accounts, name)?;
            Desk::sign_in(&http, &account.user_name, &account.password).map_err(desk_failed)
        };
        Ok(Self {
            eoms: desk("eoms")?,
            customer_service: desk("service")?,
            t1: desk("t1")?,
            t2: desk("t2")?,
            lead: desk("lead")?,
            quality: desk("quality")?,
            accounts,
            server,
        })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// An account by its name.
    ///
    /// # Errors
    /// When nobody is called so.
    pub fn account(&self, name: &str) -> CommandResult<&Account> {
        account_of(&self.accounts, name)
    }

    /// Stops the server.
    ///
    /// # Errors
    /// When it ends badly.
    pub fn close(self) -> CommandResult {
        self.server.stop()
    }
}

fn account_of<'a>(accounts: &'a [Account], name: &str) -> CommandResult<&'a Account> {
    accounts
        .iter()
        .find(|account| account.user_name == name)
        .ok_or_else(|| CommandError::new(format!("nobody is called {name}")))
}
