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
