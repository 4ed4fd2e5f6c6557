//! Durable jobs: rows with an instant, leased by one of many servers, done at least once.
//!
//! A job's work is idempotent, since a server may die between the work and the note that it is done. Tests call
//! [`Jobs::run_due`] with a clock of their own; a server calls it in a loop. What does not belong here: rules.

use crate::app::App;
use crate::app::error::{AppError, AppResult};
use crate::app::events::{EventDraft, Subject};
use crate::photos::service::PhotoService;
use crate::workflow::revisits::{RevisitCommand, RevisitFacts, RevisitState, revisit_transition};
use callout_storage::Tx;
use callout_storage::jobs::Job;
use callout_sync_protocol::ids::{FieldTestId, RegionId, ReviewMeetingId, RevisitId};
use callout_sync_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A revisit's link ends.
pub const REVISIT_EXPIRE: &str = "revisit_expire";
/// A large test's samples are opened, to tell of their movement.
pub const FIELD_TEST_TRACKS: &str = "field_test_tracks";
/// The agenda of a resource review meeting is drawn up.
pub const REVIEW_AGENDA: &str = "review_agenda";
/// Tombstones, ended refresh tokens and abandoned uploads go.
pub const HOUSEKEEPING: &str = "housekeeping";

/// Every region's overview is due: clusters, supervision list, warnings.
pub const OVERVIEW_SWEEP: &str = "overview_sweep";
/// One region's overview.
pub const REGION_OVERVIEW: &str = "region_overview";
/// Marked complaints are counted anew.
pub const KPI_FOLD: &str = "kpi_fold";

/// What comes round by itself, on one row each, and how often in seconds.
const RECURRING: [(&str, i64); 3] =
    [(HOUSEKEEPING, HOUSEKEEPING_SECONDS), (OVERVIEW_SWEEP, OVERVIEW_SECONDS), (KPI_FOLD, KPI_FOLD_SECONDS)];

/// For how long a server may work on a job before another one takes it.
const LEASE_SECONDS: i64 = 120;
/// How many jobs are leased at once.
const BATCH: u32 = 20;
/// After so many failures a job is given up; its error stays on the row.
const MAX_ATTEMPTS: i64 = 12;
/// How often housekeeping comes round.
const HOUSEKEEPING_SECONDS: i64 = 3_600;
/// How often clusters are found and complaint types counted anew.
const OVERVIEW_SECONDS: i64 = 900;
/// How often marked complaints are counted; who reads figures counts, too.
const KPI_FOLD_SECONDS: i64 = 30;
/// For how long a phone that was away still learns what left its scope; a longer absence costs it a fresh start.
const TOMBSTONE_SECONDS: i64 = 60 * 24 * 3_600;
/// How often a server looks for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When to try a failed job again: a minute, doubling, an hour at most.
fn retry_at(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let doubled = 60i64.saturating_mul(1 << attempts.clamp(0, 6));
    (attempts < MAX_ATTEMPTS).then(|| now.plus_seconds(doubled.min(3_600)))
}

impl App {
    /// Enqueues a job in the transaction of what it belongs to.
    pub(crate) fn job_enqueue(
        &self,
        tx: &mut Tx,
        kind: &str,
        subject: impl Into<Uuid>,
        run_at: Timestamp,
        payload: Value,
    ) -> AppResult<()> {
        tx.job_insert(&Job::new(self.env.id(), kind, subject, run_at, payload, self.env.now()))?;
        Ok(())
    }

    /// Makes every region's overview due that is not due already.
    fn overview_sweep(&self) -> AppResult<()> {
        self.storage.write("overview_sweep", |tx| {
            for region in tx.region_ids()? {
                if !tx.job_is_waiting(REGION_OVERVIEW, region.into())? {
                    self.job_enqueue(tx, REGION_OVERVIEW, region, self.env.now(), Value::Null)?;
                }
            }
            Ok(())
        })
    }

    /// Ends a link that grew too old; the customer can still be called.
    fn revisit_expire(&self, id: RevisitId) -> AppResult<()> {
        let now = self.env.now();
        self.storage.write("revisit_expire", |tx| {
            let Some(order_id) = tx.revisit_by_id(id)?.map(|revisit| revisit.work_order_id) else { return Ok(()) };
            let order = tx.work_order_lock(order_id)?;
            let Some(mut revisit) = tx.revisit_by_id(id)? else { return Ok(()) };
            let state: RevisitState = revisit.state.parse().map_err(AppError::internal)?;
            let facts = RevisitFacts { now, created_at: revisit.created_at };
            let policy = self.policy(tx, order.and_then(|order| order.region_id))?;
            let after = revisit_transition(state, &RevisitCommand::Expire, &facts, &policy)?.state;
            if after == state {
                return Ok(());
            }
            revisit.state = after.as_str().into();
            revisit.token_hash = None;
            tx.revisit_update(&revisit)?;
            let draft = EventDraft::new(Subject::WorkOrder(order_id), "revisit_link_expired");
            self.event_append(tx, draft.detail(json!({ "revisit_id": id })))
        })
    }
}

