-- What a test must have, as it was when the test was handed in (R-TEST-1).
alter table field_tests add column evidence_template jsonb;

-- The review on the standard template (R-REVIEW-1). Reviews of before have words only, and no checklist.
alter table reviews add column reason_codes jsonb not null default '[]';
alter table reviews add column sections jsonb not null default '[]';
alter table reviews add column evidence jsonb not null default '[]';
alter table reviews add column evidence_accepted_because text;
alter table reviews add column ladder_step text;

-- Perceptual hashes of stored photos, in four bands of sixteen bits: hashes that differ in at most seven bits have a band that
-- differs in at most one, so that lookalikes are found by index. A band takes every fourth hexadecimal digit, so that a bright
-- sky does not make one band of many pictures the same.
create table photo_hashes (
    photo_id uuid not null primary key references photos (id),
    -- As in photos: maybe unknown here.
    work_order_id uuid not null,
    band_0 integer not null,
    band_1 integer not null,
    band_2 integer not null,
    band_3 integer not null
);
create index photo_hashes_band_0 on photo_hashes (band_0);
create index photo_hashes_band_1 on photo_hashes (band_1);
create index photo_hashes_band_2 on photo_hashes (band_2);
create index photo_hashes_band_3 on photo_hashes (band_3);
insert into photo_hashes (photo_id, work_order_id, band_0, band_1, band_2, band_3)
select id, work_order_id,
    ('x' || substr(h, 1, 1) || substr(h, 5, 1) || substr(h, 9, 1) || substr(h, 13, 1))::bit(16)::integer,
    ('x' || substr(h, 2, 1) || substr(h, 6, 1) || substr(h, 10, 1) || substr(h, 14, 1))::bit(16)::integer,
    ('x' || substr(h, 3, 1) || substr(h, 7, 1) || substr(h, 11, 1) || substr(h, 15, 1))::bit(16)::integer,
    ('x' || substr(h, 4, 1) || substr(h, 8, 1) || substr(h, 12, 1) || substr(h, 16, 1))::bit(16)::integer
from (select id, work_order_id, exif ->> 'perceptual_hash' as h from photos where state = 'stored')
hashed where length(h) = 16;

-- What was computed of a large test's samples, and of what exactly.
create table field_test_tracks (
    field_test_id uuid not null primary key references field_tests (id),
    fingerprint bytea not null check (length(fingerprint) = 32),
    tracks jsonb not null,
    computed_at timestamptz not null
);

-- The ladder with which an order began: it keeps it, whatever an administrator sets later (R-LADDER-1).
create table order_ladders (
    work_order_id uuid not null primary key references work_orders (id),
    ladder jsonb not null,
    begun_at timestamptz not null
);

-- The weekly resource review meetings, and what they decide (R-LADDER-3).
create table review_meetings (
    id uuid not null primary key,
    region_id uuid not null references regions (id),
    state text not null,
    starts_at timestamptz not null,
    -- When its agenda is drawn up from what was filed.
    agenda_at timestamptz not null,
    minutes text,
    closed_by uuid references users (id),
    closed_at timestamptz,
    created_at timestamptz not null,
    version bigint not null,
    unique (region_id, starts_at)
);
create index review_meetings_starts_at on review_meetings (starts_at, id);
create index review_meetings_closed_by on review_meetings (closed_by);

create table build_demands (
    id uuid not null primary key,
    number text not null unique,
    work_order_id uuid not null references work_orders (id),
    region_id uuid not null references regions (id),
    state text not null,
    demand text not null,
    latitude_e6 integer not null,
    longitude_e6 integer not null,
    field_tests jsonb not null,
    shareable_resources text not null,
    affected_customers bigint not null,
    -- The meeting that is to hear it next, or that decided.
    review_meeting_id uuid not null references review_meetings (id),
    deferred_count bigint not null,
    filed_by uuid not null references users (id),
    filed_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
);
create index build_demands_filed_at on build_demands (filed_at, id);
create index build_demands_region_id on build_demands (region_id, filed_at, id);
create index build_demands_work_order_id on build_demands (work_order_id, filed_at);
create index build_demands_review_meeting_id on build_demands (review_meeting_id, filed_at);
create index build_demands_filed_by on build_demands (filed_by);

create table build_demand_decisions (
    id uuid not null primary key,
    build_demand_id uuid not null references build_demands (id),
    review_meeting_id uuid not null references review_meetings (id),
    decision text not null,
    reason text not null,
    decided_by uuid not null references users (id),
    decided_at timestamptz not null,
    unique (build_demand_id, review_meeting_id)
);
create index build_demand_decisions_review_meeting_id on build_demand_decisions (review_meeting_id, decided_at);
create index build_demand_decisions_decided_by on build_demand_decisions (decided_by);

-- Who suffers near a place.
create index work_orders_place on work_orders (latitude_e6, longitude_e6);
