-- The first schema. The same tables, columns and names as in the PostgreSQL dialect; a test compares the two.
-- Sets of names that may grow (states, channels, classes) are guarded by the program's types, closed ones by checks:
-- a check cannot be changed here without copying the table. Ids are 16 bytes, instants fixed-width UTC text, booleans 0 or 1.

create table users (
    id blob not null primary key,
    user_name text not null,
    -- The name in lower case, folded by the program: the two databases fold differently beyond ASCII.
    user_name_folded text not null unique,
    display_name text not null,
    password_hash text not null,
    roles text not null,
    all_regions integer not null,
    is_active integer not null,
    created_at text not null,
    updated_at text not null,
    version integer not null
) strict;

create table regions (
    id blob not null primary key,
    name text not null unique,
    -- GeoJSON geometry, Polygon or MultiPolygon, WGS-84.
    boundary text not null,
    min_latitude_e6 integer not null,
    max_latitude_e6 integer not null,
    min_longitude_e6 integer not null,
    max_longitude_e6 integer not null,
    utc_offset_minutes integer not null,
    created_at text not null,
    updated_at text not null,
    version integer not null
) strict;
create index regions_bounding_box on regions (min_latitude_e6, max_latitude_e6, min_longitude_e6, max_longitude_e6);

create table user_regions (
    user_id blob not null references users (id),
    region_id blob not null references regions (id),
    primary key (user_id, region_id)
) strict, without rowid;
create index user_regions_region_id on user_regions (region_id);

create table devices (
    id blob not null primary key,
    user_id blob not null references users (id),
    name text not null,
    platform text not null,
    -- Ed25519; absent for browsers.
    public_key blob check (length(public_key) = 32),
    enrolled_at text not null,
    last_seen_at text not null,
    revoked_at text
) strict;
create index devices_user_id on devices (user_id);

create table sessions (
    id blob not null primary key,
    user_id blob not null references users (id),
    device_id blob not null references devices (id),
    created_at text not null,
    revoked_at text,
    revoke_reason text
) strict, without rowid;
create index sessions_user_id on sessions (user_id);
create index sessions_device_id on sessions (device_id);

create table refresh_tokens (
    token_hash blob not null primary key check (length(token_hash) = 32),
    session_id blob not null references sessions (id),
    issued_at text not null,
    expires_at text not null,
    used_at text,
    successor_hash blob check (length(successor_hash) = 32)
) strict, without rowid;
create index refresh_tokens_session_id on refresh_tokens (session_id);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);

create table signing_keys (
    id text not null primary key,
    secret blob not null,
    created_at text not null,
    retire_at text
) strict;

create table complaints (
    id blob not null primary key,
    -- The user or system that pushed it; with its reference the key of idempotency.
    source_id blob not null references users (id),
    reference text not null,
    content_digest blob not null check (length(content_digest) = 32),
    channel text not null,
    class text,
    state text not null,
    received_at text not null,
    customer_name text not null,
    customer_phone text not null,
    description text not null,
    symptom text not null,
    generation text,
    address text not null,
    occurs text not null,
    neighbours_affected integer,
    latitude_e6 integer,
    longitude_e6 integer,
    region_id blob references regions (id),
    answer text,
    created_at text not null,
    updated_at text not null,
    version integer not null,
    unique (source_id, reference)
) strict;
create index complaints_created_at on complaints (created_at, id);
create index complaints_region_id on complaints (region_id, created_at, id);
create index complaints_state on complaints (state, created_at, id);

create table work_orders (
    id blob not null primary key,
    complaint_id blob not null unique references complaints (id),
    number text not null unique,
    state text not null,
    urgency text not null,
    region_id blob references regions (id),
    assigned_to blob references users (id),
    assigned_at text,
    appointment_from text,
    appointment_until text,
    due_at text,
    field_test_id blob,
    photo_consent integer,
    -- Why the last review sent the test back; empty otherwise.
    return_reasons text not null,
    utc_offset_minutes integer not null,
    address text not null,
    latitude_e6 integer,
    longitude_e6 integer,
    reopened_count integer not null,
    false_return_count integer not null,
    version integer not null,
    created_at text not null,
    updated_at text not null
) strict;
create index work_orders_region_id on work_orders (region_id, state);
create index work_orders_region_created on work_orders (region_id, created_at, id);
create index work_orders_assigned_to on work_orders (assigned_to, state);
create index work_orders_state on work_orders (state, due_at);
create index work_orders_created_at on work_orders (created_at, id);

