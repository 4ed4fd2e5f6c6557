-- The desks' side-roads: who can be sent, dispatches and their check, appraisal, chases, questions to the branch, arrivals,
-- follow-ups. The same tables, columns and names as in the SQLite dialect.

create table user_profiles (
    user_id uuid not null primary key references users (id),
    team text not null,
    seniority text not null,
    skills jsonb not null,
    shifts jsonb not null,
    home_latitude_e6 integer,
    home_longitude_e6 integer,
    daily_capacity smallint not null,
    updated_by uuid not null references users (id),
    updated_at timestamptz not null,
    version bigint not null
);

create table dispatches (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    tester_id uuid not null references users (id),
    state text not null,
    dispatched_by uuid not null references users (id),
    candidate_rank integer,
    candidate_count integer,
    candidate_score integer,
    checked_by uuid references users (id),
    checked_at timestamptz,
    is_wrong boolean not null,
    ended_reason text,
    created_at timestamptz not null,
    ended_at timestamptz
);
create index dispatches_work_order_id on dispatches (work_order_id, created_at);

create table appraisal_marks (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    kind text not null,
    work_order_id uuid not null references work_orders (id),
    tracking_ticket_id uuid references tracking_tickets (id),
    region_id uuid references regions (id),
    reason text not null,
    recorded_by uuid references users (id),
    created_at timestamptz not null
);
create index appraisal_marks_created_at on appraisal_marks (created_at, id);
create index appraisal_marks_user_id on appraisal_marks (user_id, created_at);
create index appraisal_marks_work_order_id on appraisal_marks (work_order_id);

create table chases (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    tracking_ticket_id uuid references tracking_tickets (id),
    source_id uuid not null references users (id),
    reference text not null,
    content_digest bytea not null check (length(content_digest) = 32),
    urgency text,
    note text,
    created_at timestamptz not null,
    unique (source_id, reference)
);
create index chases_work_order_id on chases (work_order_id, created_at);

create table branch_questions (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    handoff_id uuid not null references handoffs (id),
    region_id uuid references regions (id),
    question text not null,
    asked_by uuid not null references users (id),
    asked_at timestamptz not null,
    answer text,
    answered_by uuid references users (id),
    answered_at timestamptz
);
create index branch_questions_work_order_id on branch_questions (work_order_id, asked_at);
create index branch_questions_open on branch_questions (asked_at, id) where answered_at is null;

create table arrivals (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    tester_id uuid not null references users (id),
    latitude_e6 integer not null,
    longitude_e6 integer not null,
    accuracy_m integer,
    is_mock boolean not null,
    punctuality text not null,
    minutes_after_start bigint,
    distance_m integer,
    is_at_place boolean,
    appointment_from timestamptz,
    appointment_until timestamptz,
    captured_at timestamptz not null,
    received_at timestamptz not null
);
create index arrivals_work_order_id on arrivals (work_order_id, captured_at);
create index arrivals_tester_id on arrivals (tester_id, captured_at);

create table follow_ups (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    tracking_ticket_id uuid references tracking_tickets (id),
    revisit_id uuid not null references revisits (id),
    region_id uuid references regions (id),
    score smallint not null,
    state text not null,
    what_was_done text,
    closed_by uuid references users (id),
    closed_at timestamptz,
    opened_at timestamptz not null,
    version bigint not null,
    unique (revisit_id)
);
create index follow_ups_opened_at on follow_ups (opened_at, id);
create index follow_ups_work_order_id on follow_ups (work_order_id);
