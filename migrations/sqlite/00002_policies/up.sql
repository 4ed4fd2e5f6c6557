-- What an administrator may set: limits, calendars, templates, word lists. A document is never changed, only succeeded.
create table policies (
    id blob not null primary key,
    -- One of a kind and region, the same for all of its versions.
    subject_id blob not null,
    kind text not null,
    -- Absent: holds wherever a region has none of its own.
    region_id blob references regions (id),
    version integer not null,
    document text not null,
    reason text not null,
    created_by blob not null references users (id),
    created_at text not null,
    unique (subject_id, version)
) strict;
create index policies_created_at on policies (created_at, id);
create index policies_region_id on policies (region_id);
