-- What an administrator may set: limits, calendars, templates, word lists. A document is never changed, only succeeded.
create table policies (
    id uuid not null primary key,
    -- One of a kind and region, the same for all of its versions.
    subject_id uuid not null,
    kind text not null,
    -- Absent: holds wherever a region has none of its own.
    region_id uuid references regions (id),
    version bigint not null,
    document jsonb not null,
    reason text not null,
    created_by uuid not null references users (id),
    created_at timestamptz not null,
    unique (subject_id, version)
);
create index policies_created_at on policies (created_at, id);
create index policies_region_id on policies (region_id);
