//! Durable jobs: rows with an instant, leased by one of many servers, done at least once.
//!
//! A job's work is idempotent, since a server may die between the work and the note that it is done. Tests call
//! [`Jobs::run_due`] with a clock of their own; a server calls it in a loop. What does not belong here: rules.

use crate::app::App;
use crate::app::clocks::{CLOCK_BACK_FILL, CLOCK_CHECK, CLOCK_RECKON};
use crate::app::erasures::ErasedObjects;
use crate::app::error::{AppError, AppResult};
use crate::app::events::{EventDraft, Subject};
use crate::app::pushes::{PUSH, PushEnd};
use crate::photos::service::PhotoService;
use crate::workflow::revisits::{RevisitCommand, RevisitFacts, RevisitState, revisit_transition};
use callout_storage::Tx;
use callout_storage::jobs::{Job, JobKinds};
use callout_sync_protocol::ids::{ClockId, FieldTestId, MajorCaseId, RegionId, ReviewMeetingId, RevisitId, UserId};
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
/// Those answerable for a major complaint are told again that it is open (R-CLASS-2).
pub const MAJOR_REMIND: &str = "major_remind";
/// The cells that an approved test measured are noted for later complaints (R-INTAKE-7).
pub const SERVING_CELLS: &str = "serving_cells";
/// Complaints from before intakes were kept get theirs.
pub const INTAKE_BACKFILL: &str = "intake_backfill";
/// What the back-fill's jobs are about: it is one.
pub(crate) const INTAKE_BACKFILL_SUBJECT: Uuid = Uuid::from_u128(0x1_0004);
/// Tombstones, ended refresh tokens, jobs done long ago and abandoned uploads go.
pub const HOUSEKEEPING: &str = "housekeeping";
/// What happened since the last anchor gets its own (R-AUDIT-1).
pub const AUDIT_ANCHOR: &str = "audit_anchor";
/// Customers whose data was kept long enough are erased (R-PRIVACY-1).
pub const RETENTION: &str = "retention";
/// The bytes of erased photos go.
pub const ERASED_OBJECTS_DELETE: &str = "erased_objects_delete";

/// Every region's overview is due: clusters, supervision list, warnings.
pub const OVERVIEW_SWEEP: &str = "overview_sweep";
/// One region's overview.
pub const REGION_OVERVIEW: &str = "region_overview";
/// Marked complaints are counted anew.
pub const KPI_FOLD: &str = "kpi_fold";

/// What comes round by itself, on one row each, and how often in seconds.
const RECURRING: [(&str, i64); 5] = [
    (HOUSEKEEPING, HOUSEKEEPING_SECONDS),
    (OVERVIEW_SWEEP, OVERVIEW_SECONDS),
    (KPI_FOLD, KPI_FOLD_SECONDS),
    (AUDIT_ANCHOR, AUDIT_ANCHOR_SECONDS),
    (RETENTION, RETENTION_SECONDS),
];

/// For how long a server may work on a job before another one takes it.
const LEASE_SECONDS: i64 = 120;
/// How many jobs are leased at once.
const BATCH: u32 = 20;
/// How many pushes are under way at once: one that does not answer holds up few.
const PUSH_BATCH: u32 = 32;
/// After so many failures a job is given up; its error stays on the row.
const MAX_ATTEMPTS: i64 = 12;
/// How often housekeeping comes round.
const HOUSEKEEPING_SECONDS: i64 = 3_600;
/// For how long a job that was done is kept, for whoever asks what happened.
const FINISHED_JOB_SECONDS: i64 = 30 * 86_400;
/// How often clusters are found and complaint types counted anew.
const OVERVIEW_SECONDS: i64 = 900;
/// How often marked complaints are counted; who reads figures counts, too.
const KPI_FOLD_SECONDS: i64 = 30;
/// How often the trail is anchored.
const AUDIT_ANCHOR_SECONDS: i64 = 3_600;
/// How long after an instant everything that happened before it is surely committed: far longer than any unit of work may take,
/// and than servers' clocks may differ.
const AUDIT_ANCHOR_GRACE_SECONDS: i64 = 600;
/// So many events make one anchor at most; a database that was never anchored gets many.
const AUDIT_ANCHOR_EVENTS: u64 = 50_000;
/// How often it is looked whose data was kept long enough.
const RETENTION_SECONDS: i64 = 24 * 3_600;
/// For how long a phone that was away still learns what left its scope; a longer absence costs it a fresh start.
const TOMBSTONE_SECONDS: i64 = 60 * 24 * 3_600;
/// How often a server looks for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When to try a failed job again: a minute, doubling, an hour at most.
fn retry_at(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let doubled = 60i64.saturating_mul(1 << attempts.clamp(0, 6));
    (attempts < MAX_ATTEMPTS).then(|| now.plus_seconds(doubled.min(3_600)))
}

