//! Durable jobs: timers, deliveries, thumbnails. A server leases what is due; a lease that runs out makes the job due again.
//! What does not belong here: what a job does (`server`, `jobs`).

use crate::connection::{AnyConnection, Tx, locked};
use crate::error::StorageError;
use crate::names::{MAX_PAGE, limit};
use crate::schema::jobs;
use crate::sql_types::{Bool, bind, row_values};
use callout_sync_protocol::ids::JobId;
use callout_sync_protocol::time::Timestamp;
use diesel::dsl::count_star;
use diesel::prelude::*;
use uuid::Uuid;

/// Which kinds of jobs are meant, so that one kind can have a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKinds<'a> {
    /// All of them.
    All,
    /// This one.
    Only(&'a str),
    /// All but this one.
    AllBut(&'a str),
}

/// Jobs of one kind that are due and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobBacklog {
    /// The kind.
    pub kind: String,
    /// How many; those that a server works on count, too.
    pub due: u64,
    /// Since when the one that waits longest is due.
    pub oldest_run_at: Timestamp,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// What it is about: an order's, photo's … id.
    pub subject_id: Uuid,
    /// When it is due.
    pub run_at: Timestamp,
    /// What it needs to know.
    pub payload: serde_json::Value,
    /// How often it was begun.
    pub attempts: i64,
    /// Until when a server has it.
    pub leased_until: Option<Timestamp>,
    /// Which server has it.
    pub lease_owner: Option<String>,
    /// When it was done, or cancelled.
    pub finished_at: Option<Timestamp>,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Job {
    /// A job to come.
    pub fn new(
        id: JobId,
        kind: impl Into<String>,
        subject_id: impl Into<Uuid>,
        run_at: Timestamp,
        payload: serde_json::Value,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            kind: kind.into(),
            subject_id: subject_id.into(),
            run_at,
            payload,
            attempts: 0,
            leased_until: None,
            lease_owner: None,
            finished_at: None,
            last_error: None,
            created_at: now,
        }
    }
}

impl Tx {
    /// Adds a job.
    pub fn job_insert(&mut self, job: &Job) -> Result<(), StorageError> {
        self.run(|c| {
            diesel::insert_into(jobs::table)
                .values(row_values!(
                    jobs,
                    job,
                    id,
                    kind,
                    subject_id,
                    run_at,
                    payload,
                    attempts,
                    leased_until,
                    lease_owner,
                    finished_at,
                    last_error,
                    created_at
                ))
                .execute(c)
        })?;
        Ok(())
    }

    /// Leases due jobs to a server, those that waited longest first. Servers that ask at the same time get different ones.
    pub fn job_claim_due(
        &mut self,
        now: Timestamp,
        lease_until: Timestamp,
        owner: &str,
        at_most: u32,
    ) -> Result<Vec<Job>, StorageError> {
        self.job_claim_due_of(JobKinds::All, now, lease_until, owner, at_most)
    }

    /// The same, of some kinds only.
    pub fn job_claim_due_of(
        &mut self,
        kinds: JobKinds<'_>,
        now: Timestamp,
        lease_until: Timestamp,
        owner: &str,
        at_most: u32,
    ) -> Result<Vec<Job>, StorageError> {
        let (only, but) = match kinds {
            JobKinds::All => (None, None),
            JobKinds::Only(kind) => (Some(kind), None),
            JobKinds::AllBut(kind) => (None, Some(kind)),
        };
        let now_or_before = Some(now);
        let due = jobs::table
            .filter(jobs::finished_at.is_null())
            .filter(jobs::run_at.le(bind(&now)))
            .filter(jobs::leased_until.is_null().or(jobs::leased_until.le(bind(&now_or_before))))
            // One query for all three: a text is never empty, and no kind is.
            .filter(only.is_none().into_sql::<Bool>().or(jobs::kind.eq(bind(only.unwrap_or_default()))))
            .filter(jobs::kind.ne(bind(but.unwrap_or_default())))
            .order((jobs::run_at, jobs::id))
            .limit(limit(at_most))
            .select(jobs::id);
        let ids: Vec<JobId> = self.run(|c| match c {
            AnyConnection::Sqlite(c) => due.load(c),
            AnyConnection::Postgres(c) => due.for_update().skip_locked().load(c),
        })?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut claimed: Vec<Job> = self.run(|c| {
            diesel::update(jobs::table.filter(jobs::id.eq_any(ids.iter().map(bind))))
                .set((
                    jobs::leased_until.eq(bind(&Some(lease_until))),
                    jobs::lease_owner.eq(bind(&Some(owner.to_owned()))),
                    jobs::attempts.eq(jobs::attempts + 1),
                ))
                .returning(jobs::all_columns)
                .get_results(c)
        })?;
        claimed.sort_by_key(|job| (job.run_at, job.id));
        Ok(claimed)
    }