/// Does jobs: one a server.
#[derive(Clone)]
pub struct Jobs {
    app: App,
    photos: Arc<PhotoService>,
}

impl Jobs {
    /// A runner over an application and its photos.
    pub fn new(app: App, photos: Arc<PhotoService>) -> Self {
        Self { app, photos }
    }

    /// Makes sure that what comes round is due at some time.
    pub fn prepare(&self) -> AppResult<()> {
        self.app.storage.write("jobs_prepare", |tx| {
            for (kind, _) in RECURRING {
                if !tx.job_is_waiting(kind, Uuid::nil())? {
                    self.app.job_enqueue(tx, kind, Uuid::nil(), self.app.env.now(), Value::Null)?;
                }
            }
            Ok(())
        })
    }

    /// Does what is due, and says how many jobs that were.
    ///
    /// # Errors
    /// When jobs cannot be claimed; a job that fails is noted on its row and comes again.
    pub async fn run_due(&self) -> AppResult<usize> {
        let owner = format!("{:016x}", u64::from_be_bytes(self.app.env.random()));
        let mut done = 0;
        loop {
            let app = self.app.clone();
            let claimed = {
                let owner = owner.clone();
                crate::http::blocking(move || {
                    let now = app.env.now();
                    app.storage.write("job_claim", |tx| {
                        Ok::<_, AppError>(tx.job_claim_due(now, now.plus_seconds(LEASE_SECONDS), &owner, BATCH)?)
                    })
                })
                .await?
            };
            if claimed.is_empty() {
                return Ok(done);
            }
            for job in claimed {
                let result = self.run(&job).await;
                let (jobs, owner) = (self.clone(), owner.clone());
                crate::http::blocking(move || jobs.settle(&job, &owner, result)).await?;
                done += 1;
            }
        }
    }

    async fn run(&self, job: &Job) -> AppResult<()> {
        let app = self.app.clone();
        match job.kind.as_str() {
            REVISIT_EXPIRE => {
                let id = RevisitId::from(job.subject_id);
                crate::http::blocking(move || app.revisit_expire(id)).await
            }
            FIELD_TEST_TRACKS => {
                let id = FieldTestId::from(job.subject_id);
                crate::http::blocking(move || app.field_test_tracks_compute(id)).await
            }
            REVIEW_AGENDA => {
                let id = ReviewMeetingId::from(job.subject_id);
                crate::http::blocking(move || app.review_agenda_draw(id)).await
            }
            HOUSEKEEPING => self.housekeep().await,
            OVERVIEW_SWEEP => crate::http::blocking(move || app.overview_sweep()).await,
            REGION_OVERVIEW => {
                let id = RegionId::from(job.subject_id);
                crate::http::blocking(move || app.region_overview(id)).await
            }
            KPI_FOLD => crate::http::blocking(move || app.kpi_fold_all()).await,
            other => Err(AppError::internal(format!("no such job: {other}"))),
        }
    }

    fn settle(&self, job: &Job, owner: &str, result: AppResult<()>) -> AppResult<()> {
        let now = self.app.env.now();
        let recurring = RECURRING.iter().find(|(kind, _)| *kind == job.kind);
        self.app.storage.write("job_settle", |tx| {
            match &result {
                Ok(()) => {
                    match recurring {
                        Some((_, seconds)) => tx.job_repeat(job.id, owner, now.plus_seconds(*seconds))?,
                        None => tx.job_finish(job.id, owner, now)?,
                    };
                }
                Err(error) => {
                    tracing::warn!(kind = job.kind, attempts = job.attempts, ?error, "a job failed");
                    // What comes round is never given up.
                    let again = retry_at(job.attempts, now).or(recurring.map(|_| now.plus_seconds(3_600)));
                    tx.job_fail(job.id, owner, &error.to_string(), again, now)?;
                }
            }
            Ok(())
        })
    }

    async fn housekeep(&self) -> AppResult<()> {
        let app = self.app.clone();
        crate::http::blocking(move || {
            let now = app.env.now();
            app.storage.write("housekeep", |tx| {
                tx.feed_compact(now.plus_seconds(-TOMBSTONE_SECONDS))?;
                tx.refresh_token_delete_expired(now)?;
                Ok(())
            })
        })
        .await?;
        self.photos.uploads_sweep().await.map_err(|failed| failed.error)?;
        Ok(())
    }

    /// Looks for due jobs until the task is dropped.
    pub async fn run_forever(self) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.run_due().await {
                tracing::warn!(?error, "jobs could not be claimed");
            }
        }
    }
}
