-- Clocks: one row a running limit of a complaint (R-LIMIT-1, R-LIMIT-2, R-INTAKE-5, R-INTAKE-9, R-REVIEW-1), with its history.

create table clocks (
    id blob not null primary key,
    -- `handling`, `first_response`, `higher_door`, `review`, `plan`, `tracking`.
    kind text not null,
    complaint_id blob not null references complaints (id),
    work_order_id blob references work_orders (id),
    region_id blob references regions (id),
    utc_offset_minutes integer not null,
    -- `working_days` or `all_hours`.
    measure text not null,
    budget_micros integer not null,
    -- What the budget follows from beside the kind: the class of limit, the kind of plan; empty where the kind says it all.
    limit_key text not null,
    is_major integer not null,
    standing text not null,
    started_at text not null,
    -- The deadline; of a clock that does not run: what it was when it last ran.
    due_at text not null,
    warn_at text not null,
    warned_at text,
    -- The instant of the breach itself, and when a server wrote it down.
    breached_at text,
    breach_recorded_at text,
    suggested_cause text,
    breach_cause text,
    breach_note text,
    cause_named_by blob references users (id),
    cause_named_at text,
    stopped_at text,
    -- `met`, `moot` or `replaced`, once stopped.
    outcome text,
    -- As of the last entry, the breach or the end, whichever came last.
    used_micros integer not null,
    time_by_stage text not null,
    version integer not null
) strict;
create index clocks_complaint_id on clocks (complaint_id, started_at, id);
create index clocks_due_at on clocks (standing, due_at, id);
create index clocks_region_due on clocks (region_id, standing, due_at, id);
create index clocks_breached_at on clocks (breached_at, id) where breached_at is not null;

-- What happened to a clock, oldest first; never edited (R-AUDIT-1).
create table clock_entries (
    clock_id blob not null references clocks (id),
    number integer not null,
    happened_at text not null,
    event text not null,
    reason text not null,
    -- The budget in force from here on.
    budget_micros integer not null,
    primary key (clock_id, number)
) strict, without rowid;

-- What a desk asked the customer while an order could not go on, and the answer (R-LOCATE-1).
create table customer_questions (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    question text not null,
    asked_by blob not null references users (id),
    asked_at text not null,
    answer text,
    answered_by blob references users (id),
    answered_at text
) strict;
create index customer_questions_work_order_id on customer_questions (work_order_id, asked_at, id);