    /// Ends a job that was done. Returns whether the lease still held; if not, somebody else does it too.
    pub fn job_finish(&mut self, id: JobId, owner: &str, now: Timestamp) -> Result<bool, StorageError> {
        self.run(|c| {
            diesel::update(
                jobs::table
                    .find(bind(&id))
                    .filter(jobs::finished_at.is_null())
                    .filter(jobs::lease_owner.eq(bind(&Some(owner.to_owned())))),
            )
            .set((
                jobs::finished_at.eq(bind(&Some(now))),
                jobs::leased_until.eq(bind(&None::<Timestamp>)),
                jobs::lease_owner.eq(bind(&None::<String>)),
                jobs::last_error.eq(bind(&None::<String>)),
            ))
            .execute(c)
        })
        .map(|rows| rows > 0)
    }

    /// Puts a job that was done and comes round off to its next time, on the same row. Returns whether the lease still held.
    pub fn job_repeat(&mut self, id: JobId, owner: &str, run_at: Timestamp) -> Result<bool, StorageError> {
        self.run(|c| {
            diesel::update(
                jobs::table
                    .find(bind(&id))
                    .filter(jobs::finished_at.is_null())
                    .filter(jobs::lease_owner.eq(bind(&Some(owner.to_owned())))),
            )
            .set((
                jobs::run_at.eq(bind(&run_at)),
                jobs::attempts.eq(0),
                jobs::leased_until.eq(bind(&None::<Timestamp>)),
                jobs::lease_owner.eq(bind(&None::<String>)),
                jobs::last_error.eq(bind(&None::<String>)),
            ))
            .execute(c)
        })
        .map(|rows| rows > 0)
    }

    /// Whether a job of a kind about a subject is still to be begun; if so, nobody begins it until this unit of work ends.
    pub fn job_lock_unbegun(&mut self, kind: &str, subject_id: Uuid) -> Result<bool, StorageError> {
        let unbegun = jobs::table
            .filter(jobs::subject_id.eq(bind(&subject_id)))
            .filter(jobs::kind.eq(bind(kind)))
            .filter(jobs::finished_at.is_null())
            .filter(jobs::leased_until.is_null())
            .order(jobs::id)
            .select(jobs::id);
        let found: Option<JobId> = self.run(|c| locked!(c, unbegun))?;
        Ok(found.is_some())
    }

    /// Removes a job that was done and that nobody wants to look up later. Returns whether the lease still held.
    pub fn job_remove(&mut self, id: JobId, owner: &str) -> Result<bool, StorageError> {
        self.run(|c| {
            diesel::delete(
                jobs::table
                    .filter(jobs::id.eq(bind(&id)))
                    .filter(jobs::finished_at.is_null())
                    .filter(jobs::lease_owner.eq(bind(&Some(owner.to_owned())))),
            )
            .execute(c)
        })
        .map(|rows| rows > 0)
    }

