-- Lists that desks read: notices about early warnings too, not only about complaints (R-WARN-1).
create table notices_2 (
    id blob not null primary key,
    recipient_id blob not null references users (id),
    kind text not null,
    complaint_id blob references complaints (id),
    major_case_id blob references major_cases (id),
    detail text not null,
    created_at text not null,
    read_at text,
    warning_id blob references warnings (id)
) strict;
insert into notices_2 (id, recipient_id, kind, complaint_id, major_case_id, detail, created_at, read_at)
select id, recipient_id, kind, complaint_id, major_case_id, detail, created_at, read_at from notices;
drop table notices;
alter table notices_2 rename to notices;
create index notices_recipient_id on notices (recipient_id, created_at, id);
create index notices_unread on notices (recipient_id, created_at, id) where read_at is null;

-- Jobs that were done are kept for a while; housekeeping finds those that are over.
create index jobs_finished_at on jobs (finished_at) where finished_at is not null;

-- Clocks of every standing, the earliest deadline first: without this a desk's list sorts all clocks that ever were.
create index clocks_by_due_at on clocks (due_at, id);
create index clocks_region_broken on clocks (region_id, due_at, id) where breached_at is not null;

-- Orders of a state, newest first, of all regions or of one: sorted by the index instead of after reading them all.
create index work_orders_state_created on work_orders (state, created_at, id);
create index work_orders_region_state_created on work_orders (region_id, state, created_at, id);
drop index work_orders_region_id;
