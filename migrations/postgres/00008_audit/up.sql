-- Erasure without breaking the trail, and anchors over the trail (R-PRIVACY-1, R-AUDIT-1).
-- Events from before have no digest of their reason: their hash is over the reason itself, which therefore stays.

-- What the digest is keyed with; goes with the reason, so that the digest alone tells nothing.
alter table events add column reason_salt bytea check (length(reason_salt) = 32);
-- What the event's hash is over instead of the reason.
alter table events add column reason_digest bytea check (length(reason_digest) = 32);
create index events_actor_id on events (actor_id, happened_at);

-- One anchor a slice of time, chained: a chain that was dropped or written anew does not fit its slice any more. Append-only.
create table audit_anchors (
    number bigint not null primary key,
    covers_from timestamptz not null,
    covers_until timestamptz not null,
    event_count bigint not null,
    digest bytea not null check (length(digest) = 32),
    previous_hash bytea check (length(previous_hash) = 32),
    hash bytea not null check (length(hash) = 32),
    created_at timestamptz not null
);

-- Customers whose data was erased. What it took away is in no row of any table any more.
create table erasures (
    complaint_id uuid not null primary key references complaints (id),
    -- Absent when the retention period ended.
    erased_by uuid references users (id),
    reason text not null,
    options jsonb not null,
    counts jsonb not null,
    created_at timestamptz not null
);