    /// Removes a subject's jobs of a kind that were done, cancelled or given up. Returns how many.
    pub fn job_delete_ended(&mut self, kind: &str, subject_id: Uuid) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::delete(
                jobs::table
                    .filter(jobs::subject_id.eq(bind(&subject_id)))
                    .filter(jobs::kind.eq(bind(kind)))
                    .filter(jobs::finished_at.is_not_null()),
            )
            .execute(c)
        })
    }

    /// What is due and not done, by kind.
    pub fn job_backlog(&mut self, now: Timestamp) -> Result<Vec<JobBacklog>, StorageError> {
        let counted: Vec<(String, i64)> = self.run(|c| {
            jobs::table
                .filter(jobs::finished_at.is_null())
                .filter(jobs::run_at.le(bind(&now)))
                .group_by(jobs::kind)
                .select((jobs::kind, count_star()))
                .load(c)
        })?;
        let mut backlog = Vec::new();
        for (kind, due) in counted {
            let oldest: Option<Timestamp> = self.run(|c| {
                jobs::table
                    .filter(jobs::finished_at.is_null())
                    .filter(jobs::kind.eq(bind(&kind)))
                    .order((jobs::run_at, jobs::id))
                    .select(jobs::run_at)
                    .first(c)
                    .optional()
            })?;
            backlog.push(JobBacklog { kind, due: due.unsigned_abs(), oldest_run_at: oldest.unwrap_or(now) });
        }
        backlog.sort_by(|one, other| one.kind.cmp(&other.kind));
        Ok(backlog)
    }

    /// Whether a job of a kind about a subject is still to be done.
    pub fn job_is_waiting(&mut self, kind: &str, subject_id: Uuid) -> Result<bool, StorageError> {
        let found: Option<JobId> = self.run(|c| {
            jobs::table
                .filter(jobs::subject_id.eq(bind(&subject_id)))
                .filter(jobs::kind.eq(bind(kind)))
                .filter(jobs::finished_at.is_null())
                .select(jobs::id)
                .first(c)
                .optional()
        })?;
        Ok(found.is_some())
    }

    /// Gives a job back that failed; it is due again at `run_at`, or never when that is absent. Returns whether the lease held.
    pub fn job_fail(
        &mut self,
        id: JobId,
        owner: &str,
        error: &str,
        run_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let finished_at = if run_at.is_some() { None } else { Some(now) };
        self.run(|c| {
            diesel::update(
                jobs::table
                    .find(bind(&id))
                    .filter(jobs::finished_at.is_null())
                    .filter(jobs::lease_owner.eq(bind(&Some(owner.to_owned())))),
            )
            .set((
                jobs::run_at.eq(bind(&run_at.unwrap_or(now))),
                jobs::finished_at.eq(bind(&finished_at)),
                jobs::leased_until.eq(bind(&None::<Timestamp>)),
                jobs::lease_owner.eq(bind(&None::<String>)),
                jobs::last_error.eq(bind(&Some(error.to_owned()))),
            ))
            .execute(c)
        })
        .map(|rows| rows > 0)
    }

    /// Cancels what is still to be done of a kind about a subject. Returns how many jobs.
    pub fn job_cancel(&mut self, kind: &str, subject_id: Uuid, now: Timestamp) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::update(
                jobs::table
                    .filter(jobs::subject_id.eq(bind(&subject_id)))
                    .filter(jobs::kind.eq(bind(kind)))
                    .filter(jobs::finished_at.is_null()),
            )
            .set(jobs::finished_at.eq(bind(&Some(now))))
            .execute(c)
        })
    }

    /// Removes a subject's jobs of a kind, done or not: for timers that are set anew so often that nobody wants to keep them all.
    /// Returns how many.
    pub fn job_delete(&mut self, kind: &str, subject_id: Uuid) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::delete(jobs::table.filter(jobs::subject_id.eq(bind(&subject_id))).filter(jobs::kind.eq(bind(kind))))
                .execute(c)
        })
    }

    /// Removes jobs that were done or cancelled before an instant; those that were given up stay, with their errors. Returns how many.
    pub fn job_delete_finished(&mut self, before: Timestamp) -> Result<usize, StorageError> {
        self.run(|c| {
            diesel::delete(
                jobs::table.filter(jobs::finished_at.lt(bind(&Some(before)))).filter(jobs::last_error.is_null()),
            )
            .execute(c)
        })
    }

    /// A subject's jobs, done or not, in the order in which they are due, at most 500.
    pub fn job_list_by_subject(&mut self, subject_id: Uuid) -> Result<Vec<Job>, StorageError> {
        self.run(|c| {
            jobs::table
                .filter(jobs::subject_id.eq(bind(&subject_id)))
                .order((jobs::run_at, jobs::id))
                .limit(i64::from(MAX_PAGE))
                .load(c)
        })
    }

    /// When the next job is due that is not done; a leased one counts too.
    pub fn job_next_run_at(&mut self) -> Result<Option<Timestamp>, StorageError> {
        self.run(|c| {
            jobs::table
                .filter(jobs::finished_at.is_null())
                .order((jobs::run_at, jobs::id))
                .select(jobs::run_at)
                .first(c)
                .optional()
        })
    }
}
