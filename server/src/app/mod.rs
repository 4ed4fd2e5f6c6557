//! The application layer: authorise, load, decide, save, enqueue. One function, one unit of work, one write transaction.
//!
//! What does not belong here: HTTP, SQL, and rules (those are in `workflow` and `sync_protocol::field_workflow`).

pub mod access;
pub mod administration;
pub mod admission;
pub mod appointments;
pub mod appraisal_marks;
pub mod audit;
pub mod branch_questions;
pub mod build_demands;
pub mod candidates;
pub mod cases;
pub mod chases;
pub mod clocks;
pub mod complaints;
pub mod customer_questions;
pub mod dispatches;
pub mod erasures;
pub mod error;
pub mod escalations;
pub mod events;
mod field_test_tracks;
pub mod field_tests;
pub mod follow_ups;
pub mod handoffs;
pub mod intake_effects;
pub mod intakes;
pub mod key_accounts;
mod kpi_facts;
pub mod kpis;
pub mod ladder_steps;
pub mod major_cases;
mod notices;
pub mod passwords;
pub mod photos;
pub mod policies;
pub mod pushes;
pub mod quarantine;
pub mod refusals;
pub mod regions;
pub mod relations;
pub mod replies;
pub mod review_meetings;
pub mod reviews;
pub mod revisits;
pub mod sessions;
pub mod similar_complaints;
pub mod sites;
pub mod supervision;
pub mod sync;
pub mod sync_admission;
pub mod tokens;
pub mod tracking_tickets;
pub mod user_profiles;
pub mod users;
pub mod wake_ups;
pub mod warnings;
pub mod weekly_reports;
pub mod work_orders;

use crate::env::Env;
use crate::metrics::{Metrics, Standing};
use access::Caller;
use callout_storage::{Storage, StorageError};
use callout_sync_protocol::problem::ProblemType;
use callout_sync_protocol::time::Timestamp;
use error::{AppError, AppResult};
use passwords::PasswordCost;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tokens::{SigningKey, TokenKeys};

/// What can be set for the application.
#[derive(Clone, Debug, Default)]
pub struct AppConfig {
    /// How hard password hashing is.
    pub password_cost: PasswordCost,
    /// Where customers reach this server; one-time links begin with it.
    pub public_url: String,
    /// How often a server looks for what it has to tell those who listen.
    pub look_every: wake_ups::LookEvery,
    /// The operator's push service; without one, phones hear by listening and by syncing now and then.
    pub push: Option<pushes::PushTarget>,
    /// Syncs that work at the same time; as many as the database can take where it is not said.
    pub sync_slots: Option<usize>,
    /// A proxy of ours stands before every server and appends the sender's address to `X-Forwarded-For`.
    pub is_behind_proxy: bool,
    /// Up to so many samples of a test are opened while somebody waits, a larger one by a job; a million unless set.
    pub max_opened_samples: Option<u64>,
}

/// The application: stateless but for caches, so that several run side by side on one PostgreSQL.
#[derive(Clone)]
pub struct App {
    pub(crate) storage: Storage,
    /// Time and chance.
    pub env: Env,
    pub(crate) config: Arc<AppConfig>,
    keys: Arc<RwLock<Arc<TokenKeys>>>,
    decoy: Arc<OnceLock<String>>,
    admission: Arc<admission::Admission>,
    wake_ups: Arc<wake_ups::WakeUps>,
    sync_admission: Arc<sync_admission::SyncAdmission>,
    keys_loaded_at: Arc<Mutex<Timestamp>>,
    metrics: Arc<Metrics>,
}

impl From<StorageError> for AppError {
    fn from(error: StorageError) -> Self {
        let later = "the fault is logged; please try again later";
        let (problem, detail, retry) = match &error {
            StorageError::NotFound { what } => (ProblemType::NotFound, format!("there is no such {what}"), None),
            StorageError::UniqueViolation { .. } => (ProblemType::AlreadyExists, "it exists already".into(), None),
            StorageError::Conflict { what } => {
                (ProblemType::VersionConflict, format!("the {what} was changed meanwhile; load it again"), None)
            }
            StorageError::MissingReference { .. } => {
                (ProblemType::InvalidField, "it names something that does not exist".into(), None)
            }
            StorageError::Unstorable { problem } => (ProblemType::InvalidField, problem.clone(), None),
            StorageError::Unavailable { .. } => {
                (ProblemType::Unavailable, "the database does not answer in time".into(), Some(2))
            }
            StorageError::Corrupt { .. } | StorageError::SchemaNewer { .. } | StorageError::Internal { .. } => {
                (ProblemType::Internal, later.into(), None)
            }
        };
        Self { problem, detail, retry_after_seconds: retry, cause: Some(Box::new(error)) }
    }
}

