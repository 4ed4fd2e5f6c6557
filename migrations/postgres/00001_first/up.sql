-- The first schema. The same tables, columns and names as in the SQLite dialect; a test compares the two.
-- Sets of names that may grow (states, channels, classes) are guarded by the program's types, closed ones by checks.

create table users (
    id uuid not null primary key,
    user_name text not null,
    -- The name in lower case, folded by the program: the two databases fold differently beyond ASCII.
    user_name_folded text not null unique,
    display_name text not null,
    password_hash text not null,
    roles jsonb not null,
    all_regions boolean not null,
    is_active boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
);

create table regions (
    id uuid not null primary key,
    name text not null unique,
    -- GeoJSON geometry, Polygon or MultiPolygon, WGS-84.
    boundary jsonb not null,
    min_latitude_e6 integer not null,
    max_latitude_e6 integer not null,
    min_longitude_e6 integer not null,
    max_longitude_e6 integer not null,
    utc_offset_minutes smallint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
);
create index regions_bounding_box on regions (min_latitude_e6, max_latitude_e6, min_longitude_e6, max_longitude_e6);

create table user_regions (
    user_id uuid not null references users (id),
    region_id uuid not null references regions (id),
    primary key (user_id, region_id)
);
create index user_regions_region_id on user_regions (region_id);

create table devices (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    name text not null,
    platform text not null,
    -- Ed25519; absent for browsers.
    public_key bytea check (length(public_key) = 32),
    enrolled_at timestamptz not null,
    last_seen_at timestamptz not null,
    revoked_at timestamptz
);
create index devices_user_id on devices (user_id);

create table sessions (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    device_id uuid not null references devices (id),
    created_at timestamptz not null,
    revoked_at timestamptz,
    revoke_reason text
);
create index sessions_user_id on sessions (user_id);
create index sessions_device_id on sessions (device_id);

create table refresh_tokens (
    token_hash bytea not null primary key check (length(token_hash) = 32),
    session_id uuid not null references sessions (id),
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    successor_hash bytea check (length(successor_hash) = 32)
);
create index refresh_tokens_session_id on refresh_tokens (session_id);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);

create table signing_keys (
    id text not null primary key,
    secret bytea not null,
    created_at timestamptz not null,
    retire_at timestamptz
);

create table complaints (
    id uuid not null primary key,
    -- The user or system that pushed it; with its reference the key of idempotency.
    source_id uuid not null references users (id),
    reference text not null,
    content_digest bytea not null check (length(content_digest) = 32),
    channel text not null,
    class text,
    state text not null,
    received_at timestamptz not null,
    customer_name text not null,
    customer_phone text not null,
    description text not null,
    symptom text not null,
    generation text,
    address text not null,
    occurs text not null,
    neighbours_affected boolean,
    latitude_e6 integer,
    longitude_e6 integer,
    region_id uuid references regions (id),
    answer text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null,
    unique (source_id, reference)
);
create index complaints_created_at on complaints (created_at, id);
create index complaints_region_id on complaints (region_id, created_at, id);
create index complaints_state on complaints (state, created_at, id);

