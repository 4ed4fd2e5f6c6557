-- Intake and triage: what was decided when a complaint was taken, key accounts, escalations, major complaints, the case library.
-- Intakes of complaints that were taken before are made by the program (a job), since databases do not know its digests.

create table key_accounts (
    id uuid not null primary key,
    name text not null,
    note text not null,
    is_active boolean not null,
    created_by uuid not null references users (id),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
);
create index key_accounts_created_at on key_accounts (created_at, id);

-- By what a key account is known; only digests, and what may be shown.
create table key_account_identifiers (
    digest bytea not null primary key check (octet_length(digest) = 32),
    key_account_id uuid not null references key_accounts (id),
    kind text not null check (kind in ('phone', 'customer_number')),
    masked text not null
);
create index key_account_identifiers_key_account_id on key_account_identifiers (key_account_id);

create table intakes (
    complaint_id uuid not null primary key references complaints (id),
    first_contact_id uuid not null references users (id),
    -- Of the telephone number, digits only.
    customer_digest bytea not null check (octet_length(customer_digest) = 32),
    key_account_id uuid references key_accounts (id),
    is_sensitive boolean not null,
    is_disturbing boolean not null,
    joint_customers bigint not null,
    symptom text not null,
    channel text not null,
    received_at timestamptz not null,
    latitude_e6 integer,
    longitude_e6 integer,
    -- The square of the map in which it lies; neighbours differ by one or by a row.
    grid_cell bigint,
    relation text not null,
    related_id uuid references complaints (id),
    -- The first one of the same problem.
    first_id uuid references complaints (id),
    -- The complaint whose order deals with this one, too.
    handled_under_id uuid references complaints (id),
    handling text not null,
    urgency text not null,
    reasons jsonb not null,
    is_false_return boolean not null,
    decided_by uuid references users (id),
    decided_at timestamptz,
    decision_reason text,
    version bigint not null
);
create index intakes_customer_digest on intakes (customer_digest, received_at);
create index intakes_grid_cell on intakes (grid_cell, symptom, received_at);
create index intakes_first_id on intakes (first_id) where first_id is not null;
create index intakes_handled_under_id on intakes (handled_under_id) where handled_under_id is not null;

-- Cells that served the place: named with the complaint, or measured by its field test.
create table complaint_cells (
    complaint_id uuid not null references complaints (id),
    cell_identity bigint not null,
    received_at timestamptz not null,
    primary key (complaint_id, cell_identity)
);
create index complaint_cells_cell_identity on complaint_cells (cell_identity, received_at);

create table escalations (
    id uuid not null primary key,
    complaint_id uuid not null references complaints (id),
    level text not null,
    cause text not null,
    reason text not null,
    opened_by uuid references users (id),
    opened_at timestamptz not null,
    closed_by uuid references users (id),
    closed_at timestamptz,
    outcome text,
    words text,
    version bigint not null
);
create index escalations_complaint_id on escalations (complaint_id, opened_at);
create index escalations_opened_at on escalations (opened_at, id);
create index escalations_open on escalations (opened_at, id) where closed_at is null;

create table major_cases (
    id uuid not null primary key,
    complaint_id uuid not null references complaints (id),
    state text not null check (state in ('open', 'ended')),
    reasons jsonb not null,
    explanation text not null,
    leader_id uuid references users (id),
    declared_by uuid references users (id),
    opened_at timestamptz not null,
    closed_by uuid references users (id),
    closed_at timestamptz,
    closing_words text,
    updated_at timestamptz not null,
    version bigint not null
);
create index major_cases_complaint_id on major_cases (complaint_id, opened_at);
create index major_cases_opened_at on major_cases (opened_at, id);
create index major_cases_open on major_cases (opened_at, id) where state = 'open';

create table major_case_members (
    major_case_id uuid not null references major_cases (id),
    user_id uuid not null references users (id),
    duty text not null,
    primary key (major_case_id, user_id)
);
create index major_case_members_user_id on major_case_members (user_id);

create table notices (
    id uuid not null primary key,
    recipient_id uuid not null references users (id),
    kind text not null,
    complaint_id uuid not null references complaints (id),
    major_case_id uuid references major_cases (id),
    detail jsonb not null,
    created_at timestamptz not null,
    read_at timestamptz
);
create index notices_recipient_id on notices (recipient_id, created_at, id);
create index notices_unread on notices (recipient_id, created_at, id) where read_at is null;

create table cases (
    id uuid not null primary key,
    state text not null check (state in ('draft', 'published', 'withdrawn')),
    -- The order that it was made from, if it was.
    work_order_id uuid unique references work_orders (id),
    title text not null,
    symptom text not null,
    generation text,
    place_kind text not null,
    cause text not null,
    what_was_done text not null,
    ladder_steps jsonb not null,
    -- Everything that is searched, folded by the program.
    searched text not null,
    created_by uuid references users (id),
    created_at timestamptz not null,
    published_by uuid references users (id),
    published_at timestamptz,
    updated_at timestamptz not null,
    version bigint not null
);
create index cases_created_at on cases (created_at, id);
create index cases_symptom on cases (symptom, state, created_at);

-- The door by which a reply goes out (R-INTAKE-9).
alter table replies add column channel text;
-- What the desk holds to have solved the problem; the case library tells it (R-KNOW-1).
alter table revisits add column what_was_done text;