impl App {
    /// An application over a migrated storage. Makes the first signing key if there is none.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub fn new(storage: Storage, env: Env, config: AppConfig) -> AppResult<Self> {
        let keys = Self::keys_load(&storage, &env)?;
        let now = env.now();
        let sync_admission = sync_admission::SyncAdmission::new(&storage, config.sync_slots);
        Ok(Self {
            storage,
            env,
            config: Arc::new(config),
            keys: Arc::new(RwLock::new(Arc::new(keys))),
            decoy: Arc::default(),
            admission: Arc::default(),
            wake_ups: Arc::default(),
            sync_admission: Arc::new(sync_admission),
            keys_loaded_at: Arc::new(Mutex::new(now)),
            metrics: Arc::default(),
        })
    }

    /// Whether `X-Forwarded-For` is our own proxy's word.
    pub fn is_behind_proxy(&self) -> bool {
        self.config.is_behind_proxy
    }

    /// What this server counts about itself.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How things stand just now, for a scrape. What the database does not tell is left out.
    pub fn standing(&self) -> Standing {
        let now = self.env.now();
        let jobs = self.storage.read("metrics_jobs", |tx| Ok::<_, AppError>(tx.job_backlog(now)?));
        let admission = &self.sync_admission;
        Standing {
            now,
            backend: self.storage.backend().as_str(),
            storage: self.storage.figures(),
            jobs: jobs.ok(),
            listeners: self.wake_ups.listener_count(),
            sync_waiting: admission.waiting(),
            sync_slots: admission.slot_count(),
            sync_working: admission.working(),
            sync_held_bytes: admission.held_bytes(),
        }
    }

    /// Whether the database answers.
    pub fn health_check(&self) -> AppResult<()> {
        Ok(self.storage.ping()?)
    }

    fn keys_load(storage: &Storage, env: &Env) -> AppResult<TokenKeys> {
        let now = env.now();
        let mut keys = storage.write("signing_keys_load", |tx| {
            let mut keys = tx.signing_key_list(now)?;
            if keys.iter().all(|key| key.retire_at.is_some()) {
                let first = Self::key_new(env, now);
                tx.signing_key_insert(&first)?;
                keys.push(first);
            }
            Ok::<_, AppError>(keys)
        })?;
        // The newest that is not retired signs.
        keys.sort_by_key(|key| (key.retire_at.is_none(), key.created_at));
        let current = keys.pop().ok_or_else(|| AppError::internal("no signing key"))?;
        let older = keys.into_iter().filter(|key| key.retire_at.is_none_or(|at| at > now));
        let plain = |key: callout_storage::signing_keys::SigningKey| SigningKey { id: key.id, secret: key.secret };
        Ok(TokenKeys::new(plain(current), older.map(plain).collect()))
    }

    fn key_new(env: &Env, now: Timestamp) -> callout_storage::signing_keys::SigningKey {
        let id: [u8; 8] = env.random();
        callout_storage::signing_keys::SigningKey {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            secret: env.random::<32>().to_vec(),
            created_at: now,
            retire_at: None,
        }
    }

    fn keys(&self) -> Arc<TokenKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the database again, though not more than once a second: anybody can write a key id into a token.
    fn keys_refresh(&self) -> AppResult<Arc<TokenKeys>> {
        let now = self.env.now();
        {
            let mut loaded_at = self.keys_loaded_at.lock().unwrap_or_else(PoisonError::into_inner);
            if now < loaded_at.plus_seconds(1) && now >= *loaded_at {
                return Ok(self.keys());
            }
            *loaded_at = now;
        }
        self.keys_reload()
    }

    fn keys_reload(&self) -> AppResult<Arc<TokenKeys>> {
        let keys = Arc::new(Self::keys_load(&self.storage, &self.env)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        Ok(keys)
    }

    /// Puts a new signing key in force; tokens of the old ones are good until they end.
    pub fn signing_key_rotate(&self) -> AppResult<String> {
        let now = self.env.now();
        let key = Self::key_new(&self.env, now);
        self.storage.write("signing_key_rotate", |tx| {
            for old in tx.signing_key_list(now)?.iter().filter(|old| old.retire_at.is_none()) {
                tx.signing_key_retire(&old.id, now.plus_seconds(2 * tokens::ACCESS_TOKEN_SECONDS))?;
            }
            tx.signing_key_insert(&key)?;
            Ok::<_, AppError>(())
        })?;
        self.keys_reload()?;
        Ok(key.id)
    }

    pub(crate) fn token_issue(&self, caller: &Caller, now: Timestamp) -> AppResult<(String, Timestamp)> {
        self.keys().issue(caller, now)
    }

    /// When an access token, which the guard has just verified, ends.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn token_expires_at(&self, token: &str) -> AppResult<Timestamp> {
        self.keys().expires_at(token, self.env.now())
    }

    /// Verifies an access token; asks the database only when the token names a key that is new to this server.
    pub async fn token_verify(&self, token: String) -> AppResult<Caller> {
        let now = self.env.now();
        let keys = self.keys();
        match TokenKeys::key_id_of(&token) {
            Some(id) if !keys.knows(&id) && is_key_id(&id) => {
                let app = self.clone();
                let keys = crate::http::blocking(move || app.keys_refresh()).await?;
                keys.verify(&token, now)
            }
            _ => keys.verify(&token, now),
        }
    }
}

/// Whether the text has the form of our key ids; anything else is not worth a look into the database.
fn is_key_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
