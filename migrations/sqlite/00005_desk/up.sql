-- The desks' side-roads: who can be sent, dispatches and their check, appraisal, chases, questions to the branch, arrivals,
-- follow-ups.

create table user_profiles (
    user_id blob not null primary key references users (id),
    team text not null,
    seniority text not null,
    skills text not null,
    shifts text not null,
    home_latitude_e6 integer,
    home_longitude_e6 integer,
    daily_capacity integer not null,
    updated_by blob not null references users (id),
    updated_at text not null,
    version integer not null
) strict;

create table dispatches (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    tester_id blob not null references users (id),
    state text not null,
    dispatched_by blob not null references users (id),
    candidate_rank integer,
    candidate_count integer,
    candidate_score integer,
    checked_by blob references users (id),
    checked_at text,
    is_wrong integer not null,
    ended_reason text,
    created_at text not null,
    ended_at text
) strict;
create index dispatches_work_order_id on dispatches (work_order_id, created_at);

create table appraisal_marks (
    id blob not null primary key,
    user_id blob not null references users (id),
    kind text not null,
    work_order_id blob not null references work_orders (id),
    tracking_ticket_id blob references tracking_tickets (id),
    region_id blob references regions (id),
    reason text not null,
    recorded_by blob references users (id),
    created_at text not null
) strict;
create index appraisal_marks_created_at on appraisal_marks (created_at, id);
create index appraisal_marks_user_id on appraisal_marks (user_id, created_at);
create index appraisal_marks_work_order_id on appraisal_marks (work_order_id);

create table chases (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    tracking_ticket_id blob references tracking_tickets (id),
    source_id blob not null references users (id),
    reference text not null,
    content_digest blob not null check (length(content_digest) = 32),
    urgency text,
    note text,
    created_at text not null,
    unique (source_id, reference)
) strict;
create index chases_work_order_id on chases (work_order_id, created_at);

create table branch_questions (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    handoff_id blob not null references handoffs (id),
    region_id blob references regions (id),
    question text not null,
    asked_by blob not null references users (id),
    asked_at text not null,
    answer text,
    answered_by blob references users (id),
    answered_at text
) strict;
create index branch_questions_work_order_id on branch_questions (work_order_id, asked_at);
create index branch_questions_open on branch_questions (asked_at, id) where answered_at is null;

create table arrivals (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    tester_id blob not null references users (id),
    latitude_e6 integer not null,
    longitude_e6 integer not null,
    accuracy_m integer,
    is_mock integer not null,
    punctuality text not null,
    minutes_after_start integer,
    distance_m integer,
    is_at_place integer,
    appointment_from text,
    appointment_until text,
    captured_at text not null,
    received_at text not null
) strict;
create index arrivals_work_order_id on arrivals (work_order_id, captured_at);
create index arrivals_tester_id on arrivals (tester_id, captured_at);

create table follow_ups (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    tracking_ticket_id blob references tracking_tickets (id),
    revisit_id blob not null references revisits (id),
    region_id blob references regions (id),
    score integer not null,
    state text not null,
    what_was_done text,
    closed_by blob references users (id),
    closed_at text,
    opened_at text not null,
    version integer not null,
    unique (revisit_id)
) strict;
create index follow_ups_opened_at on follow_ups (opened_at, id);
create index follow_ups_work_order_id on follow_ups (work_order_id);