-- Evidence (field_tests, sample_blocks, photos, command_receipts) names orders and tests without foreign keys:
-- what a tester captured is kept even when nobody knows what it was captured for (R-TEST-5).
create table field_tests (
    id blob not null primary key,
    work_order_id blob not null,
    tester_id blob not null references users (id),
    device_id blob not null references devices (id),
    standing text not null check (standing in ('accepted', 'quarantined')),
    standing_reason text,
    state text not null,
    begun_at text not null,
    findings text,
    submission text,
    submitted_at text,
    submission_count integer not null,
    version integer not null
) strict;
create index field_tests_work_order_id on field_tests (work_order_id, begun_at);
create index field_tests_quarantined on field_tests (begun_at) where standing = 'quarantined';

create table sample_blocks (
    hash blob not null primary key check (length(hash) = 32),
    field_test_id blob not null,
    work_order_id blob not null,
    tester_id blob not null references users (id),
    device_id blob not null references devices (id),
    operator text not null,
    sequence integer not null,
    sample_count integer not null,
    byte_length integer not null,
    kpi text not null,
    standing text not null check (standing in ('accepted', 'quarantined')),
    standing_reason text,
    captured_from text not null,
    captured_until text,
    received_at text not null,
    -- Last, so that reading the other columns does not walk through them.
    bytes blob not null
) strict;
-- Not unique: two devices may have measured for the same test.
create index sample_blocks_field_test_id on sample_blocks (field_test_id, operator, sequence);
create index sample_blocks_quarantined on sample_blocks (received_at) where standing = 'quarantined';

create table photos (
    id blob not null primary key,
    field_test_id blob not null,
    work_order_id blob not null,
    tester_id blob not null references users (id),
    device_id blob not null references devices (id),
    -- SHA-256.
    hash blob not null check (length(hash) = 32),
    byte_length integer not null,
    media_type text not null,
    purpose text not null,
    captured_at text not null,
    latitude_e6 integer,
    longitude_e6 integer,
    accuracy_m integer,
    is_mock integer not null,
    state text not null check (state in ('announced', 'stored', 'refused')),
    refusal text,
    standing text not null check (standing in ('accepted', 'quarantined')),
    standing_reason text,
    object_key text,
    thumbnail_key text,
    width integer,
    height integer,
    exif text,
    announced_at text not null,
    stored_at text
) strict;
create index photos_field_test_id on photos (field_test_id);
create index photos_work_order_id on photos (work_order_id);
create index photos_hash on photos (hash);
create index photos_announced on photos (tester_id, device_id, announced_at) where state = 'announced';

create table photo_uploads (
    photo_id blob not null primary key,
    tester_id blob not null references users (id),
    device_id blob not null references devices (id),
    byte_length integer not null,
    byte_offset integer not null,
    metadata text not null,
    parts text not null,
    created_at text not null,
    expires_at text not null,
    version integer not null
) strict, without rowid;
create index photo_uploads_expires_at on photo_uploads (expires_at);

create table reviews (
    id blob not null primary key,
    field_test_id blob not null references field_tests (id),
    work_order_id blob not null references work_orders (id),
    reviewer_id blob not null references users (id),
    decision text not null check (decision in ('approve', 'send_back')),
    reasons text not null,
    quick_relief text,
    cure text,
    rung text,
    submission_number integer not null,
    created_at text not null
) strict;
create index reviews_work_order_id on reviews (work_order_id, created_at);
create index reviews_field_test_id on reviews (field_test_id, created_at);

create table tracking_tickets (
    id blob not null primary key,
    work_order_id blob not null unique references work_orders (id),
    number text not null unique,
    state text not null,
    region_id blob references regions (id),
    opened_at text not null,
    closed_at text,
    version integer not null,
    updated_at text not null
) strict;
create index tracking_tickets_region_id on tracking_tickets (region_id, state);
create index tracking_tickets_opened_at on tracking_tickets (opened_at, id);

create table handoffs (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    tracking_ticket_id blob references tracking_tickets (id),
    target text not null check (target in ('branch', 'maintenance')),
    demand text not null,
    state text not null check (state in ('open', 'answered', 'cancelled')),
    outcome text check (outcome in ('done', 'planned', 'not_possible', 'wrong_addressee')),
    answer text,
    answered_by blob references users (id),
    answered_at text,
    due_at text,
    created_by blob not null references users (id),
    created_at text not null,
    version integer not null
) strict;
create index handoffs_work_order_id on handoffs (work_order_id, created_at);
create index handoffs_open on handoffs (target, due_at) where state = 'open';