create table work_orders (
    id uuid not null primary key,
    complaint_id uuid not null unique references complaints (id),
    number text not null unique,
    state text not null,
    urgency text not null,
    region_id uuid references regions (id),
    assigned_to uuid references users (id),
    assigned_at timestamptz,
    appointment_from timestamptz,
    appointment_until timestamptz,
    due_at timestamptz,
    field_test_id uuid,
    photo_consent boolean,
    -- Why the last review sent the test back; empty otherwise.
    return_reasons jsonb not null,
    utc_offset_minutes smallint not null,
    address text not null,
    latitude_e6 integer,
    longitude_e6 integer,
    reopened_count bigint not null,
    false_return_count bigint not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index work_orders_region_id on work_orders (region_id, state);
create index work_orders_region_created on work_orders (region_id, created_at, id);
create index work_orders_assigned_to on work_orders (assigned_to, state);
create index work_orders_state on work_orders (state, due_at);
create index work_orders_created_at on work_orders (created_at, id);

-- Evidence (field_tests, sample_blocks, photos, command_receipts) names orders and tests without foreign keys:
-- what a tester captured is kept even when nobody knows what it was captured for (R-TEST-5).
create table field_tests (
    id uuid not null primary key,
    work_order_id uuid not null,
    tester_id uuid not null references users (id),
    device_id uuid not null references devices (id),
    standing text not null check (standing in ('accepted', 'quarantined')),
    standing_reason jsonb,
    state text not null,
    begun_at timestamptz not null,
    findings jsonb,
    submission jsonb,
    submitted_at timestamptz,
    submission_count bigint not null,
    version bigint not null
);
create index field_tests_work_order_id on field_tests (work_order_id, begun_at);
create index field_tests_quarantined on field_tests (begun_at) where standing = 'quarantined';

create table sample_blocks (
    hash bytea not null primary key check (length(hash) = 32),
    field_test_id uuid not null,
    work_order_id uuid not null,
    tester_id uuid not null references users (id),
    device_id uuid not null references devices (id),
    operator text not null,
    sequence bigint not null,
    sample_count bigint not null,
    byte_length bigint not null,
    kpi jsonb not null,
    standing text not null check (standing in ('accepted', 'quarantined')),
    standing_reason jsonb,
    captured_from timestamptz not null,
    captured_until timestamptz,
    received_at timestamptz not null,
    -- Last, so that reading the other columns does not walk through them.
    bytes bytea not null
);
-- Not unique: two devices may have measured for the same test.
create index sample_blocks_field_test_id on sample_blocks (field_test_id, operator, sequence);
create index sample_blocks_quarantined on sample_blocks (received_at) where standing = 'quarantined';

create table photos (
    id uuid not null primary key,
    field_test_id uuid not null,
    work_order_id uuid not null,
    tester_id uuid not null references users (id),
    device_id uuid not null references devices (id),
    -- SHA-256.
    hash bytea not null check (length(hash) = 32),
    byte_length bigint not null,
    media_type text not null,
    purpose text not null,
    captured_at timestamptz not null,
    latitude_e6 integer,
    longitude_e6 integer,
    accuracy_m integer,
    is_mock boolean not null,
    state text not null check (state in ('announced', 'stored', 'refused')),
    refusal jsonb,
    standing text not null check (standing in ('accepted', 'quarantined')),
    standing_reason jsonb,
    object_key text,
    thumbnail_key text,
    width integer,
    height integer,
    exif jsonb,
    announced_at timestamptz not null,
    stored_at timestamptz
);
create index photos_field_test_id on photos (field_test_id);
create index photos_work_order_id on photos (work_order_id);
create index photos_hash on photos (hash);
create index photos_announced on photos (tester_id, device_id, announced_at) where state = 'announced';

create table photo_uploads (
    photo_id uuid not null primary key,
    tester_id uuid not null references users (id),
    device_id uuid not null references devices (id),
    byte_length bigint not null,
    byte_offset bigint not null,
    metadata text not null,
    parts jsonb not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    version bigint not null
);
create index photo_uploads_expires_at on photo_uploads (expires_at);

create table reviews (
    id uuid not null primary key,
    field_test_id uuid not null references field_tests (id),
    work_order_id uuid not null references work_orders (id),
    reviewer_id uuid not null references users (id),
    decision text not null check (decision in ('approve', 'send_back')),
    reasons jsonb not null,
    quick_relief text,
    cure text,
    rung text,
    submission_number bigint not null,
    created_at timestamptz not null
);
create index reviews_work_order_id on reviews (work_order_id, created_at);
create index reviews_field_test_id on reviews (field_test_id, created_at);

create table tracking_tickets (
    id uuid not null primary key,
    work_order_id uuid not null unique references work_orders (id),
    number text not null unique,
    state text not null,
    region_id uuid references regions (id),
    opened_at timestamptz not null,
    closed_at timestamptz,
    version bigint not null,
    updated_at timestamptz not null
);
create index tracking_tickets_region_id on tracking_tickets (region_id, state);
create index tracking_tickets_opened_at on tracking_tickets (opened_at, id);

create table handoffs (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    tracking_ticket_id uuid references tracking_tickets (id),
    target text not null check (target in ('branch', 'maintenance')),
    demand text not null,
    state text not null check (state in ('open', 'answered', 'cancelled')),
    outcome text check (outcome in ('done', 'planned', 'not_possible', 'wrong_addressee')),
    answer text,
    answered_by uuid references users (id),
    answered_at timestamptz,
    due_at timestamptz,
    created_by uuid not null references users (id),
    created_at timestamptz not null,
    version bigint not null
);
create index handoffs_work_order_id on handoffs (work_order_id, created_at);
create index handoffs_open on handoffs (target, due_at) where state = 'open';

create table ladder_steps (
    work_order_id uuid not null references work_orders (id),
    step smallint not null check (step between 1 and 12),
    outcome text not null check (outcome in ('solved', 'not_enough', 'ruled_out', 'skipped')),
    evidence jsonb not null,
    reason text not null,
    recorded_by uuid not null references users (id),
    recorded_at timestamptz not null,
    primary key (work_order_id, step)
);

create table replies (
    id uuid not null primary key,
    complaint_id uuid not null references complaints (id),
    work_order_id uuid references work_orders (id),
    kind text not null check (kind in ('stage', 'final_unresolved', 'final_resolved')),
    body text not null,
    next_step text,
    created_by uuid references users (id),
    created_at timestamptz not null
);
create index replies_complaint_id on replies (complaint_id, created_at);
create index replies_work_order_id on replies (work_order_id, created_at);

create table revisits (
    id uuid not null primary key,
    work_order_id uuid not null references work_orders (id),
    tracking_ticket_id uuid references tracking_tickets (id),
    state text not null check (state in ('pending', 'confirmed', 'denied', 'expired', 'revoked')),
    channel text check (channel in ('link', 'phone')),
    token_hash bytea unique check (length(token_hash) = 32),
    expires_at timestamptz not null,
    solved boolean,
    score smallint check (score between 1 and 10),
    words text,
    answered_at timestamptz,
    answered_by uuid references users (id),
    created_by uuid not null references users (id),
    created_at timestamptz not null
);
create index revisits_work_order_id on revisits (work_order_id, created_at);
create index revisits_pending on revisits (expires_at) where state = 'pending';

create table feeds (
    tester_id uuid not null primary key references users (id),
    epoch bigint not null,
    last_number bigint not null,
    -- The highest number of a tombstone that was removed; a cursor below it starts over.
    compacted_through bigint not null
);

create table feed_entries (
    tester_id uuid not null references users (id),
    work_order_id uuid not null references work_orders (id),
    number bigint not null,
    kind text not null check (kind in ('changed', 'left')),
    left_reason text,
    changed_at timestamptz not null,
    primary key (tester_id, work_order_id),
    unique (tester_id, number)
);
create index feed_entries_work_order_id on feed_entries (work_order_id);
create index feed_entries_left on feed_entries (changed_at) where kind = 'left';

create table command_receipts (
    command_id uuid not null primary key,
    work_order_id uuid not null,
    tester_id uuid not null references users (id),
    device_id uuid not null references devices (id),
    kind text not null,
    body jsonb not null,
    digest bytea not null check (length(digest) = 32),
    captured_at timestamptz not null,
    received_at timestamptz not null,
    is_accepted boolean not null,
    outcome jsonb not null
);
create index command_receipts_work_order_id on command_receipts (work_order_id, received_at);
create index command_receipts_rejected on command_receipts (received_at, command_id) where not is_accepted;

create table events (
    id uuid not null primary key,
    subject_kind text not null,
    subject_id uuid not null,
    number bigint not null,
    happened_at timestamptz not null,
    captured_at timestamptz,
    actor_id uuid,
    actor_roles text not null,
    device_id uuid,
    action text not null,
    -- JSON, as text on both databases: the hash is over these very bytes. Never personal data in clear text.
    detail text not null,
    reason text,
    previous_hash bytea check (length(previous_hash) = 32),
    hash bytea not null check (length(hash) = 32),
    unique (subject_kind, subject_id, number)
);
create index events_happened_at on events (happened_at);

-- The head of each subject's chain; locked while an event is appended.
create table event_heads (
    subject_kind text not null,
    subject_id uuid not null,
    number bigint not null,
    hash bytea not null check (length(hash) = 32),
    primary key (subject_kind, subject_id)
);

create table jobs (
    id uuid not null primary key,
    kind text not null,
    subject_id uuid not null,
    run_at timestamptz not null,
    payload jsonb not null,
    attempts bigint not null,
    leased_until timestamptz,
    lease_owner text,
    finished_at timestamptz,
    last_error text,
    created_at timestamptz not null
);
create index jobs_due on jobs (run_at, id) where finished_at is null;
create index jobs_subject_id on jobs (subject_id, kind);

-- Numbers that people read, such as the count of a day's work orders.
create table counters (
    name text not null primary key,
    value bigint not null
);

create table server_meta (
    key text not null primary key,
    value text not null
);