/// When to try a failed push again: five seconds, doubling, ten minutes at most; later than after an hour, a phone has synced by
/// itself.
fn push_again_at(attempts: i64, after_seconds: Option<i64>, now: Timestamp) -> Option<Timestamp> {
    let doubled = (5i64 << (attempts - 1).clamp(0, 7)).min(600);
    (attempts < MAX_ATTEMPTS).then(|| now.plus_seconds(doubled.max(after_seconds.unwrap_or(0))))
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

    /// Anchors what happened until shortly before now.
    pub(crate) fn audit_anchors_make(&self) -> AppResult<()> {
        let now = self.env.now();
        let until = now.plus_seconds(-AUDIT_ANCHOR_GRACE_SECONDS);
        let make = |tx: &mut Tx| Ok::<_, AppError>(tx.audit_anchor_append(until, AUDIT_ANCHOR_EVENTS, now)?);
        while let Some(anchor) = self.storage.write("audit_anchor_append", make)? {
            // Into the log, which is kept elsewhere: who writes the database anew does not reach it there.
            let hash: String = anchor.hash.iter().map(|byte| format!("{byte:02x}")).collect();
            tracing::info!(number = anchor.number, events = anchor.event_count, hash, "the audit trail is anchored");
        }
        Ok(())
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

    /// Makes sure that what comes round is due at some time, and that old complaints get their clocks and intakes.
    pub fn prepare(&self) -> AppResult<()> {
        self.app.storage.write("jobs_prepare", |tx| {
            self.app.clocks_prepare(tx)?;
            self.app.intake_backfill_prepare(tx)?;
            for (kind, _) in RECURRING {
                if !tx.job_is_waiting(kind, Uuid::nil())? {
                    self.app.job_enqueue(tx, kind, Uuid::nil(), self.app.env.now(), Value::Null)?;
                }
            }
            Ok(())
        })
    }

    /// Does what is due, pushes last, and says how many jobs that were.
    ///
    /// # Errors
    /// When jobs cannot be claimed; a job that fails is noted on its row and comes again.
    pub async fn run_due(&self) -> AppResult<usize> {
        Ok(self.run_due_but_pushes().await? + self.run_due_pushes().await?)
    }

    /// Does what is due but pushes, for which the others do not wait.
    ///
    /// # Errors
    /// When jobs cannot be claimed; a job that fails is noted on its row and comes again.
    async fn run_due_but_pushes(&self) -> AppResult<usize> {
        let owner = format!("{:016x}", u64::from_be_bytes(self.app.env.random()));
        let mut done = 0;
        loop {
            let app = self.app.clone();
            let claimed = {
                let owner = owner.clone();
                crate::http::blocking(move || {
                    let now = app.env.now();
                    app.storage.write("job_claim", |tx| {
                        let (kinds, until) = (JobKinds::AllBut(PUSH), now.plus_seconds(LEASE_SECONDS));
                        Ok::<_, AppError>(tx.job_claim_due_of(kinds, now, until, &owner, BATCH)?)
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

    /// Sends the pushes that are due, some at a time. A server without a push service leaves them to those that have one.
    async fn run_due_pushes(&self) -> AppResult<usize> {
        if !self.app.pushes() {
            return Ok(0);
        }
        let owner = format!("{:016x}", u64::from_be_bytes(self.app.env.random()));
        let mut done = 0;
        loop {
            let (app, claimant) = (self.app.clone(), owner.clone());
            let claimed = crate::http::blocking(move || {
                let now = app.env.now();
                app.storage.write("push_claim", |tx| {
                    let (kinds, until) = (JobKinds::Only(PUSH), now.plus_seconds(LEASE_SECONDS));
                    Ok::<_, AppError>(tx.job_claim_due_of(kinds, now, until, &claimant, PUSH_BATCH)?)
                })
            })
            .await?;
            if claimed.is_empty() {
                return Ok(done);
            }
            done += claimed.len();
            let sent = futures_util::future::join_all(claimed.into_iter().map(async |job| {
                let end = self.app.push_send(job.id, UserId::from(job.subject_id)).await;
                (job, end)
            }));
            let (app, sent) = (self.app.clone(), sent.await);
            let owner = owner.clone();
            crate::http::blocking(move || {
                sent.into_iter().try_for_each(|(job, end)| push_settle(&app, &job, &owner, end))
            })
            .await?;
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
            CLOCK_CHECK => {
                let id = ClockId::from(job.subject_id);
                crate::http::blocking(move || app.clock_check(id)).await
            }
            CLOCK_RECKON => {
                let (subject, payload) = (job.subject_id, job.payload.clone());
                crate::http::blocking(move || app.clocks_reckon(subject, &payload)).await
            }
            CLOCK_BACK_FILL => {
                let payload = job.payload.clone();
                crate::http::blocking(move || app.clocks_back_fill(&payload)).await
            }
            SERVING_CELLS => {
                let id = FieldTestId::from(job.subject_id);
                crate::http::blocking(move || app.serving_cells_note(id)).await
            }
            INTAKE_BACKFILL => crate::http::blocking(move || app.intake_backfill()).await,
            MAJOR_REMIND => {
                let id = MajorCaseId::from(job.subject_id);
                crate::http::blocking(move || app.major_remind(id)).await
            }
            HOUSEKEEPING => self.housekeep().await,
            OVERVIEW_SWEEP => crate::http::blocking(move || app.overview_sweep()).await,
            REGION_OVERVIEW => {
                let id = RegionId::from(job.subject_id);
                crate::http::blocking(move || app.region_overview(id)).await
            }
            KPI_FOLD => crate::http::blocking(move || app.kpi_fold_all()).await,
            AUDIT_ANCHOR => crate::http::blocking(move || app.audit_anchors_make()).await,
            RETENTION => self.retention().await,
            ERASED_OBJECTS_DELETE => self.erased_objects_delete(&job.payload).await,
            other => Err(AppError::internal(format!("no such job: {other}"))),
        }
    }

    fn settle(&self, job: &Job, owner: &str, result: AppResult<()>) -> AppResult<()> {
        let now = self.app.env.now();
        let is_recurring = RECURRING.iter().any(|(kind, _)| *kind == job.kind);
        self.app.metrics().job(
            &job.kind,
            match &result {
                Ok(()) => "done",
                Err(_) if is_recurring || retry_at(job.attempts, now).is_some() => "failed",
                Err(_) => "given_up",
            },
        );
        self.app.storage.write("job_settle", |tx| {
            let recurring = RECURRING.iter().find(|(kind, _)| *kind == job.kind);
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

    async fn retention(&self) -> AppResult<()> {
        loop {
            let app = self.app.clone();
            if !crate::http::blocking(move || app.retention_run()).await? {
                return Ok(());
            }
        }
    }

    /// The rows let go of these before the job was made; the same content may since have come as another order's evidence.
    async fn erased_objects_delete(&self, payload: &Value) -> AppResult<()> {
        let objects: Vec<ErasedObjects> = serde_json::from_value(payload.clone()).map_err(AppError::internal)?;
        let app = self.app.clone();
        let keys = crate::http::blocking(move || app.erased_objects_unnamed(&objects)).await?;
        self.photos.store().parts_delete(keys.iter().map(String::as_str)).await?;
        let app = self.app.clone();
        crate::http::blocking(move || app.journal_empty()).await
    }

    async fn housekeep(&self) -> AppResult<()> {
        let app = self.app.clone();
        crate::http::blocking(move || {
            let now = app.env.now();
            app.storage.write("housekeep", |tx| {
                tx.feed_compact(now.plus_seconds(-TOMBSTONE_SECONDS))?;
                tx.refresh_token_delete_expired(now)?;
                tx.job_delete_finished(now.plus_seconds(-FINISHED_JOB_SECONDS))?;
                tx.statistics_refresh()?;
                Ok(())
            })
        })
        .await?;
        self.photos.uploads_sweep().await.map_err(|failed| failed.error)?;
        Ok(())
    }

    /// Looks for due jobs until the task is dropped.
    pub async fn run_forever(self) {
        futures_util::future::join(self.clone().run_forever_but_pushes(), self.run_forever_pushes()).await;
    }

    async fn run_forever_pushes(self) {
        if !self.app.pushes() {
            return;
        }
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.run_due_pushes().await {
                tracing::warn!(?error, "pushes could not be claimed");
            }
        }
    }

    async fn run_forever_but_pushes(self) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.run_due_but_pushes().await {
                tracing::warn!(?error, "jobs could not be claimed");
            }
        }
    }
}

/// Notes how a push ended. One that was done leaves no row: there are many, and nobody asks for them.
fn push_settle(app: &App, job: &Job, owner: &str, end: AppResult<PushEnd>) -> AppResult<()> {
    let now = app.env.now();
    let end = end.unwrap_or_else(|error| PushEnd::Later { why: error.to_string(), after_seconds: None });
    let (outcome, again, why) = match &end {
        PushEnd::Done => ("done", None, None),
        PushEnd::Later { why, after_seconds } => match push_again_at(job.attempts, *after_seconds, now) {
            Some(at) => ("failed", Some(at), Some(why)),
            None => ("given_up", None, Some(why)),
        },
        PushEnd::Refused(why) => ("given_up", None, Some(why)),
    };
    app.metrics().push(outcome);
    if let Some(why) = why {
        let attempts = job.attempts;
        match again {
            Some(_) => tracing::info!(why, attempts, "a push failed and comes again"),
            None => tracing::warn!(why, attempts, user_id = %job.subject_id, "a push was given up"),
        }
    }
    app.storage.write("push_settle", |tx| {
        match why {
            None => tx.job_remove(job.id, owner)?,
            Some(why) => {
                if again.is_none() {
                    // The last one that was given up is enough to tell.
                    tx.job_delete_ended(PUSH, job.subject_id)?;
                }
                tx.job_fail(job.id, owner, why, again, now)?
            }
        };
        Ok(())
    })
}