create table ladder_steps (
    work_order_id blob not null references work_orders (id),
    step integer not null check (step between 1 and 12),
    outcome text not null check (outcome in ('solved', 'not_enough', 'ruled_out', 'skipped')),
    evidence text not null,
    reason text not null,
    recorded_by blob not null references users (id),
    recorded_at text not null,
    primary key (work_order_id, step)
) strict, without rowid;

create table replies (
    id blob not null primary key,
    complaint_id blob not null references complaints (id),
    work_order_id blob references work_orders (id),
    kind text not null check (kind in ('stage', 'final_unresolved', 'final_resolved')),
    body text not null,
    next_step text,
    created_by blob references users (id),
    created_at text not null
) strict;
create index replies_complaint_id on replies (complaint_id, created_at);
create index replies_work_order_id on replies (work_order_id, created_at);

create table revisits (
    id blob not null primary key,
    work_order_id blob not null references work_orders (id),
    tracking_ticket_id blob references tracking_tickets (id),
    state text not null check (state in ('pending', 'confirmed', 'denied', 'expired', 'revoked')),
    channel text check (channel in ('link', 'phone')),
    token_hash blob unique check (length(token_hash) = 32),
    expires_at text not null,
    solved integer,
    score integer check (score between 1 and 10),
    words text,
    answered_at text,
    answered_by blob references users (id),
    created_by blob not null references users (id),
    created_at text not null
) strict;
create index revisits_work_order_id on revisits (work_order_id, created_at);
create index revisits_pending on revisits (expires_at) where state = 'pending';

create table feeds (
    tester_id blob not null primary key references users (id),
    epoch integer not null,
    last_number integer not null,
    -- The highest number of a tombstone that was removed; a cursor below it starts over.
    compacted_through integer not null
) strict, without rowid;

create table feed_entries (
    tester_id blob not null references users (id),
    work_order_id blob not null references work_orders (id),
    number integer not null,
    kind text not null check (kind in ('changed', 'left')),
    left_reason text,
    changed_at text not null,
    primary key (tester_id, work_order_id),
    unique (tester_id, number)
) strict, without rowid;
create index feed_entries_work_order_id on feed_entries (work_order_id);
create index feed_entries_left on feed_entries (changed_at) where kind = 'left';

create table command_receipts (
    command_id blob not null primary key,
    work_order_id blob not null,
    tester_id blob not null references users (id),
    device_id blob not null references devices (id),
    kind text not null,
    body text not null,
    digest blob not null check (length(digest) = 32),
    captured_at text not null,
    received_at text not null,
    is_accepted integer not null,
    outcome text not null
) strict;
create index command_receipts_work_order_id on command_receipts (work_order_id, received_at);
create index command_receipts_rejected on command_receipts (received_at, command_id) where not is_accepted;

create table events (
    id blob not null primary key,
    subject_kind text not null,
    subject_id blob not null,
    number integer not null,
    happened_at text not null,
    captured_at text,
    actor_id blob,
    actor_roles text not null,
    device_id blob,
    action text not null,
    -- JSON, as text on both databases: the hash is over these very bytes. Never personal data in clear text.
    detail text not null,
    reason text,
    previous_hash blob check (length(previous_hash) = 32),
    hash blob not null check (length(hash) = 32),
    unique (subject_kind, subject_id, number)
) strict;
create index events_happened_at on events (happened_at);

-- The head of each subject's chain; locked while an event is appended.
create table event_heads (
    subject_kind text not null,
    subject_id blob not null,
    number integer not null,
    hash blob not null check (length(hash) = 32),
    primary key (subject_kind, subject_id)
) strict, without rowid;

create table jobs (
    id blob not null primary key,
    kind text not null,
    subject_id blob not null,
    run_at text not null,
    payload text not null,
    attempts integer not null,
    leased_until text,
    lease_owner text,
    finished_at text,
    last_error text,
    created_at text not null
) strict;
create index jobs_due on jobs (run_at, id) where finished_at is null;
create index jobs_subject_id on jobs (subject_id, kind);

-- Numbers that people read, such as the count of a day's work orders.
create table counters (
    name text not null primary key,
    value integer not null
) strict, without rowid;

create table server_meta (
    key text not null primary key,
    value text not null
) strict, without rowid;
