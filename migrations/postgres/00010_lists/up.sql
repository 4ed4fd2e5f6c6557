-- Lists that desks read: notices about early warnings too, not only about complaints (R-WARN-1).
alter table notices alter column complaint_id drop not null;
alter table notices add column warning_id uuid references warnings (id);

-- Jobs that were done are kept for a while; housekeeping finds those that are over.
create index jobs_finished_at on jobs (finished_at) where finished_at is not null;

-- Clocks of every standing, the earliest deadline first: without this a desk's list sorts all clocks that ever were.
create index clocks_by_due_at on clocks (due_at, id);
create index clocks_region_broken on clocks (region_id, due_at, id) where breached_at is not null;

-- Orders of a state, newest first, of all regions or of one: sorted by the index instead of after reading them all.
create index work_orders_state_created on work_orders (state, created_at, id);
create index work_orders_region_state_created on work_orders (region_id, state, created_at, id);
drop index work_orders_region_id;
