-- Checkpoints: what a tester's scope comes to, kept with the feed. Absent in feeds from before; computed from the entries then.
alter table feeds add column checkpoint integer;
-- The order's version as the feed last told it; 0 where the order is not in the tester's scope.
alter table feed_entries add column order_version integer not null default 0;
update feed_entries set order_version = coalesce((
    select version from work_orders
    where work_orders.id = feed_entries.work_order_id and work_orders.assigned_to = feed_entries.tester_id
), 0) where kind = 'changed';

-- Sessions that were ended lately: streams to their holders are cut.
create index sessions_revoked_at on sessions (revoked_at) where revoked_at is not null;

-- How far the operator's push service was told of a tester's feed. Its own table, so that feeds stay small and unlocked.
create table pushes (
    tester_id blob not null primary key references users (id),
    epoch integer not null,
    number integer not null,
    -- Failures in a row.
    attempts integer not null,
    -- Before this nobody tells it: a server is at it, or it failed. Free to take where absent.
    due_at text
) strict, without rowid;
