-- Seeing the whole: sites and their outages, clusters and the supervision list, early warnings, KPIs.

-- The sources (R-SUPERVISE-2) name sites by a code of their own; importing the same code again replaces what is known.
create table sites (
    id blob not null primary key,
    code text not null unique,
    name text not null,
    region_id blob references regions (id),
    latitude_e6 integer not null,
    longitude_e6 integer not null,
    kind text not null,
    is_key integer not null,
    -- 'none', or what is planned with it: 'planned_build', 'relocation'.
    plan text not null,
    created_at text not null,
    updated_at text not null,
    version integer not null
) strict;
create index sites_region_id on sites (region_id, code);
create index sites_latitude on sites (latitude_e6, longitude_e6);
create index sites_created_at on sites (created_at, id);

create table site_outages (
    id blob not null primary key,
    site_id blob not null references sites (id),
    -- Who pushed it, and the pusher's own number for it: the key of idempotency.
    source_id blob not null references users (id),
    reference text not null,
    cause text not null,
    began_at text not null,
    ended_at text,
    created_at text not null,
    updated_at text not null,
    version integer not null,
    unique (source_id, reference)
) strict;
create index site_outages_site_id on site_outages (site_id, began_at);
create index site_outages_open on site_outages (began_at, site_id) where ended_at is null;

create table complaint_clusters (
    id blob not null primary key,
    region_id blob not null references regions (id),
    state text not null,
    centre_latitude_e6 integer not null,
    centre_longitude_e6 integer not null,
    -- Metres from the centre to the farthest complaint.
    radius_m integer not null,
    complaint_count integer not null,
    first_at text not null,
    last_at text not null,
    found_at text not null,
    dissolved_at text,
    -- The cluster that most of its complaints went over to, if it was swallowed.
    successor_id blob references complaint_clusters (id),
    updated_at text not null,
    version integer not null
) strict;
create index complaint_clusters_region_id on complaint_clusters (region_id, state);
create index complaint_clusters_found_at on complaint_clusters (found_at, id);

create table complaint_cluster_members (
    cluster_id blob not null references complaint_clusters (id),
    complaint_id blob not null references complaints (id),
    primary key (cluster_id, complaint_id)
) strict, without rowid;
create index complaint_cluster_members_complaint_id on complaint_cluster_members (complaint_id);

create table supervision_entries (
    id blob not null primary key,
    region_id blob not null references regions (id),
    cluster_id blob not null references complaint_clusters (id),
    reason text not null,
    -- The faulty site, where that is the reason.
    site_id blob references sites (id),
    state text not null,
    complaint_count integer not null,
    is_cause_standing integer not null,
    listed_at text not null,
    cleared_at text,
    cleared_by blob references users (id),
    what_cleared_it text,
    updated_at text not null,
    version integer not null
) strict;
create index supervision_entries_region_id on supervision_entries (region_id, state);
create index supervision_entries_cluster_id on supervision_entries (cluster_id, state);
create index supervision_entries_listed_at on supervision_entries (listed_at, id);

create table warnings (
    id blob not null primary key,
    region_id blob not null references regions (id),
    symptom text not null,
    state text not null,
    level text not null,
    window_from text not null,
    window_until text not null,
    -- In the window when it was counted last, and the most there ever were.
    complaint_count integer not null,
    peak_count integer not null,
    -- Complaints of the half-year before the window, and the mean of one window in thousandths.
    half_year_count integer not null,
    base_thousandths integer not null,
    -- The local day on which it was raised, counted from 1970-01-01, for the report by time.
    raised_day integer not null,
    raised_at text not null,
    reviewed_by blob references users (id),
    reviewed_at text,
    review_note text,
    published_by blob references users (id),
    published_at text,
    -- Ids of users.
    recipients text not null,
    dismissed_by blob references users (id),
    dismissed_at text,
    dismiss_reason text,
    recovered_at text,
    updated_at text not null,
    version integer not null
) strict;
create index warnings_region_id on warnings (region_id, symptom, state);
create index warnings_raised_at on warnings (raised_at, id);
create index warnings_raised_day on warnings (raised_day, region_id);

-- Both the clusters of a region and the counts of its complaint types read from this index alone.
create index complaints_region_received on complaints (region_id, received_at, symptom);

-- Which complaints' figures must be counted anew. A unit of work only ever adds rows, so that nobody waits for anybody.
create table kpi_dirty (
    id blob not null primary key,
    complaint_id blob not null,
    marked_at text not null
) strict, without rowid;

-- What one complaint contributes now; what was counted of it is exactly what follows from this row (R-KPI-1).
create table kpi_facts (
    complaint_id blob not null primary key references complaints (id),
    work_order_id blob,
    region_id blob references regions (id),
    class text not null,
    utc_offset_minutes integer not null,
    received_at text not null,
    taken_by blob,
    taken_team text not null,
    responded_at text,
    is_repeat integer not null,
    closed_at text,
    is_on_time integer,
    visit_count integer not null,
    is_solved_at_first_visit integer not null,
    tester_id blob,
    tester_team text not null,
    return_count integer not null,
    false_return_count integer not null,
    returned_at text,
    returned_by blob,
    returned_team text not null,
    score integer,
    overdue_at text,
    overdue_cause text,
    -- Its contribution is in the cells.
    is_counted integer not null
) strict, without rowid;

create table kpi_cells (
    -- Hash of the key below.
    id blob not null primary key,
    -- A person's figures, or all of a team's.
    is_personal integer not null,
    -- 1 a day, 2 a week from Monday, 3 a month.
    grain integer not null,
    region_id blob not null,
    -- The first local day of the period, counted from 1970-01-01.
    day integer not null,
    class text not null,
    team text not null,
    person_id blob not null,
    received_count integer not null,
    responded_count integer not null,
    repeat_count integer not null,
    closed_count integer not null,
    judged_count integer not null,
    on_time_count integer not null,
    handling_seconds integer not null,
    visited_count integer not null,
    first_visit_count integer not null,
    return_count integer not null,
    false_return_count integer not null,
    score_count integer not null,
    score_sum integer not null,
    promoter_count integer not null,
    detractor_count integer not null,
    overdue_count integer not null,
    -- Handling times in buckets of two percent, see the rules.
    handling_times blob not null
) strict, without rowid;
create index kpi_cells_period on kpi_cells (is_personal, grain, region_id, day);

create table kpi_causes (
    -- Hash of the key below.
    id blob not null primary key,
    grain integer not null,
    region_id blob not null,
    day integer not null,
    class text not null,
    cause text not null,
    overdue_count integer not null
) strict, without rowid;
create index kpi_causes_period on kpi_causes (grain, region_id, day);
